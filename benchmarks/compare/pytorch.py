"""The workloads in PyTorch. A fourth argument `fused` picks its fused optimizers, and the training workloads alone."""

import sys

import torch
import torch.nn.functional as F
from torch import nn

import common
from common import labels, measure, measure_once, measure_training, uniform, wanted, weights

FUSED = sys.argv[4:] == ["fused"]


def tensor(array):
    return torch.from_numpy(array)


def prepared(model):
    """With the initial weights that every program has."""
    number = 0
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim >= 2:
                p.copy_(tensor(weights(tuple(p.shape), number)))
                number += 1
        for m in model.modules():
            if getattr(m, "bias", None) is not None:
                m.bias.zero_()
    return model


def training_step(model, optimizer, x, t):
    def step():
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def train(name, make_model, make_optimizer, x_shape, classes=10):
    if not wanted(name):
        return
    model = prepared(make_model())
    optimizer = make_optimizer(model.parameters())
    x, t = tensor(uniform(x_shape, 1)), tensor(labels(x_shape[0], classes)).long()
    measure_training(name, training_step(model, optimizer, x, t))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.001, fused=FUSED)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, fused=FUSED)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, fused=FUSED)


def mlp(n_in=784, units=1000, n_out=10):
    return nn.Sequential(nn.Linear(n_in, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, n_out))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))


def conv_bn(n_in, out, ksize=3, stride=1):
    return nn.Sequential(nn.Conv2d(n_in, out, ksize, stride, ksize // 2, bias=False), nn.BatchNorm2d(out))


def bn_cnn():
    return nn.Sequential(conv_bn(1, 32), nn.ReLU(), nn.MaxPool2d(2), conv_bn(32, 64), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(3136, 10))


class Block(nn.Module):
    def __init__(self, n_in, out, stride):
        super().__init__()
        self.c1, self.c2 = conv_bn(n_in, out, 3, stride), conv_bn(out, out)
        self.shortcut = nn.Identity() if n_in == out else conv_bn(n_in, out, 1, stride)

    def forward(self, x):
        return F.relu(self.c2(F.relu(self.c1(x))) + self.shortcut(x))


class ResNet20(nn.Module):
    """The parts in the order of their names, in which weights are numbered."""

    def __init__(self):
        super().__init__()
        narrows = [(width, i == 0 and width > 16) for width in (16, 32, 64) for i in range(3)]
        self.blocks = nn.Sequential(*[Block(w // 2 if n else w, w, 2 if n else 1) for w, n in narrows])
        self.c, self.l = conv_bn(3, 16), nn.Linear(64, 10)

    def forward(self, x):
        return self.l(F.avg_pool2d(self.blocks(F.relu(self.c(x))), 8).flatten(1))


def mnist_epoch():
    arrays = common.mnist() if wanted("mnist_epoch") else None
    if arrays is None:
        return
    images, targets = tensor(arrays[0]), tensor(arrays[1]).long()
    model = prepared(mlp())
    optimizer = adam(model.parameters())

    def run():
        return sum(float(training_step(model, optimizer, images[i:i + 100], targets[i:i + 100])())
                   for i in range(0, 60000, 100)) / 600

    measure_once("mnist_epoch", run)


def kernels():
    x = torch.rand(4, requires_grad=True)
    ones = torch.ones(4)

    def chain():
        h = x
        for _ in range(100):
            h = torch.tanh(h)
        x.grad = None
        h.backward(ones)

    if wanted("tanh_op"):
        measure("tanh_op", chain, per_call=100)

    for m, n, k, ta, tb in common.GEMMS:
        for kind, dtype in common.PRODUCTS:
            name = f"{kind} {m},{n},{k},{ta},{tb}"
            if wanted(name):
                dtype = getattr(torch, dtype)
                a = torch.rand(k, m, dtype=dtype).t() if ta else torch.rand(m, k, dtype=dtype)
                b = torch.rand(n, k, dtype=dtype).t() if tb else torch.rand(k, n, dtype=dtype)
                c = torch.empty(m, n, dtype=dtype)
                measure(name, lambda: torch.mm(a, b, out=c), 2.0 * m * n * k)

    for n, c, h, o, k, p in common.CONVOLUTIONS:
        name = f"conv {n},{c},{h},{o},{k},{p}"
        if wanted(name):
            x, w, b = torch.rand(n, c, h, h, requires_grad=True), torch.rand(o, c, k, k, requires_grad=True), torch.rand(
                o, requires_grad=True)
            places = (h + 2 * p - k + 1) ** 2
            gy = torch.rand(n, o, h + 2 * p - k + 1, h + 2 * p - k + 1)
            measure(name, lambda: torch.autograd.grad(F.conv2d(x, w, b, padding=p), (x, w, b), gy),
                    6.0 * n * places * c * o * k * k)

    shape = common.MEMORY_SHAPE
    a, b, out, row = torch.rand(shape), torch.rand(shape), torch.rand(shape), torch.rand(shape[1])
    nbytes = 4.0 * shape[0] * shape[1]
    operations = [("copy", 2, lambda: out.copy_(a)), ("relu", 2, lambda: F.relu(a)), ("tanh", 2, lambda: torch.tanh(a)),
                  ("sigmoid", 2, lambda: torch.sigmoid(a)), ("add", 3, lambda: a + b), ("add_row", 2, lambda: a + row),
                  ("sum", 1, lambda: a.sum()), ("sum_rows", 1, lambda: a.sum(1)), ("sum_columns", 1, lambda: a.sum(0)),
                  ("softmax", 2, lambda: F.softmax(a, 1)), ("dropout", 2, lambda: F.dropout(a, 0.5))]
    with torch.no_grad():
        for name, passes, run in operations:
            if wanted("mem " + name):
                measure("mem " + name, run, passes * nbytes)
    for name, passes, make in [("sgd", 3, sgd), ("adam", 7, adam)]:
        if wanted("mem " + name):
            p = nn.Parameter(torch.rand(shape))
            p.grad = torch.rand(shape)
            measure("mem " + name, make([p]).step, passes * nbytes)


def main():
    torch.set_num_threads(common.THREADS)
    train("mlp_sgd", mlp, sgd, (100, 784))
    train("mlp_adam", mlp, adam, (100, 784))
    mnist_epoch()
    train("cnn_adam", cnn, adam, (64, 1, 28, 28))
    train("bn_cnn_adam", bn_cnn, adam, (64, 1, 28, 28))
    train("resnet20_momentum", ResNet20, momentum, (32, 3, 32, 32))
    train("tiny_mlp_sgd", lambda: mlp(8, 16, 2), sgd, (1, 8), 2)
    if not FUSED:
        kernels()


main()
