/// Random names.
#pragma once

#include <random>
#include <string>

namespace cloud {

/// `count` random lower-case hexadecimal digits from the system's generator.
inline std::string random_hex(int count) {
  std::random_device random;
  std::string text;
  unsigned bits = 0;
  for (int i = 0; i < count; ++i, bits >>= 4) {
    if (i % 8 == 0) bits = random();
    text += "0123456789abcdef"[bits & 15];
  }
  return text;
}

/// A random (version 4) GUID: 8-4-4-4-12 hexadecimal digits.
inline std::string guid() {
  std::string text = random_hex(32);
  text[12] = '4';
  text[16] = "89ab"[static_cast<unsigned char>(text[16]) % 4];
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace cloud
