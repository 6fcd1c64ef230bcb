// chainer.optimizers, optimizer_hooks and initializers.
#include <cmath>
#include <memory>

#include "dnn/array/factories.hpp"
#include "dnn/functions/math/matmul.hpp"
#include "dnn/initializers.hpp"
#include "dnn/optimizers.hpp"
#include "golden.hpp"

namespace golden {

namespace {

/// Parameters by name.
struct Target {
  std::map<std::string, Parameter> parameters;
  void serialize(Serializer& s) {
    for (auto& [name, parameter] : parameters) s(name, parameter);
  }
};

template <class O>
void set_flag(O& optimizer, const std::string& name, bool value) {
  auto& h = optimizer.hyperparam;
  if constexpr (requires { h.amsgrad; }) {
    if (name == "amsgrad") return void(h.amsgrad = value);
    if (name == "adabound") return void(h.adabound = value);
  }
  if constexpr (requires { h.eps_inside_sqrt; }) {
    if (name == "eps_inside_sqrt") return void(h.eps_inside_sqrt = value);
  }
  throw Error(concat("hyperparameter '", std::string_view(name), "' is not bound"));
}

void add_hook(Optimizer& optimizer, const Json& description) {
  const std::string name = description.at("callable");
  const Json args = plain(description.at("args"));
  const auto number = [&](std::size_t i, double fallback) {
    return i < args.size() ? args[i].get<double>() : fallback;
  };
  HookOptions options;
  if (const std::string timing = description.value("timing", "auto"); timing != "auto") {
    options.timing = timing == "post" ? HookTiming::post : HookTiming::pre;
  }
  const std::string kind = name.substr(name.rfind('.') + 1);
  if (kind == "WeightDecay") return optimizer.add_hook(optimizer_hooks::WeightDecay{number(0, 0)}, options);
  if (kind == "Lasso") return optimizer.add_hook(optimizer_hooks::Lasso{number(0, 0)}, options);
  if (kind == "GradientClipping") return optimizer.add_hook(optimizer_hooks::GradientClipping{number(0, 0)}, options);
  if (kind == "GradientHardClipping") {
    return optimizer.add_hook(optimizer_hooks::GradientHardClipping{number(0, 0), number(1, 0)}, options);
  }
  if (kind == "GradientLARS") {
    return optimizer.add_hook(optimizer_hooks::GradientLARS{number(0, 0.01), number(1, 0), number(2, 1e-9)}, options);
  }
  throw Skip{"hook " + kind};
}

/// What a case without a callable of its own says in words.
void apply_note(Optimizer& optimizer, Target& target, const std::string& note) {
  const std::string own = ".update_rule.hyperparam.", frozen = "update_rule.enabled=False for ";
  if (const auto at = note.find(own); at != std::string::npos) {
    const auto equals = note.find('=', at);
    optimizer.rule("/" + note.substr(0, at))
        .set_hyperparameter(note.substr(at + own.size(), equals - at - own.size()), std::stod(note.substr(equals + 1)));
  } else if (const auto start = note.find(frozen); start != std::string::npos) {
    target.parameters.at(note.substr(start + frozen.size())).set_update_enabled(false);
  }
}

void run_optimizer(Case& test, Optimizer& optimizer) {
  const Json& d = test.json();
  Target target;
  std::map<std::string, Array> history;  // of the parameters and their states, one row for each step
  std::int64_t steps = 0;
  for (const auto& [name, value] : test.below("param/")) {
    target.parameters.emplace(name, std::get<Array>(value).copy());
    steps = test.array("grad/" + name).length();
  }
  optimizer.setup(target);
  for (const auto& hook : d.value("hooks", Json::array())) add_hook(optimizer, hook);
  apply_note(optimizer, target, test.text("note"));

  const auto record = [&](const std::string& key, std::int64_t step, const Array& value) {
    auto& rows = history[key];
    if (!rows.defined()) rows = zeros(value.shape().with_inserted(0, steps), value.dtype());
    rows[step].assign(value);
  };
  for (std::int64_t step = 0; step < steps; ++step) {
    const Json changes = d.value("set_before_step", Json::object());
    if (const auto key = to_text(step); changes.contains(key)) {
      for (const auto& [name, value] : changes.at(key).items()) optimizer.hyperparameter(name) = value.get<double>();
    }
    for (auto& [name, parameter] : target.parameters) parameter.set_grad(test.array("grad/" + name)[step].copy());
    optimizer.update();
    for (auto& [name, parameter] : target.parameters) record("after/" + name, step, parameter.array());
    for (const auto& [key, value] : test.below("state/")) {
      const auto slash = key.rfind('/');
      if (std::get<Array>(value).ndim() == 0) continue;
      record("state/" + key, step, optimizer.rule("/" + key.substr(0, slash)).state(key.substr(slash + 1)));
    }
  }
  for (const auto& [key, rows] : history) test.expect(key, rows);
  if (test.find("t")) test.expect("t", scalar(optimizer.t()));
}

template <class O>
void bind_optimizer(const std::string& name) {
  bind_runner("chainer.optimizers." + name, [](Case& test) {
    O optimizer;
    for (const auto& [key, argument] : test.json().at("kwargs").items()) {
      const Json& value = argument.at("const");
      if (value.is_boolean()) {
        set_flag(optimizer, key, value.get<bool>());
      } else {
        optimizer.hyperparameter(key) = value.get<double>();
      }
    }
    run_optimizer(test, optimizer);
  });
}

// --- initializers ---------------------------------------------------------------------------------------------------

/// Statistics of a drawn array: the numbers are others than NumPy's, so mean and deviation agree within what chance
/// allows.
void check_statistics(Case& test, const Initializer& initializer, bool bounded) {
  std::vector<std::int64_t> sizes;
  for (const double s : as_numbers(test.array("shape"))) sizes.push_back(static_cast<std::int64_t>(s));
  Array x(Shape(std::span<const std::int64_t>(sizes)), test.dtype());
  initializer(x);
  const auto values = as_numbers(x);
  const auto n = static_cast<double>(values.size());
  double mean = 0, square = 0, low = values[0], high = values[0];
  for (const double v : values) mean += v / n, low = std::min(low, v), high = std::max(high, v);
  for (const double v : values) square += (v - mean) * (v - mean) / n;
  const double deviation = std::sqrt(square), expected = test.array("std").item();
  const auto near = [&](const char* what, double actual, double wanted, double tolerance) {
    if (!(std::abs(actual - wanted) <= tolerance))
      test.fail(concat(what, " is ", actual, ", expected ", wanted, " +- ", tolerance));
  };
  near("mean", mean, test.array("mean").item(), 7 * expected / std::sqrt(n));
  near("std", deviation, expected, 6 * expected / std::sqrt(n));
  if (!bounded) return;
  // The extremes of n uniform numbers come within a few n-ths of the bound.
  near("min", low, test.array("min").item(), 20 * expected / n);
  near("max", high, test.array("max").item(), 20 * expected / n);
}

void check_value(Case& test, const Initializer& initializer) {
  Array x(Shape(std::span<const std::int64_t>(test.json().at("shape").get<std::vector<std::int64_t>>())), test.dtype());
  initializer(x);
  if (!test.find("gram")) return test.expect("value", x);
  const auto off = no_backprop_mode();
  const bool wide = x.shape()[0] <= x.size() / x.shape()[0];
  const Variable flat = x.to(test.array("gram").dtype()).reshape({x.shape()[0], -1});
  test.expect("gram", (wide ? matmul(flat, flat, {.transb = true}) : matmul(flat, flat, {.transa = true})).array());
}

void bind_initializer(const std::string& name, bool bounded, std::function<Initializer(Args&)> make) {
  bind_runner("chainer.initializers." + name, [=, make = std::move(make)](Case& test) {
    std::map<std::string, Variable> variables;
    Args args(test, "", Json::array(), test.json().at("kwargs"), variables);
    const Initializer initializer = make(args);
    args.expect_all_used();
    test.find("mean") ? check_statistics(test, initializer, bounded) : check_value(test, initializer);
  });
}

void bind_initializers() {
  using namespace initializers;
  const auto scale = [](Args& a, double fallback) { return a.number("scale", fallback); };
  const auto fan = [](Args& a) {
    return a.word("fan_option", "fan_in") == "fan_in" ? FanOption::fan_in : FanOption::fan_out;
  };
  const auto linear = [](Args& a) {
    if (a.word("interpolation", "linear") != "linear") throw Skip{"interpolation"};
  };
  bind_initializer("Normal", false, [=](Args& a) { return Normal{scale(a, 0.05)}; });
  bind_initializer("LeCunNormal", false, [=](Args& a) { return LeCunNormal{scale(a, 1)}; });
  bind_initializer("GlorotNormal", false, [=](Args& a) { return GlorotNormal{scale(a, 1)}; });
  bind_initializer("HeNormal", false, [=](Args& a) { return HeNormal{scale(a, 1), fan(a)}; });
  bind_initializer("Uniform", true, [=](Args& a) { return Uniform{scale(a, 0.05)}; });
  bind_initializer("LeCunUniform", true, [=](Args& a) { return LeCunUniform{scale(a, 1)}; });
  bind_initializer("GlorotUniform", true, [=](Args& a) { return GlorotUniform{scale(a, 1)}; });
  bind_initializer("HeUniform", true, [=](Args& a) { return HeUniform{scale(a, 1)}; });
  bind_initializer("Orthogonal", false, [=](Args& a) { return Orthogonal{scale(a, 1.1)}; });
  bind_initializer("Identity", false, [=](Args& a) { return Identity{scale(a, 1)}; });
  bind_initializer("Constant", false, [](Args& a) -> Initializer {
    if (a.is_array("fill_value")) return Constant(a.array("fill_value"));
    return Constant(a.number("fill_value"));
  });
  bind_initializer("Zero", false, [](Args&) { return Zero{}; });
  bind_initializer("One", false, [](Args&) { return One{}; });
  bind_initializer("NaN", false, [](Args&) { return NaN{}; });
  bind_initializer("UpsamplingDeconvFilter", false, [=](Args& a) { return linear(a), UpsamplingDeconvFilter{}; });
  bind_initializer("DownsamplingConvFilter", false, [=](Args& a) { return linear(a), DownsamplingConvFilter{}; });
}

}  // namespace

void bind_optimizers() {
  using namespace optimizers;
  bind_optimizer<SGD>("SGD");
  bind_optimizer<MomentumSGD>("MomentumSGD");
  bind_optimizer<CorrectedMomentumSGD>("CorrectedMomentumSGD");
  bind_optimizer<NesterovAG>("NesterovAG");
  bind_optimizer<AdaGrad>("AdaGrad");
  bind_optimizer<AdaDelta>("AdaDelta");
  bind_optimizer<Adam>("Adam");
  bind_optimizer<AdamW>("AdamW");
  bind_optimizer<AMSGrad>("AMSGrad");
  bind_optimizer<AdaBound>("AdaBound");
  bind_optimizer<AMSBound>("AMSBound");
  bind_optimizer<MSVAG>("MSVAG");
  bind_optimizer<RMSprop>("RMSprop");
  bind_optimizer<RMSpropGraves>("RMSpropGraves");
  bind_optimizer<SMORMS3>("SMORMS3");
  bind_initializers();
}

}  // namespace golden
