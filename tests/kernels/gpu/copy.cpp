#include "dnn/kernels/copy.hpp"

#if DNN_CUDA

#include "dnn/kernels/gather.hpp"
#include "kernels/gpu/twins.hpp"

using namespace dnn;
using namespace device_test;

namespace {

/// x transposed by `order`.
Array transposed(const Array& x, const std::array<int, 3>& order) {
  const auto own = strides_of(x.shape());
  Shape shape = x.shape();
  kernels::Strides strides{};
  for (int i = 0; i < 3; ++i) {
    const auto from = order[static_cast<std::size_t>(i)];
    shape = shape.with(i, x.shape()[from]);
    strides[static_cast<std::size_t>(i)] = own[static_cast<std::size_t>(from)];
  }
  Array y(shape, x.dtype());
  kernels::copy_strided(y.bytes(), strides_of(shape), x.bytes(), strides, shape, itemsize(x.dtype()));
  return y;
}

}  // namespace

TEST_CASE("GPU: strided copies: every transpose, reversed and repeated axes", "[gpu]") {
  for (const DType dtype : {uint8, DType::float16, float32, float64}) {
    for (const Shape& shape : {Shape{3, 4, 5}, Shape{33, 2, 70}, Shape{1, 65, 40}, Shape{9, 8, 9}, Shape{2, 0, 3}}) {
      std::array<int, 3> order{0, 1, 2};
      do {
        expect_twins(
            concat(shape, dtype), [&] { return transposed(numbers(shape, float32).to(dtype), order); }, 0, 0);
      } while (std::next_permutation(order.begin(), order.end()));
    }
    expect_twins(
        "reversed and repeated",
        [&] {
          const Array x = numbers({7, 5}, float32).to(dtype);
          Array y({3, 7, 5}, dtype);
          kernels::copy_strided(y.bytes(), strides_of(y.shape()), x.bytes() + 34 * itemsize(dtype), {0, -5, -1},
                                y.shape(), itemsize(dtype));
          return y;
        },
        0, 0);
  }
}

TEST_CASE("GPU: gathering and adding at places, in a fixed order", "[gpu]") {
  const auto grid = [](const Array& places, std::int64_t width) {
    return kernels::PlacedGrid(places.data<std::int64_t>(), places.size(), width, Shape{width}, {1}, {1});
  };
  for (const std::int64_t width : {1, 3, 300}) {
    for (const DType dtype : {float32, float64}) {
      expect_twins(
          "gather",
          [&] {
            const Array x = numbers({6, width}, dtype);
            const Array places = array({2 * width, 0L, kernels::PlacedGrid::zeros, 5 * width, 2 * width}).to(int64);
            Array y({5, width}, dtype);
            kernels::gather_places(y.bytes(), x.bytes(), itemsize(dtype), grid(places, width));
            return y;
          },
          0, 0);
      expect_twins(
          "scatter",
          [&] {
            const Array x = numbers({400, width}, dtype);
            Array rows = random::uniform({400}, -1, 5.9, float64).to(int64);
            const Array host = rows.to("cpu");
            std::vector<std::int64_t> starts;
            for (const auto r : host.span<std::int64_t>()) starts.push_back(r == 5 ? -1 : r * width);
            const Array places = array_from(starts);
            Array y = zeros({6, width}, dtype);
            visit_float(dtype, "test", [&]<class T>(std::type_identity<T>) {
              kernels::scatter_places(y.data<T>(), x.data<T>(), grid(places, width));
            });
            return y;
          },
          0, 0);  // the same additions in the same order
    }
  }
}

TEST_CASE("GPU: adding at any number of places", "[gpu]") {
  for (const std::int64_t count : {0, 1, 127, 128, 129, 256, 257, 1000}) {
    for (const std::int64_t targets : {1, 7, 5000}) {
      expect_twins(
          concat(count, " places, ", targets, " targets"),
          [&] {
            const Array x = numbers({count, 2}, float32);
            // From -2 on: both kinds of no place are among them.
            const Array places = random::uniform({count}, -2.9, static_cast<double>(targets), float64).to(int64);
            Array y = zeros({2 * targets});
            kernels::scatter_places(
                y.data<float>(), x.data<float>(),
                kernels::PlacedGrid(places.data<std::int64_t>(), count, 2, Shape{2}, {targets}, {1}));
            return y;
          },
          0, 0);
    }
  }
}

#endif
