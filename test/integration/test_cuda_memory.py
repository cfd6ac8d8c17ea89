"""CUDA's memory at the other end of a link: the same answers as natively, and how often the program waits for them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

CLIENT, REFGPU, LEASE, PARTS, DIRECT = sys.argv[1:6]
PTX = os.path.join(os.path.dirname(__file__), "..", "cuda")


def env_of(library):
    return {"PLENUM_TEST_LIBCUDA": library, "PLENUM_TEST_PTX_DIR": PTX, "LD_LIBRARY_PATH": os.path.dirname(library)}


def natively(*command):
    env = plenum.native_env()
    env.update(env_of(REFGPU))
    return plenum.run(command, env).stdout


def remoted(server, mode, *command):
    return plenum.stats_of(server, mode, list(command), **env_of(CLIENT))


def serve(*options):
    return plenum.Server("--cuda=" + REFGPU, *options, region=True)


def test_programs_print_what_they_print_natively():
    programs = {program: natively(program) for program in (LEASE, DIRECT)}
    with serve() as server:
        for mode in ("shm", "tcp", "ivshmem"):
            for program, want in programs.items():
                got = remoted(server, mode, program)[1].stdout
                assert got == want, f"{mode}:\n{got.decode()}\nnatively:\n{want.decode()}"
            remoted(server, mode, PARTS)


def test_memory_that_the_lease_keeps_is_there_for_whoever_needs_it():
    """As many pieces as natively, and after half of them are freed one as large as those."""
    with serve("--memory-limit=640M") as server:
        for mode in ("shm", "tcp"):
            lines = remoted(server, mode, LEASE, "full")[1].stdout.decode().splitlines()
            assert lines[1:] == ["the last: CUDA_ERROR_OUT_OF_MEMORY", "half: CUDA_SUCCESS",
                                 "more: CUDA_ERROR_OUT_OF_MEMORY", "in a stream: CUDA_SUCCESS",
                                 "and not: CUDA_SUCCESS"], lines
            assert lines[0] == "pieces: 32", lines


def test_arrays_and_memory_of_graphs_are_charged():
    beyond = "CUDA_ERROR_OUT_OF_MEMORY"
    want = [("array", ""), ("another", beyond), ("memory beside it", beyond), ("levels", ""), ("more levels", beyond),
            ("of another context", ""), ("and more", beyond), *[("a graph's", ""), ("its second", beyond), ("beside a graph's that is ready", beyond),
                                                  ("once that is freed", beyond), ("when it alone has gone", beyond),
                                                  ("and what it had", ""), ("beside a graph's that is freed there", beyond),
                                                  ("without it", "")] * 2,
            ("after all", "")]
    with serve("--memory-limit=64M") as server:
        for mode in ("shm", "tcp"):
            lines = remoted(server, mode, LEASE, "beyond")[1].stdout.decode().splitlines()
            assert lines == [f"{what}: {said or 'CUDA_SUCCESS'}" for what, said in want], lines


def test_a_steady_step_waits_once():
    """alloc: 4 allocations and frees.  async: the same in a stream.  step: those, 4 copies to the device, one on it, a
    fill, a copy from it into pinned memory, and one wait."""
    want = {mode: {"alloc": 0, "async": 0, "step": 1} for mode in ("shm", "tcp", "ivshmem")}
    with serve() as server:
        for mode, loops in want.items():
            for what, asks in loops.items():
                few, many = (remoted(server, mode, LEASE, "steady", what, count)[0] for count in ("20", "60"))
                got = (many["asks"] - few["asks"]) / 40
                print(f"     {mode} {what}: {got:.2f} asks, {(many['posts'] - few['posts']) / 40:.2f} posts", flush=True)
                assert got == asks, f"{mode} {what}: {got} asks a step, {asks} expected"


def test_copies_while_nothing_is_under_way_are_the_programs_own():
    """steady: 4 copies and 4 waits.  many: an allocation, a wait, 2 copies; in all more memory than there is.
    later: 4 kernels and 4 copies to pinned memory behind them, one wait.  Of a region a quarter is for such memory, so
    not all of `many` is."""
    want = {"shm": {"steady": 0, "many": 2, "later": 1}, "tcp": {"steady": 4, "many": 3, "later": 1},
            "ivshmem": {"steady": 0, "later": 1}}  # many: once a guest's part of its region is full, those of before stay
    with serve("--memory-limit=640M") as server:
        for mode, loops in want.items():
            for what, asks in loops.items():
                rounds = 1500 if what == "many" else 120
                few, many = (remoted(server, mode, DIRECT, what, str(count))[0] for count in (20, rounds))
                got = (many["asks"] - few["asks"]) / (rounds - 20)
                posts = (many["posts"] - few["posts"]) / (rounds - 20)
                print(f"     {mode} {what}: {got:.2f} asks, {posts:.2f} posts", flush=True)
                assert got == asks, f"{mode} {what}: {got} asks a round, {asks} expected"


def test_host_memory_is_charged_and_its_limit_is_told():
    with serve("--host-limit=16M") as server:
        result = plenum.run([LEASE], server.env("shm", **env_of(CLIENT)), check=False)
        assert result.returncode == 1 and b"CUDA_ERROR_OUT_OF_MEMORY" in result.stderr, result


def test_a_copy_is_in_flight_with_what_the_server_holds_of_it():
    """One of 60 MiB in one call, received and sent piece by piece; copies that nobody waits for are charged as a whole."""
    with serve("--inflight-limit=8M") as server:
        for mode in ("shm", "tcp", "ivshmem"):
            remoted(server, mode, DIRECT, "long", "2")


if __name__ == "__main__":
    plenum.main([test_programs_print_what_they_print_natively,
                 test_memory_that_the_lease_keeps_is_there_for_whoever_needs_it,
                 test_arrays_and_memory_of_graphs_are_charged, test_a_steady_step_waits_once,
                 test_copies_while_nothing_is_under_way_are_the_programs_own,
                 test_host_memory_is_charged_and_its_limit_is_told,
                 test_a_copy_is_in_flight_with_what_the_server_holds_of_it])
