#include "dnn/autograd/graph.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/connection/linear.hpp"
#include "dnn/functions/math/arithmetic.hpp"
#include "dnn/functions/math/sum.hpp"

using namespace dnn;

TEST_CASE("the graph dump is Chainer's", "[autograd]") {
  const Variable x(ones({2, 3}), {.name = "x"}), W(ones({4, 3}), {.name = "W"});
  const auto graph = build_computational_graph({sum(relu(linear(x, W)))});
  // Golden text__graph_dot__basic: one node for each label, edges between labels.
  std::vector<std::string> labels, edges;
  for (const auto& node : graph.nodes) labels.push_back(node.label);
  for (const auto& [from, to] : graph.edges) edges.push_back(graph.nodes[from].label + " -> " + graph.nodes[to].label);
  std::sort(labels.begin(), labels.end());
  std::sort(edges.begin(), edges.end());
  CHECK(labels == std::vector<std::string>{"(2, 4), float32", "(2, 4), float32", "LinearFunction", "ReLU", "Sum",
                                           "W: (4, 3), float32", "float32", "x: (2, 3), float32"});
  CHECK(edges == std::vector<std::string>{"(2, 4), float32 -> ReLU", "(2, 4), float32 -> Sum",
                                          "LinearFunction -> (2, 4), float32", "ReLU -> (2, 4), float32",
                                          "Sum -> float32", "W: (4, 3), float32 -> LinearFunction",
                                          "x: (2, 3), float32 -> LinearFunction"});
  const std::string dot = graph.dump();
  CHECK(dot.starts_with("digraph graphname{rankdir=TB;"));
  CHECK(dot.ends_with("}"));
  CHECK(dot.find('\n') == std::string::npos);
  CHECK(dot.find("[label=\"W: (4, 3), float32\",shape=\"octagon\",fillcolor=\"#E0E0E0\",style=\"filled\"];") !=
        std::string::npos);
  CHECK(dot.find("[label=\"ReLU\",shape=\"record\",fillcolor=\"#6495ED\",style=\"filled\"];") != std::string::npos);
}

TEST_CASE("a graph can leave out variables and names, and be styled", "[autograd]") {
  const Variable x(ones({2}), {.name = "a \"b\""});
  const Variable y = relu(x) + x;
  const auto functions = build_computational_graph({y}, {.rankdir = "LR", .remove_variable = true});
  CHECK(functions.nodes.size() == 2);
  CHECK(functions.edges.size() == 1);
  CHECK(functions.dump().starts_with("digraph graphname{rankdir=LR;"));
  CHECK(build_computational_graph({y}).dump().find("a \\\"b\\\"") != std::string::npos);
  CHECK(build_computational_graph({y}, {.show_name = false}).dump().find("a ") == std::string::npos);
  CHECK(build_computational_graph({y}, {.variable_style = {{"color", "red"}}}).dump().find(",color=\"red\"]") !=
        std::string::npos);
  // The same input twice is one node with two edges; a leaf alone is a node.
  const auto twice = build_computational_graph({x + x});
  CHECK(twice.nodes.size() == 3);
  CHECK(twice.edges.size() == 3);
  CHECK(build_computational_graph({x}).nodes.size() == 1);
  CHECK(build_computational_graph({y, relu(x), Variable{}}).nodes.size() == 7);
}

TEST_CASE("a graph of 100,000 functions is dumped", "[autograd]") {
  Variable y(ones({1}));
  for (int i = 0; i < 100000; ++i) y = -y;
  CHECK(build_computational_graph({y}).nodes.size() == 200001);
}
