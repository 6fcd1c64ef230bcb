// chainer.functions: array manipulations.
#include "dnn/functions/array.hpp"
#include "golden.hpp"

namespace golden {

namespace {

std::vector<int> ints(const std::vector<std::int64_t>& values) { return {values.begin(), values.end()}; }

}  // namespace

void bind_array_functions() {
  const auto f = [](const std::string& name, const std::string& signature, Call call) {
    bind_function("chainer.functions." + name, signature, std::move(call));
  };
  f("broadcast", "*args", [](Args& a) { return broadcast(a.vars("args")); });
  f("broadcast_to", "x, shape", [](Args& a) { return broadcast_to(a.var("x"), a.shape("shape")); });
  f("cast", "x, typ", [](Args& a) { return cast(a.var("x"), a.dtype("typ")); });
  f("concat", "xs, axis", [](Args& a) { return concat(a.vars("xs"), a.axis("axis", 1)); });
  f("expand_dims", "x, axis", [](Args& a) { return expand_dims(a.var("x"), a.axis("axis")); });
  f("flatten", "x", [](Args& a) { return flatten(a.var("x")); });
  f("hstack", "xs", [](Args& a) { return hstack(a.vars("xs")); });
  f("moveaxis", "x, source, destination",
    [](Args& a) { return moveaxis(a.var("x"), ints(a.integers("source")), ints(a.integers("destination"))); });
  f("reshape", "x, shape", [](Args& a) { return reshape(a.var("x"), a.integers("shape")); });
  f("rollaxis", "x, axis, start", [](Args& a) { return rollaxis(a.var("x"), a.axis("axis"), a.axis("start", 0)); });
  f("separate", "x, axis", [](Args& a) { return separate(a.var("x"), a.axis("axis", 0)); });
  f("split_axis", "x, indices_or_sections, axis, force_tuple", [](Args& a) {
    a.flag("force_tuple", true);
    const bool sections = a.constant("indices_or_sections").is_number();
    const auto where = a.integers("indices_or_sections");
    return sections ? split_axis(a.var("x"), where[0], a.axis("axis")) : split_axis(a.var("x"), where, a.axis("axis"));
  });
  f("squeeze", "x, axis", [](Args& a) { return squeeze(a.var("x"), a.axes("axis")); });
  f("stack", "xs, axis", [](Args& a) { return stack(a.vars("xs"), a.axis("axis", 0)); });
  f("swapaxes", "x, axis1, axis2", [](Args& a) { return swapaxes(a.var("x"), a.axis("axis1"), a.axis("axis2")); });
  f("transpose", "x, axes", [](Args& a) {
    return a.has("axes") ? transpose(a.var("x"), ints(a.integers("axes"))) : (a.constant("axes"), transpose(a.var("x")));
  });
  f("vstack", "xs", [](Args& a) { return vstack(a.vars("xs")); });
  f("where", "condition, x, y", [](Args& a) { return where(a.array("condition"), a.var("x"), a.var("y")); });
  bind_function("op.T", "a", [](Args& a) { return transpose(a.var("a")); });
}

}  // namespace golden
