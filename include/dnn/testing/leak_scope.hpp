/// Proving that a piece of code frees its graph: what lives more at the end of a scope than at its start has leaked.
///
///     train_one_iteration();       // allocates gradients and optimizer states
///     LeakScope scope;
///     for (int i = 0; i < 10; ++i) train_one_iteration();
///     scope.check();
#pragma once

#include <cstdint>

#include "dnn/autograd/variable.hpp"
#include "dnn/memory/storage.hpp"
#include "dnn/testing/check_error.hpp"

namespace dnn::inline DNN_ABI::testing {

/// Counts the function nodes of this thread, and the bytes of array data of the whole process: other threads
/// should be idle.
class LeakScope {
 public:
  LeakScope() noexcept : functions_(live_functions()), bytes_(live_bytes()) {}

  /// Function nodes alive now that were not at the start.
  std::int64_t functions() const noexcept { return live_functions() - functions_; }
  /// Bytes of arrays alive now that were not at the start.
  std::int64_t bytes() const noexcept { return live_bytes() - bytes_; }

  /// Throws CheckError when there are more function nodes or more bytes than at the start.
  void check() const {
    if (functions() > 0 || bytes() > 0) {
      throw CheckError("[leak_scope] ", functions(), " function node(s) and ", bytes(), " byte(s) of arrays are left");
    }
  }

 private:
  static std::int64_t live_functions() noexcept { return FunctionNode::live_count(); }
  static std::int64_t live_bytes() noexcept { return static_cast<std::int64_t>(memory_statistics().bytes_in_use); }

  std::int64_t functions_;
  std::int64_t bytes_;
};

/// Runs `body` and throws CheckError when it leaves more alive than there was before.
template <class Body>
void expect_no_leak(Body&& body) {
  const LeakScope scope;
  body();
  scope.check();
}

}  // namespace dnn::inline DNN_ABI::testing
