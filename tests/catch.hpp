/// Catch2, whichever major version the system has: Debian 12 ships version 2, Ubuntu 24.04 version 3.
/// `Approx`, `Catch::Approx` and `Catch::Matchers::ContainsSubstring` work with both.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)

#include <catch2/catch_all.hpp>

using Catch::Approx;

#else

#include <catch2/catch.hpp>

namespace Catch {
using Detail::Approx;
namespace Matchers {
inline auto ContainsSubstring(const std::string& text, CaseSensitive::Choice sensitivity = CaseSensitive::Yes) {
  return Contains(text, sensitivity);
}
}  // namespace Matchers
}  // namespace Catch

#endif
