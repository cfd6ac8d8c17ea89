"""A worker reads what drivers need and nothing else: a source that includes other files gets the driver's own error."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

SECRET = "plenum_test_secret_word"
BUILD_FAILED = "-11"


def builds(server, mode, path):
    """(status, text) of the source that includes the file, and of the one that includes nothing."""
    out = plenum.run([plenum.program("include"), path], server.env(mode)).stdout.decode(errors="replace")
    parts = out.split("build: ")[1:]
    return [part.split("\n", 1) for part in parts]


def secret_make(server, text=SECRET + "\n"):
    """A file that the server's user may read."""
    path = os.path.join(server.folder, "secret.h")
    with open(path, "w") as file:
        file.write(text)
    return path


def test_files_of_the_server_are_not_included():
    with plenum.Server() as server:
        paths = [secret_make(server), os.path.join(server.folder, "token"), "/etc/passwd", "/etc/shadow",
                 os.path.expanduser("~/.profile")]
        for mode in ("shm", "tcp"):
            for path in filter(os.path.exists, paths):
                with_it, without = builds(server, mode, path)
                assert with_it[0] == BUILD_FAILED, (path, with_it)
                assert path in with_it[1], with_it  # the driver says which file it could not open
                assert SECRET not in with_it[1] and server.token not in with_it[1], with_it
                assert "root:" not in with_it[1], with_it
                assert without[0] == "0", without
        assert server.workers()


def test_the_environment_shows_no_token():
    """/proc is open: what stands in the worker's own files there must be harmless."""
    with plenum.Server() as server:
        with_it, _ = builds(server, "shm", "/proc/self/environ")
        assert server.token not in with_it[1] and "PATH" not in with_it[1], with_it


def memory_of(pid):
    """What a process may write, as bytes, none where it has ended; None where nobody may look."""
    parts = []
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in maps:
                ends, access = line.split()[:2]
                start, end = (int(word, 16) for word in ends.split("-"))
                if access == "rw-p" and end - start < 64 << 20 and "[v" not in line:
                    memory.seek(start)
                    parts.append(memory.read(end - start))
    except PermissionError:
        return None
    except OSError:
        return b""
    return b"".join(parts)


def test_no_worker_has_the_token_in_its_memory():
    """Workers are forked from the process that compares it."""
    with plenum.Server("--spare", "2") as server:
        for _ in range(3):
            plenum.run([plenum.program("platforms")], server.env("tcp"))
        memories = [memory_of(pid) for pid in server.workers()]
        if None in memories:
            print("SKIP: may not look at workers' memory")
            return
        assert sum(len(memory) > 100000 for memory in memories) >= 2, [len(memory) for memory in memories]
        assert not [1 for memory in memories if server.token.encode() in memory], "a worker knows the token"


def test_the_operator_may_allow_more():
    with plenum.Server("--confine=off") as server:
        assert builds(server, "shm", secret_make(server, "#define A 1\n"))[0][0] == "0"
    folder = os.path.dirname(os.path.abspath(__file__))
    with plenum.Server("--worker-read", folder) as server:
        status, text = builds(server, "shm", os.path.join(folder, "test_confine.py"))[0]
        assert status == BUILD_FAILED and "ermission" not in text, text  # it was read: python is no OpenCL


def test_builds_work_for_users_of_their_own():
    if os.geteuid():
        print("SKIP: only root can give workers user ids of their own")
        return
    with plenum.Server("--worker-uids", "700000-700015") as server:
        with_it, without = builds(server, "shm", secret_make(server))
        assert (with_it[0], without[0]) == (BUILD_FAILED, "0"), (with_it, without)
        users = {os.stat(f"/proc/{pid}").st_uid for pid in server.workers()}
        assert users and all(700000 <= user <= 700015 for user in users), users
        for program in ("transfers", "svm"):
            plenum.run([plenum.program(program)], server.env("shm"))


def test_wrong_options_are_explained():
    for option in ("--confine=perhaps", "--worker-read=usr", "--worker-write=", "--worker-uids=12", "--worker-uids=0-5",
                   "--worker-uids=9000-8000"):
        result = subprocess.run([plenum.TOOL, "serve", option], capture_output=True, env=plenum.native_env(), timeout=60)
        assert result.returncode == 2 and option.split("=")[0].encode() in result.stderr, (option, result)


if __name__ == "__main__":
    if not plenum.have_device():
        plenum.skip("no native OpenCL device")
    plenum.main([test_files_of_the_server_are_not_included, test_the_environment_shows_no_token,
                 test_no_worker_has_the_token_in_its_memory,
                 test_the_operator_may_allow_more, test_builds_work_for_users_of_their_own,
                 test_wrong_options_are_explained])
