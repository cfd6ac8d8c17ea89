"""A session is written to a file and goes on out of it, in another worker and in another server; its program only waits."""
import atexit
import glob
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE, REMOTE = sys.argv[1:3]
PROGRAMS = os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", "")
PTX = os.environ.get("PLENUM_TEST_PTX_DIR") or os.path.join(os.path.dirname(__file__), "..", "cuda")
MEMORY = "256M"


class Program:
    """cuda-lasting, or another such one: a line a round, and one from us in between."""

    def __init__(self, env, *arguments, name="cuda-lasting"):
        self.process = subprocess.Popen([os.path.join(PROGRAMS, name), *arguments], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)  # it would wait for its server, for a day

    def round(self):
        assert select.select([self.process.stdout], [], [], plenum.LIMIT_S)[0], "the program says nothing"
        line = self.process.stdout.readline().strip()
        assert line, f"the program has ended: {self.process.wait(60)}\n{self.process.stderr.read()}"
        return line

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0, self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()


def native_rounds(count, *arguments, driver=NATIVE, **more):
    env = plenum.native_env()
    env.update(PLENUM_TEST_LIBCUDA=driver, PLENUM_TEST_PTX_DIR=PTX, PLENUM_REFGPU_MEMORY=MEMORY)
    program = Program(env, *arguments, **more)
    lines = []
    for _ in range(count):
        lines.append(program.round())
        program.go()
    program.process.stdin.close()
    program.process.stdout.read()
    assert program.process.wait(60) == 0
    return lines


def server(folder, *options, driver=NATIVE, **more):
    return plenum.Server("--cuda", driver, "--worker-read", os.path.dirname(NATIVE), "--checkpoints", folder, "--verbose", *options,
                         PLENUM_REFGPU_MEMORY=MEMORY, **more)


def program(of, *arguments, mode="tcp", name="cuda-lasting", **more):
    return Program(of.env(mode, PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_TEST_PTX_DIR=PTX, **more), *arguments, name=name)


def only_session(of):
    sessions = of.sessions()["sessions"]
    assert len(sessions) == 1, sessions
    return sessions[0]["id"]


def tool(of, verb, session, *options, check=True):
    return plenum.run([plenum.TOOL, verb, str(session), "--server", of.unix, *options], plenum.native_env(), check=check)


def test_a_session_goes_on_out_of_its_file():
    want = native_rounds(6)
    with tempfile.TemporaryDirectory() as folder, server(folder) as of:
        one = program(of)
        got = [one.round()]
        session, workers = only_session(of), []
        for _ in range(5):
            workers.append(of.sessions()["sessions"][0]["worker_pid"])
            out = tool(of, "checkpoint", session).stdout.decode()
            assert re.match(rf"session {session}: in a checkpoint of \S+", out), out
            assert os.listdir(folder) == [f"{session}.checkpoint"]
            assert os.stat(os.path.join(folder, f"{session}.checkpoint")).st_mode & 0o077 == 0
            told = of.sessions()
            assert told["sessions"] == [] and [kept["id"] for kept in told["checkpoints"]] == [session], told
            assert "in a checkpoint of" in plenum.run([plenum.TOOL, "ps", "--server", of.unix], plenum.native_env()).stdout.decode()
            one.go()
            time.sleep(0.2)  # it waits in a call
            assert not select.select([one.process.stdout], [], [], 0)[0]
            tool(of, "restore", session)
            got.append(one.round())
            assert os.listdir(folder) == [] and only_session(of) == session
        assert got == want, "\n".join(["", *got, "natively:", *want])
        assert len(set(workers)) == 5
        one.end()
        assert plenum.wait_for(lambda: of.sessions()["sessions"] == [])


def test_sessions_outlive_their_server():
    want = native_rounds(4)
    with tempfile.TemporaryDirectory() as folder, server(folder) as first:
        programs = [program(first) for _ in range(3)]
        got = [[one.round()] for one in programs]
        first.stop()
        assert len(os.listdir(folder)) == 3, first.log_text()[-2000:]
        for one in programs:
            one.go()
        time.sleep(4)  # longer than a server that is gone for good is looked for
        with server(folder, at=first) as second:
            for one, lines in zip(programs, got):
                lines.append(one.round())
                one.go()
                lines.append(one.round())
            second.stop()
            with server(folder, at=second) as third:
                for one, lines in zip(programs, got):
                    one.go()
                    lines.append(one.round())
                    assert lines == want, "\n".join(["", *lines, "natively:", *want])
                    one.end()
                assert plenum.wait_for(lambda: not third.sessions()["sessions"]) and os.listdir(folder) == []


def test_at_any_moment():
    """It is written while the program is in the middle of its calls, again and again."""
    rounds = 60
    want = native_rounds(rounds)
    with tempfile.TemporaryDirectory() as folder, server(folder) as of:
        one = program(of)
        got, kept = [one.round()], 0
        session = only_session(of)
        for number in range(1, rounds):
            one.go()
            if number % 3 == 0:
                time.sleep(number % 7 * 0.002)
                tool(of, "checkpoint", session)
                tool(of, "restore", session)
                kept += 1
            got.append(one.round())
        assert got == want
        assert kept == (rounds - 1) // 3
        one.end()


def in_and_out_again(want, name, *arguments, driver=NATIVE):
    """Before each round but the first one, the second half of them while it is in the middle of its calls."""
    with tempfile.TemporaryDirectory() as folder, server(folder, driver=driver) as of:
        one = program(of, *arguments, name=name)
        got = [one.round()]
        session = only_session(of)
        for number in range(1, len(want)):
            middle = number > len(want) // 2
            if middle:
                one.go()
                time.sleep(number % 5 * 0.003)
            tool(of, "checkpoint", session)
            tool(of, "restore", session)
            if not middle:
                one.go()
            got.append(one.round())
        assert got == want, "\n".join(["", *got, "natively:", *want])
        one.end()


def test_kinds_of_objects_that_are_seldom():
    in_and_out_again(native_rounds(14, name="cuda-lasting-kinds"), "cuda-lasting-kinds")


def test_two_devices():
    driver = os.environ.get("PLENUM_TEST_PAIR", "")
    if not driver:
        print("     skipped: no driver with two devices (PLENUM_TEST_PAIR)", flush=True)
        return
    in_and_out_again(native_rounds(6, "devices", driver=driver, name="cuda-lasting-kinds"), "cuda-lasting-kinds", "devices",
                     driver=driver)


def test_what_can_not_be_written_goes_on():
    with tempfile.TemporaryDirectory() as folder, server(folder) as of:
        for besides, words in (("managed", "managed"), ("pool", "pool"), ("heap", "malloc"), ("own", "default stream"),
                               ("condition", "conditional"), ("moved", "could not come back")):
            one = program(of, besides)
            one.round()
            session = only_session(of)
            said = tool(of, "checkpoint", session, check=False)
            assert said.returncode == 1 and words in said.stderr.decode(), (besides, said.stderr)
            assert os.listdir(folder) == []
            one.go()
            one.round()
            one.end()
            assert plenum.wait_for(lambda: not of.sessions()["sessions"])
        one = program(of, mode="shm")
        one.round()
        said = tool(of, "checkpoint", only_session(of), check=False)
        assert said.returncode == 1 and "tcp" in said.stderr.decode(), said.stderr
        one.go()
        one.round()
        one.end()
        said = tool(of, "checkpoint", 4711, check=False)
        assert said.returncode == 1 and "no such session" in said.stderr.decode()
    with plenum.Server("--cuda", NATIVE, PLENUM_REFGPU_MEMORY=MEMORY) as of:
        said = tool(of, "checkpoint", 1, check=False)
        assert said.returncode == 1 and "--checkpoints" in said.stderr.decode(), said.stderr


def test_a_damaged_file_is_refused_and_stays():
    with tempfile.TemporaryDirectory() as folder, server(folder) as of:
        one = program(of)
        first = one.round()
        session = only_session(of)
        tool(of, "checkpoint", session)
        path = os.path.join(folder, f"{session}.checkpoint")
        whole = open(path, "rb").read()
        for at, what in ((len(whole) // 2, None), (len(whole) - 40, None), (400, None), (0, len(whole) // 3), (0, 500)):
            with open(path, "r+b") as file:
                if what:
                    file.truncate(what)
                else:
                    file.seek(at)
                    file.write(bytes(b ^ 0x55 for b in whole[at:at + 16]))
            said = tool(of, "restore", session, check=False)
            assert said.returncode == 1 and str(session) in said.stderr.decode(), said.stderr
            assert os.path.exists(path) and of.sessions()["checkpoints"][0]["why"], of.sessions()
            with open(path, "wb") as file:
                file.write(whole)
        one.go()
        tool(of, "restore", session)  # what it is now is whole
        assert one.round() != first
        one.end()


def test_a_program_that_is_stopped_is_asked_again():
    want = native_rounds(4)
    with tempfile.TemporaryDirectory() as folder, server(folder) as of:
        one = program(of)
        got = [one.round()]
        session = only_session(of)
        one.process.send_signal(signal.SIGSTOP)
        asks = subprocess.Popen([plenum.TOOL, "checkpoint", str(session), "--server", of.unix], env=plenum.native_env())
        try:
            time.sleep(5)  # it is asked twice, and more
            assert os.listdir(folder) in ([], [f"{session}.unfinished"]) and only_session(of) == session
            assert of.sessions()["sessions"][0]["state"] == "writes"  # nobody has suspended it
        finally:
            one.process.send_signal(signal.SIGCONT)
        assert asks.wait(plenum.LIMIT_S) == 0 and os.listdir(folder) == [f"{session}.checkpoint"]
        tool(of, "restore", session)
        while len(got) < len(want):
            one.go()
            got.append(one.round())
        assert got == want
        one.end()


def test_a_folder_is_one_servers():
    with tempfile.TemporaryDirectory() as folder, server(folder) as of:
        one = program(of)
        one.round()
        tool(of, "checkpoint", only_session(of))
        try:
            with server(folder):
                assert False, "two servers with one folder"
        except RuntimeError as said:
            assert "another server" in str(said), said
        tool(of, "restore", of.sessions()["checkpoints"][0]["id"])
        one.go()
        one.round()
        one.end()


def test_a_program_that_is_gone_is_not_waited_for_forever():
    with tempfile.TemporaryDirectory() as folder, server(folder, "--grace", "2") as of:
        one = program(of)
        one.round()
        session = only_session(of)
        tool(of, "checkpoint", session)
        one.process.kill()
        one.process.wait()
        tool(of, "restore", session)
        assert plenum.wait_for(lambda: not of.sessions()["sessions"] and not of.sessions()["checkpoints"], 30)


def test_programs_end_where_their_server_does_not_come_back():
    with tempfile.TemporaryDirectory() as folder:
        with server(folder, "--checkpoints-wait", "2", "--grace", "1") as of:
            one = program(of)
            one.round()
            of.stop()
            one.go()
            assert one.process.wait(60) != 0  # with the API's error
        assert glob.glob(os.path.join(folder, "*.checkpoint"))


if __name__ == "__main__":
    plenum.main([test_a_session_goes_on_out_of_its_file, test_sessions_outlive_their_server, test_at_any_moment,
                 test_kinds_of_objects_that_are_seldom, test_two_devices, test_what_can_not_be_written_goes_on,
                 test_a_damaged_file_is_refused_and_stays,
                 test_a_program_that_is_stopped_is_asked_again, test_a_folder_is_one_servers,
                 test_a_program_that_is_gone_is_not_waited_for_forever,
                 test_programs_end_where_their_server_does_not_come_back])
