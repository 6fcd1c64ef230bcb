/// Named errors. A user's mistake throws one of these in every build type; nothing aborts.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>

#include "dnn/core/abi.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI {

/// The root of everything this library throws. `throw ShapeError("[op] axis ", axis, " ...")` joins the texts of its
/// arguments, as `concat` does.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  template <class... Parts>
    requires(sizeof...(Parts) > 1)
  explicit Error(const Parts&... parts) : Error(List{detail::TextPart(parts)...}) {}

 private:
  using List = std::initializer_list<detail::TextPart>;
  [[gnu::cold, gnu::noinline]] explicit Error(List parts)
      : std::runtime_error(detail::join(parts.begin(), parts.size())) {}
};

/// A shape that cannot be: negative, overflowing, not broadcastable, not matching.
struct ShapeError : Error {
  using Error::Error;
};
/// A dtype an operation does not take, or an element access with the wrong C++ type.
struct DTypeError : Error {
  using Error::Error;
};
/// An index or axis out of range.
struct IndexError : Error {
  using Error::Error;
};
/// Arguments that do not fit an operation: the text names the operation, the expression, both values and the operands.
struct ArgumentError : Error {
  using Error::Error;
};
/// A device that is not there, or operands on different devices.
struct DeviceError : Error {
  using Error::Error;
};
/// A call of the CUDA runtime that failed, or a kernel that did: the text names the call or kernel, file and line.
struct CudaError : Error {
  using Error::Error;
};
/// Backward where there is no derivative, or no gradient to start from.
struct GradientError : Error {
  using Error::Error;
};
/// A file or stream that is missing, truncated or malformed: the text names file, entry and reason.
struct FileError : Error {
  using Error::Error;
};
/// A serializer that misses a key, or meets a value of the wrong kind.
struct SerializationError : Error {
  using Error::Error;
};
/// A value that is not finite where debug mode or an extension looked for one.
struct NonFiniteError : Error {
  using Error::Error;
};

}  // namespace dnn::inline DNN_ABI
