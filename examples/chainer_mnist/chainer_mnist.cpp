// The training script of the article "Train and register Chainer models at scale": an MLP, a loop written out, metrics
// logged to the run, and the model saved where the service collects it.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include <cloud/run.hpp>
#include <dnn/datasets.hpp>
#include <dnn/dnn.hpp>
#include <dnn/serializers.hpp>

using namespace dnn;

struct MyNetwork : Chain<MyNetwork> {
  int n_mid_units = 100, n_out = 10;
  links::Linear l1{n_mid_units}, l2{n_mid_units}, l3{n_out};

  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

struct Arguments {
  int batchsize = 100;
  int epochs = 20;
  std::string output_dir = "./outputs";
  int gpu_id = 0;
  std::string data;
  std::string dataset = "auto";
};

/// The mean loss and accuracy over the minibatches of one pass.
struct Evaluation {
  double loss = 0, accuracy = 0;
};

Evaluation evaluate(MyNetwork& model, iterators::SerialIterator& test_iter) {
  const auto inference = no_backprop_mode();
  const auto test_mode = using_train(false);
  Evaluation sum;
  int batches = 0;
  test_iter.reset();
  for (auto minibatch = test_iter.next(); minibatch; minibatch = test_iter.next()) {
    const Batch batch = concat_examples(*minibatch);
    const Variable y = model(batch[0]);
    sum.loss += softmax_cross_entropy(y, batch[1]).item();
    sum.accuracy += accuracy(y, batch[1]).item();
    ++batches;
  }
  return {sum.loss / batches, sum.accuracy / batches};
}

void train(const Arguments& args) {
  serializers::create_folder(args.output_dir);  // now: nobody wants to train in vain
  cloud::Run run = cloud::Run::get_context();

  auto [train, test] = datasets::get_mnist({.data = args.data, .source = args.dataset});
  run.log("Batch size", args.batchsize);
  run.log("Epochs", args.epochs);
  iterators::SerialIterator train_iter{train, args.batchsize};
  iterators::SerialIterator test_iter{test, args.batchsize, {.repeat = false, .shuffle = false}};

  MyNetwork model;
  optimizers::MomentumSGD optimizer{{.lr = 0.01, .momentum = 0.9}};
  optimizer.setup(model);

  while (train_iter.epoch() < args.epochs) {
    const Batch batch = concat_examples(*train_iter.next());
    const Variable loss = softmax_cross_entropy(model(batch[0]), batch[1]);
    model.cleargrads();
    loss.backward();
    optimizer.update();

    if (train_iter.is_new_epoch()) {
      std::printf("epoch:%02d train_loss:%.4f ", static_cast<int>(train_iter.epoch()), loss.item());
      const auto [val_loss, val_accuracy] = evaluate(model, test_iter);
      std::printf("val_loss:%.4f val_accuracy:%.4f\n", val_loss, val_accuracy);
      if (std::fflush(stdout) != 0) throw FileError("standard output cannot be written");
      run.log("Accuracy", val_accuracy);
    }
  }

  serializers::save_npz(std::filesystem::path(args.output_dir) / "model.npz", model);
  run.complete();
}

int main(int argc, char** argv) {
  try {
    Arguments args;
    constexpr int most = 1'000'000'000;
    CLI::App app{"Train an MLP on MNIST, as the article's chainer_mnist.py"};
    app.option_defaults()->always_capture_default();
    app.add_option("-b,--batchsize", args.batchsize, "Images in each minibatch")->check(CLI::Range(1, most));
    app.add_option("-e,--epochs", args.epochs, "Sweeps over the training data")->check(CLI::Range(1, most));
    app.add_option("-o,--output_dir", args.output_dir, "Where model.npz goes");
    app.add_option("-g,--gpu_id", args.gpu_id, "The GPU; negative: the CPU");
    app.add_option("--data", args.data, "The folder that holds the data set");
    app.add_option("--dataset", args.dataset, "The data set")
        ->check(CLI::IsMember({"auto", "mnist", "fashion", "generated"}));
    CLI11_PARSE(app, argc, argv);

    if (args.gpu_id >= 0) std::fprintf(stderr, "This program was built for the CPU, and trains on it.\n");
    train(args);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "chainer_mnist: %s\n", error.what());
    return 1;
  }
}
