"""The programs of `plenum bench vmcuda` on a remote device: their own checks pass, and copies go in the pieces asked for."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

PROGRAM = os.environ["PLENUM_TEST_VMCUDA"]
CLIENT = os.environ["PLENUM_TEST_CUDA_CLIENT"]
SMALL = {
    "binomial": ["--size", "64", "--work", "64"],
    "blackscholes": ["--size", "20001", "--repeat", "2"],
    "matmul": ["--size", "64", "--pinned"],
    "stereo": ["--size", "131072", "--work", "5", "--repeat", "2"],
    "radixsort": ["--size", "65536", "--pinned"],
    "copies": ["--divide", "32"],
}


def calls_of(server, mode, **more):
    """Calls that the copies of 1, 2, 4, 8 and 19.5 MiB there and back take."""
    stats, result = plenum.stats_of(server, mode, [PROGRAM, "copies", "--divide", "32"], LD_LIBRARY_PATH=CLIENT, **more)
    assert result.returncode == 0, result
    return stats["asks"] + stats["posts"]


def test_every_program_checks_its_answer_remotely():
    with plenum.Server() as server:
        for mode in "shm", "tcp":
            for name, arguments in SMALL.items():
                result = plenum.run([PROGRAM, name, *arguments], server.env(mode, LD_LIBRARY_PATH=CLIENT))
                assert b"@part total" in result.stdout, result


def test_several_at_once_do_not_disturb_each_other():
    with plenum.Server() as server:
        result = plenum.run([PROGRAM, "crowd", "4", PROGRAM, "radixsort", "--size", "16384"],
                            server.env("shm", LD_LIBRARY_PATH=CLIENT))
        assert b"@part total" in result.stdout, result


def test_copies_go_in_pieces_of_the_size_asked_for():
    with plenum.Server() as server:
        for mode in "shm", "tcp":
            whole = calls_of(server, mode, PLENUM_BLOCK_BYTES=str(1 << 30))
            pieces = calls_of(server, mode, PLENUM_BLOCK_BYTES=str(1 << 20))
            odd = calls_of(server, mode, PLENUM_BLOCK_BYTES="3000001")
            assert pieces - whole == 2 * (35 - 5), (mode, whole, pieces)
            assert odd - whole == 2 * (1 + 1 + 2 + 3 + 7 - 5), (mode, whole, odd)


def test_nothing_is_cut_by_default_where_nothing_is_under_way():
    with plenum.Server() as server:
        assert calls_of(server, "tcp") == calls_of(server, "tcp", PLENUM_BLOCK_BYTES=str(1 << 30))
        # Over shared memory they are not cut, and the program's own thread makes some of them without a call.
        assert calls_of(server, "shm") <= calls_of(server, "shm", PLENUM_BLOCK_BYTES=str(1 << 30))


def test_a_size_that_is_none_is_named_and_the_default_holds():
    with plenum.Server() as server:
        usual = calls_of(server, "shm")
        for value in "0", "4095", "1073741825", "-1", "1M", "":
            env = server.env("shm", LD_LIBRARY_PATH=CLIENT, PLENUM_BLOCK_BYTES=value, PLENUM_LOG="warn")
            result = plenum.run([PROGRAM, "copies", "--divide", "32"], env)
            assert b"PLENUM_BLOCK_BYTES" in result.stderr, (value, result)
            assert calls_of(server, "shm", PLENUM_BLOCK_BYTES=value) == usual, value


def main():
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
            print("ok", name, flush=True)


if __name__ == "__main__":
    main()
