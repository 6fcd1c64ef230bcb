/// All functions, by folder.
#pragma once

#include "dnn/functions/activation.hpp"
#include "dnn/functions/array.hpp"
#include "dnn/functions/connection.hpp"
#include "dnn/functions/evaluation.hpp"
#include "dnn/functions/loss.hpp"
#include "dnn/functions/math.hpp"
#include "dnn/functions/noise.hpp"
#include "dnn/functions/normalization.hpp"
#include "dnn/functions/pooling.hpp"
#include "dnn/functions/reduction.hpp"
