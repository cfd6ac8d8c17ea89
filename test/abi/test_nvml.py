#!/usr/bin/env python3
"""Compares src/nvml and spec/nvml.api with NVIDIA's nvml.h, where one of NVML 13 is installed (NVML_INCLUDE, CUDA_HOME,
/usr/local/cuda, or the package nvidia-nvml-dev): values, sizes, alignments, offsets and kinds of members, names and
signatures of all functions."""

import glob
import os
import re
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [HERE, os.path.join(ROOT, "codegen")]

import declared  # noqa: E402
import plgen  # noqa: E402
from test_cuda import FACTS, compile_c, run  # noqa: E402

VERSION = "13"
# the vendor's switch that shows functions by their own names; without it old names are macros of new ones
THEIRS = "#define NVML_NO_UNVERSIONED_FUNC_DEFS\n#include <nvml.h>\n"
OURS = '#include "nvml/api.h"\n'


def folders():
    if os.environ.get("NVML_INCLUDE"):
        yield os.environ["NVML_INCLUDE"]
    for home in filter(None, (os.environ.get("CUDA_HOME"), "/usr/local/cuda")):
        yield os.path.join(home, "include")
    for path in sys.path:
        yield from glob.glob(os.path.join(path, "nvidia", "cu13", "include"))


def header():
    """The folder of the vendor's header, or why there is none."""
    for folder in folders():
        path = os.path.join(folder, "nvml.h")
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                version = re.search(r"^#define NVML_API_VERSION +(\d+)", file.read(), re.MULTILINE)
            if version and version.group(1) == VERSION:
                return folder, ""
            return None, f"{path} is not of NVML {VERSION}"
    return None, "no nvml.h in NVML_INCLUDE, CUDA_HOME or /usr/local/cuda, and no package nvidia-nvml-dev"


VENDOR, MISSING = header()


class Side:
    def __init__(self, source, includes):
        self.source, self.includes = source, includes
        reader = declared.Reader(declared.preprocess(source, includes))
        self.enumerators = {name for name in reader.enumerators if name.startswith("NVML_")}
        self.types = {name: paths for name, paths in reader.types.items() if name.startswith("nvml")}

    def macros(self):
        text = declared.macros(self.source, self.includes, prefix="(?:NVML|nvml|MAX)_?")
        return {name for name, value in text.items() if re.fullmatch(r"[(]*-?\w+( << \w+)?[)]*", value) and
                re.match(r"NVML_|nvml(Event|Clocks|\w+_v\d+$)|MAX_CLK", name)}

    def facts(self, types, constants):
        lines = [f"T({name})" for name in sorted(types)]
        lines += [f"M({name}, {path})" for name in sorted(types) for path in sorted(types[name])]
        lines += [f"E({name})" for name in sorted(constants)]
        return run(self.source + FACTS + "\n".join(lines) + "\nreturn 0;\n}\n", self.includes)


def opaque():
    with open(os.path.join(ROOT, "src", "nvml", "opaque.h"), encoding="utf-8") as file:
        return set(re.findall(r"(nvml\w+_t);", file.read()))


def differences(folder, theirs):
    """What ours says that the vendor's does not, or says differently.  What is only theirs is what nobody needs."""
    ours = Side(OURS, [folder])
    known = {name: paths for name, paths in ours.types.items()
             if name not in opaque() and not name.endswith("_st") and name not in ("nvmlDevice_t",)}
    faults = [f"only ours: {name}" for name in sorted(set(ours.types) - set(theirs.types)) if not name.endswith("_opaque")]
    faults += [f"only ours: {name}" for name in sorted(ours.enumerators - theirs.enumerators)]
    types = {name: paths for name, paths in known.items() if name in theirs.types}
    for name, paths in types.items():
        if set(paths) != set(theirs.types[name]):
            faults.append(f"members of {name}: {sorted(set(paths) ^ set(theirs.types[name]))}")
    types = {name: [p for p in paths if p in theirs.types[name]] for name, paths in types.items()}
    constants = (ours.enumerators & theirs.enumerators) | (ours.macros() & theirs.macros())
    for ours_says, theirs_says in zip(ours.facts(types, constants), theirs.facts(types, constants), strict=True):
        if ours_says != theirs_says:
            faults.append(f"ours {ours_says}; theirs {theirs_says}")
    return faults, types, constants


class Types(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.theirs = Side(THEIRS, [VENDOR])

    def test_values_sizes_and_offsets_are_the_vendors(self):
        faults, types, constants = differences(os.path.join(ROOT, "src"), self.theirs)
        self.assertEqual(faults, [])
        self.assertGreater(len(types), 120)
        self.assertGreater(len(constants), 300)

    def lie(self, name, old, new):
        """What is found when one of our headers is wrong."""
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "nvml"))
            for path in glob.glob(os.path.join(ROOT, "src", "nvml", "*.h")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                if os.path.basename(path) == name:
                    self.assertEqual(text.count(old), 1)
                    text = text.replace(old, new)
                with open(os.path.join(folder, "nvml", os.path.basename(path)), "w", encoding="utf-8") as file:
                    file.write(text)
            return differences(folder, self.theirs)[0]

    def test_a_wrong_value_is_found(self):
        self.assertEqual(self.lie("base.h", "NVML_ERROR_TIMEOUT = 10", "NVML_ERROR_TIMEOUT = 11"),
                         ["ours NVML_ERROR_TIMEOUT = 11; theirs NVML_ERROR_TIMEOUT = 10"])

    def test_a_moved_member_is_found(self):
        faults = self.lie("types.h", "\tunsigned int gpu;\n\tunsigned int memory;", "\tunsigned int memory;\n\tunsigned int gpu;")
        self.assertTrue(any("nvmlUtilization_t.gpu at 4" in fault for fault in faults), faults)


class Functions(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.functions = {f.name: f for f in plgen.load(os.path.join(ROOT, "spec", "nvml.api")).functions if f.is_function}
        text = declared.preprocess(THEIRS, [VENDOR])
        cls.theirs = set(re.findall(r"\b(nvml[A-Z]\w*) *\([^;{}]*\)\s*;", text))

    def asserts(self, change=lambda name, text: text):
        for name in sorted(self.theirs & set(self.functions)):
            function = self.functions[name]
            signature = ", ".join(p.c_type for p in function.params) or "void"
            yield (f"_Static_assert(__builtin_types_compatible_p(__typeof__(&{name}), {function.result} (*)"
                   f"({change(name, signature)})), \"signature of {name}\");")

    def test_every_function_of_the_header_is_in_the_spec(self):
        self.assertGreater(len(self.theirs), 350)
        self.assertEqual(sorted(self.theirs - set(self.functions)), [])

    def test_signatures_are_the_vendors(self):
        run(THEIRS + "\n".join(self.asserts()) + "\nint main(void) { return 0; }\n", [VENDOR])

    def test_a_wrong_signature_is_found(self):
        lines = self.asserts(lambda name, text: text.replace("int", "short") if name == "nvmlDeviceGetIndex" else text)
        status, said = compile_c(THEIRS + "\n".join(lines) + "\nint main(void) { return 0; }\n", [VENDOR])
        self.assertNotEqual(status, 0)
        self.assertIn("signature of nvmlDeviceGetIndex", said)


if __name__ == "__main__":
    if MISSING:
        print("skipped: " + MISSING)
        sys.exit(77)
    unittest.main()
