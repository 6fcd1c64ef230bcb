/// All iterators.
#pragma once

#include "dnn/iterators/iterator.hpp"
#include "dnn/iterators/multithread_iterator.hpp"
#include "dnn/iterators/order_sampler.hpp"
#include "dnn/iterators/ordered_iterator.hpp"
#include "dnn/iterators/serial_iterator.hpp"
