#include "golden.hpp"

namespace golden {

void bind_training() {}

}  // namespace golden
