/// The usual updater: a minibatch, a batch, an update.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/datasets/concat_examples.hpp"
#include "dnn/iterators/iterator.hpp"
#include "dnn/training/captured_step.hpp"
#include "dnn/training/updater.hpp"

namespace dnn::inline DNN_ABI::training {

namespace detail {

// Not an alias: nvcc would lose the index, and with it the pack.
template <std::size_t>
struct ArrayArgument {
  using type = const Array&;
};

template <class F, std::size_t... I>
constexpr bool takes_fields(std::index_sequence<I...>) {
  return std::is_invocable_v<F&, typename ArrayArgument<I>::type...>;
}

}  // namespace detail

/// What a model or loss function is to updaters and evaluators: a function of a batch. Made from anything that can be
/// called with as many Arrays or Variables as a batch has fields, or with a Batch. Fields are passed by position,
/// whatever their names; what takes a Batch can pick them by name. A variable of the user's is referred to, a temporary
/// is moved in.
class BatchFunction {
 public:
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, BatchFunction>)
  BatchFunction(F&& function) {
    using Function = std::remove_reference_t<F>;
    if constexpr (std::is_lvalue_reference_v<F>) {
      call_ = [&function](const Batch& batch) { return call(function, batch); };
    } else {
      auto owned = std::make_shared<Function>(std::forward<F>(function));
      call_ = [owned](const Batch& batch) { return call(*owned, batch); };
    }
  }

  /// The loss; undefined when the function returns something else or nothing.
  Variable operator()(const Batch& batch) const { return call_(batch); }

 private:
  static constexpr std::size_t max_fields = 8;

  template <class F, std::size_t... I>
  static Variable call_fields(F& function, const Batch& batch, std::index_sequence<I...>) {
    return result([&]() -> decltype(auto) { return std::invoke(function, batch[I]...); });
  }
  template <class F>
  static Variable call(F& function, const Batch& batch) {
    return call_sized<1>(function, batch);
  }
  template <std::size_t N, class F>
  static Variable call_sized(F& function, const Batch& batch) {
    if constexpr (detail::takes_fields<F>(std::make_index_sequence<N>{})) {
      if (batch.size() == N) return call_fields(function, batch, std::make_index_sequence<N>{});
    }
    if constexpr (N < max_fields) {
      return call_sized<N + 1>(function, batch);
    } else if constexpr (std::is_invocable_v<F&, const Batch&>) {
      return result([&]() -> decltype(auto) { return std::invoke(function, batch); });
    } else {
      throw ArgumentError("[updater] the model or loss function cannot be called with the ", batch.size(),
                          " field(s) of a batch");
    }
  }
  template <class Call>
  static Variable result(Call call) {
    if constexpr (std::convertible_to<std::invoke_result_t<Call&>, Variable>) {
      return call();
    } else {
      call();
      return {};
    }
  }

  std::function<Variable(const Batch&)> call_;
};

/// References to objects with names; one alone is `main`: `train_iter`, or `{{"main", iter}, {"second", iter2}}`.
template <class T>
class Named {
 public:
  Named(T& object) : items_{{"main", &object}} {}
  Named(std::initializer_list<std::pair<std::string_view, std::reference_wrapper<T>>> items) {
    for (const auto& [name, object] : items) items_.emplace_back(std::string(name), &object.get());
  }

  const std::vector<std::pair<std::string, T*>>& items() const noexcept { return items_; }
  /// Throws ArgumentError when there is none of that name.
  T& at(std::string_view name, std::string_view what) const {
    for (const auto& [known, object] : items_) {
      if (known == name) return *object;
    }
    throw ArgumentError("[StandardUpdater] there is no ", what, " '", name, "'");
  }

 private:
  std::vector<std::pair<std::string, T*>> items_;
};

struct StandardUpdaterOptions {
  Converter converter = concat_converter();     ///< joins the examples of a minibatch
  std::optional<Device> device = std::nullopt;  ///< where batches go; the current device if not given
  bool auto_new_epoch = true;                   ///< tells the optimizer of every completed epoch
  bool capture = false;                         ///< repeats steps as CUDA graphs (training/captured_step.hpp)
};

/// One iteration: takes a minibatch of the iterator, joins it to a batch, and lets the optimizer minimize what the
/// model or loss function returns for its fields.
///
///     StandardUpdater updater{train_iter, optimizer, model};
///     StandardUpdater updater{train_iter, optimizer, [&](const Variable& x, const Variable& t) { ... }};
///     StandardUpdater updater{train_iter, optimizer, model, {.device = "cuda:0"}};
///
/// Iterators, optimizers and a model given as a variable are referred to, and must outlive the updater. Derive from
/// this and override `update_core` for trainings with several losses, such as GANs:
///
///     struct GanUpdater : StandardUpdater {
///       GanUpdater(Iterator& it, Optimizer& gen, Optimizer& dis)
///           : StandardUpdater(it, {{"gen", gen}, {"dis", dis}}) {}
///       void update_core() override { ... optimizer("dis").update(...); ... }
///     };
class StandardUpdater : public Updater {
 public:
  template <class F>
  StandardUpdater(Named<Iterator> iterator, Named<Optimizer> optimizer, F&& loss_function,
                  StandardUpdaterOptions options = {})
      : StandardUpdater(std::move(iterator), std::move(optimizer)) {
    loss_function_.emplace(std::forward<F>(loss_function));
    options_ = std::move(options);
    for (const auto& [name, each] : optimizers_.items()) each->use_auto_new_epoch = options_.auto_new_epoch;
  }

  void update() override {
    update_core();
    ++iteration_;
  }

  /// With `.capture`, once there was a step: the step. Otherwise null.
  const CapturedStep* captured_step() const noexcept { return captured_ ? &*captured_ : nullptr; }
  std::int64_t iteration() const override { return iteration_; }
  std::int64_t epoch() const override { return main_iterator().epoch(); }
  double epoch_detail() const override { return main_iterator().epoch_detail(); }
  std::optional<double> previous_epoch_detail() const override { return main_iterator().previous_epoch_detail(); }
  bool is_new_epoch() const override { return main_iterator().is_new_epoch(); }

  std::vector<std::pair<std::string, Optimizer*>> optimizers() const override { return optimizers_.items(); }
  /// Throws ArgumentError when there is none of that name.
  Iterator& iterator(std::string_view name = "main") const { return iterators_.at(name, "iterator"); }

  void finalize() override {
    for (const auto& [name, iterator] : iterators_.items()) iterator->finalize();
  }
  void serialize(Serializer& s) override {
    for (const auto& [name, iterator] : iterators_.items()) s("iterator:" + name, *iterator);
    for (const auto& [name, optimizer] : optimizers_.items()) {
      s("optimizer:" + name, *optimizer);
      SerializableRef model = optimizer->target();
      s("model:" + name, model);
    }
    s("iteration", iteration_);
  }

 protected:
  /// For updaters with an `update_core` of their own.
  StandardUpdater(Named<Iterator> iterator, Named<Optimizer> optimizer)
      : iterators_(std::move(iterator)), optimizers_(std::move(optimizer)) {}

  virtual void update_core() {
    auto& optimizer = optimizers_.at("main", "optimizer");
    const Batch batch = next_batch();
    if (options_.capture) {
      if (!captured_) captured_.emplace(optimizer, [this](const Batch& b) { return loss_of(b); });
      (*captured_)(batch);
    } else {
      optimizer.update([&] { return loss_of(batch); });
    }
    if (options_.auto_new_epoch && is_new_epoch()) optimizer.new_epoch(true);
  }
  /// The next minibatch of an iterator, joined and on the device. Throws ArgumentError at its end.
  Batch next_batch(std::string_view name = "main") {
    const auto minibatch = iterator(name).next();
    if (!minibatch) {
      throw ArgumentError("[StandardUpdater] iterator '", name, "' has no more minibatches: it must repeat");
    }
    return options_.converter(*minibatch, options_.device.value_or(current_device()));
  }

 private:
  Variable loss_of(const Batch& batch) const {
    Variable loss = (*loss_function_)(batch);
    if (!loss.defined()) throw ArgumentError("[StandardUpdater] the model or loss function returns no loss");
    return loss;
  }
  Iterator& main_iterator() const { return iterators_.at("main", "iterator"); }

  Named<Iterator> iterators_;
  Named<Optimizer> optimizers_;
  std::optional<BatchFunction> loss_function_;
  StandardUpdaterOptions options_;
  std::optional<CapturedStep> captured_;
  std::int64_t iteration_ = 0;
};

}  // namespace dnn::inline DNN_ABI::training
