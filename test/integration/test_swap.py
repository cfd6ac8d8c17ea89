"""Sessions have more device memory together than the device: what idle ones have goes to host memory and comes back."""
import os
import re
import select
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE, REMOTE = sys.argv[1:3]
TENANT = os.path.join(os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", ""), "cuda-tenant")
PTX = os.environ.get("PLENUM_TEST_PTX_DIR") or os.path.join(os.path.dirname(__file__), "..", "cuda")
MIB = 1 << 20
PROGRAMS = [("order", "tcp"), ("launch", "shm"), ("pinned", "tcp"), ("graphs", "shm"), ("parts", "tcp"), ("registered", "shm")]
PROGRAMS_OF_SLABS = [("order", "tcp"), ("textures", "tcp"), ("graphs", "shm"), ("parts", "shm")]
LEFT_OUT = ["test_a_kernel_that_never_ends_is_ended_by_watchdog_and_by_interrupt"]  # its limit is the server's


class Tenant:
    def __init__(self, server, mode="shm"):
        self.process = subprocess.Popen([TENANT], env=server.env(mode, PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_TEST_PTX_DIR=PTX),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.hear() == "ready"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline().strip()
        assert line, f"the program has ended: {self.process.wait(60)}"
        return line

    def do(self, line):
        self.say(line)
        return self.hear()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()


def server(memory, more, *options, **env):
    return plenum.Server("--cuda", NATIVE, "--device-memory", memory, "--oversubscribe", more, "--verbose", *options, **env)


def sessions(of):
    return {s["client_pid"]: s for s in of.sessions()["sessions"]}


def account(of):
    """In bytes: in the device, what there is, both with host memory; sessions that wait."""
    out = plenum.run([plenum.TOOL, "stats", "--server", of.unix], plenum.native_env()).stdout.decode()
    line = next(line for line in out.splitlines() if line.startswith("device 0:"))
    return dict(zip(("resident", "all", "claimed", "waiting"), map(int, re.findall(r"\d+", line)[1:])))


def readable(file):
    return bool(select.select([file], [], [], 0.01)[0])


def test_idle_programs_memory_makes_room_and_comes_back():
    with server("128M", "256M") as of:
        tenants = [Tenant(of, mode) for mode in ("shm", "tcp", "shm")]
        for tenant in tenants:
            assert tenant.do("alloc 6 16") == "made 6"
        books = account(of)
        assert books["claimed"] == 3 * 96 * MIB and books["resident"] <= 128 * MIB, books
        for _ in range(3):
            for tenant in tenants:
                tenant.do("work 2")
                now = account(of)
                assert now["resident"] <= 128 * MIB, now
                assert sessions(of)[tenant.process.pid]["swapped_bytes"] == 0  # a program that works has all of its memory
        for tenant in tenants:
            assert tenant.do("check") == "right"
        told = sessions(of).values()
        assert sum(s["swap_out_bytes"] for s in told) > 128 * MIB, told
        assert sum(s["swapped_bytes"] for s in told) >= (3 * 96 - 128) * MIB, told
        assert all(s["memory_bytes"] >= 96 * MIB for s in told), told
        for tenant in tenants:
            assert tenant.do("free") == "freed"
            tenant.end()
        assert plenum.wait_for(lambda: account(of)["claimed"] == 0)


def test_no_more_moves_than_is_wanted():
    """Two programs that together have 32 MiB too much exchange 32 MiB, not all that they have."""
    with server("128M", "256M") as of:
        one, other = Tenant(of), Tenant(of)
        one.do("alloc 5 16")
        other.do("alloc 5 16")
        assert sessions(of)[one.process.pid]["swapped_bytes"] == 32 * MIB
        before = sessions(of)[other.process.pid]["swap_out_bytes"]
        one.do("work 1")
        assert sessions(of)[other.process.pid]["swap_out_bytes"] - before == 32 * MIB
        assert one.do("check") == "right" and other.do("check") == "right"
        one.end()
        other.end()


def test_programs_that_work_all_the_time_take_turns():
    with server("96M", "256M", "--oversubscribe-stay", "100") as of:
        tenants = [Tenant(of, mode) for mode in ("shm", "tcp", "shm")]
        for tenant in tenants:
            assert tenant.do("alloc 4 16") == "made 4"
        end = time.monotonic() + 6
        for tenant in tenants:
            tenant.say("work 1")
        rounds = {tenant: 0 for tenant in tenants}
        while time.monotonic() < end:  # each has the next round to do as soon as it has ended one
            for tenant in tenants:
                if readable(tenant.process.stdout):
                    rounds[tenant] = int(tenant.hear().split()[1])
                    tenant.say("work 1")
        for tenant in tenants:
            rounds[tenant] = int(tenant.hear().split()[1])
            assert tenant.do("check") == "right"
        assert min(rounds.values()) >= 5, rounds
        assert all(s["swap_in_bytes"] for s in sessions(of).values())
        for tenant in tenants:
            tenant.end()


def test_parts_that_a_program_maps_come_and_go_with_their_mappings():
    with server("64M", "256M") as of:
        one, other = Tenant(of), Tenant(of, "tcp")
        assert one.do("parts 3 16") == "made 3" and one.do("alloc 1 16") == "made 4"
        assert other.do("parts 4 16") == "made 4"
        assert sessions(of)[one.process.pid]["swapped_bytes"] == 64 * MIB
        for _ in range(2):
            one.do("work 1")
            other.do("work 1")
        assert one.do("check") == "right" and other.do("check") == "right"
        assert one.do("parts 1 16") == "made 4"  # more than the device has
        assert one.do("free") == "freed" and one.do("info") == "info 64 64"  # the client keeps nothing in hand then
        assert account(of)["claimed"] == 64 * MIB
        assert one.do("parts 1 16") == "made 1" and one.do("check") == "right"
        one.end()
        other.end()


def test_what_finds_no_room_at_all_is_out_of_memory():
    with server("64M", "64M") as of:
        one, other = Tenant(of), Tenant(of)
        assert one.do("alloc 8 16") == "made 4"  # more than the device has is not to be had
        assert other.do("alloc 8 16") == "made 4"
        third = Tenant(of)
        assert third.do("alloc 1 16") == "made 0"  # nor more than device and host memory
        assert one.do("check") == "right" and other.do("check") == "right"
        one.end()
        assert plenum.wait_for(lambda: account(of)["claimed"] == 64 * MIB)
        assert third.do("alloc 8 16") == "made 4"
        assert third.do("work 1") == "worked 1" and third.do("check") == "right" and other.do("check") == "right"
        other.end()
        third.end()


def test_memory_under_a_kernel_does_not_move():
    with server("64M", "256M", "--oversubscribe-stay", "0") as of:
        one, other = Tenant(of), Tenant(of)
        assert one.do("alloc 4 16") == "made 4"
        assert one.do("hold 1500") == "holds"
        other.say("alloc 4 16")
        time.sleep(0.5)
        assert sessions(of)[one.process.pid]["swapped_bytes"] == 0
        assert account(of)["waiting"] == 1
        assert one.hear() == "held"
        assert other.hear() == "made 4"
        assert one.do("work 1") == "worked 1" and one.do("check") == "right" and other.do("check") == "right"
        one.end()
        other.end()


def test_a_program_that_dies_leaves_its_room_to_others():
    with server("64M", "256M", "--oversubscribe-stay", "50") as of:
        stays = Tenant(of)
        assert stays.do("alloc 4 16") == "made 4"
        for mode in ("shm", "tcp") * 3:
            dies = Tenant(of, mode)
            dies.do("alloc 4 16")
            dies.say("work 1000")
            stays.say("work 1")
            time.sleep(0.2)
            dies.process.kill()
            dies.process.wait()
            dies.process.stdin.close()
            dies.process.stdout.close()
            assert stays.hear().startswith("worked")
        assert stays.do("check") == "right"
        assert plenum.wait_for(lambda: account(of)["claimed"] == 64 * MIB)
        stays.end()


def tool(of, *words):
    return plenum.run([plenum.TOOL, *map(str, words), "--server", of.unix], plenum.native_env(), check=False)


def test_a_session_is_suspended_and_resumed():
    with server("64M", "256M") as of:
        one = Tenant(of)
        assert one.do("alloc 4 16") == "made 4"
        number = sessions(of)[one.process.pid]["id"]
        told = tool(of, "suspend", number)
        assert told.returncode == 0 and b"64M of 64M" in told.stdout, told
        assert sessions(of)[one.process.pid]["state"] == "suspended"
        other = Tenant(of)
        assert other.do("alloc 4 16") == "made 4" and other.do("check") == "right"
        other.end()
        one.say("work 1")
        time.sleep(0.5)
        assert not readable(one.process.stdout) and sessions(of)[one.process.pid]["state"] == "suspended"
        assert tool(of, "resume", number).returncode == 0
        assert one.hear() == "worked 1" and one.do("check") == "right"
        assert sessions(of)[one.process.pid]["state"] == "runs"
        assert one.do("hold 1500") == "holds"
        told = tool(of, "suspend", number, "--wait", 1)
        assert told.returncode == 1 and b"still works" in told.stderr and b"0 of 64M" in told.stdout, told
        assert plenum.wait_for(lambda: sessions(of)[one.process.pid]["state"] == "suspended")  # the kernel has ended
        assert tool(of, "resume", number).returncode == 0
        assert one.hear() == "held"
        assert one.do("work 1") == "worked 2" and one.do("check") == "right" and one.do("free") == "freed"
        none = Tenant(of, "tcp")  # of a session without memory that could be moved the calls wait all the same
        number = sessions(of)[none.process.pid]["id"]
        assert tool(of, "suspend", number).returncode == 0
        none.say("info")
        time.sleep(0.3)
        assert not readable(none.process.stdout)
        assert tool(of, "resume", number).returncode == 0
        assert none.hear() == "info 64 64"
        told = tool(of, "suspend", number + 100)
        assert told.returncode == 1 and b"no such session" in told.stderr, told
        one.end()
        none.end()
    with plenum.Server("--cuda", NATIVE) as of:
        one = Tenant(of)
        told = tool(of, "suspend", sessions(of)[one.process.pid]["id"])
        assert told.returncode == 1 and b"--oversubscribe" in told.stderr, told
        one.end()


def suspended_and_resumed(of, tenant):
    """All that it has goes to host memory and comes back.  Gives how much."""
    number = sessions(of)[tenant.process.pid]["id"]
    told = tool(of, "suspend", number)
    assert told.returncode == 0, told
    books, there = account(of), sessions(of)[tenant.process.pid]
    assert there["state"] == "suspended" and there["swapped_bytes"] == books["claimed"] and not books["resident"], (there, books)
    assert tool(of, "resume", number).returncode == 0
    return there["swapped_bytes"]


def test_small_allocations_move_where_all_of_them_are_to():
    with server("1G", "1G", PLENUM_MOVABLE_SMALL="1") as of:
        for mode in ("shm", "tcp"):
            one = Tenant(of, mode)
            assert one.do("pairs 2000") == "paired"
            assert 0 < account(of)["claimed"] <= 8 * MIB, account(of)  # the client keeps some in hand
            for _ in range(4):
                _, count, size = one.do("smalls 500").split()
                moved = suspended_and_resumed(of, one)
                assert int(count) > 20 and int(size) <= moved < 2 * int(size) + 8 * MIB, (count, size, moved)
                assert one.do("check") == "right"
            assert one.do("alloc 3 16") == "made 3" and one.do("work 2") == "worked 2"
            suspended_and_resumed(of, one)
            assert one.do("work 1") == "worked 3" and one.do("check") == "right"
            assert one.do("free") == "freed" and one.do("info") == "info 1024 1024"
            assert account(of)["claimed"] <= 2 * MIB, account(of)  # one slab that is empty stays
            suspended_and_resumed(of, one)
            assert one.do("smalls 300").startswith("smalls") and one.do("check") == "right"
            one.end()
            assert plenum.wait_for(lambda: account(of)["claimed"] == 0)


def natively(lines):
    env = dict(plenum.native_env(), PLENUM_TEST_LIBCUDA=NATIVE, PLENUM_TEST_PTX_DIR=PTX)
    return plenum.run([TENANT], env, input="".join(line + "\n" for line in lines).encode()).stdout.decode().split("\n")[1:-1]


def test_pitched_memory_moves_where_all_is_to():
    """With the pitch, and the errors, that it has natively."""
    asked = [f"pitch {width} {height} {element}" for width in (0, 1, 100, 512, 513, 5000, 300001) for height in (0, 1, 3, 40)
             for element in (3, 4, 16)]
    want = natively(asked)
    with server("1G", "1G", PLENUM_MOVABLE_SMALL="1") as of:
        for mode in ("shm", "tcp"):
            one = Tenant(of, mode)
            assert [one.do(line) for line in asked] == want
            suspended_and_resumed(of, one)
            assert one.do("check") == "right" and one.do("free") == "freed" and one.do("info") == "info 1024 1024"
            one.end()
            assert plenum.wait_for(lambda: account(of)["claimed"] == 0)


def test_a_slab_that_is_empty_makes_room():
    with server("64M", "64M", PLENUM_MOVABLE_SMALL="1") as of:
        one = Tenant(of)
        assert one.do("pairs 10") == "paired" and account(of)["claimed"] == 2 * MIB
        assert one.do("alloc 4 16") == "made 4" and account(of)["claimed"] == 64 * MIB
        assert one.do("work 1") == "worked 1" and one.do("check") == "right"
        one.end()


def same_beside_a_hungry_one(name, mode, of, seconds):
    env = dict(PLENUM_TEST_PTX_DIR=PTX, PLENUM_REFGPU_MEMORY="1G", PLENUM_TEST_REMOTE="1", PLENUM_TEST_SKIP=",".join(LEFT_OUT))
    program = os.path.join(os.path.dirname(TENANT), "cuda-" + name)
    native = plenum.run([program], dict(plenum.native_env(), PLENUM_TEST_LIBCUDA=NATIVE, **env), timeout=seconds)
    remote = plenum.run([program], of.env(mode, PLENUM_TEST_LIBCUDA=REMOTE, **env), timeout=seconds, check=False)
    assert remote.returncode == native.returncode and remote.stdout == native.stdout, (
        f"{name} over {mode}: exit {remote.returncode}\n{remote.stdout.decode(errors='replace')[-2000:]}"
        f"{remote.stderr.decode(errors='replace')[-2000:]}")


def same_whose_memory_comes_and_goes(programs, **env):
    """Another one wants the whole device, again and again."""
    with server("192M", "2G", "--oversubscribe-stay", "0", **env) as of:
        hungry = Tenant(of)
        assert hungry.do("alloc 48 4") == "made 48"
        going = threading.Event()

        def again():
            while not going.wait(0.2):
                hungry.do("work 1")

        thread = threading.Thread(target=again)
        thread.start()
        try:
            for name, mode in programs:
                same_beside_a_hungry_one(name, mode, of, 120)
        finally:
            going.set()
            thread.join()
        assert hungry.do("check") == "right"
        assert sessions(of)[hungry.process.pid]["swap_in_bytes"] > 0
        hungry.end()


def test_programs_print_the_same_whose_memory_comes_and_goes():
    """Each allocation is one that can be moved."""
    same_whose_memory_comes_and_goes(PROGRAMS, PLENUM_MOVABLE_MIN="1")


def test_programs_print_the_same_whose_slabs_come_and_go():
    same_whose_memory_comes_and_goes(PROGRAMS_OF_SLABS, PLENUM_MOVABLE_SMALL="1")


def test_copies_between_servers_find_memory_that_was_out():
    """They come outside the session's order, on threads that no call of the program's has brought the memory back for."""
    more = dict(token="one-for-both-of-them", PLENUM_MOVABLE_MIN="1")
    with server("96M", "1G", "--oversubscribe-stay", "0", "--nvml", "off", **more) as one, \
         server("96M", "1G", "--oversubscribe-stay", "0", "--nvml", "off", PLENUM_REFGPU_NUMBER="1", **more) as other:
        hungry = [Tenant(of) for of in (one, other)]
        for tenant in hungry:
            assert tenant.do("alloc 24 4") == "made 24"
        going = threading.Event()

        def again(tenant):
            while not going.is_set():
                tenant.do("work 1")
                going.wait(0.4)

        threads = [threading.Thread(target=again, args=(tenant,)) for tenant in hungry]
        for thread in threads:
            thread.start()
        try:
            env = one.env("shm", PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_TEST_PTX_DIR=PTX, PLENUM_PEERS="off")
            env["PLENUM"] = f"{one.unix},{other.unix}"
            done = plenum.run([os.path.join(os.path.dirname(TENANT), "cuda-carried")], env, timeout=100, check=False)
            log = (done.stdout + done.stderr).decode(errors="replace")
            assert done.returncode == 0, f"exit {done.returncode}\n{log[-2000:]}"
        finally:
            going.set()
            for thread in threads:
                thread.join()
        for tenant in hungry:
            assert tenant.do("check") == "right"
            tenant.end()


def test_a_kernel_that_stays_costs_one_thread():
    """Its device is waited for by a thread that nobody can end; who is asked again does not begin another wait."""
    with server("64M", "256M", "--oversubscribe-stay", "0") as of:
        one, other = Tenant(of), Tenant(of)
        assert one.do("alloc 4 16") == "made 4"
        worker = sessions(of)[one.process.pid]["worker_pid"]
        assert one.do("hold 9000") == "holds"
        before = len(os.listdir(f"/proc/{worker}/task"))
        other.say("alloc 4 16")
        time.sleep(8)
        assert len(os.listdir(f"/proc/{worker}/task")) <= before + 2
        assert one.hear() == "held"
        assert other.hear() == "made 4"
        one.end()
        other.end()


def test_each_sees_the_device_for_itself():
    with server("128M", "256M") as of:
        one, other = Tenant(of), Tenant(of)
        assert one.do("alloc 6 16") == "made 6"
        assert one.do("info") == "info 32 128"
        assert other.do("info") == "info 128 128"
        one.end()
        other.end()


if __name__ == "__main__":
    os.environ["PLENUM_REFGPU_MEMORY"] = "1G"
    plenum.main([test_idle_programs_memory_makes_room_and_comes_back, test_no_more_moves_than_is_wanted,
                 test_programs_that_work_all_the_time_take_turns, test_parts_that_a_program_maps_come_and_go_with_their_mappings, test_what_finds_no_room_at_all_is_out_of_memory,
                 test_memory_under_a_kernel_does_not_move, test_a_program_that_dies_leaves_its_room_to_others,
                 test_copies_between_servers_find_memory_that_was_out, test_a_kernel_that_stays_costs_one_thread,
                 test_each_sees_the_device_for_itself, test_a_session_is_suspended_and_resumed,
                 test_small_allocations_move_where_all_of_them_are_to, test_a_slab_that_is_empty_makes_room,
                 test_pitched_memory_moves_where_all_is_to, test_programs_print_the_same_whose_memory_comes_and_goes, test_programs_print_the_same_whose_slabs_come_and_go])
