// The article "Train and register Chainer models at scale with Azure Machine Learning" as a program: submits the
// example chainer_mnist, follows it, registers its model and downloads it. Without a config.json all of it happens on
// this machine.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <cloud/cloud.hpp>

struct Arguments {
  std::string local;
  std::string config;
  std::string source = ".";
  std::string entry = "chainer_mnist";
  std::string experiment = "chainer-mnist";
  std::string cluster = "gpu-cluster";
  std::string vm_size = "Standard_NC4as_T4_v3";
  int max_nodes = 4;
  int epochs = 10;
  int batchsize = 128;
  bool gpu = false;
  std::string model = "chainer-dnn-mnist";
  std::string download = "./model";
};

// What is done of an upload or download, on a terminal in one line that is written over.
void show_progress(const std::string& what, std::uint64_t done, std::uint64_t total) {
  static const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const bool complete = total == 0 || done >= total;
  if (!terminal && !complete) return;
  std::printf("%s%s: %s of %s%s", terminal ? "\r" : "", what.c_str(), cloud::size_text(done).c_str(),
              cloud::size_text(std::max(done, total)).c_str(), complete ? "\n" : "");
  std::fflush(stdout);
}

// One row for each time something was logged, one column for each series; what was logged once stands above.
void show_metrics(const std::vector<cloud::Metric>& metrics) {
  std::map<std::string, std::vector<double>> series;
  for (const cloud::Metric& metric : metrics) series[metric.key].push_back(metric.value);
  if (series.empty()) return;
  std::printf("\nMetrics\n");
  std::size_t rows = 0;
  for (const auto& [key, values] : series) {
    if (values.size() == 1) std::printf("  %-14s %s\n", key.c_str(), cloud::number_text(values[0]).c_str());
    if (values.size() > 1) rows = std::max(rows, values.size());
  }
  if (rows == 0) return;
  std::printf("\n  %4s", "");
  for (const auto& [key, values] : series) {
    if (values.size() > 1) std::printf("  %12s", key.c_str());
  }
  for (std::size_t row = 0; row < rows; ++row) {
    std::printf("\n  %4zu", row + 1);
    for (const auto& [key, values] : series) {
      if (values.size() > 1 && row < values.size()) std::printf("  %12.6g", values[row]);
      if (values.size() > 1 && row >= values.size()) std::printf("  %12s", "");
    }
  }
  std::printf("\n");
}

int run(const Arguments& args) {
  // The workspace
  auto ws = args.local.empty() ? cloud::Workspace::from_config(args.config) : cloud::Workspace::local(args.local);
  const cloud::WorkspaceInfo info = ws.info();
  std::printf("Workspace: %s (%s, %s)\n", info.name.c_str(), info.backend.c_str(), info.location.c_str());
  if (!info.subscription_id.empty()) {
    std::printf("Subscription: %s\nResource group: %s\n", info.subscription_id.c_str(), info.resource_group.c_str());
  }
  std::printf("\n");

  // The experiment and the cluster
  cloud::Experiment experiment{ws, args.experiment};
  auto target =
      cloud::ComputeTarget::get_or_create(ws, args.cluster, {.vm_size = args.vm_size, .max_nodes = args.max_nodes});
  target.wait_for_completion({.show_output = true});
  std::printf("%s\n\n", cloud::json::dump_pretty(cloud::to_json(target.status())).c_str());

  // The job
  cloud::Estimator estimator{
      {.source_directory = args.source,
       .entry = args.entry,
       .script_params = {{"--epochs", args.epochs},
                         {"--batchsize", args.batchsize},
                         {"--output_dir", "./outputs"},
                         {"--gpu_id", args.gpu ? 0 : -1}},
       .compute_target = target,
       .packages = {"libeigen3-dev", "libzip-dev", "zlib1g-dev", "libcereal-dev", "libcurl4-openssl-dev", "libssl-dev",
                    "libsqlite3-dev", "nlohmann-json3-dev", "libcli11-dev"},
       .cmake_options = {"-DDNN_BUILD_TESTS=OFF", "-DDNN_BUILD_BENCHMARKS=OFF", "-DDNN_BUILD_EXAMPLES=ON"},
       .use_gpu = args.gpu}};
  auto run = experiment.submit(estimator, {.progress = show_progress});
  run.wait_for_completion({.show_output = true});
  show_metrics(run.metrics());

  // The model
  if (!args.model.empty()) {
    std::printf("\n");
    auto model = run.register_model(args.model, "outputs/model.npz", {.tags = {{"framework", "dnn"}}});
    std::printf("Registered %s, version %d\n", model.name().c_str(), model.version());
  }
  if (!args.download.empty()) {
    std::printf("\n");
    for (auto& name : run.file_names("outputs/model")) {
      const std::string to = args.download + "/" + name.substr(name.rfind('/') + 1);
      std::printf("Downloading from %s to %s ...\n", name.c_str(), to.c_str());
      run.download_file(name, to, show_progress);
    }
  }
  return 0;
}

int main(int argc, char** argv) try {
  Arguments args;
  CLI::App app{"Submits the training of MNIST, follows it, registers and downloads its model"};
  auto* local = app.add_option("--local", args.local, "A local workspace: a folder of this machine");
  app.add_option("--config", args.config,
                 "Azure: a config.json, or a folder from which to look for one (default: from here)")
      ->excludes(local);
  app.add_option("--source", args.source, "The source directory: a copy of the repository of dnn")
      ->capture_default_str();
  app.add_option("--entry", args.entry, "The program of it to build and start")->capture_default_str();
  app.add_option("--experiment", args.experiment, "The name under which runs belong together")->capture_default_str();
  app.add_option("--cluster", args.cluster, "The compute to use or create")->capture_default_str();
  app.add_option("--vm-size", args.vm_size, "Size of its machines, when it is created")->capture_default_str();
  app.add_option("--max-nodes", args.max_nodes, "Its machines at most; locally, runs at once")->capture_default_str();
  app.add_option("-e,--epochs", args.epochs, "Sweeps over the training set")->capture_default_str();
  app.add_option("-b,--batchsize", args.batchsize, "Images per mini-batch")->capture_default_str();
  app.add_flag("--gpu", args.gpu, "Build for and train on a GPU");
  app.add_option("--register", args.model, "Register the model under this name; empty: do not")->capture_default_str();
  app.add_option("--download", args.download, "Download the model to this folder; empty: do not")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return run(args);
} catch (const std::exception& error) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
