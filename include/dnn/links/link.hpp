/// `Link<D>`: what every object with parameters can do. `D` is the class itself and has `serialize(Serializer&)`, the
/// list of its parameters, persistent arrays and children; everything here walks that list.
///
/// A model of one's own is usually a `Chain` (links/chain.hpp), which finds the list itself. Copies of a link share its
/// parameters, as handles do; `copy()` gives parameters of one's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/autograd/backward.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/autograd/serializer.hpp"
#include "dnn/core/config.hpp"

namespace dnn::inline DNN_ABI {

class Sequential;

/// A parameter and its place: `/l1/W`.
struct NamedParameter {
  std::string name;
  Parameter parameter;
};

/// What `copy` makes of the parameters. In every mode the copy has gradients of its own.
enum class CopyMode {
  share,  ///< the same data
  copy,   ///< a copy of data and gradient
  init,   ///< initialised again, by the parameter's initializer
};

namespace detail {

/// Chainer's order: a link's own parameters before its children's, each by name; numbers by value.
inline bool comes_before(std::string_view a, std::string_view b) {
  while (true) {
    const auto i = a.find('/'), j = b.find('/');
    if ((i == a.npos) != (j == b.npos)) return i == a.npos;
    const auto x = a.substr(0, i), y = b.substr(0, j);
    if (x != y || i == a.npos) {
      const auto is_number = [](std::string_view s) { return s.find_first_not_of("0123456789") == s.npos; };
      if (is_number(x) && is_number(y) && x.size() != y.size()) return x.size() < y.size();
      return x < y;
    }
    a.remove_prefix(i + 1);
    b.remove_prefix(j + 1);
  }
}

/// Calls functions for what a link holds.
template <class OnParameter, class OnArray>
class LinkVisitor final : public Serializer {
 public:
  LinkVisitor(OnParameter on_parameter, OnArray on_array)
      : parameter_(std::move(on_parameter)), array_(std::move(on_array)) {}

 protected:
  void on_parameter(Parameter& parameter) override { parameter_(path(), parameter); }
  void on_array(Array& array) override { array_(path(), array); }

 private:
  OnParameter parameter_;
  OnArray array_;
};

template <class OnParameter>
void for_each_parameter(SerializableRef link, OnParameter on_parameter) {
  LinkVisitor visitor(std::move(on_parameter), [](const std::string&, Array&) {});
  link.serialize(visitor);
}

/// Names the parameters by their paths, for messages.
inline void name_parameters(SerializableRef link) {
  for_each_parameter(link, [](const std::string& path, Parameter& p) { p.set_name("/" + path); });
}

inline std::vector<NamedParameter> namedparams(SerializableRef link) {
  std::vector<NamedParameter> out;
  for_each_parameter(link, [&](const std::string& path, Parameter& p) {
    for (const auto& known : out) {
      if (known.parameter.body() == p.body()) return;
    }
    // Few, and mostly in order already: moving down by steps costs less to compile than sorting.
    out.push_back({"/" + path, p});
    for (auto i = out.size() - 1; i > 0 && comes_before(path, std::string_view(out[i - 1].name).substr(1)); --i) {
      std::swap(out[i - 1], out[i]);
    }
  });
  return out;
}

inline std::vector<std::string> child_names(SerializableRef link) {
  class Lister final : public Serializer {
   public:
    std::vector<std::string> names;

   protected:
    void on_object(ObjectId) override {
      const auto name = path().substr(0, path().find('/'));
      if (name.empty()) return;
      auto position = names.end();
      while (position != names.begin() && comes_before(name, *(position - 1))) --position;
      if (position == names.begin() || *(position - 1) != name) names.insert(position, name);
    }
  } lister;
  link.serialize(lister);
  return std::move(lister.names);
}

inline void cleargrads(SerializableRef link) {
  for_each_parameter(link, [](const std::string&, Parameter& p) { p.cleargrad(); });
}

inline std::int64_t count_params(SerializableRef link) {
  std::int64_t n = 0;
  for (const auto& [name, p] : namedparams(link)) n += p.is_initialized() ? p.size() : 0;
  return n;
}

inline void to_device(SerializableRef link, Device device) {
  LinkVisitor visitor(
      [&](const std::string&, Parameter& p) {
        if (!p.is_initialized()) return;
        const Array gradient = p.grad();
        p.set_array(p.array().to(device));
        if (gradient.defined()) p.set_grad(gradient.to(device));
      },
      [&](const std::string&, Array& a) {
        if (a.defined()) a = a.to(device);
      });
  link.serialize(visitor);
}

inline void set_update_enabled(SerializableRef link, bool enabled) {
  for_each_parameter(link, [&](const std::string&, Parameter& p) { p.set_update_enabled(enabled); });
}

inline Array reinitialized(const Parameter& p) {
  if (!p.initializer()) return p.array().copy();
  Array data(p.shape(), p.dtype(), p.device());
  p.initializer()(data);
  return data;
}

/// Turns a link that shares its parameters with another into a copy of its own.
inline void detach(SerializableRef link, CopyMode mode) {
  std::vector<std::pair<const VariableBody*, Parameter>> done;  // a parameter that is used twice stays one
  LinkVisitor visitor(
      [&](const std::string&, Parameter& p) {
        const auto body = p.body();
        for (const auto& [original, copy] : done) {
          if (original == body.get()) {
            p = copy;
            return;
          }
        }
        const Array gradient = p.grad();
        Array data;
        if (p.is_initialized()) {
          data = mode == CopyMode::share ? p.array() : mode == CopyMode::copy ? p.array().copy() : reinitialized(p);
        }
        p.detach(std::move(data));
        if (mode == CopyMode::copy && gradient.defined()) p.set_grad(gradient.copy());
        done.emplace_back(body.get(), p);
      },
      [&](const std::string&, Array& a) {
        if (mode != CopyMode::share && a.defined()) a = a.copy();
      });
  link.serialize(visitor);
}

/// The value called `path`. Throws ArgumentError when there is none.
template <class T>
const T& find_named(const std::vector<std::pair<std::string, T>>& values, const std::string& path,
                    std::string_view op) {
  for (const auto& [name, value] : values) {
    if (name == path) return value;
  }
  throw ArgumentError("[", op, "] the other link has no '", path, "'");
}

inline void copyparams(SerializableRef to, SerializableRef from, bool copy_persistent) {
  std::vector<std::pair<std::string, Array>> source;
  LinkVisitor collect([&](const std::string& path, Parameter& p) { source.emplace_back(path, p.array()); },
                      [&](const std::string& path, Array& a) { source.emplace_back(path, a); });
  from.serialize(collect);
  LinkVisitor assign(
      [&](const std::string& path, Parameter& p) {
        const Array& data = find_named(source, path, "copyparams");
        if (!data.defined()) return;
        if (p.is_initialized()) {
          p.array().assign(data);
        } else {
          p.set_array(data.copy());
        }
      },
      [&](const std::string& path, Array& a) {
        if (!copy_persistent) return;
        const Array& data = find_named(source, path, "copyparams");
        if (data.defined()) a = data.copy();
      });
  to.serialize(assign);
}

inline void addgrads(SerializableRef to, SerializableRef from) {
  std::vector<std::pair<std::string, Variable>> source;
  for_each_parameter(from,
                     [&](const std::string& path, Parameter& p) { source.emplace_back(path, p.grad_variable()); });
  const auto mode = no_backprop_mode();
  for (auto& [name, p] : namedparams(to)) {
    const Variable& other = find_named(source, name.substr(1), "addgrads");
    if (!other.defined()) continue;
    if (!p.is_initialized()) p.initialize(other.shape());
    const Variable own = p.grad_variable();
    p.set_grad(own.defined() ? add_gradients(own, other) : Variable(other.array().copy()));
  }
}

}  // namespace detail

template <class D>
class Link {
 public:
  /// All parameters, uninitialised ones too: own ones first, then the children's, each by name. One that is in several
  /// places is there once, under the name of the first; files hold it under every name.
  std::vector<NamedParameter> namedparams() const { return detail::namedparams(self()); }
  std::vector<Parameter> params() const {
    std::vector<Parameter> out;
    for (auto& named : namedparams()) out.push_back(std::move(named.parameter));
    return out;
  }
  /// The names of the links in this one.
  std::vector<std::string> children() const { return detail::child_names(self()); }
  /// The number of elements of all initialised parameters.
  std::int64_t count_params() const { return detail::count_params(self()); }

  void cleargrads() { detail::cleargrads(self()); }
  /// Adds the gradients of a link with the same parameters.
  template <Serializable Other>
  void addgrads(const Other& other) {
    detail::addgrads(self(), other);
  }
  /// Copies the data (and persistent arrays) of a link with the same parameters. Throws ShapeError where shapes differ.
  template <Serializable Other>
  void copyparams(const Other& other, bool copy_persistent = true) {
    detail::copyparams(self(), other, copy_persistent);
  }

  /// Moves parameters, gradients and persistent arrays.
  D& to_device(Device device) {
    detail::to_device(self(), device);
    return self();
  }

  /// Optimizers skip the parameters of a link that is disabled.
  void enable_update() { detail::set_update_enabled(self(), true); }
  void disable_update() { detail::set_update_enabled(self(), false); }
  bool update_enabled() const {
    bool any = false;
    detail::for_each_parameter(self(), [&](const std::string&, Parameter& p) { any = any || p.update_enabled(); });
    return any;
  }

  D copy(CopyMode mode = CopyMode::share) const {
    D out = self();
    detail::detach(out, mode);
    return out;
  }
  /// n copies of this link in a row.
  Sequential repeat(int n, CopyMode mode = CopyMode::init) const;

 private:
  D& self() noexcept { return static_cast<D&>(*this); }
  const D& self() const noexcept { return static_cast<const D&>(*this); }
};

}  // namespace dnn::inline DNN_ABI

#include "dnn/links/sequential.hpp"  // `repeat` makes one
