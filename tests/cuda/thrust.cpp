#include "dnn/cuda/thrust.hpp"

#if DNN_CUDA

#include <cstdint>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;

namespace {

struct PoolMemory {
  void* allocate(std::size_t bytes) { return device_pool(0).allocate(bytes, cu::current_stream()); }
  void deallocate(void* block, std::size_t bytes) { device_pool(0).deallocate(block, bytes, cu::current_stream()); }
};

/// What `a` holds, on the host.
std::vector<std::int64_t> values(const Array& a) {
  const Array host = a.to("cpu");
  const auto span = host.span<std::int64_t>();
  return {span.begin(), span.end()};
}
using Values = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("cu::sort_by_key is stable", "[thrust]") {
  PoolMemory memory;
  Array keys = array_from(Values{3, -1, 3, 2, -1}).to("cuda"), places = array_from(Values{0, 1, 2, 3, 4}).to("cuda");
  cu::sort_by_key(keys.data<std::int64_t>(), places.data<std::int64_t>(), 5, memory);
  CHECK(values(keys) == Values{-1, -1, 2, 3, 3});
  CHECK(values(places) == Values{1, 4, 3, 0, 2});
  cu::sort_by_key(keys.data<std::int64_t>(), places.data<std::int64_t>(), 0, memory);
  CHECK(values(keys) == Values{-1, -1, 2, 3, 3});
}

TEST_CASE("cu::sort_by_key sorts many numbers", "[thrust]") {
  PoolMemory memory;
  Values numbers, sorted;
  for (std::int64_t i = 0; i < 3001; ++i) numbers.push_back(i * 7919 % 3001), sorted.push_back(i);
  Array keys = array_from(numbers).to("cuda"), places = array_from(sorted).to("cuda");
  cu::sort_by_key(keys.data<std::int64_t>(), places.data<std::int64_t>(), 3001, memory);
  CHECK(values(keys) == sorted);
  const Values order = values(places);
  for (std::size_t i = 0; i < order.size(); ++i) REQUIRE(numbers[static_cast<std::size_t>(order[i])] == sorted[i]);
}

TEST_CASE("cu::inclusive_scan adds up what comes before", "[thrust]") {
  PoolMemory memory;
  Array x = array_from(Values{5, -2, 0, 7}).to("cuda"), y(x.shape(), int64, x.device());
  cu::inclusive_scan(y.data<std::int64_t>(), x.data<std::int64_t>(), 4, memory);
  CHECK(values(y) == Values{5, 3, 3, 10});
  cu::inclusive_scan(x.data<std::int64_t>(), x.data<std::int64_t>(), 4, memory);
  CHECK(values(x) == Values{5, 3, 3, 10});
}

#endif
