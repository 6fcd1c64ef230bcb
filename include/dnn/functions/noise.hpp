#pragma once

#include "dnn/functions/noise/dropout.hpp"
#include "dnn/functions/noise/gaussian.hpp"
