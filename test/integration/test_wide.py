"""Long payloads over several connections: where one is too slow, where the user has chosen so, and where one ends."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum
import relay

PROGRAM = os.path.join(os.environ["PLENUM_TEST_CUDA_PROGRAMS"], "cuda-wide")
CLIENT, NATIVE = os.environ["PLENUM_TEST_CUDA_CLIENT"], os.environ["PLENUM_TEST_LIBCUDA"]
SLOW = 40_000_000  # bytes a second of one connection
SPARSE = 3         # connections of a program whose lanes have one each: the reverse lane, two threads'


def serve():
    return plenum.Server("--cuda", NATIVE, PLENUM_REFGPU_MEMORY="1G")


def env_of(server, address, **more):
    return server.env(address, PLENUM_TEST_LIBCUDA=CLIENT, **more)


def copy(server, path, mib, rounds, at_least=0, **more):
    """How many connections it made; a busy relay takes the last ones when the program has ended already."""
    before = path.connections
    result = plenum.run([PROGRAM, str(mib), str(rounds)], env_of(server, path.address, **more))
    assert result.stdout == b"all bytes came\n", result
    plenum.wait_for(lambda: path.connections - before >= at_least)
    return path.connections - before, result


def test_a_lane_gets_more_connections_where_one_is_slow():
    with serve() as server, relay.Relay(server.tcp, SLOW) as path:
        narrow, _ = copy(server, path, 1, 1, PLENUM_CONNECTIONS="1")
        assert narrow <= SPARSE, narrow
        wide, result = copy(server, path, 24, 2)
        print(f"     {narrow} connections, then {wide}: {result.stderr.decode().strip()}", flush=True)
        assert wide >= narrow + 2, (narrow, wide)
        shares = sorted(path.carried[narrow:])
        assert shares[-2] > 4 << 20, shares  # payload went over more than one of them


def test_the_user_chooses_how_many():
    with serve() as server, relay.Relay(server.tcp, 10 * SLOW) as path:
        narrow, _ = copy(server, path, 16, 1, PLENUM_CONNECTIONS="1")
        three, _ = copy(server, path, 16, 1, narrow + 3 * 3, PLENUM_CONNECTIONS="3")
        eight, _ = copy(server, path, 16, 1, narrow + 3 * 8, PLENUM_CONNECTIONS="8")
        print(f"     {narrow}, {three}, {eight} connections", flush=True)
        assert narrow <= SPARSE and three == narrow + 3 * 3 and eight == narrow + 3 * 8, (narrow, three, eight)
        assert "refused" not in server.log_text(), server.log_text()


def test_a_number_that_is_none_is_told_of():
    with serve() as server, relay.Relay(server.tcp, 10 * SLOW) as path:
        for text in ("nine", "9", "0", "-1", "3x"):
            _, result = copy(server, path, 1, 1, PLENUM_CONNECTIONS=text, PLENUM_LOG="warn")
            assert f"PLENUM_CONNECTIONS={text}: a number from 1 to 8, or auto".encode() in result.stderr, result


def end_one(end):
    """A session of eight connections a lane is in the middle of copies when `end` does its harm."""
    with serve() as server, relay.Relay(server.tcp, SLOW) as path, relay.Relay(server.tcp, 10 * SLOW) as other:
        victim = subprocess.Popen([PROGRAM, "64", "100"], env=env_of(server, path.address, PLENUM_CONNECTIONS="8"),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert plenum.wait_for(lambda: path.connections >= SPARSE + 16 and sum(path.carried) > 8 << 20), path.carried
        end(path, victim)
        out, errors = victim.communicate(timeout=60)
        assert victim.returncode != 0 and out == b"", (victim.returncode, out, errors)
        assert plenum.wait_for(lambda: not server.sessions()["sessions"]), server.sessions()
        assert "signal" not in server.log_text(), server.log_text()
        copy(server, other, 4, 1)
        return errors


def test_a_lane_s_own_connection_that_is_cut_ends_the_session():
    errors = end_one(lambda path, _victim: path.cut(1))
    assert b"CUDA_ERROR" in errors, errors


def test_one_connection_that_is_cut_ends_the_session_and_nobody_elses():
    def end(path, _victim):
        path.cut(max(range(3, path.connections), key=lambda i: path.carried[i]))
    errors = end_one(end)
    assert b"CUDA_ERROR" in errors, errors


def test_a_client_that_is_killed_leaves_nothing():
    end_one(lambda _path, victim: victim.kill())


if __name__ == "__main__":
    plenum.main([test_a_lane_gets_more_connections_where_one_is_slow, test_the_user_chooses_how_many,
                 test_a_number_that_is_none_is_told_of,
                 test_a_lane_s_own_connection_that_is_cut_ends_the_session,
                 test_one_connection_that_is_cut_ends_the_session_and_nobody_elses,
                 test_a_client_that_is_killed_leaves_nothing])
