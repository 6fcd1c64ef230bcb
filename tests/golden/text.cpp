#include "golden.hpp"

namespace golden {

void bind_text() {}

}  // namespace golden
