// Training steps of an MLP and a CNN, as PyTorch takes them in pytorch_.py.
//
//     steps MLP|CNN [--smoke]
#include "../models.hpp"
#include "dnn/cuda/graph.hpp"
#include "measure.hpp"

using namespace dnn;

namespace {

template <class Model>
void train(const std::string& name, Model model, const Shape& shape) {
  const Array x = random::uniform(shape);
  const Array t =
      [&] {
        const auto host = using_device("cpu");
        return models::labels(shape[0], 10);
      }()
          .to("cuda:0");
  optimizers::Adam adam;
  adam.setup(model);
  const auto step = [&] { models::training_step(model, adam, x, t); };
  measure::report("dnn", name, measure::milliseconds(step), 1, "steps");
  try {
    cu::Stream stream;
    cu::Graph graph(stream, step);
    measure::report("dnn, graph", name, measure::milliseconds([&] { graph.launch(); }), 1, "steps");
  } catch (const std::exception& error) {
    measure::skipped("dnn, graph", name, error.what());
  }
}

std::int64_t batch() { return measure::smoke ? 4 : 100; }

}  // namespace

int main(int argc, char** argv) {
  return measure::run_part(argc, argv,
                           {{"MLP",
                             [] {
                               train("MLP step", models::MLP{}, {batch(), 784});
                             }},
                            {"CNN", [] {
                               train("CNN step", models::CNN{}, {batch(), 1, 28, 28});
                             }}});
}
