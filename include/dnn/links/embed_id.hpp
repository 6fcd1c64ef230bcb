#pragma once

#include <cstdint>
#include <optional>

#include "dnn/functions/connection/embed_id.hpp"
#include "dnn/initializers/normal.hpp"
#include "dnn/links/link.hpp"

namespace dnn::inline DNN_ABI::links {

struct EmbedIDOptions {
  Initializer initialW = {};  ///< default: Normal(1)
  std::optional<std::int64_t> ignore_label = std::nullopt;
};

/// A table of `in_size` rows: y = W[x] for integers x of any shape, (shape...) to (shape..., out_size). Where x is
/// `ignore_label` the result is 0 and no gradient flows. Parameter: W (in_size, out_size).
///
/// Throws ArgumentError for sizes below 1, and as `embed_id` for ids out of range.
class EmbedID : public Link<EmbedID> {
 public:
  dnn::Parameter W;

  EmbedID(std::int64_t in_size, std::int64_t out_size, const EmbedIDOptions& options = {})
      : W(options.initialW ? options.initialW : initializers::Normal{1}), ignore_label_(options.ignore_label) {
    DNN_EXPECT("EmbedID", in_size > 0);
    DNN_EXPECT("EmbedID", out_size > 0);
    W.initialize({in_size, out_size});
  }

  Variable operator()(const Variable& x) { return embed_id(x, W, ignore_label_); }

  void serialize(Serializer& s) { s("W", W); }

 private:
  std::optional<std::int64_t> ignore_label_;
};

}  // namespace dnn::inline DNN_ABI::links
