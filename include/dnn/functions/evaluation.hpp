#pragma once

#include "dnn/functions/evaluation/accuracy.hpp"
#include "dnn/functions/evaluation/binary_accuracy.hpp"
#include "dnn/functions/evaluation/classification_summary.hpp"
#include "dnn/functions/evaluation/r2_score.hpp"
