/// Saving and loading: npz archives. Needs libzip.
#pragma once

#include "dnn/serializers/npz.hpp"
