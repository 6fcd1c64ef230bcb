#pragma once

#include "dnn/array/array.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

/// A link that is one parameter, W, and returns it.
class Parameter : public Link<Parameter> {
 public:
  dnn::Parameter W;

  explicit Parameter(const Array& array) : W(array) {}

  Variable operator()() const { return W; }

  void serialize(Serializer& s) { s("W", W); }
};

}  // namespace dnn::inline DNN_ABI::links
