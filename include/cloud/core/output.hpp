/// Where text for people goes.
#pragma once

#include <cstdio>
#include <functional>
#include <string_view>

namespace cloud {

/// Takes text that already has its line ends.
using Output = std::function<void(std::string_view)>;

/// Standard output, at once.
inline void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace cloud
