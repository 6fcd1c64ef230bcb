"""Timing shared by the Python programs of this folder."""

import statistics
import time


def measure(name, step, per_call=1, seconds=1.0):
    """Prints `name` and the median seconds of one unit; `step` does `per_call` units."""
    step()
    start = time.perf_counter()
    step()
    once = max(time.perf_counter() - start, 1e-7)
    batch = max(1, int(0.02 / once))
    samples = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 5:
        start = time.perf_counter()
        for _ in range(batch):
            step()
        samples.append((time.perf_counter() - start) / batch / per_call)
    print(name, statistics.median(samples), flush=True)
