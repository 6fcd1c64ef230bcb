/// Stopping a training that has diverged.
#pragma once

#include <string>

#include "dnn/array/compare.hpp"
#include "dnn/links/link.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

/// Throws NonFiniteError, which names the first one, when a parameter holds a NaN or an infinity.
class FailOnNonNumber : public Extension {
 public:
  std::string default_name() const override { return "FailOnNonNumber"; }

  void operator()(Trainer& trainer) override {
    for (const auto& [name, optimizer] : trainer.updater().optimizers()) {
      for (const auto& [path, parameter] : dnn::detail::namedparams(optimizer->target())) {
        if (!parameter.is_initialized() || all_finite(parameter.array())) continue;
        throw NonFiniteError("[FailOnNonNumber] parameter ", path, " of optimizer '", name,
                             "' is not finite after iteration ", trainer.updater().iteration());
      }
    }
  }
};

}  // namespace dnn::inline DNN_ABI::training::extensions
