/// The computational graph behind variables, as data and as a Graphviz file:
///
///     write("cg.dot", build_computational_graph({loss}).dump());     // then: dot -Tsvg cg.dot
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dnn/autograd/variable.hpp"

namespace dnn::inline DNN_ABI {

/// Graphviz attributes in the order in which they are written.
using GraphStyle = std::vector<std::pair<std::string, std::string>>;

struct GraphOptions {
  GraphStyle variable_style = {{"shape", "octagon"}, {"fillcolor", "#E0E0E0"}, {"style", "filled"}};
  GraphStyle function_style = {{"shape", "record"}, {"fillcolor", "#6495ED"}, {"style", "filled"}};
  std::string rankdir = "TB";    ///< direction: TB, BT, LR, RL
  bool remove_variable = false;  ///< only functions, connected directly
  bool show_name = true;         ///< `W: (4, 3), float32`; false: `(4, 3), float32`
};

/// Nodes and edges of a graph. Node numbers are positions in `nodes`.
struct ComputationalGraph {
  struct Node {
    std::string label;
    bool is_function;
  };

  std::vector<Node> nodes;
  std::vector<std::pair<std::size_t, std::size_t>> edges;  ///< in the direction of computation
  GraphOptions options;

  /// The graph in the DOT language, on one line as Chainer writes it.
  std::string dump() const {
    std::string out = concat("digraph graphname{rankdir=", options.rankdir, ";");
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      out += concat(i, " [label=\"", escaped(nodes[i].label), "\"");
      for (const auto& [key, value] : nodes[i].is_function ? options.function_style : options.variable_style) {
        out += concat(",", key, "=\"", escaped(value), "\"");
      }
      out += "];";
    }
    for (const auto& [from, to] : edges) out += concat(from, " -> ", to, ";");
    return out + "}";
  }

 private:
  static std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  }
};

namespace detail {

/// Walks from the outputs to the leaves and numbers what it meets.
class GraphBuilder {
 public:
  explicit GraphBuilder(const GraphOptions& options) { graph_.options = options; }

  ComputationalGraph build(std::span<const Variable> outputs) {
    for (const auto& y : outputs) {
      if (y.defined()) number(y.node().get());
    }
    while (!waiting_.empty()) {
      const FunctionNode* function = waiting_.back();
      waiting_.pop_back();
      const std::size_t id = numbers_.at(function);
      for (const auto& input : function->inputs()) {
        if (graph_.options.remove_variable) {
          if (input->creator) graph_.edges.emplace_back(number(input->creator.get()), id);
        } else {
          graph_.edges.emplace_back(number(input.get()), id);
        }
      }
    }
    return std::move(graph_);
  }

 private:
  std::size_t number(const FunctionNode* function) {
    const auto [place, is_new] = numbers_.try_emplace(function, graph_.nodes.size());
    if (is_new) {
      graph_.nodes.push_back({std::string(function->name()), true});
      waiting_.push_back(function);
    }
    return place->second;
  }

  std::size_t number(const VariableNode* node) {
    if (graph_.options.remove_variable) return node->creator ? number(node->creator.get()) : 0;
    const auto [place, is_new] = numbers_.try_emplace(node, std::uint64_t{graph_.nodes.size()});
    const std::size_t id = place->second;
    if (is_new) {
      graph_.nodes.push_back({label(*node), false});
      if (node->creator) graph_.edges.emplace_back(number(node->creator.get()), id);
    }
    return id;
  }

  std::string label(const VariableNode& node) const {
    std::string out;
    if (graph_.options.show_name && !node.name.empty()) out = node.name + ": ";
    return out + (node.shape.ndim() == 0 ? "" : concat(node.shape, ", ")) + to_text(node.dtype);
  }

  ComputationalGraph graph_;
  std::unordered_map<const void*, std::uint64_t> numbers_;
  std::vector<const FunctionNode*> waiting_;
};

}  // namespace detail

/// Everything that `outputs` were computed from. A variable is labelled `name: shape, dtype`, a function by its name.
inline ComputationalGraph build_computational_graph(std::span<const Variable> outputs,
                                                    const GraphOptions& options = {}) {
  return detail::GraphBuilder(options).build(outputs);
}
inline ComputationalGraph build_computational_graph(std::initializer_list<Variable> outputs,
                                                    const GraphOptions& options = {}) {
  return build_computational_graph(std::span(outputs.begin(), outputs.size()), options);
}

}  // namespace dnn::inline DNN_ABI
