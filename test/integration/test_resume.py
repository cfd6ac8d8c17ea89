"""Connections over tcp are cut while programs use them: the sessions go on, or end for good when their time is over."""
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import networks
import plenum

PROGRAM = os.environ["PLENUM_TEST_VMCUDA"]
CLIENT = os.environ["PLENUM_TEST_CUDA_CLIENT"]
SIZE = 65536
SPARES = 3  # OpenCL, CUDA, NVML
CUTS_MAX = 60  # each costs a moment: then the program may end in peace


class Client:
    """A program in a network of its own, which checks each of its turns."""

    def __init__(self, server, number, *arguments):
        self.number = number
        self.address = f"10.198.{number}.2"
        env = server.env("tcp", LD_LIBRARY_PATH=CLIENT, PLENUM_CONNECTIONS="1",
                         PLENUM_LOG=os.environ.get("PLENUM_TEST_LOG", "info"))
        self.errors = tempfile.TemporaryFile("w+")  # it says a line for each cut, and nobody reads meanwhile
        self.process = subprocess.Popen([*networks.command(number), PROGRAM, *arguments, "--each"], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        line = self.process.stdout.readline()
        assert line.startswith("@ready"), (line, self.end())

    def begin(self):
        self.process.stdin.close()
        self.process.stdin = None

    def cable(self, state):
        subprocess.run(["ip", "link", "set", f"plc{self.number}", state], check=True)

    def network_end(self):
        """That of a client which ends takes a moment, and the next one's has the same name."""
        subprocess.run(["ip", "link", "delete", f"plc{self.number}"], capture_output=True)

    def cut(self, at_client=False):
        """Resets all its connections, as the system of either end does it.  Gives how many there were."""
        words = ["ss", "-K", "-tnH", "state", "established", "dst", self.address]
        if at_client:
            words = ["nsenter", "-t", str(self.process.pid), "-n", "ss", "-K", "-tnH", "dst", networks.SERVER]
        result = subprocess.run(words, capture_output=True, text=True, timeout=plenum.LIMIT_S)
        assert result.returncode == 0 or plenum.wait_for(lambda: self.process.poll() is not None, 10), result.stderr
        return len(result.stdout.splitlines())

    def turns(self):
        """One for each turn, as it ends."""
        for line in self.process.stdout:
            if line.startswith("@turn"):
                yield int(line.split()[2])

    def end(self):
        out, _ = self.process.communicate(timeout=plenum.LIMIT_S)
        self.errors.seek(0)
        return self.process.returncode, out, self.errors.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(ValueError):
            self.process.communicate()
        self.errors.close()
        self.network_end()


def cuts_until_it_ends(client, rng):
    """At random moments of the program, at either end."""
    count = 0
    while client.process.poll() is None:
        time.sleep(rng.uniform(0.01, 0.15))
        if count < CUTS_MAX:
            count += client.cut(at_client=rng.random() < 0.3) > 0
    return count


def check_survives(kind, turns, *arguments):
    rng = random.Random(len(kind) + turns)
    with plenum.Server("--grace", "20", host=networks.SERVER, PLENUM_REFGPU_MEMORY="512M") as server:
        with Client(server, 1, kind, "--repeat", str(turns), *arguments) as client:
            client.begin()
            next(client.turns())
            assert client.cut()
            assert plenum.wait_for(lambda: server.sessions()["sessions"][0]["resumed"], plenum.LIMIT_S)
            cuts = cuts_until_it_ends(client, rng)
            code, out, errors = client.end()
            assert code == 0, (cuts, errors[-2000:])
            assert out.count("@turn") == turns - 1, out
        assert cuts >= 5, cuts
        waits = server.log_text().count("its connection is cut")
        print(f"     {kind}: {turns} turns, connections cut {cuts} times; the server waited {waits} times")
        assert plenum.wait_for(lambda: len(server.workers()) == SPARES, plenum.LIMIT_S)  # cut while it ended: after the grace


def test_a_program_that_computes_goes_on():
    check_survives("radixsort", 40, "--size", str(SIZE), "--work", "6")


def test_payloads_are_not_lost_nor_sent_twice():
    check_survives("stereo", 12)


def test_pinned_memory_goes_on():
    check_survives("blackscholes", 12, "--pinned")


def test_who_does_not_come_back_is_given_up_and_nobody_else_notices():
    with plenum.Server("--grace", "6", host=networks.SERVER, PLENUM_REFGPU_MEMORY="256M") as server:
        with Client(server, 1, "radixsort", "--size", str(SIZE), "--repeat", "100000", "--work", "6") as lost, \
                Client(server, 2, "radixsort", "--size", str(SIZE), "--repeat", "60", "--work", "6") as other:
            lost.begin()
            other.begin()
            next(lost.turns())
            lost.cable("down")
            assert lost.cut() and lost.cut(at_client=True)
            assert plenum.wait_for(lambda: any(s["cut_ms"] for s in server.sessions()["sessions"]), plenum.LIMIT_S)
            code, out, errors = lost.end()
            assert code == 1 and "CUDA" in errors, (code, errors[-2000:])
            assert plenum.wait_for(lambda: "has not come back" in server.log_text(), plenum.LIMIT_S)
            code, out, errors = other.end()
            assert code == 0 and out.count("@turn") == 60, errors[-2000:]
        assert plenum.wait_for(lambda: len(server.workers()) == SPARES, plenum.LIMIT_S)


def test_a_client_that_ends_while_it_is_cut_is_freed():
    with plenum.Server("--grace", "2", host=networks.SERVER, PLENUM_REFGPU_MEMORY="256M") as server:
        with Client(server, 1, "radixsort", "--size", str(SIZE), "--repeat", "100000", "--work", "6") as client:
            client.begin()
            next(client.turns())
            client.cable("down")
            assert client.cut()
            client.process.kill()
            client.process.wait()
        assert plenum.wait_for(lambda: len(server.workers()) == SPARES, plenum.LIMIT_S)


def test_without_grace_a_cut_is_the_end():
    with plenum.Server("--grace", "off", host=networks.SERVER, PLENUM_REFGPU_MEMORY="256M") as server:
        with Client(server, 1, "radixsort", "--size", str(SIZE), "--repeat", "100000", "--work", "6") as client:
            client.begin()
            next(client.turns())
            assert client.cut()
            code, out, errors = client.end()
            assert code == 1 and "CUDA" in errors, (code, errors[-2000:])
        assert plenum.wait_for(lambda: len(server.workers()) == SPARES, plenum.LIMIT_S)
        assert "it waits" not in server.log_text()


def main():
    networks.inside()
    if not shutil.which("ss"):
        plenum.skip("no ss, which cuts connections")
    plenum.main([test_a_program_that_computes_goes_on, test_payloads_are_not_lost_nor_sent_twice, test_pinned_memory_goes_on,
                 test_who_does_not_come_back_is_given_up_and_nobody_else_notices, test_a_client_that_ends_while_it_is_cut_is_freed,
                 test_without_grace_a_cut_is_the_end])


if __name__ == "__main__":
    main()
