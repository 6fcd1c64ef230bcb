"""The work of kernels.cpp and steps.cpp in PyTorch, which calls cuBLAS and cuDNN. One line of JSON for each result."""

import json
import statistics
import sys

import torch
import torch.nn.functional as F
from torch import nn


def milliseconds(work):
    def time(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(repeats):
            work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / repeats

    work()
    repeats = max(1, min(10000, int(10 / max(time(1), 1e-3))))
    return statistics.median(time(repeats) for _ in range(5))


def skipped(program, name, error):
    reason = (str(error) or type(error).__name__).splitlines()[0]
    print(json.dumps({"program": program, "name": name, "skipped": reason}), flush=True)


def report(program, name, work, amount, unit):
    try:
        ms = milliseconds(work)
    except Exception as error:  # what cannot be measured is reported, and the rest goes on
        skipped(program, name, error)
        return
    result = {"program": program, "name": name, "ms": ms, "rate": amount / (ms * 1e-3), "unit": unit + "/s"}
    print(json.dumps(result), flush=True)


def uniform(*shape, dtype=torch.float32):
    return (torch.rand(shape, device="cuda") * 2 - 1).to(dtype)


def products():
    def product(name, dtype, m, n, k, trans_a=False, trans_b=False):
        a = uniform(*((k, m) if trans_a else (m, k)), dtype=dtype)
        b = uniform(*((n, k) if trans_b else (k, n)), dtype=dtype)
        left, right = a.T if trans_a else a, b.T if trans_b else b
        out = torch.empty(m, n, device="cuda", dtype=dtype)
        layout = "nt"[trans_a] + "nt"[trans_b]
        report("PyTorch", f"gemm {name} {m}x{n}x{k} {layout}", lambda: torch.mm(left, right, out=out), 2 * m * n * k, "FLOP")

    for trans_b in (False, True):
        product("float32", torch.float32, 4096, 4096, 4096, trans_b=trans_b)
    product("float32", torch.float32, 4096, 4096, 4096, trans_a=True)
    product("float32", torch.float32, 100, 1000, 784, trans_b=True)
    product("float32", torch.float32, 100, 784, 1000)
    product("float32", torch.float32, 1000, 784, 100, trans_a=True)
    product("float32", torch.float32, 100, 10, 1000, trans_b=True)
    for trans_b in (False, True):
        product("bfloat16", torch.bfloat16, 8192, 8192, 8192, trans_b=trans_b)
        product("float16", torch.float16, 8192, 8192, 8192, trans_b=trans_b)
        torch.backends.cuda.matmul.allow_tf32 = True
        product("tf32", torch.float32, 8192, 8192, 8192, trans_b=trans_b)
        torch.backends.cuda.matmul.allow_tf32 = False
    product("float64", torch.float64, 2048, 2048, 2048)


def convolutions():
    def convolution(name, n, channels, out, size, k, stride, groups):
        for dtype in (torch.float32, torch.bfloat16):
            x = uniform(n, channels, size, size, dtype=dtype)
            W = uniform(out, channels // groups, k, k, dtype=dtype)
            y = F.conv2d(x, W, stride=stride, padding=k // 2, groups=groups)
            gy = uniform(*y.shape, dtype=dtype)
            work = 2 * y.numel() // out * W.numel()
            geometry = [stride] * 2, [k // 2] * 2, [1, 1], False, [0, 0], groups

            def forward():
                return F.conv2d(x, W, stride=stride, padding=k // 2, groups=groups)

            def backward(*wanted):
                return lambda: torch.ops.aten.convolution_backward(gy, x, W, None, *geometry, [*wanted, False])

            full = f"conv {str(dtype).removeprefix('torch.')} {name}"
            report("PyTorch", f"{full} forward", forward, work, "FLOP")
            report("PyTorch", f"{full} gradient of x", backward(True, False), work, "FLOP")
            report("PyTorch", f"{full} gradient of W", backward(False, True), work, "FLOP")

    torch.backends.cudnn.benchmark = True
    convolution("64x1x28x28 to 32, 5x5", 64, 1, 32, 28, 5, 1, 1)
    convolution("64x64x56x56 to 64, 3x3", 64, 64, 64, 56, 3, 1, 1)
    convolution("64x256x14x14 to 256, 3x3", 64, 256, 256, 14, 3, 1, 1)
    convolution("64x128x28x28 to 128, 3x3, stride 2", 64, 128, 128, 28, 3, 2, 1)
    convolution("64x512x7x7 to 2048, 1x1", 64, 512, 2048, 7, 1, 1, 1)
    convolution("64x128x56x56 depthwise 3x3", 64, 128, 128, 56, 3, 1, 128)


@torch.no_grad()
def memory_bound():
    x, y = uniform(65536, 1024), uniform(65536, 1024)
    size = x.numel() * 4
    gamma, beta = torch.ones(1024, device="cuda"), torch.zeros(1024, device="cuda")
    images = x.view(-1, 1, 32, 32)
    for name, arrays, work in [
        ("relu", 2, lambda: torch.relu(x)),
        ("tanh", 2, lambda: torch.tanh(x)),
        ("x * y + x", 5, lambda: x * y + x),
        ("softmax", 2, lambda: F.softmax(x, 1)),
        ("log_softmax", 2, lambda: F.log_softmax(x, 1)),
        ("sum", 1, lambda: x.sum()),
        ("sum of rows", 1, lambda: x.sum(1)),
        ("sum of columns", 1, lambda: x.sum(0)),
        ("argmax", 1, lambda: torch.argmax(x)),
        ("layer_normalization", 2, lambda: F.layer_norm(x, (1024,), gamma, beta)),
        ("batch_normalization", 3, lambda: F.batch_norm(x, None, None, gamma, beta, training=True)),
        ("max_pooling_2d 2x2", 1.25, lambda: F.max_pool2d(images, 2)),
    ]:
        report("PyTorch", name, work, arrays * size, "B")
    parameter = nn.Parameter(x.clone())
    parameter.grad = y
    adam = torch.optim.Adam([parameter], fused=True)
    report("PyTorch", "Adam", adam.step, 7 * size, "B")


def steps():
    def mlp():
        return nn.Sequential(nn.Linear(784, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 10))

    def cnn():
        return nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))

    def step_of(model, x, t, capturable=False):
        optimizer = torch.optim.Adam(model.parameters(), capturable=capturable)

        def step():
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(x), t).backward()
            optimizer.step()

        return step

    def graphed(model, x, t):
        step = step_of(model, x, t, capturable=True)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay

    for name, make, shape in (("MLP step", mlp, (100, 784)), ("CNN step", cnn, (100, 1, 28, 28))):
        x, t = torch.rand(shape, device="cuda"), torch.arange(100, device="cuda") % 10
        report("PyTorch", name, step_of(make().cuda(), x, t), 1, "steps")
        report("PyTorch, compiled", name, step_of(torch.compile(make().cuda()), x, t), 1, "steps")
        try:
            replay = graphed(make().cuda(), x, t)
            report("PyTorch, graph", name, replay, 1, "steps")
        except Exception as error:
            skipped("PyTorch, graph", name, error)


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    for part in (products, convolutions, memory_bound, steps):
        try:
            part()
        except Exception as error:
            skipped("PyTorch", part.__name__, error)


if __name__ == "__main__":
    sys.exit(main())
