#!/usr/bin/env python3
"""Tests of the generator.

golden/small.api, small-cuda.api and small-nvml.api have one of each shape; their outputs are kept beside them.  After a change that is meant:
PLGEN_BLESS=1 python3 codegen/test_plgen.py Golden, and read what git says.
bad/*.api: each has one fault and says in its first line where it must be found and what must be said.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import lock  # noqa: E402
import plgen  # noqa: E402

GOLDEN = os.path.join(HERE, "golden")
BAD = os.path.join(HERE, "bad")
SPEC = os.path.join(HERE, "..", "spec", "opencl.api")
LOCK = os.path.join(HERE, "..", "spec", "opencl.lock")
SMALL = os.path.join(GOLDEN, "small.api")
SMALLS = {"opencl": SMALL, "cuda": os.path.join(GOLDEN, "small-cuda.api"),
          "nvml": os.path.join(GOLDEN, "small-nvml.api")}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def generate(*arguments):
    """Exit status and what was said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = plgen.main(list(arguments))
    return status, said.getvalue().strip()


class Golden(unittest.TestCase):
    def test_outputs_are_as_kept(self):
        bless = os.environ.get("PLGEN_BLESS")
        with tempfile.TemporaryDirectory() as made:
            out = GOLDEN if bless else made
            for api, small in SMALLS.items():
                self.assertEqual(generate("--spec", small, "--out", out), (0, ""))
                for name in plgen.OUTPUTS[api]:
                    with self.subTest(name=name):
                        self.assertEqual(read(os.path.join(out, name)), read(os.path.join(GOLDEN, name)))

    def test_nothing_but_the_outputs_is_kept(self):
        self.assertEqual(sorted(os.listdir(GOLDEN)),
                         sorted([*(name for api in SMALLS for name in plgen.OUTPUTS[api]), "small-cuda.api",
                                 "small-nvml.api", "small.api"]))


class Bad(unittest.TestCase):
    def test_each_fault_is_found_on_its_line(self):
        names = sorted(name for name in os.listdir(BAD) if name.endswith(".api"))
        self.assertGreaterEqual(len(names), 25)
        for name in names:
            with self.subTest(name=name):
                self.one(os.path.join(BAD, name))

    def one(self, path):
        first = read(path).splitlines()[0]
        line, text = re.fullmatch(r"/\* expect (\d+): (.*) \*/", first).groups()
        locked = path.replace(".api", ".lock")
        extra = ["--lock", locked] if os.path.exists(locked) else []
        status, said = generate("--spec", path, "--check", *extra)
        self.assertEqual(status, 1)
        self.assertTrue(said.startswith(f"{path}:{line}: "), f"expected line {line}: {said}")
        self.assertIn(text, said)

    def test_a_fault_writes_nothing(self):
        with tempfile.TemporaryDirectory() as made:
            out = os.path.join(made, "out")
            status, _ = generate("--spec", os.path.join(BAD, "id-twice.api"), "--out", out)
            self.assertEqual(status, 1)
            self.assertFalse(os.path.exists(out))


class Lock(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.spec = os.path.join(self.folder.name, "a.api")
        self.lock = os.path.join(self.folder.name, "a.lock")

    def run_with(self, text, *arguments):
        write(self.spec, "api opencl 1;\nlimit A_MAX 9;\nobject event cl_event CL_INVALID_EVENT;\n"
                         "object queue cl_command_queue CL_INVALID_COMMAND_QUEUE;\n" + text)
        return generate("--spec", self.spec, "--lock", self.lock, "--out", self.folder.name, *arguments)

    def test_update_adds_and_keeps(self):
        self.assertEqual(self.run_with("@1 post message plA(u32 a);", "--update-lock"), (0, ""))
        self.assertEqual(self.run_with("@1 post message plA(u32 a);"), (0, ""))
        self.assertEqual(self.run_with("@2 post message plB(u32 a);", "--update-lock"), (0, ""))
        self.assertEqual(sorted(lock.read(self.lock)), [1, 2])
        status, said = self.run_with("@1 post message plC(u32 a);", "--update-lock")
        self.assertEqual(status, 1)
        self.assertIn("id 1 was given to plA for ever", said)

    def test_a_changed_layout_is_noticed(self):
        self.run_with("@1 post message plA(u32 a);", "--update-lock")
        status, said = self.run_with("@1 post message plA(u64 a);")
        self.assertEqual(status, 1)
        self.assertIn("the layout of plA", said)
        self.assertEqual(self.run_with("@1 post message plA(u64 a);", "--update-lock"), (0, ""))

    def test_a_changed_limit_is_no_changed_layout(self):
        self.run_with("@1 post message plA(bytes(max = A_MAX) a);", "--update-lock")
        self.assertEqual(self.run_with("@1 post message plA(bytes(max = 20) a);"), (0, ""))

    def test_a_broken_lock_is_refused(self):
        write(self.lock, "# fine\n1 plA\n")
        status, said = self.run_with("@1 post message plA(u32 a);")
        self.assertEqual(status, 1)
        self.assertTrue(said.startswith(f"{self.lock}:2: "), said)


class CommandLine(unittest.TestCase):
    def test_unchanged_files_are_left_alone(self):
        with tempfile.TemporaryDirectory() as out:
            generate("--spec", SMALL, "--out", out)
            paths = [os.path.join(out, name) for name in plgen.OUTPUTS["opencl"]]
            for path in paths:
                os.utime(path, ns=(1, 1))
            write(paths[0], "other")
            generate("--spec", SMALL, "--out", out)
            self.assertEqual([os.stat(path).st_mtime_ns for path in paths[1:]], [1] * (len(paths) - 1))
            self.assertEqual(read(paths[0]), read(os.path.join(GOLDEN, os.path.basename(paths[0]))))

    def test_check_writes_nothing(self):
        with tempfile.TemporaryDirectory() as out:
            self.assertEqual(generate("--spec", SMALL, "--out", out, "--check"), (0, ""))
            self.assertEqual(os.listdir(out), [])

    def test_a_missing_spec_is_said(self):
        status, said = generate("--spec", "/nowhere/a.api", "--check")
        self.assertEqual(status, 1)
        self.assertIn("/nowhere/a.api", said)

    def test_the_projects_specs_hold_together(self):
        for name in SMALLS:
            files = [os.path.join(HERE, "..", "spec", f"{name}.{end}") for end in ("api", "lock")]
            self.assertEqual(generate("--spec", files[0], "--lock", files[1], "--check"), (0, ""))

    def test_the_example_of_the_docs_works(self):
        example = re.search(r"```c\n(.*?)```", read(os.path.join(HERE, "..", "docs", "spec.md")), re.DOTALL).group(1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "example.api")
            write(path, read(SPEC) + example)
            self.assertEqual(generate("--spec", path, "--out", folder), (0, ""))
            self.assertIn("pl_cl_stub_clEnqueueScrubBuffer(", read(os.path.join(folder, "opencl-client.c")))
            self.assertIn("pl_cl.clEnqueueScrubBuffer(", read(os.path.join(folder, "opencl-serve.c")))

    def test_the_same_spec_gives_the_same_text(self):
        spec = plgen.load(SPEC)
        again = plgen.load(SPEC)
        for name, emit in plgen.OUTPUTS["opencl"].items():
            self.assertEqual(emit(spec), emit(again), name)


if __name__ == "__main__":
    unittest.main()
