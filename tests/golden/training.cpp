// chainer.training (trainer, extensions, triggers), iterators and datasets.
#include "dnn/training.hpp"

#include <cmath>
#include <limits>
#include <memory>

#include "dnn/array/factories.hpp"
#include "dnn/datasets/concat_examples.hpp"
#include "dnn/datasets/split_dataset.hpp"
#include "dnn/datasets/tuple_dataset.hpp"
#include "dnn/iterators/serial_iterator.hpp"
#include "dnn/links/classifier.hpp"
#include "dnn/optimizers.hpp"
#include "networks.hpp"

namespace golden {

namespace {

using namespace dnn::training;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// `Name(a, key=value)` taken apart.
struct CallText {
  std::string name;
  std::vector<std::string> positional;
  std::map<std::string, std::string> keywords;

  explicit CallText(std::string_view text) {
    const auto open = text.find('('), close = text.rfind(')');
    name = std::string(text.substr(0, open));
    while (!name.empty() && name.front() == ' ') name.erase(0, 1);
    if (open == text.npos) return;
    int depth = 0;
    std::string word;
    const auto finish = [&] {
      if (word.empty()) return;
      const auto equals = word.find('=');
      if (equals == std::string::npos) positional.push_back(word);
      else keywords[word.substr(0, equals)] = word.substr(equals + 1);
      word.clear();
    };
    for (const char c : text.substr(open + 1, close - open - 1)) {
      depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
      if (c == ',' && depth == 0) finish();
      else if (c != ' ' && c != '\'') word += c;
    }
    finish();
  }
};

/// `SGD(lr=0.1)`, `Adam(alpha=0.01)`, `AdaGrad(0.1)`: an optimizer whose first hyperparameter may be positional.
std::unique_ptr<Optimizer> optimizer_from(std::string_view text) {
  const CallText call(text);
  std::unique_ptr<Optimizer> optimizer;
  std::string first = "lr";
  if (call.name == "SGD") optimizer = std::make_unique<optimizers::SGD>();
  else if (call.name == "MomentumSGD") optimizer = std::make_unique<optimizers::MomentumSGD>();
  else if (call.name == "NesterovAG") optimizer = std::make_unique<optimizers::NesterovAG>();
  else if (call.name == "AdaGrad") optimizer = std::make_unique<optimizers::AdaGrad>();
  else if (call.name == "RMSprop") optimizer = std::make_unique<optimizers::RMSprop>();
  else if (call.name == "AdaDelta") optimizer = std::make_unique<optimizers::AdaDelta>(), first = "rho";
  else if (call.name == "Adam") optimizer = std::make_unique<optimizers::Adam>(), first = "alpha";
  else return nullptr;
  if (!call.positional.empty()) optimizer->hyperparameter(first) = std::stod(call.positional[0]);
  for (const auto& [key, value] : call.keywords) optimizer->hyperparameter(key) = std::stod(value);
  return optimizer;
}

/// An updater that is at an iteration and does nothing.
struct StillUpdater final : Updater {
  void update() override { ++count; }
  std::int64_t iteration() const override { return count; }
  std::int64_t epoch() const override { return count / per_epoch; }
  double epoch_detail() const override { return static_cast<double>(count) / static_cast<double>(per_epoch); }
  std::optional<double> previous_epoch_detail() const override {
    if (count == 0) return std::nullopt;
    return static_cast<double>(count - 1) / static_cast<double>(per_epoch);
  }
  bool is_new_epoch() const override { return count % per_epoch == 0; }
  std::vector<std::pair<std::string, Optimizer*>> optimizers() const override {
    if (!main) return {};
    return {{"main", main}};
  }
  void serialize(Serializer& s) override { s("count", count); }

  std::int64_t count = 0, per_epoch = 1;
  Optimizer* main = nullptr;
};

// --- triggers -------------------------------------------------------------------------------------------------------

Trigger trigger_from(const Json& tuple) { return {tuple[0].get<double>(), tuple[1].get<std::string>()}; }

Trigger make_trigger(const std::string& kind, Json k) {
  const auto take = [&](const char* key) {
    Json value = k.contains(key) ? k.at(key) : Json();
    k.erase(key);
    return value;
  };
  const auto interval = [&](const char* key, Trigger fallback) {
    const Json value = take(key);
    return value.is_null() ? fallback : trigger_from(value);
  };
  Trigger out;
  if (kind == "IntervalTrigger") {
    out = triggers::IntervalTrigger(take("period").get<double>(), take("unit").get<std::string>());
  } else if (kind == "ManualScheduleTrigger") {
    const Json points = take("points");
    out = triggers::ManualScheduleTrigger(
        points.is_array() ? points.get<std::vector<double>>() : std::vector{points.get<double>()},
        take("unit").get<std::string>());
  } else if (kind == "OnceTrigger") {
    const Json resume = take("call_on_resume");
    out = triggers::OnceTrigger(!resume.is_null() && resume.get<bool>());
  } else if (kind == "MaxValueTrigger") {
    out = triggers::MaxValueTrigger(take("key").get<std::string>(), interval("trigger", {1, "epoch"}));
  } else if (kind == "MinValueTrigger") {
    out = triggers::MinValueTrigger(take("key").get<std::string>(), interval("trigger", {1, "epoch"}));
  } else {
    triggers::EarlyStoppingOptions options;
    options.check_trigger = interval("check_trigger", options.check_trigger);
    options.max_trigger = interval("max_trigger", options.max_trigger);
    if (const Json v = take("monitor"); !v.is_null()) options.monitor = v.get<std::string>();
    if (const Json v = take("patience"); !v.is_null()) options.patience = v.get<int>();
    if (const Json v = take("mode"); !v.is_null()) options.mode = v.get<std::string>();
    take("verbose");
    out = triggers::EarlyStoppingTrigger(options);
  }
  if (!k.empty()) throw Error(concat("argument '", std::string_view(k.begin().key()), "' is not bound"));
  return out;
}

void run_trigger(Case& test, const std::string& kind) {
  const Json& d = test.json();
  const Json kwargs = [&] {
    Json out = Json::object();
    for (const auto& [key, value] : d.at("kwargs").items()) {
      out[key] = plain(value.is_object() && value.contains("const") ? value.at("const") : value);
    }
    return out;
  }();
  StillUpdater updater;
  updater.per_epoch = d.value("iterations_per_epoch", std::int64_t{1});
  Trainer trainer(updater);
  Trigger trigger = make_trigger(kind, kwargs);
  const auto resume_at = d.at("resume_at").is_null() ? -1 : d.at("resume_at").get<std::int64_t>();
  Array fires({test.array("fires").length()}, boolean, Device{});
  for (std::int64_t i = 0; i < fires.size(); ++i) {
    updater.update();
    trainer.observation() = {};
    for (const auto& [key, values] : test.below("observation/")) {
      const double value = as_numbers(std::get<Array>(values))[static_cast<std::size_t>(i)];
      if (!std::isnan(value)) trainer.observation().set(key, value);
    }
    fires.data<bool>()[i] = trigger(trainer);
    if (i + 1 == resume_at) {
      const auto saved = serializers::to_dictionary(trigger);
      trigger = make_trigger(kind, kwargs);
      serializers::from_dictionary(saved, trigger);
    }
  }
  test.expect("fires", fires);
}

// --- shifts ---------------------------------------------------------------------------------------------------------

std::unique_ptr<Extension> make_shift(Case& test, const std::string& kind) {
  using namespace extensions;
  static const std::map<std::string, std::string> signatures = {
      {"ExponentialShift", "attr, rate, init, target, optimizer"},
      {"InverseShift", "attr, gamma, power, init, target, optimizer"},
      {"LinearShift", "attr, value_range, time_range, optimizer"},
      {"MultistepShift", "attr, gamma, step_value, init, optimizer"},
      {"PolynomialShift", "attr, rate, max_count, init, target, optimizer"},
      {"StepShift", "attr, gamma, step, init, target, optimizer"},
      {"WarmupShift", "attr, warmup_start, warmup_iter, init, optimizer"}};
  std::map<std::string, Variable> variables;
  Args a(test, signatures.at(kind), test.json().at("args"), test.json().at("kwargs"), variables);
  const std::string attr = a.word("attr", "lr");
  const auto optional = [&](const std::string& name) {
    return a.has(name) ? std::optional<double>(a.number(name)) : (a.tagged(name), std::nullopt);
  };
  std::unique_ptr<Extension> out;
  if (kind == "LinearShift") {
    const auto values = a.numbers("value_range"), times = a.numbers("time_range");
    out = std::make_unique<LinearShift>(attr, std::pair(values[0], values[1]), std::pair(times[0], times[1]));
  } else if (kind == "MultistepShift") {
    out = std::make_unique<MultistepShift>(attr, a.number("gamma"), a.integers("step_value"), optional("init"));
  } else if (kind == "WarmupShift") {
    out = std::make_unique<WarmupShift>(attr, optional("warmup_start"), a.integer("warmup_iter"), a.number("init"));
  } else {
    const ShiftOptions options{.init = optional("init"), .target = optional("target")};
    if (kind == "ExponentialShift") out = std::make_unique<ExponentialShift>(attr, a.number("rate"), options);
    else if (kind == "InverseShift")
      out = std::make_unique<InverseShift>(attr, a.number("gamma"), a.number("power"), options);
    else if (kind == "PolynomialShift")
      out = std::make_unique<PolynomialShift>(attr, a.number("rate"), a.number("max_count"), options);
    else out = std::make_unique<StepShift>(attr, a.number("gamma"), a.number("step"), options);
  }
  a.expect_all_used();
  return out;
}

struct OneParameter {
  Parameter p{ones({1})};
  void serialize(Serializer& s) { s("p", p); }
};

void run_shift(Case& test, const std::string& kind) {
  const Json& d = test.json();
  const auto count = static_cast<std::size_t>(test.array("values").length());
  const auto resume_at = d.at("resume_at").is_null() ? 0 : d.at("resume_at").get<std::size_t>();
  const std::string attr = plain(d.at("args")).at(0);
  OneParameter target;
  std::unique_ptr<Optimizer> optimizer;
  const auto start = [&] {
    optimizer = optimizer_from(d.at("optimizer").get<std::string>());
    if (!optimizer) throw Skip{"its optimizer"};
    optimizer->setup(target);
  };
  start();
  StillUpdater updater;
  updater.main = optimizer.get();
  Trainer trainer(updater);
  auto shift = make_shift(test, kind);
  shift->initialize(trainer);
  std::vector<double> values = {optimizer->hyperparameter(attr)};
  for (std::size_t call = 1; values.size() < count; ++call) {
    (*shift)(trainer);
    values.push_back(optimizer->hyperparameter(attr));
    if (call != resume_at) continue;
    const auto saved = serializers::to_dictionary(*shift);
    start();
    updater.main = optimizer.get();
    shift = make_shift(test, kind);
    serializers::from_dictionary(saved, *shift);
    shift->initialize(trainer);
    values.push_back(optimizer->hyperparameter(attr));
  }
  test.expect_numbers("values", values);
}

// --- iterators ------------------------------------------------------------------------------------------------------

void run_serial_iterator(Case& test) {
  const Json& d = test.json();
  const std::string range = d.at("dataset");
  const std::int64_t n = std::stoll(range.substr(range.find("..") + 2)) + 1, size = d.at("batch_size");
  iterators::SerialIteratorOptions options;
  options.repeat = d.at("kwargs").value("repeat", true);
  if (d.at("kwargs").contains("shuffle") && !d.at("kwargs").at("shuffle").is_null())
    options.shuffle = d.at("kwargs").at("shuffle").get<bool>();
  if (!d.at("order_sampler").is_null()) {
    if (d.at("order_sampler") != "new order = the current order reversed and rotated by one")
      throw Skip{"its order sampler"};
    options.order_sampler = [](std::span<const std::int64_t> current, std::int64_t, std::int64_t) {
      std::vector<std::int64_t> order(current.rbegin(), current.rend());
      std::rotate(order.begin(), order.end() - 1, order.end());
      return order;
    };
  } else if (!options.shuffle || *options.shuffle) {
    throw Skip{"NumPy's random order"};
  }
  const auto step = [&](const char* key) { return d.at(key).is_null() ? -1 : d.at(key).get<std::int64_t>(); };
  const auto reset_at = step("reset_at"), resume_at = step("resume_at");
  const auto make = [&] { return std::make_unique<iterators::SerialIterator>(arange(n), size, options); };
  auto iterator = make();

  std::map<std::string, std::vector<double>> seen;
  const auto record = [&] {
    seen["epoch"].push_back(static_cast<double>(iterator->epoch()));
    seen["is_new_epoch"].push_back(iterator->is_new_epoch());
    seen["epoch_detail"].push_back(iterator->epoch_detail());
    seen["previous_epoch_detail"].push_back(iterator->previous_epoch_detail().value_or(nan));
    seen["current_position"].push_back(static_cast<double>(iterator->current_position()));
  };
  record();
  Array batches(test.array("batches").shape(), int64, Device{});
  batches.fill(-1);
  for (std::int64_t i = 0; i < batches.length(); ++i) {
    if (i == reset_at) iterator->reset();
    if (i == resume_at) {
      const auto saved = serializers::to_dictionary(*iterator);
      iterator = make();
      serializers::from_dictionary(saved, *iterator);
    }
    if (const auto minibatch = iterator->next()) {
      for (std::size_t k = 0; k < minibatch->size(); ++k) {
        batches[i].data<std::int64_t>()[k] = (*minibatch)[k][0].item<std::int64_t>();
      }
    }
    record();
  }
  test.expect("batches", batches);
  for (const auto& [key, values] : seen) test.expect_numbers(key, values);
}

// --- datasets -------------------------------------------------------------------------------------------------------

/// `split_dataset(range(11), 4, order=[...])` and its siblings.
void run_split(Case& test) {
  const std::string note = test.text("note");
  int depth = 0;
  std::size_t end = note.find('(');
  do depth += note.at(end) == '(' ? 1 : note[end] == ')' ? -1 : 0;
  while (++end < note.size() && depth > 0);
  const CallText call(std::string_view(note).substr(0, end));
  const CallText range(call.positional.at(0));
  const DatasetRef data = arange(std::stoll(range.positional.at(0)));
  const std::int64_t n = std::stoll(call.positional.at(1));
  std::vector<std::int64_t> order;
  if (const auto found = call.keywords.find("order"); found != call.keywords.end()) {
    order = Json::parse(found->second).get<std::vector<std::int64_t>>();
  }
  std::optional<std::uint32_t> seed;
  if (const auto found = call.keywords.find("seed"); found != call.keywords.end()) {
    seed = static_cast<std::uint32_t>(std::stoul(found->second));
  }
  const auto expect = [&](const std::string& key, const datasets::SubDataset& part) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < part.size(); ++i) values.push_back(part.get(i)[0].item());
    test.expect_numbers(key, values);
  };
  const auto expect_pair = [&](const std::string& a, const std::string& b, const auto& pair) {
    expect(a, pair.first);
    expect(b, pair.second);
  };
  using namespace datasets;
  if (call.name == "split_dataset") {
    expect_pair("part0", "part1", split_dataset(data, n, order));
  } else if (call.name == "split_dataset_random") {
    expect_pair("part0", "part1", split_dataset_random(data, n, seed));
  } else if (call.name == "split_dataset_n" || call.name == "split_dataset_n_random") {
    const auto parts =
        call.name == "split_dataset_n" ? split_dataset_n(data, n, order) : split_dataset_n_random(data, n, seed);
    for (std::size_t i = 0; i < parts.size(); ++i) expect(concat("part", i), parts[i]);
  } else if (call.name.starts_with("get_cross_validation_datasets")) {
    const auto folds = call.name.ends_with("_random") ? get_cross_validation_datasets_random(data, n, seed)
                                                      : get_cross_validation_datasets(data, n, order);
    for (std::size_t i = 0; i < folds.size(); ++i)
      expect_pair(concat("part", i, "_0"), concat("part", i, "_1"), folds[i]);
  } else {
    throw Skip{call.name};
  }
}

void run_concat_examples(Case& test) {
  if (!test.find("e0") || !test.find("y")) throw Skip{"its kind of examples"};
  std::vector<Example> examples;
  for (std::size_t i = 0; test.find(concat("e", i)); ++i) examples.emplace_back(test.array(concat("e", i)));
  ConcatOptions options;
  const std::string note = test.text("note");
  if (const auto at = note.find("padding="); at != std::string::npos) options.padding = std::stod(note.substr(at + 8));
  test.expect("y", concat_examples(examples, options)[0]);
}

// --- trainer --------------------------------------------------------------------------------------------------------

/// What a note says of a training after its network: `SGD(0.2), ExponentialShift('lr',0.5) every epoch, observe_lr;
/// Classifier(net), batch 6, shuffle=False, 4 epochs, Evaluator batch 4; ...`
struct TrainingNote {
  std::vector<std::string> items;  // of the first part
  std::int64_t batch = 0, epochs = 0, evaluator_batch = 0;

  explicit TrainingNote(const std::string& note) {
    const std::string network = "Sequential(" + layers_in(note) + ")";
    const std::string rest = note.substr(note.find(network) + network.size());
    const auto semicolon = rest.find(';');
    int depth = 0;
    std::string item;
    for (const char c : rest.substr(0, semicolon) + ",") {
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      if (c == ',' && depth == 0) {
        while (!item.empty() && item.front() == ' ') item.erase(0, 1);
        if (!item.empty()) items.push_back(item);
        item.clear();
      } else {
        item += c;
      }
    }
    const auto number_after = [&](const char* what) {
      const auto at = rest.find(what, semicolon);
      if (at == std::string::npos) throw Skip{concat("no '", std::string_view(what), "' in its note")};
      return std::stoll(rest.substr(at + std::string_view(what).size()));
    };
    batch = number_after("Classifier(net), batch ");
    epochs = number_after("shuffle=False, ");
    evaluator_batch = number_after("Evaluator batch ");
  }
};

void run_trainer(Case& test) {
  const std::string note = test.text("note");
  const TrainingNote how(note);
  links::Classifier model(sequential_from(layers_in(note)));
  serializers::Dictionary start = test.below("param/");
  for (auto& [key, value] : test.below("pers/")) start.emplace(key, value);
  serializers::from_dictionary(start, model);

  iterators::SerialIterator train(datasets::TupleDataset(test.array("train_x"), test.array("train_t")), how.batch,
                                  {.shuffle = false});
  std::unique_ptr<Optimizer> optimizer = optimizer_from(how.items.at(0));
  if (!optimizer) throw Skip{how.items[0]};
  optimizer->setup(model);
  StandardUpdater updater(train, *optimizer, model);
  const auto out = std::filesystem::temp_directory_path() / "dnn_golden_trainer";
  Trainer trainer(updater, {how.epochs, "epoch"}, out);
  std::unique_ptr<iterators::SerialIterator> validation;
  if (test.find("test_x")) {
    validation = std::make_unique<iterators::SerialIterator>(
        datasets::TupleDataset(test.array("test_x"), test.array("test_t")), how.evaluator_batch,
        iterators::SerialIteratorOptions{.repeat = false, .shuffle = false});
    trainer.extend(extensions::Evaluator(*validation, model));
  }
  for (const auto& item : how.items) {
    const CallText call(item);
    if (call.name == "ExponentialShift" && item.ends_with("every epoch")) {
      trainer.extend(extensions::ExponentialShift(call.positional.at(0), std::stod(call.positional.at(1))),
                     {.trigger = {1, "epoch"}});
    } else if (call.name == "WeightDecay") {
      optimizer->add_hook(optimizer_hooks::WeightDecay{std::stod(call.positional.at(0))});
    } else if (call.name == "GradientClipping") {
      optimizer->add_hook(optimizer_hooks::GradientClipping{std::stod(call.positional.at(0))});
    } else if (item.find('(') != std::string::npos && item != how.items[0]) {
      throw Skip{item};
    }
  }
  if (test.find("log/lr")) trainer.extend(extensions::observe_lr());
  auto& log = trainer.extend(extensions::LogReport({.filename = std::nullopt}));
  std::vector<double> losses;
  trainer.extend([&](Trainer& t) { losses.push_back(t.observation()["main/loss"].number()); }, {.name = "losses"});
  trainer.run();
  std::filesystem::remove_all(out);

  test.expect_numbers("iteration_loss", losses);
  for (const auto& [key, value] : test.below("log/")) {
    std::vector<double> values;
    for (const auto& record : log.log()) {
      const auto* found = extensions::find(record, key);
      values.push_back(found ? found->number() : nan);
    }
    test.expect_numbers("log/" + key, values);
  }
  const auto end = serializers::to_dictionary(model);
  for (const auto& [key, value] : test.below("after/")) {
    const auto found = end.find(key);
    test.expect("after/" + key, found == end.end() ? Array{} : std::get<Array>(found->second));
  }
}

}  // namespace

void bind_training() {
  for (const std::string kind : {"IntervalTrigger", "ManualScheduleTrigger", "OnceTrigger", "MaxValueTrigger",
                                 "MinValueTrigger", "EarlyStoppingTrigger"}) {
    bind_runner("chainer.training.triggers." + kind, [kind](Case& test) { run_trigger(test, kind); });
  }
  for (const std::string kind : {"ExponentialShift", "InverseShift", "LinearShift", "MultistepShift", "PolynomialShift",
                                 "StepShift", "WarmupShift"}) {
    bind_runner("chainer.training.extensions." + kind, [kind](Case& test) { run_shift(test, kind); });
  }
  bind_runner("chainer.iterators.SerialIterator", run_serial_iterator);
  bind_runner("chainer.datasets", run_split);
  bind_runner("chainer.dataset.concat_examples", run_concat_examples);
  bind_runner("chainer.training.Trainer", run_trainer);
}

}  // namespace golden
