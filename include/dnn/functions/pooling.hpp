#pragma once

#include "dnn/functions/pooling/average_pooling_2d.hpp"
#include "dnn/functions/pooling/max_pooling_2d.hpp"
#include "dnn/functions/pooling/unpooling_2d.hpp"
#include "dnn/functions/pooling/upsampling_2d.hpp"
