/// Where a training program logs what it measures: the run it belongs to.
///
/// Here the run is offline: metrics go to stderr, so that stdout holds the program's own lines. A run that is tracked
/// somewhere (cloud/run.hpp) has the same two functions.
#pragma once

#include <cstdio>
#include <string>

struct Run {
  static Run get_context() { return {}; }

  void log(const std::string& name, double value) { std::fprintf(stderr, "metric %s: %g\n", name.c_str(), value); }
};
