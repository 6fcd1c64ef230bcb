/// Everything of the plugin: submit a program, follow it, log from it, fetch its files and register its models - on
/// this machine or on Azure Machine Learning. Needs libcurl, nlohmann-json, SQLite and OpenSSL; does not need dnn.
///
///     auto ws = cloud::Workspace::from_config();
///     cloud::Experiment experiment{ws, "chainer-mnist"};
///     auto target = cloud::ComputeTarget::get_or_create(ws, "gpu-cluster", {.vm_size = "Standard_NC4as_T4_v3",
///     .max_nodes = 4}); target.wait_for_completion({.show_output = true}); cloud::Estimator
///     estimator{{.source_directory = ".", .entry = "chainer_mnist", .script_params = {{"--epochs", 10}},
///                                 .compute_target = target, .use_gpu = true}};
///     auto run = experiment.submit(estimator);
///     run.wait_for_completion({.show_output = true});
///     auto model = run.register_model("chainer-dnn-mnist", "outputs/model.npz");
#pragma once

#include "cloud/compute_target.hpp"
#include "cloud/core/error.hpp"
#include "cloud/estimator.hpp"
#include "cloud/experiment.hpp"
#include "cloud/model.hpp"
#include "cloud/run.hpp"
#include "cloud/to_json.hpp"
#include "cloud/workspace.hpp"
