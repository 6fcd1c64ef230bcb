/// Saving the training, or a part of it, again and again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "dnn/serializers/npz.hpp"
#include "dnn/training/filename.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct SnapshotOptions {
  /// Below the trainer's folder, and may name folders of its own, `snapshots/{.updater.epoch}`; see `format_filename`.
  std::string filename = "snapshot_iter_{.updater.iteration}";
  std::function<bool()> condition = nullptr;  ///< asked before each; false skips it
  bool snapshot_on_error = false;             ///< also when an iteration throws
  int n_retains = -1;                         ///< how many of the newest files are kept; all if not positive
  bool autoload = false;                      ///< loads the newest file at the start of the run
  bool compression = true;                    ///< deflate
};

/// Writes npz files; at every moment each is complete or not there. Every epoch by default, after all other extensions,
/// whose state therefore is that of the end of the iteration. Made by `snapshot` and `snapshot_object`.
class Snapshot : public Extension {
 public:
  explicit Snapshot(SnapshotOptions options, std::optional<SerializableRef> target = std::nullopt)
      : target_(target), options_(std::move(options)) {}

  std::string default_name() const override { return "_Snapshot"; }
  Trigger default_trigger() const override { return {1, "epoch"}; }
  int default_priority() const override { return -100; }

  void operator()(Trainer& trainer) override {
    if (!options_.condition || options_.condition()) save(trainer);
  }
  void restore(Trainer& trainer) override {
    if (!options_.autoload) return;
    const auto files = find(trainer.out());
    if (files.empty()) return;
    serializers::load_npz(files.back(), target_ ? *target_ : SerializableRef(trainer));
    std::fprintf(stderr, "Loaded %s\n", files.back().c_str());
  }
  void on_error(Trainer& trainer, const std::exception&) override {
    if (options_.snapshot_on_error) save(trainer);
  }
  void on_interrupt(Trainer& trainer) override {
    // A part of the training does not help to go on with it.
    if (target_) return;
    std::fprintf(stderr, "Saved %s\n", save(trainer).c_str());
  }

 private:
  std::filesystem::path save(Trainer& trainer) {
    const auto path = trainer.out() / format_filename(options_.filename, trainer);
    serializers::create_folder(path.parent_path());
    serializers::save_npz(path, target_ ? *target_ : SerializableRef(trainer), {.compression = options_.compression});
    if (options_.n_retains > 0) {
      const auto files = find(trainer.out());
      const auto retained = static_cast<std::size_t>(options_.n_retains);
      for (std::size_t i = 0; i + retained < files.size(); ++i) {
        std::error_code ignored;  // somebody else may have removed it
        std::filesystem::remove(files[i], ignored);
      }
    }
    return path;
  }
  /// The files of this extension, the newest last.
  std::vector<std::filesystem::path> find(const std::filesystem::path& out) const {
    const std::filesystem::path pattern = options_.filename;
    std::vector<std::filesystem::path> folders{out};
    for (const auto& part : pattern.parent_path()) {
      std::vector<std::filesystem::path> found;
      for (const auto& folder : folders) {
        // What is no pattern may be something that no folder lists, `..`.
        if (part.string().find('{') == std::string::npos) found.push_back(folder / part);
        else list(folder, part.string(), std::filesystem::file_type::directory, found);
      }
      folders = std::move(found);
    }
    std::vector<std::filesystem::path> files;
    for (const auto& folder : folders) {
      list(folder, pattern.filename().string(), std::filesystem::file_type::regular, files);
    }
    // Files of one moment are ordered by their numbers: the longer name has the larger one.
    std::vector<std::tuple<std::filesystem::file_time_type, std::size_t, std::filesystem::path>> by_age;
    for (auto& file : files) {
      std::error_code failed;
      const auto time = std::filesystem::last_write_time(file, failed);
      if (!failed) by_age.emplace_back(time, file.native().size(), std::move(file));
    }
    std::ranges::sort(by_age);
    files.clear();
    for (auto& [time, length, path] : by_age) files.push_back(std::move(path));
    return files;
  }
  /// Adds what is in the folder, of this type and with a name that the pattern could have made. What cannot be read is
  /// as good as empty.
  static void list(const std::filesystem::path& folder, const std::string& pattern, std::filesystem::file_type type,
                   std::vector<std::filesystem::path>& found) {
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      std::error_code unknown;
      if (entry->status(unknown).type() == type && matches_pattern(pattern, entry->path().filename().string())) {
        found.push_back(entry->path());
      }
    }
  }

  std::optional<SerializableRef> target_;
  SnapshotOptions options_;
};

/// Saves the whole training. `serializers::load_npz(file, trainer)` goes on from there; `updater/model:main/` is the
/// path of the model in it.
inline Snapshot snapshot(SnapshotOptions options = {}) { return Snapshot(std::move(options)); }

/// Saves one object, a model for example, which must outlive the training:
/// `snapshot_object(model, {.filename = "model_epoch-{.updater.epoch}"})`.
inline Snapshot snapshot_object(SerializableRef target, SnapshotOptions options) {
  return Snapshot(std::move(options), target);
}

}  // namespace dnn::inline DNN_ABI::training::extensions
