/// npz archives: save_npz and load_npz.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/serializers/dictionary.hpp"
#include "dnn/serializers/npy.hpp"
#include "dnn/serializers/zip.hpp"

namespace dnn::inline DNN_ABI::serializers {

struct SaveNpzOptions {
  bool compression = true;  ///< deflate; false stores the members as they are
};

/// Writes every value of `dictionary` as the member `<key>.npy`, in alphabetical order; the arrays are not copied. The
/// file gets exactly the name `path` and is replaced only once complete. Throws FileError.
inline void save_npz(const std::filesystem::path& path, const Dictionary& dictionary,
                     const SaveNpzOptions& options = {}) {
  std::vector<ZipEntry> entries;
  entries.reserve(dictionary.size());
  for (const auto& [key, value] : dictionary) {
    ZipEntry& entry = entries.emplace_back();
    entry.name = key + ".npy";
    if (const auto* array = std::get_if<Array>(&value)) {
      const bool bfloat = array->dtype() == DType::bfloat16;
      const auto owner = std::make_shared<const Array>((bfloat ? array->to(float32) : *array).to(Device{}));
      entry.head = npy_header(*owner);
      entry.body = {owner->bytes(), owner->nbytes()};
      entry.owner = owner;
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      entry.head = npy_of_text(*text);
    } else {
      entry.head = npy_of_none();
    }
  }
  write_zip(path, entries, options.compression);
}

/// Writes what `object` (a link, optimizer, trainer, anything with `serialize`) serializes, under Chainer's keys:
///
///     save_npz("model.npz", model);
///     save_npz("snapshot", trainer, {.compression = false});
inline void save_npz(const std::filesystem::path& path, SerializableRef object, const SaveNpzOptions& options = {}) {
  save_npz(path, to_dictionary(object), options);
}

/// An npz archive that is open for reading: a member is read and checked when it is asked for, and then kept.
class NpzSource final : public ValueSource {
 public:
  explicit NpzSource(const std::filesystem::path& path) : NpzSource(ZipReader(path)) {}
  explicit NpzSource(ZipReader archive) : archive_(std::move(archive)) {
    for (const auto& [member, place] : archive_.members()) {
      if (member.ends_with(suffix)) values_.try_emplace(member.substr(0, member.size() - suffix.size()));
    }
  }

  const std::string& name() const override { return archive_.name(); }
  const Value* find(const std::string& key) override {
    const auto found = values_.find(key);
    if (found == values_.end()) return nullptr;
    if (!found->second) found->second = read_npy(*archive_.open(concat(key, suffix)));
    return &*found->second;
  }
  std::vector<std::string> keys(const std::string& prefix, std::size_t most) const override {
    return keys_of(values_, prefix, most);
  }

  /// Everything in the archive.
  Dictionary read_all() {
    Dictionary out;
    for (const auto& [key, value] : values_) out.emplace(key, *find(key));
    return out;
  }

 private:
  static constexpr std::string_view suffix = ".npy";

  ZipReader archive_;
  std::map<std::string, std::optional<Value>> values_;
};

/// Every value of an npz archive, whoever wrote it. Throws FileError.
inline Dictionary load_npz(const std::filesystem::path& path) { return NpzSource(path).read_all(); }

/// Loads `object` from an npz archive by the rules of `load`:
///
///     load_npz("model.npz", model);
///     load_npz("snapshot", model, {.path = "updater/model:main/"});
///     load_npz("old.npz", model, {.strict = false, .ignore_names = {"predictor/l3/W", "predictor/l3/b"}});
///
/// Throws FileError when the archive or a member that is asked for is malformed, SerializationError when a key is
/// missing or a value does not fit. A malformed archive changes nothing; see `load` for what else is found out
/// beforehand.
inline void load_npz(const std::filesystem::path& path, SerializableRef object, const LoadOptions& options = {}) {
  NpzSource source(path);
  load(source, object, options);
}

}  // namespace dnn::inline DNN_ABI::serializers
