// Elementwise functions and reductions, in bytes per second, against a copy of the same memory.
#include <benchmark/benchmark.h>

#include <cstring>

#include <dnn/dnn.hpp>

using namespace dnn;

namespace {

constexpr std::int64_t size = 1 << 20;

void set_bytes(benchmark::State& state, double bytes) {
  state.counters["B/s"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
}

void BM_copy(benchmark::State& state) {
  const Array x = random::uniform({size});
  Array y(x.shape());
  for (auto _ : state) {
    std::memcpy(y.bytes(), x.bytes(), x.nbytes());
    benchmark::ClobberMemory();
  }
  set_bytes(state, 2.0 * size * sizeof(float));
}
BENCHMARK(BM_copy);

template <class F>
void unary(benchmark::State& state, F f) {
  const auto inference = no_backprop_mode();
  const Array x = random::normal({size});
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
  set_bytes(state, 2.0 * size * sizeof(float));
}
BENCHMARK_CAPTURE(unary, relu, [](const Variable& x) { return relu(x); });
BENCHMARK_CAPTURE(unary, tanh, [](const Variable& x) { return tanh(x); });
BENCHMARK_CAPTURE(unary, sigmoid, [](const Variable& x) { return sigmoid(x); });
BENCHMARK_CAPTURE(unary, exp, [](const Variable& x) { return exp(x); });
BENCHMARK_CAPTURE(unary, mul_self, [](const Variable& x) { return x * x; });

void BM_add_bias(benchmark::State& state) {
  const auto inference = no_backprop_mode();
  const Variable x = random::normal({1024, 1024}), b = random::normal({1024});
  for (auto _ : state) benchmark::DoNotOptimize(x + b);
  set_bytes(state, 2.0 * size * sizeof(float));
}
BENCHMARK(BM_add_bias);

template <class F>
void reduction(benchmark::State& state, F f) {
  const auto inference = no_backprop_mode();
  const Array x = random::normal({1024, 1024});
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
  set_bytes(state, 1.0 * size * sizeof(float));
}
BENCHMARK_CAPTURE(reduction, sum_all, [](const Variable& x) { return sum(x); });
BENCHMARK_CAPTURE(reduction, sum_rows, [](const Variable& x) { return sum(x, 1); });
BENCHMARK_CAPTURE(reduction, sum_columns, [](const Variable& x) { return sum(x, 0); });
BENCHMARK_CAPTURE(reduction, softmax, [](const Variable& x) { return softmax(x); });

void BM_transpose(benchmark::State& state) {
  const auto inference = no_backprop_mode();
  const Array x = random::normal({1024, 1024});
  for (auto _ : state) benchmark::DoNotOptimize(transpose(x));
  set_bytes(state, 2.0 * size * sizeof(float));
}
BENCHMARK(BM_transpose);

}  // namespace
