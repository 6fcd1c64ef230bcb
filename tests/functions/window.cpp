#include "dnn/functions/window.hpp"

#include "catch.hpp"

using namespace dnn;

TEST_CASE("window_places counts places by trying them", "[window]") {
  for (int size = 1; size < 9; ++size) {
    for (int k = 1; k < 4; ++k) {
      for (int s = 1; s < 4; ++s) {
        for (int p = 0; p < 3; ++p) {
          for (int d = 1; d < 3; ++d) {
            std::int64_t whole = 0;
            while (whole * s - p + d * (k - 1) < size + p) ++whole;
            CHECK(window_places("test", size, k, s, p, false, d) == whole);
            if (whole == 0) continue;
            // One more where something is left beyond the last whole window.
            const bool left = (whole - 1) * s - p + d * (k - 1) + 1 < size + p;
            CHECK(window_places("test", size, k, s, p, true, d) == whole + left);
            const auto extent = window_extent("test", whole, k, s, p, false, d);
            CHECK((extent <= size && size < extent + s));
          }
        }
      }
    }
  }
}

TEST_CASE("a Pair is one number or two", "[window]") {
  const Pair same = 3, different{3, 5};
  CHECK((same.y == 3 && same.x == 3));
  CHECK((different.y == 3 && different.x == 5));
  CHECK(to_text(different) == "(3, 5)");
}
