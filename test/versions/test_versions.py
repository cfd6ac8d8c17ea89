"""Client and server of different releases: functions are agreed by name, what one lacks is refused alone."""
import contextlib
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

VERSIONS = os.environ["PLENUM_VERSIONS"]
INVALID_OPERATION = "-59"


@contextlib.contextmanager
def other_server():
    """The server of the other release."""
    own, plenum.TOOL = plenum.TOOL, os.environ["PLENUM_OTHER_SERVER"]
    try:
        server = plenum.Server()
    finally:
        plenum.TOOL = own
    with server:
        yield server


def answers(out):
    return dict(line.split(": ", 1) for line in out.decode().splitlines())


def test_what_differs_is_refused_alone():
    with other_server() as server:
        for mode in ("shm", "tcp"):
            result = plenum.run([VERSIONS], server.env(mode, PLENUM_LOG="warn"))
            said = answers(result.stdout)
            assert said["migrate"] == said["sampler"] == INVALID_OPERATION, said
            assert said["migrate with an event"] == INVALID_OPERATION + ", no event", said
            assert said["work"] == "1000 of 1000, 4000 bytes", said
            log = result.stderr.decode()
            assert log.count("clEnqueueMigrateMemObjects is refused") == 1, log
            assert log.count("clCreateSampler is refused") == 1, log
            assert log.count("refused") == 2, log
        assert "another release" in server.log_text()


def test_the_same_release_refuses_nothing():
    with plenum.Server() as server:
        result = plenum.run([VERSIONS], server.env("shm", PLENUM_LOG="info"))
        said = answers(result.stdout)
        assert said["work"] == "1000 of 1000, 4000 bytes", said
        assert said["migrate"] == "0", said
        assert b"another release" not in result.stderr, result.stderr
        assert "another release" not in server.log_text()


def test_other_programs_work_as_with_the_same_release():
    with plenum.Server() as same, other_server() as other:
        for program in ("transfers", "threads", "forked", "svm"):
            command = [plenum.program(program)]
            for mode in ("shm", "tcp"):
                expected = plenum.run(command, same.env(mode)).stdout
                assert plenum.run(command, other.env(mode)).stdout == expected, (program, mode)


def test_no_round_trip_more():
    """The server's table comes with the greeting: even between releases nothing is asked for it.  Once in a while a
    finish needs no question, because the end is known by then: what most of a few runs count."""
    command = [plenum.program("steady"), "finish", "1"]
    with plenum.Server() as same, other_server() as other:
        for mode in ("shm", "tcp"):
            counts = []
            for server in (same, other):
                runs = [plenum.stats_of(server, mode, command)[0] for _ in range(5)]
                counts.append([statistics.mode(run[key] for run in runs) for key in ("asks", "posts")])
            assert counts[0] == counts[1], (mode, counts)


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_what_differs_is_refused_alone, test_the_same_release_refuses_nothing,
                 test_other_programs_work_as_with_the_same_release, test_no_round_trip_more])
