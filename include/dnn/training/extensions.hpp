/// All extensions.
#pragma once

#include "dnn/training/extensions/dump_graph.hpp"
#include "dnn/training/extensions/evaluator.hpp"
#include "dnn/training/extensions/fail_on_non_number.hpp"
#include "dnn/training/extensions/log_report.hpp"
#include "dnn/training/extensions/micro_average.hpp"
#include "dnn/training/extensions/plot_report.hpp"
#include "dnn/training/extensions/print_report.hpp"
#include "dnn/training/extensions/progress_bar.hpp"
#include "dnn/training/extensions/snapshot.hpp"
#include "dnn/training/extensions/value_observation.hpp"
#include "dnn/training/extensions/value_shift.hpp"
#include "dnn/training/extensions/variable_statistics.hpp"
