/// `Sequential`: links and functions called one after the other.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/autograd/variable.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI {

/// Anything that makes a Variable of a Variable: a link, a function, a lambda.
template <class F>
concept Layer = std::copy_constructible<F> && requires(F& f, const Variable& x) {
  { f(x) } -> std::convertible_to<Variable>;
};

///     Sequential model{links::Linear(100), relu, links::Linear(10)};
///     Variable y = model(x);
///
/// (Of a function that the C library has too, say which: `functions::tanh`.) Layers are held by value. The links among
/// them are children named by number; other layers take no number. As in Chainer the numbers are those of the order of
/// insertion, not of the layers: see `insert`.
class Sequential : public Link<Sequential> {
 public:
  Sequential() = default;
  template <class... Layers>
    requires(sizeof...(Layers) > 0 && (sizeof...(Layers) > 1 || !(std::same_as<Layers, Sequential> && ...)) &&
             (Layer<Layers> && ...))
  explicit Sequential(Layers... layers) { (append(std::move(layers)), ...); }

  Variable operator()(const Variable& x) {
    Variable h = x;
    for (auto& entry : entries_) h = entry.layer->call(h);
    return h;
  }

  std::int64_t size() const noexcept { return static_cast<std::int64_t>(entries_.size()); }
  bool empty() const noexcept { return entries_.empty(); }
  /// Layer i, which must be an L. Throws IndexError, ArgumentError.
  template <class L>
  L& get(std::int64_t i) {
    if (auto* holder = dynamic_cast<Holder<L>*>(entries_[index(i, size())].layer.get())) return holder->layer_;
    throw ArgumentError("[Sequential] layer ", i, " is of another type");
  }

  template <Layer L>
  Sequential& append(L layer) {
    return insert(size(), std::move(layer));
  }
  /// Puts a layer before layer i. Its child number, if it is a link, follows Chainer, so that files fit: 0 at the
  /// front; otherwise one more than the POSITION of the first link among the layers before it (or 1), and the links
  /// from that number on move up. So the links of `Sequential(a, b, c)` are the children 0, 2, 1.
  template <Layer L>
  Sequential& insert(std::int64_t i, L layer) {
    constexpr bool is_link = Serializable<L>;
    insert_entry(index(i, size() + 1), {std::make_unique<Holder<L>>(std::move(layer)), -1}, is_link);
    return *this;
  }
  Sequential& extend(const Sequential& other) {
    const auto n = other.entries_.size();
    for (std::size_t i = 0; i < n; ++i) insert_entry(entries_.size(), other.entries_[i], other.entries_[i].child >= 0);
    return *this;
  }
  /// Removes layer i, by default the last.
  void pop(std::int64_t i = -1) {
    const auto position = entries_.begin() + static_cast<std::ptrdiff_t>(index(i, size()));
    const int child = position->child;
    entries_.erase(position);
    if (child < 0) return;
    for (auto& entry : entries_) entry.child -= entry.child > child ? 1 : 0;
  }
  /// The same layers, with those of Sequentials inside in their place.
  Sequential flatten() const {
    Sequential out;
    for (const auto& entry : entries_) {
      if (const auto* nested = dynamic_cast<const Holder<Sequential>*>(entry.layer.get())) {
        out.extend(nested->layer_.flatten());
      } else {
        out.insert_entry(out.entries_.size(), entry, entry.child >= 0);
      }
    }
    return out;
  }
  Sequential& operator+=(const Sequential& other) { return extend(other); }
  friend Sequential operator+(Sequential a, const Sequential& b) { return std::move(a.extend(b)); }

  void serialize(Serializer& s) {
    for (auto& entry : entries_) {
      if (entry.child >= 0) entry.layer->serialize(s, to_text(entry.child));
    }
  }

 private:
  struct AnyLayer {
    virtual ~AnyLayer() = default;
    virtual Variable call(const Variable& x) = 0;
    virtual void serialize(Serializer& s, const std::string& key) = 0;
    virtual std::unique_ptr<AnyLayer> clone() const = 0;
  };
  template <class L>
  struct Holder final : AnyLayer {
    explicit Holder(L layer) : layer_(std::move(layer)) {}
    Variable call(const Variable& x) override { return layer_(x); }
    void serialize([[maybe_unused]] Serializer& s, [[maybe_unused]] const std::string& key) override {
      if constexpr (Serializable<L>) s(key, layer_);
    }
    std::unique_ptr<AnyLayer> clone() const override { return std::unique_ptr<AnyLayer>(new Holder(layer_)); }
    L layer_;
  };
  struct Entry {
    std::unique_ptr<AnyLayer> layer;
    int child = -1;  // number of a link

    Entry(std::unique_ptr<AnyLayer> layer_, int child_) : layer(std::move(layer_)), child(child_) {}
    Entry(const Entry& other) : layer(other.layer->clone()), child(other.child) {}
    Entry(Entry&&) noexcept = default;
    Entry& operator=(Entry other) noexcept {
      std::swap(layer, other.layer);
      child = other.child;
      return *this;
    }
  };

  /// `i` counted from the end when negative. Throws IndexError.
  static std::size_t index(std::int64_t i, std::int64_t n) {
    const auto wrapped = i < 0 ? i + n : i;
    if (wrapped < 0 || wrapped >= n) throw IndexError("[Sequential] index ", i, " is out of range for ", n);
    return static_cast<std::size_t>(wrapped);
  }
  void insert_entry(std::size_t i, Entry entry, bool is_link) {
    entry.child = -1;
    if (is_link) {
      int children = 0, first = -1;
      for (std::size_t j = 0; j < entries_.size(); ++j) {
        if (entries_[j].child < 0) continue;
        ++children;
        if (first < 0 && j < i) first = static_cast<int>(j);
      }
      entry.child = std::min(children, i == 0 ? 0 : std::max(first, 0) + 1);
      for (auto& other : entries_) other.child += other.child >= entry.child ? 1 : 0;
    }
    entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(i), std::move(entry));
  }

  std::vector<Entry> entries_;
};

template <class D>
Sequential Link<D>::repeat(int n, CopyMode mode) const {
  Sequential out;
  for (int i = 0; i < n; ++i) out.append(copy(mode));
  return out;
}

}  // namespace dnn::inline DNN_ABI
