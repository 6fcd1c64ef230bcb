#include "dnn/kernels/dispatch.hpp"

#include <vector>

#include "catch.hpp"
#include "dnn/core/random.hpp"
#include "dnn/kernels/gemm.hpp"
#include "every_isa.hpp"

using namespace dnn;

#if DNN_DISPATCH
TEST_CASE("DNN_CPU_ISA names an instruction set that the processor has", "[kernels]") {
  using kernels::Isa;
  using kernels::detail::best_isa, kernels::detail::isa_named;
  CHECK(isa_named("baseline") == Isa::baseline);
  const std::string_view names[] = {"baseline", "avx2", "avx512"};
  for (int i = 0; i < 3; ++i) {
    const auto isa = static_cast<Isa>(i);
    if (isa <= best_isa()) CHECK(isa_named(names[i]) == isa);
    else
      CHECK_THROWS_WITH(isa_named(names[i]),
                        "[cpu] DNN_CPU_ISA is '" + std::string(names[i]) + "', which this processor lacks");
  }
  for (const char* name : {"", "AVX2", "avx512f", "sse2 ", "2"}) {
    CHECK_THROWS_WITH(isa_named(name),
                      "[cpu] DNN_CPU_ISA is '" + std::string(name) + "', not baseline, avx2 or avx512");
  }
}
#endif

TEST_CASE("each instruction set gives the same bits every time, and nearly those of the others", "[kernels]") {
  const std::int64_t m = 61, n = 75, k = 300;
  const RandomStream stream{3, 0};
  std::vector<float> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(k * n)), first;
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(stream.uniform_double(i));
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(stream.uniform_double(a.size() + i));
  for_every_isa([&] {
    std::vector<float> c(static_cast<std::size_t>(m * n)), again(c);
    kernels::gemm(false, false, m, n, k, a.data(), k, b.data(), n, c.data(), n);
    kernels::gemm(false, false, m, n, k, a.data(), k, b.data(), n, again.data(), n);
    CHECK(c == again);
    if (first.empty()) first = c;
    float worst = 0;
    for (std::size_t i = 0; i < c.size(); ++i) worst = std::max(worst, std::abs(c[i] - first[i]) / first[i]);
    CHECK(worst < 1e-6f);
  });
}
