/// Saving and loading: npz archives, and cereal's binary and JSON archives. Needs libzip and cereal.
#pragma once

#include "dnn/serializers/cereal.hpp"
#include "dnn/serializers/npz.hpp"
