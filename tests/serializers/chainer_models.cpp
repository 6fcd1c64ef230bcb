// Chainer's own files drive models of this library to the outputs that Chainer recorded.
#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/evaluation/accuracy.hpp"
#include "dnn/functions/loss/softmax_cross_entropy.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/linear.hpp"
#include "dnn/serializers/npz.hpp"
#include "files.hpp"

using namespace dnn;
using namespace dnn::serializers;

namespace {

struct MLP : Chain<MLP> {
  links::Linear l1{100}, l2{100}, l3{10};
  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
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

}  // namespace

TEST_CASE("Chainer's MLP gives Chainer's outputs", "[npz][chainer]") {
  for (const char* name : {"mlp_classifier_compressed.npz", "mlp_classifier_plain.npz"}) {
    const auto file = chainer_file(name);
    if (!file) return;
    const Dictionary io = load_npz(*chainer_file("mlp_classifier_io.npz"));
    MLP model;
    load_npz(*file, model, {.path = "predictor/"});
    CHECK(model.l1.W.shape() == Shape{100, 784});
    const auto test = using_train(false);
    const Variable y = model(array_of(io, "x"));
    CHECK(allclose(y.array(), array_of(io, "y"), 1e-5, 1e-6));
    CHECK(allclose(softmax_cross_entropy(y, array_of(io, "t")).array(), array_of(io, "loss"), 1e-5, 1e-6));
    CHECK(array_equal(accuracy(y, array_of(io, "t")).array(), array_of(io, "accuracy")));
  }
}
