// Texts that Chainer writes: reports, logs, names, graph dumps. Each case is a JSON file.
#include <algorithm>
#include <fstream>
#include <limits>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/graph.hpp"
#include "dnn/functions/activation/relu.hpp"
#include "dnn/functions/connection/linear.hpp"
#include "dnn/functions/math/sum.hpp"
#include "dnn/links.hpp"
#include "dnn/optimizers.hpp"
#include "dnn/training.hpp"
#include "golden.hpp"

namespace golden {

namespace {

using namespace dnn::training;
using OrderedJson = nlohmann::ordered_json;

OrderedJson content(const Case& test) {
  std::ifstream file(test.path());
  return OrderedJson::parse(file);
}

void expect_text(Case& test, const std::string& what, const std::string& actual, const std::string& expected) {
  if (actual != expected) test.fail(concat(what, " is\n", actual, "\nexpected\n", expected));
}
void expect_same(Case& test, const std::string& what, const OrderedJson& actual, const OrderedJson& expected) {
  expect_text(test, what, actual.dump(1), expected.dump(1));
}

std::vector<extensions::LogRecord> records(const OrderedJson& log) {
  std::vector<extensions::LogRecord> out;
  for (const auto& entry : log) {
    auto& record = out.emplace_back();
    for (const auto& [key, value] : entry.items()) {
      if (value.is_number_integer()) record.emplace_back(key, value.get<std::int64_t>());
      else if (value.is_string()) record.emplace_back(key, std::numeric_limits<double>::quiet_NaN());
      else record.emplace_back(key, value.get<double>());
    }
  }
  return out;
}

void print_report(Case& test) {
  const auto j = content(test);
  std::string out;
  extensions::PrintReport report(j.at("entries").get<std::vector<std::string>>(),
                                 {.out = TextOutput([&](std::string_view text) { out += text; })});
  report.print(records(j.at("log")));
  expect_text(test, "output", out, j.at("output"));
}

void log_report(Case& test) {
  const auto j = content(test);
  const auto log = records(j.at("records"));
  expect_text(test, "output", training::json::dump(training::json::Array(log.begin(), log.end()), 4), j.at("output"));
}

void progress_bar(Case& test) {
  const auto j = content(test);
  const std::int64_t iteration = j.at("iteration"), per_epoch = j.at("iterations_per_epoch");
  const double speed = j.at("iters_per_sec");
  const auto text = extensions::progress_text(
      {iteration, iteration / per_epoch, static_cast<double>(iteration) / static_cast<double>(per_epoch),
       TrainingLength{j.at("stop")[0].get<double>(), j.at("stop")[1].get<std::string>()}, speed,
       speed / static_cast<double>(per_epoch)});
  std::string expected;
  for (const std::string line : j.at("lines")) expected += line;
  expect_text(test, "lines", text, expected);
}

void graph_dot(Case& test) {
  const auto j = content(test);
  const Variable x(ones({2, 3}), {.name = "x"}), W(ones({4, 3}), {.name = "W"});
  const auto graph = build_computational_graph({sum(relu(linear(x, W)))});
  const std::string dot = graph.dump();
  // Between the head and the closing brace: `<id> [attributes];` and `<id> -> <id>;`.
  const std::string head = j.at("head");
  expect_text(test, "head", dot.substr(0, head.size()), head);
  std::vector<std::string> attributes;
  std::vector<std::array<std::string, 2>> edges;
  for (std::size_t at = head.size(); at + 1 < dot.size();) {
    const auto end = dot.find(';', at);
    const std::string statement = dot.substr(at, end - at);
    if (const auto bracket = statement.find('['); bracket != std::string::npos)
      attributes.push_back(statement.substr(bracket));
    at = end + 1;
  }
  for (const auto& [from, to] : graph.edges) edges.push_back({graph.nodes[from].label, graph.nodes[to].label});
  std::sort(attributes.begin(), attributes.end());
  std::sort(edges.begin(), edges.end());
  expect_same(test, "nodes", attributes, j.at("node_attributes"));
  expect_same(test, "edges", edges, j.at("edges"));
}

// Outer{list: ChainList(Linear(2,2), Inner), bn: BatchNormalization(2), inner: Inner}
struct Inner : Chain<Inner> {
  links::Linear z{2, 3}, a{3, 2, {.nobias = true}};
  Parameter w{initializers::Zero{}, Shape{2}};
};
struct Outer : Link<Outer> {
  struct List : Link<List> {
    links::Linear first{2, 2};
    Inner second;
    void serialize(Serializer& s) {
      s("0", first);
      s("1", second);
    }
  };
  List list;
  links::BatchNormalization bn{2};
  Inner inner;
  void serialize(Serializer& s) {
    s("list", list);
    s("bn", bn);
    s("inner", inner);
  }
};

void names(Case& test) {
  const auto j = content(test);
  const Outer outer;
  OrderedJson paths = OrderedJson::array(), shapes = OrderedJson::array();
  for (const auto& [name, parameter] : outer.namedparams()) {
    paths.push_back(name);
    shapes.push_back(std::vector<std::int64_t>(parameter.shape().begin(), parameter.shape().end()));
  }
  expect_same(test, "namedparams", paths, j.at("namedparams"));
  expect_same(test, "params_shapes", shapes, j.at("params_shapes"));
  expect_same(test, "count_params", outer.count_params(), j.at("count_params"));
  OrderedJson keys = OrderedJson::array();
  Outer copy = outer;
  for (const auto& [key, value] : serializers::to_dictionary(copy)) keys.push_back(key);
  expect_same(test, "npz_keys_sorted", keys, j.at("npz_keys_sorted"));
}

// {'loss': 1.5} by the model, {'x': 2} by model.inner, {'y': 3} by model.list[1], {'free': 4} without observer
void reporter(Case& test) {
  const auto j = content(test);
  Outer model;
  Reporter reporter;
  reporter.add_observers("main", model);
  Observation observation;
  {
    const auto scope = reporter.scope(observation);
    report({{"loss", 1.5}}, &model);
    report({{"x", 2.0}}, &model.inner);
    report({{"y", 3.0}}, &model.list.second);
    report({{"free", 4.0}});
  }
  OrderedJson seen = OrderedJson::object();
  for (const auto& [key, value] : observation) seen[key] = value.number();
  expect_same(test, "observation", seen, j.at("observation"));
}

// add({'a':1,'b':2,'w':(10,1)}), add({'a':3,'w':(20,3)}), add({'a':5,'arr':zeros(3)})
void summary(Case& test) {
  const auto j = content(test);
  DictSummary summary;
  const auto add = [&](std::initializer_list<std::pair<std::string_view, ReportedValue>> values) {
    Observation observation;
    for (const auto& [key, value] : values) observation.set(key, value);
    summary.add(observation);
  };
  add({{"a", 1}, {"b", 2}, {"w", {10, 1}}});
  add({{"a", 3}, {"w", {20, 3}}});
  add({{"a", 5}, {"arr", zeros({3})}});
  const auto object = [](const DictSummary::Means& means) {
    OrderedJson out = OrderedJson::object();
    for (const auto& [name, value] : means) out[name] = value;
    return out;
  };
  expect_same(test, "mean", object(summary.compute_mean()), j.at("mean"));
  expect_same(test, "stats", object(summary.make_statistics()), j.at("stats"));
  const auto stored = serializers::to_dictionary(summary);
  for (const auto& [key, value] : j.at("serialized").items()) {
    const auto found = stored.find(key);
    if (found == stored.end()) {
      test.fail(key + " is not serialized");
    } else if (value.is_string()) {
      expect_text(test, key, std::get<std::string>(found->second), value);
    } else {
      expect_same(test, key, std::get<Array>(found->second).item(), value);
    }
  }
}

void extension_names(Case& test) {
  const auto j = content(test);
  struct NoUpdater final : Updater {
    void update() override {}
    std::int64_t iteration() const override { return 0; }
    std::int64_t epoch() const override { return 0; }
    double epoch_detail() const override { return 0; }
    std::optional<double> previous_epoch_detail() const override { return std::nullopt; }
    bool is_new_epoch() const override { return false; }
    void serialize(Serializer&) override {}
  } updater;
  Trainer trainer(updater);
  Inner model;
  std::vector<const Extension*> all;
  const auto extend = [&](auto extension) { all.push_back(&trainer.extend(std::move(extension))); };
  extend(extensions::LogReport());
  extend(extensions::LogReport());
  extend(extensions::PrintReport({"epoch"}));
  extend(extensions::ProgressBar());
  extend(extensions::snapshot());
  extend(extensions::snapshot_object(model, {.filename = "model"}));
  extend(extensions::observe_lr());
  extend(extensions::ExponentialShift("lr", 0.5));
  extend(extensions::DumpGraph("main/loss"));
  extend(extensions::FailOnNonNumber());
  OrderedJson registered = OrderedJson::array(), order = OrderedJson::array();
  for (const auto* e : all) registered.push_back({e->name(), e->default_priority(), false});
  expect_same(test, "extensions", registered, j.at("extensions"));
  std::stable_sort(all.begin(), all.end(),
                   [](auto* a, auto* b) { return a->default_priority() > b->default_priority(); });
  for (const auto* e : all) order.push_back(e->name());
  expect_same(test, "run_order", order, j.at("run_order"));
}

}  // namespace

void bind_text() {
  bind_runner("text:print_report", print_report);
  bind_runner("text:log_report", log_report);
  bind_runner("text:progress_bar", progress_bar);
  bind_runner("text:graph_dot", graph_dot);
  bind_runner("text:names", names);
  bind_runner("text:reporter", reporter);
  bind_runner("text:summary", summary);
  bind_runner("text:trainer", extension_names);
}

}  // namespace golden
