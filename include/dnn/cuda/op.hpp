/// What messages say of an error's origin: the operation that the current thread works on, and a line of the source.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/abi.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::cu {

/// A place in the source; as a default argument, `Where::here()` is the caller's. (Clang 14 has no
/// std::source_location.)
struct Where {
  const char* path = "";
  int line = 0;

  static constexpr Where here(const char* path = __builtin_FILE(), int line = __builtin_LINE()) noexcept {
    return {path, line};
  }
};
/// `file.cpp:12`.
inline std::string to_text(const Where& where) {
  const std::string_view path = where.path;
  return concat(path.substr(path.rfind('/') + 1), ":", where.line);
}

namespace detail {
inline std::string_view& op_slot() noexcept {
  static thread_local constinit std::string_view op;
  return op;
}
}  // namespace detail

/// Empty outside of any operation.
inline std::string_view current_op() noexcept { return detail::op_slot(); }

/// Names the operation for a scope, in this thread. The name must outlive the scope.
class [[nodiscard]] UsingOp {
 public:
  explicit UsingOp(std::string_view op) noexcept : previous_(std::exchange(detail::op_slot(), op)) {}
  UsingOp(const UsingOp&) = delete;
  UsingOp& operator=(const UsingOp&) = delete;
  ~UsingOp() { detail::op_slot() = previous_; }

 private:
  std::string_view previous_;
};

}  // namespace dnn::inline DNN_ABI::cu
