/// Environment variables.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace cloud {

/// The variable's value; an unset and an empty one are the same: nothing.
inline std::optional<std::string> env(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

inline std::string env_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? fallback : std::string(value);
}

}  // namespace cloud
