#pragma once

// Broadcasting and summing are each other's gradient and live in one header.
#include "dnn/functions/math/sum_to.hpp"
