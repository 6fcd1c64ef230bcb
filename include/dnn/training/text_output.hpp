/// Where extensions print.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/core/error.hpp"
#include "dnn/core/text.hpp"

namespace dnn::inline DNN_ABI::training {

/// Standard output, or a function that gets the text. Escape sequences and progress bars go to terminals and functions
/// only, not into files and pipes.
class TextOutput {
 public:
  TextOutput() : is_terminal_(::isatty(STDOUT_FILENO) == 1) {}
  template <class F>
    requires(std::is_invocable_v<F&, std::string_view>)
  TextOutput(F write, bool is_terminal = true) : write_(std::move(write)), is_terminal_(is_terminal) {}

  bool is_terminal() const noexcept { return is_terminal_; }
  /// Throws FileError when standard output does not take it.
  void write(std::string_view text) const {
    if (write_) return write_(text);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
      throw FileError("[output] standard output cannot be written: ", std::string_view(std::strerror(errno)));
    }
  }

 private:
  std::function<void(std::string_view)> write_;
  bool is_terminal_;
};

namespace detail {

/// `printf(format, value)` as a string; formats have one argument.
template <class T>
std::string formatted(const char* format, T value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}
/// Python's `{:g}`.
inline std::string short_text(double value) { return std::isnan(value) ? "nan" : formatted("%g", value); }

inline std::string padded_left(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}
inline std::string padded_right(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

}  // namespace detail

}  // namespace dnn::inline DNN_ABI::training
