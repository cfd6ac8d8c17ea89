"""For an API whose library programs open by name: <api>-trace.c, each exported symbol passed on to another library and
written down (src/trace)."""

from cgen import note, prototype, wrap
from emit_proto import functions

SIZES = ("bytes", "size")  # parameters that say how much a call works on
UNLOAD = ("cuModuleUnload", "cuLibraryUnload", "cuCtxDestroy", "cuCtxDestroy_v2")


def source(spec):
    rows = [(symbol, function) for function in functions(spec) for symbol, *_ in function.symbols]
    out = [note(spec).rstrip(), f'#include "trace/{spec.api}/trace.h"\n']
    for number, (symbol, function) in enumerate(rows):
        out += [prototype("", function, symbol), "{"] + body(function, symbol, number) + ["}", ""]
    out.append(f"const struct pl_{spec.api}_trace_row pl_{spec.api}_trace_rows[] = {{")
    for symbol, function in rows:
        unloads = "true" if function.name in UNLOAD else "false"
        out.append(f'\t{{ "{symbol}", "{function.call_class}", (pl_{spec.api}_trace_fn){symbol}, {unloads} }},')
    return "\n".join(out + ["};", f"const uint32_t pl_{spec.api}_trace_rows_count = {len(rows)};",
                            f"pl_{spec.api}_trace_fn _Atomic pl_{spec.api}_trace_theirs[{len(rows)}];"]) + "\n"


def body(function, symbol, number):
    names = [p.name for p in function.params]
    sizes = [p.name for p in function.params if p.name in SIZES and p.declaration == f"size_t {p.name}"]
    launched = [p.name for p in function.params if p.declaration == f"CUfunction {p.name}" and "Launch" in symbol]
    known = f".row = {number}"
    known += f", .size = {sizes[0]}" if sizes else ""
    known += f", .function = {launched[0]}" if launched else ""
    lines = [f"\tstruct pl_cuda_trace_call pl_call = {{ {known} }};",
             f"\t__typeof__(&{symbol}) pl_theirs = (__typeof__(&{symbol}))pl_cuda_trace_begin(&pl_call);",
             wrap("\tCUresult pl_result = !pl_theirs ? CUDA_ERROR_NOT_SUPPORTED : pl_theirs", names, ";"), ""]
    if function.base_name == "cuGetProcAddress":
        lines += ["\tif (!pl_result)", "\t\tpl_cuda_trace_found(symbol, version, flags, function);"]
    return lines + ["\treturn pl_cuda_trace_end(&pl_call, pl_result);"]
