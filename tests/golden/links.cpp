#include "golden.hpp"

namespace golden {

void bind_links() {}

}  // namespace golden
