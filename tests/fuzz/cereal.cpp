// Any bytes as a binary archive and as JSON: a dictionary or a FileError. What was read survives writing and reading.
#include "dnn/serializers/cereal.hpp"

#include <cstdint>
#include <cstdlib>

using namespace dnn;
using namespace dnn::serializers;

namespace {

std::string binary(const Dictionary& dictionary) {
  std::ostringstream stream;
  write_binary(stream, dictionary);
  return stream.str();
}
void check(const Dictionary& dictionary) {
  const std::string bytes = binary(dictionary);
  if (binary(parse_binary(bytes, "again")) != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    check(parse_binary(bytes, "fuzz"));
  } catch (const FileError&) {
  }
  try {
    check(parse_json(bytes, "fuzz"));
  } catch (const FileError&) {
  }
  return 0;
}
