// Any bytes as an npy file: a value or a FileError. What was read survives writing and reading it again.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "dnn/serializers/npy.hpp"

using namespace dnn;
using namespace dnn::serializers;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

Value read_again(const std::string& file) {
  MemorySource source(std::as_bytes(std::span(file)), "again");
  return read_npy(source);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Value value;
  try {
    MemorySource source(std::as_bytes(std::span(data, size)), "fuzz");
    value = read_npy(source);
  } catch (const FileError&) {
    return 0;
  }
  if (const auto* array = std::get_if<Array>(&value)) {
    std::string file = npy_header(*array);
    file.append(reinterpret_cast<const char*>(array->bytes()), array->nbytes());
    const auto again = std::get<Array>(read_again(file));
    require(again.dtype() == array->dtype() && again.shape() == array->shape());
    require(array->nbytes() == 0 || std::memcmp(again.bytes(), array->bytes(), array->nbytes()) == 0);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    require(std::get<std::string>(read_again(npy_of_text(*text))) == *text);
  }
  return 0;
}
