#!/usr/bin/env python3
"""Whether nvcc compiled every kernel that a program starts.

    registered.py FILE|FOLDER...

g++ and nvcc's own front end read the same templates. Where they decide differently what is instantiated, nvcc says
nothing: the program names a kernel that is not there, and the launch fails on a GPU. Here all kernels (DNN_KERNEL) that
an object file has host functions of are looked for among the names under which it registers kernels. Needs no GPU.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def kernel_names():
    for folder in ("include/dnn", "examples", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.[hc]pp"):
            text = path.read_text(encoding="utf-8")
            yield from re.findall(r"DNN_KERNEL\s+void\s+(?:DNN_LAUNCH_BOUNDS\([^()]*\)\s+)?(\w+)\(", text)


def canonical(mangled):
    """A name without what only g++ says: that a function is static, and that a pack is expanded."""
    return re.sub(r"L(?=\d+[a-z_])", "", mangled.replace("Xsp", "X"))


def function_name(mangled):
    """The last name of `_ZN3dnn…11for_each_ip…I…`, without its scopes and template arguments."""
    rest, name = re.sub(r"^_ZN?", "", canonical(mangled)), ""
    while found := re.match(r"\d+", rest):
        end = found.end() + int(found[0])
        name, rest = rest[found.end() : end], rest[end:]
    return name


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], check=True, text=True, errors="replace",
                          stdout=subprocess.PIPE).stdout  # fmt: skip


def check(path, kernels):
    """The number of kernels in an object file, and those of them that are missing."""
    symbols = re.findall(r" FUNC .* (_Z\w+)$", readelf("--symbols", str(path)), re.MULTILINE)
    sections = re.findall(r"\] (\.rodata\S*)", readelf("--sections", str(path)))
    strings = readelf(*(f"--string-dump={section}" for section in set(sections)), str(path)) if sections else ""
    registered = {canonical(name) for name in re.findall(r"\]\s+(_Z\w+)$", strings, re.MULTILINE)}
    wanted = {canonical(symbol) for symbol in symbols if function_name(symbol) in kernels}
    return len(wanted), sorted(wanted - registered)


def main():
    kernels = set(kernel_names())
    files = [file for name in sys.argv[1:] for path in [pathlib.Path(name)]
             for file in (path.rglob("*.cu.o") if path.is_dir() else [path])]  # fmt: skip
    count = 0
    bad = []
    for file in files:
        found, missing = check(file, kernels)
        count += found
        bad += [f"{file}: {name}" for name in missing]
    for line in bad:
        print("not compiled for the GPU:", subprocess.run(["c++filt"], input=line, text=True, stdout=subprocess.PIPE,
                                                           check=True).stdout.strip())  # fmt: skip
    print(f"{count} kernels in {len(files)} object files, {len(bad)} of them missing")
    return 1 if bad or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
