/// All links: layers with parameters, and models made of them.
#pragma once

#include "dnn/links/batch_normalization.hpp"
#include "dnn/links/chain.hpp"
#include "dnn/links/chain_list.hpp"
#include "dnn/links/classifier.hpp"
#include "dnn/links/convolution_2d.hpp"
#include "dnn/links/deconvolution_2d.hpp"
#include "dnn/links/embed_id.hpp"
#include "dnn/links/layer_normalization.hpp"
#include "dnn/links/linear.hpp"
#include "dnn/links/link.hpp"
#include "dnn/links/parameter.hpp"
#include "dnn/links/sequential.hpp"
