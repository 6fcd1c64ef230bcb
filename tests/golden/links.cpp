// chainer.links, Sequential, ChainList: forward, gradients, running statistics, over one or several calls.
#include "dnn/links.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/functions/activation.hpp"
#include "dnn/functions/array/flatten.hpp"
#include "dnn/functions/loss.hpp"
#include "dnn/functions/math.hpp"
#include "dnn/functions/pooling.hpp"
#include "networks.hpp"

namespace golden {

namespace {

/// A link of any type.
struct AnyLink {
  std::shared_ptr<void> owner;
  SerializableRef fields;
  Call call;
};

template <class L, class F>
AnyLink any(L link, F call) {
  auto owner = std::make_shared<L>(std::move(link));
  return {owner, *owner, [owner, call](Args& a) -> Results { return call(*owner, a); }};
}

using Make = std::function<AnyLink(Args&)>;

void run_link(Case& test, const std::string& constructor, const std::string& signature, const Make& make) {
  const Json& d = test.json();
  if (d.contains("method")) throw Skip{"method " + d.at("method").get<std::string>()};
  std::map<std::string, Variable> variables;
  Args how(test, constructor, d.at("constructor"), d.at("constructor_kwargs"), variables);
  const AnyLink link = make(how);
  how.expect_all_used();

  serializers::Dictionary stored = test.below("param/");
  for (auto& [key, value] : test.below("pers/")) stored.emplace(key, value);
  serializers::from_dictionary(stored, link.fields);

  const Json& steps = d.at("steps");
  std::vector<Variable> outputs, seeds;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string prefix = steps.size() > 1 ? concat("s", i, "/") : "";
    Args a(test, signature, steps[i], Json::object(), variables);
    const Results ys = link.call(a);
    a.expect_all_used();
    const auto names = flat_names(steps.size() > 1 ? d.at("outputs").at(i) : d.at("outputs"));
    if (names.size() != ys.values.size()) throw Error(concat(ys.values.size(), " outputs, expected ", names.size()));
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (names[k].empty()) continue;
      test.expect(prefix + names[k], ys.values[k].array());
      if (const Array* gy = test.find(prefix + "g" + names[k])) {
        outputs.push_back(ys.values[k]);
        seeds.push_back(Variable(*gy));
      }
    }
  }
  const serializers::Dictionary after = serializers::to_dictionary(link.fields);
  for (const auto& [key, value] : test.below("pers_after/")) {
    const auto found = after.find(key);
    test.expect("pers_after/" + key, found == after.end() ? Array{} : std::get<Array>(found->second));
  }

  backward(outputs, seeds);
  const auto params = dnn::detail::namedparams(link.fields);
  for (const auto& name : d.at("grads").get<std::vector<std::string>>()) {
    if (name.starts_with("gparam/")) {
      Array g;
      for (const auto& p : params) {
        if (p.name == name.substr(6)) g = p.parameter.grad();
      }
      test.expect(name, g);
    } else {
      std::string input = name;
      input.erase(input.find("gx_"), 3);
      test.expect(name, variables.at(input).grad());
    }
  }
}

void bind_link(const std::string& callable, const std::string& constructor, const std::string& signature, Make make) {
  bind_runner(callable, [=, make = std::move(make)](Case& test) { run_link(test, constructor, signature, make); });
}

/// An initial value that is a number, or nothing.
Initializer initial(Args& a, const std::string& name) {
  if (!a.has(name)) return a.tagged(name), Initializer{};
  if (a.is_array(name)) return initializers::Constant(a.array(name));
  return initializers::Constant(a.number(name));
}
Pair pair(Args& a, const std::string& name, Pair fallback) {
  const auto values = a.integers(name);
  return values.empty() ? fallback : values.size() == 1 ? Pair(values[0]) : Pair(values[0], values[1]);
}
std::optional<std::int64_t> size_or_none(Args& a, const std::string& name) {
  return a.has(name) ? std::optional<std::int64_t>(a.integer(name)) : (a.tagged(name), std::nullopt);
}

const auto call_x = [](auto& link, Args& a) { return link(a.var("x")); };

AnyLink linear_link(Args& a) {
  const links::LinearOptions options{.nobias = a.flag("nobias", false),
                                     .initialW = initial(a, "initialW"),
                                     .initial_bias = initial(a, "initial_bias")};
  const auto first = size_or_none(a, "in_size"), second = size_or_none(a, "out_size");
  // One size is the output's.
  links::Linear link = second ? links::Linear(first, *second, options) : links::Linear(*first, options);
  return any(std::move(link), [](auto& l, Args& c) { return l(c.var("x"), c.axis("n_batch_axes", 1)); });
}

AnyLink embed_id_link(Args& a) {
  links::EmbedID link(a.integer("in_size"), a.integer("out_size"),
                      {.initialW = initial(a, "initialW"), .ignore_label = size_or_none(a, "ignore_label")});
  return any(std::move(link), [](auto& l, Args& c) { return l(c.array("x")); });
}

AnyLink convolution_link(Args& a) {
  const links::Convolution2DOptions options{.stride = pair(a, "stride", 1),
                                            .pad = pair(a, "pad", 0),
                                            .nobias = a.flag("nobias", false),
                                            .initialW = initial(a, "initialW"),
                                            .initial_bias = initial(a, "initial_bias"),
                                            .dilate = pair(a, "dilate", 1),
                                            .groups = a.axis("groups", 1)};
  if (a.has("ksize")) {
    return any(
        links::Convolution2D(size_or_none(a, "in_channels"), a.integer("out_channels"), pair(a, "ksize", 1), options),
        call_x);
  }
  a.tagged("ksize");
  return any(links::Convolution2D(a.integer("in_channels"), pair(a, "out_channels", 1), options), call_x);
}

AnyLink deconvolution_link(Args& a) {
  const links::Deconvolution2DOptions options{
      .stride = pair(a, "stride", 1),
      .pad = pair(a, "pad", 0),
      .nobias = a.flag("nobias", false),
      .outsize = a.has("outsize") ? std::optional(pair(a, "outsize", 0)) : std::nullopt,
      .initialW = initial(a, "initialW"),
      .initial_bias = initial(a, "initial_bias"),
      .dilate = pair(a, "dilate", 1),
      .groups = a.axis("groups", 1)};
  return any(
      links::Deconvolution2D(size_or_none(a, "in_channels"), a.integer("out_channels"), pair(a, "ksize", 1), options),
      call_x);
}

AnyLink layer_normalization_link(Args& a) {
  return any(links::LayerNormalization(size_or_none(a, "size"), {.eps = a.number("eps", 1e-6),
                                                                 .initial_gamma = initial(a, "initial_gamma"),
                                                                 .initial_beta = initial(a, "initial_beta")}),
             call_x);
}

AnyLink batch_normalization_link(Args& a) {
  if (a.has("dtype")) throw Skip{"dtype"};
  const Axes axis = a.axes("axis");
  const links::BatchNormalizationOptions options{.decay = a.number("decay", 0.9),
                                                 .eps = a.number("eps", 2e-5),
                                                 .use_gamma = a.flag("use_gamma", true),
                                                 .use_beta = a.flag("use_beta", true),
                                                 .initial_gamma = initial(a, "initial_gamma"),
                                                 .initial_beta = initial(a, "initial_beta"),
                                                 .axis = a.has("axis") ? std::optional<Axes>(axis) : std::nullopt,
                                                 .initial_avg_mean = initial(a, "initial_avg_mean"),
                                                 .initial_avg_var = initial(a, "initial_avg_var")};
  const auto call = [](auto& l, Args& c) { return l(c.var("x"), c.flag("finetune", false)); };
  if (a.has("size")) return any(links::BatchNormalization(a.shape("size"), options), call);
  a.tagged("size");
  return any(links::BatchNormalization(options), call);
}

AnyLink classifier_link(Args& a) {
  const auto* W = a.test().find("param/predictor/W");
  if (!W) throw Skip{"its predictor is not one Linear"};
  links::LinearOptions linear{.nobias = a.test().find("param/predictor/b") == nullptr};
  links::ClassifierOptions options;
  const std::string note = a.test().text("note");
  if (note.find("lossfun=") != std::string::npos) {
    if (note.find("lossfun=mean_squared_error") == std::string::npos) throw Skip{"its loss function"};
    options.lossfun = [](const Variable& y, const Array& t) { return mean_squared_error(y, t); };
  }
  options.compute_accuracy = note.find("compute_accuracy=False") == std::string::npos;
  return any(links::Classifier(links::Linear(W->shape()[1], W->shape()[0], linear), std::move(options)),
             [](auto& l, Args& c) { return l(c.var("x"), c.array("t")); });
}

/// h = x; for l in links (N Linear(...)): h = h + tanh(l(h))
AnyLink residual_link(Args& a) {
  if (a.test().name() != "ChainList" || a.test().text("note").find("h = h + tanh(l(h))") == std::string::npos) {
    throw Skip{"its forward"};
  }
  ChainList<links::Linear> list;
  for (std::size_t i = 0;; ++i) {
    const auto* W = a.test().find(concat("param/", i, "/W"));
    if (!W) break;
    list.append(links::Linear(W->shape()[1], W->shape()[0]));
  }
  return any(std::move(list), [](auto& l, Args& c) {
    Variable h = c.var("x");
    for (auto& link : l) h = h + tanh(link(h));
    return h;
  });
}

}  // namespace

std::string layers_in(const std::string& note) {
  const std::string head = "Sequential(";
  const auto start = note.find(head);
  if (start == std::string::npos) throw Skip{"its network"};
  int depth = 1;
  auto end = start + head.size();
  for (; end < note.size() && depth > 0; ++end) depth += note[end] == '(' ? 1 : note[end] == ')' ? -1 : 0;
  return note.substr(start + head.size(), end - 1 - start - head.size());
}

Sequential sequential_from(std::string_view layers) {
  Sequential net;
  std::string text;
  int depth = 0;
  std::vector<std::string> items;
  for (const char c : layers) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ' ') continue;
    if (c == ',' && depth == 0) {
      items.push_back(std::exchange(text, {}));
    } else {
      text += c;
    }
  }
  items.push_back(text);
  for (const auto& item : items) {
    const auto open = item.find('(');
    const std::string name = item.substr(0, open);
    std::vector<std::int64_t> sizes;
    std::map<std::string, std::string> options;
    if (open != std::string::npos) {
      for (const auto& word : words(std::string_view(item).substr(open + 1, item.size() - open - 2))) {
        if (const auto equals = word.find('='); equals != std::string::npos) {
          options[word.substr(0, equals)] = word.substr(equals + 1);
        } else if (word != "x") {
          sizes.push_back(word == "None" ? -1 : std::stoll(word));
        }
      }
    }
    const auto take = [&](const std::string& key, std::int64_t fallback) {
      const auto node = options.extract(key);
      return node.empty()               ? fallback
             : node.mapped() == "True"  ? 1
             : node.mapped() == "False" ? 0
                                        : std::stoll(node.mapped());
    };
    const auto in = [&] { return sizes.at(0) < 0 ? std::optional<std::int64_t>() : sizes[0]; };
    if (name == "Linear") {
      const links::LinearOptions o{.nobias = take("nobias", 0) != 0};
      net.append(sizes.size() == 1 ? links::Linear(sizes[0], o) : links::Linear(in(), sizes.at(1), o));
    } else if (name == "Convolution2D") {
      const links::Convolution2DOptions o{
          .stride = take("stride", 1), .pad = take("pad", 0), .nobias = take("nobias", 0) != 0};
      net.append(links::Convolution2D(in(), sizes.at(1), sizes.at(2), o));
    } else if (name == "BatchNormalization") {
      net.append(links::BatchNormalization(sizes.at(0)));
    } else if (name == "relu") {
      net.append([](const Variable& x) { return relu(x); });
    } else if (name == "tanh") {
      net.append([](const Variable& x) { return tanh(x); });
    } else if (name == "sigmoid") {
      net.append([](const Variable& x) { return sigmoid(x); });
    } else if (name == "flatten") {
      net.append([](const Variable& x) { return flatten(x); });
    } else if (name == "max_pooling_2d") {
      net.append([k = sizes.at(0)](const Variable& x) { return max_pooling_2d(x, k); });
    } else if (name == "average_pooling_2d") {
      net.append([k = sizes.at(0)](const Variable& x) { return average_pooling_2d(x, k); });
    } else {
      throw Skip{"layer " + name};
    }
    if (!options.empty()) throw Skip{"option " + options.begin()->first + " of " + name};
  }
  return net;
}

void bind_links() {
  bind_link("chainer.links.Linear", "in_size, out_size, nobias, initialW, initial_bias", "x, n_batch_axes",
            linear_link);
  bind_link("chainer.links.EmbedID", "in_size, out_size, initialW, ignore_label", "x", embed_id_link);
  bind_link("chainer.links.Convolution2D",
            "in_channels, out_channels, ksize, stride, pad, nobias, initialW, initial_bias, dilate, groups", "x",
            convolution_link);
  bind_link("chainer.links.Deconvolution2D",
            "in_channels, out_channels, ksize, stride, pad, nobias, outsize, initialW, initial_bias, dilate, groups",
            "x", deconvolution_link);
  bind_link("chainer.links.LayerNormalization", "size, eps, initial_gamma, initial_beta", "x",
            layer_normalization_link);
  bind_link("chainer.links.BatchNormalization",
            "size, decay, eps, dtype, use_gamma, use_beta, initial_gamma, initial_beta, axis, initial_avg_mean, "
            "initial_avg_var",
            "x, finetune", batch_normalization_link);
  bind_link("chainer.links.Parameter", "array", "", [](Args& a) {
    a.tagged("array");
    return any(links::Parameter(zeros_like(a.test().array("param/W"))), [](auto& l, Args&) { return l(); });
  });
  bind_link("chainer.links.Classifier", "predictor", "x, t", classifier_link);
  bind_link("chainer.Sequential", "", "x", [](Args& a) { return any(sequential_from(a.test().text("note")), call_x); });
  bind_link("chainer.ChainList", "", "x", residual_link);
}

}  // namespace golden
