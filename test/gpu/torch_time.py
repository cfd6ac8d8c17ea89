#!/usr/bin/env python3
"""How long PyTorch takes for what people do with it: milliseconds a step, the median of some, one line a workload.

    torch_time.py [--seconds S] [PATTERN ...]      S: the time for each workload (default 2)
A line: name, median, 10th and 90th percentile (ms), steps.  Exit status 77: there is no torch with a CUDA device.
"""
import fnmatch
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"SKIP: no torch: {error}")
    sys.exit(77)

WORKLOADS = {}


def workload(function):
    WORKLOADS[function.__name__] = function
    return function


def trained(model, make, loss):
    """A training step: data from pinned memory, forward, backward, Adam, the loss read at the end."""
    model = model.cuda()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    data = [tuple(part.pin_memory() for part in make()) for _ in range(4)]
    turn = 0

    def step():
        nonlocal turn
        x, y = (part.cuda(non_blocking=True) for part in data[turn % len(data)])
        turn += 1
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()
    return step


@workload
def mlp_training():
    model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512), torch.nn.ReLU(),
                                torch.nn.Linear(512, 10))
    return trained(model, lambda: (torch.randn(128, 256), torch.randint(0, 10, (128,))), F.cross_entropy)


def convolutions():
    layers, width = [], 3
    for wide in (64, 128, 256, 512):
        layers += [torch.nn.Conv2d(width, wide, 3, 2, 1), torch.nn.BatchNorm2d(wide), torch.nn.ReLU(),
                   torch.nn.Conv2d(wide, wide, 3, 1, 1), torch.nn.BatchNorm2d(wide), torch.nn.ReLU()]
        width = wide
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1000))


@workload
def cnn_training():
    return trained(convolutions(), lambda: (torch.randn(64, 3, 128, 128), torch.randint(0, 1000, (64,))), F.cross_entropy)


def transformer():
    layer = torch.nn.TransformerEncoderLayer(512, 8, 2048, 0.1, batch_first=True, norm_first=True)
    return torch.nn.Sequential(torch.nn.Embedding(8000, 512), torch.nn.TransformerEncoder(layer, 6, enable_nested_tensor=False),
                               torch.nn.Linear(512, 8000))


@workload
def transformer_training():
    def loss(x, y):
        return F.cross_entropy(x.flatten(0, 1), y.flatten())
    return trained(transformer(), lambda: (torch.randint(0, 8000, (16, 128)), torch.randint(0, 8000, (16, 128))), loss)


@workload
def transformer_inference():
    model = transformer().cuda().eval().half()
    data = torch.randint(0, 8000, (1, 64)).pin_memory()

    def step():
        with torch.inference_mode():
            return model(data.cuda(non_blocking=True))[0, -1].argmax().item()
    return step


@workload
def graph_replay():
    model = transformer().cuda().eval().half()
    x = torch.randint(0, 8000, (1, 64), device="cuda")
    side = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(side):
        for _ in range(3):
            model(x)
    side.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        out = model(x)[0, -1].argmax()

    def step():
        graph.replay()
        return out.item()
    return step


@workload
def large_copies():
    host = torch.empty(64 << 20, dtype=torch.uint8).pin_memory()
    there = torch.empty_like(host, device="cuda")

    def step():
        there.copy_(host, non_blocking=True)
        host.copy_(there, non_blocking=True)
        torch.cuda.synchronize()
    return step


@workload
def small_operations():
    x = torch.zeros(1000, device="cuda")

    def step():
        for _ in range(200):
            x.add_(1)
        return x[0].item()
    return step


def main():
    seconds, patterns = 2.0, []
    arguments = sys.argv[1:]
    while arguments:
        argument = arguments.pop(0)
        if argument == "--seconds" and arguments:
            seconds = float(arguments.pop(0))
        elif argument.startswith("-"):
            print(__doc__)
            return 2
        else:
            patterns.append(argument)
    if not torch.cuda.is_available():
        print("SKIP: torch sees no CUDA device")
        return 77
    torch.manual_seed(1)
    for name, make in WORKLOADS.items():
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns or ["*"]):
            continue
        begin = time.perf_counter()
        step = make()
        for _ in range(5):
            step()
        torch.cuda.synchronize()
        ready = time.perf_counter() - begin
        took, end = [], time.perf_counter() + seconds
        while len(took) < 5 or time.perf_counter() < end:
            before = time.perf_counter()
            step()
            took.append((time.perf_counter() - before) * 1000)
        took.sort()
        at = [took[int(share * (len(took) - 1))] for share in (0.5, 0.1, 0.9)]
        print(f"{name} {at[0]:.3f} {at[1]:.3f} {at[2]:.3f} ms, {len(took)} steps, ready after {ready:.2f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
