/// Indexing, as NumPy's.
///
///     get_item(x, {0, -1})                     integers: the axis goes away
///     get_item(x, {Slice{1, 4}, Slice{}})      slices: start, stop, step; `none` for a bound; Slice{} is a whole axis
///     get_item(x, {Slice{none, none, -1}})     backwards
///     get_item(x, {ellipsis, 0, new_axis})     as many whole axes as are left; an axis of size 1
///     get_item(x, {array({2, 0, 2})})          integer arrays, broadcast together; the gradient adds up repetitions
///     get_item(x, {x > 0})                     bool arrays: where they are true
///     x[0], x[Slice{1, 4}], x[{Slice{}, 0}]    the same, shorter
///
/// Any dtype. Leading slices share storage with x, everything else copies.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/copy.hpp"
#include "dnn/kernels/gather.hpp"

namespace dnn::inline DNN_ABI {

/// A bound of a slice that is not given.
inline constexpr std::nullopt_t none = std::nullopt;

/// start:stop:step with Python's rules: negative bounds count from the end, bounds beyond the ends are cut.
struct Slice {
  std::optional<std::int64_t> start = {}, stop = {};
  std::int64_t step = 1;
};
/// An axis of size 1.
inline constexpr struct NewAxis {
} new_axis{};
/// As many whole axes as are left.
inline constexpr struct Ellipsis {
} ellipsis{};

/// One entry of an index.
class Index {
 public:
  enum class Kind : std::uint8_t { integer, slice, axis, rest, array };

  template <std::integral I>
    requires(!std::same_as<I, bool>)
  Index(I i) : kind(Kind::integer), integer(static_cast<std::int64_t>(i)) {}
  Index(const Slice& s) : kind(Kind::slice), slice(s) {}
  /// Integers or bools.
  Index(const Array& a) : kind(Kind::array), array(a) {}
  Index(const Variable& a) : Index(a.array()) {}
  Index(NewAxis) : kind(Kind::axis) {}
  Index(Ellipsis) : kind(Kind::rest) {}

  Kind kind;
  std::int64_t integer = 0;
  Slice slice;
  Array array;
};

}  // namespace dnn::inline DNN_ABI

namespace dnn::inline DNN_ABI::inline functions {

Variable get_item(const Variable& x, std::span<const Index> index);

namespace nodes {

/// Which elements of an array of a given shape an index selects. The result is the product of the axes that integers
/// and slices leave (`grid`) and of the places that index arrays name (`places`, offsets that are added).
struct Selection {
  Selection(const Shape& from, std::span<const Index> index) : source(from) {
    int named = 0, ellipses = 0;
    bool has_arrays = false;
    for (const auto& i : index) {
      if (i.kind == Index::Kind::rest) ++ellipses;
      else if (i.kind == Index::Kind::array)
        has_arrays = true, named += i.array.dtype() == boolean ? i.array.ndim() : 1;
      else if (i.kind != Index::Kind::axis) ++named;
    }
    if (ellipses > 1) throw IndexError("[get_item] more than one ellipsis");
    if (named > source.ndim()) throw IndexError("[get_item] ", named, " indices for shape ", source);

    int axis = 0;
    bool closed = false;  // something else stood between two index arrays
    const auto whole = [&](int count) {
      for (; count > 0; --count, ++axis) add_axis(source[axis], stride(axis));
    };
    for (const auto& i : index) {
      const bool is_array = i.kind == Index::Kind::array || (i.kind == Index::Kind::integer && has_arrays);
      if (!is_array && places_axis >= 0) closed = true;
      if (is_array) {
        // NumPy: where the arrays stand when they are neighbours, in front otherwise.
        if (places_axis < 0) places_axis = grid.ndim();
        else if (closed) places_axis = 0;
      }
      switch (i.kind) {
        case Index::Kind::axis: add_axis(1, 0); break;
        case Index::Kind::rest: whole(source.ndim() - named); break;
        case Index::Kind::slice: add_slice(i.slice, axis++); break;
        case Index::Kind::integer:
          base += wrapped(i.integer, axis) * stride(axis);
          ++axis;
          break;
        case Index::Kind::array: add_array(i.array, axis); break;
      }
    }
    whole(source.ndim() - axis);
    if (places_axis < 0) places_axis = 0;

    // The shape of the result, and where in it a step along an axis of the grid leads.
    shape = grid;
    for (int i = places_shape.ndim() - 1; i >= 0; --i) shape = shape.with_inserted(places_axis, places_shape[i]);
    const auto strides = strides_of(shape);
    for (int i = 0; i < grid.ndim(); ++i) {
      const int to = i < places_axis ? i : i + places_shape.ndim();
      result_strides[static_cast<std::size_t>(i)] = strides[static_cast<std::size_t>(to)];
    }
    for (int i = places_axis; i < grid.ndim(); ++i) place_step *= grid[i];
  }

  /// True when the selected elements lie one after the other in the source, from `base` on.
  bool is_contiguous() const {
    if (places_shape.ndim() != 0 || !places.empty()) return false;
    const auto strides = strides_of(grid);
    for (int i = 0; i < grid.ndim(); ++i) {
      if (grid[i] != 1 && grid_strides[static_cast<std::size_t>(i)] != strides[static_cast<std::size_t>(i)])
        return false;
    }
    return true;
  }

  Shape source, shape;                // of x and of the result
  Shape grid;                         // of the axes that arrays do not index
  kernels::Strides grid_strides{};    // of the grid in the source
  kernels::Strides result_strides{};  // of the grid in the result
  std::int64_t base = 0;              // offset of the first element
  std::vector<std::int64_t> places;   // offsets that index arrays add, in the order of places_shape
  Shape places_shape;                 // of the index arrays, broadcast together
  int places_axis = -1;               // the result's axis where they stand
  std::int64_t place_step = 1;        // of one place to the next in the result

 private:
  std::int64_t stride(int axis) const noexcept { return strides_of(source)[static_cast<std::size_t>(axis)]; }
  std::int64_t wrapped(std::int64_t i, int axis) const {
    const auto n = source[axis], w = i < 0 ? i + n : i;
    if (w < 0 || w >= n) throw IndexError("[get_item] index ", i, " is out of range for axis ", axis, " of length ", n);
    return w;
  }
  void add_axis(std::int64_t size, std::int64_t step) {
    grid_strides[static_cast<std::size_t>(std::min(grid.ndim(), max_ndim - 1))] = step;
    grid = grid.with_inserted(grid.ndim(), size);
  }
  void add_slice(const Slice& s, int axis) {
    if (s.step == 0) throw IndexError("[get_item] the step of a slice must not be 0");
    const auto n = source[axis];
    const std::int64_t first = s.step > 0 ? 0 : -1, last = s.step > 0 ? n : n - 1;  // range of the bounds
    const auto bound = [&](const std::optional<std::int64_t>& b, std::int64_t otherwise) {
      return b ? std::clamp(*b < 0 ? *b + n : *b, first, last) : otherwise;
    };
    const auto start = bound(s.start, s.step > 0 ? first : last), stop = bound(s.stop, s.step > 0 ? last : first);
    const auto distance = s.step > 0 ? stop - start : start - stop;
    // The step's size as unsigned: it may be the smallest number there is.
    const auto size = static_cast<std::uint64_t>(s.step > 0 ? s.step : -(s.step + 1)) + (s.step > 0 ? 0 : 1);
    const auto count =
        distance <= 0 ? 0 : static_cast<std::int64_t>((static_cast<std::uint64_t>(distance) - 1) / size) + 1;
    if (count > 0) base += start * stride(axis);
    add_axis(count, count > 1 ? s.step * stride(axis) : 0);
  }
  /// A bool array becomes one index array for each of its axes.
  void add_array(const Array& array, int& axis) {
    const UsingDevice on_host(Device{});  // where indices are checked
    if (is_float(array.dtype())) throw IndexError("[get_item] index arrays are integers or bools, not ", array);
    if (array.dtype() != boolean) return add_places(array.to(int64).to(Device{}), axis++);
    const int count = array.ndim();
    if (count == 0 || array.shape() != source.slice(axis, axis + count)) {
      throw IndexError("[get_item] a bool index of shape ", array.shape(), " does not fit axis ", axis, " of ", source);
    }
    std::vector<std::int64_t> hits;
    const Array host = array.to(Device{});
    const bool* mask = host.data<bool>();
    for (std::int64_t i = 0; i < array.size(); ++i) {
      if (mask[i]) hits.push_back(i);
    }
    std::int64_t inner = array.size();
    for (int k = 0; k < count; ++k) {
      const auto n = array.shape()[k];
      inner = n == 0 ? 0 : inner / n;
      Array positions({static_cast<std::int64_t>(hits.size())}, int64);
      for (std::size_t i = 0; i < hits.size(); ++i) positions.data<std::int64_t>()[i] = hits[i] / inner % n;
      add_places(positions, axis++);
    }
  }
  void add_places(const Array& index, int axis) {
    const bool first = places_shape.ndim() == 0 && places.empty();
    const Shape common = first ? index.shape() : broadcast_shapes(places_shape, index.shape(), "get_item");
    const auto spread = [&](const Array& a) { return broadcast_to(Variable(a), common).array(); };
    std::vector<std::int64_t> sums(static_cast<std::size_t>(common.size()));
    if (!first && !sums.empty()) {
      const Array before = spread(array_from(places.data(), places_shape));
      std::copy_n(before.data<std::int64_t>(), sums.size(), sums.begin());
    }
    const Array mine = spread(index);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += wrapped(mine.data<std::int64_t>()[i], axis) * stride(axis);
    places = std::move(sums);
    places_shape = common;
  }
};

/// The places as an array on the current device: one, where no arrays index.
inline Array places_of(const Selection& selection) {
  if (selection.places.empty() && selection.places_shape.ndim() == 0) return zeros({1}, int64);
  return array_from(selection.places);
}
inline kernels::PlacedGrid placed_grid(const Selection& s, const std::int64_t* places, std::int64_t count) {
  return {places, count, s.place_step, s.grid, s.grid_strides, s.result_strides};
}

/// y[selection] += value, with repetitions added up.
inline void scatter_into(Array& y, const Selection& selection, const Array& value) {
  const Array places = places_of(selection);
  visit_float(y.dtype(), "get_item", [&]<class T>(std::type_identity<T>) {
    kernels::scatter_places(y.data<T>() + selection.base, value.data<T>(),
                            placed_grid(selection, std::as_const(places).data<std::int64_t>(), places.size()));
  });
}

struct GetItem final : FunctionNode {
  explicit GetItem(std::span<const Index> selected) : index(selected.begin(), selected.end()) {}
  std::string_view name() const override { return "GetItem"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    const Selection selection(x[0].shape(), index);
    if (selection.is_contiguous() && selection.shape.size() > 0) {
      const Array flat = x[0].reshape({-1});
      return {flat.slice(selection.base, selection.base + selection.shape.size()).reshape(selection.shape)};
    }
    Array y(selection.shape, x[0].dtype(), x[0].device());
    if (y.size() == 0) return {y};
    const std::size_t item = itemsize(y.dtype());
    const std::byte* const from = x[0].bytes() + selection.base * static_cast<std::int64_t>(item);
    if (selection.places.empty()) {
      kernels::copy_strided(y.bytes(), selection.result_strides, from, selection.grid_strides, selection.grid, item);
    } else {
      const Array places = places_of(selection);
      kernels::gather_places(y.bytes(), from, item, placed_grid(selection, places.data<std::int64_t>(), places.size()));
    }
    return {y};
  }
  inline Variables backward(const Variables& gy) override;

  std::vector<Index> index;
};

/// A copy of a with b added where the index points; the gradient of get_item is this with a = 0.
struct ScatterAdd final : FunctionNode {
  explicit ScatterAdd(std::span<const Index> selected) : index(selected.begin(), selected.end()) {}
  std::string_view name() const override { return "ScatterAdd"; }
  void check(std::span<const Array> x) const override {
    DNN_EXPECT("scatter_add", x[0].dtype() == x[1].dtype());
    DNN_EXPECT("scatter_add", x[1].shape() == Selection(x[0].shape(), index).shape);
  }
  Arrays forward(std::span<const Array> x) override {
    Array y = x[0].copy();
    scatter_into(y, Selection(y.shape(), index), x[1]);
    return {y};
  }
  Variables backward(const Variables& gy) override {
    Variables gx(2);
    if (wanted(0)) gx[0] = gy[0];
    if (wanted(1)) gx[1] = get_item(gy[0], index);
    return gx;
  }

  std::vector<Index> index;
};

struct GetItemGrad final : FunctionNode {
  GetItemGrad(const Shape& shape, std::span<const Index> selected)
      : target(shape), index(selected.begin(), selected.end()) {}
  std::string_view name() const override { return "GetItemGrad"; }
  Arrays forward(std::span<const Array> gy) override {
    Array gx(target, gy[0].dtype(), gy[0].device());
    gx.fill(0);
    scatter_into(gx, Selection(target, index), gy[0]);
    return {gx};
  }
  Variables backward(const Variables& ggx) override { return {get_item(ggx[0], index)}; }

  Shape target;
  std::vector<Index> index;
};

inline Variables GetItem::backward(const Variables& gy) {
  return {call(make_ref<GetItemGrad>(inputs()[0]->shape, index), gy[0])};
}

}  // namespace nodes

/// x[index...]. Throws IndexError for an index that is out of range, of a wrong dtype, or does not fit; ShapeError when
/// index arrays do not broadcast.
inline Variable get_item(const Variable& x, std::span<const Index> index) {
  return call(make_ref<nodes::GetItem>(index), x);
}
inline Variable get_item(const Variable& x, std::initializer_list<Index> index) {
  return get_item(x, std::span(index.begin(), index.size()));
}
inline Variable get_item(const Variable& x, const Index& index) { return get_item(x, {&index, 1}); }

/// A copy of a with b, broadcast, added to the elements that `index` selects; repeated ones are added up. One float
/// dtype. Throws as get_item, and ShapeError when b does not broadcast to the selection.
inline Variable scatter_add(const Variable& a, std::span<const Index> index, const Variable& b) {
  return call(make_ref<nodes::ScatterAdd>(index), a, broadcast_to(b, nodes::Selection(a.shape(), index).shape));
}
inline Variable scatter_add(const Variable& a, std::initializer_list<Index> index, const Variable& b) {
  return scatter_add(a, std::span(index.begin(), index.size()), b);
}

}  // namespace dnn::inline DNN_ABI::inline functions

namespace dnn::inline DNN_ABI {

inline Variable Variable::operator[](const Index& index) const { return get_item(*this, index); }
inline Variable Variable::operator[](std::initializer_list<Index> index) const { return get_item(*this, index); }

}  // namespace dnn::inline DNN_ABI
