/// Data sets without files or network: arrays side by side, parts, folds, transforms; and joining examples into
/// batches.
#pragma once

#include "dnn/datasets/concat_examples.hpp"
#include "dnn/datasets/concatenated_dataset.hpp"
#include "dnn/datasets/dataset.hpp"
#include "dnn/datasets/dict_dataset.hpp"
#include "dnn/datasets/example.hpp"
#include "dnn/datasets/split_dataset.hpp"
#include "dnn/datasets/sub_dataset.hpp"
#include "dnn/datasets/transform_dataset.hpp"
#include "dnn/datasets/tuple_dataset.hpp"
