"""For an API whose library programs open by name: <api>-api.h (prototypes of all exported symbols), <api>-proc.c (the
table for its GetProcAddress), <api>-refused.c (the functions that are refused)."""

from cgen import note, prototype, wrap


def functions(spec):
    return [f for f in spec.functions if f.is_function]


def number(since):
    """As the API counts: 11.2 is 11020."""
    major, minor = since.split(".")
    return int(major) * 1000 + int(minor) * 10


def header(spec):
    upper = spec.api.upper()
    twins = """  A twin _ptds or _ptsz has the signature of the function
 * before it; its default stream is the calling thread's own.""" if any(f.flavour for f in spec.functions) else ""
    out = [note(spec).rstrip(), f"""/*
 * Every symbol that the library exports, with its signature.{twins}
 */
#ifndef PL_{upper}_PROTOTYPES_H
#define PL_{upper}_PROTOTYPES_H

#include "{spec.api}/api.h"

#define PL_{spec.prefix.upper()}_EXPORT __attribute__((visibility("default")))
"""]
    for function in functions(spec):
        for symbol, _, since in function.symbols:
            if since:
                out.append(f"/* since {since} */" if symbol == function.name else f"/* since {since}, its twin */")
            out.append(prototype(f"PL_{spec.prefix.upper()}_EXPORT ", function, symbol) + ";")
    return "\n".join(out + ["", "#endif"]) + "\n"


def proc_rows(spec):
    """(name, per thread, version, symbol), in the order of the search."""
    rows = [(f.base_name, bool(flavour), number(since), symbol)
            for f in functions(spec) for symbol, flavour, since in f.symbols]
    return sorted(rows)


def proc_source(spec):
    rows = proc_rows(spec)
    out = [note(spec).rstrip(), f'#include "{spec.api}/proc.h"\n', f'#include "{spec.api}-api.h"\n',
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
