#include "golden.hpp"

#include <algorithm>
#include <cmath>

#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"

namespace golden {

// --- cases ----------------------------------------------------------------------------------------------------------

Case::Case(const Json& description, const std::filesystem::path& folder) : description_(description), folder_(folder) {
  if (const auto dtype = text("dtype"); !dtype.empty()) dtype_ = dtype_from_name(dtype);
  if (path().extension() == ".npz") arrays_ = serializers::load_npz(path());
  for (auto& [key, value] : arrays_) {
    if (auto* array = std::get_if<Array>(&value)) *array = array->to(current_device());
  }
}

const Array* Case::find(std::string_view key) const {
  const auto found = arrays_.find(key);
  return found == arrays_.end() ? nullptr : std::get_if<Array>(&found->second);
}

const Array& Case::array(std::string_view key) const {
  const Array* found = find(key);
  if (!found) throw Error(concat("there is no array '", key, "' in ", std::string_view(path().c_str())));
  return *found;
}

serializers::Dictionary Case::below(std::string_view prefix) const {
  serializers::Dictionary out;
  for (const auto& [key, value] : arrays_) {
    if (key.starts_with(prefix)) out.emplace(key.substr(prefix.size()), value);
  }
  return out;
}

void Case::expect(std::string_view key, const Array& actual) {
  const Array& expected = array(key);
  if (!actual.defined()) return fail(concat(key, " is missing, expected ", expected));
  if (actual.shape() != expected.shape() || actual.dtype() != expected.dtype()) {
    return fail(concat(key, " is ", actual, ", expected ", expected));
  }
  const Json& tolerance = description_.at("tolerance");
  const double rtol = tolerance.at("rtol"), atol = tolerance.at("atol");
  const Array a = actual.to("cpu").to(float64), b = expected.to("cpu").to(float64);
  std::int64_t count = 0, first = 0;
  double worst = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.data<double>()[i], y = b.data<double>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (std::isfinite(y) && std::abs(x - y) <= atol + rtol * std::abs(y)) continue;
    if (count++ == 0) first = i;
    worst = std::max(worst, std::abs(x - y));
  }
  if (count == 0) return;
  std::string index;
  std::int64_t rest = first;
  for (int axis = a.ndim() - 1; axis >= 0; --axis) {
    index = concat(rest % a.shape()[axis], index.empty() ? "" : ", ", index);
    rest /= a.shape()[axis];
  }
  fail(concat(key, "[", index, "] is ", a.data<double>()[first], ", expected ", b.data<double>()[first], " (", count,
              " of ", a.size(), " differ, by up to ", worst, "; rtol ", rtol, ", atol ", atol, ")"));
}

void Case::expect_numbers(std::string_view key, const std::vector<double>& actual) {
  expect(key, array_from(actual).to(array(key).dtype()));
}

Json plain(const Json& tagged) {
  if (tagged.is_object() && tagged.size() == 1 && tagged.contains("tuple")) return plain(tagged.at("tuple"));
  if (tagged.is_array()) {
    Json out = Json::array();
    for (const auto& element : tagged) out.push_back(plain(element));
    return out;
  }
  return tagged;
}

std::vector<std::string> flat_names(const Json& outputs) {
  if (outputs.is_null()) return {""};
  if (outputs.is_string()) return {outputs.get<std::string>()};
  std::vector<std::string> out;
  for (const auto& element : outputs) {
    for (auto& name : flat_names(element)) out.push_back(std::move(name));
  }
  return out;
}

std::vector<double> as_numbers(const Array& array) {
  const Array x = array.to("cpu").to(float64);
  const auto values = x.span<double>();
  return {values.begin(), values.end()};
}

Array number(double value) { return scalar(value); }

std::vector<std::string> words(std::string_view signature) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : signature) {
    if (c == ' ') continue;
    if (c == ',') {
      out.push_back(std::exchange(word, {}));
    } else {
      word += c;
    }
  }
  if (!word.empty()) out.push_back(word);
  return out;
}

// --- arguments ------------------------------------------------------------------------------------------------------

Args::Args(const Case& test, std::string_view signature, const Json& positional, const Json& keywords,
           std::map<std::string, Variable>& variables)
    : test_(test), variables_(variables) {
  const auto names = words(signature);
  for (std::size_t i = 0; i < positional.size(); ++i) {
    if (!names.empty() && names.back().front() == '*' && i + 1 >= names.size()) {
      given_[names.back().substr(1)]["rest"].push_back(positional[i]);
    } else if (i < names.size()) {
      given_[names[i]] = positional[i];
    } else {
      throw Error(concat("positional argument ", i, " has no place in '", signature, "'"));
    }
  }
  for (const auto& [name, value] : keywords.items()) given_[name] = value;
}

namespace {
/// Constants of functions are written {"const": value}, those of constructors as they are.
const Json& constant_of(const Json& argument) {
  return argument.is_object() && argument.contains("const") ? argument.at("const") : argument;
}
}  // namespace

bool Args::has(const std::string& name) const {
  const auto found = given_.find(name);
  return found != given_.end() && !constant_of(found->second).is_null();
}

bool Args::is_array(const std::string& name) const {
  const auto found = given_.find(name);
  return found != given_.end() && found->second.is_object() && found->second.contains("array");
}

const Json& Args::given(const std::string& name) {
  used_.insert(name);
  const auto found = given_.find(name);
  if (found == given_.end()) throw Error(concat("argument '", std::string_view(name), "' is not given"));
  return found->second;
}

const Variable& Args::variable(const std::string& array_name) {
  const auto [place, is_new] = variables_.try_emplace(array_name);
  if (is_new) place->second = Variable(test_.array(array_name), VariableOptions{});
  return place->second;
}

Variable Args::var(const std::string& name) {
  const Json& value = given(name);
  if (value.is_object() && value.contains("array")) return variable(value.at("array"));
  const Json& constant = constant_of(value);
  if (constant.is_number()) return Variable(scalar(constant.get<double>(), test_.dtype()));
  throw Error(concat("argument '", std::string_view(name), "' is not an array"));
}

std::vector<Variable> Args::vars(const std::string& name) {
  std::vector<Variable> out;
  if (!given_.contains(name)) return out;
  const Json& value = given(name);
  if (value.contains("rest")) {
    for (const auto& element : value.at("rest")) out.push_back(variable(element.at("array")));
  } else if (value.contains("arrays")) {
    for (const auto& element : value.at("arrays")) out.push_back(variable(element));
  } else {
    out.push_back(variable(value.at("array")));
  }
  return out;
}

Array Args::array(const std::string& name) {
  const Json& value = given(name);
  if (value.is_object() && value.contains("array")) return test_.array(value.at("array").get<std::string>());
  const Json constant = plain(constant_of(value));
  if (!constant.is_array()) return scalar(constant.get<double>(), test_.dtype());
  const auto list = constant.get<std::vector<double>>();
  return array_from(list).to(test_.dtype());
}

Json Args::tagged(const std::string& name) {
  used_.insert(name);
  return has(name) ? constant_of(given(name)) : Json();
}

double Args::number(const std::string& name, std::optional<double> fallback) {
  if (!has(name) && fallback) return used_.insert(name), *fallback;
  if (is_array(name)) return array(name).item();
  return constant_of(given(name)).get<double>();
}
std::int64_t Args::integer(const std::string& name, std::optional<std::int64_t> fallback) {
  if (!has(name) && fallback) return used_.insert(name), *fallback;
  return constant_of(given(name)).get<std::int64_t>();
}
bool Args::flag(const std::string& name, bool fallback) {
  used_.insert(name);
  return has(name) ? constant_of(given(name)).get<bool>() : fallback;
}
std::string Args::word(const std::string& name, const std::string& fallback) {
  used_.insert(name);
  return has(name) ? constant_of(given(name)).get<std::string>() : fallback;
}
std::vector<std::int64_t> Args::integers(const std::string& name, std::vector<std::int64_t> fallback) {
  used_.insert(name);
  if (!has(name)) return fallback;
  if (is_array(name)) {
    std::vector<std::int64_t> out;
    for (const double v : as_numbers(array(name))) out.push_back(static_cast<std::int64_t>(v));
    return out;
  }
  const Json value = constant(name);
  if (value.is_number()) return {value.get<std::int64_t>()};
  return value.get<std::vector<std::int64_t>>();
}
std::vector<double> Args::numbers(const std::string& name) {
  const Json value = constant(name);
  if (value.is_number()) return {value.get<double>()};
  return value.get<std::vector<double>>();
}
Axes Args::axes(const std::string& name) {
  used_.insert(name);
  if (!has(name)) return {};
  std::vector<int> out;
  for (const auto axis : integers(name)) out.push_back(static_cast<int>(axis));
  return Axes(out);
}
DType Args::dtype(const std::string& name) {
  const Json value = constant(name);
  return dtype_from_name(value.is_object() ? value.at("dtype").get<std::string>() : value.get<std::string>());
}

void Args::expect_all_used() const {
  for (const auto& [name, value] : given_) {
    if (!used_.contains(name)) throw Error(concat("argument '", std::string_view(name), "' is not bound"));
  }
}

// --- functions ------------------------------------------------------------------------------------------------------

std::map<std::string, Runner>& runners() {
  static std::map<std::string, Runner> all;
  return all;
}

std::string key_of(const Json& description) {
  const std::string group = description.value("group", ""), name = description.value("name", "");
  if (group == "link_hooks" || !description.contains("callable") || !description.at("callable").is_string()) {
    return group + ":" + name;
  }
  const std::string callable = description.at("callable");
  return callable == "expr" ? "expr:" + name : callable;
}

namespace {

std::vector<std::string> names_at(const Json& description, const char* key) {
  return description.contains(key) ? description.at(key).get<std::vector<std::string>>() : std::vector<std::string>{};
}

/// One call, and the outputs that have an upstream gradient.
struct Run {
  Run(Case& test, const std::string& signature, const Call& call) {
    const Json none = Json::object();
    const Json& d = test.json();
    Args args(test, signature, d.contains("args") ? d.at("args") : Json::array(),
              d.contains("kwargs") ? d.at("kwargs") : none, variables);
    ys = call(args).values;
    args.expect_all_used();
    names = flat_names(d.at("outputs"));
    if (names.size() != ys.size()) throw Error(concat(ys.size(), " outputs, expected ", names.size()));
    for (std::size_t i = 0; i < ys.size(); ++i) {
      if (const Array* gy = names[i].empty() ? nullptr : test.find("g" + names[i])) {
        outputs.push_back(ys[i]);
        seeds.emplace_back(gy->to(ys[i].device()), VariableOptions{});
        variables["g" + names[i]] = seeds.back();
      }
    }
  }

  std::map<std::string, Variable> variables;
  std::vector<Variable> ys, outputs, seeds;
  std::vector<std::string> names;
};

void run_double(Case& test, const std::string& signature, const Call& call) {
  Run run(test, signature, call);
  std::vector<Variable> inputs;
  Variables ggx;
  for (const auto& name : names_at(test.json(), "grads")) {
    if (const Array* g = test.find("ggx_" + name)) {
      inputs.push_back(run.variables.at(name));
      ggx.push_back(Variable(*g));
    }
  }
  Variables seeds;
  for (const auto& s : run.seeds) seeds.push_back(s);
  const Variables gx = grad(run.outputs, inputs, {.grad_outputs = seeds, .create_graph = true});
  std::vector<Variable> connected;
  Variables upstream;
  for (std::size_t i = 0; i < gx.size(); ++i) {
    if (!gx[i].defined()) continue;
    connected.push_back(gx[i]);
    upstream.push_back(ggx[i]);
  }
  // d sum(gx * ggx) / d target is the gradient of gx with ggx upstream.
  const auto wanted = names_at(test.json(), "double"), zero = names_at(test.json(), "double_none");
  std::vector<Variable> targets;
  for (const auto* list : {&wanted, &zero}) {
    for (const auto& name : *list) targets.push_back(run.variables.at(name));
  }
  const Variables d = grad(connected, targets, {.grad_outputs = upstream});
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (i < wanted.size()) {
      test.expect("d_" + wanted[i], d[i].defined() ? d[i].array() : zeros_like(targets[i].array()));
    } else if (d[i].defined() && !allclose(d[i].array(), zeros_like(d[i].array()), 0, 0)) {
      test.fail(concat("d_", std::string_view(zero[i - wanted.size()]), " is not zero"));
    }
  }
}

/// An input whose array was stored under the same name as an output, and so was overwritten by it: "" for none.
std::string lost_input(const Json& description) {
  const auto outputs = flat_names(description.at("outputs"));
  for (const char* list : {"args", "kwargs"}) {
    if (!description.contains(list)) continue;
    for (const auto& argument : description.at(list)) {
      if (!argument.is_object() || !argument.contains("array")) continue;
      const std::string name = argument.at("array");
      if (std::find(outputs.begin(), outputs.end(), name) != outputs.end()) return name;
    }
  }
  return "";
}

void check_function(Case& test, const std::string& signature, const Call& call) {
  {
    Run run(test, signature, call);
    for (std::size_t i = 0; i < run.ys.size(); ++i) {
      if (!run.names[i].empty()) test.expect(run.names[i], run.ys[i].defined() ? run.ys[i].array() : Array{});
    }
    const std::string after = "__after";
    for (const auto& [key, value] : test.arrays()) {
      if (key.ends_with(after)) test.expect(key, test.array(key.substr(0, key.size() - after.size())));
    }
    backward(run.outputs, run.seeds);
    for (const auto& name : names_at(test.json(), "grads")) {
      const auto found = run.variables.find(name);
      if (found == run.variables.end())
        throw Error(concat("'", std::string_view(name), "' is not bound as a variable"));
      test.expect("gx_" + name, found->second.grad());
    }
    for (const auto& name : names_at(test.json(), "nograd")) {
      const auto found = run.variables.find(name);
      if (found == run.variables.end() || !found->second.grad().defined()) continue;
      // Chainer returned None, which means zero.
      const Array g = found->second.grad();
      if (!allclose(g, zeros_like(g), 0, 0))
        test.fail(concat("the gradient of ", std::string_view(name), " is not zero"));
    }
  }
  if (test.json().contains("double")) run_double(test, signature, call);
}

void run_function(Case& test, const std::string& signature, const Call& call) {
  const std::string lost = lost_input(test.json());
  if (lost.empty()) return check_function(test, signature, call);
  // The output may do in the input's place (where), but when it does not, that says nothing.
  const Skip skip{"the data has an output in place of the input " + lost};
  try {
    check_function(test, signature, call);
  } catch (const std::exception&) {
    throw skip;
  }
  if (!test.failures.empty()) throw skip;
}

}  // namespace

void bind_function(const std::string& callable, const std::string& signature, Call call) {
  bind_runner(callable, [signature, call = std::move(call)](Case& test) { run_function(test, signature, call); });
}

}  // namespace golden
