// Any bytes as an npz archive: every member is a value or a FileError, and loading an object ends or throws a named
// error.
#include "dnn/serializers/npz.hpp"

#include <cstdint>

using namespace dnn;
using namespace dnn::serializers;

namespace {

struct Object {
  Parameter W{zeros({2, 2})};
  Parameter lazy;
  Array statistics = zeros({3}), none;
  std::int64_t n = 0;
  double x = 0;
  bool flag = false;
  std::string log;
  std::optional<double> best;

  void serialize(Serializer& s) {
    s("W", W);
    s("a/W", lazy);
    s("b/W", statistics);
    s("none", none);
    s("n", n);
    s("t", x);
    s("flag", flag);
    s("log", log);
    s("best", best);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    NpzSource(ZipReader(bytes, "fuzz")).read_all();
  } catch (const FileError&) {
  }
  try {
    NpzSource source{ZipReader(bytes, "fuzz")};
    Object object;
    load(source, object, {.strict = false});
  } catch (const FileError&) {
  } catch (const SerializationError&) {
  }
  return 0;
}
