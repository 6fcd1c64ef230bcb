// Driven by npz.py: what this program writes is read by NumPy and Chainer, and the reverse.
#include <cstdio>
#include <string_view>

#include "dnn/dnn.hpp"
#include "dnn/serializers/npz.hpp"

using namespace dnn;

namespace {

/// One value of every kind that an archive holds; npz.py knows the same list.
serializers::Dictionary samples() {
  serializers::Dictionary all;
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16, DType::int32, DType::int64,
                            DType::uint8, DType::boolean}) {
    all[concat("dtype/", dtype)] = arange(6).to(dtype).reshape({2, 3});
  }
  all["shape/scalar"] = scalar(1.5);
  all["shape/vector"] = arange(7);
  all["shape/empty"] = zeros({3, 0, 2});
  all["shape/eight"] = arange(8).reshape({1, 2, 1, 2, 1, 2, 1, 1});
  all["shape/large"] = arange(0, 300'000, 1, float32).reshape({300, 1000});
  all["none"] = std::monostate{};
  all["text/json"] = std::string("[{\"main/loss\": 1.5}]");
  all["text/unicode"] = std::string("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  all["text/empty"] = std::string();
  return all;
}

/// npz.py has the same model in Chainer.
struct Net : Chain<Net> {
  links::Linear l1{5};
  links::BatchNormalization bn{5};
  Variable operator()(const Variable& x) { return bn(functions::tanh(l1(x))); }
};

struct Training {
  links::Classifier<Net> model{Net{}};
  optimizers::Adam optimizer;
  Array x, t;

  explicit Training(const char* data_file) {
    const auto data = serializers::load_npz(data_file);
    x = std::get<Array>(data.at("x"));
    t = std::get<Array>(data.at("t"));
    optimizer.setup(model);
  }
};

/// Three updates, then saves model and optimizer.
void train(const char* data_file, const char* model_file, const char* optimizer_file) {
  Training training(data_file);
  for (int i = 0; i < 3; ++i) training.optimizer.update(training.model, training.x, training.t);
  serializers::save_npz(model_file, training.model);
  serializers::save_npz(optimizer_file, training.optimizer);
}

/// Loads both, saves what the model predicts, and what it is after one more update.
void resume(const char* data_file, const char* model_file, const char* optimizer_file, const char* out) {
  Training training(data_file);
  serializers::load_npz(model_file, training.model);
  serializers::load_npz(optimizer_file, training.optimizer);
  serializers::Dictionary results;
  {
    const auto test = using_train(false);
    results["y"] = training.model.predictor(training.x).array();
  }
  training.optimizer.update(training.model, training.x, training.t);
  results.merge(serializers::to_dictionary(training.model));
  serializers::save_npz(out, results);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "write" && argc == 4) {
    serializers::save_npz(argv[2], samples(), {.compression = std::string_view(argv[3]) == "deflate"});
  } else if (command == "copy" && argc == 4) {
    serializers::save_npz(argv[3], serializers::load_npz(argv[2]), {.compression = false});
  } else if (command == "train" && argc == 5) {
    train(argv[2], argv[3], argv[4]);
  } else if (command == "resume" && argc == 6) {
    resume(argv[2], argv[3], argv[4], argv[5]);
  } else {
    std::fputs(
        "usage: interop_npz write FILE deflate|store     the samples\n"
        "       interop_npz copy FROM TO                 reads an archive, and writes it uncompressed\n"
        "       interop_npz train DATA MODEL OPTIMIZER   trains and saves\n"
        "       interop_npz resume DATA MODEL OPTIMIZER OUT\n",
        stderr);
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
