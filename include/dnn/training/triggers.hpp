/// All triggers.
#pragma once

#include "dnn/training/triggers/best_value_trigger.hpp"
#include "dnn/training/triggers/early_stopping_trigger.hpp"
#include "dnn/training/triggers/interval_trigger.hpp"
#include "dnn/training/triggers/manual_schedule_trigger.hpp"
#include "dnn/training/triggers/once_trigger.hpp"
#include "dnn/training/triggers/time_trigger.hpp"
