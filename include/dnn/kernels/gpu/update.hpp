/// In-place passes over many arrays in one launch: the optimizer's update of a whole model.
#pragma once

#include "dnn/core/abi.hpp"

#if DNN_CUDA

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dnn/core/dtype.hpp"
#include "dnn/cuda/graph.hpp"
#include "dnn/cuda/launch.hpp"
#include "dnn/kernels/gpu/elementwise.hpp"
#include "dnn/kernels/gpu/lines.hpp"
#include "dnn/kernels/gpu/scratch.hpp"
#include "dnn/kernels/number.hpp"
#include "dnn/kernels/reducers.hpp"
#include "dnn/memory/device.hpp"

namespace dnn::inline DNN_ABI::kernels::gpu {

/// One array's part of a pass.
template <std::size_t States>
struct UpdateEntry {
  void* target;
  const void* source;
  std::array<void*, States> states;
  std::int64_t n;
  Index32 first_block;  // of this entry
  DType dtype, source_dtype;
  bool fours;
};

/// As many as the 4 KB of a kernel's arguments hold.
template <class F, std::size_t States>
struct UpdateTable {
  static constexpr std::size_t capacity = std::min<std::size_t>(64, 3840 / (sizeof(UpdateEntry<States>) + sizeof(F)));
  static_assert(capacity >= 1, "the formula of an update holds too much data");

  const double* skip = nullptr;
  std::int32_t count = 0;
  Index32 blocks = 0;
  std::array<UpdateEntry<States>, capacity> entries;
  std::array<F, capacity> formulas;
};

inline constexpr int update_threads = 256;
inline constexpr std::int64_t update_block = 4096;  // elements

/// With the formulas of the table, or those that are in memory.
template <class T, class F, std::size_t States, std::size_t... I>
DNN_KERNEL void update_arrays(UpdateTable<F, States> table, const F* formulas, std::index_sequence<I...>) {
  if (table.skip && *table.skip != 0) return;
  int which = 0;
  while (which + 1 < table.count && table.entries[static_cast<std::size_t>(which + 1)].first_block <= blockIdx.x)
    ++which;
  const auto& e = table.entries[static_cast<std::size_t>(which)];
  F f = table.formulas[static_cast<std::size_t>(which)];
  if (formulas) std::memcpy(static_cast<void*>(&f), formulas + which, sizeof f);
  const std::int64_t begin = std::int64_t{blockIdx.x - e.first_block} * update_block;
  const std::int64_t end = begin + update_block < e.n ? begin + update_block : e.n;
  std::int64_t scalar_begin = begin;
  if constexpr (std::is_same_v<T, float>) {
    if (e.fours) {
      for (std::int64_t i = begin / 4 + threadIdx.x; i < end / 4; i += blockDim.x) {
        Four<float> p = load_four(e.target, e.dtype, i);
        const Four<float> g = load_four(e.source, e.source_dtype, i);
        [[maybe_unused]] std::array<Four<float>, States> s{load_four(e.states[I], e.dtype, i)...};
        DNN_UNROLL
        for (int k = 0; k < 4; ++k) {
          Number<float> x = p.v[k];
          [[maybe_unused]] std::array<Number<float>, States> state{Number<float>(s[I].v[k])...};
          f(x, Number<float>(g.v[k]), state[I]...);
          p.v[k] = x.v;
          ((s[I].v[k] = state[I].v), ...);
        }
        store_four(e.target, e.dtype, i, p);
        (store_four(e.states[I], e.dtype, i, s[I]), ...);
      }
      scalar_begin = end / 4 * 4;
    }
  }
  for (std::int64_t i = scalar_begin + threadIdx.x; i < end; i += blockDim.x) {
    Number<T> x = load_as<T>(e.target, e.dtype, i);
    [[maybe_unused]] std::array<Number<T>, States> state{Number<T>(load_as<T>(e.states[I], e.dtype, i))...};
    f(x, Number<T>(load_as<T>(e.source, e.source_dtype, i)), state[I]...);
    store_as<T>(e.target, e.dtype, i, x.v);
    (store_as<T>(e.states[I], e.dtype, i, state[I].v), ...);
  }
}

/// Starts the passes of a table, with its own formulas or those in memory.
using UpdateLaunch = void (*)(const std::byte* table, const void* formulas);

/// The passes of an update that is part of a graph, whose formulas are in memory: the host writes them there before
/// each repetition. First the passes are recorded. From then on, after `repeat()`, they start nothing but are compared
/// with what was recorded, in the same order, and leave their formulas in `host`.
class RecordedPasses {
 public:
  struct Pass {
    UpdateLaunch launch;
    void* target;
    std::array<void*, 3> states;
    std::int64_t n;
    DType dtype;

    bool operator==(const Pass&) const = default;
  };

  /// Formulas go behind the first `used` of the device's `capacity` bytes.
  RecordedPasses(std::byte* device, std::size_t capacity, std::size_t used)
      : host(used), device_(device), capacity_(capacity) {}

  std::vector<std::byte> host;  ///< what the graph reads on the device

  void repeat() noexcept {
    repeats_ = same_ = true;
    next_ = 0;
  }
  bool repeats() const noexcept { return repeats_; }
  /// After a repetition: whether the passes were those that were recorded.
  bool same() const noexcept { return same_ && next_ == passes_.size(); }

  void compare(const Pass& pass, const void* formula, std::size_t bytes) noexcept {
    same_ = same_ && next_ < passes_.size() && passes_[next_].first == pass;
    if (same_) std::memcpy(host.data() + passes_[next_].second, formula, bytes);
    ++next_;
  }
  /// Where the formulas of the passes that come next begin.
  const void* begin_table() {
    host.resize((host.size() + 15) / 16 * 16);
    return device_ + host.size();
  }
  void record(const Pass& pass, const void* formula, std::size_t bytes) {
    if (host.size() + bytes > capacity_) cu::refuse_capture("an update with that many numbers");
    passes_.emplace_back(pass, host.size());
    const auto* const from = static_cast<const std::byte*>(formula);
    host.insert(host.end(), from, from + bytes);
  }

 private:
  std::vector<std::pair<Pass, std::size_t>> passes_;  // and where their formulas are
  std::byte* device_;
  std::size_t capacity_;
  std::size_t next_ = 0;
  bool repeats_ = false, same_ = true;
};

/// Collects passes of one formula, so that they become one launch. Passes of another formula, or over an array that is
/// waiting already, are started in order; what is left, by `flush`.
class UpdateBatch {
 public:
  UpdateBatch() noexcept {}
  UpdateBatch(const UpdateBatch&) = delete;
  UpdateBatch& operator=(const UpdateBatch&) = delete;

  const double* skip = nullptr;        ///< where this points to anything but 0, updates change nothing
  RecordedPasses* recorded = nullptr;  ///< of the graph that is being recorded, or will be repeated

  /// Starts what was collected.
  void flush() {
    if (!launch_) return;
    const UsingDevice here(device_);
    std::exchange(launch_, nullptr)(storage_, formulas_);
  }

  template <class T, class F, std::size_t States>
  void add(const UpdateEntry<States>& entry, const F& f) {
    using Table = UpdateTable<F, States>;
    static_assert(std::is_trivially_copyable_v<F>, "the formula of an update holds numbers only");
    Table& table = *reinterpret_cast<Table*>(storage_);
    constexpr UpdateLaunch launch = &start<T, F, States>;
    RecordedPasses::Pass pass{launch, entry.target, {}, entry.n, entry.dtype};
    std::copy(entry.states.begin(), entry.states.end(), pass.states.begin());
    if (recorded && recorded->repeats()) return recorded->compare(pass, &f, sizeof f);
    const auto waits = [&] {
      return std::any_of(table.entries.begin(), table.entries.begin() + table.count,
                         [&](const auto& other) { return other.target == entry.target; });
    };
    const auto blocks = (entry.n + update_block - 1) / update_block;
    if (launch_ &&
        (launch_ != launch || device_ != current_device() || static_cast<std::size_t>(table.count) == Table::capacity ||
         waits() || table.blocks + blocks > max_elements)) {
      flush();
    }
    if (!launch_) {
      launch_ = launch;
      device_ = current_device();
      formulas_ = recorded ? recorded->begin_table() : nullptr;
      table.skip = skip;
      table.count = 0;
      table.blocks = 0;
    }
    if (recorded) recorded->record(pass, &f, sizeof f);
    const auto place = static_cast<std::size_t>(table.count++);
    table.entries[place] = entry;
    table.entries[place].first_block = table.blocks;
    std::memcpy(static_cast<void*>(&table.formulas[place]), &f, sizeof f);
    table.blocks += static_cast<Index32>(blocks);
  }

 private:
  template <class T, class F, std::size_t States>
  static void start(const std::byte* table_bytes, const void* formulas) {
    const auto& table = *reinterpret_cast<const UpdateTable<F, States>*>(table_bytes);
    const auto run = [&]<std::size_t... I>(std::index_sequence<I...> all) {
      cu::launch("update", update_arrays<T, F, States, I...>, {table.blocks, update_threads}, table,
                 static_cast<const F*>(formulas), all);
    };
    run(std::make_index_sequence<States>{});
  }

  UpdateLaunch launch_ = nullptr;
  Device device_;
  const void* formulas_ = nullptr;
  alignas(16) std::byte storage_[4096];
};

/// As kernels::update.
template <std::size_t States, class F>
void update(const F& f, DType dtype, void* target, const void* source, DType source_dtype,
            const std::array<void*, States>& states, std::int64_t n, UpdateBatch& batch) {
  if (n == 0) return;
  bool fours = takes_fours(target, dtype) && takes_fours(source, source_dtype);
  for (void* const state : states) fours = fours && takes_fours(state, dtype);
  const UpdateEntry<States> entry{target, source, states, n, 0, dtype, source_dtype, fours};
  if (dtype == DType::float64) batch.add<double>(entry, f);
  else batch.add<float>(entry, f);
}

/// One array's part of a sum of squares.
struct SquaresEntry {
  const void* data;
  std::int64_t n;
  Index32 first_block;  // of this entry
  DType dtype;
};
struct SquaresTable {
  static constexpr std::size_t capacity = 128;

  std::int32_t count = 0;
  Index32 blocks = 0;
  SquaresEntry entries[capacity];
};

template <class = void>
DNN_KERNEL void square_arrays(double* partial, SquaresTable table) {
  DNN_SHARED(double, shared, [line_warps]);
  int which = 0;
  while (which + 1 < table.count && table.entries[which + 1].first_block <= blockIdx.x) ++which;
  const SquaresEntry& e = table.entries[which];
  const std::int64_t begin = std::int64_t{blockIdx.x - e.first_block} * update_block;
  const std::int64_t end = begin + update_block < e.n ? begin + update_block : e.n;
  double sum = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    const double x = load_as<double>(e.data, e.dtype, i);
    sum += x * x;
  }
  sum = reduce_group(sum, line_threads, shared, Sum{});
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// finish(first + k, the sum of the partial sums of entry k), a block for each.
template <class Finish>
DNN_KERNEL void finish_squares(const double* partial, SquaresTable table, std::int64_t first, Finish finish) {
  DNN_SHARED(double, shared, [line_warps]);
  const int k = static_cast<int>(blockIdx.x);
  const Index32 end = k + 1 < table.count ? table.entries[k + 1].first_block : table.blocks;
  double sum = 0;
  for (Index32 i = table.entries[k].first_block + threadIdx.x; i < end; i += blockDim.x) sum += partial[i];
  sum = reduce_group(sum, line_threads, shared, Sum{});
  if (threadIdx.x == 0) finish(first + k, sum);
}

/// As kernels::sum_of_squares (`together`) and kernels::sums_of_squares: two launches for as many arrays as a table
/// holds.
template <class Elements, class Finish>
void sums_of_squares(std::span<const Elements> arrays, bool together, const Finish& finish) {
  const auto blocks_of = [](const Elements& x) {
    return static_cast<Index32>((x.n + update_block - 1) / update_block);
  };
  std::int64_t blocks = 0;
  for (const auto& x : arrays) blocks += blocks_of(x);
  const Scratch<double> partial(blocks);
  double* to = partial.data();
  const auto finish_with = [&](const double* sums, const SquaresTable& table, std::int64_t first) {
    cu::launch("sum_of_squares", finish_squares<Finish>, {static_cast<unsigned>(table.count), line_threads}, sums,
               table, first, finish);
  };
  for (std::size_t first = 0; first < arrays.size(); first += SquaresTable::capacity) {
    SquaresTable table;
    for (const auto& x : arrays.subspan(first, std::min(SquaresTable::capacity, arrays.size() - first))) {
      table.entries[table.count++] = {x.data, x.n, table.blocks, x.dtype};
      table.blocks += blocks_of(x);
    }
    cu::launch("sum_of_squares", square_arrays<>, {table.blocks, line_threads}, to, table);
    if (!together) finish_with(to, table, static_cast<std::int64_t>(first));
    to += table.blocks;
  }
  if (!together) return;
  SquaresTable all;
  all.count = 1;
  all.blocks = static_cast<Index32>(blocks);
  all.entries[0].first_block = 0;
  finish_with(partial.data(), all, 0);
}

}  // namespace dnn::inline DNN_ABI::kernels::gpu

#endif
