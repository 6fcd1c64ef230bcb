// Chainer's own files drive models of this library to the outputs that Chainer recorded.
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/pooling/max_pooling_2d.hpp"
#include "dnn/links/batch_normalization.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/classifier.hpp"
#include "dnn/links/convolution_2d.hpp"
#include "dnn/links/linear.hpp"
#include "dnn/optimizers/adam.hpp"
#include "dnn/serializers/npz.hpp"
#include "files.hpp"

using namespace dnn;
using namespace dnn::serializers;

namespace {

struct MLP : Chain<MLP> {
  links::Linear l1{100}, l2{100}, l3{10};
  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

struct SmallCNN : Chain<SmallCNN> {
  links::Convolution2D conv1{1, 4, 3, {.pad = 1}};
  links::BatchNormalization bn1{4};
  links::Convolution2D conv2{4, 6, 3, {.stride = 2, .nobias = true}};
  links::BatchNormalization bn2{6};
  links::Linear fc{10};
  Variable operator()(const Variable& x) { return fc(relu(bn2(conv2(max_pooling_2d(relu(bn1(conv1(x))), 2))))); }
};

/// A file in Chainer's folder; nothing, and a message, where the folder was not given.
std::optional<std::filesystem::path> chainer_file(std::string_view name) {
  if (const char* data = files::chainer_data()) return std::filesystem::path(data) / "files" / name;
  WARN("DNN_CHAINER_DATA is not set: " << name << " is not read");
  return std::nullopt;
}
const Array& array_of(const Dictionary& dictionary, std::string_view key) {
  return std::get<Array>(dictionary.find(key)->second);
}
/// Where the models of these tests are.
Array input_of(const Dictionary& dictionary, std::string_view key) {
  return array_of(dictionary, key).to(current_device());
}

}  // namespace

TEST_CASE("Chainer's MLP gives Chainer's outputs", "[npz][chainer]") {
  for (const char* name : {"mlp_classifier_compressed.npz", "mlp_classifier_plain.npz"}) {
    const auto file = chainer_file(name);
    if (!file) return;
    const Dictionary io = load_npz(*chainer_file("mlp_classifier_io.npz"));
    links::Classifier model{MLP{}};
    load_npz(*file, model);
    CHECK(model.predictor.l1.W.shape() == Shape{100, 784});
    const auto test = using_train(false);
    const Variable loss = model(input_of(io, "x"), input_of(io, "t"));
    CHECK(allclose(model.y.array(), array_of(io, "y"), 1e-5, 1e-6));
    CHECK(allclose(loss.array(), array_of(io, "loss"), 1e-5, 1e-6));
    CHECK(array_equal(model.accuracy.array(), array_of(io, "accuracy")));

    MLP predictor;
    load_npz(*file, predictor, {.path = "predictor/"});
    CHECK(array_equal(predictor(input_of(io, "x")).array(), model.y.array()));
  }
}

TEST_CASE("Chainer's CNN and its Adam go on as in Chainer", "[npz][chainer]") {
  for (const std::string kind : {"compressed", "plain"}) {
    const auto model_file = chainer_file("cnn_bn_" + kind + ".npz");
    if (!model_file) return;
    const auto optimizer_file = *chainer_file("cnn_bn_adam_" + kind + ".npz");
    const Dictionary io = load_npz(*chainer_file("cnn_bn_io.npz"));
    links::Classifier model{SmallCNN{}};
    load_npz(*model_file, model);
    {
      const auto test = using_train(false);
      const Variable loss = model(input_of(io, "x"), input_of(io, "t"));
      CHECK(allclose(model.y.array(), array_of(io, "y"), 1e-5, 1e-6));
      CHECK(allclose(loss.array(), array_of(io, "loss"), 1e-5, 1e-6));
    }
    optimizers::Adam optimizer{{.alpha = 0.002}};
    optimizer.setup(model);
    load_npz(optimizer_file, optimizer);

    // Written again, both files hold what they held.
    const auto same = [](const Dictionary& ours, const Dictionary& theirs) {
      CHECK(ours.size() == theirs.size());
      for (const auto& [key, value] : theirs) {
        INFO(key);
        REQUIRE(ours.contains(key));
        CHECK(array_of(ours, key).dtype() == std::get<Array>(value).dtype());
        CHECK(array_equal(array_of(ours, key), std::get<Array>(value)));
      }
    };
    same(to_dictionary(model), load_npz(*model_file));
    same(to_dictionary(optimizer), load_npz(optimizer_file));

    optimizer.update(model, input_of(io, "next_x"), input_of(io, "next_t"));
    for (const auto& [key, value] : to_dictionary(model)) {
      INFO(key);
      // Batch normalization cancels the bias before it: its gradient is rounding noise, which Adam scales up to steps
      // of about alpha.
      const double atol = key == "predictor/conv1/b" ? 0.002 : 1e-6;
      CHECK(allclose(std::get<Array>(value), array_of(io, "next_after/" + key), 1e-5, atol));
    }
  }
}

TEST_CASE("Chainer's uninitialised parameters stay uninitialised", "[npz][chainer]") {
  struct Model : Chain<Model> {
    links::Linear a{3}, b{2, 2, {.nobias = true}};
  };
  for (const char* name : {"uninitialized_compressed.npz", "uninitialized_plain.npz"}) {
    const auto file = chainer_file(name);
    if (!file) return;
    Model model;
    model.a.b->array().fill(7);
    load_npz(*file, model);
    CHECK_FALSE(model.a.W.is_initialized());
    CHECK(array_equal(model.a.b->array(), array_of(load_npz(*file), "a/b")));
    CHECK(array_equal(model.b.W.array(), array_of(load_npz(*file), "b/W")));

    const files::TemporaryFolder folder;
    save_npz(folder / "again.npz", model);
    CHECK(load_npz(folder / "again.npz").at("a/W").index() == 0);
  }
}
