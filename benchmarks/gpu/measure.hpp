/// Timing on a GPU, and results as lines of JSON.
#pragma once

#include <algorithm>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dnn/dnn.hpp>

#include "dnn/cuda/stream.hpp"

namespace measure {

using namespace dnn;

/// `--smoke`: small sizes, everything once. What the emulator can do.
inline bool smoke = false;

/// The median of a few runs of `work`, in milliseconds; each run is repeated until it takes 10 ms.
template <class Work>
double milliseconds(Work work) {
  const auto time = [&](int repeats) {
    cu::Event begin(true), end(true);
    begin.record(cu::current_stream());
    for (int i = 0; i < repeats; ++i) work();
    end.record(cu::current_stream());
    end.synchronize();
    return static_cast<double>(end.since(begin)) / repeats;
  };
  work();
  const double first = time(1);
  if (smoke) return first;
  const int repeats = std::clamp(static_cast<int>(10 / std::max(first, 1e-3)), 1, 10000);
  std::vector<double> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(time(repeats));
  std::nth_element(runs.begin(), runs.begin() + 2, runs.end());
  return runs[2];
}

/// One result. `amount` is what one run does, in `unit` seconds (FLOP, B, steps); `error` the largest deviation from
/// float64 in units of what rounding allows, or negative where that is not checked.
inline void report(const std::string& program, const std::string& name, double ms, double amount, const char* unit,
                   double error = -1) {
  std::printf(
      "{\"program\": \"%s\", \"name\": \"%s\", \"ms\": %.6g, \"rate\": %.6g, \"unit\": \"%s/s\", \"error\": %.3g}\n",
      program.c_str(), name.c_str(), ms, amount / (std::max(ms, 1e-6) * 1e-3), unit, error < 1e30 ? error : 1e30);
  std::fflush(stdout);
}
inline void skipped(const std::string& program, const std::string& name, const std::string& reason) {
  std::string text;
  for (const char c : reason) text += c == '"' || c == '\\' || c == '\n' ? ' ' : c;
  std::printf("{\"program\": \"%s\", \"name\": \"%s\", \"skipped\": \"%s\"}\n", program.c_str(), name.c_str(),
              text.c_str());
  std::fflush(stdout);
}

/// main() of a program of parts: runs the one that the first argument names, on cuda:0.
inline int run_part(int argc, char** argv, std::initializer_list<std::pair<const char*, void (*)()>> parts) {
  smoke = argc > 2 && std::string_view(argv[2]) == "--smoke";
  for (const auto& [name, part] : parts) {
    if (argc < 2 || std::string_view(argv[1]) != name) continue;
    try {
      const auto device = using_device("cuda:0");
      part();
      return 0;
    } catch (const std::exception& error) {
      skipped("dnn", name, error.what());
      return 1;
    }
  }
  std::fprintf(stderr, "usage: %s PART [--smoke]; parts:", argv[0]);
  for (const auto& part : parts) std::fprintf(stderr, " %s", part.first);
  std::fputc('\n', stderr);
  return 2;
}

}  // namespace measure
