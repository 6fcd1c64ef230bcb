#pragma once

// Sine and cosine are each other's derivative and live in one header.
#include "dnn/functions/math/sin.hpp"
