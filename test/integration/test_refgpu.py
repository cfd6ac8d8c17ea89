"""plenum refgpu check and disasm: exit status, report as text and as JSON, wrong usage, files that are none."""
import json
import os
import subprocess
import sys
import tempfile

PLENUM, FAULTY, CLEAN, PTX = sys.argv[1:5]


def refgpu(*arguments, **more):
    env = {**os.environ, "PLENUM_TEST_LIBCUDA": "libcuda.so.1", "PLENUM_REFGPU_MEMORY": "256M"}
    return subprocess.run([PLENUM, "refgpu", *arguments], capture_output=True, text=True, env=env, timeout=300, **more)


def test_check_reports_and_keeps_the_programs_status():
    ran = refgpu("check", "--", FAULTY)
    assert ran.returncode == 0, ran
    assert "plenum check: failed call: cuMemFree(" in ran.stderr, ran.stderr
    assert ran.stderr.splitlines()[-1] == "plenum check: 3 errors: 3 failed calls", ran.stderr
    assert refgpu("check", "--", "/bin/sh", "-c", "exit 7").returncode == 7
    assert refgpu("check", "--", "/bin/sh", "-c", "kill -TERM $$").returncode == 128 + 15
    assert refgpu("check", "--", "/nowhere/at/all").returncode == 127


def test_check_has_an_exit_status_for_errors_alone():
    assert refgpu("check", "--error-exitcode", "9", "--", FAULTY).returncode == 9
    assert refgpu("check", "--error-exitcode", "9", "--tool", "racecheck", "--", FAULTY).returncode == 0
    clean = refgpu("check", "--error-exitcode", "9", "--tool", "memcheck,racecheck", "--", CLEAN)
    assert clean.returncode == 0 and clean.stderr.endswith("plenum check: 0 errors\n"), clean


def test_check_as_json():
    with tempfile.NamedTemporaryFile() as to:
        ran = refgpu("check", "--json", "-o", to.name, "--", FAULTY)
        report = json.load(to)
    assert ran.stderr == "", ran.stderr
    assert report["checked"] and report["errors"] == 3 and report["status"] == 0, report
    assert [finding["kind"] for finding in report["findings"]] == ["failed-call"] * 3
    assert all(finding["frames"] for finding in report["findings"])


def test_check_says_when_nothing_was_checked():
    ran = refgpu("check", "--", "/bin/true")
    assert ran.returncode == 0 and "nothing was checked" in ran.stderr, ran
    assert json.loads(refgpu("check", "--json", "--", "/bin/true").stdout)["checked"] is False


def test_wrong_usage():
    for arguments in (["check"], ["check", "--tool", "memchek", "--", "/bin/true"], ["check", "--tool", "", "--", "/bin/true"],
                      ["check", "--error-exitcode", "256", "--", "/bin/true"], ["disasm"], ["disasm", PTX, PTX], ["dance"]):
        ran = refgpu(*arguments)
        assert ran.returncode == 2 and ran.stderr, (arguments, ran)


def test_disasm_shows_instructions_beside_their_ptx():
    ran = refgpu("disasm", "--kernel", "store_at", PTX)
    assert ran.returncode == 0, ran
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("kernel store_at: ") and "parameters 16 bytes" in lines[0], lines[0]
    assert any(line.startswith("  ; ") and "st.global.u32" in line for line in lines), lines
    assert any("st.u32.global" in line and not line.startswith("  ;") for line in lines), lines
    assert "race_read" not in ran.stdout
    everything = refgpu("disasm", PTX)
    assert everything.stdout.count("\nkernel ") > 10 and everything.returncode == 0
    assert refgpu("disasm", PTX, "-k", "no_such_kernel").returncode == 1


def test_disasm_refuses_what_it_can_not_read():
    with open(PTX, "rb") as file:
        text = file.read()
    with open(PLENUM, "rb") as file:
        program = file.read()
    bad = {
        "empty": b"", "cut": text[:len(text) // 2], "text": b"hello\n", "zeros": bytes(4096), "magic": b"\x50\xed\x55\xba" + b"\xff" * 60,
        "head": program[:40], "sections": program[:4096], "other class": program[:4] + b"\x01" + program[5:4096],
    }
    for name, data in bad.items():
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            ran = refgpu("disasm", file.name)
        assert ran.returncode == 1 and ran.stderr.startswith("plenum refgpu disasm: "), (name, ran)
    for path in (PLENUM, "/nowhere", "/tmp", "/dev/null"):
        ran = refgpu("disasm", path)
        assert ran.returncode == 1 and path in ran.stderr, ran


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
