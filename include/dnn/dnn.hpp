/// Everything a program that builds and trains a model needs: arrays, autograd, functions, initializers, links,
/// optimizers, iterators and views of data sets. Apart from it, for those who need them: dnn/training.hpp,
/// dnn/serializers.hpp, dnn/datasets.hpp (files and downloads), dnn/testing.hpp.
#pragma once

#include "dnn/array/array.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"
#include "dnn/array/reduce.hpp"
#include "dnn/array/text.hpp"
#include "dnn/autograd/apply.hpp"
#include "dnn/autograd/backward.hpp"
#include "dnn/autograd/graph.hpp"
#include "dnn/autograd/parameter.hpp"
#include "dnn/autograd/reporter.hpp"
#include "dnn/autograd/serializer.hpp"
#include "dnn/autograd/variable.hpp"
#include "dnn/core/config.hpp"
#include "dnn/core/error.hpp"
#include "dnn/core/random.hpp"
#include "dnn/datasets/views.hpp"
#include "dnn/functions.hpp"
#include "dnn/initializers.hpp"
#include "dnn/iterators.hpp"
#include "dnn/links.hpp"
#include "dnn/optimizers.hpp"
