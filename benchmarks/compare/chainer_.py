"""The workloads of workloads.md in Chainer. Threads are set by OPENBLAS_NUM_THREADS before NumPy is imported."""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = sys.argv[1]

import chainer  # noqa: E402
import chainer.functions as F  # noqa: E402
import chainer.links as L  # noqa: E402
import numpy as np  # noqa: E402

from common import measure  # noqa: E402


def training_step(predictor, optimizer, x, t):
    model = L.Classifier(predictor)
    model.compute_accuracy = False
    optimizer.setup(model)
    return lambda: optimizer.update(model, x, t)


def rand(*shape):
    return np.random.rand(*shape).astype(np.float32)


def main():
    t100 = (np.arange(100) % 10).astype(np.int32)

    mlp = chainer.Sequential(L.Linear(784, 1000), F.relu, L.Linear(1000, 1000), F.relu, L.Linear(1000, 10))
    measure("mlp_step", training_step(mlp, chainer.optimizers.Adam(), rand(100, 784), t100))

    def pool(x):
        return F.max_pooling_2d(x, 2)

    cnn = chainer.Sequential(
        L.Convolution2D(1, 16, 5), F.relu, pool, L.Convolution2D(16, 32, 5), F.relu, pool,
        L.Linear(512, 128), F.relu, L.Linear(128, 10))
    measure("cnn_step", training_step(cnn, chainer.optimizers.Adam(), rand(64, 1, 28, 28), t100[:64]))

    x = chainer.Variable(rand(4))
    ones = np.ones(4, np.float32)

    def chain():
        h = x
        for _ in range(100):
            h = F.tanh(h)
        x.cleargrad()
        h.grad = ones
        h.backward()

    measure("tanh_chain", chain, per_call=100)

    tiny = chainer.Sequential(L.Linear(4, 16), F.relu, L.Linear(16, 16), F.relu, L.Linear(16, 2))
    measure("tiny_mlp_step", training_step(tiny, chainer.optimizers.SGD(), rand(1, 4), np.array([1], np.int32)))

    big = rand(1 << 20)

    def tanh_1m():
        with chainer.no_backprop_mode():
            F.tanh(big)

    measure("tanh_1m", tanh_1m)


main()
