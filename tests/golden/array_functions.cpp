// chainer.functions: array manipulations.
#include "dnn/array/factories.hpp"
#include "dnn/functions/array.hpp"
#include "golden.hpp"

namespace golden {

namespace {

std::vector<int> ints(const std::vector<std::int64_t>& values) { return {values.begin(), values.end()}; }

/// One entry of an index: an integer, a slice, None, an Ellipsis, or a list of integers or bools.
Index entry(const Json& j) {
  if (j.is_null()) return new_axis;
  if (j.is_number()) return j.get<std::int64_t>();
  if (j.is_array()) {
    if (!j.empty() && j[0].is_boolean()) {
      Array mask({static_cast<std::int64_t>(j.size())}, boolean, Device{});
      for (std::size_t i = 0; i < j.size(); ++i) mask.data<bool>()[i] = j[i].get<bool>();
      return mask.to(current_device());
    }
    return array_from(j.get<std::vector<std::int64_t>>());
  }
  if (j.contains("ellipsis")) return ellipsis;
  const Json& s = j.at("slice");
  const auto bound = [](const Json& b) { return b.is_null() ? std::optional<std::int64_t>() : b.get<std::int64_t>(); };
  return Slice{bound(s[0]), bound(s[1]), s[2].is_null() ? 1 : s[2].get<std::int64_t>()};
}

std::vector<Index> index_of(Args& a, const std::string& name) {
  if (a.is_array(name)) return {a.array(name)};
  const Json j = a.tagged(name);
  if (!j.is_object() || !j.contains("tuple")) return {entry(j)};
  std::vector<Index> out;
  for (const auto& element : j.at("tuple")) out.push_back(entry(element));
  return out;
}

/// numpy.pad's widths: one number, one pair, or one of these for each axis.
std::vector<PadWidth> pad_widths(const Json& j) {
  const auto one = [](const Json& w) {
    return w.is_number() ? PadWidth{w.get<std::int64_t>(), w.get<std::int64_t>()}
                         : PadWidth{w.front().get<std::int64_t>(), w.back().get<std::int64_t>()};
  };
  if (j.is_number() || j[0].is_number()) return {one(j)};
  std::vector<PadWidth> out;
  for (const auto& w : j) out.push_back(one(w));
  return out;
}

}  // namespace

void bind_array_functions() {
  const auto f = [](const std::string& name, const std::string& signature, Call call) {
    bind_function("chainer.functions." + name, signature, std::move(call));
  };
  f("broadcast", "*args", [](Args& a) { return broadcast(a.vars("args")); });
  f("broadcast_to", "x, shape", [](Args& a) { return broadcast_to(a.var("x"), a.shape("shape")); });
  f("cast", "x, typ", [](Args& a) { return cast(a.var("x"), a.dtype("typ")); });
  f("concat", "xs, axis", [](Args& a) { return concat(a.vars("xs"), a.axis("axis", 1)); });
  f("copy", "x, dst", [](Args& a) {
    const Json dst = a.constant("dst");
    if (dst != "@numpy" && dst != -1) throw Skip{"device " + dst.dump()};
    return copy(a.var("x"), Device{});
  });
  f("expand_dims", "x, axis", [](Args& a) { return expand_dims(a.var("x"), a.axis("axis")); });
  f("flatten", "x", [](Args& a) { return flatten(a.var("x")); });
  f("flip", "x, axis", [](Args& a) { return flip(a.var("x"), a.axis("axis")); });
  f("fliplr", "a", [](Args& a) { return fliplr(a.var("a")); });
  f("flipud", "a", [](Args& a) { return flipud(a.var("a")); });
  f("get_item", "x, slices", [](Args& a) { return get_item(a.var("x"), index_of(a, "slices")); });
  f("hstack", "xs", [](Args& a) { return hstack(a.vars("xs")); });
  f("moveaxis", "x, source, destination",
    [](Args& a) { return moveaxis(a.var("x"), ints(a.integers("source")), ints(a.integers("destination"))); });
  f("pad", "x, pad_width, mode, constant_values", [](Args& a) {
    if (const auto mode = a.word("mode", "constant"); mode != "constant") {
      const auto widths = pad_widths(a.constant("pad_width"));
      if (mode == "edge") return pad(a.var("x"), widths, PadMode::edge);
      if (mode == "reflect") return pad(a.var("x"), widths, PadMode::reflect);
      if (mode == "symmetric") return pad(a.var("x"), widths, PadMode::symmetric);
      if (mode == "wrap") return pad(a.var("x"), widths, PadMode::wrap);
      throw Skip{"mode " + mode};
    }
    return pad(a.var("x"), pad_widths(a.constant("pad_width")), a.number("constant_values", 0));
  });
  f("permutate", "x, indices, axis, inv", [](Args& a) {
    return permutate(a.var("x"), a.array("indices"), {.axis = a.axis("axis", 0), .inv = a.flag("inv", false)});
  });
  f("repeat", "x, repeats, axis", [](Args& a) {
    if (a.has("axis")) return repeat(a.var("x"), a.integers("repeats"), a.axis("axis"));
    a.constant("axis");
    return repeat(a.var("x"), a.integers("repeats"), std::nullopt);
  });
  f("reshape", "x, shape", [](Args& a) { return reshape(a.var("x"), a.integers("shape")); });
  f("rollaxis", "x, axis, start", [](Args& a) { return rollaxis(a.var("x"), a.axis("axis"), a.axis("start", 0)); });
  f("scatter_add", "a, slices, b", [](Args& a) { return scatter_add(a.var("a"), index_of(a, "slices"), a.var("b")); });
  f("select_item", "x, t", [](Args& a) { return select_item(a.var("x"), a.array("t")); });
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
  f("tile", "x, reps", [](Args& a) { return tile(a.var("x"), a.integers("reps")); });
  f("transpose", "x, axes", [](Args& a) {
    return a.has("axes") ? transpose(a.var("x"), ints(a.integers("axes")))
                         : (a.constant("axes"), transpose(a.var("x")));
  });
  f("vstack", "xs", [](Args& a) { return vstack(a.vars("xs")); });
  f("where", "condition, x, y", [](Args& a) { return where(a.array("condition"), a.var("x"), a.var("y")); });
  bind_function("op.getitem_1_colon_2", "a", [](Args& a) { return a.var("a")[{1, Slice{none, 2}}]; });
  bind_function("op.T", "a", [](Args& a) { return transpose(a.var("a")); });
}

}  // namespace golden
