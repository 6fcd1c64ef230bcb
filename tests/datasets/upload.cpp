#include "dnn/datasets/upload.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"

using namespace dnn;

TEST_CASE("an uploader moves batches and keeps names", "[upload]") {
  Uploader upload;
  const UsingDevice host(Device{});
  Array x = array({1.f, 2.f});
  const Batch batch{x, array({3})};
  const Batch same = upload(batch, Device{});
  CHECK(same[0].shares_storage(batch[0]));
#if DNN_CUDA
  const Device last = Device(concat("cuda:", cu::device_count() - 1));
  for (int i = 0; i < 2; ++i) {
    const Batch moved = upload(batch, last);
    CHECK(moved[0].device() == last);
    CHECK(array_equal(moved[0].to("cpu"), batch[0]));
    CHECK(array_equal(moved[1].to("cpu"), batch[1]));
    CHECK(upload(moved, last)[0].shares_storage(moved[0]));
    x.at<float>(0) = 7;
  }
#endif
}

#if DNN_CUDA
TEST_CASE("batches arrive while the GPU computes with those before", "[upload]") {
  const auto device = using_device("cuda:0");
  Uploader upload;
  Array total = zeros({1});
  constexpr std::int64_t n = 20000;
  for (int i = 1; i <= 6; ++i) {
    Batch batch;
    {
      const UsingDevice host(Device{});
      batch.push_back(full({n}, i));
    }
    batch = upload(batch, total.device());
    total = (Variable(total) + sum(Variable(batch[0]), 0, true)).array();
    cu::Event computed;
    computed.record(cu::current_stream());
#if DNN_EMULATED
    // The emulator does only what is waited for: the next copy needs nothing of this computation.
    Batch next;
    {
      const UsingDevice host(Device{});
      next.push_back(zeros({n}));
    }
    next = upload(next, total.device());
    dnn::detail::upload_stream(0).synchronize();
    CHECK_FALSE(computed.done());
#endif
  }
  CHECK(total.item() == 21.0 * n);
}
#endif
