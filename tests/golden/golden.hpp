/// Reference cases: a folder with `manifest.json` and one npz (or JSON) file for each case.
///
/// A binding is one line: the callable's name, its Python signature, and a lambda that calls dnn with the arguments:
///
///     bind_function("chainer.functions.leaky_relu", "x, slope", [](Args& a) { return leaky_relu(a.var("x"),
///     a.number("slope", 0.2)); });
///
/// Arguments are found by position or by keyword. An argument that is given and that the lambda does not ask for fails
/// the case: no option is ignored silently.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/array/reduce.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/serializers/npz.hpp"

namespace golden {

using Json = nlohmann::json;
using namespace dnn;

/// The constants of a case in plain JSON: tuples as lists.
Json plain(const Json& tagged);

/// Thrown by a runner for what dnn does not have: the case is skipped, not failed.
struct Skip {
  std::string what;
};

/// One case: its description, its arrays, and the differences found so far.
class Case {
 public:
  Case(const Json& description, const std::filesystem::path& folder);

  const Json& json() const { return description_; }
  std::string text(const char* key) const { return description_.value(key, std::string()); }
  std::string name() const { return text("name"); }
  DType dtype() const { return dtype_; }
  std::filesystem::path path() const { return folder_ / text("file"); }

  const serializers::Dictionary& arrays() const { return arrays_; }
  const Array* find(std::string_view key) const;
  const Array& array(std::string_view key) const;
  /// The arrays below `prefix`, under the rest of their names.
  serializers::Dictionary below(std::string_view prefix) const;

  /// Compares `actual` with the array `key` of the case: shape, dtype, and every element within the case's tolerance.
  void expect(std::string_view key, const Array& actual);
  /// The same against numbers, as float64.
  void expect_numbers(std::string_view key, const std::vector<double>& actual);
  void fail(std::string message) { failures.push_back(std::move(message)); }

  std::vector<std::string> failures;

 private:
  const Json& description_;
  std::filesystem::path folder_;
  DType dtype_ = float32;
  serializers::Dictionary arrays_;
};

/// The arguments of one call.
class Args {
 public:
  /// `variables` collects what `var` and `vars` make, by the names of their arrays.
  Args(const Case& test, std::string_view signature, const Json& positional, const Json& keywords,
       std::map<std::string, Variable>& variables);

  /// True when the argument is given and is not None.
  bool has(const std::string& name) const;
  bool is_given(const std::string& name) const { return given_.contains(name); }
  bool is_array(const std::string& name) const;
  /// An array as a variable that wants a gradient; the same one for the same array.
  Variable var(const std::string& name);
  /// The same; undefined when it is not given or None.
  Variable var_or_none(const std::string& name) { return has(name) ? var(name) : used_none(name); }
  std::vector<Variable> vars(const std::string& name);
  /// The array itself: what a function writes to it is seen by `NAME__after`.
  Array array(const std::string& name);
  Array array_or_none(const std::string& name) { return has(name) ? array(name) : (used_none(name), Array{}); }

  double number(const std::string& name, std::optional<double> fallback = {});
  std::int64_t integer(const std::string& name, std::optional<std::int64_t> fallback = {});
  int axis(const std::string& name, std::optional<int> fallback = {}) {
    return static_cast<int>(integer(name, fallback ? std::optional<std::int64_t>(*fallback) : std::nullopt));
  }
  bool flag(const std::string& name, bool fallback);
  std::string word(const std::string& name, const std::string& fallback);
  /// A number or a tuple of them.
  std::vector<std::int64_t> integers(const std::string& name, std::vector<std::int64_t> fallback = {});
  std::vector<double> numbers(const std::string& name);
  Shape shape(const std::string& name) { return Shape(std::span<const std::int64_t>(integers(name))); }
  Axes axes(const std::string& name);
  DType dtype(const std::string& name);
  /// The constant, tuples as lists; null when it is None or not given.
  Json constant(const std::string& name) { return plain(tagged(name)); }
  /// The constant as the manifest has it.
  Json tagged(const std::string& name);

  const Case& test() const { return test_; }
  /// Throws unless every argument that is given was asked for.
  void expect_all_used() const;

 private:
  Variable used_none(const std::string& name) {
    used_.insert(name);
    return {};
  }
  const Json& given(const std::string& name);
  const Variable& variable(const std::string& array_name);

  const Case& test_;
  std::map<std::string, Json> given_;
  std::set<std::string> used_;
  std::map<std::string, Variable>& variables_;
};

/// What a call returned, flat: undefined where Chainer returns None.
class Results {
 public:
  Results(const Variable& y) : values{y} {}
  Results(const Array& y) : values{y.defined() ? Variable(y) : Variable{}} {}
  Results(const Variables& ys) : values(ys.begin(), ys.end()) {}
  Results(std::vector<Variable> ys) : values(std::move(ys)) {}

  std::vector<Variable> values;
};

using Call = std::function<Results(Args&)>;
using Runner = std::function<void(Case&)>;

/// Runners by key: the callable, `expr:NAME` for formulas, `GROUP:NAME` for cases without a callable of their own.
std::map<std::string, Runner>& runners();
std::string key_of(const Json& description);

/// Binds a function: values, gradients and second gradients are checked.
void bind_function(const std::string& callable, const std::string& signature, Call call);
/// Binds a formula that a case describes in its note.
inline void bind_expression(const std::string& name, const std::string& signature, Call call) {
  bind_function("expr:" + name, signature, std::move(call));
}
inline void bind_runner(const std::string& key, Runner runner) { runners()[key] = std::move(runner); }

/// Splits `a, b, *c`.
std::vector<std::string> words(std::string_view signature);
/// Flattens the nested names of outputs; "" for None.
std::vector<std::string> flat_names(const Json& outputs);
/// 0-d or 1-d numbers as a vector.
std::vector<double> as_numbers(const Array& array);
/// A float64 0-d array.
Array number(double value);

void bind_functions();
void bind_array_functions();
void bind_network_functions();
void bind_expressions();
void bind_links();
void bind_optimizers();
void bind_training();
void bind_text();

}  // namespace golden
