/// SHA-256 through OpenSSL.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <span>
#include <string>

#include "dnn/core/error.hpp"

namespace dnn::inline DNN_ABI::datasets {

/// The digest of `bytes` as 64 lower-case hexadecimal digits.
inline std::string sha256(std::span<const std::uint8_t> bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1) {
    throw Error("[sha256] OpenSSL could not compute a SHA-256 digest");
  }
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

}  // namespace dnn::inline DNN_ABI::datasets
