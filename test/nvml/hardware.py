#!/usr/bin/env python3
"""hardware.py LIBRARY: results (not values) of every function of an NVML that Plenum carries, natively and through a server,
over shared memory.  For hardware, where values change by themselves, and where nothing may be called that changes it.

Needs PLENUM_TOOL and PLENUM_TEST_CALLS (the program nvml-calls)."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import plenum  # noqa: E402

CALLS = os.environ.get("PLENUM_TEST_CALLS", "")


def results(text):
    """(function, way) -> result, of the part between nvmlInit() and nvmlShutdown()."""
    part = text.split("---- right and wrong")[1].split("---- after")[0]
    return {(name, int(way)): int(code) for name, way, code in re.findall(r"^(nvml\w+) #(\d+) = (\d+):", part, re.MULTILINE)}


def main():
    library = sys.argv[1]
    folder = os.path.dirname(library)
    native_env = dict(plenum.native_env(), **({"LD_LIBRARY_PATH": folder} if folder else {}))
    native = plenum.run([CALLS], native_env).stdout.decode(errors="replace")
    with plenum.Server("--nvml", library, "--cuda", "off", tcp=False) as server:
        command = [plenum.TOOL, "run", "-s", server.unix, "--", CALLS]
        remote = plenum.run(command, plenum.native_env()).stdout.decode(errors="replace")
    native, remote = results(native), results(remote)
    assert len(native) > 1000 and set(native) == set(remote)
    faults = [key for key in sorted(native) if native[key] != remote[key]]
    for name, way in faults:
        print(f"{name} #{way}: natively {native[name, way]}, remoted {remote[name, way]}")
    print(f"{len(native)} results, {len(faults)} differ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
