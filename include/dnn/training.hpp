/// Trainer, updaters, triggers and extensions. Needs libzip, for snapshots (CMake: dnn::training).
#pragma once

#include "dnn/training/extension.hpp"
#include "dnn/training/extensions.hpp"
#include "dnn/training/standard_updater.hpp"
#include "dnn/training/summary.hpp"
#include "dnn/training/trainer.hpp"
#include "dnn/training/trigger.hpp"
#include "dnn/training/triggers.hpp"
#include "dnn/training/updater.hpp"
