// What an operation costs beside its arithmetic: chains of small operations, and training steps of small networks.
#include <benchmark/benchmark.h>

#include <dnn/dnn.hpp>

using namespace dnn;

namespace {

/// Forward and backward through 100 tanh of 4 floats; the time of one of them.
void BM_tanh_chain(benchmark::State& state) {
  Variable x{random::uniform({4})};
  const Variable gradient = ones({4});
  for (auto _ : state) {
    Variable h = x;
    for (int i = 0; i < 100; ++i) h = tanh(h);
    x.cleargrad();
    h.set_grad(gradient);
    h.backward();
  }
  state.counters["per op"] =
      benchmark::Counter(100, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_tanh_chain);

void BM_tanh_forward_only(benchmark::State& state) {
  const auto inference = no_backprop_mode();
  const Variable x = random::uniform({4});
  for (auto _ : state) benchmark::DoNotOptimize(tanh(x));
}
BENCHMARK(BM_tanh_forward_only);

void BM_allocation(benchmark::State& state) {
  const Shape shape{state.range(0)};
  for (auto _ : state) benchmark::DoNotOptimize(Array(shape));
}
BENCHMARK(BM_allocation)->Arg(4)->Arg(100000);

}  // namespace
