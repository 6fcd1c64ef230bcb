#!/usr/bin/env python3
"""Times the same work in dnn, PyTorch, Chainer and tiny-dnn, in turns, and prints the ratios.

    python3 benchmarks/compare/compare.py [--build build] [--threads 1] [--rounds 3]
        [--pytorch-python PYTHON] [--chainer-python PYTHON] [--tiny-dnn DIR]

Installs nothing: a framework that is not there is named and left out. tiny-dnn is header-only; give the folder that
holds `tiny_dnn/tiny_dnn.h`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = ["mlp_step", "cnn_step", "tanh_chain", "tiny_mlp_step", "tanh_1m"]


def has_module(python, module):
    return subprocess.run([python, "-c", f"import {module}"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def contenders(options, scratch):
    """The commands that can be run here, by name; prints what is missing."""
    found = {}
    program = pathlib.Path(options.build) / "benchmarks" / "compare_workloads"
    if program.exists():
        found["dnn"] = [str(program)]
    else:
        sys.exit(f"{program} is not built: run `./run bench`, or give --build DIR")
    for name, python, module, script in [("PyTorch", options.pytorch_python, "torch", "pytorch.py"),
                                         ("Chainer", options.chainer_python, "chainer", "chainer_.py")]:
        if has_module(python, module):
            found[name] = [python, str(HERE / script)]
        else:
            print(f"{name}: left out, `{python}` cannot import {module}")
    header = pathlib.Path(options.tiny_dnn or "/usr/include") / "tiny_dnn" / "tiny_dnn.h"
    if header.exists():
        binary = str(pathlib.Path(scratch) / "tiny_dnn")
        command = [os.environ.get("CXX", "g++"), "-std=c++17", "-O3", "-march=native", "-DNDEBUG", "-w",
                   "-I", str(header.parent.parent), str(HERE / "tiny_dnn.cc"), "-o", binary, "-lpthread"]
        if subprocess.run(command, check=False).returncode == 0:
            found["tiny-dnn"] = [binary]
        else:
            print("tiny-dnn: left out, it does not compile here")
    else:
        print(f"tiny-dnn: left out, {header} not found (give --tiny-dnn DIR)")
    return found


def run_once(command, threads):
    done = subprocess.run([*command, str(threads)], stdout=subprocess.PIPE, text=True, check=True, cwd=HERE)
    return {name: float(seconds) for name, seconds in (line.split() for line in done.stdout.splitlines())}


def human(seconds):
    for unit, scale in [("s", 1), ("ms", 1e3), ("us", 1e6)]:
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pytorch-python", default=sys.executable)
    parser.add_argument("--chainer-python", default=sys.executable)
    parser.add_argument("--tiny-dnn")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)

    with tempfile.TemporaryDirectory() as scratch:
        commands = contenders(options, scratch)
        samples = {name: {} for name in commands}
        for i in range(options.rounds):
            for name, command in commands.items():
                print(f"round {i + 1} of {options.rounds}: {name} ...", file=sys.stderr, flush=True)
                for workload, seconds in run_once(command, options.threads).items():
                    samples[name].setdefault(workload, []).append(seconds)

    print(f"\nmedians of {options.rounds} rounds in turns, {options.threads} thread(s); "
          "in brackets how many times dnn's time\n")
    print("".join(f"{title:<24}" for title in ["", *commands]))
    for workload in WORKLOADS:
        row = f"{workload:<24}"
        for name in commands:
            if workload in samples[name]:
                seconds = statistics.median(samples[name][workload])
                ratio = seconds / statistics.median(samples["dnn"][workload])
                row += f"{human(seconds) + ('' if name == 'dnn' else f' ({ratio:.2f} x)'):<24}"
            else:
                row += f"{'-':<24}"
        print(row.rstrip())


main()
