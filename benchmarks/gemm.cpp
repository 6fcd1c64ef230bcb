// Matrix products, in GFLOP/s, against what the machine can do: the tile of the kernel alone, on data in the L1 cache.
#include <benchmark/benchmark.h>

#include <dnn/dnn.hpp>

using namespace dnn;

namespace {

/// The roof: register tiles on panels that never leave the cache.
void BM_roof(benchmark::State& state) {
  const auto& tile = kernels::detail::tiles<float>();
  const std::int64_t depth = 128, rows = tile.rows, columns = 2 * tile.width;
  const Array a = random::uniform({depth, rows}), b = random::uniform({depth, columns});
  Array c = zeros({rows, columns});
  for (auto _ : state) {
    tile.multiply(2, depth, std::as_const(a).data<float>(), std::as_const(b).data<float>(), c.data<float>(), columns);
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * depth * rows * columns, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_roof);

void BM_gemm(benchmark::State& state) {
  const auto m = state.range(0), n = state.range(1), k = state.range(2);
  const bool trans_a = state.range(3) != 0, trans_b = state.range(4) != 0;
  const Array a = random::uniform({m, k}), b = random::uniform({k, n});
  Array c = zeros({m, n});
  for (auto _ : state) {
    kernels::gemm(trans_a, trans_b, m, n, k, a.data<float>(), trans_a ? m : k, b.data<float>(), trans_b ? k : n,
                  c.data<float>(), n);
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(m * n * k), benchmark::Counter::kIsIterationInvariantRate);
}
// The products of an MLP's training step, then square ones, then thin ones.
BENCHMARK(BM_gemm)
    ->ArgNames({"m", "n", "k", "ta", "tb"})
    ->Args({100, 1000, 784, 0, 1})
    ->Args({100, 784, 1000, 0, 0})
    ->Args({1000, 784, 100, 1, 0})
    ->Args({100, 10, 1000, 0, 1})
    ->Args({256, 256, 256, 0, 0})
    ->Args({1024, 1024, 1024, 0, 0})
    ->Args({1, 1000, 1000, 0, 1})
    ->Args({16, 576, 25, 0, 0});

}  // namespace
