// Kernels of one's own in one file, for the CPU and for the GPU: an elementwise formula, and a reduction. Each is one
// launch, with its gradient. `custom_cuda_kernel cuda:0` runs it on a GPU, real or emulated.
#include <cstdio>
#include <exception>

#include <dnn/dnn.hpp>

using namespace dnn;

/// x * sigmoid(beta * x), elementwise. `constexpr` members can be called on the GPU too.
struct Swish {
  static constexpr std::string_view name = "Swish";
  static constexpr Retain retain = Retain::inputs;
  double beta;

  template <class V>
  constexpr V forward(V x) const {
    return x / (1 + exp(-beta * x));
  }
  template <int I, class V>
  constexpr V grad(V gy, V x, V) const {
    V s = 1 / (1 + exp(-beta * x));
    return gy * s * (1 + beta * x * (1 - s));
  }
};

/// The weighted squared distance of rows: sum over j of w[j] (a[i, j] - b[i, j])^2.
struct Distance {
  static constexpr std::string_view name = "Distance";
  static constexpr double identity = 0;

  template <class V>
  constexpr V map(V w, V a, V b) const {
    return w * (a - b) * (a - b);
  }
  template <class V>
  constexpr V reduce(V a, V b) const {
    return a + b;
  }
  template <int I, class V>
  constexpr V grad(V gy, V w, V a, V b, V) const {
    if constexpr (I == 0) return gy * (a - b) * (a - b);
    else return (I == 1 ? 2 : -2) * gy * w * (a - b);
  }
};

int main(int argc, char** argv) {
  try {
    const auto device = using_device(argc > 1 ? argv[1] : "cpu");
    const Variable w{random::uniform({100})}, a{random::normal({4, 100})}, b{random::normal({4, 100})};
    const Variable y = reduction(Distance{}, {.axis = 1}, w, elementwise(Swish{1.5}, a), b);
    sum(y).backward();
    std::printf("y = %s\nsum of dy/da = %g\n", str(y.array()).c_str(), sum(a.grad()).item());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "custom_cuda_kernel: %s\n", error.what());
    return 1;
  }
}
