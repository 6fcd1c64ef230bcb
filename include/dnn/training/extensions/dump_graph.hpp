/// A picture of the computational graph.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "dnn/autograd/graph.hpp"
#include "dnn/core/config.hpp"
#include "dnn/training/text_file.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct DumpGraphOptions {
  std::string filename = "cg.dot";
  GraphOptions graph = {};
};

/// Writes the graph behind a reported variable of the first iteration, in Graphviz's language (`dot -Tsvg cg.dot`):
/// `DumpGraph{"main/loss"}`. Throws ArgumentError when that is not a reported variable.
class DumpGraph : public Extension {
 public:
  explicit DumpGraph(std::string root_name, DumpGraphOptions options = {})
      : root_name_(std::move(root_name)), options_(std::move(options)) {}

  std::string default_name() const override { return "dump_graph"; }

  void initialize(Trainer&) override {
    if (called_) return;
    original_flag_ = config().keep_graph_on_report;
    config().keep_graph_on_report = true;
  }
  void operator()(Trainer& trainer) override {
    if (called_) return;
    called_ = true;
    finalize();
    const Variable& root = trainer.observation()[root_name_].variable();
    if (!root.defined()) throw ArgumentError("[DumpGraph] '", root_name_, "' is a number, not a variable");
    write_text_file(trainer.out() / options_.filename, build_computational_graph({root}, options_.graph).dump());
  }
  void finalize() override {
    if (original_flag_) config().keep_graph_on_report = *original_flag_;
  }
  void serialize(Serializer& s) override {
    s("_original_flag", original_flag_);
    s("_flag_called", called_);
  }

 private:
  std::string root_name_;
  DumpGraphOptions options_;
  std::optional<bool> original_flag_;
  bool called_ = false;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
