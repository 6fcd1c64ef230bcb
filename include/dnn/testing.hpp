/// Tools for tests of one's own functions and links. Opt-in; depends on no test framework: failures are CheckError.
#pragma once

#include "dnn/testing/check_error.hpp"
#include "dnn/testing/gradient_check.hpp"
#include "dnn/testing/graph_function.hpp"
#include "dnn/testing/leak_scope.hpp"
#include "dnn/testing/op_test.hpp"
