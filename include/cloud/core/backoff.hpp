/// How long to wait before trying again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <random>
#include <string_view>

#include "cloud/core/clock.hpp"

namespace cloud {

/// Exponential waiting with jitter. Defaults: 5 attempts, 0.8 s doubled each time, at most 60 s, times 0.8 to 1.3 at
/// random (the factors of Azure's own C++ SDK), so that many clients that failed together do not come back together.
struct Backoff {
  int max_attempts = 5;
  std::chrono::milliseconds initial{800};
  std::chrono::milliseconds cap{60'000};
  double jitter_low = 0.8;
  double jitter_high = 1.3;

  /// The wait after failed attempt number `attempt` (1, 2, …).
  std::chrono::milliseconds delay(int attempt) const {
    thread_local std::minstd_rand random{std::random_device{}()};
    const double factor = std::uniform_real_distribution<double>(jitter_low, jitter_high)(random);
    const double grown = static_cast<double>(initial.count()) * std::exp2(std::clamp(attempt - 1, 0, 30));
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(std::min(grown, static_cast<double>(cap.count())) * factor));
  }
};

/// The value of a `Retry-After` header: seconds (a fraction is allowed) or an HTTP date; nothing when it is neither.
/// A date in the past is no wait.
inline std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, Milliseconds now = now_ms()) {
  text = trim(text);
  if (const auto seconds = parse_number<double>(text); seconds && *seconds >= 0 && *seconds < 1e7) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  }
  if (const auto date = parse_http_date(text)) return std::chrono::milliseconds(std::max<Milliseconds>(*date - now, 0));
  return std::nullopt;
}

}  // namespace cloud
