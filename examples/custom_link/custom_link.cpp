// A link of one's own: parameters, lazy shapes, and a place in any model, in one file.
#include <cstdio>

#include <dnn/dnn.hpp>
#include <dnn/serializers.hpp>

using namespace dnn;

/// A linear map of low rank: y = (x A^T) B^T + b.
class LowRankLinear : public Link<LowRankLinear> {
 public:
  LowRankLinear(int rank, int out_size)
      : A(initializers::LeCunNormal{}),
        B(initializers::LeCunNormal{}, {out_size, rank}),
        b(initializers::Zero{}, {out_size}),
        rank_(rank) {}

  /// x (N, any size found at the first call) to (N, out_size).
  Variable operator()(const Variable& x) {
    A.initialize({rank_, x.size() / x.length()});
    return linear(linear(x, A), B, b);
  }

  /// The one list of fields: saving, loading, optimizing and copying all read it.
  void serialize(Serializer& s) {
    s("A", A);
    s("B", B);
    s("b", b);
  }

  Parameter A, B, b;

 private:
  int rank_;
};

struct Net : Chain<Net> {
  LowRankLinear l1{4, 32};
  links::Linear l2{10};

  Variable operator()(const Variable& x) { return l2(relu(l1(x))); }
};

int main() {
  Net net;
  optimizers::SGD optimizer{{.lr = 0.1}};
  optimizer.setup(net);
  const Array x = random::normal({16, 100}), t = zeros({16}, int32);
  for (int i = 0; i < 5; ++i) {
    const Variable loss = softmax_cross_entropy(net(x), t);
    net.cleargrads();
    loss.backward();
    optimizer.update();
    std::printf("loss %.4f\n", loss.item());
  }
  for (const auto& [name, parameter] : net.namedparams())
    std::printf("%s %s\n", name.c_str(), to_text(parameter.array()).c_str());
  serializers::save_npz("low_rank.npz", net);
}
