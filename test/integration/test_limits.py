"""Limits hold, many sessions are served, an idle session costs little, and nothing stays when clients leave."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

SESSIONS = int(os.environ.get("PLENUM_SESSIONS", "100"))


def test_memory_limit():
    with plenum.Server("--memory-limit", "64M") as server:
        for mode in ("shm", "tcp"):
            out = plenum.run([plenum.program("hoard"), "memory", str(1 << 20), "1000"], server.env(mode)).stdout.decode()
            made = int(out.split()[1])
            assert 1 <= made <= 64, out


def test_object_limit():
    with plenum.Server("--objects-limit", "500") as server:
        out = plenum.run([plenum.program("hoard"), "kernels", "0", "2000"], server.env("shm")).stdout.decode()
        assert 1 <= int(out.split()[1]) <= 500, out


def test_many_sessions_at_once():
    with plenum.Server("--sessions-limit", str(SESSIONS + 10)) as server:
        clients = [subprocess.Popen([plenum.program("idle")], env=server.env("shm"), stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE) for _ in range(SESSIONS)]
        try:
            for client in clients:
                assert b"ready" in client.stdout.readline()
            sessions = server.sessions()["sessions"]
            assert len(sessions) == SESSIONS, len(sessions)
        finally:
            for client in clients:
                client.stdin.close()
        assert all(client.wait(60) == 0 for client in clients)
        assert plenum.wait_for(lambda: not server.sessions()["sessions"])


def test_session_limit():
    with plenum.Server("--sessions-limit", "2") as server:
        first = [subprocess.Popen([plenum.program("idle")], env=server.env("shm"), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) for _ in range(2)]
        for client in first:
            assert b"ready" in client.stdout.readline()
        third = plenum.run([plenum.program("platforms")], server.env("shm", PLENUM_LOG="warn"), check=False)
        assert b"no platform" in third.stdout and b"session" in third.stderr, third
        for client in first:
            client.stdin.close()
            client.wait(60)


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_memory_limit, test_object_limit, test_many_sessions_at_once, test_session_limit])
