#include "dnn/datasets/sha256.hpp"

#include <vector>

#include "catch.hpp"

TEST_CASE("SHA-256 of the examples of FIPS 180", "[sha256]") {
  CHECK(dnn::datasets::sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::vector<std::uint8_t> abc = {'a', 'b', 'c'};
  CHECK(dnn::datasets::sha256(abc) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
