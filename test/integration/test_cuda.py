"""The programs of test/cuda print the same on the reference GPU's driver itself and over a server, by shared memory and by TCP.

What a server does not carry yet is left out by name, here and nowhere else.
"""
import ctypes
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
MORE = os.environ.get("PLENUM_TEST_MORE", "")
SAME = os.environ.get("PLENUM_TEST_SAME", "")
LATE = os.environ.get("PLENUM_TEST_LATE", "")
PROGRAMS = os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", "")

WATCHDOG = "test_a_kernel_that_never_ends_is_ended_by_watchdog_and_by_interrupt"  # its limit is the server's
FAULTS = ctypes.CDLL(None).syscall(323, os.O_CLOEXEC | 1) >= 0  # userfaultfd(2), for faults of the program's own
LEFT_OUT = {
    "again": [],
    "answers": [],
    "runtime": [],
    "faults": [WATCHDOG],
    "launch": [] if FAULTS else ["test_variables_of_a_module_are_found_by_name"],  # one of them is managed
    "order": [],
    "threads": [],
    "parts": [],
    "textures": [],
    "graphs": [],
    "queries": [],
    "registered": [],
    "pinned": [],
    "process": [],
    "share": [],
}
if FAULTS:
    LEFT_OUT["managed"] = LEFT_OUT["mapped"] = []
else:
    print("SKIP: no userfaultfd here: managed variables, mapped host memory over tcp")


def run(name, mode, env, library):
    left_out = LEFT_OUT[name]
    env = dict(env, PLENUM_TEST_LIBCUDA=library, PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""),
               PLENUM_TEST_SKIP=",".join(left_out), PLENUM_REFGPU_MEMORY="1G", PLENUM_TEST_REMOTE="1")
    result = plenum.run([os.path.join(PROGRAMS, "cuda-" + name)], env, check=False, timeout=60)
    return f"exit {result.returncode}\n" + result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")


def make(name):
    def test():
        os.environ["PLENUM_REFGPU_MEMORY"] = "1G"
        with plenum.Server("--cuda", NATIVE) as server:
            for mode in ("shm", "tcp"):
                native, errors = run(name, mode, plenum.native_env(), NATIVE)
                assert native.startswith("exit 0"), f"natively: {native}\n{errors[-2000:]}"
                remote, errors = run(name, mode, server.env(mode), REMOTE)
                if native != remote:
                    diff = "\n".join(difflib.unified_diff(native.splitlines(), remote.splitlines(), "native", mode, n=0))
                    raise AssertionError(f"{name} differs over {mode}:\n{diff[:4000]}\n{errors[-2000:]}")
    test.__name__ = f"test_{name}_prints_the_same"
    return test


def test_copies_of_all_sizes_are_the_same():
    """In place, through the ring and as a stream; of a driver with memory of its own through pinned memory."""
    with plenum.Server("--cuda", NATIVE) as server:
        for name in ("direct", "lease"):
            told = {}
            for mode, env, library in (("native", plenum.native_env(), NATIVE), ("shm", server.env("shm"), REMOTE),
                                       ("tcp", server.env("tcp"), REMOTE)):
                env = dict(env, PLENUM_TEST_LIBCUDA=library, PLENUM_REFGPU_MEMORY="1G",
                           PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""))
                told[mode] = plenum.run([os.path.join(PROGRAMS, "cuda-" + name)], env).stdout.decode().splitlines()
            for mode in ("shm", "tcp"):
                assert told["native"] == told[mode], (name, mode, [pair for pair in zip(told["native"], told[mode])
                                                                   if pair[0] != pair[1]])


def test_what_a_host_function_writes_is_there_behind_it_over_a_slow_link():
    """Each thread's connection has its own line: what one has sent may overtake what another one sent before."""
    program = os.path.join(PROGRAMS, "cuda-mapped")
    with plenum.Server("--cuda", NATIVE) as server:
        env = dict(server.env(f"hook:bandwidth=100K;{server.tcp}"), PLENUM_TEST_LIBCUDA=REMOTE)
        result = plenum.run([program, "host-function"], env, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_sessions_of_two_links_share_what_they_have():
    os.environ["PLENUM_REFGPU_MEMORY"] = "1G"
    with plenum.Server("--cuda", NATIVE) as server:
        native, _ = run("share", "native", plenum.native_env(), NATIVE)
        for mode, other in (("shm", server.tcp), ("tcp", server.unix)):
            remote, errors = run("share", mode, dict(server.env(mode), PLENUM_TEST_OTHER=other), REMOTE)
            assert native == remote, f"{mode} and {other}:\n{remote}\n{errors[-2000:]}"


def test_another_process_memory_has_one_address_however_often_it_is_opened():
    os.environ["PLENUM_REFGPU_MEMORY"] = "1G"
    native, _ = run("share", "native", plenum.native_env(), NATIVE)
    with plenum.Server("--cuda", SAME, "--worker-read", os.path.dirname(NATIVE)) as server:
        for mode in ("shm", "tcp"):
            remote, errors = run("share", mode, server.env(mode), REMOTE)
            assert native == remote, f"{mode}:\n{remote}\n{errors[-2000:]}"


def steady_env(server, mode):
    return dict(server.env(mode), PLENUM_TEST_LIBCUDA=REMOTE,
                PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""))


def test_steady_loops_ask_only_where_the_api_waits():
    steady, count = os.path.join(PROGRAMS, "cuda-steady"), 100
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            more = {k: v for k, v in steady_env(server, mode).items() if k.startswith("PLENUM_TEST_")}
            for what, expected in {"launch": 0, "event": 0, "set": 0, "fill": 0, "finish": 1, "rest": 1, "read": 1, "done": 1}.items():
                few, _ = plenum.stats_of(server, mode, [steady, what, str(count)], **more)
                many, _ = plenum.stats_of(server, mode, [steady, what, str(2 * count)], **more)
                asks, posts = ((many[key] - few[key]) / count for key in ("asks", "posts"))
                print(f"     {mode} {what}: {asks:.2f} asks, {posts:.2f} posts", flush=True)
                # "done" waits for an event, whose end may be known by then.
                good = plenum.asks_are(asks, expected) if what == "done" else asks == expected
                assert good, f"{mode} {what}: {asks} asks an iteration, {expected} expected"
            # Asked in vain, again and again: a machine that is busy for long lets a client ask once more.
            for what in ("query", "fresh", "poll"):
                few, _ = plenum.stats_of(server, mode, [steady, what, str(count)], **more)
                many, _ = plenum.stats_of(server, mode, [steady, what, str(6 * count)], **more)
                asks, posts = ((many[key] - few[key]) / (5 * count) for key in ("asks", "posts"))
                print(f"     {mode} {what}: {asks:.2f} asks, {posts:.2f} posts", flush=True)
                assert asks <= 0.3, f"{mode} {what}: {asks} asks an iteration, 0.3 at most expected"


def test_long_copies_over_a_socket_are_cut_where_something_is_under_way():
    """Bytes that the server receives where they belong travel in one piece; else 4 MiB in four, behind a kernel."""
    direct, count = os.path.join(PROGRAMS, "cuda-direct"), 20
    with plenum.Server("--cuda", NATIVE) as server:
        more = {k: v for k, v in steady_env(server, "tcp").items() if k.startswith("PLENUM_TEST_")}
        for what, expected in {"idle": 1, "busy": 1 + 4}.items():
            few, _ = plenum.stats_of(server, "tcp", [direct, what, str(count)], **more)
            many, _ = plenum.stats_of(server, "tcp", [direct, what, str(2 * count)], **more)
            assert many["posts"] - few["posts"] == expected * count, (what, few, many)
            assert many["asks"] - few["asks"] == count, (what, few, many)


def test_a_copy_that_is_about_to_enter_its_stream_is_waited_for():
    """Another thread hears meanwhile that its own stream has ended, and nothing else is in a stream yet."""
    with plenum.Server("--cuda", LATE, "--worker-read", os.path.dirname(NATIVE)) as server:
        for mode, env, library in (("native", plenum.native_env(), LATE), ("shm", server.env("shm"), REMOTE),
                                   ("tcp", server.env("tcp"), REMOTE)):
            env = dict(env, PLENUM_TEST_LIBCUDA=library, PLENUM_REFGPU_MEMORY="1G")
            result = plenum.run([os.path.join(PROGRAMS, "cuda-threads"), "entering"], env, check=False, timeout=60)
            assert result.returncode == 0, (mode, result.stderr.decode(errors="replace")[-2000:])


def test_what_a_kernel_printed_is_out_behind_a_copy_that_waits():
    """Also where the program knew before that the kernel had ended."""
    command = [os.path.join(PROGRAMS, "cuda-direct"), "prints", "3"]
    native = plenum.run(command, dict(plenum.native_env(), PLENUM_TEST_LIBCUDA=NATIVE,
                                      PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""))).stdout
    assert native.count(b"behind") == 3 and native.count(b"thread") >= 6, native
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            remote = plenum.run(command, steady_env(server, mode))
            assert remote.stdout == native, (mode, native, remote)
            assert b"still works" not in remote.stderr, (mode, remote)


def test_a_program_that_is_killed_leaves_nothing():
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            process = subprocess.Popen([os.path.join(PROGRAMS, "cuda-steady"), "launch", "100000000"],
                                       env=steady_env(server, mode), stdout=subprocess.DEVNULL)
            assert plenum.wait_for(lambda: server.sessions()["sessions"]), "no session"
            time.sleep(0.3)
            process.kill()
            process.wait()
            assert plenum.wait_for(lambda: not server.sessions()["sessions"]), server.sessions()
        assert "signal" not in server.log_text(), server.log_text()


def test_who_asks_of_an_event_that_another_destroys_harms_nobody():
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            # A thread that comes back to what has been freed finds it overwritten.
            plenum.run([os.path.join(PROGRAMS, "cuda-queries"), "passing"], dict(steady_env(server, mode), MALLOC_PERTURB_="165"))


def test_the_nodes_of_graphs_go_with_them():
    """A session that may hold few objects makes many graphs, one after the other."""
    env = {"PLENUM_TEST_LIBCUDA": REMOTE, "PLENUM_TEST_PTX_DIR": os.environ.get("PLENUM_TEST_PTX_DIR", "")}
    with plenum.Server("--cuda", NATIVE, "--objects-limit", "200") as server:
        for mode in ("shm", "tcp"):
            plenum.run([os.path.join(PROGRAMS, "cuda-graphs"), "many"], server.env(mode, **env))


def test_a_posted_launch_costs_few_instructions():
    if "asan" in plenum.TOOL or "tsan" in plenum.TOOL or not shutil.which("valgrind"):
        print("SKIP: valgrind is not installed, or the programs have a sanitizer: instructions are not counted")
        return

    def instructions(server, mode, count):
        out = os.path.join(server.folder, f"callgrind.{count}")
        result = plenum.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                             "--toggle-collect=cuLaunchKernel", os.path.join(PROGRAMS, "cuda-steady"), "launch",
                             str(count)],
                            dict(steady_env(server, mode), LD_PRELOAD=os.environ.get("PLENUM_TEST_SLOW_CLOCK", "")),
                            timeout=300)
        return int(re.search(rb"Collected : (\d+)", result.stderr).group(1))

    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            # A worker that fell asleep has to be woken, which takes 40 more; a post that stands alone is sent at once,
            # which takes 140: the smallest of a few counts.
            cost = float("inf")
            for _ in range(20):
                cost = min(cost, (instructions(server, mode, 1000) - instructions(server, mode, 500)) / 500)
                if cost <= 700:
                    break
            print(f"     {cost:.0f} instructions for a posted launch over {mode}", flush=True)
            assert 50 < cost <= 700, f"{cost:.0f} instructions for a posted launch over {mode}"


def test_where_userfaultfd_is_forbidden_managed_variables_are_refused_over_tcp():
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            result = plenum.run([os.path.join(PROGRAMS, "cuda-managed"), "forbidden"],
                                dict(server.env(mode), PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_LOG="warn"))
            assert (b"userfaultfd" in result.stderr) == (mode == "tcp"), result.stderr.decode(errors="replace")


def test_where_userfaultfd_is_forbidden_host_memory_has_no_address_on_the_device_over_tcp():
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            plenum.run([os.path.join(PROGRAMS, "cuda-mapped"), "forbidden"],
                       dict(server.env(mode), PLENUM_TEST_LIBCUDA=REMOTE))


def test_mapped_memory_that_nothing_works_with_is_fetched_once():
    """A program reads 160 KiB of it for a while: what it has fetched stays, for the device has nothing to do."""
    if not FAULTS:
        print("SKIP: no userfaultfd here")
        return
    program = os.path.join(PROGRAMS, "cuda-mapped")
    with plenum.Server("--cuda", NATIVE) as server:
        asks = [plenum.stats_of(server, "tcp", [program, "read", str(ms)], PLENUM_TEST_LIBCUDA=REMOTE)[0]["asks"]
                for ms in (0, 300)]
        print(f"     {asks[0]} and {asks[1]} asks", flush=True)
        assert asks[0] == asks[1], asks


def test_pinned_memory_that_a_device_does_not_reach_is_told_and_copies_go_on():
    """The server's limit for host memory, or no userfaultfd: the kernel faults, as the log says why."""
    program = os.path.join(PROGRAMS, "cuda-pinned")
    for limit, argument in ((["--host-limit", "100K"], "copies"), ([], "forbidden")):
        with plenum.Server("--cuda", NATIVE, *limit) as server:
            result = plenum.run([program, argument], dict(server.env("tcp"), PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_LOG="warn"))
            said = result.stderr.decode(errors="replace")
            assert said.count("which it does not reach") == 1, said


def test_a_user_without_rights_reaches_pinned_and_mapped_memory_too():
    """The kernel fetches no page for its own accesses then: no socket may be handed such memory."""
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    names = [os.path.join(PROGRAMS, "cuda-" + name) for name in ("pinned", "mapped", "registered")]
    if not FAULTS or os.getuid() or not shutil.which("setpriv"):
        print("SKIP: no userfaultfd here, or no root to become another user")
        return
    if any(subprocess.run(other + ["test", "-r", path], check=False).returncode for path in names + [REMOTE]):
        print("SKIP: another user may not read what was built here")
        return
    with plenum.Server("--cuda", NATIVE) as server:
        for name in names:
            plenum.run(other + [name], dict(server.env("tcp"), PLENUM_TEST_LIBCUDA=REMOTE))


def test_why_a_text_is_refused_is_out_before_the_call_returns():
    with plenum.Server("--cuda", NATIVE) as server:
        for mode in ("shm", "tcp"):
            for _ in range(10):
                result = plenum.run([os.path.join(PROGRAMS, "cuda-again"), "broken"], dict(server.env(mode), PLENUM_TEST_LIBCUDA=REMOTE))
                assert result.stderr.count(b"a kernel image was refused") == 1, (mode, result)


def test_mapped_memory_is_charged_and_its_limit_is_told():
    if not FAULTS:
        print("SKIP: no userfaultfd here")
        return
    with plenum.Server("--cuda", NATIVE, "--host-limit", "100K") as server:
        result = plenum.run([os.path.join(PROGRAMS, "cuda-mapped"), "read", "0"],
                            dict(server.env("tcp"), PLENUM_TEST_LIBCUDA=REMOTE), check=False)
        assert result.returncode == 1 and b"CUDA_ERROR_OUT_OF_MEMORY" in result.stderr, result


def test_a_copy_that_failed_late_is_told_though_its_memory_has_gone():
    with plenum.Server("--cuda", NATIVE, "--host-limit", "100K") as server:
        result = plenum.run([os.path.join(PROGRAMS, "cuda-pinned"), "late"],
                            dict(server.env("tcp"), PLENUM_TEST_LIBCUDA=REMOTE), timeout=30)
        assert result.stdout.strip() == b"CUDA_ERROR_OUT_OF_MEMORY", result


def test_how_much_registered_memory_is_echoed_is_told():
    program = os.path.join(PROGRAMS, "cuda-registered")

    def said(server, mode, kib):
        result = plenum.run([program, "large", str(kib)],
                            dict(server.env(mode), PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_LOG="info",
                                 PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", "")))
        return result.stdout.decode().strip(), result.stderr.decode()

    with plenum.Server("--cuda", NATIVE, "--host-limit", "8M") as server:
        assert said(server, "shm", 4 << 10)[0] == "CUDA_SUCCESS", "the first call that a context is needed for"
        assert said(server, "tcp", 4 << 10) == ("CUDA_SUCCESS", ""), said(server, "tcp", 4 << 10)
        assert said(server, "tcp", 9 << 10)[0] == "CUDA_ERROR_OUT_OF_MEMORY"
        name, log = said(server, "tcp", 17 << 10)
        assert name == "CUDA_ERROR_NOT_SUPPORTED" and "16 MiB at most" in log, (name, log)


def test_registered_memory_beyond_the_servers_limit_is_refused_beside_other():
    """What was freed goes back to the driver meanwhile, by a call that sends what the program has changed in the other."""
    with plenum.Server("--cuda", NATIVE, "--host-limit", "8M") as server:
        for kib, said in ((4 << 10, b"CUDA_SUCCESS"), (9 << 10, b"CUDA_ERROR_OUT_OF_MEMORY"), (17 << 10, b"CUDA_ERROR_NOT_SUPPORTED")):
            result = plenum.run([os.path.join(PROGRAMS, "cuda-registered"), "beside", str(kib)],
                                dict(server.env("tcp"), PLENUM_TEST_LIBCUDA=REMOTE,
                                     PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", "")), timeout=30)
            assert result.stdout.strip() == said, (kib, result)


def test_over_shared_memory_no_byte_of_a_managed_variable_is_carried():
    """A program and a kernel write 160 KiB in turns; nothing but the launch and the wait goes through the lanes."""
    program, rounds = os.path.join(PROGRAMS, "cuda-managed"), 20
    with plenum.Server("--cuda", NATIVE) as server:
        few, many = (plenum.stats_of(server, "shm", [program, "use", str(count)], PLENUM_TEST_LIBCUDA=REMOTE)[0]
                     for count in (rounds, 2 * rounds))
        carried = (many["bytes_out"] + many["bytes_in"] - few["bytes_out"] - few["bytes_in"]) / rounds
        asks = (many["asks"] - few["asks"]) / rounds
        print(f"     {carried:.0f} bytes and {asks:.2f} asks a round", flush=True)
        assert carried < 4096 and asks < 1.5, (carried, asks)


def test_what_the_reference_gpu_refuses_is_carried_to_a_driver_that_has_it():
    os.environ["PLENUM_REFGPU_MEMORY"] = "1G"
    program = os.path.join(PROGRAMS, "cuda-refused")
    for driver, word in ((NATIVE, b"multiprocessors: CUDA_ERROR_NOT_SUPPORTED"), (MORE, b"multiprocessors: CUDA_SUCCESS")):
        native = plenum.run([program], dict(plenum.native_env(), PLENUM_TEST_LIBCUDA=driver)).stdout
        assert word in native, native.decode()
        with plenum.Server("--cuda", driver, "--worker-read", os.path.dirname(NATIVE)) as server:
            for mode in ("shm", "tcp"):
                env = {k: v for k, v in server.env(mode, PLENUM_TEST_LIBCUDA=REMOTE).items() if k != "PLENUM_LOG"}
                result = plenum.run([program], env)
                remote = result.stdout
                assert remote == native, f"{mode}:\n{remote.decode()}\nnatively:\n{native.decode()}"
                for word in (b"cuGraphAddExternalSemaphoresSignalNode", b"cuGraphAddExternalSemaphoresWaitNode"):
                    assert result.stderr.count(word + b" is refused: semaphores") == 1, result.stderr.decode()
                quiet = plenum.run([program], dict(env, PLENUM_LOG="off"))
                assert quiet.stdout == native and b"Semaphores" not in quiet.stderr, quiet.stderr.decode()


def test_a_program_with_cublas_is_told_of_a_device_that_it_does_not_know():
    with tempfile.TemporaryDirectory() as folder, plenum.Server("--cuda", NATIVE) as server:
        library = shutil.copy(os.environ["PLENUM_TEST_CLAIM_STUB"], os.path.join(folder, "libcublas.so.13"))
        for mode, driver in (("native", NATIVE), ("shm", REMOTE), ("tcp", REMOTE)):
            env = plenum.native_env() if mode == "native" else server.env(mode)
            for more, claimed in (({}, 121), ({"LD_PRELOAD": library}, 130),
                                  ({"LD_PRELOAD": library, "PLENUM_REFGPU_CAPABILITY": "12.1"}, 121)):
                told = plenum.run([os.path.join(PROGRAMS, "cuda-runtime"), "capability"],
                                  dict(env, PLENUM_TEST_LIBCUDA=driver, ASAN_OPTIONS="verify_asan_link_order=0", **more),
                                  check=False).returncode
                assert told == claimed, f"{mode}, {sorted(more)}: {told}"


def test_a_server_without_cuda_has_no_device():
    with plenum.Server("--cuda", "off") as server:
        env = dict(server.env("shm"), PLENUM_TEST_LIBCUDA=REMOTE)
        result = plenum.run([os.path.join(PROGRAMS, "cuda-launch")], env, check=False)
        assert result.returncode == 77, result.stderr.decode(errors="replace")


if __name__ == "__main__":
    plenum.main([make(name) for name in LEFT_OUT] + [test_copies_of_all_sizes_are_the_same, test_sessions_of_two_links_share_what_they_have,
        test_another_process_memory_has_one_address_however_often_it_is_opened, test_steady_loops_ask_only_where_the_api_waits, test_long_copies_over_a_socket_are_cut_where_something_is_under_way,
        test_a_copy_that_is_about_to_enter_its_stream_is_waited_for,
        test_what_a_kernel_printed_is_out_behind_a_copy_that_waits, test_a_program_that_is_killed_leaves_nothing,
        test_who_asks_of_an_event_that_another_destroys_harms_nobody, test_the_nodes_of_graphs_go_with_them, test_a_posted_launch_costs_few_instructions,
        test_where_userfaultfd_is_forbidden_managed_variables_are_refused_over_tcp,
        test_where_userfaultfd_is_forbidden_host_memory_has_no_address_on_the_device_over_tcp,
        test_mapped_memory_that_nothing_works_with_is_fetched_once,
        *([test_what_a_host_function_writes_is_there_behind_it_over_a_slow_link] if FAULTS else []),
        test_pinned_memory_that_a_device_does_not_reach_is_told_and_copies_go_on,
        test_a_user_without_rights_reaches_pinned_and_mapped_memory_too, test_why_a_text_is_refused_is_out_before_the_call_returns,
        test_mapped_memory_is_charged_and_its_limit_is_told,
        test_how_much_registered_memory_is_echoed_is_told,
        test_registered_memory_beyond_the_servers_limit_is_refused_beside_other,
        test_over_shared_memory_no_byte_of_a_managed_variable_is_carried,
        test_what_the_reference_gpu_refuses_is_carried_to_a_driver_that_has_it,
        test_a_program_with_cublas_is_told_of_a_device_that_it_does_not_know, test_a_server_without_cuda_has_no_device])
