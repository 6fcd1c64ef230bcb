/// Writing a whole file of text.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "dnn/serializers/atomic_file.hpp"

namespace dnn::inline DNN_ABI::training {

/// Replaces the file `path` by `text`; at every moment it is the old one or complete. Throws FileError.
inline void write_text_file(const std::filesystem::path& path, std::string_view text) {
  serializers::replace_file(path, [&](const std::filesystem::path& temporary) {
    std::FILE* file = std::fopen(temporary.c_str(), "wb");
    const bool written = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const bool closed = file && std::fclose(file) == 0;
    if (!written || !closed) {
      throw FileError("[file] ", path.string(), ": cannot be written: ", std::string_view(std::strerror(errno)));
    }
  });
}

}  // namespace dnn::inline DNN_ABI::training
