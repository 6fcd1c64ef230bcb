#!/usr/bin/env python3
"""README.md explains nothing that is not so: its code blocks are compiled and run.

    extract.py [--readme FILE] [--list | --compile-line]

In a scratch copy of this repository, in the order of the page:

  * a block below `<!-- file: NAME -->` is written to NAME, whatever its language;
  * a ```cpp block that has `int main` is compiled and run (when it has a file name, too, the console blocks can use it);
  * a ```cpp block below `<!-- compile: snippet -->` is compiled as the body of a function, with its #include lines (or
    dnn/dnn.hpp and dnn/training.hpp) and `using namespace dnn` above it;
  * a ```console block below `<!-- run -->` is run: its lines that start with `$ `, or all of them if none does;
  * any other ```cpp block is an error. Other languages, and console blocks without a mark, are only read.

Both marks may stand on consecutive lines. The last line is `N passed, N failed`.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^```(\w*)\s*$")
MARK = re.compile(r"^<!--\s*(file|compile|run)\s*(?::\s*(\S+))?\s*-->\s*$")
COMPILER = os.environ.get("CXX", "g++").split() + ["-std=c++20", "-O1", "-Wall", "-Wextra"]
LIBRARIES = ["-lzip", "-lz", "-lcurl", "-lcrypto", "-pthread"]
TIMEOUT_S = 900


class Block:
    def __init__(self, line, language, marks):
        self.line = line
        self.language = language
        self.marks = marks
        self.text = ""

    @property
    def name(self):
        return f"README.md:{self.line} {self.language}"


def read_blocks(text):
    blocks, marks, block = [], {}, None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if block is not None:
            if line.rstrip() == "```":
                blocks.append(block)
                block, marks = None, {}
            else:
                block.text += line + "\n"
        elif fence:
            block = Block(number, fence.group(1), marks)
        elif mark := MARK.match(line):
            marks[mark.group(1)] = mark.group(2) or ""
        elif line.strip():
            marks = {}
    if block is not None:
        raise SystemExit(f"README.md:{block.line}: this block has no end")
    return blocks


def commands_of(block):
    # A command goes on over lines that end with a backslash.
    lines = block.text.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    return "\n".join(prompted or lines)


def snippet(text):
    lines = text.splitlines()
    includes = [line for line in lines if line.startswith("#include")]
    body = [line for line in lines if not line.startswith("#include")]
    includes = includes or ["#include <dnn/dnn.hpp>", "#include <dnn/training.hpp>"]
    # A snippet may leave what it makes unused: it shows how, not why.
    head = ["namespace dnn {}", "using namespace dnn;", "[[maybe_unused]] static void snippet() {"]
    return "\n".join(includes + head + body + ["}"]) + "\n"


def execute(command, folder):
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        print(done.stdout[-6000:])
    return done.returncode == 0


def compile_block(source, folder, *options):
    return execute([*COMPILER, f"-I{folder}/include", "-isystem", "/usr/include/eigen3", str(source), *options], folder)


def check(block, folder):
    """True: passed; False: failed; None: nothing to check in this block."""
    passed = None
    if "file" in block.marks:
        path = folder / block.marks["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    if block.language == "cpp":
        source = folder / block.marks.get("file", f"readme_{block.line}.cpp")
        program = folder / f"readme_{block.line}"
        if re.search(r"\bint main\b", block.text):
            source.write_text(block.text, encoding="utf-8")
            passed = compile_block(source, folder, "-o", str(program), *LIBRARIES) and execute([str(program)], folder)
        elif "compile" in block.marks:
            source.write_text(snippet(block.text), encoding="utf-8")
            passed = compile_block(source, folder, "-Wno-unused", "-fsyntax-only")
        elif "file" not in block.marks:
            print("a C++ block needs `int main`, or a mark above it: <!-- compile: snippet --> or <!-- file: NAME -->")
            passed = False
    elif "run" in block.marks:
        passed = execute(["bash", "-euo", "pipefail", "-c", commands_of(block)], folder)
    return passed


def copy_repository(folder):
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, names):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", type=pathlib.Path, default=REPOSITORY / "README.md")
    parser.add_argument("--list", action="store_true", help="print the blocks and their marks, check nothing")
    parser.add_argument("--compile-line", action="store_true", help="print the first g++ command of the console blocks")
    options = parser.parse_args()

    blocks = read_blocks(options.readme.read_text(encoding="utf-8"))
    if options.list:
        for block in blocks:
            print(block.name, block.marks)
        return 0
    if options.compile_line:
        for block in blocks:
            for command in commands_of(block).splitlines() if block.language == "console" else []:
                if command.startswith("g++ "):
                    print(command)
                    return 0
        raise SystemExit("no console block of the README has a line that starts with g++")

    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="dnn-readme-") as scratch:
        folder = pathlib.Path(scratch)
        copy_repository(folder)
        for block in blocks:
            result = check(block, folder)
            if result is None:
                print(f"  read   {block.name}")
            else:
                print(f"  {'passed' if result else 'FAILED'} {block.name}", flush=True)
                passed, failed = passed + result, failed + (not result)
    if passed + failed == 0:
        print("the README has no block to check")
        return 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
