"""What the Python programs of this folder share: the workloads' sizes, data, timing."""

import gzip
import os
import pathlib
import sys
import time

import numpy as np

THREADS, SECONDS, ONLY = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]

GEMMS = [(100, 1000, 784, 0, 1), (100, 784, 1000, 0, 0), (1000, 784, 100, 1, 0), (100, 1000, 1000, 0, 1),
         (1000, 1000, 100, 1, 0), (100, 10, 1000, 0, 1), (64, 128, 9216, 0, 1), (128, 9216, 64, 1, 0),
         (256, 256, 256, 0, 0), (1024, 1024, 1024, 0, 0), (127, 129, 65, 0, 0), (1, 1000, 1000, 0, 1)]
PRODUCTS = [("gemm", "float32"), ("dgemm", "float64")]
CONVOLUTIONS = [(64, 1, 28, 32, 3, 0), (64, 32, 26, 64, 3, 0), (32, 16, 32, 16, 3, 1), (32, 32, 16, 32, 3, 1),
                (32, 64, 8, 64, 3, 1)]
MEMORY_SHAPE = (4096, 1024)

# One thread is timed by what it uses of the processor: other programs then hardly matter.
clock = time.process_time if THREADS == 1 else time.perf_counter


def uniform(shape, seed):
    """Numbers in [0, 1) that depend on position and seed alone."""
    n = int(np.prod(shape))
    h = np.arange(n, dtype=np.uint32) + np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return ((h >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)).reshape(shape)


def weights(shape, number):
    """The initial value of a model's weight number 0, 1, ...; its variance is 1 / fan-in."""
    return (2 * uniform(shape, 100 + number) - 1) * np.float32((3 / np.prod(shape[1:])) ** 0.5)


def labels(n, classes):
    return (np.arange(n) % classes).astype(np.int32)


def mnist():
    """Images in [0, 1] and labels, or None where the files are not found."""
    folder = pathlib.Path(os.environ.get("DNN_DATASET_ROOT", "mnist"))
    arrays = []
    for name, header in (("train-images-idx3-ubyte.gz", 16), ("train-labels-idx1-ubyte.gz", 8)):
        if not (folder / name).exists():
            return None
        arrays.append(np.frombuffer(gzip.decompress((folder / name).read_bytes())[header:], np.uint8))
    return arrays[0].reshape(-1, 784).astype(np.float32) / 255, arrays[1].astype(np.int32)


def wanted(name):
    return ONLY in name


def measure(name, step, check="-", per_call=1):
    """Prints `name`, the seconds of one unit (`step` does `per_call` of them) in the quietest moment, and `check`."""
    step()
    start = clock()
    step()
    once = max(clock() - start, 1e-7)
    batch = max(1, int(0.005 / once))
    samples = []
    end = clock() + SECONDS
    while clock() < end or len(samples) < 5:
        start = clock()
        for _ in range(batch):
            step()
        samples.append((clock() - start) / batch / per_call)
    print(name, min(samples), check, sep="|", flush=True)


def measure_training(name, step):
    """`step` returns the loss."""
    for _ in range(5):
        loss = float(step())
    measure(name, step, loss)


def measure_once(name, run):
    """`run` returns the loss to compare."""
    start = clock()
    loss = float(run())
    print(name, clock() - start, loss, sep="|", flush=True)
