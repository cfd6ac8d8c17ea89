"""Clients, workers, servers and links end at random moments: nothing hangs, nothing is left, nobody else notices."""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

SPARES = 3  # OpenCL, CUDA, NVML
ROUNDS = int(os.environ.get("PLENUM_FAULT_ROUNDS", "50"))  # of each of the four kinds
END_S = 30  # a program that lost its device ends within this, or it hangs


def start(server, mode, seed):
    return subprocess.Popen([plenum.program("endless"), str(seed)], env=server.env(mode), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def running(process):
    for line in process.stdout:
        if "running" in line:
            return True
        if "wrong" in line:
            raise AssertionError(line)
    return False


def ends_with_lost(process):
    try:
        out, _ = process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("the program hangs after its device was lost")
    assert process.returncode == 3 and "lost:" in out, f"exit {process.returncode}: {out[-500:]}"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def with_witness(kind):
    """kind(server, witness, rng, mode) does one round of harm; the witness is a session that must not notice."""
    rng = random.Random(11)
    with plenum.Server() as server:
        witness = start(server, "shm", 1)
        try:
            assert running(witness)
            before = None
            for i in range(ROUNDS):
                kind(server, rng, "shm" if i % 2 else "tcp", i)
                assert witness.poll() is None, f"round {i}: another session was harmed: {witness.stdout.read()[-300:]}"
                if i == 2:
                    assert plenum.wait_for(lambda: len(server.sessions()["sessions"]) == 1)
                    before = fds(server.process.pid)
            # Only the witness and a spare worker for each API are left, and the server holds as many files as before.
            assert plenum.wait_for(lambda: len(server.sessions()["sessions"]) == 1), server.sessions()
            assert plenum.wait_for(lambda: len(server.workers()) <= 1 + SPARES), server.workers()
            assert plenum.wait_for(lambda: fds(server.process.pid) <= before), (before, fds(server.process.pid))
        finally:
            witness.kill()
            witness.communicate()


def test_killed_clients():
    def harm(server, rng, mode, i):
        client = start(server, mode, i)
        if rng.random() < 0.5:
            running(client)
        time.sleep(rng.random() * 0.2)
        client.kill()
        client.communicate()

    with_witness(harm)


def worker_of(server, pid):
    for session in server.sessions()["sessions"]:
        if session["client_pid"] == pid:
            return session["worker_pid"]
    return None


def test_killed_workers():
    def harm(server, rng, mode, i):
        client = start(server, mode, i)
        assert running(client)
        time.sleep(rng.random() * 0.1)
        worker = worker_of(server, client.pid)
        assert worker, f"no session of {client.pid} in {server.sessions()}"
        if rng.random() < 0.5:
            os.kill(worker, signal.SIGKILL)
        else:  # a driver's compiler takes the first one for its own and lets the process go on; a real fault comes again
            plenum.wait_for(lambda: not alive(worker) or os.kill(worker, signal.SIGSEGV), seconds=5)
        ends_with_lost(client)

    with_witness(harm)


def test_killed_servers():
    rng = random.Random(12)
    for i in range(ROUNDS):
        with plenum.Server() as server:
            clients = [start(server, mode, i) for mode in ("shm", "tcp")]
            for client in clients:
                assert running(client)
            time.sleep(rng.random() * 0.1)
            workers = server.workers()
            server.process.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
            for client in clients:
                ends_with_lost(client)
            assert server.process.wait(END_S) is not None
            assert plenum.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in workers)), "workers are left"


def test_cut_links():
    def harm(server, rng, mode, i):
        address = server.tcp if mode == "tcp" else server.unix
        cut = rng.choice([300, 3000, 30000, 300000, 3000000])
        client = subprocess.Popen([plenum.program("endless"), str(i)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=server.env(f"hook:cut_after_bytes={cut + rng.randrange(1000)};{address}"), text=True)
        try:
            out, _ = client.communicate(timeout=END_S * 2)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
            raise AssertionError(f"hangs on a link that was cut after {cut} bytes")
        # Early cuts: there is no platform (1); later ones: the device is lost (3).  Never a crash or a wrong value.
        assert client.returncode in (1, 3) and "wrong" not in out, f"exit {client.returncode}: {out[-500:]}"

    with_witness(harm)


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_killed_clients, test_killed_workers, test_killed_servers, test_cut_links])
