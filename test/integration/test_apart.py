"""Devices of several CUDA servers in one program: the list, CUDA_VISIBLE_DEVICES, contexts, copies between servers."""
import contextlib
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
PAIR = os.environ.get("PLENUM_TEST_PAIR", "")
NVML = os.environ.get("PLENUM_TEST_LIBNVML", "")
PROGRAMS = os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", "")
SANITIZED = "asan" in plenum.TOOL or "tsan" in plenum.TOOL


@contextlib.contextmanager
def servers(count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(plenum.Server("--cuda", NATIVE, "--nvml", NVML, token="one-for-all-of-them", PLENUM_REFGPU_MEMORY="256M",
                                                 PLENUM_REFGPU_NUMBER=str(i))) for i in range(count)]


def env_of(up, modes, **more):
    env = up[0].env("shm", PLENUM_TEST_LIBCUDA=REMOTE, **more)
    env["PLENUM"] = ",".join({"shm": s.unix, "tcp": s.tcp}[mode] for s, mode in zip(up, modes))
    return env


def run(up, modes, code=0, **more):
    result = plenum.run([os.path.join(PROGRAMS, "cuda-apart")], env_of(up, modes, **more), check=False, timeout=100)
    out = result.stdout.decode(errors="replace")
    assert result.returncode == code, f"{modes}: {result.returncode}\n{out}\n{result.stderr.decode(errors='replace')[-3000:]}"
    return re.findall(r"^device \d+: .*, number (\d), ", out, re.M)


def test_devices_of_several_servers_work_together():
    with servers(3) as up:
        for modes in (("shm", "shm"), ("tcp", "tcp"), ("shm", "tcp", "shm")):
            assert run(up, modes) == [str(i) for i in range(len(modes))], modes


def test_memory_says_which_of_one_servers_devices_it_lies_on():
    with plenum.Server("--cuda", PAIR, "--worker-read", os.path.dirname(NATIVE), PLENUM_REFGPU_MEMORY="256M") as server:
        for mode in ("shm", "tcp"):
            plenum.run([os.path.join(PROGRAMS, "cuda-pair")], server.env(mode, PLENUM_TEST_LIBCUDA=REMOTE))


def test_visible_devices_choose_and_order():
    with servers(3) as up:
        modes = ("shm", "tcp", "shm")
        assert run(up, modes, CUDA_VISIBLE_DEVICES="2,0") == ["2", "0"]
        assert run(up, modes, CUDA_VISIBLE_DEVICES="1,2,-1,0") == ["1", "2"]
        uuid = "GPU-506c656e-756d-2072-6566-67707520303"
        assert run(up, modes, CUDA_VISIBLE_DEVICES=f"{uuid}2,{uuid}1") == ["2", "1"]
        assert run(up, modes, CUDA_DEVICE_ORDER="PCI_BUS_ID") == ["0", "1", "2"]
        for nothing in ("", "-1", "0,0", "GPU-506c", "x"):
            run(up, modes, code=1, CUDA_VISIBLE_DEVICES=nothing)


def test_the_tool_and_nvml_have_the_same_list():
    with servers(3) as up:
        env = env_of(up, ("shm", "tcp", "shm"), CUDA_VISIBLE_DEVICES="2,1,0")
        out = json.loads(plenum.run([plenum.TOOL, "devices", "--json"], env, check=False).stdout)
        assert [d["uuid"][-1] for d in out["cuda"]] == ["2", "1", "0"], out["cuda"]
        del env["CUDA_VISIBLE_DEVICES"]
        out = json.loads(plenum.run([plenum.TOOL, "devices", "--json"], env, check=False).stdout)
        assert [d["uuid"][-1] for d in out["cuda"]] == ["0", "1", "2"], out["cuda"]
        if SANITIZED:
            print("SKIP: Python opens no library that was built with a sanitizer: NVML's own list is not compared")
            return
        nvml = ctypes_nvml(env)
        assert [d["uuid"] for d in out["cuda"]] == nvml, nvml


def ctypes_nvml(env):
    """The UUIDs in NVML's order, asked in a process of its own."""
    program = f"""if True:
        import ctypes
        nvml = ctypes.CDLL({os.environ["PLENUM_TEST_NVML_CLIENT"]!r})
        assert nvml.nvmlInit_v2() == 0
        count, device, text = ctypes.c_uint(), ctypes.c_void_p(), ctypes.create_string_buffer(96)
        assert nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
        for i in range(count.value):
            assert nvml.nvmlDeviceGetHandleByIndex_v2(i, ctypes.byref(device)) == 0
            assert nvml.nvmlDeviceGetUUID(device, text, 96) == 0
            print(text.value.decode())
    """
    return plenum.run([sys.executable, "-c", program], env).stdout.decode().split()


def test_servers_that_are_not_there_are_left_out():
    with servers(3) as up:
        env = env_of(up, ("shm", "shm", "tcp"))
        up[1].stop()
        result = plenum.run([os.path.join(PROGRAMS, "cuda-apart")], env, timeout=100)
        assert re.findall(rb"number (\d)", result.stdout) == [b"0", b"2"], result.stdout


def test_a_server_says_all_that_it_carries():
    if SANITIZED:
        print("SKIP: Python opens no library that was built with a sanitizer")
        return
    with plenum.Server("--cuda", NATIVE, "--nvml", "off", tcp=False) as server:
        program = f"import ctypes; ctypes.CDLL({os.environ['PLENUM_TEST_NVML_CLIENT']!r}).nvmlInit_v2()"
        said = plenum.run([sys.executable, "-c", program], server.env("shm", PLENUM_LOG="warn")).stderr
        assert b"this server carries opencl, cuda only" in said, said


def test_a_server_of_cuda_alone_is_no_failure():
    """A machine may have no OpenCL: the doctor warns, and finds CUDA's devices."""
    with plenum.Server("--cuda", NATIVE, "--driver", "/nowhere/libOpenCL.so.1", PLENUM_REFGPU_MEMORY="256M") as server:
        for mode in ("shm", "tcp"):
            env = server.env(mode)
            said = json.loads(plenum.run([plenum.TOOL, "doctor", "--json"], env, check=False).stdout)
            assert not [check for check in said["checks"] if check["level"] == "fail"], said
            assert any(check["what"] == "devices" and "1 CUDA device" in check["text"] for check in said["checks"]), said
            out = json.loads(plenum.run([plenum.TOOL, "devices", "--json"], env).stdout)
            assert len(out["cuda"]) == 1, out


if __name__ == "__main__":
    plenum.main([test_devices_of_several_servers_work_together,
                 test_memory_says_which_of_one_servers_devices_it_lies_on, test_visible_devices_choose_and_order, test_the_tool_and_nvml_have_the_same_list,
                 test_servers_that_are_not_there_are_left_out, test_a_server_says_all_that_it_carries,
                 test_a_server_of_cuda_alone_is_no_failure])
