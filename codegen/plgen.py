#!/usr/bin/env python3
"""Makes Plenum's C from a spec: plgen.py --spec spec/opencl.api --lock spec/opencl.lock --out DIR

--update-lock  writes new ids and layouts into the lock file (git shows the change to the reviewer)
--check        only reads: says what is wrong with the spec or the lock, writes nothing
Files are written only if their content changes.  Errors: FILE:LINE: message, and the exit status 1.
"""

import argparse
import os
import sys

import check
import emit_backend
import emit_client
import emit_docs
import emit_forge
import emit_fuzz
import emit_info
import emit_proto
import emit_records
import emit_serve
import emit_stubs
import emit_trace
import emit_wire
import lock
from fault import SpecFault
from parse import parse

OUTPUTS = {
    "opencl": {
        "opencl-wire.h": emit_wire.header,
        "opencl-wire.c": emit_wire.source,
        "opencl-client.h": emit_client.header,
        "opencl-client.c": emit_client.source,
        "opencl-serve.h": emit_serve.header,
        "opencl-serve.c": emit_serve.source,
        "opencl-info.h": emit_info.header,
        "opencl-info.c": emit_info.source,
        "opencl-functions.md": emit_docs.table,
        "fuzz-opencl-decode.c": emit_fuzz.harness,
    },
    "cuda": {
        "cuda-api.h": emit_proto.header,
        "cuda-proc.c": emit_proto.proc_source,
        "cuda-refused.c": emit_proto.refused_source,
        "cuda-calls.c": emit_proto.calls_source,
        "cuda-trace.c": emit_trace.source,
        "cuda-wire.h": emit_wire.header,
        "cuda-wire.c": emit_wire.source,
        "cuda-records.h": emit_records.header,
        "cuda-client.h": emit_stubs.header,
        "cuda-client.c": emit_stubs.source,
        "cuda-serve.h": emit_backend.header,
        "cuda-serve.c": emit_backend.source,
        "cuda-functions.md": emit_docs.table,
        "fuzz-cuda-decode.c": emit_fuzz.harness,
        "cuda-forge.c": emit_forge.source,
    },
    "nvml": {
        "nvml-api.h": emit_proto.header,
        "nvml-refused.c": emit_proto.refused_source,
        "nvml-absent.c": emit_proto.absent_source,
        "nvml-wire.h": emit_wire.header,
        "nvml-wire.c": emit_wire.source,
        "nvml-records.h": emit_records.header,
        "nvml-client.h": emit_stubs.header,
        "nvml-client.c": emit_stubs.source,
        "nvml-serve.h": emit_backend.header,
        "nvml-serve.c": emit_backend.source,
        "nvml-functions.md": emit_docs.table,
        "fuzz-nvml-decode.c": emit_fuzz.harness,
    },
}


def load(path):
    """The checked spec of a file."""
    with open(path, encoding="utf-8") as file:
        spec = parse(file.read(), path)
    if spec.api not in OUTPUTS:
        raise SpecFault(path, spec.line, f"nothing is made for an API {spec.api}: {', '.join(OUTPUTS)}")
    return check.check(spec)


def write_changed(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run(arguments):
    spec = load(arguments.spec)
    if arguments.lock:
        rows = lock.compare(spec, lock.read(arguments.lock), arguments.update_lock)
        if arguments.update_lock and not arguments.check:
            write_changed(arguments.lock, lock.text(rows))
    outputs = {name: emit(spec) for name, emit in OUTPUTS[spec.api].items()}
    if arguments.check:
        return
    os.makedirs(arguments.out, exist_ok=True)
    for name, text in outputs.items():
        write_changed(os.path.join(arguments.out, name), text)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--lock")
    parser.add_argument("--out")
    parser.add_argument("--update-lock", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args(argv)
    if not arguments.check and not arguments.out:
        parser.error("say where to write with --out, or --check")
    try:
        run(arguments)
    except (SpecFault, OSError) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
