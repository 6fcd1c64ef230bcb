#!/usr/bin/env python3
"""What nvcc makes of the products and convolutions: registers, spills, and the instructions that they are about.

    compiled.py [--root DIR] [--arch sm_80 ...]

Compiles them for each architecture, prints a table, and fails when nvcc warns or says that it makes products wait for
each other, when a kernel keeps registers in memory, or when the PTX, or the machine code of a kernel, lacks the tensor
core instructions or asynchronous copies that it is made of. Needs nvcc, no GPU; machine code is looked at where
nvdisasm is found: on the PATH, beside nvcc or in Python's package nvidia-cuda-nvdisasm.
"""

import argparse
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = """
#include "dnn/kernels/gpu/convolution.hpp"
#include "dnn/kernels/gpu/gemm.hpp"

using namespace dnn;
using kernels::Convolution2D;

#define GEMM(T)                                                                                                     \\
  template void kernels::gpu::gemm<T>(bool, bool, std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, \\
                                      const T*, std::int64_t, T*, std::int64_t, bool, const T*);
#define CONVOLUTION(T)                                                                                             \\
  template void kernels::gpu::convolution_2d<T>(const Convolution2D&, const T*, const T*, const T*, T*);            \\
  template void kernels::gpu::deconvolution_2d<T>(const Convolution2D&, const T*, const T*, const T*, T*);          \\
  template void kernels::gpu::convolution_2d_weights<T>(const Convolution2D&, const T*, const T*, T*);

GEMM(float)
GEMM(double)
GEMM(Float16)
GEMM(BFloat16)
CONVOLUTION(float)
CONVOLUTION(double)
CONVOLUTION(Float16)
CONVOLUTION(BFloat16)
"""

# Architecture -> instructions that its PTX must hold.
PTX = {
    "sm_80": [
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32",
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16",
        "cp.async.cg.shared.global",
        "cp.async.ca.shared.global",
    ],
    "sm_90a": [
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16",
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16",
        "fence.proxy.async.shared::cta",
        "cp.async.cg.shared.global",
    ],
}

# Part of a kernel's name -> what the machine code of such kernels must consist of, on any of these architectures.
SASS = {
    "CoreEngine<float": {"FFMA", "LDGSTS"},
    "CoreEngine<double": {"DFMA", "LDGSTS"},
    "TensorEngine<": {"HMMA", "LDSM"},
    "WarpgroupEngine<": {"HGMMA", "LDGSTS"},
    "TransferEngine<": {"HGMMA", "UTMALDG", "SYNCS"},
}


def run(command):
    return subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def kernels(log):
    """Yields (name, registers, bytes spilled) from the output of ptxas -v."""
    name, spilled = "", 0
    for line in log.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            name, spilled = found.group(1), 0
        elif found := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spilled = int(found.group(1)) + int(found.group(2))
        elif found := re.search(r"Used (\d+) registers", line):
            yield name, int(found.group(1)), spilled


def readable(names):
    text = subprocess.run(["c++filt"], input="\n".join(names), check=True, text=True, stdout=subprocess.PIPE).stdout
    short = []
    for name in text.splitlines():
        name = re.sub(r"dnn::cuda_\d+::(kernels::gpu::)?", "", name).removeprefix("void ").split("(")[0]
        short.append(re.sub(r"(Output<\w+), DenseColumns, Identity>", r"\1>", name))
    return short


def disassembler():
    """The path of nvdisasm, or None."""
    places = [pathlib.Path(shutil.which("nvcc")).resolve().parent]
    if package := importlib.util.find_spec("nvidia"):
        for place in package.submodule_search_locations:
            places += pathlib.Path(place).glob("*/bin")
    return shutil.which("nvdisasm") or shutil.which("nvdisasm", path=os.pathsep.join(map(str, places)))


def instructions(nvdisasm, binary):
    """Mangled name of a kernel -> the names of its instructions, without their modifiers."""
    found, name = {}, None
    for line in run([nvdisasm, str(binary)]).stdout.splitlines():
        if function := re.match(r"\.text\.(\w+):", line):
            name = function.group(1)
        elif code := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]+)", line):
            found.setdefault(name, set()).add(code.group(1))
    return found


def check(root, arch, folder, nvdisasm):
    source, binary = folder / "compiled.cu", folder / f"{arch}.cubin"
    source.write_text(SOURCE, encoding="utf-8")
    options = ["-std=c++20", "--expt-relaxed-constexpr", "-I", str(root / "include"), f"-arch={arch}"]
    options += ["-I", "/usr/include/eigen3"] + (["-DDNN_HOPPER"] if arch == "sm_90a" else [])
    options += ["-cubin", "--keep", "--keep-dir", str(folder), "-Xptxas", "-v"]
    compiled = run(["nvcc", *options, "-o", str(binary), str(source)])
    if compiled.returncode != 0:
        return [f"{arch}: does not compile\n{compiled.stdout}"]
    findings = [f"{arch}: {line}" for line in compiled.stdout.splitlines() if re.search("warning|Loss", line, re.I)]
    text = (folder / "compiled.ptx").read_text(encoding="utf-8")
    findings += [f"{arch}: no {wanted} in the PTX" for wanted in PTX.get(arch, []) if wanted not in text]
    code = instructions(nvdisasm, binary) if nvdisasm else {}
    rows = list(kernels(compiled.stdout))
    named = sorted(zip(readable([row[0] for row in rows]), rows))
    for name, (mangled, registers, spilled) in named:
        wanted = set().union(*(names for part, names in SASS.items() if part in name))
        print(f"{arch:8}{registers:4} registers {spilled:4} bytes spilled  {name}  {' '.join(sorted(wanted))}")
        if spilled:
            findings.append(f"{arch}: {name} keeps registers in memory")
        if nvdisasm and not wanted <= code[mangled]:
            findings.append(f"{arch}: {name} has no {' '.join(sorted(wanted - code[mangled]))}")
    return findings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[3])
    parser.add_argument("--arch", nargs="*", default=list(PTX))
    options = parser.parse_args()
    if not shutil.which("nvcc"):
        print("compiled.py: there is no nvcc here")
        return 1
    nvdisasm = disassembler()
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        for arch in options.arch:
            findings += check(options.root, arch, pathlib.Path(folder), nvdisasm)
    if not nvdisasm:
        print("machine code was not looked at: there is no nvdisasm here (pip install nvidia-cuda-nvdisasm)")
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
