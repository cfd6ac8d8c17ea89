"""`plenum trace`: programs of OpenCL and CUDA do what they do without it, and each call is told of."""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
PROGRAMS = os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", "")
PTX = os.environ.get("PLENUM_TEST_PTX_DIR", "")
LAUNCH = os.path.join(PROGRAMS, "cuda-launch")
ONE = "test_a_kernel_adds"


def trace(env, *args, check=True):
    """Its result, and what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out")
        env = {k: v for k, v in env.items() if k not in ("PLENUM_TEST_LIBCUDA", "PLENUM_LOG")}
        result = plenum.run([plenum.TOOL, "trace", "-o", path, *args], env, check=check)
        with open(path) as f:
            return result, f.read()


def rows(text):
    """Of the totals: calls and questions by function."""
    lines = [line.split() for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[:2] == ["FUNCTION", "CLASS"])
    return {line[0]: {"class": line[1], "calls": int(line[2]), "failed": int(line[3]), "asks": int(line[8])}
            for line in lines[at + 1:] if len(line) == 11 and line[0] != "all"}


def cuda_env(server, mode):
    return server.env(mode, PLENUM_TEST_PTX_DIR=PTX)


def test_cuda_calls_are_told_over_any_link():
    with plenum.Server("--cuda", NATIVE, PLENUM_REFGPU_MEMORY="1G") as server:
        for mode in ("shm", "tcp"):
            result, text = trace(cuda_env(server, mode), "--text", "--", LAUNCH)
            assert ONE.encode() in result.stdout, result.stdout
            found = rows(text)
            assert found["cuLaunchKernel"]["calls"] > 10 and found["cuLaunchKernel"]["class"] == "post", found
            assert found["cuModuleLoadData"]["asks"] >= 1 and found["cuLaunchKernel"]["failed"] >= 1, found
            add = [line.split() for line in text.splitlines() if line.split()[4:5] == ["cuLaunchKernel"] and line.endswith(" add")]
            assert add and add[0][-2] == "0", text
            size = [line.split() for line in text.splitlines() if line.split()[4:5] == ["cuMemAlloc_v2"]]
            assert any(line[8] == str(4 * 3 * 5000) for line in size), size


def test_what_is_got_by_cugetprocaddress_is_told_of_too():
    """cuda-runtime does what cudart does: all its calls but the first come from there."""
    with plenum.Server("--cuda", NATIVE, PLENUM_REFGPU_MEMORY="1G") as server:
        plain = plenum.run([os.path.join(PROGRAMS, "cuda-runtime")], dict(cuda_env(server, "shm"), PLENUM_TEST_LIBCUDA=os.environ["PLENUM_TEST_CUDA_CLIENT"]))
        result, text = trace(cuda_env(server, "shm"), "--", os.path.join(PROGRAMS, "cuda-runtime"))
        assert result.stdout == plain.stdout, result.stdout
        assert rows(text)["cuGetProcAddress_v2"]["calls"] > 0 and rows(text)["cuInit"]["calls"] > 0, text


def test_a_driver_of_its_own_is_traced_where_it_is_named():
    env = dict(plenum.native_env(), PLENUM_TEST_PTX_DIR=PTX, PLENUM_REFGPU_MEMORY="1G")
    for driver in (NATIVE, "refgpu"):
        result, text = trace(env, "--cuda", driver, "--", LAUNCH)
        found = rows(text)
        assert found["cuLaunchKernel"]["class"] == "native" and not found["cuLaunchKernel"]["asks"], found
        assert b"launch: ok" in result.stdout or ONE.encode() in result.stdout, result.stdout
    result = plenum.run([plenum.TOOL, "trace", "--cuda", "/nowhere/libcuda.so.1", "--", LAUNCH],
                        {k: v for k, v in env.items() if k != "PLENUM_TEST_LIBCUDA"}, check=False)
    assert result.returncode and b"/nowhere/libcuda.so.1" in result.stderr, result.stderr


def test_only_the_reference_gpu_brings_libraries_of_its_own():
    env = {k: v for k, v in plenum.native_env().items() if k != "PLENUM_TEST_LIBCUDA"}
    env["LD_LIBRARY_PATH"] = "/before"
    for driver, folders in ((os.environ["PLENUM_TEST_MORE"], 2), (NATIVE, 3)):
        result = plenum.run([plenum.TOOL, "trace", "--cuda", driver, "--", "printenv", "LD_LIBRARY_PATH"], env, check=False)
        path = result.stdout.decode().strip().split(":")
        assert len(path) == folders and path[-1] == "/before" and path[0].endswith("trace"), path


def test_the_picture_is_json_with_names_of_kernels():
    with plenum.Server("--cuda", NATIVE, PLENUM_REFGPU_MEMORY="1G") as server, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        env = {k: v for k, v in cuda_env(server, "shm").items() if k not in ("PLENUM_TEST_LIBCUDA", "PLENUM_LOG")}
        plenum.run([plenum.TOOL, "trace", "--json", path, "--", LAUNCH], env)
        with open(path) as f:
            events = json.load(f)["traceEvents"]
        assert any(event["name"] == "cuLaunchKernel add" and event["cat"] == "post" for event in events), events[:5]
        assert all("asks" in event["args"] for event in events[1:])


def test_opencl_calls_are_told_as_before():
    with plenum.Server() as server:
        result, text = trace(server.env("shm"), "--", os.path.join(os.environ["PLENUM_TEST_PROGRAMS"], "transfers"))
        found = rows(text)
        assert any(name.startswith("clEnqueue") for name in found), found
        assert sum(row["asks"] for row in found.values()) > 0, found


def test_a_program_without_calls_says_so():
    env = {k: v for k, v in plenum.native_env().items() if k != "PLENUM_TEST_LIBCUDA"}
    result = plenum.run([plenum.TOOL, "trace", "--", "true"], env, check=False)
    assert result.returncode == 1 and b"no call of OpenCL or CUDA" in result.stderr, result.stderr


def test_a_file_that_is_no_trace_is_told_by_its_name():
    for path, why in (("/nowhere/calls", b"No such file"), (__file__, b"no calls that a program wrote")):
        result = plenum.run([plenum.TOOL, "trace", "--from", path], plenum.native_env(), check=False)
        assert result.returncode == 1 and path.encode() in result.stderr and why in result.stderr, result.stderr


if __name__ == "__main__":
    plenum.main([test_cuda_calls_are_told_over_any_link, test_what_is_got_by_cugetprocaddress_is_told_of_too,
                 test_a_driver_of_its_own_is_traced_where_it_is_named,
                 test_only_the_reference_gpu_brings_libraries_of_its_own, test_the_picture_is_json_with_names_of_kernels,
                 test_opencl_calls_are_told_as_before, test_a_program_without_calls_says_so,
                 test_a_file_that_is_no_trace_is_told_by_its_name])
