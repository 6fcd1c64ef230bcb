/// Reporting: how a model tells its loss and accuracy to whoever listens, without knowing who that is.
///
///     Variable operator()(const Variable& x, const Variable& t) {
///       auto loss = softmax_cross_entropy(predictor(x), t);
///       report({{"loss", loss}}, this);  // "main/loss" to a Trainer, "validation/main/loss" to an Evaluator
///       return loss;
///     }
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/autograd/serializer.hpp"
#include "dnn/core/object_id.hpp"

namespace dnn::inline DNN_ABI {

/// A reported number or variable, with the weight it has in means.
class ReportedValue {
 public:
  template <class T>
    requires(std::is_arithmetic_v<T>)
  ReportedValue(T number, double weight = 1) : number_(static_cast<double>(number)), weight_(weight) {}
  ReportedValue(const Variable& variable, double weight = 1) : variable_(variable), weight_(weight) {}
  ReportedValue(const Array& array, double weight = 1) : variable_(array), weight_(weight) {}

  /// True for numbers and 0-dimensional arrays: only these take part in means.
  bool is_scalar() const noexcept {
    return !variable_.defined() || (variable_.array().defined() && variable_.array().ndim() == 0);
  }
  /// Throws ShapeError unless `is_scalar()`.
  double number() const { return variable_.defined() ? variable_.item() : number_; }
  double weight() const noexcept { return weight_; }
  /// The reported variable, undefined for a number. Its graph is cut unless `config().keep_graph_on_report`.
  const Variable& variable() const noexcept { return variable_; }

  /// The same data without the graph behind it.
  ReportedValue without_graph() const {
    if (!variable_.defined() || !variable_.creator()) return *this;
    return {variable_.array(), weight_};
  }

 private:
  double number_ = 0;
  Variable variable_;
  double weight_;
};

/// Reported values by name, in the order in which the names first came.
class Observation {
 public:
  using Item = std::pair<std::string, ReportedValue>;

  bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
  const ReportedValue* find(std::string_view key) const noexcept {
    for (const auto& item : items_) {
      if (item.first == key) return &item.second;
    }
    return nullptr;
  }
  /// Throws IndexError that lists the keys there are.
  const ReportedValue& operator[](std::string_view key) const {
    if (const auto* value = find(key)) return *value;
    std::string known;
    for (const auto& item : items_) known += concat(" ", item.first);
    throw IndexError("[observation] nothing was reported as '", key, "'; there is", known.empty() ? " nothing" : known);
  }
  void set(std::string_view key, ReportedValue value) {
    for (auto& item : items_) {
      if (item.first == key) {
        item.second = std::move(value);
        return;
      }
    }
    items_.emplace_back(std::string(key), std::move(value));
  }

  std::size_t size() const noexcept { return items_.size(); }
  bool empty() const noexcept { return items_.empty(); }
  auto begin() const noexcept { return items_.begin(); }
  auto end() const noexcept { return items_.end(); }

 private:
  std::vector<Item> items_;
};

/// Collects what is reported, under the names its observers are registered with.
class Reporter {
 public:
  using Values = std::initializer_list<std::pair<std::string_view, ReportedValue>>;

  /// Makes a reporter the current one of this thread, with `observation` to collect in, until the end of the scope.
  class [[nodiscard]] Scope {
   public:
    Scope(Reporter& reporter, Observation& observation)
        : reporter_(reporter), previous_(std::exchange(reporter.observation_, &observation)) {
      stack().push_back(&reporter);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() {
      stack().pop_back();
      reporter_.observation_ = previous_;
    }

   private:
    Reporter& reporter_;
    Observation* previous_;
  };
  Scope scope(Observation& observation) { return {*this, observation}; }

  /// What `object` reports is observed as `<name>/<key>`.
  void add_observer(std::string name, ObjectId object) { observers_.emplace_back(object, std::move(name)); }
  /// Registers an object and everything inside it, as `name`, `name/predictor`, `name/predictor/l1`, ...
  void add_observers(std::string_view name, SerializableRef object);

  /// Throws ArgumentError when the observer is not registered.
  void report(Values values, ObjectId observer = {}) {
    std::string prefix;
    if (observer.address) prefix = name_of(observer) + '/';
    for (const auto& [key, value] : values) {
      observation_->set(prefix + std::string(key), config().keep_graph_on_report ? value : value.without_graph());
    }
  }
  Observation& observation() noexcept { return *observation_; }

  /// The innermost reporter of this thread; null when nobody listens.
  static Reporter* current() noexcept { return stack().empty() ? nullptr : stack().back(); }

 private:
  const std::string& name_of(ObjectId observer) const {
    for (const auto& [object, name] : observers_) {
      if (object == observer) return name;
    }
    // A base class reports with the `this` of the base: the outermost object at that address is meant.
    for (const auto& [object, name] : observers_) {
      if (object.address == observer.address) return name;
    }
    throw ArgumentError(
        "[report] the observer is not registered: it is not part of the model that is being trained or evaluated");
  }
  static std::vector<Reporter*>& stack() noexcept {
    static thread_local std::vector<Reporter*> reporters;
    return reporters;
  }

  std::vector<std::pair<ObjectId, std::string>> observers_;
  Observation own_;
  Observation* observation_ = &own_;
};

/// Reports values to the current reporter as they are named. Without a reporter it does nothing.
inline void report(Reporter::Values values) {
  if (auto* reporter = Reporter::current()) reporter->report(values);
}
/// The same in the name of `observer`, usually `this`.
template <class T>
void report(Reporter::Values values, const T* observer) {
  if (auto* reporter = Reporter::current()) reporter->report(values, id_of(*observer));
}

// --- implementation -------------------------------------------------------------------------------------------------

namespace detail {
class ObserverLister final : public Serializer {
 public:
  ObserverLister(Reporter& reporter, std::string_view name) : reporter_(reporter), name_(name) {}

 protected:
  void on_object(ObjectId object) override {
    reporter_.add_observer(path().empty() ? name_ : concat(name_, "/", path()), object);
  }

 private:
  Reporter& reporter_;
  std::string name_;
};
}  // namespace detail

inline void Reporter::add_observers(std::string_view name, SerializableRef object) {
  detail::ObserverLister lister(*this, name);
  object.serialize(lister);
}

}  // namespace dnn::inline DNN_ABI
