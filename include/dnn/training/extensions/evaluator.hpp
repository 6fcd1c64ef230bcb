/// The model's loss and accuracy on data that it is not trained on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "dnn/autograd/reporter.hpp"
#include "dnn/core/config.hpp"
#include "dnn/training/extensions/progress_bar.hpp"
#include "dnn/training/standard_updater.hpp"
#include "dnn/training/summary.hpp"
#include "dnn/training/text_output.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct EvaluatorOptions {
  Converter converter = concat_converter();               ///< joins the examples of a minibatch
  std::optional<Device> device = std::nullopt;            ///< where batches go; the current device if not given
  std::function<void()> eval_hook = nullptr;              ///< called before each evaluation
  std::optional<BatchFunction> eval_func = std::nullopt;  ///< called with each batch instead of the model
  bool progress_bar = false;                              ///< shows how far an evaluation is, on terminals
  TextOutput out = {};                                    ///< of the progress bar
};

/// Calls the model with every batch of an iterator that does not repeat, in test mode and without recording graphs, and
/// reports the means of what the model reports: `validation/main/loss`. The mean is over the batches without weights,
/// as Chainer's: a short last batch counts as much as the others. A second Evaluator reports as
/// `validation_1/main/...`.
///
/// Every epoch by default. Iterator and model are referred to, and must outlive the evaluator. Throws ArgumentError for
/// an iterator that repeats.
class Evaluator : public Extension {
 public:
  template <Serializable Model>
  Evaluator(Iterator& iterator, Model& model, EvaluatorOptions options = {})
      : iterator_(&iterator), target_(model), options_(std::move(options)) {
    if (iterator.repeats()) {
      throw ArgumentError(
          "[Evaluator] the iterator repeats, the evaluation would not end: make it with {.repeat = false}");
    }
    if (options_.eval_func) {
      function_ = *options_.eval_func;
    } else if constexpr (std::is_class_v<Model>) {
      function_ = BatchFunction(model);
    }
  }

  std::string default_name() const override { return "validation"; }
  Trigger default_trigger() const override { return {1, "epoch"}; }
  int default_priority() const override { return priority_writer; }

  void operator()(Trainer&) override {
    for (const auto& [key, mean] : evaluate()) report({{key, mean}});
  }

  /// The means, by the names they are reported under.
  DictSummary::Means evaluate() {
    Reporter reporter;
    reporter.add_observers(name() + "/main", target_);
    const auto test = using_train(false);
    const auto inference = no_backprop_mode();
    if (options_.eval_hook) options_.eval_hook();
    iterator_->reset();
    DictSummary summary;
    const bool bar = options_.progress_bar && options_.out.is_terminal();
    std::int64_t batches = 0;
    while (const auto minibatch = iterator_->next()) {
      Observation observation;
      const auto scope = reporter.scope(observation);
      (*function_)(options_.converter(*minibatch, options_.device.value_or(current_device())));
      summary.add(observation);
      if (bar) show_progress(++batches);
    }
    if (bar) options_.out.write("\033[J");
    return summary.compute_mean();
  }

  void finalize() override { iterator_->finalize(); }

 private:
  /// Two lines, and back to their head.
  void show_progress(std::int64_t batches) const {
    const double done = std::clamp(iterator_->epoch_detail(), 0.0, 1.0);
    options_.out.write(concat("\033[J", detail::bar_line(detail::padded_left(name(), 10), done, 50),
                              detail::padded_left(to_text(batches), 10), " batches\n\033[2A"));
  }

  Iterator* iterator_;
  SerializableRef target_;
  EvaluatorOptions options_;
  std::optional<BatchFunction> function_;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
