#!/usr/bin/env python3
"""PyTorch on a CUDA device against PyTorch on the CPU: one line a case, "ok", "refused: why" or what differs.

Cases use what PyTorch compiles itself; those that need NVIDIA's libraries (cuBLAS, cuDNN, cuFFT, cuSOLVER) may be
refused by a device that has no code of theirs, by an exception.  Numbers behind "ok" are the device's own (random
ones among them), so that two runs can be compared line by line.
    torch_check.py [--list] [PATTERN ...]
Exit status: 0, 1 something differs, 77 there is no torch with a CUDA device.
"""
import fnmatch
import gc
import os
import subprocess
import sys
import traceback

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"SKIP: no torch: {error}")
    sys.exit(77)

CASES = {}
VENDOR = set()


def case(function):
    CASES[function.__name__] = function
    return function


def vendor(function):
    VENDOR.add(function.__name__)
    return case(function)


def same(function, *arguments, rtol=1e-4, atol=1e-5):
    """The function's results on the device are those on the CPU."""
    with torch.no_grad():
        expected = function(*[a.clone() if torch.is_tensor(a) else a for a in arguments])
        got = function(*[a.cuda() if torch.is_tensor(a) else a for a in arguments])
    expected, got = ([r] if torch.is_tensor(r) else list(r) for r in (expected, got))
    for number, (a, b) in enumerate(zip(expected, got, strict=True)):
        assert b.is_cuda, f"result {number} is not on the device"
        b = b.cpu()
        if a.dtype.is_floating_point or a.dtype.is_complex:
            assert torch.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True), \
                f"result {number} differs by {(a - b).abs().max().item()}"
        else:
            assert torch.equal(a, b), f"result {number} differs"
    return got


def numbers(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def product(a, b):
    """A matrix product without cuBLAS."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


@case
def elementwise():
    x, y = numbers(1000, 37), numbers(1000, 37, seed=2)
    same(lambda x, y: (x + y, x * y - 3, x / (y.abs() + 1), torch.exp(x), torch.sin(x), torch.tanh(x), x.abs().sqrt(),
                       torch.erf(x), torch.where(x > y, x, y), x.clamp(-0.5, 0.5), torch.addcmul(x, x, y, value=0.3),
                       torch.sigmoid(x), torch.lgamma(x.abs() + 1), torch.atan2(x, y), x.pow(3), x > y), x, y)
    same(lambda x: (x // 3, x % 7, x << 2, x ^ 85, ~x, x.float() / 3), torch.arange(-500, 500))


@case
def kinds_of_numbers():
    x = numbers(999)
    for kind, rtol in ((torch.float64, 1e-12), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)):
        same(lambda x: (x + x, x * 3, x.exp(), x.float()), x.to(kind), rtol=rtol, atol=rtol)
        same(lambda x: x.sum(), x.to(kind).abs(), rtol=rtol * 4, atol=rtol)
    same(lambda x: (x * x.conj(), x.abs(), x.exp()), torch.complex(x, numbers(999, seed=3)))
    same(lambda x: (x.to(torch.int8), x.to(torch.uint8) + 1, x.to(torch.bool)), torch.arange(0, 100))


@case
def reductions():
    x = numbers(64, 33, 17)
    same(lambda x: (x.sum(), x.sum(0), x.sum((1, 2)), x.mean(1), x.var(0), x.std(2), x.max(), x.amin(1), x.argmax(2),
                    x.prod(2), x.norm(), x.logsumexp(1), (x > 0).sum(), (x > 9).any(), (x < 9).all(1),
                    x.cumsum(1), x.cumprod(2), x.softmax(1), x.log_softmax(2)), x)
    same(lambda x: (x.sum(), x.sum(1), x.mean()), numbers(3, 300000), rtol=1e-3, atol=1e-2)


@case
def indices():
    x, at = numbers(100, 40), torch.randint(0, 100, (55,), generator=torch.Generator().manual_seed(5))
    same(lambda x, at: (x[at], x.index_select(0, at), x[:, ::3], x[x > 1], x.gather(0, at[:, None].expand(-1, 40)),
                        torch.zeros_like(x).index_add_(0, at, x[:55]), (x > 0.7).nonzero(), torch.take(x, at),
                        torch.zeros(100, dtype=torch.int64, device=x.device).scatter_add_(0, at, at), x.tril(),
                        x.roll(3, 0), x.flip(1), torch.bincount(at), F.embedding(at, x)), x, at)
    same(lambda x, at: x.index_put((at, at % 40), torch.ones(55, device=x.device), accumulate=True), x, at)


@case
def sorting():
    x = numbers(5, 3000)
    same(lambda x: (*x.sort(), x.sort(descending=True, stable=True)[0], *x.topk(7), x.median(), x.kthvalue(9)[0],
                    torch.searchsorted(x.sort()[0], x[:, :50].contiguous())), x)
    keys = torch.randint(0, 50, (20000,), generator=torch.Generator().manual_seed(6))
    same(lambda x: (*x.unique(return_counts=True), x.argsort(stable=True), torch.histc(x.float(), 10)), keys)


@case
def shapes_and_copies():
    x = numbers(30, 40, 20)
    same(lambda x: (x.permute(2, 0, 1).contiguous(), x.transpose(0, 1).reshape(-1), torch.cat((x, x), 1),
                    torch.stack((x, x)), x.repeat(2, 1, 1), F.pad(x, (1, 2, 3, 0)), x.unfold(1, 8, 4).contiguous(),
                    torch.chunk(x, 3)[1] + 0, torch.arange(7, device=x.device), torch.linspace(0, 1, 9, device=x.device),
                    torch.eye(5, device=x.device), torch.meshgrid(x[0, 0], x[0, 1], indexing="ij")[0]), x)
    host = torch.empty(1 << 20).pin_memory()
    there = torch.empty(1 << 20, device="cuda")
    host.copy_(torch.arange(1 << 20))
    there.copy_(host, non_blocking=True)
    back = torch.empty_like(host).pin_memory()
    back.copy_(there * 2, non_blocking=True)
    torch.cuda.synchronize()
    assert torch.equal(back, host * 2)
    there.t()[::2] = 7
    assert there.sum().item() == there.cpu().double().sum().item() or there[0].item() == 7


@case
def random_numbers():
    torch.manual_seed(42)
    x = torch.rand(100000, device="cuda")
    y = torch.randn(100000, device="cuda")
    state = torch.cuda.get_rng_state()
    again = torch.rand(100, device="cuda")
    torch.cuda.set_rng_state(state)
    assert torch.equal(again, torch.rand(100, device="cuda"))
    assert abs(x.mean().item() - 0.5) < 0.01 and abs(y.std().item() - 1) < 0.02 and 0 <= x.min() and x.max() < 1
    shuffled = torch.randperm(5000, device="cuda")
    assert torch.equal(shuffled.sort()[0].cpu(), torch.arange(5000))
    kept = F.dropout(torch.ones(100000, device="cuda"), 0.25)
    assert abs((kept == 0).float().mean().item() - 0.25) < 0.02
    picked = torch.multinomial(torch.tensor([0.1, 0.0, 0.9], device="cuda"), 1000, replacement=True)
    assert (picked != 1).all()
    bernoulli = torch.empty(1000, device="cuda").bernoulli_(0.5)
    return x[:4], y[:4], shuffled[:8], bernoulli.sum(), torch.randint(0, 1000, (4,), device="cuda"), \
        torch.empty(3, device="cuda").exponential_()


@case
def layers():
    x = numbers(4, 6, 20, 22)
    same(lambda x: (F.max_pool2d(x, 2), F.avg_pool2d(x, 3, 2), F.adaptive_avg_pool2d(x, 5), F.relu(x), F.gelu(x),
                    F.silu(x), F.layer_norm(x, (22,)), F.group_norm(x, 3), F.hardswish(x), F.leaky_relu(x),
                    F.interpolate(x, scale_factor=2, mode="bilinear"), F.interpolate(x, size=(7, 9)), F.elu(x),
                    F.pixel_shuffle(x[:, :4], 2), F.softplus(x), F.unfold(x, 3), F.fold(F.unfold(x, 3), (20, 22), 3)), x)
    with torch.backends.cudnn.flags(enabled=False):
        same(lambda x, w: (F.batch_norm(x, None, None, training=True), F.conv2d(x, w, groups=6, padding=1)), x,
             numbers(6, 1, 3, 3, seed=4))
    same(lambda x, y: (F.mse_loss(x, y), F.l1_loss(x, y), F.smooth_l1_loss(x, y), F.kl_div(x, y.softmax(0)),
                       F.binary_cross_entropy_with_logits(x, (y > 0).float()), F.cosine_similarity(x, y, 0)),
         x[0, 0], x[0, 1])


def train(device, make, steps=6, seed=9):
    """Losses of a small classifier, and what it has become."""
    generator = torch.Generator().manual_seed(seed)
    weights = [(torch.randn(*shape, generator=generator) * 0.2).to(device).requires_grad_()
               for shape in ((12, 32), (32,), (32, 5), (5,))]
    data = torch.randn(40, 12, generator=generator).to(device)
    labels = torch.randint(0, 5, (40,), generator=generator).to(device)
    optimizer = make(weights)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = F.relu(product(data, weights[0]) + weights[1])
        loss = F.cross_entropy(product(F.layer_norm(hidden, (32,)), weights[2]) + weights[3], labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses), torch.cat([w.detach().flatten() for w in weights])


@case
def training():
    told = []
    for name, make in {
            "sgd": lambda w: torch.optim.SGD(w, 0.3),
            "sgd foreach momentum": lambda w: torch.optim.SGD(w, 0.1, momentum=0.9, nesterov=True, foreach=True),
            "adam foreach": lambda w: torch.optim.Adam(w, 0.01, foreach=True),
            "adamw one by one": lambda w: torch.optim.AdamW(w, 0.01, foreach=False),
            "rmsprop": lambda w: torch.optim.RMSprop(w, 0.01),
    }.items():
        for expected, got in zip(train("cpu", make), train("cuda", make)):
            assert torch.allclose(expected, got.cpu(), rtol=1e-3, atol=1e-4), \
                f"{name}: {expected.tolist()[:6]} became {got.tolist()[:6]}"
        told.append(got[:2])
    fused = train("cuda", lambda w: torch.optim.Adam(w, 0.01, fused=True))
    plain = train("cpu", lambda w: torch.optim.Adam(w, 0.01))
    assert torch.allclose(fused[0].cpu(), plain[0], rtol=1e-3, atol=1e-4), "fused Adam differs"
    return told


@case
def gradients():
    def step(x, y):
        with torch.enable_grad():
            x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
            loss = (torch.tanh(product(x, y)).softmax(1).cumsum(0) * x.exp().mean()).norm() + y.sort(0)[0][::2].prod()
            first = torch.autograd.grad(loss, (x, y), create_graph=True)
            second = torch.autograd.grad(first[0].square().sum(), x)
        return (*first, *second)
    same(step, numbers(8, 6) * 0.5, numbers(6, 9, seed=2) * 0.5)


@case
def scaled_gradients():
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0, growth_interval=2)
    weight = torch.ones(50, device="cuda", requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)
    for value in (1.0, 2.0, float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale((weight * value).half().sum().float()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 1024.0, scaler.get_scale()
    return weight[:2].detach()


@case
def graphs():
    x = torch.zeros(500, device="cuda")
    weight = torch.full((500,), 0.5, device="cuda", requires_grad=True)
    optimizer = torch.optim.Adam([weight], 0.1, foreach=True, capturable=True)

    def step():
        optimizer.zero_grad(set_to_none=False)
        loss = ((weight * x).sin() - 0.2).square().mean()
        loss.backward()
        optimizer.step()
        return loss
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    losses = []
    for number in range(5):
        x.copy_(torch.linspace(0, 1 + number, 500))
        graph.replay()
        losses.append(loss.clone())
    kept = torch.stack(losses).cpu()
    expected = torch.full((500,), 0.5, requires_grad=True)
    y = torch.zeros(500)
    optimizer = torch.optim.Adam([expected], 0.1)
    plain = []
    for number in range(-3, 5):
        if number >= 0:
            y.copy_(torch.linspace(0, 1 + number, 500))
        optimizer.zero_grad()
        value = ((expected * y).sin() - 0.2).square().mean()
        value.backward()
        optimizer.step()
        plain.append(value.detach())
    assert torch.allclose(kept, torch.stack(plain[3:]), rtol=1e-3, atol=1e-5), f"{kept} for {plain[3:]}"
    callable_ = torch.cuda.make_graphed_callables(lambda v: (v * 3).relu(), (torch.ones(10, device="cuda"),))
    assert torch.equal(callable_(torch.full((10,), 2.0, device="cuda")).cpu(), torch.full((10,), 6.0))
    return kept


@case
def streams_and_events():
    a = torch.zeros(1 << 18, device="cuda")
    streams = [torch.cuda.Stream(priority=-1), torch.cuda.Stream()]
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for number in range(6):
        stream = streams[number % 2]
        stream.wait_stream(streams[(number + 1) % 2])
        stream.wait_event(begin)
        with torch.cuda.stream(stream):
            a.add_(1).mul_(2)
    torch.cuda.current_stream().wait_stream(streams[0])
    torch.cuda.current_stream().wait_stream(streams[1])
    end.record()
    end.synchronize()
    assert begin.elapsed_time(end) > 0 and end.query() and streams[0].query()
    assert (a == 126).all()
    return a[:2]


@case
def memory():
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    x = torch.empty(5 << 20, dtype=torch.uint8, device="cuda")
    assert torch.cuda.memory_allocated() - before == 5 << 20
    reserved = torch.cuda.memory_reserved()
    del x
    assert torch.cuda.memory_allocated() == before and torch.cuda.memory_reserved() == reserved
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() < reserved
    free, total = torch.cuda.mem_get_info()
    assert 0 < free <= total == torch.cuda.get_device_properties(0).total_memory
    try:
        torch.empty(total * 2, dtype=torch.uint8, device="cuda")
        raise AssertionError("there was memory for twice of what there is")
    except torch.cuda.OutOfMemoryError:
        pass
    assert torch.cuda.memory_stats()["num_ooms"] >= 1
    return torch.ones(3, device="cuda")


@case
def pinned_loader():
    data = torch.utils.data.TensorDataset(numbers(200, 8), torch.arange(200))
    for workers in (0, 2):
        loader = torch.utils.data.DataLoader(data, 32, pin_memory=True, num_workers=workers)
        total = torch.zeros((), dtype=torch.int64, device="cuda")
        for x, at in loader:
            assert x.is_pinned()
            total += at.to("cuda", non_blocking=True).sum() + (x.cuda(non_blocking=True) > 99).sum()
        assert total.item() == 19900, f"{workers} workers: {total.item()}"


@case
def many_parameters():
    x = [numbers(100 + n, seed=n) for n in range(80)]
    with torch.no_grad():
        there = [t.cuda() for t in x]
        torch._foreach_mul_(there, 0.5)
        torch._foreach_addcdiv_(there, there, [t.abs() + 1 for t in there], value=0.1)
        norms = torch.stack(torch._foreach_norm(there))
    expected = [t * 0.5 + 0.1 * (t * 0.5) / ((t * 0.5).abs() + 1) for t in x]
    assert all(torch.allclose(a, b.cpu(), rtol=1e-5, atol=1e-6) for a, b in zip(expected, there))
    assert torch.allclose(norms.cpu(), torch.stack([t.norm() for t in expected]), rtol=1e-4)


@case
def device_assertion():
    """A bad index ends the process's device with the error that PyTorch knows; in a process of its own."""
    code = "import torch\nx = torch.zeros(4, device='cuda')\n" \
           "x[torch.tensor([9], device='cuda')].sum().item()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode and "device-side assert" in done.stderr, done.stderr[-300:]
    assert "Assertion" in done.stderr and "index out of bounds" in done.stderr, done.stderr[-600:]


@vendor
def matrix_product():
    same(lambda x, y: x @ y, numbers(30, 20), numbers(20, 40, seed=2))


@vendor
def batched_product():
    same(torch.bmm, numbers(4, 30, 20), numbers(4, 20, 40, seed=2))


@vendor
def linear_and_training():
    model = torch.nn.Sequential(torch.nn.Linear(12, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)).cuda()
    model(torch.ones(5, 12, device="cuda")).sum().backward()


@vendor
def convolution():
    same(lambda x, w: F.conv2d(x, w, padding=1), numbers(2, 4, 10, 10), numbers(5, 4, 3, 3, seed=2))


@vendor
def fourier():
    same(torch.fft.rfft, numbers(4, 64))


@vendor
def linear_algebra():
    same(lambda x: torch.linalg.inv(x + 5 * torch.eye(6, device=x.device)), numbers(6, 6))


def show(result):
    if result is None:
        return ""
    if torch.is_tensor(result):
        return " " + " ".join(f"{v:.9g}" for v in result.detach().double().flatten().tolist())
    return "".join(show(r) for r in result)


def main():
    patterns = [a for a in sys.argv[1:] if not a.startswith("-")] or ["*"]
    if "--list" in sys.argv:
        print("\n".join(CASES))
        return 0
    if not torch.cuda.is_available():
        print("SKIP: torch sees no CUDA device")
        return 77
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.get_device_name()}", flush=True)
    torch.set_num_threads(2)
    wrong = refused = 0
    for name, function in CASES.items():
        if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        try:
            line = "ok" + show(function())
        except (RuntimeError, AssertionError, ImportError) as error:
            told = " ".join(str(error).split())[:160]
            if name in VENDOR and not isinstance(error, AssertionError):
                refused += 1
                line = "refused: " + told
            else:
                wrong += 1
                line = "WRONG: " + (told or traceback.format_exc())
        print(f"{name}: {line}", flush=True)
    print(f"{wrong} differ, {refused} refused", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code) if code == 77 else sys.exit(code)
