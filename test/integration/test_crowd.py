"""Six clients, each with a network namespace of its own, share one CUDA device over tcp: every answer is right, nobody starves.

By hand, with `tcp` or `ivshmem` as argument, each client is in an emulated guest of its own instead: that takes minutes.
"""
import collections
import contextlib
import os
import select
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import networks
import plenum

PROGRAM = os.environ["PLENUM_TEST_VMCUDA"]
CLIENT = os.environ["PLENUM_TEST_CUDA_CLIENT"]
CLIENTS = 6
TURNS = 20
AHEAD_MAX = 12  # turns that another may make between two of one's own; equal clients take them nearly one by one


class Crowd:
    """Clients that begin together.  They write into one pipe, so that the order of their lines is that of their turns."""

    READY_S = plenum.LIMIT_S

    def __init__(self, server):
        self.server = server
        self.start, self.begin = os.pipe()
        said, self.say = os.pipe()
        self.said = os.fdopen(said)
        self.clients = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for client in self.clients.values():
            client.kill()
            client.communicate()
        self.said.close()
        for fd in self.start, self.begin, self.say:
            with contextlib.suppress(OSError):
                os.close(fd)

    def command(self, number):
        """What a client's program is started with."""
        return networks.command(number)

    def environment(self):
        return self.server.env("tcp", LD_LIBRARY_PATH=CLIENT)

    def spawn(self, number, arguments, **more):
        return subprocess.Popen([*self.command(number), PROGRAM, *arguments, "--each"], env=self.environment(),
                                stdin=self.start, stderr=subprocess.PIPE, **more)

    def add(self, size, arguments):
        """A client that sorts @size keys, which no other has: somebody else's answer is a wrong one."""
        client = self.spawn(len(self.clients) + 1, ["radixsort", "--size", str(size), *arguments], stdout=self.say)
        self.clients[size] = client
        said = plenum.wait_for(lambda: select.select([self.said], [], [], 0)[0] or client.poll() is not None, self.READY_S)
        assert said and client.poll() is None, client.communicate() if said else "not ready in time"
        line = self.said.readline()
        assert line == f"@ready {size}\n", line

    def check_apart(self):
        networks = {os.readlink(f"/proc/{client.pid}/ns/net") for client in self.clients.values()}
        assert len(networks | {os.readlink("/proc/self/ns/net")}) == len(self.clients) + 1

    def run(self):
        """Lets them begin.  Gives whose turn ended, in order."""
        self.check_apart()
        assert len(self.server.sessions()["sessions"]) == len(self.clients)
        os.close(self.begin)
        os.close(self.say)
        order, turns = [], collections.Counter()
        for word, *rest in map(str.split, self.said):
            if word != "@turn":
                continue
            size, number = map(int, rest)
            turns[size] += 1
            assert number == turns[size], (size, number)
            order.append(size)
        for client in self.clients.values():
            errors = client.communicate(timeout=plenum.LIMIT_S)[1]
            assert client.returncode == 0, errors
        return order


class Guests(Crowd):
    """Each client is in a guest of one virtual processor and 256 MiB."""

    READY_S = 900

    def __init__(self, server, link):
        super().__init__(server)
        self.link = link

    def command(self, number):
        address = self.server.tcp if self.link == "tcp" else self.server.regions[number - 1]
        return [plenum.TOOL, "vm", "--memory=256M", "--cpus=1", "--server", address, "run", "--"]

    def environment(self):
        return {**self.server.env(self.link, LD_LIBRARY_PATH=CLIENT), "PLENUM_TOKEN": self.server.token}

    def check_apart(self):
        pass


def ahead(size, order):
    """The most turns that one other made between two of this one's, or before its first."""
    most, since = 0, collections.Counter()
    for who in order[:len(order) - order[::-1].index(size)]:
        if who == size:
            most = max([most, *since.values()])
            since.clear()
        else:
            since[who] += 1
    return most


def sizes(n):
    return [65536 + 1024 * i for i in range(n)]


def check_shared(crowd):
    for size in sizes(CLIENTS):
        crowd.add(size, ["--repeat", str(TURNS), "--work", "6"])
    order = crowd.run()
    first_done = next(i for i, size in enumerate(order) if order[:i + 1].count(size) == TURNS)
    done = [order[:first_done + 1].count(size) for size in sizes(CLIENTS)]
    most = [ahead(size, order) for size in sizes(CLIENTS)]
    print(f"     turns of each when the first had {TURNS}: {done}; most turns of another between two: {most}")
    assert collections.Counter(order) == {size: TURNS for size in sizes(CLIENTS)}
    assert min(done) >= TURNS // 5, done
    assert max(most) <= AHEAD_MAX, most


def test_six_clients_share_a_device_and_none_starves():
    with plenum.Server(host=networks.SERVER, PLENUM_REFGPU_MEMORY="256M") as server, Crowd(server) as crowd:
        check_shared(crowd)


def test_six_guests_share_a_device_and_none_starves():
    link = sys.argv[1]
    with plenum.Server(region=CLIENTS, PLENUM_REFGPU_MEMORY="256M") as server, Guests(server, link) as crowd:
        check_shared(crowd)


def test_long_kernels_starve_nobody_and_are_not_starved():
    with plenum.Server(host=networks.SERVER, PLENUM_REFGPU_MEMORY="256M") as server, Crowd(server) as crowd:
        long, *small = sizes(CLIENTS)
        crowd.add(long, ["--repeat", "3", "--work", "40"])
        for size in small:
            crowd.add(size, ["--repeat", str(TURNS), "--work", "6"])
        order = crowd.run()
    most = [ahead(size, [who for who in order if who != long]) for size in small]
    print(f"     most turns of another small one between two: {most}; between two long ones: {ahead(long, order)}")
    assert collections.Counter(order) == {long: 3, **{size: TURNS for size in small}}
    assert max(most) <= AHEAD_MAX, most
    assert long in order[:len(order) - order[::-1].index(small[0])], "the long one had no turn before another had all of its own"


def test_one_too_many_is_refused_and_the_others_go_on():
    with plenum.Server("--sessions-limit", "2", host=networks.SERVER, PLENUM_REFGPU_MEMORY="256M") as server, Crowd(server) as crowd:
        for size in sizes(2):
            crowd.add(size, ["--repeat", "2"])
        third = crowd.spawn(3, ["radixsort", "--size", "1024"], stdout=subprocess.PIPE)
        out, errors = third.communicate(timeout=plenum.LIMIT_S)
        assert third.returncode == 1 and not out, (out, errors)
        assert collections.Counter(crowd.run()) == {size: 2 for size in sizes(2)}


def main():
    if sys.argv[1:]:
        plenum.main([test_six_guests_share_a_device_and_none_starves])
    networks.inside()
    plenum.main([test_six_clients_share_a_device_and_none_starves, test_long_kernels_starve_nobody_and_are_not_starved,
                 test_one_too_many_is_refused_and_the_others_go_on])


if __name__ == "__main__":
    main()
