"""CUDA in emulated guests: programs print what they print natively, and what a turn costs is counted, never timed.

usage: test_cuda_vm.py [LINK...]: all programs and counts over these links.  Without one the essential cases, or all over
ivshmem, tcp and vsock, where there is one, with PLENUM_VM_ALL=1.
"""
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ["PLENUM_TEST_LIBCUDA"]
CLIENT = os.environ["PLENUM_TEST_CUDA_CLIENT"]
PROGRAMS = os.environ["PLENUM_TEST_CUDA_PROGRAMS"]
PTX = os.environ["PLENUM_TEST_PTX_DIR"]
LIMIT_S = 900  # of one guest, against hangs only: it is emulated, and others may use the machine
MIB = 1 << 20

NAMES = ["again", "answers", "runtime", "faults", "launch", "order", "threads", "parts", "textures", "graphs", "queries", "process", "share",
         "managed", "lease", "direct"]
ESSENTIAL = ["launch", "queries", "managed", "share", "direct"]
WATCHDOG = "test_a_kernel_that_never_ends_is_ended_by_watchdog_and_by_interrupt"  # its limit is the server's
PINNED = ["test_a_stream_waits_for_anothers_event", "test_the_legacy_stream_keeps_its_place",
          "test_streams_wait_for_words_in_memory"]  # copies to pinned memory that nobody shares wait for their end
LONG = ["test_long_allocations_hold_what_was_copied"]  # 2.4 GB there and back, at what an emulated network carries
STEP = re.compile(r"^@(\S+) (\d+)$", re.M)


def left_out(name, link):
    sockets = {} if link == "ivshmem" else {"order": PINNED, "direct": LONG}
    return ",".join({"faults": [WATCHDOG], **sockets}.get(name, []))


def natively(name, link):
    env = dict(plenum.native_env(), PLENUM_TEST_LIBCUDA=NATIVE, PLENUM_TEST_PTX_DIR=PTX, PLENUM_TEST_REMOTE="1",
               PLENUM_TEST_SKIP=left_out(name, link), PLENUM_REFGPU_MEMORY="1G")
    result = plenum.run([os.path.join(PROGRAMS, "cuda-" + name)], env, check=False)
    return result.returncode, result.stdout.decode(errors="replace")


def in_guest(link, steps, traps=None):
    """Runs each (command, variables) in one guest of @link.  Gives status, output and counts of each."""
    lines = []
    for number, (command, more) in enumerate(steps):
        words = " ".join(f"{name}={value}" for name, value in {"PLENUM_STATS": "/tmp/stats", **more}.items())
        lines.append(f"echo '{{}}' >/tmp/stats; {words} {PROGRAMS}/cuda-{command}; echo @end $?; cat /tmp/stats; "
                     f"echo @step {number}")
    env = dict(plenum.native_env(), PLENUM_TEST_LIBCUDA=CLIENT, PLENUM_TEST_PTX_DIR=PTX, PLENUM_TEST_REMOTE="1",
               PLENUM_REFGPU_MEMORY="1G")
    words = [plenum.TOOL, "vm", "--link", link] + (["--traps", traps] if traps else [])
    result = plenum.run([*words, "run", "-n", "--", "sh", "-c", "\n".join(lines)], env, timeout=LIMIT_S)
    said, results, at = result.stdout.decode(errors="replace"), [], 0
    ends = list(STEP.finditer(said))
    assert len(ends) == 2 * len(steps), said[-3000:] + result.stderr.decode(errors="replace")[-3000:]
    for end, step in zip(ends[::2], ends[1::2]):
        results.append((int(end.group(2)), said[at:end.start()], json.loads(said[end.end():step.start()])))
        at = step.end() + 1
    return results, result.stderr.decode(errors="replace")


def programs(link, names=NAMES):
    def test():
        steps = [(name, {"PLENUM_TEST_SKIP": f"'{left_out(name, link)}'"}) for name in names]
        results, errors = in_guest(link, steps)
        for name, (status, said, _) in zip(names, results):
            native = natively(name, link)
            diff = "\n".join(difflib.unified_diff(native[1].splitlines(), said.splitlines(), "native", link, n=0))
            assert native == (status, said), f"{name}: {native[0]} natively, {status} here\n{diff[:3000]}\n{errors[-3000:]}"
    test.__name__ = f"test_programs_print_the_same_over_{link}"
    return test


# What a turn asks, over each link.  direct: 4 copies of 1 MiB and 4 waits; over ivshmem nothing at all is sent, so that
# each byte is copied once, by the program's thread.  query, fresh, poll: at most, a machine that is busy for long lets
# a client ask once more.
LOOPS = [("steady launch", 100, 0), ("steady event", 100, 0), ("steady fill", 100, 0), ("steady finish", 100, 1),
         ("steady read", 100, 1), ("steady done", 50, 1), ("lease steady step", 20, 1), ("direct later", 20, 1)]
AT_MOST = [("steady query", 300, 0.3), ("steady fresh", 300, 0.3), ("steady poll", 100, 0.5)]
COPIES = [("direct steady", 20)]


def counts(link):
    def test():
        loops = [(what, count) for what, count, _ in LOOPS + AT_MOST] + COPIES
        steps = [(f"{what} {times * count}", {}) for what, count in loops for times in (1, 2)]
        results, errors = in_guest(link, steps)
        per_turn = {}
        for (what, count), few, many in zip(loops, results[::2], results[1::2]):
            assert few[0] == many[0] == 0, f"{what}: {few[1]}{many[1]}\n{errors[-3000:]}"
            per_turn[what] = {key: (many[2][key] - few[2][key]) / count for key in many[2]}
            print(f"     {link} {what}: " + ", ".join(f"{per_turn[what][key]:.2f} {key}" for key in
                                                    ("asks", "posts", "bytes_out", "bytes_in", "wakeups")), flush=True)
        for what, _, asks in LOOPS:
            assert per_turn[what]["asks"] == asks, f"{what}: {per_turn[what]}"
        for what, _, asks in AT_MOST:
            assert per_turn[what]["asks"] <= asks, f"{what}: {per_turn[what]}"
        got = per_turn["direct steady"]
        if link == "ivshmem":
            assert not any(got[key] for key in ("asks", "posts", "bytes_out", "bytes_in")), got
        else:
            for key in "bytes_out", "bytes_in":
                assert 2 * MIB <= got[key] <= 2 * MIB + 4096, got
    test.__name__ = f"test_turns_cost_what_they_should_over_{link}"
    return test


def test_launches_over_ivshmem_leave_the_guest_to_wake_somebody_only():
    """Counted by QEMU, in twice as many turns: its clock and the rest of the machine aside."""
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        traps = os.path.join(folder, "traps")
        for count in 1000, 3000:
            (status, said, stats), = in_guest("ivshmem", [(f"steady finish {count}", {})], traps)[0]
            assert status == 0, said
            with open(traps, errors="replace") as f:
                lines = f.read().splitlines()
            seen.append((stats["asks"], stats["wakeups"], sum("name 'ivshmem" in line for line in lines),
                         sum("virtio_queue_notify" in line for line in lines)))
            print("     {0} turns: {1} asks, {2} wake-ups, {3} accesses to the device, {4} kicks".format(count, *seen[-1]))
    asks, wakeups, device, kicks = (many - few for few, many in zip(*seen))
    assert asks == 2000 and device == 0, seen
    # a byte each way takes a kick, its answer's acknowledgement another; the rest of the machine makes some hundreds
    assert kicks <= 4 * max(wakeups, 0) + 1000, seen


def test_programs_find_the_library_in_a_guest():
    """By its name alone, as with `plenum run'; another path that the user names stays as it is."""
    by_name = dict(plenum.native_env(), PLENUM_TEST_LIBCUDA="libcuda.so.1", PLENUM_TEST_PTX_DIR=PTX, PLENUM_REFGPU_MEMORY="1G")
    program = [os.path.join(PROGRAMS, "cuda-steady"), "finish", "1"]
    assert plenum.run([plenum.TOOL, "vm", "run", "-n", "--", *program], by_name, timeout=LIMIT_S, check=False).returncode == 0
    elsewhere = [plenum.TOOL, "vm", "--env=LD_LIBRARY_PATH=/nowhere", "run", "-n", "--", *program]
    assert plenum.run(elsewhere, by_name, timeout=LIMIT_S, check=False).returncode not in (0, 124, 125)


def have_vsock():
    said = subprocess.run([plenum.TOOL, "doctor"], capture_output=True, text=True, env=plenum.native_env()).stdout
    return any(re.match(r"OK *vsock", line) for line in said.splitlines())


def main():
    for need in "qemu-system-x86_64", "busybox":
        if not shutil.which(need):
            plenum.skip(f"virtual machine: no {need}")
    if not any(name.startswith("vmlinuz-") for name in os.listdir("/boot")):
        plenum.skip("virtual machine: no kernel in /boot")
    links = sys.argv[1:] or (["ivshmem", "tcp"] + ["vsock"] * have_vsock() if os.environ.get("PLENUM_VM_ALL") == "1" else [])
    tests = [make(link) for link in links for make in (programs, counts)]
    if not links:
        tests = [programs("ivshmem", ESSENTIAL), counts("ivshmem"), counts("tcp"), test_programs_find_the_library_in_a_guest]
    if "ivshmem" in links or not links:
        tests.append(test_launches_over_ivshmem_leave_the_guest_to_wake_somebody_only)
    plenum.main(tests)


if __name__ == "__main__":
    main()
