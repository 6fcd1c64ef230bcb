// The models that the benchmarks train, each written once.
#pragma once

#include <cstdint>

#include <dnn/dnn.hpp>

namespace models {

using namespace dnn;

/// Two hidden layers: 784-1000-1000-10 unless told otherwise.
struct MLP : Chain<MLP> {
  int n_units = 1000, n_out = 10;
  links::Linear l1{n_units}, l2{n_units}, l3{n_out};

  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

/// Two convolutions, one pooling and two linear layers: PyTorch's example for MNIST without its dropout.
struct CNN : Chain<CNN> {
  links::Convolution2D conv1{1, 32, 3}, conv2{32, 64, 3};
  links::Linear l1{9216, 128}, l2{128, 10};

  Variable operator()(const Variable& x) {
    const auto h = max_pooling_2d(relu(conv2(relu(conv1(x)))), 2);
    return l2(relu(l1(h)));
  }
};

/// A convolution without bias and a batch normalisation.
struct ConvBN : Chain<ConvBN> {
  std::int64_t in, out;
  int ksize = 3, stride = 1, pad = 1;
  links::Convolution2D conv{in, out, ksize, {.stride = stride, .pad = pad, .nobias = true}};
  links::BatchNormalization bn{out, {.eps = 1e-5}};

  Variable operator()(const Variable& x) { return bn(conv(x)); }
};

/// Small images, normalised after each convolution.
struct BNCNN : Chain<BNCNN> {
  ConvBN c1{.in = 1, .out = 32}, c2{.in = 32, .out = 64};
  links::Linear l{3136, 10};

  Variable operator()(const Variable& x) {
    const auto h = max_pooling_2d(relu(c1(x)), 2);
    return l(max_pooling_2d(relu(c2(h)), 2));
  }
};

/// relu(x + bn(conv(relu(bn(conv(x)))))); where the size changes, x goes through a 1 x 1 convolution.
struct Block : Chain<Block> {
  std::int64_t in, out;
  int stride = 1;
  ConvBN c1{.in = in, .out = out, .stride = stride}, c2{.in = out, .out = out};
  std::optional<ConvBN> shortcut =
      in == out ? std::optional<ConvBN>{} : ConvBN{.in = in, .out = out, .ksize = 1, .stride = stride, .pad = 0};

  Variable operator()(const Variable& x) {
    const auto h = c2(relu(c1(x)));
    return relu(h + (shortcut ? (*shortcut)(x) : x));
  }
};

/// ResNet-20 for images of 32 x 32 (He et al., 2015).
struct ResNet20 : Chain<ResNet20> {
  ConvBN c{.in = 3, .out = 16};
  std::vector<Block> blocks = [] {
    std::vector<Block> list;
    for (const std::int64_t width : {16, 32, 64}) {
      for (int i = 0; i < 3; ++i) {
        const bool narrows = i == 0 && width > 16;
        list.push_back(Block{.in = narrows ? width / 2 : width, .out = width, .stride = narrows ? 2 : 1});
      }
    }
    return list;
  }();
  links::Linear l{64, 10};

  Variable operator()(const Variable& x) {
    auto h = relu(c(x));
    for (auto& block : blocks) h = block(h);
    return l(average_pooling_2d(h, 8));
  }
};

/// Labels 0, 1, 2, ...
inline Array labels(std::int64_t n, std::int64_t classes) {
  Array t({n}, int32);
  for (std::int64_t i = 0; i < n; ++i) t.at<std::int32_t>(i) = static_cast<std::int32_t>(i % classes);
  return t;
}

/// Forward, softmax cross entropy, backward, update. Returns the loss, without its graph.
template <class Model>
Array training_step(Model& model, Optimizer& optimizer, const Array& x, const Array& t) {
  const Variable loss = softmax_cross_entropy(model(x), t);
  model.cleargrads();
  loss.backward();
  optimizer.update();
  return loss.array();
}

}  // namespace models
