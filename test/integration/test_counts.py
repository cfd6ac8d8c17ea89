"""Round trips and instructions, counted: they do not depend on how busy the machine is."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

SANITIZED = "asan" in plenum.TOOL or "tsan" in plenum.TOOL


def per_iteration(server, mode, what, count=200):
    small, _ = plenum.stats_of(server, mode, [plenum.program("steady"), what, str(count)])
    large, _ = plenum.stats_of(server, mode, [plenum.program("steady"), what, str(2 * count)])
    return {key: (large[key] - small[key]) / count for key in ("asks", "posts", "bytes_out", "bytes_in")}


def check(mode):
    with plenum.Server() as server:
        for what, asks in {"launch": 0, "post": 0, "read": 1, "finish": 1, "write": 1, "buffer": 0}.items():
            counts = per_iteration(server, mode, what)
            print(f"     {mode} {what}: {counts['asks']:.2f} asks, {counts['posts']:.2f} posts, "
                  f"{counts['bytes_out']:.0f} bytes out, {counts['bytes_in']:.0f} in", flush=True)
            assert counts["asks"] == asks, f"{mode} {what}: {counts['asks']} asks an iteration, {asks} expected"


def test_steady_loops_do_not_ask_over_shm():
    check("shm")


def test_steady_loops_do_not_ask_over_tcp():
    check("tcp")


def test_maps_of_host_memory_copy_nothing():
    """CL_MEM_USE_HOST_PTR, 16 MiB of malloc(): once in, once out."""
    with plenum.Server() as server:
        copied = []
        for count in ("0", "10"):
            stats, result = plenum.stats_of(server, "shm", [plenum.program("hostptr"), "maps", count])
            assert int(result.stdout) == 2 * int(count), result
            copied.append(stats["host_copied"])
        assert copied[0] == copied[1], copied
        assert (16 << 20) <= copied[0] <= (32 << 20), copied


def test_a_posted_launch_costs_few_instructions():
    if SANITIZED:
        print("SKIP: programs with a sanitizer do not run in valgrind")
        return
    if not shutil.which("valgrind"):
        print("SKIP: valgrind is not installed: instructions are not counted")
        return

    def instructions(server, mode, count):
        """Of the call itself, from the loader's table to the end: a finish would also count how long it had to wait."""
        out = os.path.join(server.folder, f"callgrind.{count}")
        result = plenum.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                             "--toggle-collect=pl_cl_stub_clEnqueueNDRangeKernel",
                             plenum.program("steady"), "post", str(count)],
                            server.env(mode, LD_PRELOAD=os.environ.get("PLENUM_TEST_SLOW_CLOCK", "")), timeout=300)
        return int(re.search(rb"Collected : (\d+)", result.stderr).group(1))

    with plenum.Server() as server:
        few, many = 500, 1000
        for mode in ("shm", "tcp"):
            # How often a busy machine lets the worker fall asleep, so that a post has to wake it (460 in all), or lets
            # so much time pass that a post leaves alone (541), is no property of the post: the smallest of a few counts,
            # by a clock that is as slow as valgrind makes the program.
            cost = float("inf")
            for _ in range(20):
                cost = min(cost, (instructions(server, mode, many) - instructions(server, mode, few)) / (many - few))
                if cost <= 500:
                    break
            print(f"     {cost:.0f} instructions for a posted launch over {mode}", flush=True)
            assert 50 < cost <= 500, f"{cost:.0f} instructions for a posted launch over {mode}"


def test_shared_memory_of_what_has_ended_is_used_again():
    """800 MiB pass through it; no clFinish() says that something has ended."""
    with plenum.Server() as server:
        for what in ("image", "image-write"):
            result = plenum.run([plenum.program("steady"), what, "200"], server.env("shm"))
            assert int(result.stdout) < 100 << 10, (what, result.stdout)


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_steady_loops_do_not_ask_over_shm, test_steady_loops_do_not_ask_over_tcp,
                 test_shared_memory_of_what_has_ended_is_used_again,
                 test_maps_of_host_memory_copy_nothing, test_a_posted_launch_costs_few_instructions])
