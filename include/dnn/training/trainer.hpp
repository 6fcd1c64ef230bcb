/// The training loop.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/autograd/reporter.hpp"
#include "dnn/core/random.hpp"
#include "dnn/serializers/atomic_file.hpp"
#include "dnn/training/extension.hpp"
#include "dnn/training/interrupt.hpp"
#include "dnn/training/trigger.hpp"
#include "dnn/training/updater.hpp"

namespace dnn::inline DNN_ABI::training {

struct ExtendOptions {
  std::string name = {};                       ///< the extension's own if empty; `_1`, `_2`, ... is added when taken
  Trigger trigger = {};                        ///< the extension's own if not given
  std::optional<int> priority = std::nullopt;  ///< the extension's own if not given
  bool call_before_training = false;           ///< also once before the first iteration of a new training
};

/// Runs an updater until a trigger stops it, and extensions in between.
///
///     StandardUpdater updater{train_iter, optimizer, model};
///     Trainer trainer{updater, {20, "epoch"}, "result"};
///     trainer.extend(extensions::Evaluator{test_iter, model});
///     trainer.extend(extensions::LogReport{});
///     trainer.extend(extensions::snapshot(), {.trigger = {5, "epoch"}});
///     trainer.extend([](Trainer& t) { ... }, {.name = "my_extension"});
///     trainer.run();
///
/// One iteration is: an empty observation, `updater.update()`, then every extension whose trigger fires, by falling
/// priority and, among equals, in the order in which they were added. What the models report is observed as
/// `main/loss`, `main/predictor/...`: the optimizer's name and the place in its model.
///
/// The updater, and with it iterators, optimizers and models, must outlive the trainer. `serialize` writes and reads
/// the whole state under the keys of Chainer's snapshots and, as `_random_state`, that of the default generator; a
/// training that is resumed from a snapshot then goes on bit by bit as if it had never stopped.
///
/// Ctrl-C (SIGINT) during `run` finishes the iteration, lets extensions save, ends the run, and `interrupted()` is
/// true.
class Trainer {
 public:
  /// Never stops by itself without a `stop_trigger`. `out` is where extensions put their files.
  explicit Trainer(Updater& updater, Trigger stop_trigger = {}, std::filesystem::path out = "result")
      : updater_(updater), stop_trigger_(std::move(stop_trigger)), out_(std::move(out)) {
    for (const auto& [name, optimizer] : updater_.optimizers()) reporter_.add_observers(name, optimizer->target());
  }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Adds an extension: an object derived from Extension, a shared pointer to one, or anything callable with a Trainer,
  /// which may have `initialize`, `finalize`, `on_error` and `serialize` as an Extension has them. A temporary is moved
  /// in, a variable of the user's is referred to and must outlive the trainer. Returns the extension.
  /// Throws ArgumentError for the name "training", for a function without a name, and once `run` has begun.
  template <class E>
  auto& extend(E&& extension, ExtendOptions options = {}) {
    using Type = std::remove_cvref_t<E>;
    if constexpr (std::derived_from<Type, Extension>) {
      if constexpr (std::is_lvalue_reference_v<E>) {
        add(std::shared_ptr<Extension>(std::shared_ptr<void>(), &extension), std::move(options));
        return extension;
      } else {
        auto owned = std::make_shared<Type>(std::forward<E>(extension));
        add(owned, std::move(options));
        return *owned;
      }
    } else if constexpr (std::convertible_to<Type, std::shared_ptr<Extension>>) {
      add(extension, std::move(options));
      return *extension;
    } else {
      static_assert(std::invocable<Type&, Trainer&>,
                    "an extension is derived from Extension or callable with a Trainer&");
      auto owned = std::make_shared<detail::FunctionExtension<Type>>(std::forward<E>(extension));
      add(owned, std::move(options));
      return *owned;
    }
  }

  /// Throws ArgumentError when there is none of that name.
  Extension& extension(std::string_view name) const {
    for (const auto& entry : extensions_) {
      if (entry.extension->name() == name) return *entry.extension;
    }
    throw ArgumentError("[trainer] there is no extension '", name, "'");
  }

  /// Trains. What an iteration throws comes out here, after all extensions have been told and finalized; what an
  /// extension throws while it starts, after those that had started were finalized. Throws FileError when `out`
  /// cannot be created or written to, ArgumentError the second time.
  void run() {
    if (done_ || start_) throw ArgumentError("[trainer] cannot run the training loop a second time");
    serializers::create_folder(out_);

    std::vector<Entry*> entries;
    for (auto& entry : extensions_) entries.push_back(&entry);
    std::ranges::stable_sort(entries, std::ranges::greater{}, &Entry::priority);

    start_ = Clock::now();
    std::exception_ptr error;
    std::size_t initialized = 0;
    try {
      for (auto* entry : entries) entry->extension->restore(*this);
      for (; initialized < entries.size(); ++initialized) {
        auto* entry = entries[initialized];
        if (!entry->trigger.finished()) entry->extension->initialize(*this);
      }
    } catch (...) {
      error = std::current_exception();
      entries.resize(initialized);
    }
    const InterruptGuard interrupt;
    try {
      if (!error) loop(entries);
    } catch (const std::exception& thrown) {
      error = std::current_exception();
      handle_error(entries, thrown);
    } catch (...) {
      error = std::current_exception();
      handle_error(entries, Error("an exception that is no std::exception"));
    }
    for (auto* entry : entries) {
      try {
        entry->extension->finalize();
      } catch (...) {
        if (!error) error = std::current_exception();
      }
    }
    updater_.finalize();
    if (error) std::rethrow_exception(error);
    snapshot_elapsed_time_ = elapsed_time();
    start_.reset();
    done_ = true;
  }

  Updater& updater() const noexcept { return updater_; }
  const std::filesystem::path& out() const noexcept { return out_; }
  const Trigger& stop_trigger() const noexcept { return stop_trigger_; }
  /// What was reported in this iteration so far.
  Observation& observation() noexcept { return observation_; }
  const Observation& observation() const noexcept { return observation_; }
  Reporter& reporter() noexcept { return reporter_; }
  /// Seconds that the training took until now, those before it was resumed included.
  double elapsed_time() const {
    if (!start_) return snapshot_elapsed_time_;
    return snapshot_elapsed_time_ + std::chrono::duration<double>(Clock::now() - *start_).count();
  }
  bool is_before_training() const { return updater_.iteration() == 0; }
  /// True when the user ended the run (SIGINT) before its stop trigger did.
  bool interrupted() const noexcept { return interrupted_; }

  void serialize(Serializer& s) {
    s("updater", updater_);
    s("stop_trigger", stop_trigger_);
    for (auto& entry : extensions_) {
      const auto name = entry.extension->name();
      try {
        s("extensions/" + name, *entry.extension);
        s("extension_triggers/" + name, entry.trigger);
      } catch (const SerializationError& error) {
        if (!s.is_loading()) throw;
        throw SerializationError(error.what(), "\nThe extension '", name,
                                 "' cannot go on from there. If the training that was saved did not have it, "
                                 "load with {.strict = false}: it then starts anew");
      }
    }
    double elapsed = elapsed_time();
    s("_snapshot_elapsed_time", elapsed);
    serialize_random_state(s);
    if (s.is_loading()) {
      snapshot_elapsed_time_ = elapsed;
      if (start_) start_ = Clock::now();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::shared_ptr<Extension> extension;
    Trigger trigger;
    int priority;
    bool call_before_training;
  };

  void add(std::shared_ptr<Extension> extension, ExtendOptions options) {
    if (start_) throw ArgumentError("[trainer] extensions are added before run()");
    const std::string name = options.name.empty() ? extension->name() : options.name;
    if (name.empty()) throw ArgumentError("[trainer] a function needs a name: extend(function, {.name = ...})");
    if (name == "training") throw ArgumentError("[trainer] the name \"training\" is prohibited as an extension name");
    const auto taken = [this](const std::string& candidate) {
      return std::ranges::any_of(extensions_, [&](const Entry& entry) { return entry.extension->name() == candidate; });
    };
    std::string free_name = name;
    for (int i = 1; taken(free_name); ++i) free_name = concat(name, "_", i);
    extension->set_name(free_name);
    Trigger trigger = options.trigger ? options.trigger : extension->default_trigger();
    if (!trigger) trigger = {1, "iteration"};
    const int priority = options.priority.value_or(extension->default_priority());
    extensions_.push_back({std::move(extension), std::move(trigger), priority, options.call_before_training});
  }

  void loop(const std::vector<Entry*>& entries) {
    if (is_before_training()) {
      observation_ = {};
      const auto scope = reporter_.scope(observation_);
      for (auto* entry : entries) {
        if (entry->call_before_training) (*entry->extension)(*this);
      }
    }
    while (!stop_trigger_(*this)) {
      observation_ = {};
      {
        const auto scope = reporter_.scope(observation_);
        updater_.update();
        for (auto* entry : entries) {
          if (entry->trigger(*this)) (*entry->extension)(*this);
        }
      }
      if (InterruptGuard::requested()) {
        interrupted_ = true;
        for (auto* entry : entries) entry->extension->on_interrupt(*this);
        return;
      }
    }
  }

  void handle_error(const std::vector<Entry*>& entries, const std::exception& error) {
    // Now, since what follows may take long or never end.
    std::fprintf(stderr, "Exception in main training loop: %s\nExtensions are finalized before it is thrown on.\n",
                 error.what());
    for (auto* entry : entries) {
      try {
        entry->extension->on_error(*this, error);
      } catch (const std::exception& second) {
        std::fprintf(stderr, "Exception in error handler: %s\n", second.what());
      } catch (...) {
        std::fprintf(stderr, "Exception in error handler\n");
      }
    }
  }

  /// Snapshots of Chainer do not have it: then the generator stays as it is.
  static void serialize_random_state(Serializer& s) {
    auto& generator = default_generator();
    const UsingDevice host(Device{});
    Array state =
        array({std::bit_cast<std::int64_t>(generator.seed()), std::bit_cast<std::int64_t>(generator.position())});
    try {
      s("_random_state", state);
    } catch (const SerializationError&) {
      if (!s.is_loading()) throw;
      return;
    }
    if (!s.is_loading()) return;
    const auto values = std::as_const(state).span<std::int64_t>();
    generator.restore(std::bit_cast<std::uint64_t>(values[0]), std::bit_cast<std::uint64_t>(values[1]));
  }

  Updater& updater_;
  Trigger stop_trigger_;
  std::filesystem::path out_;
  Reporter reporter_;
  Observation observation_;
  std::vector<Entry> extensions_;
  std::optional<Clock::time_point> start_;  // of the run that is going on
  double snapshot_elapsed_time_ = 0;
  bool interrupted_ = false;
  bool done_ = false;
};

}  // namespace dnn::inline DNN_ABI::training

// What `{period, unit}` makes.
#include "dnn/training/triggers/interval_trigger.hpp"
