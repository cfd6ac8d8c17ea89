"""CUDA programs of several threads over shared memory and TCP, where all of it was built with ThreadSanitizer: no report, neither
of the program and its client nor of the server and its workers.  test/tsan.supp says what is left out, and why."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum

NATIVE = os.environ.get("PLENUM_TEST_LIBCUDA", "")
REMOTE = os.environ.get("PLENUM_TEST_CUDA_CLIENT", "")
PROGRAMS = os.environ.get("PLENUM_TEST_CUDA_PROGRAMS", "")
NAMES = ("launch", "order", "queries", "runtime", "graphs", "again")
LEFT_OUT = {("order", "tcp"): "test_a_stream_waits_for_anothers_event,test_the_legacy_stream_keeps_its_place,"
                              "test_streams_wait_for_words_in_memory",  # as in test_cuda.py
            ("launch", "shm"): "test_variables_of_a_module_are_found_by_name",  # managed: userfaultfd is not there
            ("launch", "tcp"): "test_variables_of_a_module_are_found_by_name"}  # beside TSan's own memory everywhere


def reports(folder):
    found = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("tsan."):
            with open(os.path.join(folder, name), errors="replace") as file:
                found.append(file.read())
    return found


def check(name):
    options = f"suppressions={os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tsan.supp')}"
    os.environ["TSAN_OPTIONS"] = ""
    for mode in ("shm", "tcp"):
        with plenum.Server("--cuda", NATIVE, "--confine=off", PLENUM_REFGPU_MEMORY="256M", TSAN_OPTIONS=options) as server:
            said = os.path.join(server.folder, "tsan")
            env = server.env(mode, PLENUM_TEST_LIBCUDA=REMOTE, PLENUM_TEST_PTX_DIR=os.environ.get("PLENUM_TEST_PTX_DIR", ""),
                             PLENUM_TEST_SKIP=LEFT_OUT.get((name, mode), ""), PLENUM_TEST_REMOTE="1",
                             TSAN_OPTIONS=f"{options} log_path={said} exitcode=0")
            result = plenum.run([os.path.join(PROGRAMS, "cuda-" + name)], env, check=False)
            assert result.returncode == 0, f"{mode}: {result.returncode}\n{result.stdout.decode()[-500:]}\n{result.stderr.decode()[-3000:]}"
            own = reports(server.folder)
            assert not own, f"{mode}: the program and its client:\n{own[0][:6000]}"
            server.stop()
            theirs = re.search(r"WARNING: ThreadSanitizer.*", server.log_text(), re.S)
            assert not theirs, f"{mode}: the server and its workers:\n{theirs.group(0)[:6000]}"


def make(name):
    def test():
        check(name)
    test.__name__ = f"test_{name}_has_no_race"
    return test


def test_a_race_would_be_reported():
    """Two threads add to one word."""
    with plenum.Server("--cuda", "off", tcp=False) as server:
        said = os.path.join(server.folder, "tsan")
        env = dict(plenum.native_env(), TSAN_OPTIONS=f"log_path={said} exitcode=0")
        plenum.run([os.environ["PLENUM_TEST_RACES"]], env)
        assert any("data race" in report for report in reports(server.folder))


if __name__ == "__main__":
    plenum.main([test_a_race_would_be_reported] + [make(name) for name in NAMES])
