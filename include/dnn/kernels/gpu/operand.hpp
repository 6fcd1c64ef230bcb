/// What the products of kernels/gpu/product.hpp multiply, and where the result goes.
///
/// An operand is a matrix x(i, p) of which i counts rows of C (or columns, for the right operand) and p the depth. It
/// has no layout of its own but says where an element lies: `depth(p)` and `Rows` hold what only depends on p or i, and
/// `find` brings both together. That is all that a convolution has to supply to be a product.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dnn/core/dtype.hpp"
#include "dnn/cuda/runtime.hpp"
#include "dnn/kernels/batch_axes.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// `count` neighbouring elements, moved as one.
template <class T, int count>
struct alignas(std::min<std::size_t>(16, sizeof(T) * count)) Piece {
  T v[count];
};

/// An element of an operand; it is 0 where it is not valid.
template <class T>
struct Element {
  const T* at;
  bool valid;
};

/// x(i, p) = data[i * row + p * column].
template <class T>
struct StridedOperand {
  using Value = T;
  static constexpr bool dense = true;

  const T* data = nullptr;
  std::int64_t rows = 0, row = 0, column = 0;
  /// Neighbours in memory are neighbours in p (else in i).
  bool depth_first = false;
  /// Both strides and the start allow 16 bytes to be read at once.
  bool vectors = false;
  BatchAxes::Strides batch_strides = {};

  /// op(A) or op(B)^T of a product of row-major matrices: `rows` x depth, `transposed` as it is stored.
  static StridedOperand matrix(const T* data, std::int64_t rows, std::int64_t ld, bool transposed,
                               const BatchAxes::Strides& strides) {
    constexpr std::int64_t vector = 16 / static_cast<std::int64_t>(sizeof(T));
    StridedOperand x;
    x.data = data, x.rows = rows, x.row = transposed ? 1 : ld, x.column = transposed ? ld : 1;
    x.depth_first = !transposed;
    x.vectors = reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && ld % vector == 0;
    for (int i = 0; i < BatchAxes::max_count; ++i) {
      x.batch_strides[i] = strides[i];
      x.vectors = x.vectors && strides[i] % vector == 0;
    }
    return x;
  }

  struct Depth {
    std::int64_t offset;
    bool valid;
  };
  DNN_DEVICE Depth depth(int p, int end) const { return {std::int64_t{p} * column, p < end}; }

  /// The rows i, i + step, ... of which a thread loads elements.
  template <int count, int step>
  class Rows {
   public:
    DNN_DEVICE Rows(const StridedOperand& x, const T* data, std::int64_t i)
        : x_(x),
          at_(data + i * x.row),
          left_(x.rows - i < count * step ? static_cast<int>(x.rows - i) : count * step) {}
    DNN_DEVICE Element<T> find(int r, Depth p) const {
      return {at_ + r * step * x_.row + p.offset, p.valid && r * step < left_};
    }
    /// Row i at depth 0, and how many rows there are from it on (count * step if there are more).
    DNN_DEVICE const T* start() const { return at_; }
    DNN_DEVICE int left() const { return left_; }

   private:
    const StridedOperand& x_;
    const T* at_;
    int left_;
  };
};

struct Identity {
  template <class T>
  DNN_HD T operator()(T x) const {
    return x;
  }
};

/// Columns of C as they lie in memory.
struct DenseColumns {
  DNN_HD std::int64_t operator()(std::int64_t j) const { return j; }
};

/// C(i, j) = data[i * row + columns(j)] becomes f(sum + row_bias[i] + column_bias[j] + C(i, j) if `accumulate`).
template <class T, class Columns = DenseColumns, class F = Identity>
struct Output {
  using Sum = std::conditional_t<sizeof(T) == 8, double, float>;

  T* data = nullptr;
  std::int64_t row = 0;
  Columns columns = {};
  F f = {};
  const T *row_bias = nullptr, *column_bias = nullptr;
  bool accumulate = false;
  bool vectors = false;
  BatchAxes::Strides batch_strides = {};
  std::int64_t row_bias_batch_stride = 0;

  /// Four columns from a multiple of 4 on are moved as one where rows and batches begin at multiples of 4; for columns
  /// that lie side by side.
  void use_vectors() {
    vectors = reinterpret_cast<std::uintptr_t>(data) % alignof(Piece<T, 4>) == 0 && row % 4 == 0;
    for (const auto stride : batch_strides) vectors = vectors && stride % 4 == 0;
  }

  /// The sums of row i from column j on, of which those below n count; `offset` and `batch` are those of the product.
  template <int count>
  DNN_DEVICE void store(std::int64_t offset, std::int64_t batch, std::int64_t i, std::int64_t j, std::int64_t n,
                        const Sum* sums) const {
    T* to = data + offset + i * row;
    const Sum bias = row_bias ? cast_scalar<Sum>(row_bias[batch * row_bias_batch_stride + i]) : Sum(0);
    if (vectors && j + count <= n) {
      auto& piece = *reinterpret_cast<Piece<T, count>*>(to + columns(j));
      Piece<T, count> out = {};
      if (accumulate) out = piece;
      for (int c = 0; c < count; ++c) out.v[c] = finish(sums[c] + bias, j + c, out.v[c]);
      piece = out;
      return;
    }
    for (int c = 0; c < count; ++c) {
      if (j + c >= n) break;
      T& at = to[columns(j + c)];
      at = finish(sums[c] + bias, j + c, at);
    }
  }

 private:
  DNN_DEVICE T finish(Sum sum, std::int64_t j, const T& before) const {
    if (column_bias) sum += cast_scalar<Sum>(column_bias[j]);
    if (accumulate) sum += cast_scalar<Sum>(before);
    return cast_scalar<T>(f(sum));
  }
};

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
