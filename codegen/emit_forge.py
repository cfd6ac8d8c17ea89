"""cuda-forge.c: a call of each op with fields that a client could lie in, for test/hostile/test-forged.c."""

import re

from cgen import note
from emit_wire import record_name

HEAD = """/* Each call of the wire, its fields chosen by test/hostile/forge.h.  Whole and well encoded: what lies is the content. */
#include "{api}-wire.h"
#include "hostile/forge.h"
"""

ONE = {"u64": "forge_word(forge)", "u32": "forge_half(forge)", "i32": "(int32_t)forge_half(forge)",
       "f32": "(float)(int32_t)forge_word(forge)", "u64s": "forge_words(forge)", "properties": "forge_words(forge)",
       "records": "forge_words(forge)", "u32s": "forge_halves(forge)", "bytes": "forge_bytes(forge)",
       "string": "forge_text(forge)", "bulk": "forge_bulk(forge)"}
OF_KIND = {"handle": "forge_id", "mint": "forge_new", "ids": "forge_ids"}


# What a field is about, by its name: a call that is wrong in all its fields is refused for the first.
ABOUT = ((r"per_thread|wait|is_\w+|put|to_host", "forge_pick(forge, 3)"),
         (r"given|flags", "forge_bits(forge)"),
         (r"(\w+_)?type", "1 + forge_pick(forge, 4)"),
         (r"ring", "forge_pick(forge, 8) ? 0 : forge_word(forge)"),
         (r"store", "forge_pick(forge, 2) ? UINT64_MAX : forge_size(forge) * 4096"),
         (r"(\w+_)?address|dst|src|to|from|host|device|place", "forge_address(forge)"),
         (r"(\w+_)?(size|bytes|count|width|height|depth|pitch|length|[xyz])", "forge_size(forge)"))
NUMBERS = ("u64", "u32", "i32")


def value(spec, field):
    if field.type in OF_KIND:
        return f"{OF_KIND[field.type]}(forge, PL_{spec.prefix.upper()}_KIND_{field.kind})"
    if field.type in NUMBERS:
        about = next((what for name, what in ABOUT if re.fullmatch(name, field.name.lower())), None)
        if about:
            return about if field.type == "u64" else f"({'u' if field.type == 'u32' else ''}int32_t)({about})"
    return ONE[field.type]


def member(spec, name, of):
    if of.type == "raw":
        return f"\tforge_fill(forge, {name}.{of.name}, sizeof({name}.{of.name}));"
    return f"\t{name}.{of.name} = {value(spec, of)};"


def fields(spec, wire):
    for field in wire:
        name = f"args.{field.name}"
        if field.type == "record":
            yield f"\t/* {record_name(spec, field.kind)} */"
            yield from (member(spec, name, of) for of in spec.records[field.kind].members)
        elif field.type == "u64x3":
            yield from (f"\t{name}[{i}] = forge_word(forge);" for i in range(3))
        else:
            yield f"\t{name} = {value(spec, field)};"
    lists = [f.name for f in wire if f.type in ("ids", "u64s", "records", "u32s")]
    for field in wire:
        if field.name.endswith("_count") and field.name[:-6] in lists:
            yield f"\tif (forge_pick(forge, 8))\n\t\targs.{field.name} = args.{field.name[:-6]}.count;"


def layout(spec, function):
    name = f"pl_{spec.prefix}_{function.name}"
    out = [f"static uint64_t forge_{function.name}(struct forge *forge, uint8_t *room, uint64_t room_bytes)", "{",
           f"\tstruct {name}_args args;", "\tstruct pl_enc enc = { room };", "\tuint64_t bytes;", ""]
    out += ["\t(void)forge;", "\targs.nothing = 0;"] if not function.wire else list(fields(spec, function.wire))
    return out + [f"\tbytes = {name}_bytes(&args);", "\tif (bytes <= room_bytes)",
                  f"\t\t{name}_put(&enc, &args);", "\treturn bytes <= room_bytes ? bytes : 0;", "}", ""]


def source(spec):
    out = [note(spec).rstrip(), HEAD.replace("{api}", spec.api)]
    called = [f for f in spec.functions if f.is_called]
    made = {spec.layout_of(f).name: spec.layout_of(f) for f in called}
    for function in made.values():
        out += layout(spec, function)
    out.append("const struct forge_call forge_calls[] = {")
    for function in called:
        upper = spec.prefix.upper()
        out.append(f"\t{{ PL_{upper}_OP_{function.name}, \"{function.name}\", forge_{spec.layout_of(function).name} }},")
    out += ["};", "const unsigned forge_calls_count = sizeof(forge_calls) / sizeof(forge_calls[0]);"]
    return "\n".join(out) + "\n"
