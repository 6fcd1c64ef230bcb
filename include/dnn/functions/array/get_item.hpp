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
/// Any dtype. Leading slices share storage with x, everything else copies. Index arrays are on any device. Where they
/// are on x's GPU nobody waits for them: out of range they give NaN (-1 in integers) instead of an error, unless in
/// debug mode. Bool arrays are always waited for: they decide on the shape.
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
#include "dnn/functions/labels.hpp"
#include "dnn/functions/math/sum_to.hpp"
#include "dnn/kernels/copy.hpp"
#include "dnn/kernels/for_each_index.hpp"
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

/// An axis that an array of integers (int64) indexes.
struct IndexedAxis {
  Array index;
  int axis;
  std::int64_t length, stride;
};

/// Adds the offset of an index to a place; out of range, the place is unknown, and stays so.
struct AddOffset {
  std::int64_t* places;
  const std::int64_t* index;
  std::int64_t length, stride;

  DNN_HD void operator()(std::int64_t i) const {
    const std::int64_t at = index[i] < 0 ? index[i] + length : index[i];
    if (places[i] < 0) return;
    if (at < 0 || at >= length) places[i] = kernels::PlacedGrid::unknown;
    else places[i] += at * stride;
  }
};

/// Which elements of an array of a given shape an index selects. The result is the product of the axes that integers
/// and slices leave (`grid`) and of the places that index arrays name (`indexed`), by offsets that are added.
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
    if (!indexed.empty()) return false;
    const auto strides = strides_of(grid);
    for (int i = 0; i < grid.ndim(); ++i) {
      if (grid[i] != 1 && grid_strides[static_cast<std::size_t>(i)] != strides[static_cast<std::size_t>(i)])
        return false;
    }
    return true;
  }

  static void check_index(std::int64_t i, std::int64_t n, int axis) {
    if (i < -n || i >= n)
      throw IndexError("[get_item] index ", i, " is out of range for axis ", axis, " of length ", n);
  }

  Shape source, shape;                // of x and of the result
  Shape grid;                         // of the axes that arrays do not index
  kernels::Strides grid_strides{};    // of the grid in the source
  kernels::Strides result_strides{};  // of the grid in the result
  std::int64_t base = 0;              // offset of the first element
  std::vector<IndexedAxis> indexed;   // by arrays
  Shape places_shape;                 // of those arrays, broadcast together
  int places_axis = -1;               // the result's axis where they stand
  std::int64_t place_step = 1;        // of one place to the next in the result

 private:
  std::int64_t stride(int axis) const noexcept { return strides_of(source)[static_cast<std::size_t>(axis)]; }
  std::int64_t wrapped(std::int64_t i, int axis) const {
    check_index(i, source[axis], axis);
    return i < 0 ? i + source[axis] : i;
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
    if (is_float(array.dtype())) throw IndexError("[get_item] index arrays are integers or bools, not ", array);
    if (array.dtype() != boolean) return add_indexed(array.to(int64), axis++);
    const UsingDevice on_host(Device{});
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
      add_indexed(positions, axis++);
    }
  }
  void add_indexed(const Array& index, int axis) {
    places_shape = indexed.empty() ? index.shape() : broadcast_shapes(places_shape, index.shape(), "get_item");
    indexed.push_back({index, axis, source[axis], stride(axis)});
  }
};

/// The places as an array on the current device, that of x: one, where no arrays index. Throws IndexError for an index
/// out of range unless only a GPU knows it.
inline Array places_of(const Selection& selection) {
  Array places = zeros(selection.places_shape, int64);
  for (const auto& [index, axis, length, stride] : selection.indexed) {
    if (is_checked(index, current_device())) {
      const Array host = index.to(Device{});
      for (const auto i : host.span<std::int64_t>()) Selection::check_index(i, length, axis);
    }
    const Array here = index.to(current_device());
    const Array spread = broadcast_to(Variable(here), selection.places_shape).array();
    kernels::for_each_index("get_item", places.size(), 32768,
                            AddOffset{places.data<std::int64_t>(), spread.data<std::int64_t>(), length, stride});
  }
  return places;
}
inline kernels::PlacedGrid placed_grid(const Selection& s, const Array& places) {
  return {places.data<std::int64_t>(), places.size(), s.place_step, s.grid, s.grid_strides, s.result_strides};
}

/// y[selection] += value, with repetitions added up.
inline void scatter_into(Array& y, const Selection& selection, const Array& value) {
  const Array places = places_of(selection);
  visit_float(y.dtype(), "get_item", [&]<class T>(std::type_identity<T>) {
    kernels::scatter_places(y.data<T>() + selection.base, value.data<T>(), placed_grid(selection, places));
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
    const std::size_t item = itemsize(y.dtype());
    const std::byte* const from = x[0].bytes() + selection.base * static_cast<std::int64_t>(item);
    if (selection.indexed.empty()) {
      if (y.size() == 0) return {y};
      kernels::copy_strided(y.bytes(), selection.result_strides, from, selection.grid_strides, selection.grid, item);
    } else {
      const Array places = places_of(selection);
      kernels::gather_places(y.bytes(), from, item, placed_grid(selection, places));
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

/// x[index...]. Throws IndexError for an index that is out of range (above: not if only a GPU knows it), of a wrong
/// dtype, or does not fit; ShapeError when index arrays do not broadcast.
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
