#pragma once

#include "dnn/functions/loss/absolute_error.hpp"
#include "dnn/functions/loss/bernoulli_nll.hpp"
#include "dnn/functions/loss/gaussian_kl_divergence.hpp"
#include "dnn/functions/loss/gaussian_nll.hpp"
#include "dnn/functions/loss/hinge.hpp"
#include "dnn/functions/loss/huber_loss.hpp"
#include "dnn/functions/loss/mean_absolute_error.hpp"
#include "dnn/functions/loss/mean_squared_error.hpp"
#include "dnn/functions/loss/sigmoid_cross_entropy.hpp"
#include "dnn/functions/loss/softmax_cross_entropy.hpp"
#include "dnn/functions/loss/squared_error.hpp"
