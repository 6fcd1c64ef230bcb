/// The modes that functions look at: thread-local, changed for a scope by RAII guards.
///
///     {
///       auto test = using_train(false);
///       auto inference = no_backprop_mode();
///       auto y = model(x);
///     }
#pragma once

#include <utility>

#include "dnn/core/abi.hpp"
#include "dnn/core/dtype.hpp"

namespace dnn::inline DNN_ABI {

struct Config {
  bool train = true;                  ///< dropout drops, batch normalization uses batch statistics
  bool enable_backprop = true;        ///< functions record the graph
  bool debug = false;                 ///< every function's results and gradients are scanned for NaN
  bool allow_tf32 = false;            ///< on GPUs, float32 products may round their operands to 10 bits of mantissa
  bool keep_graph_on_report = false;  ///< reported variables keep their graph
  DType dtype = float32;              ///< of initial parameters and data sets
};

/// The configuration of the current thread. A new thread starts with the defaults.
inline Config& config() noexcept {
  static thread_local constinit Config config;
  return config;
}

/// Sets one field of `config()` until it goes out of scope.
template <class T>
class [[nodiscard]] UsingConfig {
 public:
  UsingConfig(T Config::*field, T value) : field_(field), previous_(std::exchange(config().*field, value)) {}
  UsingConfig(const UsingConfig&) = delete;
  UsingConfig& operator=(const UsingConfig&) = delete;
  ~UsingConfig() { config().*field_ = previous_; }

 private:
  T Config::*field_;
  T previous_;
};

inline UsingConfig<bool> using_train(bool train) { return {&Config::train, train}; }
inline UsingConfig<bool> no_backprop_mode() { return {&Config::enable_backprop, false}; }
inline UsingConfig<bool> force_backprop_mode() { return {&Config::enable_backprop, true}; }
inline UsingConfig<bool> debug_mode(bool debug = true) { return {&Config::debug, debug}; }
inline UsingConfig<bool> using_tf32(bool allow = true) { return {&Config::allow_tf32, allow}; }
inline UsingConfig<DType> using_dtype(DType dtype) { return {&Config::dtype, dtype}; }

}  // namespace dnn::inline DNN_ABI
