"""For an API whose library programs open by name: <api>-api.h (prototypes of all exported symbols), <api>-proc.c (the
table for its GetProcAddress), <api>-refused.c (the functions that are refused), <api>-calls.c (around each function the
begin and the end of a call)."""

from cgen import note, prototype, wrap


def functions(spec):
    return [f for f in spec.functions if f.is_function]


def number(since):
    """As the API counts: 11.2 is 11020."""
    major, minor = since.split(".")
    return int(major) * 1000 + int(minor) * 10


def header(spec):
    guard, upper = spec.api.upper(), f"PL_{spec.prefix.upper()}"
    twins = """  A twin _ptds or _ptsz has the signature of the function
 * before it; its default stream is the calling thread's own.""" if any(f.flavour for f in spec.functions) else ""
    out = [note(spec).rstrip(), f"""/*
 * Every symbol that the library exports, with its signature.{twins}
 */
#ifndef PL_{guard}_PROTOTYPES_H
#define PL_{guard}_PROTOTYPES_H

#include "{spec.api}/api.h"

{names(spec)}
"""]
    for function in functions(spec):
        for symbol, _, since in function.symbols:
            if since:
                out.append(f"/* since {since} */" if symbol == function.name else f"/* since {since}, its twin */")
            out.append(prototype(f"{upper}_EXPORT ", function, symbol) + f" {upper}_NAME({symbol});")
    return "\n".join(out + ["", "#endif"]) + "\n"


def names(spec):
    """How the symbols are called and seen; <api>-calls.c exports them for a library that defines them inside."""
    upper = f"PL_{spec.prefix.upper()}"
    return f"""/* Of a library with {spec.api}-calls.c: what it defines has other names, and that file exports these. */
#ifdef {upper}_INSIDE
#define {upper}_EXPORT     __attribute__((visibility("hidden")))
#define {upper}_NAME(name) __asm__("pl_inside_" #name)
#else
#define {upper}_EXPORT __attribute__((visibility("default")))
#define {upper}_NAME(name)
#endif"""


def calls_source(spec):
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    out = [note(spec).rstrip(), f"#undef {upper}_INSIDE", f'#include "{spec.api}-api.h"', f'#include "{spec.api}/handle.h"\n']
    for function in functions(spec):
        arguments = ", ".join(p.name for p in function.params)
        for symbol, *_ in function.symbols:
            out += [prototype("", function, f"pl_inside_{symbol}") + ";",
                    prototype("", function, symbol), "{", f"\tuint32_t pl_mark = {lower}_call_begin();",
                    f"\t{spec.result} pl_result = pl_inside_{symbol}({arguments});", "",
                    f"\t{lower}_call_end(pl_mark);", "\treturn pl_result;", "}", ""]
    return "\n".join(out).rstrip() + "\n"


def proc_rows(spec):
    """(name, per thread, version, symbol), in the order of the search."""
    rows = [(f.base_name, bool(flavour), number(since), symbol)
            for f in functions(spec) for symbol, flavour, since in f.symbols]
    return sorted(rows)


def proc_source(spec):
    rows = proc_rows(spec)
    out = [note(spec).rstrip()]
    out.append(f"#undef PL_{spec.prefix.upper()}_INSIDE /* the table has what is exported */")
    out += [f'#include "{spec.api}/proc.h"\n', f'#include "{spec.api}-api.h"\n',
           "/* Weak: what a library does not define is NULL in its table. */"]
    out += [f"#pragma weak {symbol}" for *_, symbol in rows]
    out += ["", "#define ROW(name, per_thread, version, symbol) \\",
            "\t{ name, #symbol, version, per_thread, (void (*)(void))symbol }",
            f"const struct pl_{spec.api}_proc pl_{spec.api}_procs[] = {{"]
    for name, per_thread, version, symbol in rows:
        out.append(f"\tROW(\"{name}\", {'true' if per_thread else 'false'}, {version}, {symbol}),")
    return "\n".join(out + ["};", f"const size_t pl_{spec.api}_procs_count = {len(rows)};",
                            "#undef ROW"]) + "\n"


def absent_source(spec):
    """For a library whose device lacks much: weak definitions of what it may leave out, that look at the arguments as
    all others do."""
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    out = [note(spec).rstrip(), f'#include "{spec.api}-api.h"', f'#include "{spec.api}/absent.h"\n', "#include <stddef.h>\n",
           f"#define OK {spec.ok}", f"#define NO_PLACE {spec.faults['too_large']} /* NULL where an answer must go */",
           f"#define VERSION {spec.faults['version']} /* of a structure */\n"]
    for function in functions(spec):
        if not function.is_called:
            continue
        needed = [p.name for p in function.params if p.role in ("in", "out", "inout", "mint") and not p.optional]
        versions = [f"{p.name}->version != {record.version}" for p in function.params if p.role in ("in", "inout")
                    for record in [spec.record_of(p.element)] if record and record.version]
        handles = [p for p in function.params if p.role in ("handle", "release")]
        out += ["__attribute__((weak))", prototype("", function, function.name), "{"]
        out += [f"\t(void){p.name};" for p in function.params if p.name not in needed and p not in handles]
        code = "OK"
        if versions:
            code = f"{' || '.join(versions)} ? VERSION : OK"
        if needed:
            code = f"{' || '.join('!' + name for name in needed)} ? NO_PLACE : {code}"
        first, second = ([p.name for p in handles] + ["NULL", "NULL"])[:2]
        out += [wrap(f"\treturn {lower}_absent", [f'"{function.name}"', f"(int)({code})", str(len(handles)), first, second],
                     ";"), "}", ""]
    return "\n".join(out).rstrip() + "\n"


def refused_source(spec):
    out = [note(spec).rstrip(), f'#include "{spec.api}-api.h"', f'#include "{spec.api}/refuse.h"\n']
    for function in functions(spec):
        if function.call_class != "refused":
            continue
        for symbol, *_ in function.symbols:
            out += [prototype("", function, symbol), "{"]
            out += [f"\t(void){p.name};" for p in function.params]
            out += [wrap(f"\treturn pl_{spec.api}_refuse", [f'"{symbol}"', function.refusal, f'"{function.reason}"'], ";"),
                    "}", ""]
    return "\n".join(out).rstrip() + "\n"
