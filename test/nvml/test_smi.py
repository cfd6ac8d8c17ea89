#!/usr/bin/env python3
"""nvidia-smi's questions, by the real pynvml (package nvidia-ml-py), natively on the reference GPU and through a server by
`plenum run`, over shared memory and tcp: the same lines.  Where the programs nvidia-smi and nvtop are installed (or
PLENUM_TEST_NVIDIA_SMI names the first), nvidia-smi too."""

import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import plenum  # noqa: E402

REFGPU = os.environ["PLENUM_TEST_REFGPU_DIR"]
MEMORY = {"PLENUM_REFGPU_MEMORY": "1G"}
ENVIRONMENT = dict(plenum.native_env(), **MEMORY)
SMI = [sys.executable, os.path.join(HERE, "smi.py"), "--steady"]
NVIDIA_SMI = os.environ.get("PLENUM_TEST_NVIDIA_SMI") or shutil.which("nvidia-smi")

try:
    import pynvml  # noqa: F401
except ImportError:
    pynvml = None


def said(command, environment):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    if "ASan runtime does not come first" in done.stderr:
        raise unittest.SkipTest("a library with AddressSanitizer cannot be loaded into a program without it")
    if done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def steady(text):
    """Without times, and without what others use of the device meanwhile."""
    text = re.sub(r"\w{3} \w{3} +\d+ [\d:]+ \d{4} *", "", text)
    text = re.sub(r" *\d+ ?MiB( */|$)|(Used|Free) +: \d+ MiB|'bar1(Free|Used)': \d+", "", text, flags=re.MULTILINE)
    text = re.sub(r" +\d+ ?%", "", text)
    return re.split(r"\| Processes|^ *Processes", text, flags=re.MULTILINE)[0]


def natively(command):
    return said(command, dict(ENVIRONMENT, LD_LIBRARY_PATH=REFGPU))


class Same(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = plenum.Server("--cuda", "refgpu", **MEMORY)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def ways(self):
        for address in (self.server.unix, self.server.tcp):
            yield address, [plenum.TOOL, "run", "-s", address, "--"], dict(ENVIRONMENT, PLENUM_TOKEN=self.server.token)

    @unittest.skipUnless(pynvml, "no pynvml (nvidia-ml-py)")
    def test_pynvml_tells_the_same(self):
        native = steady(natively(SMI))
        self.assertIn("Plenum reference GPU", native)
        self.assertGreater(len(native.splitlines()), 15)
        for address, prefix, environment in self.ways():
            with self.subTest(address=address):
                self.assertEqual(steady(said(prefix + SMI, environment)), native)

    @unittest.skipUnless(NVIDIA_SMI, "no nvidia-smi")
    def test_nvidia_smi_tells_the_same(self):
        for options in ([], ["-L"], ["-q"], ["--query-gpu=name,uuid,memory.total,pci.bus_id,compute_cap", "--format=csv"]):
            native = steady(natively([NVIDIA_SMI, *options]))
            self.assertIn("Plenum reference GPU", native)
            for address, prefix, environment in self.ways():
                with self.subTest(address=address, options=options):
                    self.assertEqual(steady(said(prefix + [NVIDIA_SMI, *options], environment)), native)

    def test_processes_are_told_through_a_worker_that_may_look(self):
        """The program holds memory of the reference GPU natively, and asks about itself and others through a server."""
        with plenum.Server("--cuda", "refgpu", "--confine=off", tcp=False, **MEMORY) as server:
            device = [os.environ["PLENUM_TEST_DEVICE"], os.path.join(REFGPU, "libcuda.so.1"), os.environ["PLENUM_TEST_CLIENT"]]
            said(device, dict(ENVIRONMENT, PLENUM=server.unix))

    def test_a_server_without_nvml_says_so(self):
        program = "import ctypes; print(ctypes.CDLL('libnvidia-ml.so.1').nvmlInit_v2())"
        with plenum.Server("--nvml", "off", tcp=False) as server:
            text = said([plenum.TOOL, "run", "-s", server.unix, "--", sys.executable, "-c", program], ENVIRONMENT)
        self.assertEqual(text.strip(), "12")  # NVML_ERROR_LIBRARY_NOT_FOUND


if __name__ == "__main__":
    unittest.main()
