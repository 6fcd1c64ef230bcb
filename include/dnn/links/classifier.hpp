#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "dnn/autograd/reporter.hpp"
#include "dnn/functions/evaluation/accuracy.hpp"
#include "dnn/functions/loss/softmax_cross_entropy.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

/// A loss or an accuracy: of the predictor's output and the labels.
using LabelFunction = std::function<Variable(const Variable& y, const Array& t)>;

struct ClassifierOptions {
  LabelFunction lossfun = [](const Variable& y, const Array& t) { return softmax_cross_entropy(y, t); };
  LabelFunction accfun = [](const Variable& y, const Array& t) { return functions::accuracy(y, t); };
  bool compute_accuracy = true;
};

/// A model to be trained: a predictor, a loss and an accuracy, which are reported as `loss` and `accuracy`.
///
///     links::Classifier model{MLP{.n_units = 100}};
///     Variable loss = model(x, t);
///
///     links::Classifier regression{MLP{}, {.lossfun = mean_squared_error, .compute_accuracy = false}};
///
/// The predictor is any link that is called with what comes before the labels. Its parameters are named
/// `/predictor/...`, for messages.
template <class Predictor>
class Classifier : public Link<Classifier<Predictor>> {
 public:
  Predictor predictor;
  LabelFunction lossfun, accfun;
  bool compute_accuracy;
  /// Of the last call; undefined before, and accuracy without `compute_accuracy`.
  Variable y, loss, accuracy;

  explicit Classifier(Predictor predictor_, ClassifierOptions options = {})
      : predictor(std::move(predictor_)),
        lossfun(std::move(options.lossfun)),
        accfun(std::move(options.accfun)),
        compute_accuracy(options.compute_accuracy) {
    detail::name_parameters(*this);
  }

  /// True when the predictor takes the elements I of a tuple.
  template <class Tuple, std::size_t... I>
  static constexpr bool predicts(std::index_sequence<I...>) {
    return std::is_invocable_v<Predictor&, std::tuple_element_t<I, Tuple>...>;
  }

  /// (inputs..., labels): the loss. Inputs and labels are Arrays or Variables.
  template <class... Args>
    requires(sizeof...(Args) >= 2 &&
             predicts<std::tuple<const Args&...>>(std::make_index_sequence<sizeof...(Args) - 1>{}))
  Variable operator()(const Args&... args) {
    const auto all = std::tie(args...);
    // The last graph goes before the next one grows.
    y = loss = accuracy = Variable{};
    y = predict(all, std::make_index_sequence<sizeof...(Args) - 1>{});
    const Array& t = array_of(std::get<sizeof...(Args) - 1>(all));
    loss = lossfun(y, t);
    report({{"loss", loss}}, this);
    if (compute_accuracy) {
      accuracy = accfun(y, t);
      report({{"accuracy", accuracy}}, this);
    }
    return loss;
  }

  void serialize(Serializer& s) { s("predictor", predictor); }

 private:
  static const Array& array_of(const Array& t) noexcept { return t; }
  static const Array& array_of(const Variable& t) { return t.array(); }

  template <class Tuple, std::size_t... I>
  Variable predict(const Tuple& args, std::index_sequence<I...>) {
    return predictor(std::get<I>(args)...);
  }
};

}  // namespace dnn::inline DNN_ABI::links
