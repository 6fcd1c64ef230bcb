#pragma once

#include "dnn/functions/connection/convolution_2d.hpp"
#include "dnn/functions/connection/deconvolution_2d.hpp"
#include "dnn/functions/connection/embed_id.hpp"
#include "dnn/functions/connection/linear.hpp"
