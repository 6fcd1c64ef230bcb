#!/usr/bin/env python3
"""Arrows point down: checks the #include lines of include/ against the table of layers.

    layers.py [--root DIR]     check DIR/include (default: this repository); prints file:line: rule, exit 1 on findings
    layers.py --self-test      plant every kind of violation in a scratch folder and see that each is reported

The table below is the one of the design: a header includes its own layer and those below it, third-party headers only
where they are at home, and nothing heavy may be reachable from the umbrella dnn/dnn.hpp.
"""

import argparse
import pathlib
import re
import sys
import tempfile

# Folder under include/ -> layer. A longer path wins: a header is judged by the longest prefix that is listed.
DNN_LAYERS = {
    "dnn/core": 0,
    "dnn/cuda": 1,
    "dnn/memory": 2,
    "dnn/kernels": 3,
    "dnn/array": 4,
    "dnn/autograd": 5,
    "dnn/functions": 6,
    "dnn/initializers": 7,
    "dnn/links": 7,
    "dnn/optimizers": 8,
    "dnn/datasets": 8,
    "dnn/iterators": 8,
    "dnn/training": 9,
    "dnn/serializers": 9,
    "dnn/testing": 9,
    # Umbrellas; one that is not listed (dnn/functions.hpp) has the layer of the folder it opens.
    "dnn/dnn.hpp": 8,
}
CLOUD_LAYERS = {
    "cloud/core": 0,
    "cloud/http": 1,
    "cloud/json": 1,
    "cloud/rest": 2,
    "cloud/auth": 2,
    "cloud/storage": 3,
    "cloud/tracking": 3,
    "cloud/backend": 4,
    # The nouns: cloud/workspace.hpp and its siblings, and the umbrella cloud/cloud.hpp.
    "cloud": 5,
}
LAYERS = {**DNN_LAYERS, **CLOUD_LAYERS}

# Third-party headers -> the only places that may include them.
HOMES = [
    ("Eigen", r"(Eigen|unsupported/Eigen)/", ["dnn/kernels/"]),
    ("curl", r"curl/", ["cloud/http/", "dnn/datasets/download.hpp"]),
    ("nlohmann/json", r"nlohmann/", ["cloud/json/", "dnn/training/", "dnn/serializers/"]),
    ("libzip", r"zip\.h$", ["dnn/serializers/"]),
    ("cereal", r"cereal/", ["dnn/serializers/"]),
    ("zlib", r"zlib\.h$", ["dnn/datasets/", "dnn/serializers/"]),
    ("SQLite", r"sqlite3\.h$", ["cloud/backend/local/"]),
    ("OpenSSL", r"openssl/", ["dnn/datasets/", "cloud/"]),
    ("cuBLAS", r"cublas", ["dnn/kernels/gpu/cublas.hpp"]),
    ("Thrust", r"(thrust|cub|cuda)/", ["dnn/cuda/"]),
]

# What nobody who includes dnn/dnn.hpp should pay for.
UMBRELLA = "dnn/dnn.hpp"
HEAVY = re.compile(
    r"^(iostream|regex|filesystem|nlohmann/.*|cereal/.*|curl/.*|zip\.h|zlib\.h|openssl/.*|thrust/.*|cub/.*)$"
)
# The one seam between the two halves.
SEAM = "cloud/dnn.hpp"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(header):
    """The layer of a path under include/, or None when no entry of the table covers it."""
    path = header
    while path:
        if path in LAYERS:
            return LAYERS[path]
        # An umbrella such as dnn/functions.hpp stands for its folder.
        if path.endswith(".hpp") and path[: -len(".hpp")] in LAYERS:
            return LAYERS[path[: -len(".hpp")]]
        path = path.rpartition("/")[0]
    return None


def read_includes(path):
    """Yields (line number, bracket, target). Comments are left out; strings cannot hold an #include line of ours."""
    in_comment = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if in_comment:
            if "*/" not in line:
                continue
            line = line.split("*/", 1)[1]
            in_comment = False
        line = re.sub(r"/\*.*?\*/", " ", line)
        if "/*" in line:
            line = line.split("/*", 1)[0]
            in_comment = True
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def check(root):
    """Returns the findings, each `file:line: rule`, for the headers in root/include."""
    include = root / "include"
    findings = []
    graph = {}
    for path in sorted(include.rglob("*.hpp")):
        header = path.relative_to(include).as_posix()
        graph[header] = list(read_includes(path))

    for header, includes in graph.items():
        own = layer_of(header)

        def report(number, rule):
            findings.append(f"include/{header}:{number}: {rule}")

        if own is None:
            report(1, "this folder has no layer: add it to the table in tests/layers.py and to the design")
            continue
        half = header.split("/")[0]
        for number, bracket, target in includes:
            if target.split("/")[0] not in ("dnn", "cloud"):
                if bracket == '"':
                    report(number, f'"{target}": name our headers from include/ ("dnn/..."), others in angle brackets')
                for name, pattern, homes in HOMES:
                    if re.match(pattern, target) and not header.startswith(tuple(homes)):
                        report(number, f"<{target}>: {name} is included only in {', '.join(homes)}")
                continue
            if bracket == "<":
                report(number, f'<{target}>: our own headers are included with quotes')
            if target not in graph:
                report(number, f'"{target}" does not exist')
                continue
            if target.split("/")[0] != half:
                if half == "dnn":
                    report(number, f'"{target}": dnn never includes cloud')
                elif header != SEAM:
                    report(number, f'"{target}": cloud includes dnn only in {SEAM}')
                continue
            below = layer_of(target)
            if below is not None and below > own:
                report(number, f'"{target}": layer {below} is above layer {own} of this header')

    findings += check_umbrella(graph)
    return findings


def check_umbrella(graph):
    """Reports heavy headers that dnn/dnn.hpp reaches, with the way to them."""
    findings = []
    came_from = {UMBRELLA: None}
    queue = [UMBRELLA] if UMBRELLA in graph else []
    for header in queue:  # grows while it is walked
        for number, _, target in graph[header]:
            if HEAVY.match(target):
                way = [header]
                while came_from[way[0]]:
                    way.insert(0, came_from[way[0]])
                findings.append(
                    f"include/{header}:{number}: <{target}> is reachable from {UMBRELLA}: {' -> '.join(way)}"
                )
            elif target in graph and target not in came_from:
                came_from[target] = header
                queue.append(target)
    return findings


# (files to write, part of the finding that must appear; None: no finding at all)
PLANTED = [
    ({"dnn/core/a.hpp": "", "dnn/array/b.hpp": '#include "dnn/core/a.hpp"\n#include <vector>\n'}, None),
    ({"dnn/functions/math/exp.hpp": "", "dnn/functions/activation/relu.hpp": '#include "dnn/functions/math/exp.hpp"'}, None),
    ({"dnn/functions.hpp": "", "dnn/links/a.hpp": '#include "dnn/functions.hpp"'}, None),
    ({"dnn/core/a.hpp": '/* #include "dnn/links/b.hpp"\n*/ // #include <regex>\n', "dnn/links/b.hpp": ""}, None),
    ({"cloud/core/a.hpp": "", "cloud/workspace.hpp": '#include "cloud/core/a.hpp"'}, None),
    ({"cloud/dnn.hpp": '#include "dnn/dnn.hpp"', "dnn/dnn.hpp": ""}, None),
    (
        {"dnn/core/a.hpp": '\n#include "dnn/array/b.hpp"', "dnn/array/b.hpp": ""},
        "include/dnn/core/a.hpp:2: \"dnn/array/b.hpp\": layer 4 is above layer 0",
    ),
    ({"dnn/links/a.hpp": '#include "dnn/dnn.hpp"', "dnn/dnn.hpp": ""}, "layer 8 is above layer 7"),
    ({"dnn/array/a.hpp": '#include "dnn/functions.hpp"', "dnn/functions.hpp": ""}, "layer 6 is above layer 4"),
    ({"dnn/optimizers/a.hpp": '#  include "dnn/training/b.hpp"', "dnn/training/b.hpp": ""}, "layer 9 is above layer 8"),
    ({"cloud/http/a.hpp": '#include "cloud/auth/b.hpp"', "cloud/auth/b.hpp": ""}, "layer 2 is above layer 1"),
    ({"dnn/array/a.hpp": "#include <Eigen/Core>"}, "Eigen is included only in dnn/kernels/"),
    ({"dnn/datasets/a.hpp": "#include <curl/curl.h>"}, "curl is included only in"),
    ({"cloud/auth/a.hpp": "#include <curl/curl.h>"}, "curl is included only in"),
    ({"dnn/links/a.hpp": "#include <nlohmann/json.hpp>"}, "nlohmann/json is included only in"),
    ({"dnn/training/a.hpp": "#include <zip.h>"}, "libzip is included only in"),
    ({"dnn/training/a.hpp": "#include <cereal/cereal.hpp>"}, "cereal is included only in"),
    ({"dnn/kernels/a.hpp": "#include <thrust/sort.h>"}, "Thrust is included only in"),
    ({"dnn/training/a.hpp": '#include "cloud/run.hpp"', "cloud/run.hpp": ""}, "dnn never includes cloud"),
    ({"cloud/run.hpp": '#include "dnn/core/a.hpp"', "dnn/core/a.hpp": ""}, "cloud includes dnn only in cloud/dnn.hpp"),
    ({"dnn/stray/a.hpp": ""}, "this folder has no layer"),
    ({"dnn/core/a.hpp": '#include "dnn/core/gone.hpp"'}, "does not exist"),
    ({"dnn/core/a.hpp": '#include "b.hpp"', "dnn/core/b.hpp": ""}, "name our headers from include/"),
    ({"dnn/core/a.hpp": "#include <dnn/core/b.hpp>", "dnn/core/b.hpp": ""}, "our own headers are included with quotes"),
    (
        {
            "dnn/dnn.hpp": '#include "dnn/array/a.hpp"',
            "dnn/array/a.hpp": '#include "dnn/core/b.hpp"',
            "dnn/core/b.hpp": "#include <string>\n#include <iostream>",
        },
        "include/dnn/core/b.hpp:2: <iostream> is reachable from dnn/dnn.hpp: "
        "dnn/dnn.hpp -> dnn/array/a.hpp -> dnn/core/b.hpp",
    ),
    (
        {"dnn/dnn.hpp": '#include "dnn/datasets/mnist.hpp"', "dnn/datasets/mnist.hpp": "#include <zlib.h>"},
        "<zlib.h> is reachable from dnn/dnn.hpp",
    ),
]


def self_test():
    failures = []
    for files, expected in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, "include", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            findings = check(pathlib.Path(folder))
        good = not findings if expected is None else any(expected in finding for finding in findings)
        if not good:
            failures.append(f"planted {files}\n  expected {expected}\n  reported {findings}")
    for failure in failures:
        print(failure)
    print(f"layers.py --self-test: {len(PLANTED) - len(failures)} of {len(PLANTED)} planted cases as expected")
    return not failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return 0 if self_test() else 1
    headers = len(list((options.root / "include").rglob("*.hpp")))
    if headers == 0:
        print(f"no headers in {options.root / 'include'}")
        return 1
    findings = check(options.root)
    for finding in findings:
        print(finding)
    print(f"layers.py: {headers} headers, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
