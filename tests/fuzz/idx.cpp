// Any bytes as an IDX file: a view of exactly the elements that the header announces, or a FileError.
#include "dnn/datasets/idx.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto idx = dnn::datasets::parse_idx({data, size}, "fuzz");
    const bool inside = idx.data.data() >= data && idx.data.data() + idx.data.size() == data + size;
    if (!inside || idx.data.size() != static_cast<std::size_t>(idx.shape.size())) std::abort();
    volatile std::uint8_t sum = 0;
    for (const std::uint8_t byte : idx.data) sum = static_cast<std::uint8_t>(sum + byte);
  } catch (const dnn::FileError&) {
  }
  return 0;
}
