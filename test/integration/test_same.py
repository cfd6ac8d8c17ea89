"""The same program prints the same natively, over shared memory, TCP and a guest's region: also what it gets wrong."""
import difflib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

PROGRAMS = ["causes", "errors", "left", "nothing", "released", "threads", "surface", "transfers"]


def output(name, env):
    result = plenum.run([plenum.program(name)], dict(env, PLENUM_LOG="warn"), check=False)
    if result.returncode:
        print(f"     {name} ended with {result.returncode}:\n{result.stderr.decode(errors='replace')[-2000:]}")
    return f"exit {result.returncode}\n" + result.stdout.decode(errors="replace")


def native_output(name):
    """What the driver does when it lives: PoCL 3.1's worker looks at a command's device once more behind clFinish, and a
    program that has let go of its sub-devices by then dies now and then (8 of 100 runs of `surface` on a busy machine)."""
    for _ in range(20):
        native = output(name, plenum.native_env())
        if not native.startswith("exit -"):
            return native
        print(f"     the driver itself died in {name}: once more")
    raise AssertionError(f"{name} dies on the driver itself in each of 20 runs:\n{native[-2000:]}")


def compare(name, modes=("shm", "tcp", "ivshmem")):
    native = native_output(name)
    with plenum.Server(region=True) as server:
        for mode in modes:
            remote = output(name, server.env(mode))
            if native != remote:
                diff = "\n".join(difflib.unified_diff(native.splitlines(), remote.splitlines(), "native", mode, n=0))
                raise AssertionError(f"{name} differs over {mode}:\n{diff[:4000]}")


def make(name):
    def test():
        compare(name)
    test.__name__ = f"test_{name}_prints_the_same"
    return test


def test_shared_virtual_memory():
    compare("svm", ["shm", "ivshmem"])
    with plenum.Server() as server:
        # Coarse-grained only: not the same output, but nothing wrong.
        result = plenum.run([plenum.program("svm")], server.env("tcp"), check=False)
        assert result.returncode in (0, 77), result.stdout.decode(errors="replace")[-3000:]


def test_host_memory():
    """CL_MEM_USE_HOST_PTR: with shared memory all is as on a driver's own machine, without it all that the API promises."""
    compare("hostptr", ["shm"])
    with plenum.Server(region=True) as server:
        for mode in ("tcp", "ivshmem"):
            lines = output("hostptr", server.env(mode)).splitlines()
            wrong = [line for line in lines if line.endswith("NO")]
            assert lines[0] == "exit 0" and len(lines) > 15, (mode, lines)
            assert [line for line in wrong if "without a map" not in line] == [], (mode, wrong)


def test_forked_child_has_a_session_of_its_own():
    with plenum.Server(region=True) as server:
        for mode in ("shm", "tcp", "ivshmem"):
            plenum.run([plenum.program("forked")], server.env(mode))


def test_two_servers_are_two_platforms():
    with plenum.Server() as one, plenum.Server() as two:
        env = one.env(one.unix + "," + two.unix)
        lines = plenum.run([plenum.program("platforms")], env).stdout.decode().splitlines()
        alone = plenum.run([plenum.program("platforms")], one.env("shm")).stdout.decode().splitlines()
        assert lines == alone + alone and alone, (lines, alone)


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([make(name) for name in PROGRAMS] + [test_shared_virtual_memory, test_host_memory,
                                                     test_forked_child_has_a_session_of_its_own,
                                                     test_two_servers_are_two_platforms])
