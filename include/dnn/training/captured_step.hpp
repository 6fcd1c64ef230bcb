/// `CapturedStep`: a training step, recorded once and repeated as a CUDA graph.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dnn/autograd/reporter.hpp"
#include "dnn/core/random.hpp"
#include "dnn/cuda/graph.hpp"
#include "dnn/cuda/stream.hpp"
#include "dnn/datasets/example.hpp"
#include "dnn/kernels/update.hpp"
#include "dnn/memory/storage.hpp"
#include "dnn/optimizers/optimizer.hpp"

namespace dnn::inline DNN_ABI::training {

#if DNN_CUDA
namespace detail {

/// What a model consists of, and whether a step made something else of it: what a graph does not see.
class ModelState final : public Serializer {
 public:
  bool has_uninitialized() const noexcept { return has_uninitialized_; }
  void begin_comparing() noexcept { mode_ = Mode::compare, next_ = 0; }
  void begin_restoring() noexcept { mode_ = Mode::restore, next_ = 0; }
  /// What is different; empty when all is as it was.
  const std::string& difference() const noexcept { return difference_; }

  bool is_loading() const override { return mode_ == Mode::restore; }

 protected:
  void on_parameter(Parameter& p) override {
    has_uninitialized_ = has_uninitialized_ || !p.is_initialized();
    Array array = p.array();
    visit(arrays_, array, "the parameter '", "' is another array after the step");
    if (mode_ == Mode::restore && array.defined()) p.set_array(array);
  }
  void on_array(Array& a) override { visit(arrays_, a, "every step replaces '", "' instead of overwriting it"); }
  void on_integer(std::int64_t& n) override { visit(integers_, n, "the host changes '", "' in every step"); }
  void on_real(double& x) override { visit(reals_, x, "the host changes '", "' in every step"); }
  void on_bool(bool& b) override {
    std::int64_t n = b;
    on_integer(n);
    b = n != 0;
  }

 private:
  enum class Mode { collect, compare, restore };

  static bool same(const Array& a, const Array& b) {
    return a.defined() == b.defined() && (!a.defined() || std::as_const(a).bytes() == std::as_const(b).bytes());
  }
  template <class T>
  static bool same(const T& a, const T& b) {
    return a == b || (a != a && b != b);
  }
  template <class T>
  void visit(std::vector<std::pair<std::size_t, T>>& values, T& value, const char* before, const char* after) {
    const auto index = next_++;
    if (mode_ == Mode::collect) {
      values.emplace_back(index, value);
      return;
    }
    for (auto& [known, old] : values) {
      if (known != index) continue;
      if (mode_ == Mode::restore) value = old;
      else if (!same(value, old) && difference_.empty()) difference_ = concat(before, path(), after);
    }
  }

  Mode mode_ = Mode::collect;
  bool has_uninitialized_ = false;
  std::size_t next_ = 0;
  std::vector<std::pair<std::size_t, Array>> arrays_;
  std::vector<std::pair<std::size_t, std::int64_t>> integers_;
  std::vector<std::pair<std::size_t, double>> reals_;
  std::string difference_;
};

/// What a graph reads anew in every step, written by the host in one copy: where the random numbers begin, and the
/// formulas of an optimizer's update when the graph holds that too.
class RecordedUpdate {
 public:
  explicit RecordedUpdate(const Optimizer& optimizer)
      : numbers_({static_cast<std::int64_t>(64 + 512 * optimizer.rules().size())}, uint8),
        passes_(numbers_.bytes(), numbers_.nbytes(), sizeof(std::uint64_t)),
        fp32_update_(optimizer.fp32_update_),
        loss_scale_(optimizer.loss_scale_),
        hooks_(optimizer.hooks_) {
    has_update_ = optimizer.leaves_all_to_batch() && hooks_.recordable();
    for (const auto& rule : optimizer.rules_) {
      rule_hooks_.push_back(rule->hooks_);
      has_update_ = has_update_ && rule->hooks_.recordable();
    }
  }

  const std::uint64_t* origin() const { return reinterpret_cast<const std::uint64_t*>(numbers_.bytes()); }
  bool has_update() const noexcept { return has_update_; }

  /// Updates while a graph is recorded: nothing is computed, and the optimizer does not count.
  void record(Optimizer& optimizer) {
    const Counts counts(optimizer);
    optimizer.recorded_ = &passes_;
    optimizer.update();
  }

  /// Counts an update and computes its formulas. False, and nothing is counted, when the optimizer would do something
  /// else by now than what was recorded.
  bool repeat(Optimizer& optimizer) {
    if (!is_of(optimizer)) return false;
    if (!has_update_) return true;
    Counts counts(optimizer);
    passes_.repeat();
    kernels::UpdateBatch batch;
    batch.recorded = &passes_;
    ++optimizer.t_;
    for (const auto& rule : optimizer.rules_) {
      if (!rule->parameter_.update_enabled()) continue;
      ++rule->t_;
      Parameter& parameter = rule->parameter();
      if (!parameter.is_initialized()) continue;
      const UsingDevice here(parameter.device());
      const bool has_gradient = parameter.grad_variable().defined();
      // The gradient of a float32 copy exists within the graph alone. It is not looked at.
      if (!has_gradient) parameter.set_grad(Variable(parameter.array()));
      optimizer.prepare_states(*rule);
      optimizer.update_parameter(*rule, batch);
      if (!has_gradient) parameter.cleargrad();
    }
    counts.keep = passes_.same();
    return counts.keep;
  }

  /// Before the graph starts; `position` is the origin's.
  void write(std::uint64_t position) {
    std::memcpy(passes_.host.data(), &position, sizeof position);
    if (passes_.host == written_) return;
    written_ = passes_.host;
    copy_bytes(numbers_.bytes(), numbers_.device(), written_.data(), Device{}, written_.size());
  }

 private:
  /// Takes back what the optimizer counts in a scope.
  struct Counts {
    explicit Counts(Optimizer& o) : optimizer(o), t(o.t_) {
      for (const auto& rule : o.rules_) rules.push_back(rule->t_);
    }
    Counts(const Counts&) = delete;
    Counts& operator=(const Counts&) = delete;
    ~Counts() {
      optimizer.recorded_ = nullptr;
      if (keep) return;
      optimizer.t_ = t;
      for (std::size_t i = 0; i < rules.size(); ++i) optimizer.rules_[i]->t_ = rules[i];
    }

    Optimizer& optimizer;
    std::int64_t t;
    std::vector<std::int64_t> rules;
    bool keep = false;
  };

  /// Whether settings and hooks are those of the recording; the rest is seen when the passes are compared.
  bool is_of(const Optimizer& optimizer) const {
    if (optimizer.fp32_update_ != fp32_update_ || !optimizer.loss_scale_.shares_storage(loss_scale_)) return false;
    if (optimizer.rules_.size() != rule_hooks_.size() || !optimizer.hooks_.same(hooks_)) return false;
    for (std::size_t i = 0; i < rule_hooks_.size(); ++i) {
      if (!optimizer.rules_[i]->hooks_.same(rule_hooks_[i])) return false;
    }
    return true;
  }

  Array numbers_;
  kernels::RecordedPasses passes_;
  std::vector<std::byte> written_;  // to numbers_
  bool has_update_ = false;
  bool fp32_update_;
  Array loss_scale_;
  dnn::detail::HookList<Optimizer&> hooks_;
  std::vector<dnn::detail::HookList<UpdateRule&, Parameter&>> rule_hooks_;
};

}  // namespace detail
#endif

/// A training step that the host only starts:
///
///     CapturedStep step{optimizer, [&](const Batch& batch) { return model(batch[0], batch[1]); }};
///     step(batch);  // instead of optimizer.update(...)
///
/// The first batch of a shape is computed as usual. With the second one, everything that the loss function, backward
/// and the optimizer's update start on the GPU is recorded; from then on a step is a copy of the batch, at most one of
/// numbers that changed, and one launch of the graph. Results are the same bits: random numbers go on as they would
/// have, counts and schedules too. What was reported is reported again, as copies.
///
/// Hooks of one's own may compute something else every time: with one that is not `recordable` (`Optimizer::add_hook`)
/// the update stays outside of the graph, as does that of an optimizer which is no `GradientMethod`. When hooks or
/// parameters are no longer those that were recorded, steps are recorded again.
///
/// What the host computes in the loss function is not repeated. `reason()` says why steps are not recorded: no GPU, a
/// result that the host reads, a persistent array that every step replaces. They are then computed as usual, as they
/// are in debug mode, and for more than four kinds of batches.
class CapturedStep {
 public:
  using LossFunction = std::function<Variable(const Batch&)>;

  CapturedStep(Optimizer& optimizer, LossFunction loss) : optimizer_(optimizer), loss_(std::move(loss)) {}
  CapturedStep(const CapturedStep&) = delete;
  CapturedStep& operator=(const CapturedStep&) = delete;
  void operator()(const Batch& batch) {
#if DNN_CUDA
    if (Recording* recording = recording_of(batch)) return repeat(*recording, batch);
#else
    reason_ = "there is no GPU in this configuration";
#endif
    optimizer_.update(loss_, batch);
  }

  /// Why steps are computed as usual; empty while they are recorded.
  const std::string& reason() const noexcept { return reason_; }
  /// How many steps were launches of a graph.
  std::int64_t repeats() const noexcept { return repeats_; }

 private:
#if DNN_CUDA
  /// What one kind of batch leads to.
  struct Recording {
    Batch inputs;  ///< what the graph reads
    std::optional<cu::Graph> graph;
    std::optional<detail::RecordedUpdate> update;
    std::uint64_t seed = 0, draws = 0;
    Observation reported;
    struct Updated {
      Parameter parameter;
      const std::byte* data;
      Variable gradient;
    };
    std::vector<Updated> parameters;

    /// Whether the graph is of the parameters that the model has now.
    bool is_current() const {
      return std::all_of(parameters.begin(), parameters.end(),
                         [](const Updated& u) { return std::as_const(u.parameter).array().bytes() == u.data; });
    }
  };
  static bool same_kind(const Batch& a, const Batch& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i].shape() != b[i].shape() || a[i].dtype() != b[i].dtype() || a[i].device() != b[i].device()) return false;
    }
    return true;
  }

  /// The recording to repeat for this batch; null where it is to be computed as usual.
  Recording* recording_of(const Batch& batch) {
    constexpr std::size_t most_kinds = 4;
    if (!reason_.empty() || config().debug || config().keep_graph_on_report || batch.empty()) return nullptr;
    if (batch[0].device().kind != Device::Kind::cuda) {
      reason_ = concat("the batch is on ", batch[0].device());
      return nullptr;
    }
    const auto found = std::find_if(recordings_.begin(), recordings_.end(),
                                    [&](const auto& known) { return same_kind(known->inputs, batch); });
    if (found == recordings_.end()) {
      if (recordings_.size() < most_kinds) recordings_.emplace_back(std::make_unique<Recording>())->inputs = batch;
      return nullptr;
    }
    Recording& recording = **found;
    const auto is_ready = [&] {
      for (const auto& [parameter, data, gradient] : recording.parameters) parameter.node()->grad = gradient;
      return recording.update->repeat(optimizer_);
    };
    const bool is_known =
        recording.graph && recording.seed == default_generator().seed() && recording.is_current() && is_ready();
    return is_known || (record(recording, batch) && is_ready()) ? &recording : nullptr;
  }

  bool record(Recording& recording, const Batch& batch) {
    const UsingDevice here(batch[0].device());
    detail::ModelState before;
    optimizer_.target().serialize(before);
    if (before.has_uninitialized()) return false;
    if (!stream_) stream_.emplace();
    recording = {};
    recording.update.emplace(optimizer_);
    for (const auto& array : batch) recording.inputs.push_back(Array(array.shape(), array.dtype(), array.device()));
    recording.inputs.set_names(batch.names());
    device_pool(batch[0].device().index).empty_cache();  // the graph gets memory of its own

    // Nothing is computed meanwhile: the host's state goes back to where it was.
    RandomGenerator& generator = default_generator();
    const dnn::detail::RecordedDraws draws{&generator, generator.position(), recording.update->origin(),
                                           [](bool known) {
                                             if (!known) cu::refuse_capture("numbers of another generator");
                                             if (!on_gpu()) cu::refuse_capture("random numbers on the host");
                                           }};
    const auto go_back = [&] {
      dnn::detail::recorded_draws() = nullptr;
      generator.restore(generator.seed(), draws.begin);
      before.begin_restoring();
      optimizer_.target().serialize(before);
    };
    try {
      dnn::detail::recorded_draws() = &draws;
      recording.graph.emplace(*stream_, [&] {
        {
          std::optional<Reporter::Scope> scope;
          if (Reporter* const reporter = Reporter::current()) scope.emplace(*reporter, recording.reported);
          optimizer_.backward(loss_(recording.inputs));
        }
        if (recording.update->has_update()) recording.update->record(optimizer_);
      });
      recording.seed = generator.seed();
      recording.draws = generator.position() - draws.begin;
      for (auto& named : dnn::detail::namedparams(optimizer_.target())) {
        const Parameter& p = named.parameter;
        recording.parameters.push_back({p, std::as_const(p).array().bytes(), p.grad_variable()});
      }
      before.begin_comparing();
      optimizer_.target().serialize(before);
      reason_ = before.difference();
    } catch (const CudaError& error) {
      reason_ = error.what();
    } catch (...) {
      recording.graph.reset();
      go_back();
      throw;
    }
    go_back();
    if (reason_.empty()) return true;
    recordings_.clear();
    return false;
  }

  void repeat(Recording& recording, const Batch& batch) {
    const UsingDevice here(batch[0].device());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Array input = recording.inputs[i];
      copy_bytes(input.bytes(), input.device(), batch[i].bytes(), batch[i].device(), input.nbytes());
    }
    recording.update->write(recording.draws > 0 ? default_generator().draw(recording.draws).position : 0);
    recording.graph->launch();
    ++repeats_;
    if (Reporter* const reporter = Reporter::current()) {
      for (const auto& [name, value] : recording.reported) {
        const Variable& v = value.variable();
        reporter->observation().set(name, v.defined() ? ReportedValue(v.array().copy(), value.weight()) : value);
      }
    }
    if (!recording.update->has_update()) optimizer_.update();
  }

  std::optional<cu::Stream> stream_;  ///< where recordings are made
  std::vector<std::unique_ptr<Recording>> recordings_;
#endif

  Optimizer& optimizer_;
  LossFunction loss_;
  std::string reason_;
  std::int64_t repeats_ = 0;
};

}  // namespace dnn::inline DNN_ABI::training
