/// Where extensions print.
#pragma once

#include <unistd.h>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/core/abi.hpp"

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
  void write(std::string_view text) const {
    if (write_) return write_(text);
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
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
