// Driven by npz.py: what this program writes is read by NumPy and Chainer, and the reverse.
#include <cstdio>
#include <cstring>

#include "dnn/array/factories.hpp"
#include "dnn/serializers.hpp"

using namespace dnn;

namespace {

/// One value of every kind that an archive holds; npz.py knows the same list.
serializers::Dictionary samples() {
  serializers::Dictionary all;
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16, DType::int32, DType::int64,
                            DType::uint8, DType::boolean}) {
    all[concat("dtype/", dtype)] = arange(6).to(dtype).reshape({2, 3});
  }
  all["shape/scalar"] = scalar(1.5);
  all["shape/vector"] = arange(7);
  all["shape/empty"] = zeros({3, 0, 2});
  all["shape/eight"] = arange(8).reshape({1, 2, 1, 2, 1, 2, 1, 1});
  all["shape/large"] = arange(0, 300'000, 1, float32).reshape({300, 1000});
  all["none"] = std::monostate{};
  all["text/json"] = std::string("[{\"main/loss\": 1.5}]");
  all["text/unicode"] = std::string("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  all["text/empty"] = std::string();
  return all;
}

}  // namespace

/// `interop_npz write FILE deflate|store` writes the samples; `interop_npz copy FROM TO` reads an archive and writes it
/// again, uncompressed.
int main(int argc, char** argv) try {
  if (argc == 4 && std::strcmp(argv[1], "write") == 0) {
    serializers::save_npz(argv[2], samples(), {.compression = std::strcmp(argv[3], "deflate") == 0});
  } else if (argc == 4 && std::strcmp(argv[1], "copy") == 0) {
    serializers::save_npz(argv[3], serializers::load_npz(argv[2]), {.compression = false});
  } else {
    std::fputs("usage: interop_npz write FILE deflate|store | copy FROM TO\n", stderr);
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
