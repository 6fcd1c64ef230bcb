// Serializers that write to and read from memory: what iterators need of an archive.
#pragma once

#include <map>
#include <string>
#include <variant>

#include "dnn/autograd/serializer.hpp"

using MemoryArchive = std::map<std::string, std::variant<std::int64_t, double, bool, dnn::Array>>;

class MemoryWriter final : public dnn::Serializer {
 public:
  explicit MemoryWriter(MemoryArchive& archive) : archive_(archive) {}

 protected:
  void on_array(dnn::Array& value) override { archive_[path()] = value.defined() ? value.copy() : value; }
  void on_integer(std::int64_t& value) override { archive_[path()] = value; }
  void on_real(double& value) override { archive_[path()] = value; }
  void on_bool(bool& value) override { archive_[path()] = value; }

 private:
  MemoryArchive& archive_;
};

class MemoryReader final : public dnn::Serializer {
 public:
  explicit MemoryReader(const MemoryArchive& archive) : archive_(archive) {}
  bool is_loading() const override { return true; }

 protected:
  void on_array(dnn::Array& value) override { read(value); }
  void on_integer(std::int64_t& value) override { read(value); }
  void on_real(double& value) override { read(value); }
  void on_bool(bool& value) override { read(value); }

 private:
  template <class T>
  void read(T& value) {
    const auto found = archive_.find(path());
    if (found == archive_.end()) throw dnn::SerializationError("no entry " + path());
    value = std::get<T>(found->second);
  }
  const MemoryArchive& archive_;
};
