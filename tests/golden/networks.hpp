/// Networks that the manifest describes in words: `Linear(4,8), relu, Linear(8,3)`.
#pragma once

#include <string>
#include <string_view>

#include "dnn/links/sequential.hpp"
#include "golden.hpp"

namespace golden {

/// The layers of such a list. Throws Skip for a layer that is not known.
Sequential sequential_from(std::string_view layers);
/// The list inside `net = Sequential(...)` of a note. Throws Skip when there is none.
std::string layers_in(const std::string& note);

}  // namespace golden
