"""Copies between devices of two CUDA servers: directly where one server reaches the other, through the program else."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum
import relay

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
PROGRAM = os.path.join(os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", ""), "cuda-between")
CARRIED = os.path.join(os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", ""), "cuda-carried")
BYTES = (48 << 20) + 5
COUNT = os.environ.get("PLENUM_TEST_COUNT", "")
PLAIN = os.environ.get("PLENUM_TEST_PLAIN", "")
LARGE = 4  # copies of so much
ANY_HOST = ("--peer", "tcp://127.0.0.1:*")
FAR = ("--peer", "tcp://127.0.0.2:*")  # where relays are: not the host's own address
SLOW = 40_000_000                      # bytes a second of one connection


@contextlib.contextmanager
def servers(*options, **env):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(plenum.Server("--cuda", NATIVE, "--nvml", "off", *more, token="one-for-both-of-them", PLENUM_REFGPU_MEMORY="256M",
                                                 PLENUM_REFGPU_NUMBER=str(i), **env)) for i, more in enumerate(options)]


def env_of(up, modes, **more):
    env = up[0].env("shm", PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_LOG="info", **more)
    env["PLENUM"] = ",".join({"shm": s.unix, "tcp": s.tcp}[mode] for s, mode in zip(up, modes))
    return env


def run(up, modes, program=(PROGRAM, str(BYTES)), **more):
    """Return: the client's counts, and its log."""
    env = env_of(up, modes, **more)
    with tempfile.NamedTemporaryFile() as stats:
        env["PLENUM_STATS"] = stats.name
        result = plenum.run(list(program), env, check=False, timeout=100)
        log = result.stderr.decode(errors="replace")
        assert result.returncode == 0, f"{modes}: {result.returncode}\n{result.stdout.decode(errors='replace')}\n{log[-3000:]}"
        return json.load(open(stats.name)), log


def is_direct(up, modes, **more):
    counts, log = run(up, modes, **more)
    assert counts["between_through"] == 0, (modes, counts, log)
    assert counts["between_direct"] >= LARGE * BYTES, (modes, counts)
    if modes == ("tcp", "tcp"):  # all that the client's sockets carried are calls
        assert counts["bytes_in"] + counts["bytes_out"] < 1 << 20, counts
    assert "go through this program" not in log, log
    return counts, log


def is_through(up, modes, why, **more):
    counts, log = run(up, modes, **more)
    assert counts["between_direct"] == 0 and counts["between_through"] >= LARGE * BYTES, (modes, counts)
    assert why in log, log
    assert log.count("go through this program") == 1, log
    return counts, log


def test_bytes_go_from_server_to_server():
    with servers(ANY_HOST, ANY_HOST) as up:
        for modes in (("shm", "shm"), ("tcp", "tcp"), ("shm", "tcp")):
            is_direct(up, modes)


def test_one_server_that_reaches_the_other_is_enough():
    with servers(("--peer", "off"), ANY_HOST) as up:
        _, log = is_direct(up, ("tcp", "tcp"))
        assert "--peer" not in log, log  # the second is asked for its first copy
    with servers(ANY_HOST, ("--peer", "off")) as up:
        _, log = is_direct(up, ("tcp", "tcp"))
        assert f"{up[1].tcp} does not reach {up[0].tcp}: not among the servers" in log, log


def test_a_unix_socket_of_the_same_user_needs_no_option():
    with servers((), ()) as up:
        is_direct(up, ("shm", "shm"))
        _, log = is_direct(up, ("tcp", "tcp"))  # found by what the server says of itself
        assert f"does not reach {up[0].tcp}" in log, log


def test_where_none_reaches_the_other_the_program_copies():
    with servers(("--peer", "off"), ("--peer", "off")) as up:
        is_through(up, ("shm", "tcp"), "not among the servers that it may connect to: plenum serve --peer")
    with servers(ANY_HOST, ANY_HOST) as up:
        is_through(up, ("tcp", "shm"), "PLENUM_PEERS=off", PLENUM_PEERS="off")


def test_a_server_without_room_for_it_lets_the_program_copy():
    with servers((), ("--host-limit", "1M")) as up:
        counts, log = run(up, ("shm", "shm"))
        assert counts["between_through"] >= LARGE * BYTES, counts


def test_copies_in_a_stream_are_made_when_it_comes_to_them():
    with servers(ANY_HOST, ANY_HOST) as up:
        for modes, more in ((("shm", "shm"), {}), (("tcp", "tcp"), {}), (("shm", "tcp"), {"PLENUM_PEERS": "off"}), (("tcp", "tcp"), {"PLENUM_PEERS": "off"})):
            counts, log = run(up, modes, (CARRIED,), **more)
            assert counts["between_through" if more else "between_direct"] and not counts["between_direct" if more else "between_through"], counts


def test_drivers_that_pin_memory_copy_in_streams_too():
    """Of a driver with memory of its own: what it has unpinned it waits for all streams with."""
    plain = ("--cuda", PLAIN, "--worker-read", os.path.dirname(NATIVE), *ANY_HOST)
    with servers(plain, plain) as up:
        for modes in (("shm", "shm"), ("tcp", "tcp")):
            counts, log = run(up, modes, (CARRIED,))
            assert counts["between_direct"] and not counts["between_through"], counts
            is_direct(up, modes)
    plain = plain[:4] + ("--peer", "off")
    with servers(plain, plain) as up:  # through the rings of several threads at one time
        for _ in range(4):
            is_through(up, ("shm", "shm"), "not among the servers that it may connect to: plenum serve --peer")


def test_a_copy_in_a_stream_is_a_post():
    with servers(ANY_HOST, ANY_HOST) as up:
        for modes, more in ((("shm", "shm"), {}), (("tcp", "tcp"), {}), (("tcp", "tcp"), {"PLENUM_PEERS": "off"})):
            few, many = (run(up, modes, (CARRIED, "count", str(n)), **more)[0] for n in (10, 50))
            asks, posts = ((many[key] - few[key]) / 40 for key in ("asks", "posts"))
            print(f"     {modes} {more}: {asks:.2f} asks, {posts:.2f} posts a copy", flush=True)
            assert asks == 0 and posts <= 1, (few, many)


def test_copies_one_after_the_other_make_no_stream_each():
    counting = ("--cuda", COUNT, "--worker-read", os.path.dirname(NATIVE), *ANY_HOST)
    with servers(counting, counting) as up:
        for modes in (("shm", "shm"), ("tcp", "tcp")):
            made = run(up, modes, (PROGRAM, "4096", "small", "40"))[1].count("a stream is made")
            print(f"     {modes}: {made} streams for 40 copies", flush=True)
            assert 0 < made < 10, made


def test_a_server_that_ends_takes_no_stream_of_the_other_along():
    for more in ({}, {"PLENUM_PEERS": "off"}):
        for modes in (("shm", "shm"), ("tcp", "tcp")):
            with servers(ANY_HOST, ANY_HOST) as up:
                process = subprocess.Popen([CARRIED, "dies"], env=env_of(up, modes, **more), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                try:
                    assert process.stdout.readline() == b"held\n"
                    up[1].stop()
                    _, log = process.communicate(b"on\n", timeout=60)
                finally:
                    process.kill()
                assert process.returncode == 0, f"{modes}: {process.returncode}\n{log.decode(errors='replace')[-3000:]}"


def copy_far(up, path, mib):
    """Copies whose second server is reached through the path.  Return: the connections that were made, the client's counts, its log."""
    before = path.connections
    env = env_of(up, ("tcp", "tcp"), PLENUM_CONNECTIONS="1")
    env["PLENUM"] = f"{up[0].tcp},{path.address}"
    with tempfile.NamedTemporaryFile() as stats:
        result = plenum.run([PROGRAM, str(mib << 20)], dict(env, PLENUM_STATS=stats.name), timeout=100)
        return path.connections - before, json.load(open(stats.name)), result.stderr.decode(errors="replace")


def test_a_link_gets_more_connections_where_one_is_slow():
    made = {}
    for chosen in ("1", "auto"):
        with servers(FAR, ("--peer", "off"), PLENUM_CONNECTIONS=chosen) as up, relay.Relay(up[1].tcp, SLOW) as path:
            made[chosen], counts, log = copy_far(up, path, 24)
            assert counts["between_direct"] >= LARGE * (24 << 20) and not counts["between_through"], (counts, log)
            assert "refused" not in up[1].log_text(), up[1].log_text()
            shares = sorted(path.carried)
    print(f"     {made} connections; at most {[share >> 20 for share in shares[-4:]]} MiB over one", flush=True)
    assert made["auto"] >= made["1"] + 2, made
    assert shares[-2] > 4 << 20, shares  # payload went over more than one of them


def test_a_connection_of_a_link_that_is_cut_costs_no_copy():
    with servers(FAR, ("--peer", "off"), PLENUM_CONNECTIONS="4") as up, relay.Relay(up[1].tcp, SLOW) as path:
        def cut():
            if plenum.wait_for(lambda: sum(share > 2 << 20 for share in path.carried) >= 4):
                path.cut(max(range(path.connections), key=lambda i: path.carried[i]))
        thread = threading.Thread(target=cut)
        thread.start()
        _, counts, log = copy_far(up, path, 48)
        thread.join()
        assert counts["between_direct"] + counts["between_through"] >= LARGE * (48 << 20), (counts, log)
        assert plenum.wait_for(lambda: not up[1].sessions()["sessions"]) and "signal" not in up[1].log_text(), up[1].log_text()


if __name__ == "__main__":
    plenum.main([test_bytes_go_from_server_to_server, test_one_server_that_reaches_the_other_is_enough,
                 test_a_unix_socket_of_the_same_user_needs_no_option, test_where_none_reaches_the_other_the_program_copies,
                 test_a_server_without_room_for_it_lets_the_program_copy, test_copies_in_a_stream_are_made_when_it_comes_to_them,
                 test_drivers_that_pin_memory_copy_in_streams_too, test_a_copy_in_a_stream_is_a_post, test_copies_one_after_the_other_make_no_stream_each,
                 test_a_link_gets_more_connections_where_one_is_slow, test_a_connection_of_a_link_that_is_cut_costs_no_copy, test_a_server_that_ends_takes_no_stream_of_the_other_along])
