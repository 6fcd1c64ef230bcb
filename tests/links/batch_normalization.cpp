#include "dnn/links/batch_normalization.hpp"

#include <cmath>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/serializers/dictionary.hpp"

using namespace dnn;

TEST_CASE("links::BatchNormalization normalises and keeps running averages", "[batch_normalization]") {
  links::BatchNormalization bn(2);
  const Array x = array({{1.f, 0.f}, {3.f, 0.f}, {5.f, 6.f}});
  const Variable y = bn(x);
  CHECK(y.array().to("cpu").at<float>(1, 0) == Approx(0).margin(1e-6));
  CHECK(y.array().to("cpu").at<float>(2, 1) == Approx(4 / std::sqrt(8 + 2e-5)));
  CHECK(allclose(bn.avg_mean, array({0.3f, 0.2f})));
  CHECK(allclose(bn.avg_var, array({0.9f + 0.1f * 4, 0.9f + 0.1f * 12})));
  CHECK(bn.N == 0);

  const auto test = using_train(false);
  const Variable z = bn(x);
  CHECK(z.array().to("cpu").at<float>(0, 0) == Approx(0.7 / std::sqrt(1.3 + 2e-5)));
  CHECK(allclose(bn.avg_mean, array({0.3f, 0.2f})));
}

TEST_CASE("links::BatchNormalization averages over the batch and the axes after its size", "[batch_normalization]") {
  links::BatchNormalization images(3), maps(Shape{3, 4}), lazy({.axis = Axes{0, 1}});
  images(random::normal({2, 3, 4, 5}));
  CHECK(images.avg_mean.shape() == Shape{3});
  CHECK(maps(random::normal({6, 3, 4})).shape() == Shape{6, 3, 4});
  CHECK(lazy.gamma.has_value());
  CHECK_FALSE(lazy.gamma->is_initialized());
  lazy(random::normal({2, 3, 7}));
  CHECK(lazy.gamma->shape() == Shape{7});
  CHECK(lazy.avg_var.shape() == Shape{7});
  CHECK_THROWS_AS(links::BatchNormalization(links::BatchNormalizationOptions{}), ArgumentError);
}

TEST_CASE("links::BatchNormalization without gamma or beta", "[batch_normalization]") {
  links::BatchNormalization bn(2,
                               {.use_gamma = false, .use_beta = false, .initial_avg_var = initializers::Constant{4}});
  CHECK(bn.namedparams().empty());
  CHECK(array_equal(bn.avg_var, full({2}, 4)));
  CHECK(bn(random::normal({5, 2})).shape() == Shape{5, 2});
}

TEST_CASE("fine-tuning makes the averages those of all batches", "[batch_normalization]") {
  links::BatchNormalization bn(1);
  bn.start_finetuning();
  bn(array({{1.f}, {3.f}}), true);
  bn(array({{5.f}, {7.f}}), true);
  CHECK(bn.N == 2);
  CHECK(bn.avg_mean.item() == Approx(4));
  CHECK(bn.avg_var.item() == Approx(2));
}

TEST_CASE("links::BatchNormalization is saved under Chainer's keys", "[batch_normalization]") {
  links::BatchNormalization bn(2), lazy({.axis = Axes{0}});
  bn.N = 3;
  bn.avg_mean.fill(2);
  const auto saved = serializers::to_dictionary(bn);
  std::string keys;
  for (const auto& [key, value] : saved) keys += key + ' ';
  CHECK(keys == "N avg_mean avg_var beta gamma ");
  serializers::from_dictionary(saved, lazy);
  CHECK(lazy.N == 3);
  CHECK(array_equal(lazy.avg_mean, full({2}, 2)));
  CHECK(lazy.gamma->shape() == Shape{2});
}
