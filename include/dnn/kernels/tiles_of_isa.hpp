/// Products in registers, for one instruction set: tiles.hpp includes this text for each, in a namespace of its own.
/// Included anywhere else it is empty.
#if defined(DNN_TILE_BYTES)

#if DNN_TILE_BYTES > 0
inline constexpr int simd_bytes = DNN_TILE_BYTES;

template <class T>
struct Pack {
  static constexpr int width = simd_bytes / static_cast<int>(sizeof(T));
  typedef T Vector __attribute__((vector_size(simd_bytes)));

  Vector v;

  Pack() = default;
  explicit Pack(Vector vector) noexcept : v(vector) {}
  template <class S>
    requires(std::is_arithmetic_v<S>)
  explicit Pack(S scalar) noexcept : v(Vector{} + static_cast<T>(scalar)) {}
  static Pack load(const T* p) noexcept {
    Pack out;
    std::memcpy(&out.v, p, sizeof(Vector));
    return out;
  }
  void store(T* p) const noexcept { std::memcpy(p, &v, sizeof(Vector)); }

  Pack operator+(Pack other) const noexcept { return Pack(v + other.v); }
  Pack operator*(Pack other) const noexcept { return Pack(v * other.v); }
};
#endif

/// Lanes of the widest vector that `Width` elements can be divided into; 1 where that is not worth it.
template <class T>
constexpr int transposed_lanes(int width) {
  int lanes = Pack<T>::width;
  while (width % lanes != 0) lanes /= 2;
  return lanes * static_cast<int>(sizeof(T)) < 16 ? 1 : lanes;
}

/// Lanes of a and of b in turn, from lane `First` on; compilers see one instruction in it.
template <std::size_t First, class Vector, std::size_t... L>
[[gnu::always_inline]] inline void alternate(Vector& out, const Vector& a, const Vector& b, std::index_sequence<L...>) {
  out = Vector{(L % 2 == 0 ? a : b)[First + L / 2]...};
}

/// Rows 2 i and 2 i + 1 become the lanes of rows i and i + n / 2 in turn, which rotates the bits of (row, lane) by one.
template <class Vector, class Lanes, std::size_t... I>
[[gnu::always_inline]] inline void interleave(Vector* rows, Lanes lanes, std::index_sequence<I...>) {
  constexpr std::size_t half = sizeof...(I);
  const Vector from[] = {rows[I]..., rows[half + I]...};
  (alternate<0>(rows[2 * I], from[I], from[half + I], lanes), ...);
  (alternate<half>(rows[2 * I + 1], from[I], from[half + I], lanes), ...);
}

/// A square block: out[l * Width + r] = x[r * row + l]. Row and lane have changed places after as many rotations as a
/// lane's number has bits.
template <int Width, class T, std::size_t... L>
void transpose_block(T* out, const T* x, std::int64_t row, std::index_sequence<L...> lanes) {
  constexpr std::size_t n = sizeof...(L);
  constexpr auto pairs = std::make_index_sequence<n / 2>{};
  typedef T Vector __attribute__((vector_size(n * sizeof(T))));
  Vector block[n];
  (std::memcpy(&block[L], x + static_cast<std::int64_t>(L) * row, sizeof(Vector)), ...);
  interleave(block, lanes, pairs);
  if constexpr (n > 2) interleave(block, lanes, pairs);
  if constexpr (n > 4) interleave(block, lanes, pairs);
  if constexpr (n > 8) interleave(block, lanes, pairs);
  (std::memcpy(out + L * Width, &block[L], sizeof(Vector)), ...);
}

/// out[p * Width + r] = x[r * row + p] for r < Width and p < depth: square blocks are transposed in registers.
template <int Width, class T>
void transpose_panel(T* out, const T* x, std::int64_t row, std::int64_t depth) {
  constexpr int lanes = transposed_lanes<T>(Width);
  std::int64_t p = 0;
  if constexpr (lanes > 1) {
    for (; p + lanes <= depth; p += lanes) {
      for (int r = 0; r < Width; r += lanes) {
        transpose_block<Width>(out + p * Width + r, x + r * row + p, row, std::make_index_sequence<lanes>{});
      }
    }
  }
  out += p * Width;
  x += p;
  for (std::int64_t rest = depth - p; rest > 0; --rest, ++x, out += Width) {
    for (int r = 0; r < Width; ++r) out[r] = x[r * row];
  }
}

/// Copies `count` x `depth` (count along `x`'s rows) into panels of `Width` rows, zero-padded, depth-major.
template <int Width, class T>
void pack_panels(T* out, StridedMatrix<T> x, std::int64_t count, std::int64_t depth) {
  for (std::int64_t i = 0; i < count; i += Width) {
    const auto rows = std::min<std::int64_t>(Width, count - i);
    const auto panel = x.block(i, 0);
    if (rows == Width && panel.row == 1) {
      for (std::int64_t p = 0; p < depth; ++p)
        std::memcpy(out + p * Width, panel.data + p * panel.column, Width * sizeof(T));
    } else if (rows == Width && panel.column == 1) {
      transpose_panel<Width>(out, panel.data, panel.row, depth);
    } else {
      for (std::int64_t r = 0; r < rows; ++r) {
        const T* source = panel.data + r * panel.row;
        for (std::int64_t p = 0; p < depth; ++p) out[p * Width + r] = source[p * panel.column];
      }
      for (std::int64_t p = 0; p < depth; ++p) std::fill(out + p * Width + rows, out + (p + 1) * Width, T(0));
    }
    out += Width * depth;
  }
}

/// Tile of C held in registers: tile_rows x (2 packs). With AVX-512, 8 rows keep the multipliers as busy as the 12 that
/// would fit, and more sizes are multiples of 8.
inline constexpr int tile_rows = simd_bytes == 64 ? 8 : 6;

/// C tile, `Packs` registers wide, += A panel * B; `row(p)` is row p of B. The accumulators are unrolled by hand
/// (folds), so they live in registers at -O2 too.
template <class T, int Packs, class Row, std::size_t... R>
void multiply_tile(std::int64_t depth, const T* a, Row row, T* c, std::int64_t ldc, std::index_sequence<R...>) {
  constexpr int width = Pack<T>::width;
  using Vector = typename Pack<T>::Vector;
  Vector low[sizeof...(R)] = {}, high[sizeof...(R)] = {};
  for (std::int64_t p = 0; p < depth; ++p) {
    const T* b = row(p);
    const Vector b0 = Pack<T>::load(b).v;
    if constexpr (Packs == 1) {
      ((low[R] += b0 * a[R]), ...);
    } else {
      const Vector b1 = Pack<T>::load(b + width).v;
      ((low[R] += b0 * a[R], high[R] += b1 * a[R]), ...);
    }
    a += sizeof...(R);
  }
  const auto add = [&](std::size_t r) {
    T* out = c + static_cast<std::int64_t>(r) * ldc;
    (Pack<T>::load(out) + Pack<T>(low[r])).store(out);
    if constexpr (Packs == 2) (Pack<T>::load(out + width) + Pack<T>(high[r])).store(out + width);
  };
  (add(R), ...);
}

/// A tile of dot products: so many rows by so many columns, whose sums stay in registers.
inline constexpr int dot_rows = simd_bytes == 64 ? 4 : 3, dot_columns = simd_bytes == 64 ? 6 : 4;
static_assert(dot_rows <= most_dot_rows);

/// sums[s * sizeof...(R) + r] += the dot product of row r of A and row s of B, over `pieces` pieces of n elements,
/// rounded up to whole packs. Rows begin at a + a_rows[r] and b + b_rows[s], their pieces are a_piece and b_piece
/// apart. One pack more of each row may lie at a_end + r * width and b_end + s * width.
template <class T, std::size_t... R, std::size_t... S>
void add_dots(std::int64_t pieces, std::int64_t n, const T* a, std::int64_t a_piece, const std::int64_t* a_rows,
              const T* b, std::int64_t b_piece, const std::int64_t* b_rows, T* sums, std::index_sequence<R...>,
              std::index_sequence<S...>, const T* a_end = nullptr, const T* b_end = nullptr) {
  constexpr int width = Pack<T>::width;
  using Vector = typename Pack<T>::Vector;
  Vector acc[sizeof...(S)][sizeof...(R)] = {};
  const auto add = [&](const Vector* x, Vector* sum, const T* column) {
    Vector y = Pack<T>::load(column).v;
#if defined(__GNUC__) && defined(__SSE2__)
    // In a register: GCC would load it, maybe from between two cache lines, again for each product.
    asm("" : "+v"(y));
#endif
    ((sum[R] += x[R] * y), ...);
  };
  for (std::int64_t piece = 0; piece < pieces; ++piece, a += a_piece, b += b_piece) {
    const T* const rows[] = {a + a_rows[R]...};
    const T* const columns[] = {b + b_rows[S]...};
    for (std::int64_t i = 0; i < n; i += width) {
      const Vector x[] = {Pack<T>::load(rows[R] + i).v...};
      (add(x, acc[S], columns[S] + i), ...);
    }
  }
  if (a_end) {
    const Vector x[] = {Pack<T>::load(a_end + R * width).v...};
    (add(x, acc[S], b_end + S * width), ...);
  }
  // The lanes of each are summed by adding the rows of the transpose, which is faster with multiples of 8.
  constexpr int dots = static_cast<int>(sizeof...(R) * sizeof...(S)), rounded = (dots + 7) / 8 * 8;
  alignas(simd_bytes) T lanes[rounded * width];
  std::memcpy(lanes, acc, sizeof acc);
  std::fill(lanes + dots * width, lanes + rounded * width, T(0));
  alignas(simd_bytes) T by_lane[width * rounded];
  transpose_panel<rounded>(by_lane, lanes, width, width);
  for (int lane = 0; lane < width; ++lane) {
    for (int i = 0; i < dots; ++i) sums[i] += by_lane[lane * rounded + i];
  }
}

/// C += A B where the rows of A and the columns of B are contiguous: dot products, nothing is packed. Element (i, j) of
/// C is c[i * c_row + j * c_column].
template <class T, int Rows, int Columns>
void gemm_dots(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c,
               std::int64_t c_row, std::int64_t c_column) {
  constexpr std::int64_t width = Pack<T>::width;
  constexpr std::make_index_sequence<Rows> all_rows;
  constexpr std::make_index_sequence<Columns> all_columns;
  const auto whole = k / width * width, rest = k - whole;
  alignas(simd_bytes) T a_end[Rows * width] = {}, b_end[Columns * width] = {};
  std::int64_t a_rows[Rows], b_rows[Columns];
  for (std::int64_t i = 0; i < m; i += Rows) {
    // A tile at the edge computes the last row again.
    for (std::int64_t r = 0; r < Rows; ++r) {
      a_rows[r] = std::min(i + r, m - 1) * a.row;
      std::memcpy(a_end + r * width, a.data + a_rows[r] + whole, static_cast<std::size_t>(rest) * sizeof(T));
    }
    for (std::int64_t j = 0; j < n; j += Columns) {
      alignas(simd_bytes) T sums[Rows * Columns] = {};
      for (std::int64_t s = 0; s < Columns; ++s) {
        b_rows[s] = std::min(j + s, n - 1) * b.column;
        std::memcpy(b_end + s * width, b.data + b_rows[s] + whole, static_cast<std::size_t>(rest) * sizeof(T));
      }
      add_dots(1, whole, a.data, 0, a_rows, b.data, 0, b_rows, sums, all_rows, all_columns, rest > 0 ? a_end : nullptr,
               b_end);
      for (std::int64_t r = 0; r < std::min<std::int64_t>(Rows, m - i); ++r) {
        for (std::int64_t s = 0; s < std::min<std::int64_t>(Columns, n - j); ++s) {
          c[(i + r) * c_row + (j + s) * c_column] += sums[s * Rows + r];
        }
      }
    }
  }
}

/// Rows of B, scaled and added to rows of C.
template <class T>
void gemm_rows(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b, T* c,
               std::int64_t ldc) {
  constexpr std::int64_t width = Pack<T>::width;
  for (std::int64_t i = 0; i < m; ++i) {
    T* out = c + i * ldc;
    std::int64_t j = 0;
    for (; j + 4 * width <= n; j += 4 * width) {
      Pack<T> sums[4];
      for (std::int64_t v = 0; v < 4; ++v) sums[v] = Pack<T>::load(out + j + v * width);
      for (std::int64_t p = 0; p < k; ++p) {
        const Pack<T> factor(a.data[i * a.row + p * a.column]);
        const T* row = b.data + p * b.row + j;
        for (std::int64_t v = 0; v < 4; ++v) sums[v] = sums[v] + factor * Pack<T>::load(row + v * width);
      }
      for (std::int64_t v = 0; v < 4; ++v) sums[v].store(out + j + v * width);
    }
    for (; j + width <= n; j += width) {
      Pack<T> sum = Pack<T>::load(out + j);
      for (std::int64_t p = 0; p < k; ++p) {
        sum = sum + Pack<T>(a.data[i * a.row + p * a.column]) * Pack<T>::load(b.data + p * b.row + j);
      }
      sum.store(out + j);
    }
    for (; j < n; ++j) {
      T sum = out[j];
      for (std::int64_t p = 0; p < k; ++p) sum += a.data[i * a.row + p * a.column] * b.data[p * b.row + j];
      out[j] = sum;
    }
  }
}

/// What the drivers of products call, and the sizes that they go by.
template <class T>
struct Tiles {
  static constexpr std::int64_t width = Pack<T>::width;  ///< of a register; a tile of C has two of them side by side
  static constexpr std::int64_t rows = tile_rows, rows_of_dots = dot_rows, columns_of_dots = dot_columns;

  /// Copies `count` rows of A, or as many columns of B, into the panels that `multiply` takes.
  static void pack_rows(T* out, StridedMatrix<T> a, std::int64_t count, std::int64_t depth) {
    pack_panels<tile_rows>(out, a, count, depth);
  }
  static void pack_columns(T* out, StridedMatrix<T> b, std::int64_t count, std::int64_t depth) {
    pack_panels<2 * Pack<T>::width>(out, {b.data, b.column, b.row}, count, depth);
  }
  /// A tile of C, `packs` registers wide, += a panel of A times a panel of B.
  static void multiply(int packs, std::int64_t depth, const T* a, const T* b, T* c, std::int64_t ldc) {
    multiply_rows(
        packs, depth, a, [b](std::int64_t p) { return b + p * 2 * width; }, c, ldc);
  }
  /// The same where row p of B begins at b + distances[p].
  static void multiply_distant(int packs, std::int64_t depth, const T* a, const T* b, const std::int64_t* distances,
                               T* c, std::int64_t ldc) {
    multiply_rows(
        packs, depth, a, [b, distances](std::int64_t p) { return b + distances[p]; }, c, ldc);
  }
  /// Adds tiles of dot products, see add_dots.
  static void multiply_dots(std::int64_t pieces, std::int64_t n, const T* a, std::int64_t a_piece,
                            const std::int64_t* a_rows, const T* b, std::int64_t b_piece, const std::int64_t* b_rows,
                            T* sums) {
    add_dots(pieces, n, a, a_piece, a_rows, b, b_piece, b_rows, sums, std::make_index_sequence<dot_rows>{},
             std::make_index_sequence<dot_columns>{});
  }
  /// C += A B as dot products, or from rows of B, where those of A and columns of B, or rows of B, are contiguous.
  static void multiply_by_dots(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b,
                               T* c, std::int64_t ldc) {
    // A single row or column, or tiles that waste less at the edge. Where there are several sets, to compile quickly,
    // only for float32 with AVX-512.
    if constexpr (!DNN_DISPATCH || (sizeof(T) == 4 && simd_bytes == 64)) {
      constexpr int less = dot_columns - 1;
      if (m == 1) return gemm_dots<T, 1, 8>(1, n, k, a, b, c, ldc, 1);
      if (n == 1) return gemm_dots<T, 1, 8>(1, m, k, {b.data, b.column, b.row}, {a.data, a.column, a.row}, c, 1, ldc);
      if ((n + dot_columns - 1) / dot_columns * less >= n)
        return gemm_dots<T, dot_rows, less>(m, n, k, a, b, c, ldc, 1);
    }
    gemm_dots<T, dot_rows, dot_columns>(m, n, k, a, b, c, ldc, 1);
  }
  static void multiply_by_rows(std::int64_t m, std::int64_t n, std::int64_t k, StridedMatrix<T> a, StridedMatrix<T> b,
                               T* c, std::int64_t ldc) {
    gemm_rows(m, n, k, a, b, c, ldc);
  }

 private:
  template <class Row>
  static void multiply_rows(int packs, std::int64_t depth, const T* a, Row row, T* c, std::int64_t ldc) {
    constexpr auto all_rows = std::make_index_sequence<tile_rows>{};
    if (packs == 2) multiply_tile<T, 2>(depth, a, row, c, ldc, all_rows);
    else multiply_tile<T, 1>(depth, a, row, c, ldc, all_rows);
  }
};

#endif
