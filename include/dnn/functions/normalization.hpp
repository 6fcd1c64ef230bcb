#pragma once

#include "dnn/functions/normalization/batch_normalization.hpp"
#include "dnn/functions/normalization/group_normalization.hpp"
#include "dnn/functions/normalization/layer_normalization.hpp"
#include "dnn/functions/normalization/normalize.hpp"
