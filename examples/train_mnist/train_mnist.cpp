// Chainer's MNIST example: a multilayer perceptron, or a convolutional network, learns handwritten digits.
#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>

#include <dnn/datasets.hpp>
#include <dnn/dnn.hpp>
#include <dnn/serializers.hpp>
#include <dnn/training.hpp>

using namespace dnn;
using namespace dnn::training;

struct MLP : Chain<MLP> {
  int n_units = 1000;
  links::Linear l1{n_units}, l2{n_units}, l3{10};

  Variable operator()(const Variable& x) { return l3(relu(l2(relu(l1(x))))); }
};

struct CNN : Chain<CNN> {
  int n_units = 1000;
  links::Convolution2D conv1{1, 32, 5}, conv2{32, 64, 5};
  links::Linear l1{n_units}, l2{10};

  Variable operator()(const Variable& x) {
    auto h = max_pooling_2d(relu(conv1(x)), 2);
    h = max_pooling_2d(relu(conv2(h)), 2);
    return l2(dropout(relu(l1(h))));
  }
};

struct Arguments {
  int batchsize = 100;
  int epoch = 20;
  int unit = 1000;
  std::string model = "mlp";
  std::string device = "cpu";
  std::string dtype = "float32";
  bool capture = false;
  std::string out = "result";
  std::string resume;
  std::uint64_t seed = 0;
  int frequency = -1;
  bool noplot = false;
  std::string data;
  std::string dataset = "auto";
};

template <class Predictor>
int train(const Arguments& args, Predictor predictor, int image_ndim) {
  serializers::create_folder(args.out);  // now: nobody wants to download data in vain
  std::printf("Device: %s\n# unit: %d\n# Minibatch-size: %d\n# epoch: %d\n\n", args.device.c_str(), args.unit,
              args.batchsize, args.epoch);

  // The model and its optimizer
  links::Classifier model{std::move(predictor)};
  optimizers::Adam optimizer;
  optimizer.setup(model);
  if (args.dtype == "mixed16" || args.dtype == "bfloat16") optimizer.use_fp32_update();
  if (args.dtype == "mixed16") optimizer.loss_scaling();

  // The data
  auto [train, test] =
      datasets::get_mnist({.ndim = image_ndim, .data = args.data, .source = args.dataset, .seed = args.seed});
  iterators::SerialIterator train_iter{train, args.batchsize};
  iterators::SerialIterator test_iter{test, args.batchsize, {.repeat = false, .shuffle = false}};

  // The training
  StandardUpdater updater{train_iter, optimizer, model, {.capture = args.capture}};
  Trainer trainer{updater, {args.epoch, "epoch"}, args.out};

  // Loss and accuracy on the test data after each epoch
  trainer.extend(extensions::Evaluator{test_iter, model});
  // The graph behind the loss of the first iteration
  trainer.extend(extensions::DumpGraph{"main/loss"});
  // The state of everything, to go on from with --resume
  const int frequency = args.frequency == -1 ? args.epoch : args.frequency;
  trainer.extend(extensions::snapshot(), {.trigger = {frequency, "epoch"}});
  trainer.extend(extensions::LogReport{});
  if (!args.noplot) {
    trainer.extend(extensions::PlotReport{{"main/loss", "validation/main/loss"},
                                          {.x_key = "epoch", .filename = "loss.svg", .title = "Loss"}});
    trainer.extend(extensions::PlotReport{{"main/accuracy", "validation/main/accuracy"},
                                          {.x_key = "epoch", .filename = "accuracy.svg", .title = "Accuracy"}});
  }
  trainer.extend(extensions::PrintReport{
      {"epoch", "main/loss", "validation/main/loss", "main/accuracy", "validation/main/accuracy", "elapsed_time"}});
  trainer.extend(extensions::ProgressBar{});

  if (!args.resume.empty()) serializers::load_npz(args.resume, trainer);
  trainer.run();
  if (const auto* step = updater.captured_step(); step && !step->reason().empty()) {
    std::fprintf(stderr, "The steps were not captured: %s\n", step->reason().c_str());
  }
  if (trainer.interrupted()) {
    std::fprintf(stderr, "To go on: the same command with --resume and the saved file.\n");
    return 130;
  }
  serializers::save_npz(std::filesystem::path(args.out) / "model.npz", model.predictor);
  return 0;
}

int main(int argc, char** argv) {
  try {
    Arguments args;
    constexpr int most = 1'000'000'000;
    CLI::App app{"Train a network on MNIST"};
    app.option_defaults()->always_capture_default();
    app.add_option("-b,--batchsize", args.batchsize, "Images in each minibatch")->check(CLI::Range(1, most));
    app.add_option("-e,--epoch", args.epoch, "Sweeps over the training data")->check(CLI::Range(1, most));
    app.add_option("-u,--unit", args.unit, "Units of the hidden layers")->check(CLI::Range(1, most));
    app.add_option("--model", args.model, "The network")->check(CLI::IsMember({"mlp", "cnn"}));
    app.add_option("-d,--device", args.device, "Where to compute");
    app.add_option("--dtype", args.dtype,
                   "What to compute with; mixed16: float16, updated in float32 from scaled losses; float16 alone also "
                   "updates in float16, where the squares of small gradients are 0")
        ->check(CLI::IsMember({"float32", "float64", "float16", "bfloat16", "mixed16"}));
    app.add_flag("--capture", args.capture, "Repeat training steps as CUDA graphs");
    app.add_option("-o,--out", args.out, "The folder for results");
    app.add_option("-r,--resume", args.resume, "The snapshot to go on from")->check(CLI::ExistingFile);
    app.add_option("--seed", args.seed, "Of all random numbers")->check([](const std::string& text) -> std::string {
      return text[0] == '-' ? "must not be negative" : "";
    });
    app.add_option("-f,--frequency", args.frequency, "Epochs between snapshots; -1: only one, at the end")
        ->check(CLI::Range(-1, most))
        ->check([](const std::string& text) -> std::string { return text == "0" ? "must be -1 or at least 1" : ""; });
    app.add_flag("--noplot", args.noplot, "No plots");
    app.add_option("--data", args.data, "The folder that holds the data set");
    app.add_option("--dataset", args.dataset, "The data set")
        ->check(CLI::IsMember({"auto", "mnist", "fashion", "generated"}));
    CLI11_PARSE(app, argc, argv);

    const auto device = using_device(args.device);
    const auto dtype = using_dtype(dtype_from_name(args.dtype == "mixed16" ? "float16" : args.dtype));
    seed(args.seed);
    return args.model == "cnn" ? train(args, CNN{.n_units = args.unit}, 3) : train(args, MLP{.n_units = args.unit}, 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_mnist: %s\n", error.what());
    return 1;
  }
}
