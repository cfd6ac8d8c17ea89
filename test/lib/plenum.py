"""What the integration tests share: a private server, the environment of each mode, bounded commands, leaks.

Every test runs its own server in its own temporary folder, on a unix socket and on a free loopback port, and ends it.
The build folder comes from the environment: PLENUM_TOOL (the `plenum` executable) and PLENUM_ICD_DIR.
"""
import contextlib
import fnmatch
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOOL = os.environ.get("PLENUM_TOOL", "")
ICD_DIR = os.environ.get("PLENUM_ICD_DIR", "")
PROGRAMS = os.environ.get("PLENUM_TEST_PROGRAMS", "")
LIMIT_S = 120


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def have_device():
    """Native OpenCL with at least one device: what most tests compare with."""
    result = subprocess.run([program("devices")], capture_output=True, text=True, timeout=LIMIT_S, env=native_env())
    return result.returncode == 0


def program(name):
    return os.path.join(PROGRAMS, name)


def native_env():
    # The test runner's MALLOC_PERTURB_ crashes drivers that read memory they never wrote (PoCL 3.1); and programs find
    # Plenum by its ICD alone, not by the runner's LD_LIBRARY_PATH.
    out = ("MALLOC_PERTURB_", "LD_LIBRARY_PATH")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PLENUM") and k not in out}
    # Drivers and the programs themselves leave memory at exit: a program's exit status is not to say so.
    env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/stat") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry))
    return found


class Server:
    """`plenum serve` on a unix socket and a port of its own, by default of loopback, and one more for each guest's region.
    at: another server, which has given its addresses up: ours are the same."""

    def __init__(self, *options, tcp=True, host="127.0.0.1", region=False, token=None, at=None, **more):
        self.folder = tempfile.mkdtemp(prefix="plenum-test-")
        self.token = token or (at.token if at else secrets.token_hex(16))
        token_file = os.path.join(self.folder, "token")
        with open(os.open(token_file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(self.token)
        self.unix = at.unix if at else f"unix:{self.folder}/plenum.sock"
        command = [TOOL, "serve", "--listen", self.unix]
        if tcp:
            command += ["--listen", at.tcp if at else f"tcp://{host}:0", "--token-file", token_file]
        if os.environ.get("PLENUM_TEST_WORKER_READ"):  # where a driver lies that is not found otherwise
            command += ["--worker-read", os.environ["PLENUM_TEST_WORKER_READ"]]
        command += os.environ.get("PLENUM_TEST_SERVE", "").split()  # options more, for all servers of a test
        for i in range(region):
            command += ["--listen", f"ivshmem:{self.folder}/region{i},size=256M;tcp://127.0.0.1:0"]
        ready_read, ready_write = os.pipe()
        env = native_env()
        env["PLENUM_LOG"] = os.environ.get("PLENUM_TEST_LOG", "info")
        env.update((k, v) for k, v in os.environ.items() if k.startswith("PLENUM_MOVABLE_"))  # as above
        env.update(more)
        self.log = open(os.path.join(self.folder, "server.log"), "w")
        self.process = subprocess.Popen(command + ["--ready-fd", str(ready_write), *options], env=env,
                                        stderr=self.log, stdout=self.log, pass_fds=[ready_write])
        os.close(ready_write)
        with os.fdopen(ready_read) as ready:
            lines = [ready.readline().strip() for _ in range(1 + tcp + region)]
        if not lines[0]:
            raise RuntimeError("the server did not start:\n" + self.log_text())
        self.tcp = lines[1] if tcp else None
        self.regions = lines[1 + tcp:]
        self.ivshmem = self.regions[0] if region else None

    def log_text(self):
        self.log.flush()
        with open(os.path.join(self.folder, "server.log"), errors="replace") as f:
            return f.read()

    def env(self, mode, **more):
        env = native_env()
        env["OCL_ICD_VENDORS"] = ICD_DIR
        env["PLENUM"] = {"shm": self.unix, "tcp": self.tcp, "ivshmem": self.ivshmem}.get(mode, mode)
        env["PLENUM_TOKEN"] = self.token
        env.update(more)
        return env

    def workers(self):
        return [pid for pid in children_of(self.process.pid)]

    def sessions(self):
        out = subprocess.run([TOOL, "ps", "--json", "--server", self.unix], capture_output=True, text=True,
                             timeout=LIMIT_S, env=native_env())
        return json.loads(out.stdout)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise RuntimeError("the server did not end on SIGTERM")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
            if kind:
                sys.stderr.write("---- server's log (end)\n" + self.log_text()[-4000:])
        finally:
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def run(command, env, timeout=LIMIT_S, check=True, **options):
    result = subprocess.run(command, env=env, capture_output=True, timeout=timeout, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}\n{result.stdout.decode(errors='replace')[-3000:]}"
                             f"\n{result.stderr.decode(errors='replace')[-3000:]}")
    return result


def stats_of(server, mode, command, timeout=LIMIT_S, **more):
    """Runs the program and gives the counts that its shim wrote at exit."""
    path = os.path.join(server.folder, "stats.json")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    result = run(command, server.env(mode, PLENUM_STATS=path, **more), timeout=timeout)
    with open(path) as f:
        return json.load(f), result


def asks_are(got, expected):
    """Counts an iteration, a difference of two runs: none means none; once in a while one is not needed, because what is
    waited for has ended, and is known to have ended, before the program waits."""
    return got == expected if not expected else abs(got - expected) <= 0.05


def wait_for(condition, seconds=20, step=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(step)
    return condition()


def main(tests):
    """Runs the named functions, or those whose names match one of PLENUM_TEST_ONLY (globs, commas between them); any
    exception fails.  Prints one line each."""
    wanted = os.environ.get("PLENUM_TEST_ONLY", "*").split(",")
    chosen = [test for test in tests if any(fnmatch.fnmatch(test.__name__, pattern) for pattern in wanted)]
    if not chosen:
        sys.exit(f"PLENUM_TEST_ONLY={','.join(wanted)} is none of: {' '.join(test.__name__ for test in tests)}")
    failed = 0
    for test in chosen:
        try:
            test()
            print(f"ok   {test.__name__}", flush=True)
        except Exception as fault:  # a test may fail in any way
            failed += 1
            print(f"FAIL {test.__name__}: {fault}", flush=True)
    sys.exit(1 if failed else 0)
