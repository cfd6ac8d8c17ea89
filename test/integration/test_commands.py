"""What the commands say of themselves: every option of a command's --help is completed and stands in its manual page, and
nothing else does; every page that another one names is installed."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import plenum
from ops import tool

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
COMPLETION = os.path.join(ROOT, "tools", "plenum", "plenum.bash")
MAN = os.path.join(ROOT, "docs", "man")
PAGES = {"serve": "plenumd.8", "stats": "plenum-ps.1", "top": "plenum-ps.1", "resume": "plenum-suspend.1",
         "restore": "plenum-checkpoint.1", "version": "plenum.1"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def commands():
    return [line.split()[0] for line in tool("help").stdout.splitlines() if re.match(r"  [a-z]+ ", line)]


def options(command):
    """Those that stand at a line's begin; two may stand there."""
    found = set()
    for line in tool(command, "--help").stdout.splitlines():
        if re.match(r" {2,8}(-\S, )?--[a-z]", line):
            found.update(re.findall(r"--([a-z][a-z-]*)", re.split(r" {2,}", line.strip())[0]))
    return found - {"usage"}


def completed(command):
    said = plenum.run(["bash", "-c", f". {COMPLETION}; _plenum_options {command}"], plenum.native_env()).stdout.decode()
    return set(re.findall(r"--([a-z][a-z-]*)", said))


def documented(page):
    text = read(os.path.join(MAN, page)).replace("\\-", "-").replace("Fl Fl ", "--").replace("Fl -", "--")
    return set(re.findall(r"--([a-z][a-z-]*)", text))


def test_every_option_is_completed_and_nothing_else():
    if not shutil.which("bash"):
        plenum.skip("no bash")
    for command in commands():
        if command != "help":
            assert completed(command) == options(command) | {"help"}, (command, completed(command) ^ options(command))
    listed = plenum.run(["bash", "-c", f". {COMPLETION}; echo $_plenum_commands"], plenum.native_env()).stdout.decode()
    assert sorted(listed.split()) == sorted(commands()), listed


def test_every_option_stands_in_the_manual():
    for command in commands():
        page = PAGES.get(command, f"plenum-{command}.1")
        if command != "help":
            missing = options(command) - documented(page) - {"help"}
            assert not missing, (page, missing)


def test_pages_that_are_named_are_installed():
    build = read(os.path.join(ROOT, "docs", "meson.build"))
    installed = set(re.findall(r"[\w-]+\.[18]", build))
    for page in os.listdir(MAN):
        assert page in installed, page
        named = re.findall(r"^\.(?:Xr|BR) (plenum[\w-]*) \(?([18])\)?", read(os.path.join(MAN, page)).replace("\\-", "-"), re.M)
        for name, section in named:
            assert f"{name}.{section}" in installed, (page, name)
    overview = read(os.path.join(MAN, "plenum.1"))
    for command in commands():
        assert re.search(rf"^\.It Cm (\w+ , )?{command}\b", overview, re.M), command


def test_a_command_that_is_not_there_is_told():
    for wrong in (["no-such"], ["help", "no-such"]):
        result = subprocess.run([plenum.TOOL, *wrong], capture_output=True, text=True, env=plenum.native_env(), check=False)
        assert result.returncode == 2 and "no command `no-such'; `plenum help' lists them" in result.stderr, result


def said(*command, **env):
    result = subprocess.run([plenum.TOOL, *command], capture_output=True, text=True, timeout=plenum.LIMIT_S,
                            env={**plenum.native_env(), **env}, check=False)
    return result.returncode, result.stderr


def test_an_address_that_is_none_is_told():
    for command in (["run", "--", "true"], ["devices"], ["doctor"], ["ps"], ["trace", "--", "true"]):
        for address in ("tcp://host", "tcp://host:99999", "unix:relative", "carrier-pigeon:/x", "unix:/a,unix:/b", ""):
            code, error = said(command[0], "--server", address, *command[1:])
            assert code == 2 and "one address (unix:/PATH, tcp://HOST:PORT, ...)" in error, (command, address, error)
    assert "a port is missing" in said("run", "--server", "tcp://host", "--", "true")[1]


def test_a_token_that_is_not_set_is_told():
    for env, options in (({}, ["--server", "unix:/nowhere", "--server", "tcp://127.0.0.1:1"]), ({"PLENUM": "tcp://127.0.0.1:1"}, [])):
        code, error = said("run", *options, "--", "true", **env)
        assert code == 0 and error == "plenum: tcp://127.0.0.1:1 wants a token, and PLENUM_TOKEN is not set\n", error
        assert said("run", *options, "--", "true", PLENUM_TOKEN="word", **env) == (0, "")
    assert said("run", "--server", "unix:/nowhere", "--", "true") == (0, "")


def test_what_is_not_there_is_told_with_what_there_is():
    assert "there is no user `nobody-such'" in said("serve", "--allow-uid", "nobody-such")[1]
    with plenum.Server(tcp=False) as server:
        for command in (["limit", "7"], ["ps", "--kill", "7"]):
            code, error = said(*command, "--server", server.unix)
            assert code == 1 and "no such session: `plenum ps' lists" in error, error


def test_a_server_of_somebody_else_is_told():
    if os.geteuid():
        print("SKIP: only root becomes another user")
        return
    with plenum.Server() as server:
        os.chmod(server.folder, 0o755)
        result = subprocess.run([plenum.TOOL, "ps", "--server", server.unix], capture_output=True, text=True, user="nobody",
                                timeout=plenum.LIMIT_S, env=plenum.native_env(), check=False)
        assert result.returncode == 1 and "--allow-uid" in result.stderr and "plenum serve'" not in result.stderr, result


if __name__ == "__main__":
    plenum.main([test_every_option_is_completed_and_nothing_else, test_every_option_stands_in_the_manual,
                 test_pages_that_are_named_are_installed, test_a_command_that_is_not_there_is_told,
                 test_an_address_that_is_none_is_told, test_a_token_that_is_not_set_is_told, test_what_is_not_there_is_told_with_what_there_is,
                 test_a_server_of_somebody_else_is_told])
