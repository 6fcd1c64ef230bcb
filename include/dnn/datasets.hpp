/// All data sets, with those that come from files and networks: needs zlib, libcurl and OpenSSL (CMake: dnn::datasets).
/// The others alone: `dnn/datasets/views.hpp`.
#pragma once

#include "dnn/datasets/download.hpp"
#include "dnn/datasets/generated_digits.hpp"
#include "dnn/datasets/gzip.hpp"
#include "dnn/datasets/idx.hpp"
#include "dnn/datasets/mnist.hpp"
#include "dnn/datasets/sha256.hpp"
#include "dnn/datasets/views.hpp"
