/// What both halves of kernels/map_reduce.hpp share: how operands are walked, and a struct's optional members.
#pragma once

#include <cstdint>

#include "dnn/core/dtype.hpp"
#include "dnn/core/shape.hpp"
#include "dnn/kernels/broadcast.hpp"
#include "dnn/kernels/number.hpp"
#include "dnn/kernels/typed.hpp"

namespace dnn::inline DNN_ABI::kernels {

/// Axes that are walked as one, the last one fastest; strides in elements.
struct AxesWalk {
  std::int64_t count = 1;
  int ndim = 0;
  std::int64_t sizes[max_ndim] = {};
  std::int64_t strides[max_operands][max_ndim] = {};

  DNN_HD std::int64_t offset(std::size_t k, std::int64_t i) const noexcept {
    std::int64_t out = 0;
    for (int axis = ndim - 1; axis > 0; --axis) {
      out += i % sizes[axis] * strides[k][axis];
      i /= sizes[axis];
    }
    return out + i * strides[k][0];
  }
};

struct MapReduceArguments {
  void* out = nullptr;
  const void* in[max_operands] = {};
  DType out_dtype = DType::float32;
  DType dtypes[max_operands] = {};
  AxesWalk kept, reduced;
};

namespace detail {
/// map() of element r of the line of output i.
template <class T, class Op, std::size_t... I>
DNN_HD Number<T> mapped(const Op& op, const MapReduceArguments& a, std::int64_t i, std::int64_t r) {
  return op.map(Number<T>(load_as<T>(a.in[I], a.dtypes[I], a.kept.offset(I, i) + a.reduced.offset(I, r)))...);
}
template <class Op, class V>
DNN_HD V posted(const Op& op, V value) {
  if constexpr (requires { op.post(value); }) return op.post(value);
  else return value;
}
}  // namespace detail

}  // namespace dnn::inline DNN_ABI::kernels
