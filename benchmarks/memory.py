#!/usr/bin/env python3
"""Peak memory of training the MLP of examples/train_mnist for one epoch, data set included.

    memory.py PROGRAM [options of train_mnist]
"""

import os
import sys
import tempfile

BUDGET_MB = 350


def main():
    with tempfile.TemporaryDirectory() as out:
        command = [*sys.argv[1:], "--epoch", "1", "--noplot", "--out", out]
        quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        child = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
        _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    print(f"peak memory of one epoch of the MLP: {usage.ru_maxrss / 1024:.0f} MB (goal: at most {BUDGET_MB})")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main()
