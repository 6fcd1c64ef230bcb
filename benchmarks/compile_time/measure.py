#!/usr/bin/env python3
"""Wall seconds and peak memory of compiling a program that trains an MLP, against the budget.

    measure.py [--runs 3] [--check] [source.cpp...]

Compiles benchmarks/compile_time/*.cpp with g++ -O2, with clang++ -O2 and nvcc -O2 (for one architecture) where there
are these: each once to warm the disk cache, then --runs times, one at a time; prints the median seconds and the largest
memory of the compiler itself. An empty program that includes <string> and <vector> stands beside them for scale. With
--check the exit status says whether every figure of g++ and nvcc is within its budget.
"""

import argparse
import math
import os
import pathlib
import platform
import shutil
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
# Compiler -> seconds and megabytes.
BUDGETS = {"g++": (3.0, 500), "nvcc": (20.0, 1100)}
NVCC_OPTIONS = ["-x", "cu", "--expt-relaxed-constexpr", "-arch=sm_80"]
SCALE = "#include <string>\n#include <vector>\nint main() {}\n"


def compile_once(command):
    """Wall seconds and peak megabytes of the largest process of one compilation."""
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"did not compile: {' '.join(command)}")
    # g++ is a driver: its own usage includes that of cc1plus, which it waited for.
    return seconds, usage.ru_maxrss / 1024


def measure(compiler, source, runs):
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "program.o")
        # The packages' headers are found as a user finds them; Debian keeps Eigen in a folder of its own.
        command = [compiler, "-std=c++20", "-O2", f"-I{INCLUDE}", "-I/usr/include/eigen3", "-c", str(source), "-o", output]
        if compiler == "nvcc":
            command[1:1] = NVCC_OPTIONS
        compile_once(command)
        samples = [compile_once(command) for _ in range(runs)]
    return statistics.median(s for s, _ in samples), max(m for _, m in samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("sources", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    sources = options.sources or sorted(HERE.glob("*.cpp"))
    within = True

    budgets = ", ".join(f"{s:.0f} s and {m} MB with {compiler}" for compiler, (s, m) in BUDGETS.items())
    print(f"compile time on {platform.machine()}, -std=c++20 -O2 -c, median of {options.runs}; budget {budgets}")
    print(f"{'compiler':<10} {'program':<14} {'seconds':>8} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        scale = pathlib.Path(folder, "empty.cpp")
        scale.write_text(SCALE, encoding="utf-8")
        for compiler in filter(shutil.which, ("g++", "clang++", "nvcc")):
            most_s, most_mb = BUDGETS.get(compiler, (math.inf, math.inf))
            for source in [scale, *sources]:
                seconds, megabytes = measure(compiler, source, options.runs)
                good = seconds <= most_s and megabytes <= most_mb
                within = within and good
                print(f"{compiler:<10} {source.stem:<14} {seconds:>8.2f} {megabytes:>8.0f}{'' if good else '  over budget'}",
                      flush=True)  # fmt: skip
    return 1 if options.check and not within else 0


if __name__ == "__main__":
    sys.exit(main())
