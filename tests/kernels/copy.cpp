#include "dnn/kernels/copy.hpp"

#include <algorithm>
#include <vector>

#include "catch.hpp"

using namespace dnn;

namespace {

template <class Word>
void check(const Shape& shape, const kernels::Strides& dst, const kernels::Strides& src, std::int64_t src_start,
           std::size_t src_size, std::size_t dst_size) {
  std::vector<Word> source(src_size), target(dst_size, Word(7)), expected(target);
  for (std::size_t i = 0; i < src_size; ++i) source[i] = static_cast<Word>(i * 3 + 1);
  kernels::copy_strided(target.data(), dst, source.data() + src_start, src, shape, sizeof(Word));
  for (std::int64_t i = 0; i < shape.size(); ++i) {
    std::int64_t rest = i, d = 0, s = src_start;
    for (int axis = shape.ndim() - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      d += rest % shape[axis] * dst[a];
      s += rest % shape[axis] * src[a];
      rest /= shape[axis];
    }
    expected[static_cast<std::size_t>(d)] = source[static_cast<std::size_t>(s)];
  }
  INFO(to_text(shape) << " of " << sizeof(Word) << " bytes");
  CHECK(target == expected);
}

template <class Word>
void check_all() {
  // Transposes of every order of three axes.
  const Shape shape{5, 67, 3};
  int order[] = {0, 1, 2};
  do {
    const Shape out{shape[order[0]], shape[order[1]], shape[order[2]]};
    const auto own = strides_of(shape);
    // Gathering from the source, and scattering to the place where the transposed axes are.
    kernels::Strides gather{}, scatter{};
    for (std::size_t i = 0; i < 3; ++i) {
      gather[i] = own[static_cast<std::size_t>(order[i])];
      scatter[static_cast<std::size_t>(order[i])] = strides_of(out)[i];
    }
    check<Word>(out, strides_of(out), gather, 0, 5 * 67 * 3, 5 * 67 * 3);
    check<Word>(shape, scatter, own, 0, 5 * 67 * 3, 5 * 67 * 3);
  } while (std::next_permutation(order, order + 3));
  // Slices with steps, reversed axes, broadcasts, one element, nothing.
  check<Word>({4, 3}, {3, 1}, {20, 2}, 1, 100, 12);
  check<Word>({4, 3}, {3, 1}, {-20, -2}, 90, 100, 12);
  check<Word>({4, 3, 5}, {15, 5, 1}, {0, 1, 0}, 0, 3, 60);
  check<Word>({}, {}, {}, 0, 1, 1);
  check<Word>({0, 3}, {3, 1}, {3, 1}, 0, 1, 1);
  check<Word>({1, 1, 1}, {9, 9, 9}, {5, 5, 5}, 0, 1, 1);
  check<Word>({2, 2, 2, 2, 2, 2, 2, 2}, strides_of({2, 2, 2, 2, 2, 2, 2, 2}), {1, 2, 4, 8, 16, 32, 64, 128}, 0, 256,
              256);
}

}  // namespace

TEST_CASE("copy_strided agrees with a loop", "[kernels]") {
  check_all<std::uint8_t>();
  check_all<std::uint16_t>();
  check_all<std::uint32_t>();
  check_all<std::uint64_t>();
}
