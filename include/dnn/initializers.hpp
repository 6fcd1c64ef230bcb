/// All initializers: values for new parameters. Each is a small struct that fills an array; so is any function of
/// `Array&`.
#pragma once

#include "dnn/initializers/constant.hpp"
#include "dnn/initializers/fan.hpp"
#include "dnn/initializers/normal.hpp"
#include "dnn/initializers/orthogonal.hpp"
#include "dnn/initializers/sampling.hpp"
#include "dnn/initializers/uniform.hpp"
