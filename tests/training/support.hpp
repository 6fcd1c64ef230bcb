/// What the training tests share: a training without a model, and Chainer's recorded cases.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "dnn/serializers/npz.hpp"
#include "dnn/training/json.hpp"
#include "dnn/training/trainer.hpp"
#include "serializers/files.hpp"

namespace support {

namespace json = dnn::training::json;

/// Counts iterations, and does what it is told in each.
class FakeUpdater : public dnn::training::Updater {
 public:
  explicit FakeUpdater(int iterations_per_epoch, std::function<void(std::int64_t iteration)> body = nullptr)
      : per_epoch_(iterations_per_epoch), body_(std::move(body)) {}

  void update() override {
    if (body_) body_(iteration_ + 1);
    ++iteration_;
  }
  std::int64_t iteration() const override { return iteration_; }
  std::int64_t epoch() const override { return iteration_ / per_epoch_; }
  double epoch_detail() const override { return static_cast<double>(iteration_) / per_epoch_; }
  std::optional<double> previous_epoch_detail() const override {
    return iteration_ == 0 ? std::nullopt : std::optional(static_cast<double>(iteration_ - 1) / per_epoch_);
  }
  bool is_new_epoch() const override { return iteration_ > 0 && iteration_ % per_epoch_ == 0; }
  std::vector<std::pair<std::string, dnn::Optimizer*>> optimizers() const override {
    if (!optimizer) return {};
    return {{"main", optimizer}};
  }
  void finalize() override { ++finalized; }
  void serialize(dnn::Serializer& s) override { s("iteration", iteration_); }

  dnn::Optimizer* optimizer = nullptr;
  int finalized = 0;

 private:
  int per_epoch_;
  std::function<void(std::int64_t)> body_;
  std::int64_t iteration_ = 0;
};

/// The state of `object`, in a fresh one.
template <class T>
void reload(T& from, T& to) {
  dnn::serializers::from_dictionary(dnn::serializers::to_dictionary(from), to);
}

inline const json::Value* member(const json::Value& object, std::string_view key) {
  for (const auto& [name, value] : object.object()) {
    if (name == key) return &value;
  }
  return nullptr;
}
inline const json::Value& at(const json::Value& object, std::string_view key) {
  if (const auto* value = member(object, key)) return *value;
  throw dnn::Error("no member " + std::string(key));
}

/// A JSON file of the golden data; nothing, said aloud, where that was not given.
inline std::optional<json::Value> golden(const std::string& name) {
  if (!files::chainer_data()) {
    WARN("DNN_CHAINER_DATA is not set: the comparison with Chainer's recorded cases is left out");
    return std::nullopt;
  }
  const auto path = std::filesystem::path(files::chainer_data()) / "golden" / name;
  return json::parse(files::read(path), path.string());
}

/// Calls `body(case, arrays)` for all recorded cases of a group.
inline int for_each_golden(std::string_view group,
                           const std::function<void(const json::Value&, const dnn::serializers::Dictionary&)>& body) {
  const auto manifest = golden("manifest.json");
  if (!manifest) return -1;
  int count = 0;
  for (const auto& each : at(*manifest, "cases").array()) {
    if (at(each, "group").text() != group) continue;
    const auto path = std::filesystem::path(files::chainer_data()) / "golden" / at(each, "file").text();
    INFO(at(each, "case").text());
    body(each, dnn::serializers::load_npz(path));
    ++count;
  }
  return count;
}
inline const dnn::Array& array_of(const dnn::serializers::Dictionary& arrays, const std::string& key) {
  return std::get<dnn::Array>(arrays.at(key));
}

}  // namespace support
