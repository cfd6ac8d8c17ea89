"""Modules that a server has been sent by one session are not sent again by the next: bytes and questions, counted."""
import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
KEPT = os.path.join(os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", ""), "cuda-kept")
LARGE = 400 << 10
SLACK = 16 << 10  # bytes of all else that such a program sends


def serve(*options, **more):
    os.environ["PLENUM_REFGPU_MEMORY"] = "64M"
    return plenum.Server("--cuda", NATIVE, *options, PLENUM_REFGPU_MEMORY="64M", **more)


def load(server, *modules, mode="tcp"):
    """Return: bytes that the program sent, questions that it asked."""
    stats, result = plenum.stats_of(server, mode, [KEPT, *modules], PLENUM_TEST_LIBCUDA=REMOTE)
    assert result.stdout.decode().split() == [module.split(":")[0] for module in modules], result.stdout
    return stats["bytes_out"], stats["asks"]


def kept(server):
    """What `plenum stats` says: entries, bytes, limit, found, missed, spoilt; zeros before anybody has asked."""
    out = plenum.run([plenum.TOOL, "stats", "--server", server.unix], plenum.native_env()).stdout.decode()
    line = next((line for line in out.splitlines() if line.startswith("modules kept")), "0 0 0 0 0 0")
    return dict(zip(("entries", "bytes", "limit", "found", "missed", "spoilt"), map(int, re.findall(r"\d+", line))))


def assert_sent(sent, modules, of_each=LARGE):
    assert modules * of_each <= sent[0] < modules * of_each + SLACK, f"{sent[0]} bytes, {modules} modules expected"


def assert_about(asks, expected):
    assert abs(asks - expected) <= 3, f"{asks} questions, {expected} expected"


def test_a_second_session_sends_no_module():
    with serve() as server:
        assert_sent(load(server, f"1:{LARGE}", f"2:{LARGE}:library"), 2)
        assert_sent(load(server, f"1:{LARGE}", f"2:{LARGE}:library"), 0)
        # What was sent as a module is there as a library, and the other way round; what differs is another.
        assert_sent(load(server, f"1:{LARGE}:library", f"2:{LARGE}"), 0)
        assert_sent(load(server, f"1:{LARGE}", f"3:{LARGE}"), 1)
        assert_sent(load(server, f"1:{LARGE + 1}"), 1)
        assert kept(server)["spoilt"] == 0


def test_only_a_module_that_the_server_lacks_costs_a_question_more():
    count = 20
    modules, small = [f"{i}:{100 << 10}" for i in range(count)], [f"{i}:{32 << 10}" for i in range(count)]
    with serve() as server, serve("--module-cache", "off") as off:
        plain = load(off, *small)[1]
        assert_about(load(server, *small)[1], plain)
        assert_about(load(server, *small)[1], plain)
        assert kept(server)["entries"] == 0 and kept(server)["missed"] == 0
        assert_about(load(server, *modules)[1], plain + count)
        assert_about(load(server, *modules)[1], plain)
        for _ in range(2):
            assert_about(load(off, *modules)[1], plain + 1)


def test_a_session_asks_once_for_what_it_loads_twice():
    with serve() as server:
        once, twice = load(server, f"1:{LARGE}"), load(server, f"2:{LARGE}", f"2:{LARGE}")
        assert_sent(once, 1)
        assert_sent(twice, 1)
        assert kept(server)["missed"] == 2


def test_over_shared_memory_nothing_is_kept():
    with serve() as server:
        for _ in range(2):
            assert_sent(load(server, f"1:{LARGE}", mode="shm"), 1)
        assert kept(server)["entries"] == 0 and kept(server)["missed"] == 0


def test_what_was_used_longest_ago_goes_first():
    with serve("--module-cache", "1M") as server:
        for number in (1, 2):
            assert_sent(load(server, f"{number}:{LARGE}"), 1)
        assert_sent(load(server, f"1:{LARGE}"), 0)  # it is used
        assert_sent(load(server, f"3:{LARGE}"), 1)  # and 2 goes
        assert kept(server)["entries"] == 2 and kept(server)["bytes"] <= 1 << 20
        assert_sent(load(server, f"1:{LARGE}", f"3:{LARGE}"), 0)
        assert_sent(load(server, f"2:{LARGE}"), 1)
        assert_sent(load(server, "9:600000"), 1, 600000)  # more than half of it is not kept
        assert_sent(load(server, "9:600000"), 1, 600000)


def test_one_session_has_half_of_it_at_most():
    with serve("--module-cache", "1M") as server:
        load(server, f"7:{LARGE}")
        load(server, *[f"{number}:{100 << 10}" for number in range(10, 30)])
        assert_sent(load(server, f"7:{LARGE}"), 0)


def test_switched_off_all_is_sent():
    with serve("--module-cache", "off") as server:
        for _ in range(2):
            assert_sent(load(server, f"1:{LARGE}", f"2:{LARGE}", f"1:{LARGE}"), 2)
        assert kept(server)["entries"] == 0 and kept(server)["missed"] == 0


def test_a_worker_that_is_killed_takes_nothing_along():
    with serve() as server:
        with subprocess.Popen([KEPT, f"1:{LARGE}", "wait"], env=server.env("tcp", PLENUM_TEST_LIBCUDA=REMOTE), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout.readline().strip() == b"1"
            os.kill(server.sessions()["sessions"][0]["worker_pid"], signal.SIGKILL)
            process.stdin.close()
            process.wait(plenum.LIMIT_S)
        assert plenum.wait_for(lambda: not server.sessions()["sessions"])
        assert_sent(load(server, f"1:{LARGE}"), 0)


def test_apart_means_that_others_do_not_have_it():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        other = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    for options, sends in ((("--module-cache-apart",), 1), ((), 0)):
        with serve("--listen", other, *options) as server:
            assert_sent(load(server, f"1:{LARGE}"), 1)
            assert_sent(load(server, f"1:{LARGE}"), 0)
            assert_sent(load(server, f"1:{LARGE}", mode=other), sends)


def test_without_room_for_it_the_session_is_told_so():
    with serve("--host-limit", "300K") as server:
        for _ in range(2):
            result = plenum.run([KEPT, f"1:{LARGE}"], server.env("tcp", PLENUM_TEST_LIBCUDA=REMOTE), check=False)
            assert result.returncode and b"CUDA_ERROR_OUT_OF_MEMORY" in result.stdout + result.stderr, result


if __name__ == "__main__":
    plenum.main([test_a_second_session_sends_no_module, test_a_session_asks_once_for_what_it_loads_twice,
                 test_only_a_module_that_the_server_lacks_costs_a_question_more, test_over_shared_memory_nothing_is_kept,
                 test_what_was_used_longest_ago_goes_first, test_one_session_has_half_of_it_at_most,
                 test_switched_off_all_is_sent, test_a_worker_that_is_killed_takes_nothing_along,
                 test_apart_means_that_others_do_not_have_it, test_without_room_for_it_the_session_is_told_so])
