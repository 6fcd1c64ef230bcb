#!/usr/bin/env python3
"""Instructions of one small operation and of one step of a small MLP, counted by valgrind, against what is stored.

    count.py [--check]

Counts do not depend on how busy a machine is, so a regression shows in CI. Compiles steps.cpp with g++ -O2 for
x86-64-v3 (valgrind does not know AVX-512); the stored figures are of g++ 12. With --check the exit status says whether
each count is within the tolerance: more is a regression, less wants a new figure here.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
TOLERANCE = 0.05
# unit: (argument of the program, units in one iteration, stored count)
STORED = {
    "tanh of 4 floats, forward and backward": ("chain", 100, 3200),
    "step of an MLP 8-16-16-2, batch 1, SGD": ("mlp", 1, 47000),
}


def instructions(program, workload, iterations):
    output = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, workload, str(iterations)],
        check=True, capture_output=True, text=True).stderr  # fmt: skip
    return int(re.search(r"Collected : (\d+)", output)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    for tool in ("valgrind", "g++"):
        if not shutil.which(tool):
            print(f"instructions: not counted, {tool} is not installed")
            return 0

    within = True
    with tempfile.TemporaryDirectory() as folder:
        program = str(pathlib.Path(folder, "steps"))
        subprocess.run(["g++", "-std=c++20", "-O2", "-DNDEBUG", "-march=x86-64-v3", f"-I{INCLUDE}", "-isystem",
                        "/usr/include/eigen3", str(HERE / "steps.cpp"), "-o", program, "-pthread"], check=True)  # fmt: skip
        for name, (workload, units, stored) in STORED.items():
            # The difference of two runs: without the start of the program and the first, allocating iterations.
            count = (instructions(program, workload, 60) - instructions(program, workload, 10)) / 50 / units
            good = abs(count / stored - 1) <= TOLERANCE
            within = within and good
            print(f"{name}: {count:.0f} instructions, stored {stored}{'' if good else ': NOT WITHIN THE TOLERANCE'}")
    return 1 if options.check and not within else 0


if __name__ == "__main__":
    sys.exit(main())
