#!/usr/bin/env python3
"""Compares src/cuda and spec/cuda.api with NVIDIA's headers, where those of CUDA 13.0 are installed: values, sizes,
alignments, offsets and kinds of members, names and signatures of all functions, and which version brought each."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [HERE, os.path.join(ROOT, "codegen")]

import declared  # noqa: E402
import emit_proto  # noqa: E402
import plgen  # noqa: E402

VERSION = 13000
OURS = ["base", "context", "device", "external", "graph", "graph-node", "launch", "memory", "module", "process", "result",
        "stream", "texture", "texture-view", "vmm"]
THEIRS = '#include <cuda.h>\n#include <cudaProfiler.h>\n'
INTERNAL = "-D__CUDA_API_VERSION_INTERNAL"  # the vendor's switch that shows the old versions
# Names that are there to make the vendor's own header work.
NOT_OURS = re.compile(r"CU(DA_DEPRECATED|DA_API|_UUID_HAS_BEEN_DEFINED)|CUDA(API|_CB)$")
FACTS = """
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#define KIND(x) _Generic((x), float: "float", double: "float", char: "char", signed char: "int", unsigned char: \
"unsigned", short: "int", unsigned short: "unsigned", int: "int", unsigned: "unsigned", long: "int", \
unsigned long: "unsigned", long long: "int", unsigned long long: "unsigned", default: "other")
#define T(type) printf(#type " %zu bytes, aligned to %zu\\n", sizeof(type), alignof(type));
#define M(type, member) printf(#type "." #member " at %zu, %zu bytes, %s\\n", offsetof(type, member), \
sizeof(((type *)0)->member), KIND(((type *)0)->member));
#define E(name) printf(#name " = %lld\\n", (long long)(name));
int main(void)
{
"""


def headers():
    """The folder of the vendor's headers, or why there is none."""
    for home in filter(None, (os.environ.get("CUDA_HOME"), "/usr/local/cuda")):
        folder = os.path.join(home, "include")
        if os.path.exists(os.path.join(folder, "cuda.h")):
            with open(os.path.join(folder, "cuda.h"), encoding="utf-8", errors="replace") as file:
                version = re.search(r"^#define CUDA_VERSION (\d+)", file.read(), re.MULTILINE)
            if version and int(version.group(1)) == VERSION:
                return folder, ""
            return None, f"{folder}/cuda.h is not of CUDA 13.0"
    return None, "no cuda.h in CUDA_HOME or /usr/local/cuda"


VENDOR, MISSING = headers()


class Side:
    """One set of declarations: what it has, and what the compiler says about that."""

    def __init__(self, source, includes, *more):
        self.source, self.includes, self.more = source, includes, more
        reader = declared.Reader(declared.preprocess(source, includes, *more))
        self.enumerators = {name for name in reader.enumerators if re.match(r"(NV)?CU|CIG", name)}
        self.types = {name: paths for name, paths in reader.types.items() if re.match(r"CU|cl_|cuuint", name)}
        self.macros = {name for name, text in declared.macros(source, includes, *more).items()
                       if re.fullmatch(r"[(]*(\w+ ?\*?[)])?[-(]*\w+( [+|] \w+)?[)]*", text) and not NOT_OURS.match(name)}

    def names(self):
        paths = {f"{name}.{path}" for name, paths in self.types.items() for path in paths}
        return self.enumerators | self.macros | set(self.types) | paths

    def facts(self, types, constants):
        lines = [f"T({name})" for name in sorted(types)]
        lines += [f"M({name}, {path})" for name in sorted(types) for path in sorted(types[name])]
        lines += [f"E({name})" for name in sorted(constants)]
        return run(self.source + FACTS + "\n".join(lines) + "\nreturn 0;\n}\n", self.includes, *self.more)


def compile_c(source, includes, *more):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "facts.c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        command = ["cc", "-std=gnu11", "-w", *[f"-I{i}" for i in includes], *more, path, "-o", path + ".out"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return done.returncode, done.stderr
        return 0, subprocess.run([path + ".out"], capture_output=True, text=True, check=True).stdout


def run(source, includes, *more):
    status, said = compile_c(source, includes, *more)
    if status:
        raise AssertionError(said[:4000])
    return said.splitlines()


def our_side(folder=os.path.join(ROOT, "src")):
    return Side("".join(f'#include "cuda/{name}.h"\n' for name in OURS), [folder])


def differences(ours, theirs):
    """What one side lacks or says differently."""
    types = {name: [p for p in paths if p in theirs.types[name]]
             for name, paths in ours.types.items() if name in theirs.types}
    constants = (ours.enumerators | ours.macros) & (theirs.enumerators | theirs.macros)
    faults = [f"only ours: {name}" for name in sorted(ours.names() - theirs.names())]
    faults += [f"only theirs: {name}" for name in sorted(theirs.names() - ours.names())]
    for ours_says, theirs_says in zip(ours.facts(types, constants), theirs.facts(types, constants), strict=True):
        if ours_says != theirs_says:
            faults.append(f"ours {ours_says}; theirs {theirs_says}")
    return faults


class Types(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.theirs = Side(THEIRS, [VENDOR], INTERNAL)

    def test_values_sizes_and_offsets_are_the_vendors(self):
        self.assertGreater(len(self.theirs.types), 200)
        self.assertGreater(len(self.theirs.enumerators), 800)
        self.assertEqual(differences(our_side(), self.theirs), [])

    def lie(self, name, old, new):
        """What is found when one of our headers is wrong."""
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cp", "-r", os.path.join(ROOT, "src", "cuda"), folder], check=True)
            path = os.path.join(folder, "cuda", name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.assertEqual(text.count(old), 1)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(old, new))
            return differences(our_side(folder), self.theirs)

    def test_a_wrong_value_is_found(self):
        self.assertEqual(self.lie("result.h", "CUDA_ERROR_NOT_READY = 600", "CUDA_ERROR_NOT_READY = 601"),
                         ["ours CUDA_ERROR_NOT_READY = 601; theirs CUDA_ERROR_NOT_READY = 600"])

    def test_a_moved_member_is_found(self):
        faults = self.lie("vmm.h", "\tCUmemLocationType type;\n\tint id;", "\tint id;\n\tCUmemLocationType type;")
        self.assertTrue(any("CUmemLocation.id at 0" in fault for fault in faults), faults)

    def test_a_name_that_is_left_out_is_found(self):
        self.assertEqual(self.lie("stream.h", "\tCU_STREAM_NON_BLOCKING = 1,\n", ""),
                         ["only theirs: CU_STREAM_NON_BLOCKING"])


class Functions(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.spec = plgen.load(os.path.join(ROOT, "spec", "cuda.api"))
        text = declared.preprocess(THEIRS, [VENDOR], INTERNAL)
        cls.theirs = set(re.findall(r"CUresult\s+(cu[A-Z]\w*) *\(", text))
        cls.symbols = {symbol: f for f in emit_proto.functions(cls.spec) for symbol, *_ in f.symbols}

    def signature(self, function):
        return ", ".join(p.c_type or p.declaration for p in function.params) or "void"

    def asserts(self, change=lambda name, signature: signature):
        lines = []
        for symbol in sorted(self.theirs & set(self.symbols)):
            function = self.symbols[symbol]
            lines.append(f"_Static_assert(__builtin_types_compatible_p(__typeof__(&{symbol}), {function.result} (*)"
                         f"({change(symbol, self.signature(function))})), \"signature of {symbol}\");")
        return lines

    def test_every_function_of_the_header_is_in_the_spec(self):
        self.assertGreater(len(self.theirs), 600)
        self.assertEqual(sorted(self.theirs - set(self.symbols)), [])

    def test_functions_that_are_not_in_the_header_are_those_for_graphics(self):
        names = set()
        for header in ("cudaGL.h", "cudaEGL.h", "cudaVDPAU.h"):
            with open(os.path.join(VENDOR, header), encoding="utf-8", errors="replace") as file:
                names |= set(re.findall(r"\b(cu[A-Z]\w*)\b", file.read()))
        rest = set(self.symbols) - self.theirs
        self.assertEqual(sorted(name for name in rest if re.sub(r"_pt[ds][sz]$", "", name) not in names), [])

    def test_signatures_are_the_vendors(self):
        lines = self.asserts()
        run(THEIRS + "\n".join(lines) + "\nint main(void) { return 0; }\n", [VENDOR], INTERNAL)

    def test_a_wrong_signature_is_found(self):
        lines = self.asserts(lambda name, text: text.replace("size_t", "unsigned int") if name == "cuMemAlloc_v2" else text)
        status, said = compile_c(THEIRS + "\n".join(lines) + "\nint main(void) { return 0; }\n", [VENDOR], INTERNAL)
        self.assertNotEqual(status, 0)
        self.assertIn("signature of cuMemAlloc_v2", said)

    def test_versions_and_flavours_are_the_vendors(self):
        text = declared.preprocess("#include <cudaTypedefs.h>\n", [VENDOR], INTERNAL)
        theirs = {(name, bool(flavour), int(version)) for name, version, flavour in
                  re.findall(r"PFN_(cu\w+?)_v(\d+)(_pt[ds][sz])?\)", text)}
        ours = {(name, per_thread, version): symbol for name, per_thread, version, symbol in emit_proto.proc_rows(self.spec)
                if symbol in self.theirs}
        profiler = {row for row in ours if row[0].startswith("cuProfiler")}
        self.assertGreater(len(theirs), 600)
        self.assertEqual(sorted(theirs ^ (set(ours) - profiler)), [])
        lines = []
        for (name, per_thread, version), symbol in sorted(ours.items()):
            if (name, per_thread, version) in profiler:
                continue
            kind = f"PFN_{name}_v{version}" + (symbol[-5:] if per_thread else "")
            lines.append(f"_Static_assert(__builtin_types_compatible_p({kind}, __typeof__(&{symbol})), \"{kind} is "
                         f"{symbol}\");")
        run(THEIRS + "#include <cudaTypedefs.h>\n" + "\n".join(lines) + "\nint main(void) { return 0; }\n", [VENDOR],
            INTERNAL)


if __name__ == "__main__":
    if MISSING:
        print("skipped: " + MISSING)
        sys.exit(77)
    unittest.main()
