"""The programs of test/cuda print the same on the reference GPU's driver itself and over a server, by shared memory and by TCP.

What a server does not carry yet is left out by name, here and nowhere else.
"""
import difflib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
PROGRAMS = os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", "")

WATCHDOG = "test_a_kernel_that_never_ends_is_ended_by_watchdog_and_by_interrupt"  # its limit is the server's
LEFT_OUT = {
    "runtime": [],
    "faults": [WATCHDOG],
    "launch": ["test_variables_of_a_module_are_found_by_name"],  # one of them is managed
    "order": ["test_a_stream_waits_for_anothers_event", "test_the_legacy_stream_keeps_its_place",
              "test_streams_wait_for_words_in_memory", "test_many_streams_work_side_by_side"],  # mapped memory
    "process": ["two processes share memory and an event"],
}


def run(name, env, library):
    env = dict(env, PLENUM_TEST_LIBCUDA=library, PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""),
               PLENUM_TEST_SKIP=",".join(LEFT_OUT[name]), PLENUM_REFGPU_MEMORY="1G", PLENUM_TEST_REMOTE="1")
    result = plenum.run([os.path.join(PROGRAMS, "cuda-" + name)], env, check=False, timeout=60)
    return f"exit {result.returncode}\n" + result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")


def make(name):
    def test():
        native, _ = run(name, plenum.native_env(), NATIVE)
        assert native.startswith("exit 0"), native
        os.environ["PLENUM_REFGPU_MEMORY"] = "1G"
        with plenum.Server("--cuda", NATIVE) as server:
            for mode in ("shm", "tcp"):
                remote, errors = run(name, server.env(mode), REMOTE)
                if native != remote:
                    diff = "\n".join(difflib.unified_diff(native.splitlines(), remote.splitlines(), "native", mode, n=0))
                    raise AssertionError(f"{name} differs over {mode}:\n{diff[:4000]}\n{errors[-2000:]}")
    test.__name__ = f"test_{name}_prints_the_same"
    return test


def test_a_server_without_cuda_has_no_device():
    with plenum.Server("--cuda", "off") as server:
        env = dict(server.env("shm"), PLENUM_TEST_LIBCUDA=REMOTE)
        result = plenum.run([os.path.join(PROGRAMS, "cuda-launch")], env, check=False)
        assert result.returncode == 77, result.stderr.decode(errors="replace")


if __name__ == "__main__":
    plenum.main([make(name) for name in LEFT_OUT] + [test_a_server_without_cuda_has_no_device])
