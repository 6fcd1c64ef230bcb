/// Precision, recall and F-beta of every class.
///
///     precision = right predictions of the class / predictions of the class
///     recall    = right predictions of the class / examples of the class (support)
///     F-beta    = (1 + beta^2) precision recall / (beta^2 precision + recall)
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/functions/evaluation/accuracy.hpp"

namespace dnn::inline DNN_ABI::inline functions {

struct ClassificationSummaryOptions {
  std::optional<std::int64_t> label_num = {};  ///< the number of classes; default: the largest label + 1
  double beta = 1;
  std::int64_t ignore_label = -1;
};

/// One value for each class: float64, and int64 for the support.
struct ClassificationSummary {
  Variable precision, recall, fbeta, support;
};

/// y (N, C, ...) scores, t (N, ...) integer labels. No gradients; a class without examples or predictions has NaN (0 /
/// 0). Throws ArgumentError for a label out of range or shapes that do not fit.
inline ClassificationSummary classification_summary(const Variable& y, const Variable& t,
                                                    const ClassificationSummaryOptions& options = {}) {
  constexpr std::string_view op = "classification_summary";
  const Device device = y.device();
  const Array given = nodes::labels_of(op, t, device);
  // Counted on the host.
  const Array labels = given.to(Device{}), predicted = nodes::predicted_classes(op, y.array(), given).to(Device{});
  const UsingDevice host(Device{});
  const auto label = std::as_const(labels).span<std::int64_t>();
  std::int64_t classes = 0;
  for (const auto l : label) classes = l == options.ignore_label ? classes : std::max(classes, l + 1);
  if (options.label_num) classes = *options.label_num;
  DNN_EXPECT(op, classes >= 0);
  DNN_EXPECT(op, classes <= std::max<std::int64_t>(y.shape()[1], options.label_num.value_or(0)));
  nodes::check_labels(op, labels, classes, options.ignore_label);

  Array support = zeros({classes}, int64);
  std::vector<double> relevant(static_cast<std::size_t>(classes)), right(relevant);
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (label[i] == options.ignore_label) continue;
    const auto guess = static_cast<std::int64_t>(predicted.data<std::int32_t>()[i]);
    ++support.data<std::int64_t>()[label[i]];
    if (guess < classes) ++relevant[static_cast<std::size_t>(guess)];
    if (guess == label[i]) ++right[static_cast<std::size_t>(guess)];
  }
  Array precision({classes}, float64), recall({classes}, float64), fbeta({classes}, float64);
  const double square = options.beta * options.beta;
  for (std::int64_t c = 0; c < classes; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double p = right[i] / relevant[i], r = right[i] / static_cast<double>(support.data<std::int64_t>()[c]);
    precision.data<double>()[c] = p;
    recall.data<double>()[c] = r;
    fbeta.data<double>()[c] = (1 + square) * p * r / (square * p + r);
  }
  return {precision.to(device), recall.to(device), fbeta.to(device), support.to(device)};
}

/// (precision, support), (recall, support), (F1, support) of every class: parts of classification_summary.
inline std::pair<Variable, Variable> precision(const Variable& y, const Variable& t,
                                               const ClassificationSummaryOptions& options = {}) {
  const auto summary = classification_summary(y, t, options);
  return {summary.precision, summary.support};
}
inline std::pair<Variable, Variable> recall(const Variable& y, const Variable& t,
                                            const ClassificationSummaryOptions& options = {}) {
  const auto summary = classification_summary(y, t, options);
  return {summary.recall, summary.support};
}
inline std::pair<Variable, Variable> f1_score(const Variable& y, const Variable& t,
                                              const ClassificationSummaryOptions& options = {}) {
  const auto summary = classification_summary(y, t, {options.label_num, 1.0, options.ignore_label});
  return {summary.fbeta, summary.support};
}

}  // namespace dnn::inline DNN_ABI::inline functions
