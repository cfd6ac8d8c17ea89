"""What whoever runs a server does while programs use it: drains it, and puts another one in its place."""
import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum
from ops import Client, tool


class Hoard(Client):
    """A program that takes 1 MiB of device memory whenever it is asked to, and says how that went."""

    def __init__(self, server, mode):
        super().__init__(server, mode, PLENUM_TEST_TAKE=str(1 << 20))

    def take(self):
        return int(self.call())


def ended_well(server):
    return server.process.wait(plenum.LIMIT_S) == 0


def refused(server, mode):
    result = plenum.run([plenum.program("platforms")], server.env(mode, PLENUM_LOG="warn"), check=False)
    assert b"no platform" in result.stdout, result
    return result.stderr.decode()


# ---- drain ----

def test_drain_lets_programs_finish_and_then_the_server_ends():
    with plenum.Server() as server, Client(server, "shm") as shm, Client(server, "tcp") as tcp:
        said = tool("drain", "--server", server.unix).stdout
        assert "being drained" in said and "2 sessions left" in said, said
        for mode in ("shm", "tcp"):
            assert "being drained" in refused(server, mode)
        assert shm.call() == "called" and tcp.call() == "called"
        assert "being drained" in tool("ps", "--server", server.unix).stdout
        assert json.loads(tool("ps", "--json", "--server", server.unix).stdout)["draining"] is True
        assert "the server is being drained" in tool("doctor", "--server", server.unix, check=False).stdout
        assert shm.end() == 0
        assert plenum.wait_for(lambda: "1 session left" in tool("drain", "--server", server.unix).stdout)
        assert tcp.call() == "called" and tcp.end() == 0
        assert ended_well(server) and not os.path.exists(server.unix[5:])


def test_drain_wait_shows_what_is_left_until_the_end():
    with plenum.Server() as server, Client(server, "shm") as client:
        waits = subprocess.Popen([plenum.TOOL, "drain", "--wait", "--server", server.unix], stdout=subprocess.PIPE, text=True,
                                 env=plenum.native_env())
        assert "1 session left" in waits.stdout.readline()
        assert client.end() == 0
        rest = waits.communicate(timeout=plenum.LIMIT_S)[0]
        assert rest.endswith("the server has ended\n") and waits.returncode == 0, rest
        assert ended_well(server)


def test_drain_wait_is_not_misled_by_a_new_server():
    with plenum.Server() as old, Client(old, "shm") as one, Client(old, "shm") as two:
        waits = subprocess.Popen([plenum.TOOL, "drain", "--wait", "--server", old.unix], stdout=subprocess.PIPE, text=True,
                                 env=plenum.native_env())
        assert "2 sessions left" in waits.stdout.readline()
        with plenum.Server(at=old) as new, Client(new, "shm"):
            assert one.end() == 0
            assert waits.stdout.readline() == "1 session left\n"
            assert two.end() == 0
            assert waits.communicate(timeout=plenum.LIMIT_S)[0].endswith("the server has ended\n")
            assert waits.returncode == 0 and ended_well(old)
            assert len(new.sessions()["sessions"]) == 1


def test_drain_for_a_time_ends_the_rest():
    with plenum.Server() as server, Client(server, "shm") as client:
        assert tool("drain", "--wait", "--for", "0", "--server", server.unix).stdout.endswith("the server has ended\n")
        assert ended_well(server)
        assert client.call() == "failed"


def test_drain_says_what_is_wrong():
    result = tool("drain", "--server", "unix:/nowhere/plenum.sock", check=False)
    assert result.returncode == 1 and "no server at unix:/nowhere" in result.stderr, result
    for wrong in (("--for", "-1"), ("--for", "soon"), ("now",)):
        assert tool("drain", *wrong, check=False).returncode == 2


def replaced(*options):
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(plenum.Server())
        clients = [stack.enter_context(Client(old, mode)) for mode in ("shm", "tcp")]
        said = tool("drain", *options, "--server", old.unix).stdout
        drained = f"{old.unix}.drained-{old.process.pid}"
        assert (f"still listens on {drained}\n" in said) == bool(options), said
        new = stack.enter_context(plenum.Server(at=old))
        more = [stack.enter_context(Client(new, mode)) for mode in ("shm", "tcp")]
        for client in clients + more:
            assert client.call() == "called"
        for server, address in ((old, drained), (new, new.unix)):
            workers = {session["worker_pid"] for session in json.loads(tool("ps", "--json", "--server", address).stdout)["sessions"]}
            assert len(workers) == 2 and workers <= set(server.workers()), workers
        for client in clients:
            assert client.end() == 0
        assert ended_well(old) and not os.path.exists(drained[5:])
        for client in more:
            assert client.call() == "called" and client.end() == 0


def test_a_new_server_takes_a_drained_ones_addresses_and_ends_nobody():
    replaced()


def test_addresses_may_be_given_up_before():
    replaced("--release")


# ---- limit ----

def session_of(server):
    return server.sessions()["sessions"][0]


def test_limit_holds_for_a_session_that_is_running():
    with plenum.Server("--memory-limit", "64M") as server:
        for mode in ("shm", "tcp"):
            with Hoard(server, mode) as hoard:
                assert hoard.take() == 0
                session = session_of(server)
                assert session["memory_limit_bytes"] == 64 << 20 and session["memory_bytes"] >= 1 << 20, session
                said = tool("limit", str(session["id"]), "--memory", "1K", "--server", server.unix).stdout
                assert "1.0K, before 64M" in said, said
                taken = hoard.take(), session_of(server)["memory_bytes"]
                assert taken[0] != 0 and taken[1] == session["memory_bytes"], (taken, session)
                tool("limit", str(session["id"]), "--memory", "8M", "--objects", "1000", "--host", "1G", "--inflight", "2G",
                     "--server", server.unix)
                assert hoard.take() == 0
                now = session_of(server)
                assert [now[key] for key in ("memory_limit_bytes", "objects_limit", "host_limit_bytes", "inflight_limit_bytes")] \
                    == [8 << 20, 1000, 1 << 30, 2 << 30], now
                assert now["memory_peak_bytes"] >= 2 << 20
            assert plenum.wait_for(lambda: not server.sessions()["sessions"])


def test_limit_shows_and_says_what_is_wrong():
    with plenum.Server() as server, Client(server, "shm"):
        session = str(session_of(server)["id"])
        assert "device memory        no limit\n" in tool("limit", session, "--server", server.unix).stdout
        result = tool("limit", "77", "--memory", "1M", "--server", server.unix, check=False)
        assert result.returncode == 1 and "no such session" in result.stderr, result
        for wrong in ((), ("none",), (session, "--memory", "0"), (session, "--memory", "lots"), (session, "--objects", "9999999"),
                      (session, "--host", "9999999T"), (session, "--inflight", "8388608T"), (session, "2")):
            assert tool("limit", *wrong, "--server", server.unix, check=False).returncode == 2, wrong
        assert session_of(server)["memory_limit_bytes"] is None


# ---- the log ----

def test_log_tells_what_a_session_did():
    with plenum.Server() as server:
        for mode in ("shm", "tcp"):
            with Hoard(server, mode) as hoard:
                assert [hoard.take() for _ in range(3)] == [0, 0, 0]
                session = session_of(server)
                assert hoard.end() == 0
            assert plenum.wait_for(lambda: f"end session={session['id']} " in server.log_text())
            lines = [line for line in server.log_text().splitlines() if f" session={session['id']} " in line]
            begins, ends = (dict(part.split("=") for part in line.split()[3:]) for line in lines)
            for said in (begins, ends):
                assert said["api"] == "opencl" and said["program"] == '"idle"' and said["address"] == session["address"], said
                assert said["who"] == (f"uid:{os.getuid()}" if mode == "shm" else "token"), said
            assert begins["worker"] == str(session["worker_pid"]) and ends["why"] == "client", lines
            assert int(ends["asks"]) >= session["asks"] and int(ends["posts"]) >= session["posts"], (ends, session)
            assert int(ends["bytes_in"]) >= session["bytes_in"] > 0 and int(ends["bytes_out"]) > 0, (ends, session)
            assert int(ends["memory_peak_bytes"]) == 3 << 20 and float(ends["seconds"]) > 0, ends


# ---- top ----

@contextlib.contextmanager
def busy(client):
    """The program makes calls all the time."""
    ends = threading.Event()

    def work():
        while not ends.is_set():
            client.call()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def test_top_has_the_busiest_first():
    with plenum.Server() as server, Client(server, "shm") as idle, Client(server, "tcp") as works:
        with busy(works):
            said = tool("top", "-n", "2", "-d", "0.4", "--server", server.unix).stdout
        assert "\033" not in said and said.count(f"2 sessions at {server.unix}\n") == 2, said
        for frame in said.rstrip("\n").split("\n\n2 sessions"):
            first, second = (line.split() for line in frame.rstrip("\n").split("\n")[-2:])
            assert first[:1] + first[2:4] == ["2", "idle", "opencl"] and second[0] == "1", frame
            assert first[1].startswith("127.0.0.1:") and float(first[5]) > 0 and float(second[5]) == 0, frame
        assert idle.call() == "called"


class Terminal:
    """`plenum top` on a terminal of its own."""

    def __init__(self, server, *options):
        self.ours, self.its = pty.openpty()
        fcntl.ioctl(self.its, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 40, 0, 0))
        self.before = termios.tcgetattr(self.its)
        self.said = b""
        self.process = subprocess.Popen([plenum.TOOL, "top", "--server", server.unix, *options], stdin=self.its, stdout=self.its,
                                        stderr=subprocess.PIPE, env=plenum.native_env(), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def read(self, text):
        while text not in self.said:
            assert select.select([self.ours], [], [], plenum.LIMIT_S)[0], self.said
            self.said += os.read(self.ours, 4096)

    def key(self, key):
        os.write(self.ours, key)

    def end(self):
        """Return: exit status; the terminal is as it was."""
        status = self.process.wait(plenum.LIMIT_S)
        self.read(b"\033[?25h")
        assert termios.tcgetattr(self.its) == self.before
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.ours)
        os.close(self.its)


def test_top_stays_in_place_and_leaves_the_terminal_as_it_was():
    with plenum.Server() as server, Client(server, "shm"), Client(server, "shm"), Client(server, "shm"):
        for key in (b"q", b"\x03", None):
            with Terminal(server, "-d", "0.1") as top:
                top.read(b"3 sessions")
                top.read(b"PROGRAM")
                assert not termios.tcgetattr(top.its)[3] & (termios.ICANON | termios.ECHO)
                top.key(b"x")  # of no meaning
                for _ in range(2):
                    top.said = top.said.rpartition(b"\033[J")[2]
                    top.read(b"\033[J")
                frame = top.said.partition(b"\033[J")[0]
                assert frame.startswith(b"\033[H3 sessions at ") and frame.count(b"idle") == 1, frame  # of 5 lines
                for line in frame.split(b"\r\n"):
                    assert len(line.replace(b"\033[K", b"").replace(b"\033[H", b"").replace(b"\033[J", b"")) <= 40, line
                if key:
                    top.key(key)
                else:
                    top.process.terminate()
                assert top.end() == 0


def test_top_says_when_the_server_has_gone():
    with plenum.Server() as server:
        with Terminal(server, "-d", "0.1") as top:
            top.read(b"0 sessions")
            server.stop()
            assert top.end() == 1 and b"no server at" in top.process.stderr.read()
    for wrong in (("-d", "0"), ("-d", "nan"), ("-d", "1e9"), ("-n", "0"), ("now",)):
        assert tool("top", *wrong, check=False).returncode == 2, wrong


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_drain_lets_programs_finish_and_then_the_server_ends, test_drain_wait_shows_what_is_left_until_the_end,
                 test_drain_wait_is_not_misled_by_a_new_server, test_drain_for_a_time_ends_the_rest, test_drain_says_what_is_wrong,
                 test_a_new_server_takes_a_drained_ones_addresses_and_ends_nobody, test_addresses_may_be_given_up_before,
                 test_limit_holds_for_a_session_that_is_running,
                 test_limit_shows_and_says_what_is_wrong, test_log_tells_what_a_session_did, test_top_has_the_busiest_first,
                 test_top_stays_in_place_and_leaves_the_terminal_as_it_was, test_top_says_when_the_server_has_gone])
