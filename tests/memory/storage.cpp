#include "dnn/memory/storage.hpp"

#include <cstdint>

#include "catch.hpp"

using namespace dnn;

TEST_CASE("storage is aligned, counted and returned", "[memory]") {
  const auto before = memory_statistics(current_device()).bytes_in_use;
  {
    const Ref<Storage> a = Storage::allocate(1000);
    CHECK(a->bytes() == 1000);
    CHECK(reinterpret_cast<std::uintptr_t>(a->data()) % 64 == 0);
    CHECK(memory_statistics(current_device()).bytes_in_use >= before + 1000);
    const Ref<Storage> b = a;
    CHECK_FALSE(a->unique());
    const Ref<Storage> empty = Storage::allocate(0);
    CHECK(empty->bytes() == 0);
  }
  CHECK(memory_statistics(current_device()).bytes_in_use == before);
}
