/// `CapturedStep`: forward and backward of a training step, recorded once and repeated as a CUDA graph.
#pragma once

#include <algorithm>
#include <cstdint>
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
#include "dnn/kernels/for_each_index.hpp"
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

/// For the GPU: where the random numbers of a step begin.
struct SetOrigin {
  std::uint64_t* origin;
  std::uint64_t position;

  DNN_HD void operator()(std::int64_t) const { *origin = position; }
};

}  // namespace detail
#endif

/// A training step that the host only starts:
///
///     CapturedStep step{optimizer, [&](const Batch& batch) { return model(batch[0], batch[1]); }};
///     step(batch);  // instead of optimizer.update(...)
///
/// The first batch of a shape is computed as usual. With the second one, everything that the loss function and backward
/// start on the GPU is recorded; from then on a step is a copy of the batch, one launch of the graph, and the
/// optimizer's update, which stays outside so that hooks and schedules go on working. Results are the same bits: random
/// numbers go on as they would have. What was reported is reported again, as copies.
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
    if (Recording* recording = recording_of(batch)) {
      repeat(*recording, batch);
      optimizer_.update();
      return;
    }
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
    std::uint64_t seed = 0, draws = 0;
    Observation reported;
    std::vector<std::pair<Parameter, Variable>> gradients;
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
    if (recording.graph && recording.seed == default_generator().seed()) return &recording;
    return record(recording, batch) ? &recording : nullptr;
  }

  bool record(Recording& recording, const Batch& batch) {
    const UsingDevice here(batch[0].device());
    detail::ModelState before;
    optimizer_.target().serialize(before);
    if (before.has_uninitialized()) return false;
    if (!stream_) {
      stream_.emplace();
      origin_ = Array({1}, int64);
    }
    recording = {};
    for (const auto& array : batch) recording.inputs.push_back(Array(array.shape(), array.dtype(), array.device()));
    recording.inputs.set_names(batch.names());
    device_pool(batch[0].device().index).empty_cache();  // the graph gets memory of its own

    // Nothing is computed meanwhile: the host's state goes back to where it was.
    RandomGenerator& generator = default_generator();
    const dnn::detail::RecordedDraws draws{&generator, generator.position(), origin(), [](bool known) {
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
        Reporter* const reporter = Reporter::current();
        if (!reporter) return optimizer_.backward(loss_(recording.inputs));
        const auto scope = reporter->scope(recording.reported);
        optimizer_.backward(loss_(recording.inputs));
      });
      recording.seed = generator.seed();
      recording.draws = generator.position() - draws.begin;
      for (auto& named : dnn::detail::namedparams(optimizer_.target())) {
        recording.gradients.emplace_back(named.parameter, named.parameter.grad_variable());
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

  void repeat(const Recording& recording, const Batch& batch) {
    const UsingDevice here(batch[0].device());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Array input = recording.inputs[i];
      copy_bytes(input.bytes(), input.device(), batch[i].bytes(), batch[i].device(), input.nbytes());
    }
    if (recording.draws > 0) {
      const auto position = default_generator().draw(recording.draws).position;
      kernels::for_each_index("captured_step", 1, 1, detail::SetOrigin{origin(), position});
    }
    recording.graph->launch();
    ++repeats_;
    for (const auto& [parameter, gradient] : recording.gradients) parameter.node()->grad = gradient;
    Reporter* const reporter = Reporter::current();
    if (!reporter) return;
    for (const auto& [name, value] : recording.reported) {
      const Variable& v = value.variable();
      reporter->observation().set(name, v.defined() ? ReportedValue(v.array().copy(), value.weight()) : value);
    }
  }

  std::uint64_t* origin() { return reinterpret_cast<std::uint64_t*>(origin_.data<std::int64_t>()); }

  std::optional<cu::Stream> stream_;  ///< where recordings are made
  Array origin_;                      ///< where the random numbers of a step begin
  std::vector<std::unique_ptr<Recording>> recordings_;
#endif

  Optimizer& optimizer_;
  LossFunction loss_;
  std::string reason_;
  std::int64_t repeats_ = 0;
};

}  // namespace dnn::inline DNN_ABI::training
