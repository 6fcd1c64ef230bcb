/// `ChainList<L>`: a list of links of one type, as children `0`, `1`, ... Links of different types in a row:
/// Sequential.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI {

///     ChainList layers{links::Linear(4, 4), links::Linear(4, 4)};
///     for (auto& layer : layers) h = h + tanh(layer(h));
template <class L>
class ChainList : public Link<ChainList<L>>, public std::vector<L> {
 public:
  ChainList() = default;
  template <class... Rest>
  explicit ChainList(L first, Rest... rest) {
    this->reserve(1 + sizeof...(rest));
    this->push_back(std::move(first));
    (this->push_back(std::move(rest)), ...);
  }

  void append(L link) { this->push_back(std::move(link)); }

  void serialize(Serializer& s) {
    std::size_t index = 0;
    for (auto& link : *this) s(to_text(index++), link);
  }
};

}  // namespace dnn::inline DNN_ABI
