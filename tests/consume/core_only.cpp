// Needs no package but Eigen.
#include <dnn/dnn.hpp>

int main() { return dnn::Shape{2, 3}.size() == 6 ? 0 : 1; }
