/// `Variable`: data with a gradient, and `FunctionNode`: an operation that a Variable came from.
///
/// A Variable is a shared handle to a body (its array) and a node (its place in the graph). Ownership runs backwards:
///
///     Variable -> body -> VariableNode -> FunctionNode (creator) -> VariableNodes of its inputs -> ...
///
/// A node knows its body weakly and a function its outputs weakly, so an activation dies as soon as neither the user
/// nor a function that asked to keep it (`retain_inputs`, `retain_outputs`) holds it. A graph belongs to one thread at
/// a time; parameters may be read by several.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dnn/array/array.hpp"
#include "dnn/core/config.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/core/ref.hpp"
#include "dnn/core/small_vector.hpp"

namespace dnn::inline DNN_ABI {

class Variable;
class FunctionNode;
class VariableNode;
class Index;
void dispose(FunctionNode* function) noexcept;

using Arrays = SmallVector<Array, 2>;
using Variables = SmallVector<Variable, 2>;
using VariableRefs = std::span<const Variable* const>;

struct VariableOptions {
  std::string name = {};
  bool requires_grad = true;
};

struct BackwardOptions {
  bool create_graph = false;  ///< record the gradients' own graph, for derivatives of derivatives
  bool retain_grad = false;   ///< keep the gradients of intermediate variables too
};

namespace detail {

/// What copies of a Variable share.
struct VariableBody : RefCounted, Pooled {
  using Disposable = VariableBody;

  VariableBody() = default;
  VariableBody(Array array, bool wants_grad) noexcept : data(std::move(array)), requires_grad(wants_grad) {}
  inline virtual ~VariableBody();

  Array data;
  Ref<VariableNode> node;  // made when somebody needs it
  bool requires_grad = false;
};

}  // namespace detail

/// Data in the graph. Default constructed it is undefined: no data, the gradient that is None in Chainer. Whatever asks
/// for its data, its gradient or its place in the graph then throws ArgumentError.
class Variable {
 public:
  Variable() noexcept = default;
  Variable(const Variable&) = default;
  Variable(Variable&&) noexcept = default;
  /// Of lvalues only: `x[0] = y` would change nothing but a handle about to die.
  Variable& operator=(const Variable&) & = default;
  Variable& operator=(Variable&&) & noexcept = default;
  /// A variable that wants a gradient (unless told otherwise), as Chainer's `Variable(array)`.
  explicit Variable(const Array& data, const VariableOptions& options = {});
  /// Where a function takes a Variable, an Array is taken as a constant: no gradient is kept for it.
  template <class A>
    requires(std::same_as<A, Array>)
  Variable(const A& data) : body_(make_ref<detail::VariableBody>(data, false)) {}
  explicit Variable(Ref<detail::VariableBody> body) noexcept : body_(std::move(body)) {}

  bool defined() const noexcept { return static_cast<bool>(body_); }

  const Array& array() const { return held().data; }
  Array& array() { return held().data; }
  /// Replaces the data. The graph behind the variable, if any, stays as it was.
  void set_array(Array data);

  const Shape& shape() const { return array().shape(); }
  int ndim() const { return shape().ndim(); }
  std::int64_t size() const { return shape().size(); }
  std::int64_t length() const { return array().length(); }
  DType dtype() const { return array().dtype(); }
  Device device() const { return array().device(); }
  /// The only element. Throws ShapeError unless there is exactly one.
  template <class T = double>
  T item() const {
    return array().item<T>();
  }

  /// x[0], x[Slice{1, 4}], x[{Slice{}, 0}]: defined in functions/array/get_item.hpp.
  Variable operator[](const Index& index) const;
  Variable operator[](std::initializer_list<Index> index) const;

  bool requires_grad() const { return held().requires_grad; }
  const std::string& name() const;
  void set_name(std::string name);

  /// The gradient, undefined when there is none.
  Array grad() const;
  Variable grad_variable() const;
  /// Throws ArgumentError unless shape and dtype are those of the data. An undefined gradient clears.
  void set_grad(const Variable& grad);
  void cleargrad();

  /// Computes the gradients of all variables this one was computed from and ADDS them to the leaves' `grad()`. Starts
  /// from this variable's own gradient, or from 1 when it has a single element. Throws GradientError otherwise.
  void backward(const BackwardOptions& options = {}) const;

  /// The function this came from; null for a leaf.
  Ref<FunctionNode> creator() const;
  /// Longest distance from a leaf.
  int rank() const;
  /// Forgets where this variable came from.
  void unchain();
  /// Cuts the whole graph behind this variable: truncated backpropagation through time.
  void unchain_backward();

  /// The graph node, made on first use.
  const Ref<VariableNode>& node() const;
  const Ref<detail::VariableBody>& body() const noexcept { return body_; }

 protected:
  [[noreturn, gnu::cold, gnu::noinline]] static void throw_undefined() {
    throw ArgumentError(
        "[variable] undefined variable: default constructed, moved from, or a gradient before backward()");
  }
  detail::VariableBody& held() const {
    if (!body_) [[unlikely]]
      throw_undefined();
    return *body_;
  }

  Ref<detail::VariableBody> body_;
};

/// The data alone, as array/text.hpp prints it.
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Variable& x) {
  return out << x.array();
}

/// A variable's place in the graph. Survives its data.
class VariableNode final : public RefCounted, public Pooled {
 public:
  explicit VariableNode(detail::VariableBody* owner) noexcept
      : body(owner), shape(owner->data.shape()), dtype(owner->data.dtype()), requires_grad(owner->requires_grad) {}
  ~VariableNode();

  detail::VariableBody* body;  // weak: cleared when the data dies
  Ref<FunctionNode> creator;
  int output_index = 0;  // of the creator
  int rank = 0;
  Shape shape;
  DType dtype;
  bool requires_grad;
  Variable grad;
  Variable pending;  // the sum a running backward is collecting
  std::string name;
};

/// An operation in the graph. Derive, give `forward` and `backward`, and run it through `call` or `apply`:
///
///     struct Square final : FunctionNode {
///       std::string_view name() const override { return "Square"; }
///       Arrays forward(std::span<const Array> x) override { retain_inputs({0}); ... }
///       Variables backward(const Variables& gy) override { return {gy[0] * retained_input(0) * 2}; }
///     };
///     inline Variable square(const Variable& x) { return call(make_ref<Square>(), x); }
class FunctionNode : public RefCounted, public Pooled {
 public:
  using Disposable = FunctionNode;

  [[gnu::noinline]] FunctionNode() noexcept { ++live_count(); }
  virtual ~FunctionNode() { --live_count(); }

  /// The label in graph dumps and messages: Chainer's class name.
  virtual std::string_view name() const = 0;
  /// Throws (usually by DNN_EXPECT) when the inputs do not fit. Operands are added to the message by the caller.
  virtual void check(std::span<const Array>) const {}
  virtual Arrays forward(std::span<const Array> inputs) = 0;
  /// One gradient per input, undefined where it is zero or not `wanted`. `gy` has one entry per output, undefined where
  /// the output did not contribute. Use differentiable functions only: under create_graph they build the second graph.
  virtual Variables backward(const Variables& gy) = 0;
  /// False: float16 and bfloat16 inputs arrive as float32, and float32 outputs leave in the inputs' type.
  virtual bool takes_16bit_floats() const { return false; }

  /// Checks the inputs, runs `forward`, and returns the outputs: connected to the graph when backpropagation is enabled
  /// and some input wants a gradient. Once per object. Errors of check and forward name the operands.
  Variables apply(std::span<const Variable> inputs);
  /// The same without copies of handles: what `call` uses. `self` refers to this object.
  Variables apply_to(VariableRefs inputs, Ref<FunctionNode> self);

  /// Whether the running backward wants the gradient of input i.
  bool wanted(std::size_t i) const noexcept { return i >= 64 || ((wanted_ >> i) & 1) != 0; }

  std::span<const Ref<VariableNode>> inputs() const noexcept { return {inputs_.data(), inputs_.size()}; }
  /// Weak: null when nobody holds that output any more.
  std::span<VariableNode* const> outputs() const noexcept { return {outputs_.data(), outputs_.size()}; }
  int rank() const noexcept { return rank_; }

  /// Functions that this thread has made and not freed: what the leak scope counts.
  static std::int64_t& live_count() noexcept {
    static thread_local constinit std::int64_t count = 0;
    return count;
  }

 protected:
  /// Called in `forward`: keeps these inputs or outputs for `backward`.
  void retain_inputs(std::initializer_list<int> indices) {
    for (const int i : indices) retained_.push_back({i, false, {}});
  }
  void retain_outputs(std::initializer_list<int> indices) {
    for (const int i : indices) retained_.push_back({i, true, {}});
  }
  /// A retained input as a variable of the graph; undefined when it was not retained.
  Variable retained_input(int i) const;
  Variable retained_output(int i);
  /// Only its data, for kernels.
  const Array& retained_input_array(int i) const noexcept { return find(i, false)->array; }
  const Array& retained_output_array(int i) const noexcept { return find(i, true)->array; }

 private:
  struct Retained {
    int index;
    bool is_output;
    Array array;
  };
  const Retained* find(int index, bool is_output) const noexcept {
    for (const auto& r : retained_) {
      if (r.index == index && r.is_output == is_output) return &r;
    }
    return nullptr;
  }
  static Variable revive(VariableNode* node, const Array& array);

  friend void dispose(FunctionNode*) noexcept;
  friend class BackwardEngine;
  friend class VariableNode;
  friend class Variable;

  SmallVector<Ref<VariableNode>, 3> inputs_;
  SmallVector<VariableNode*, 1> outputs_;
  SmallVector<Retained, 2> retained_;
  FunctionNode* next_disposed_ = nullptr;
  std::uint64_t wanted_ = ~std::uint64_t{0};
  int rank_ = 0;
  bool queued_ = false;  // in the heap of a running backward
};

// --- implementation -------------------------------------------------------------------------------------------------

namespace detail {
inline VariableBody::~VariableBody() {
  if (!node) return;
  node->body = nullptr;
  // Nobody can ask for the gradient any more; under create_graph its graph leads back to this node.
  node->grad = Variable{};
}
}  // namespace detail

inline VariableNode::~VariableNode() {
  if (creator) creator->outputs_[static_cast<std::size_t>(output_index)] = nullptr;
}

/// Frees functions in a loop, not by recursion: dropping the end of a long chain must not overflow the stack.
DNN_NO_DEVIRTUALIZE inline void dispose(FunctionNode* function) noexcept {
  static thread_local constinit FunctionNode* waiting = nullptr;
  static thread_local constinit bool draining = false;
  function->next_disposed_ = std::exchange(waiting, function);
  if (draining) return;
  draining = true;
  while (waiting) delete std::exchange(waiting, waiting->next_disposed_);
  draining = false;
}

inline Variable::Variable(const Array& data, const VariableOptions& options)
    : body_(make_ref<detail::VariableBody>(data, options.requires_grad && is_float(data.dtype()))) {
  if (!options.name.empty()) node()->name = options.name;
}

inline const Ref<VariableNode>& Variable::node() const {
  auto& body = held();
  if (!body.node) body.node = make_ref<VariableNode>(&body);
  return body.node;
}

inline const std::string& Variable::name() const {
  static const std::string none;
  return body_ && body_->node ? body_->node->name : none;
}
inline void Variable::set_name(std::string name) { node()->name = std::move(name); }
inline void Variable::set_array(Array data) {
  array() = std::move(data);
  // A leaf may have its place in the graph (for its name) before it has its shape.
  if (VariableNode* leaf = body_->node.get(); leaf && !leaf->creator) {
    leaf->shape = body_->data.shape();
    leaf->dtype = body_->data.dtype();
  }
}

inline Variable Variable::grad_variable() const { return held().node ? body_->node->grad : Variable{}; }
inline Array Variable::grad() const {
  const Variable g = grad_variable();
  return g.defined() ? g.array() : Array{};
}
inline void Variable::set_grad(const Variable& grad) {
  if (!grad.defined()) return cleargrad();
  DNN_EXPECT("set_grad", grad.shape() == shape());
  DNN_EXPECT("set_grad", grad.dtype() == dtype());
  node()->grad = grad;
}
inline void Variable::cleargrad() {
  if (held().node) body_->node->grad = Variable{};
}

inline Ref<FunctionNode> Variable::creator() const { return held().node ? body_->node->creator : Ref<FunctionNode>{}; }
inline int Variable::rank() const { return held().node ? body_->node->rank : 0; }

inline void Variable::unchain() {
  if (!held().node || !body_->node->creator) return;
  body_->node->creator->outputs_[static_cast<std::size_t>(body_->node->output_index)] = nullptr;
  body_->node->creator.reset();
}

inline void Variable::unchain_backward() {
  SmallVector<Ref<FunctionNode>, 8> functions;
  if (auto first = creator()) functions.push_back(std::move(first));
  unchain();
  while (!functions.empty()) {
    const Ref<FunctionNode> function = std::move(functions.back());
    functions.pop_back();
    for (const auto& input : function->inputs_) {
      if (!input->creator) continue;
      functions.push_back(input->creator);
      input->creator->outputs_[static_cast<std::size_t>(input->output_index)] = nullptr;
      input->creator.reset();
    }
    // Its other outputs, if there are any, become leaves too.
    for (VariableNode*& output : function->outputs_) {
      if (VariableNode* node = std::exchange(output, nullptr)) node->creator.reset();
    }
    function->inputs_.clear();
  }
}

/// The variable of `node`: its own while its data lives, otherwise a new one around the array that was kept.
inline Variable FunctionNode::revive(VariableNode* node, const Array& array) {
  if (node && node->body) return Variable(Ref<detail::VariableBody>(node->body));
  auto body = make_ref<detail::VariableBody>(array, node && node->requires_grad);
  if (node) {
    body->node = Ref<VariableNode>(node);
    node->body = body.get();
  }
  return Variable(std::move(body));
}
inline Variable FunctionNode::retained_input(int i) const {
  const auto* r = find(i, false);
  return r ? revive(inputs_[static_cast<std::size_t>(i)].get(), r->array) : Variable{};
}
inline Variable FunctionNode::retained_output(int i) {
  const auto* r = find(i, true);
  if (!r) return {};
  auto& output = outputs_[static_cast<std::size_t>(i)];
  if (output) return revive(output, r->array);
  // The output was dropped, but its derivative may be asked for: it gets its place in the graph back.
  auto body = make_ref<detail::VariableBody>(r->array, true);
  body->node = make_ref<VariableNode>(body.get());
  body->node->creator = Ref<FunctionNode>(this);
  body->node->output_index = i;
  body->node->rank = rank_ + 1;
  output = body->node.get();
  return Variable(std::move(body));
}

}  // namespace dnn::inline DNN_ABI
