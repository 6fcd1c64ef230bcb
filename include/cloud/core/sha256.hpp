/// SHA-256 and MD5 through OpenSSL, piece by piece.
#pragma once

#include <openssl/evp.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "cloud/core/error.hpp"

namespace cloud {

/// A digest that is fed in pieces. `raw()` ends it.
class Digest {
 public:
  static Digest sha256() { return Digest(EVP_sha256()); }
  static Digest md5() { return Digest(EVP_md5()); }

  void add(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw Error("hash", "OpenSSL failed");
  }
  std::string raw() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context_.get(), digest, &length) != 1) throw Error("hash", "OpenSSL failed");
    return std::string(reinterpret_cast<const char*>(digest), length);
  }
  /// Lower-case hexadecimal digits.
  std::string hex() {
    std::string text;
    for (const char c : raw()) {
      text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
      text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
    }
    return text;
  }

 private:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) throw Error("hash", "OpenSSL failed");
  }
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

/// Adds a file's bytes; throws FileError.
inline void add_file(Digest& digest, const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) throw FileError("read " + path.string(), "it cannot be opened");
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) digest.add({buffer, count});
  if (std::ferror(file.get()) != 0) throw FileError("read " + path.string(), "reading failed");
}

inline std::string sha256(std::string_view bytes) {
  Digest digest = Digest::sha256();
  digest.add(bytes);
  return digest.hex();
}
inline std::string sha256_file(const std::filesystem::path& path) {
  Digest digest = Digest::sha256();
  add_file(digest, path);
  return digest.hex();
}

}  // namespace cloud
