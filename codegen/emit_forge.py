"""cuda-forge.c: a call of each op with fields that a client could lie in, for test/hostile/test-forged.c."""

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


def value(spec, field):
    if field.type in OF_KIND:
        return f"{OF_KIND[field.type]}(forge, PL_{spec.prefix.upper()}_KIND_{field.kind})"
    if field.type == "u32" and field.name.lower().endswith("type"):
        return "1 + forge_pick(forge, 4)"  # what kind of memory, of a copy's end: 0 is none
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
