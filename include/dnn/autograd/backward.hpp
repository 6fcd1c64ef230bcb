/// The engine: reverse-mode differentiation over a heap of functions ordered by rank. No recursion.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dnn/array/factories.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/autograd/variable.hpp"

namespace dnn::inline DNN_ABI {

namespace detail {

struct Plus {
  template <class V>
  constexpr V operator()(V a, V b) const {
    return a + b;
  }
};

/// The sum of two gradients of one variable. (`functions::add` also broadcasts, and is a layer above.)
struct AddGradients final : FunctionNode {
  std::string_view name() const override { return "Add"; }
  bool takes_16bit_floats() const override { return true; }
  Arrays forward(std::span<const Array> x) override {
    Array sum(x[0].shape(), x[0].dtype(), x[0].device());
    kernels::elementwise(Plus{}, sum.bytes(), sum.dtype(), sum.shape(), std::array{x[0].operand(), x[1].operand()});
    return {sum};
  }
  Variables backward(const Variables& gy) override { return {gy[0], gy[0]}; }
};

/// a + b: a node of the graph under create_graph, in place where nobody else holds a.
inline Variable add_gradients(Variable a, const Variable& b) {
  if (!config().enable_backprop && a.body()->unique() && a.array().unique()) {
    Array& sum = a.array();
    const UsingDevice here(sum.device());
    kernels::elementwise(Plus{}, sum.bytes(), sum.dtype(), sum.shape(), std::array{sum.operand(), b.array().operand()});
    return a;
  }
  return call(make_ref<AddGradients>(), a, b);
}

}  // namespace detail

/// One backward pass. Gradients under way wait in their nodes' `pending`; whatever happens, none is left there.
class BackwardEngine {
 public:
  /// The marks of nodes: a function that takes part has the mask of its wanted inputs, a variable whose gradient is
  /// asked for 1, all others 0. A function pointer, so that only programs that call `grad` compile a hash table.
  struct Filter {
    const void* marks;
    std::uint64_t (*find)(const void* marks, const void* node);

    std::uint64_t operator[](const void* node) const { return find(marks, node); }
  };

  /// Without a filter, everything behind the roots takes part and the leaves' gradients are asked for. `retain_grad`
  /// stores the complete gradient of every intermediate variable in its node.
  explicit BackwardEngine(const Filter* filter, bool retain_grad = false) noexcept
      : filter_(filter), retain_grad_(retain_grad) {}
  BackwardEngine(const BackwardEngine&) = delete;
  BackwardEngine& operator=(const BackwardEngine&) = delete;
  ~BackwardEngine() {
    // Functions are left only when an exception ended the pass: what they were to be given must not stay behind.
    for (auto& entry : heap_) {
      entry.function->queued_ = false;
      for (VariableNode* output : entry.function->outputs_) {
        if (output) output->pending = Variable{};
      }
    }
    for (auto& node : touched_) node->pending = Variable{};
  }

  /// Adds to the gradient under way of `node`.
  void accumulate(const Ref<VariableNode>& node, Variable gradient) {
    if (node->pending.defined()) {
      node->pending = detail::add_gradients(std::move(node->pending), gradient);
    } else {
      node->pending = std::move(gradient);
      if (!node->creator || filter_) touched_.push_back(node);
    }
    FunctionNode* creator = node->creator.get();
    if (creator && !creator->queued_ && takes_part(creator)) push(creator);
  }

  /// Runs until no function is left.
  void run() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      FunctionNode* function = heap_.back().function;
      heap_.pop_back();
      function->queued_ = false;
      step(*function);
    }
  }

  /// The nodes that were reached and may hold a gradient at the end: leaves, and with a filter those asked for.
  std::span<const Ref<VariableNode>> touched() const noexcept { return {touched_.data(), touched_.size()}; }

 private:
  struct Entry {
    int rank;
    std::uint64_t order;     // first come, first served among equals
    FunctionNode* function;  // held by the roots, which are there as long as the pass

    friend bool operator<(const Entry& a, const Entry& b) noexcept {
      return a.rank != b.rank ? a.rank < b.rank : a.order > b.order;
    }
  };

  bool takes_part(const FunctionNode* function) const { return !filter_ || (*filter_)[function] != 0; }

  void push(FunctionNode* function) {
    function->queued_ = true;
    heap_.push_back({function->rank_, order_++, function});
    std::push_heap(heap_.begin(), heap_.end());
  }

  DNN_NO_DEVIRTUALIZE void step(FunctionNode& function) {
    Variables gy;
    for (VariableNode* output : function.outputs_) {
      if (!output) {
        gy.emplace_back();
        continue;
      }
      const bool asked = filter_ && (*filter_)[output] != 0;
      gy.push_back(asked ? output->pending : std::exchange(output->pending, Variable{}));
      if (retain_grad_ && output->body && gy.back().defined()) output->grad = gy.back();
    }
    function.wanted_ = 0;
    for (std::size_t i = 0; i < function.inputs_.size() && i < 64; ++i) {
      if (function.inputs_[i]->requires_grad) function.wanted_ |= std::uint64_t{1} << i;
    }
    if (filter_) function.wanted_ &= (*filter_)[&function];
    const UsingDevice here(device_of(gy));
    Variables gx = function.backward(gy);
    if (gx.size() != function.inputs_.size()) {
      throw GradientError("[", function.name(), "] backward returned ", gx.size(), " gradients for ",
                          function.inputs_.size(), " inputs");
    }
    for (std::size_t i = 0; i < gx.size(); ++i) {
      const auto& input = function.inputs_[i];
      if (!gx[i].defined() || !function.wanted(i) || !input->requires_grad) continue;
      if (gx[i].shape() != input->shape || gx[i].dtype() != input->dtype) {
        throw GradientError("[", function.name(), "] backward returned ", gx[i].array(), " as the gradient of input ",
                            i, ", which is ", input->dtype, " ", input->shape);
      }
      if (config().debug) [[unlikely]]
        detail::check_finite(function.name(), concat("gradient of input ", i, " '", input->name, "'"), gx[i].array());
      accumulate(input, std::move(gx[i]));
    }
  }

  /// Where the gradients are, and so the work is done.
  static Device device_of(const Variables& gy) noexcept {
    for (const auto& g : gy) {
      if (g.defined()) return g.array().device();
    }
    return current_device();
  }

  const Filter* filter_;
  bool retain_grad_;
  SmallVector<Entry, 8> heap_;
  SmallVector<Ref<VariableNode>, 16> touched_;
  std::uint64_t order_ = 0;
};

namespace detail {

/// The gradient a root starts with: its own, or 1 for a single element.
inline Variable initial_gradient(const Variable& root) {
  if (Variable g = root.grad_variable(); g.defined()) return g;
  if (root.size() != 1) {
    throw GradientError("[backward] the variable has shape ", root.shape(),
                        ", not one element: set its gradient with set_grad first");
  }
  const UsingDevice here(root.device());
  return Variable(full(root.shape(), 1, root.dtype()));
}

/// Throws ArgumentError unless `gradient` may be one of `output`: kernels rely on it.
inline void check_gradient(std::string_view op, const Variable& output, const Variable& gradient) {
  DNN_EXPECT(op, gradient.array().defined());
  DNN_EXPECT(op, gradient.shape() == output.shape());
  DNN_EXPECT(op, gradient.dtype() == output.dtype());
  DNN_EXPECT(op, gradient.device() == output.device());
}

}  // namespace detail

/// `Variable::backward` from several roots at once. `grad_outputs` is empty or has one gradient for each, of its shape
/// and dtype; where there is none, or an undefined one, the root starts as described there.
inline void backward(std::span<const Variable> outputs, std::span<const Variable> grad_outputs = {},
                     const BackwardOptions& options = {}) {
  DNN_EXPECT("backward", (grad_outputs.empty() || grad_outputs.size() == outputs.size()));
  const UsingConfig<bool> mode(&Config::enable_backprop, options.create_graph);
  BackwardEngine engine(nullptr, options.retain_grad);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Variable& root = outputs[i];
    DNN_EXPECT("backward", root.defined());
    if (!root.requires_grad()) continue;
    Variable gradient = grad_outputs.empty() ? Variable{} : grad_outputs[i];
    if (!gradient.defined()) gradient = detail::initial_gradient(root);
    detail::check_gradient("backward", root, gradient);
    if (!root.creator()) {
      // A leaf: its gradient is what it starts with, as in Chainer.
      root.node()->grad = std::move(gradient);
      continue;
    }
    if (!options.retain_grad) root.node()->grad = Variable{};
    engine.accumulate(root.node(), std::move(gradient));
  }
  engine.run();
  for (const auto& leaf : engine.touched()) {
    Variable gradient = std::exchange(leaf->pending, Variable{});
    if (!leaf->body) continue;  // nobody is left who could ask for it
    leaf->grad = leaf->grad.defined() ? detail::add_gradients(std::move(leaf->grad), gradient) : std::move(gradient);
  }
}

inline void Variable::backward(const BackwardOptions& options) const {
  dnn::backward(std::span<const Variable>(this, 1), {}, options);
}

struct GradOptions {
  Variables grad_outputs = {};  ///< one for each output, or undefined for ones; default: ones
  bool create_graph = false;
};

/// The gradients of `outputs` with respect to `inputs` (leaves or intermediates), undefined where there is no path.
/// Touches no variable's `grad()`, and runs only the functions on the way.
inline Variables grad(std::span<const Variable> outputs, std::span<const Variable> inputs,
                      const GradOptions& options = {}) {
  DNN_EXPECT("grad", (options.grad_outputs.empty() || options.grad_outputs.size() == outputs.size()));
  for (const auto& y : outputs) DNN_EXPECT("grad", y.defined());
  for (const auto& x : inputs) DNN_EXPECT("grad", x.defined());
  // Everything behind the outputs, by rank: a function takes part if one of its inputs is asked for or leads there.
  std::vector<Ref<FunctionNode>> functions;
  using Marks = std::unordered_map<const void*, std::uint64_t>;
  Marks marks;
  const auto visit = [&](const Ref<FunctionNode>& f) {
    if (f && marks.try_emplace(f.get(), std::uint64_t{0}).second) functions.push_back(f);
  };
  for (const auto& y : outputs) visit(y.creator());
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const Ref<FunctionNode> f = functions[i];
    for (const auto& x : f->inputs()) visit(x->creator);
  }
  std::sort(functions.begin(), functions.end(), [](const auto& a, const auto& b) { return a->rank() < b->rank(); });
  const BackwardEngine::Filter filter{&marks, [](const void* in, const void* node) -> std::uint64_t {
                                        const auto& map = *static_cast<const Marks*>(in);
                                        const auto place = map.find(node);
                                        return place == map.end() ? 0 : place->second;
                                      }};
  for (const auto& x : inputs) marks[x.node().get()] = 1;
  for (const auto& f : functions) {
    std::uint64_t wanted = 0;
    const auto in = f->inputs();
    for (std::size_t i = 0; i < in.size(); ++i) {
      const bool leads = filter[in[i].get()] != 0 || (in[i]->creator && filter[in[i]->creator.get()] != 0);
      if (leads) wanted |= i < 64 ? std::uint64_t{1} << i : std::uint64_t{1} << 63;
    }
    marks[f.get()] = wanted;
  }

  const UsingConfig<bool> mode(&Config::enable_backprop, options.create_graph);
  BackwardEngine engine(&filter);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) continue;
    Variable gradient = options.grad_outputs.empty() ? Variable{} : options.grad_outputs[i];
    if (!gradient.defined()) gradient = Variable(full(outputs[i].shape(), 1, outputs[i].dtype()));
    detail::check_gradient("grad", outputs[i], gradient);
    engine.accumulate(outputs[i].node(), std::move(gradient));
  }
  engine.run();
  Variables result;
  for (const auto& x : inputs) result.push_back(x.node()->pending);
  return result;
}
inline Variables grad(std::initializer_list<Variable> outputs, std::initializer_list<Variable> inputs,
                      const GradOptions& options = {}) {
  return grad(std::span(outputs.begin(), outputs.size()), std::span(inputs.begin(), inputs.size()), options);
}

}  // namespace dnn::inline DNN_ABI
