"""The workloads in Chainer. Threads are set by OPENBLAS_NUM_THREADS before NumPy is imported."""

import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = sys.argv[1]

import chainer  # noqa: E402
import chainer.functions as F  # noqa: E402
import chainer.links as L  # noqa: E402
import numpy as np  # noqa: E402

import common  # noqa: E402
from common import labels, measure, measure_once, measure_training, uniform, wanted, weights  # noqa: E402


def matrices(model):
    """The weights from the first layer to the last."""
    for layer in model:
        if isinstance(layer, chainer.Sequential):
            yield from matrices(layer)
        elif isinstance(layer, chainer.Link):
            yield from (p for p in layer.params() if p.ndim >= 2)


def prepared(model):
    """With the initial weights that every program has."""
    for number, p in enumerate(matrices(model)):
        p.array[...] = weights(p.shape, number)
    return model


def train(name, make_model, optimizer, x_shape, classes=10):
    if not wanted(name):
        return
    x, t = uniform(x_shape, 1), labels(x_shape[0], classes)
    model = prepared(make_model())
    optimizer.setup(model)

    def step():
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.array

    measure_training(name, step)


def mlp(n_in=784, units=1000, n_out=10):
    return chainer.Sequential(L.Linear(n_in, units), F.relu, L.Linear(units, units), F.relu, L.Linear(units, n_out))


def pool(x):
    return F.max_pooling_2d(x, 2)


def cnn():
    return chainer.Sequential(L.Convolution2D(1, 32, 3), F.relu, L.Convolution2D(32, 64, 3), F.relu, pool,
                              L.Linear(9216, 128), F.relu, L.Linear(128, 10))


def conv_bn(n_in, out, ksize=3, stride=1):
    return chainer.Sequential(L.Convolution2D(n_in, out, ksize, stride, ksize // 2, nobias=True),
                              L.BatchNormalization(out, eps=1e-5))


def bn_cnn():
    return chainer.Sequential(conv_bn(1, 32), F.relu, pool, conv_bn(32, 64), F.relu, pool, L.Linear(3136, 10))


def mnist_epoch():
    arrays = common.mnist() if wanted("mnist_epoch") else None
    if arrays is None:
        return
    model = L.Classifier(prepared(mlp()))
    model.compute_accuracy = False
    optimizer = chainer.optimizers.Adam().setup(model)
    iterator = chainer.iterators.SerialIterator(chainer.datasets.TupleDataset(*arrays), 100, shuffle=False)
    updater = chainer.training.StandardUpdater(iterator, optimizer)

    def run():
        total = 0
        for _ in range(600):
            updater.update()
            total += float(model.loss.array)
        return total / 600

    measure_once("mnist_epoch", run)


def kernels():
    x = chainer.Variable(np.random.rand(4).astype(np.float32))
    ones = np.ones(4, np.float32)

    def chain():
        h = x
        for _ in range(100):
            h = F.tanh(h)
        x.cleargrad()
        h.grad = ones
        h.backward()

    if wanted("tanh_op"):
        measure("tanh_op", chain, per_call=100)

    for m, n, k, ta, tb in common.GEMMS:
        for kind, dtype in common.PRODUCTS:
            name = f"{kind} {m},{n},{k},{ta},{tb}"
            if wanted(name):
                a = (uniform((k, m), 1).T if ta else uniform((m, k), 1)).astype(dtype)
                b = (uniform((n, k), 2).T if tb else uniform((k, n), 2)).astype(dtype)
                c = np.empty((m, n), dtype)
                measure(name, lambda: np.dot(a, b, out=c), 2.0 * m * n * k)


def main():
    train("mlp_sgd", mlp, chainer.optimizers.SGD(), (100, 784))
    train("mlp_adam", mlp, chainer.optimizers.Adam(), (100, 784))
    mnist_epoch()
    train("cnn_adam", cnn, chainer.optimizers.Adam(), (64, 1, 28, 28))
    train("bn_cnn_adam", bn_cnn, chainer.optimizers.Adam(), (64, 1, 28, 28))
    train("tiny_mlp_sgd", lambda: mlp(8, 16, 2), chainer.optimizers.SGD(), (1, 8), 2)
    kernels()


main()
