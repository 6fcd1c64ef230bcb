"""The workloads of workloads.md in PyTorch."""

import sys

import torch
from torch import nn
import torch.nn.functional as F

from common import measure


def training_step(model, optimizer, x, t):
    def step():
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def main():
    torch.set_num_threads(int(sys.argv[1]))
    t100 = torch.arange(100) % 10

    mlp = nn.Sequential(nn.Linear(784, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 10))
    measure("mlp_step", training_step(mlp, torch.optim.Adam(mlp.parameters()), torch.rand(100, 784), t100))

    cnn = nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10))
    measure("cnn_step", training_step(cnn, torch.optim.Adam(cnn.parameters()), torch.rand(64, 1, 28, 28), t100[:64]))

    x = torch.rand(4, requires_grad=True)
    ones = torch.ones(4)

    def chain():
        h = x
        for _ in range(100):
            h = torch.tanh(h)
        x.grad = None
        h.backward(ones)

    measure("tanh_chain", chain, per_call=100)

    tiny = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
    measure("tiny_mlp_step",
            training_step(tiny, torch.optim.SGD(tiny.parameters(), lr=0.01), torch.rand(1, 4), torch.tensor([1])))

    big = torch.rand(1 << 20)
    measure("tanh_1m", lambda: torch.tanh(big))


main()
