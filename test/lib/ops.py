"""What the tests of a server's daily commands share: the tool, and a program that has a session and waits."""
import subprocess

import plenum


def tool(*arguments, check=True):
    result = subprocess.run([plenum.TOOL, *arguments], capture_output=True, text=True, timeout=plenum.LIMIT_S,
                            env=plenum.native_env())
    assert not check or result.returncode == 0, f"{arguments}: {result}"
    return result


class Client:
    """A program that has a session and waits."""

    def __init__(self, server, mode, path=None, **more):
        self.process = subprocess.Popen([path or plenum.program("idle")], env=server.env(mode, **more), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def call(self):
        """A thread of its own makes a call: over a connection that was not there before."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(plenum.LIMIT_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
