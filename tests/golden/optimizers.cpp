#include "golden.hpp"

namespace golden {

void bind_optimizers() {}

}  // namespace golden
