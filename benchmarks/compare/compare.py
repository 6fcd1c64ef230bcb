#!/usr/bin/env python3
"""Times the same work in dnn, PyTorch, libtorch, Chainer and tiny-dnn, in turns, and prints the ratios.

    compare.py [--build build] [--threads 1,2] [--rounds 3] [--seconds 0.5] [--only TEXT] [--json FILE]
        [--pytorch-python PYTHON] [--chainer-python PYTHON] [--tiny-dnn DIR]

Installs nothing: a framework that is not there is named and left out. libtorch is that of the PyTorch that is found;
tiny-dnn is header-only: give the folder that holds `tiny_dnn/tiny_dnn.h`. Losses that differ by more than 5 percent from
dnn's are marked: then the work was not the same. README.md beside this file describes the workloads.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# OpenBLAS is told to use an old processor's kernels on some machines, where old versions of it need that.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def output_of(python, code):
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def compiled(name, source, binary, options):
    command = [os.environ.get("CXX", "g++"), "-O3", "-march=native", "-DNDEBUG", "-w", str(HERE / source), "-o", binary,
               *options]  # fmt: skip
    print(f"compiling {name} ...", file=sys.stderr, flush=True)
    if subprocess.run(command, check=False).returncode == 0:
        return True
    print(f"{name}: left out, it does not compile here")
    return False


def contenders(options, scratch):
    """The commands that can be run here, by name; prints what is missing."""
    program = pathlib.Path(options.build) / "benchmarks" / "compare_workloads"
    if not program.exists():
        sys.exit(f"{program} is not built: run `./run bench compare`, or give --build DIR")
    found = {"dnn": ([str(program)], [])}
    torch_root = None
    for name, python, module, script in [("PyTorch", options.pytorch_python, "torch", "pytorch.py"),
                                         ("Chainer", options.chainer_python, "chainer", "chainer_.py")]:
        where = output_of(python, f"import os, {module} as m; print(m.__version__, os.path.dirname(m.__file__))")
        if where is None:
            print(f"{name}: left out, `{python}` cannot import {module}")
            continue
        version, folder = where.split(maxsplit=1)
        label = f"{name} {version.split('+')[0]}"
        found[label] = ([python, str(HERE / script)], [])
        if module == "torch":
            torch_root = pathlib.Path(folder)
            found["  fused=True"] = ([python, str(HERE / script)], ["fused"])
    binary = str(pathlib.Path(scratch) / "libtorch")
    if torch_root is None or not (torch_root / "include").exists():
        print("libtorch: left out, there is no PyTorch with headers")
    else:
        include, lib = torch_root / "include", torch_root / "lib"
        flags = ["-std=c++20", f"-I{include}", f"-I{include}/torch/csrc/api/include", f"-L{lib}", f"-Wl,-rpath,{lib}",
                 "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10"]  # fmt: skip
        if compiled("libtorch", "libtorch.cc", binary, flags):
            found["libtorch"] = ([binary], [])
    header = pathlib.Path(options.tiny_dnn or "/usr/include") / "tiny_dnn" / "tiny_dnn.h"
    binary = str(pathlib.Path(scratch) / "tiny_dnn")
    if not header.exists():
        print(f"tiny-dnn: left out, {header} not found (give --tiny-dnn DIR)")
    elif compiled("tiny-dnn", "tiny_dnn.cc", binary, ["-std=c++17", f"-I{header.parent.parent}", "-lpthread"]):
        found["tiny-dnn"] = ([binary], [])
    return found


def run_once(command, threads, options):
    front, back = command
    arguments = [*front, str(threads), str(options.seconds), options.only, *back]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE, env=ENVIRONMENT)
    rows = [line.split("|") for line in done.stdout.splitlines() if line.count("|") == 2]
    return {name: (float(seconds), None if check in ("-", "nan") else float(check)) for name, seconds, check in rows}


def human(seconds):
    for unit, scale in [("s", 1), ("ms", 1e3), ("us", 1e6)]:
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def cell(workload, name, results):
    """`5.6 ms`, the rate where work is known, and beside dnn's own column the ratio."""
    if name not in results[workload]:
        return "-"
    seconds, check = results[workload][name]
    text = human(seconds)
    is_rate = workload.split()[0] in ("gemm", "dgemm", "conv", "mem")
    if is_rate:
        unit = "GB/s" if workload.startswith("mem") else "GFLOP/s"
        text = f"{check / seconds / 1e9:.0f} {unit}"
    if name != "dnn" and "dnn" in results[workload]:
        own, own_check = results[workload]["dnn"]
        text += f" ({seconds / own:.2f} x)"
        if not is_rate and check and own_check and abs(check / own_check - 1) > 0.05:
            text += f" loss {check:.3f}, dnn {own_check:.3f}!"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each workload, in each round")
    parser.add_argument("--only", default="", help="workloads whose names contain this")
    parser.add_argument("--json")
    parser.add_argument("--pytorch-python", default=sys.executable)
    parser.add_argument("--chainer-python", default=sys.executable)
    parser.add_argument("--tiny-dnn")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)

    report = {"machine": platform.processor() or platform.machine(), "rounds": options.rounds, "threads": {}}
    with tempfile.TemporaryDirectory() as scratch:
        commands = contenders(options, scratch)
        for threads in map(int, options.threads.split(",")):
            samples = {}
            for i in range(options.rounds):
                for name, command in commands.items():
                    print(f"{threads} thread(s), round {i + 1} of {options.rounds}: {name.strip()} ...",
                          file=sys.stderr, flush=True)  # fmt: skip
                    for workload, (seconds, check) in run_once(command, threads, options).items():
                        samples.setdefault(workload, {}).setdefault(name, []).append((seconds, check))
            results = {workload: {name: (statistics.median(s for s, _ in values), values[0][1])
                                  for name, values in by_name.items()} for workload, by_name in samples.items()}  # fmt: skip
            report["threads"][threads] = results
            print(f"\n{threads} thread(s), medians of {options.rounds} rounds in turns; "
                  "in brackets the time in units of dnn's\n")  # fmt: skip
            rows = [["", *map(str.strip, commands)]]
            rows += [[workload, *(cell(workload, name, results) for name in commands)] for workload in results]
            widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
            for row in rows:
                print("".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(report, indent=1), encoding="utf-8")


main()
