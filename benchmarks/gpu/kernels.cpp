// The GPU's kernels against what the GPU can do: copies, multiply-adds of its cores and of its tensor cores, and cuBLAS
// and CUB where they are there (DNN_BENCH_CUBLAS, DNN_BENCH_CUB).
//
//     kernels roofs|gemm|conv|memory [--smoke]
#include <cmath>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "dnn/core/text.hpp"
#include "dnn/cuda/mma.hpp"
#include "dnn/kernels/gpu/convolution.hpp"
#include "measure.hpp"

#if defined(DNN_BENCH_CUBLAS)
void cublas_product(int dtype, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                    const void* a, const void* b, void* c, bool tf32);  // cublas.cpp
#endif
#if defined(DNN_BENCH_CUB)
#include <cub/device/device_reduce.cuh>
#endif

using namespace dnn;
using measure::milliseconds;
using measure::report;

namespace {

// ---- Roofs ----

/// Independent chains of multiply-adds.
DNN_KERNEL void multiply_add_roof(float* out, int repeats) {
  float x[16];
  for (int i = 0; i < 16; ++i) x[i] = static_cast<float>(threadIdx.x + static_cast<unsigned>(i));
  for (int r = 0; r < repeats; ++r) {
    DNN_UNROLL
    for (int i = 0; i < 16; ++i) x[i] = x[i] * 0.999f + 0.5f;
  }
  float sum = 0;
  for (int i = 0; i < 16; ++i) sum += x[i];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

/// Independent chains of `mma.sync`.
template <class E>
DNN_KERNEL void tensor_core_roof(float* out, int repeats) {
  float d[8][4] = {};
  const std::uint32_t a[4] = {threadIdx.x, 1, 2, 3};
  for (int r = 0; r < repeats; ++r) {
    DNN_UNROLL
    for (int i = 0; i < 8; ++i) cu::multiply_fragments<E>(d[i], a, threadIdx.x, 7);
  }
  float sum = 0;
  for (int i = 0; i < 8; ++i) sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

void roofs() {
  const std::int64_t bytes = measure::smoke ? 1 << 16 : 1 << 29;
  const Array from = zeros({bytes / 4}), to = zeros({bytes / 4});
  report("roof", "copy", milliseconds([&] {
           cu::check(cudaMemcpyAsync(const_cast<float*>(to.data<float>()), from.data<float>(),
                                     static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, cu::current_stream()));
         }),
         2.0 * static_cast<double>(bytes), "B");
  const int repeats = measure::smoke ? 2 : 4096;
  const unsigned blocks = static_cast<unsigned>(cu::multiprocessor_count()) * (measure::smoke ? 1 : 8), threads = 256;
  Array sums = zeros({std::int64_t{blocks} * threads});
  const double work = static_cast<double>(blocks) * threads * repeats;
  float* const out = sums.data<float>();
  report("roof", "multiply-add float32", milliseconds([&] {
           cu::launch("roof", multiply_add_roof, {blocks, threads}, out, repeats);
         }),
         work * 16 * 2, "FLOP");
  const double warps = work / 32;
  report("roof", "mma.sync tf32", milliseconds([&] {
           cu::launch("roof", tensor_core_roof<float>, {blocks, threads}, out, repeats);
         }),
         warps * 8 * 2 * 16 * 8 * 8, "FLOP");
  report("roof", "mma.sync bfloat16", milliseconds([&] {
           cu::launch("roof", tensor_core_roof<BFloat16>, {blocks, threads}, out, repeats);
         }),
         warps * 8 * 2 * 16 * 8 * 16, "FLOP");
}

// ---- Matrix products ----

/// Random numbers of `dtype` on the GPU, and the same on the host as float64.
struct Operand {
  Array device, host;

  Operand(const Shape& shape, DType dtype) : device(random::uniform(shape, -1, 1, float32).to(dtype)) {
    host = device.to("cpu").to(float64);
  }
};

struct Sizes {
  std::int64_t m, n, k;
  bool trans_a = false, trans_b = false;
};

/// The rounding that a product may show: of its result, and of what it adds up.
struct Rounding {
  double result, terms;
};

/// The largest deviation of a few elements of C from their sums in float64, in units of the rounding allowed.
double product_error(const Sizes& s, const Operand& a, const Operand& b, const Array& c, const Rounding& rounding) {
  const Array host = c.to("cpu").to(float64);
  const double *pa = a.host.data<double>(), *pb = b.host.data<double>(), *pc = host.data<double>();
  double worst = 0;
  for (std::int64_t sample = 0; sample < 200; ++sample) {
    const auto i = sample * 7919 % s.m, j = sample * 104729 % s.n;
    double sum = 0, magnitude = 0;
    for (std::int64_t p = 0; p < s.k; ++p) {
      const double product = pa[s.trans_a ? p * s.m + i : i * s.k + p] * pb[s.trans_b ? j * s.k + p : p * s.n + j];
      sum += product;
      magnitude += std::abs(product);
    }
    const double allowed = rounding.result * std::abs(sum) + rounding.terms * magnitude;
    worst = std::max(worst, std::abs(pc[i * s.n + j] - sum) / allowed);
  }
  return worst;
}

template <class T>
void product(const std::string& name, const Sizes& s, const Rounding& rounding) {
  const Operand a({s.trans_a ? s.k : s.m, s.trans_a ? s.m : s.k}, dtype_of<T>());
  const Operand b({s.trans_b ? s.n : s.k, s.trans_b ? s.k : s.n}, dtype_of<T>());
  Array c({s.m, s.n}, dtype_of<T>());
  const double work = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  const std::string full = "gemm " + name + " " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
                           std::to_string(s.k) + " " + (s.trans_a ? "t" : "n") + (s.trans_b ? "t" : "n");
  const auto run = [&] {
    kernels::gemm<T>(s.trans_a, s.trans_b, s.m, s.n, s.k, a.device.data<T>(), s.trans_a ? s.m : s.k, b.device.data<T>(),
                     s.trans_b ? s.k : s.n, c.data<T>(), s.n);
  };
  run();
  const double error = product_error(s, a, b, c, rounding);
  report("dnn", full, milliseconds(run), work, "FLOP", error);
#if defined(DNN_BENCH_CUBLAS)
  const auto other = [&] {
    cublas_product(static_cast<int>(c.dtype()), s.trans_a, s.trans_b, s.m, s.n, s.k, a.device.bytes(), b.device.bytes(),
                   c.bytes(), config().allow_tf32);
  };
  other();
  const double other_error = product_error(s, a, b, c, rounding);
  report("cuBLAS", full, milliseconds(other), work, "FLOP", other_error);
#endif
}

void products() {
  constexpr Rounding single{0x1p-24, 0x1p-22};
  const std::int64_t large = measure::smoke ? 130 : 4096, larger = measure::smoke ? 130 : 8192;
  for (const bool b : {false, true}) product<float>("float32", {large, large, large, false, b}, single);
  product<float>("float32", {large, large, large, true, false}, single);
  // Those of a step of the MLP, batch 100.
  product<float>("float32", {100, 1000, 784, false, true}, single);
  product<float>("float32", {100, 784, 1000, false, false}, single);
  product<float>("float32", {1000, 784, 100, true, false}, single);
  product<float>("float32", {100, 10, 1000, false, true}, single);
  for (const bool b : {false, true}) {
    const Sizes sizes{larger, larger, larger, false, b};
    product<BFloat16>("bfloat16", sizes, {0x1p-8, 0x1p-22});
    product<Float16>("float16", sizes, {0x1p-11, 0x1p-22});
    const auto tf32 = using_tf32();
    product<float>("tf32", sizes, {0x1p-24, 0x1p-10});
  }
  product<double>("float64", {large / 2, large / 2, large / 2, false, false}, {0x1p-53, 0x1p-51});
}

// ---- Convolutions ----

template <class T>
void convolution(const std::string& name, std::int64_t n, std::int64_t in, std::int64_t out, std::int64_t size,
                 std::int64_t k, std::int64_t stride, std::int64_t groups) {
  if (measure::smoke) {
    n = 1, size = std::min<std::int64_t>(size, 8);
    for (auto* channels : {&in, &out, &groups}) *channels = std::min<std::int64_t>(*channels, 64);
  }
  const auto pad = k / 2;
  constexpr DType dtype = dtype_of<T>();
  const auto numbers = [](const Shape& shape) { return random::uniform(shape, -1, 1).to(dtype); };
  const Array x = numbers({n, in, size, size}), W = numbers({out, in / groups, k, k});
  kernels::Convolution2D c;
  const auto places = (size + 2 * pad - k) / stride + 1;
  c.batch = n, c.in_channels = in, c.out_channels = out, c.groups = groups;
  c.window.h = c.window.w = size, c.window.out_h = c.window.out_w = places, c.window.k_h = c.window.k_w = k;
  c.window.s_y = c.window.s_x = stride, c.window.p_y = c.window.p_x = pad;
  const Array gy = numbers({n, out, places, places});
  Array y(gy.shape(), dtype), gx(x.shape(), dtype), gW(W.shape(), dtype);
  const double work = 2.0 * static_cast<double>(n * places * places) * static_cast<double>(c.weights());
  const std::function<void()> runs[] = {
      [&] { kernels::convolution_2d<T>(c, x.data<T>(), W.data<T>(), nullptr, y.data<T>()); },
      [&] { kernels::deconvolution_2d<T>(c, gy.data<T>(), W.data<T>(), nullptr, gx.data<T>()); },
      [&] { kernels::convolution_2d_weights<T>(c, x.data<T>(), gy.data<T>(), gW.data<T>()); }};
  constexpr double rounding = sizeof(T) == 2 ? 0x1p-8 : 0x1p-24;
  // The CPU computes the first image in float64; the gradient of W is checked by <gW, W> = <y, gy>.
  for (const auto& run : runs) run();
  double errors[3] = {-1, -1, -1};
  {
    const auto host = using_device("cpu");
    const auto wide = [](const Array& a) { return a.to("cpu").to(float64); };
    kernels::Convolution2D one = c;
    one.batch = 1;
    const Array hx = wide(x), hW = wide(W), hgy = wide(gy), hy = wide(y), hgx = wide(gx), hgW = wide(gW);
    Array ey({out * places * places}, float64), ex({in * size * size}, float64);
    kernels::convolution_2d<double>(one, hx.data<double>(), hW.data<double>(), nullptr, ey.data<double>());
    kernels::deconvolution_2d<double>(one, hgy.data<double>(), hW.data<double>(), nullptr, ex.data<double>());
    const auto worst = [](const Array& expected, const Array& got, std::int64_t depth) {
      double error = 0;
      for (std::int64_t i = 0; i < expected.size(); ++i) {
        const double difference = std::abs(expected.data<double>()[i] - got.data<double>()[i]);
        const double allowed =
            4 * 0x1p-24 * static_cast<double>(depth) + rounding * std::abs(expected.data<double>()[i]);
        error = std::max(error, difference / allowed);
      }
      return error;
    };
    errors[0] = worst(ey, hy, c.depth());
    errors[1] = worst(ex, hgx, out / groups * k * k);
    double left = 0, right = 0, magnitude = 0, rounded = 0;
    for (std::int64_t i = 0; i < hgW.size(); ++i) {
      left += hgW.data<double>()[i] * hW.data<double>()[i];
      rounded += std::abs(hgW.data<double>()[i] * hW.data<double>()[i]);
    }
    for (std::int64_t i = 0; i < hy.size(); ++i) {
      right += hy.data<double>()[i] * hgy.data<double>()[i];
      magnitude += std::abs(hy.data<double>()[i] * hgy.data<double>()[i]);
    }
    errors[2] = std::abs(left - right) / (1e-5 * magnitude + rounding * (magnitude + rounded));
  }
  const char* const names[] = {"forward", "gradient of x", "gradient of W"};
  for (int i = 0; i < 3; ++i) {
    report("dnn", concat("conv ", dtype, " ", name, " ", names[i]), milliseconds(runs[i]), work, "FLOP", errors[i]);
  }
}

template <class T>
void convolutions_of() {
  convolution<T>("64x1x28x28 to 32, 5x5", 64, 1, 32, 28, 5, 1, 1);
  convolution<T>("64x64x56x56 to 64, 3x3", 64, 64, 64, 56, 3, 1, 1);
  convolution<T>("64x256x14x14 to 256, 3x3", 64, 256, 256, 14, 3, 1, 1);
  convolution<T>("64x128x28x28 to 128, 3x3, stride 2", 64, 128, 128, 28, 3, 2, 1);
  convolution<T>("64x512x7x7 to 2048, 1x1", 64, 512, 2048, 7, 1, 1, 1);
  convolution<T>("64x128x56x56 depthwise 3x3", 64, 128, 128, 56, 3, 1, 128);
}

void convolutions() {
  convolutions_of<float>();
  convolutions_of<BFloat16>();
}

// ---- What memory bounds ----

struct Inputs {
  Array x, y, gamma, beta;

  /// The first rows.
  Inputs head(std::int64_t rows) const { return {x.slice(0, rows), y.slice(0, rows), gamma, beta}; }
  /// The same on the CPU, in float64.
  Inputs on_host() const {
    const auto wide = [](const Array& a) { return a.to("cpu").to(float64); };
    return {wide(x), wide(y), wide(gamma), wide(beta)};
  }
};

/// The largest deviation from the CPU's result in float64, in units of the rounding that a sum of `terms` may show.
template <class Work>
double deviation(const Inputs& in, double terms, const Work& work) {
  const Array actual = Variable(work(in)).array().to("cpu").to(float64);
  const auto host = using_device("cpu");
  const Array expected = Variable(work(in.on_host())).array();
  double worst = 0;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const double e = expected.data<double>()[i], allowed = 0x1p-24 * (16 * std::abs(e) + 16 + terms);
    worst = std::max(worst, std::abs(actual.data<double>()[i] - e) / allowed);
  }
  return worst;
}

void memory_bound() {
  const auto no_graph = no_backprop_mode();
  const std::int64_t rows = measure::smoke ? 16 : 65536, columns = 1024, checked = rows / 16;
  const Inputs in{random::uniform({rows, columns}, -1, 1), random::uniform({rows, columns}, -1, 1),
                  random::uniform({columns}, -1, 1), random::uniform({columns}, -1, 1)};
  const double bytes = static_cast<double>(in.x.nbytes());
  const auto time = [&](const std::string& name, double arrays, std::int64_t terms, auto work) {
    const double error = deviation(in.head(checked), static_cast<double>(terms), work);
    report("dnn", name, milliseconds([&] { work(in); }), arrays * bytes, "B", error);
  };
  time("relu", 2, 0, [](const Inputs& a) { return relu(a.x); });
  time("tanh", 2, 0, [](const Inputs& a) { return tanh(a.x); });
  time("x * y + x", 5, 0, [](const Inputs& a) { return Variable(a.x) * a.y + a.x; });
  time("softmax", 2, 0, [](const Inputs& a) { return softmax(a.x); });
  time("log_softmax", 2, 0, [](const Inputs& a) { return log_softmax(a.x); });
  time("sum", 1, checked * columns, [](const Inputs& a) { return sum(a.x); });
  time("sum of rows", 1, columns, [](const Inputs& a) { return sum(a.x, 1); });
  time("sum of columns", 1, checked, [](const Inputs& a) { return sum(a.x, 0); });
  time("argmax", 1, 0, [](const Inputs& a) { return argmax(a.x).to(float64); });
  time("layer_normalization", 2, 64, [](const Inputs& a) { return layer_normalization(a.x, a.gamma, a.beta); });
  time("batch_normalization", 3, 64, [](const Inputs& a) { return batch_normalization(a.x, a.gamma, a.beta); });
  time("max_pooling_2d 2x2", 1.25, 0, [](const Inputs& a) { return max_pooling_2d(a.x.reshape({-1, 1, 32, 32}), 2); });
  // A step reads parameter, gradient and two moments, and writes all but the gradient.
  links::Parameter parameter(in.x.copy());
  optimizers::Adam adam;
  adam.setup(parameter);
  parameter.W.set_grad(in.y);
  report("dnn", "Adam", milliseconds([&] { adam.update(); }), 7 * bytes, "B");
#if defined(DNN_BENCH_CUB)
  std::size_t scratch_bytes = 0;
  Array total = zeros({1});
  const auto run = [&](void* scratch) {
    cu::check(cub::DeviceReduce::Sum(scratch, scratch_bytes, in.x.data<float>(), total.data<float>(), in.x.size(),
                                     cu::current_stream()));
  };
  run(nullptr);
  Array scratch({static_cast<std::int64_t>(scratch_bytes)}, uint8);
  report("CUB", "sum", milliseconds([&] { run(scratch.bytes()); }), bytes, "B");
#endif
}

}  // namespace

int main(int argc, char** argv) {
  return measure::run_part(argc, argv,
                           {{"roofs", roofs}, {"gemm", products}, {"conv", convolutions}, {"memory", memory_bound}});
}
