#!/usr/bin/env python3
"""NVIDIA's libraries and compilers on a CUDA device, called by CuPy, numba and cuda-python: one line a case.

"ok" and the digest of what came back, so that two runs can be compared line by line; "refused: why" where the device
has none of that library's code; else what differs from NumPy.  A case whose package is not installed is left out.
    libraries_check.py [--list] [PATTERN ...]
Exit status: 0, 1 something differs, 77 there is nothing to run.
"""
import contextlib
import fnmatch
import importlib
import sys
import traceback
import zlib

import numpy as np

try:
    import cupy
except ImportError:
    cupy = None
try:
    import numba.cuda
    with contextlib.suppress(ImportError):  # of another age
        importlib.import_module("numba.cuda.np.arrayobj")
except (ImportError, AttributeError):  # not there, or not for this NumPy
    numba = None
try:
    from cuda.bindings import driver, nvrtc
except ImportError:
    driver = None

CASES = {}
VENDOR = set()  # cases that run machine code of NVIDIA's


def case(package, vendor=False):
    def kept(function):
        if package is not None:
            CASES[function.__name__] = function
            if vendor:
                VENDOR.add(function.__name__)
        return function
    return kept


def random(*shape, kind=np.float32, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(kind)


def close(got, expected, rtol=1e-4, atol=1e-4):
    got = cupy.asnumpy(got) if cupy is not None and isinstance(got, cupy.ndarray) else np.asarray(got)
    assert np.allclose(got, expected, rtol=rtol, atol=atol), f"differs by {np.abs(got - expected).max()}"
    return got


@case(cupy)
def nvrtc_kernels():
    source = r"""
    template <typename T> __global__ void axpy(T a, const T *x, T *y, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) y[i] += a * x[i];
    }"""
    module = cupy.RawModule(code=source, name_expressions=("axpy<float>", "axpy<double>"))
    results = []
    for kind in (np.float32, np.float64):
        x, y = random(10000, kind=kind), random(10000, kind=kind, seed=2)
        there = cupy.asarray(y)
        name = "axpy<float>" if kind is np.float32 else "axpy<double>"
        module.get_function(name)((40,), (256,), (kind(3), cupy.asarray(x), there, np.int32(10000)))
        results.append(close(there, y + 3 * x))
    return results


@case(cupy)
def elementwise_and_reductions():
    x, y = random(300, 700), random(300, 700, seed=2)
    a, b = cupy.asarray(x), cupy.asarray(y)
    squared = cupy.ElementwiseKernel("float32 x, float32 y", "float32 z", "z = (x - y) * (x - y)", "squared")
    norm = cupy.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "length")
    return [close(squared(a, b), (x - y) ** 2), close(norm(a, axis=1), np.sqrt((x * x).sum(1))),
            close(a.sum(0), x.sum(0), atol=1e-3), close(cupy.sort(a, axis=1), np.sort(x, axis=1)),
            close(cupy.exp(a) / (1 + cupy.exp(b)), np.exp(x) / (1 + np.exp(y))), close(a.argmax(1), x.argmax(1))]


@case(cupy)
def streams_events_and_pinned_memory():
    n = 1 << 20
    pinned = np.frombuffer(cupy.cuda.alloc_pinned_memory(n * 4), np.float32, n)
    back = np.frombuffer(cupy.cuda.alloc_pinned_memory(n * 4), np.float32, n)
    pinned[:] = random(n)
    first, second = cupy.cuda.Stream(non_blocking=True), cupy.cuda.Stream(non_blocking=True)
    there = cupy.empty(n, np.float32)
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record(first)
    there.set(pinned, stream=first)
    with first:
        there *= 2
    end.record(first)
    second.wait_event(end)
    there.get(stream=second, out=back, blocking=False)
    second.synchronize()
    assert cupy.cuda.get_elapsed_time(begin, end) > 0
    return close(back, pinned * 2)


@case(cupy)
def graphs():
    x = cupy.zeros(1000, np.float32)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        x += 1
        stream.begin_capture()
        x *= 2
        x += 1
        graph = stream.end_capture()
        for _ in range(4):
            graph.launch(stream)
        stream.synchronize()
    return close(x, np.full(1000, 31))


@case(cupy, vendor=True)
def cublas():
    results = []
    for kind, rtol in ((np.float64, 1e-10), (np.float32, 1e-3), (np.float16, 5e-2), (np.complex64, 1e-3)):
        x, y = random(200, 300).astype(kind), random(300, 100, seed=2).astype(kind)
        wide = np.complex128 if kind is np.complex64 else np.float64
        results.append(close(cupy.asarray(x) @ cupy.asarray(y), x.astype(wide) @ y.astype(wide), rtol, rtol * 50))
    x, y = random(16, 64, 48), random(16, 48, 32, seed=2)
    results.append(close(cupy.matmul(cupy.asarray(x), cupy.asarray(y)), x @ y, 1e-3, 1e-2))
    x = random(5000)
    results.append(close(cupy.dot(cupy.asarray(x), cupy.asarray(x)), np.dot(x, x), 1e-3))
    return results


@case(cupy, vendor=True)
def cufft():
    results = []
    for shape in ((4096,), (1000,), (64, 96), (16, 30, 20)):
        x = random(*shape)
        there = cupy.fft.rfftn(cupy.asarray(x))
        results.append(close(there, np.fft.rfftn(x), 1e-3, 1e-2))
        results.append(close(cupy.fft.irfftn(there, x.shape), x, 1e-3, 1e-3))
    return results


@case(cupy, vendor=True)
def cusolver():
    x, y = random(40, 40) + 8 * np.eye(40, dtype=np.float32), random(40, 3, seed=2)
    a = cupy.asarray(x)
    q, r = cupy.linalg.qr(a)
    return [close(cupy.linalg.solve(a, cupy.asarray(y)), np.linalg.solve(x, y), 1e-3, 1e-3),
            close(q @ r, x, 1e-3, 1e-3), close(cupy.linalg.svd(a)[1], np.linalg.svd(x)[1], 1e-3, 1e-3),
            close(cupy.linalg.eigvalsh(a + a.T), np.linalg.eigvalsh(x + x.T), 1e-3, 1e-3)]


@case(cupy, vendor=True)
def cusparse():
    import cupyx.scipy.sparse
    x = np.where(random(300, 200) > 1, random(300, 200, seed=2), 0).astype(np.float32)
    there = cupyx.scipy.sparse.csr_matrix(cupy.asarray(x))
    y = random(200, 10, seed=3)
    close((there.T @ there).todense(), x.T @ x, 1e-3, 1e-3)
    close(there @ cupy.asarray(y), x @ y, 1e-3, 1e-3)
    return []  # the order of its sums is not always the same, nor is the last bit


@case(cupy, vendor=True)
def curand():
    generator = cupy.random.RandomState(7)
    return [cupy.asnumpy(generator.random_sample(1000)), cupy.asnumpy(generator.normal(size=1000, dtype=np.float32))]


@case(numba, vendor=True)  # newer ones link to machine code
def numba_kernels():
    from numba import cuda, float32

    @cuda.jit
    def product(a, b, c):
        left, right = cuda.shared.array((16, 16), float32), cuda.shared.array((16, 16), float32)
        x, y = cuda.grid(2)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        total = float32(0)
        for tile in range(a.shape[1] // 16):
            left[tx, ty] = a[x, tile * 16 + ty]
            right[tx, ty] = b[tile * 16 + tx, y]
            cuda.syncthreads()
            for k in range(16):
                total += left[tx, k] * right[k, ty]
            cuda.syncthreads()
        c[x, y] = total

    @cuda.jit
    def histogram(x, counts):
        i = cuda.grid(1)
        if i < x.size:
            cuda.atomic.add(counts, x[i], 1)

    x, y, z = random(64, 128), random(128, 96, seed=2), np.zeros((64, 96), np.float32)
    product[(4, 6), (16, 16)](x, y, z)
    at = np.random.default_rng(5).integers(0, 32, 20000).astype(np.int32)
    counts = cuda.to_device(np.zeros(32, np.int32))
    histogram[(80,), (256,)](cuda.to_device(at), counts)
    return [close(z, x @ y), close(counts.copy_to_host(), np.bincount(at, minlength=32))]


@case(driver)
def cuda_python():
    def ok(result):
        assert int(result[0]) == 0, result[0]
        return result[1] if len(result) == 2 else result[1:]

    ok(driver.cuInit(0))
    device = ok(driver.cuDeviceGet(0))
    context = ok(driver.cuDevicePrimaryCtxRetain(device))
    ok(driver.cuCtxSetCurrent(context))
    major, minor = (ok(driver.cuDeviceGetAttribute(a, device)) for a in (
        driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR))
    source = b'extern "C" __global__ void twice(int *x) { x[threadIdx.x] *= 2; }'
    known = [a for a in ok(nvrtc.nvrtcGetSupportedArchs()) if a <= major * 10 + minor]
    program = ok(nvrtc.nvrtcCreateProgram(source, b"twice.cu", 0, [], []))
    ok(nvrtc.nvrtcCompileProgram(program, 1, [f"--gpu-architecture=compute_{max(known)}".encode()]))
    ptx = b" " * ok(nvrtc.nvrtcGetPTXSize(program))
    ok(nvrtc.nvrtcGetPTX(program, ptx))
    function = ok(driver.cuModuleGetFunction(ok(driver.cuModuleLoadData(np.char.array(ptx).ctypes.data)), b"twice"))
    numbers = np.arange(256, dtype=np.int32)
    memory = ok(driver.cuMemAlloc(numbers.nbytes))
    ok(driver.cuMemcpyHtoD(memory, numbers.ctypes.data, numbers.nbytes))
    pointer = np.array([int(memory)], np.uint64)
    arguments = np.array([pointer.ctypes.data], np.uint64)
    ok(driver.cuLaunchKernel(function, 1, 1, 1, 256, 1, 1, 0, 0, arguments.ctypes.data, 0))
    got = np.zeros_like(numbers)
    ok(driver.cuMemcpyDtoH(got.ctypes.data, memory, numbers.nbytes))
    ok(driver.cuMemFree(memory))
    ok(driver.cuDevicePrimaryCtxRelease(device))
    return close(got, numbers * 2)


def digest(result):
    parts = result if isinstance(result, list) else [result]
    return f"{zlib.crc32(b''.join(np.ascontiguousarray(part).tobytes() for part in parts)):08x}"


def main():
    patterns = [a for a in sys.argv[1:] if not a.startswith("-")] or ["*"]
    wanted = [name for name in CASES if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    if "--list" in sys.argv:
        print("\n".join(wanted))
        return 0
    if not wanted:
        print("SKIP: neither CuPy nor numba nor cuda-python is installed")
        return 77
    failed = False
    for name in wanted:
        try:
            print(f"{name}: ok {digest(CASES[name]())}", flush=True)
        except AssertionError as error:
            failed = True
            print(f"{name}: {error}", flush=True)
        except Exception as error:  # a library may refuse in any way
            refused = name in VENDOR
            failed = failed or not refused
            print(f"{name}: {'refused' if refused else 'failed'}: {type(error).__name__}: {error}"[:300], flush=True)
            if not refused:
                traceback.print_exc()
    return failed


if __name__ == "__main__":
    sys.exit(main())
