"""<api>-wire.h and .c: numbers, limits, argument structures, and their encoders and decoders."""

from cgen import note, wrap
from model import REPLAYS, api_hash, fnv64, layout_text

NAMES = {"opencl": "OpenCL", "cuda": "CUDA", "nvml": "NVML"}
C_TYPES = {"u64": "uint64_t", "u32": "uint32_t", "i32": "int32_t", "f32": "float", "handle": "uint64_t",
           "mint": "uint64_t", "records": "struct pl_u64s",
           "ids": "struct pl_u64s", "u64s": "struct pl_u64s", "u32s": "struct pl_u32s", "bytes": "struct pl_bytes",
           "string": "const char *", "bulk": "struct pl_bulk", "properties": "struct pl_u64s"}
SIZES = {"ids": "pl_size_array({0}.count, 8)", "u64s": "pl_size_array({0}.count, 8)",
         "u32s": "pl_size_array({0}.count, 4)", "bytes": "pl_size_array({0}.bytes, 1)",
         "string": "pl_size_array(strlen({0}) + 1, 1)", "bulk": "pl_size_bulk(&{0})",
         "properties": "pl_size_array({0}.count, 8)", "records": "pl_size_array({0}.count, 8)"}
PUTS = {"u64": "pl_enc_u64(&to, {0});", "u32": "pl_enc_u64(&to, {0});",
        "i32": "pl_enc_u64(&to, (uint64_t)(int64_t){0});", "f32": "pl_enc_f32(&to, {0});",
        "records": "pl_enc_array(&to, {0}.at, {0}.count, 8);",
        "handle": "pl_enc_u64(&to, {0});", "mint": "pl_enc_u64(&to, {0});",
        "ids": "pl_enc_array(&to, {0}.at, {0}.count, 8);", "u64s": "pl_enc_array(&to, {0}.at, {0}.count, 8);",
        "u32s": "pl_enc_array(&to, {0}.at, {0}.count, 4);", "bytes": "pl_enc_array(&to, {0}.at, {0}.bytes, 1);",
        "string": "pl_enc_array(&to, {0}, strlen({0}) + 1, 1);", "bulk": "pl_enc_bulk(&to, &{0});",
        "properties": "pl_enc_array(&to, {0}.at, {0}.count, 8);", "u64x3": "pl_enc_raw(&to, {0}, 24);"}
GETS = {"u64": "{0} = pl_dec_u64(dec);", "u32": "{0} = pl_dec_u32(dec);", "i32": "{0} = pl_dec_i32(dec);",
        "f32": "{0} = pl_dec_f32(dec);",
        "handle": "{0} = pl_dec_u64(dec);", "mint": "{0} = pl_dec_u64(dec);",
        "ids": "{0} = pl_dec_u64s(dec, {1});", "u64s": "{0} = pl_dec_u64s(dec, {1});",
        "u32s": "{0} = pl_dec_u32s(dec, {1});", "bytes": "{0} = pl_dec_bytes(dec, {1});",
        "string": "{0} = pl_dec_string(dec, {1});", "bulk": "{0} = pl_dec_bulk(dec, {1});",
        "properties": "{0} = pl_dec_u64s(dec, {1});"}


def records(spec):
    """(name of the C structure, fields) of everything that is encoded."""
    for function in spec.functions:
        if function.has_wire:
            name = f"pl_{spec.prefix}_{function.name}"
            yield f"{name}_args", name, function.wire
            if function.reply is not None:
                yield f"{name}_reply", f"{name}_reply", function.reply


def comment(field):
    if field.type in ("handle", "mint"):
        text = f"{'made by the client: ' if field.type == 'mint' else ''}id, {field.kind}"
        return text + (", 0 = none" if field.optional else "")
    if field.type == "ids":
        return f"ids, {field.kind}; at most {field.max}"
    if field.type == "records":
        return f"records, {field.kind}; at most {field.max}"
    if field.type == "properties":
        return f"words with the closing 0; empty = NULL was given; at most {field.max}"
    return f"at most {field.max}" if field.max else ""


def structure(spec, name, fields):
    lines = [f"struct {name} {{"]
    for field in fields:
        if field.type == "u64x3":
            text = f"\tuint64_t {field.name}[3];"
        elif field.type == "record":
            text = f"\tstruct {record_name(spec, field.kind)} {field.name};"
        else:
            c_type = C_TYPES[field.type]
            text = f"\t{c_type}{'' if c_type.endswith('*') else ' '}{field.name};"
        why = comment(field)
        lines.append(text + (f" /* {why} */" if why else ""))
    if not fields:
        lines.append("\tuint64_t nothing; /* has no fields and does not travel */")
    return lines + ["};"]


def record_name(spec, kind):
    return f"pl_{spec.prefix}_{kind}_record"


def stream_words(spec, function):
    """Where in the fields' words, from 1, a call has its stream, and whether that is the thread's own; 0: nowhere that
    is always the same."""
    if function.is_absent or not function.is_called:
        return 0, 0
    at, stream, per_thread = 1, 0, 0
    for field in spec.layout_of(function).wire:
        if field.type == "handle" and field.kind == "stream" and field.name == "stream":
            stream = at
        if field.name == "per_thread":
            per_thread = at
        if field.type not in ("u64", "u32", "i32", "f32", "handle", "mint", "record", "u64x3"):
            break
        at += spec.records[field.kind].words if field.type == "record" else 3 if field.type == "u64x3" else 1
    return stream, per_thread


def words_macro(spec, kind):
    return f"PL_{spec.prefix.upper()}_WORDS_{kind}"


def fixed_bytes(spec, field):
    if field.type == "record":
        return 8 * spec.records[field.kind].words
    return 24 if field.type == "u64x3" else 8 if field.is_word else 0


def bytes_function(spec, prefix, name, fields):
    fixed = sum(fixed_bytes(spec, f) for f in fields)
    parts = [str(fixed)] if fixed or not fields else []
    parts += [SIZES[f.type].format(f"from->{f.name}") for f in fields if f.type in SIZES]
    lines = [wrap(f"static inline uint64_t {prefix}_bytes", [f"const struct {name} *from"], ""), "{"]
    if all(fixed_bytes(spec, f) for f in fields):
        lines.append("\t(void)from;")
    total = " + ".join(parts) if len(parts) < 3 else " +\n\t       ".join(parts)
    return lines + [f"\treturn {total or '0'};", "}"]


def put_function(spec, prefix, name, fields):
    lines = [wrap(f"static inline void {prefix}_put", ["struct pl_enc *enc", f"const struct {name} *from"], ""), "{"]
    if not fields:
        lines += ["\t(void)enc;", "\t(void)from;"]
    else:
        lines += ["\tstruct pl_enc to = *enc; /* stays in a register: nobody else can point at it */", ""]
    for field in fields:
        if field.type == "record":
            lines.append(f"\t{record_name(spec, field.kind)}_put(&to, &from->{field.name});")
        else:
            lines.append("\t" + PUTS[field.type].format(f"from->{field.name}"))
    return lines + (["\t*enc = to;"] if fields else []) + ["}"]


def get_prototype(prefix, name):
    return wrap(f"void {prefix}_get", ["struct pl_dec *dec", f"struct {name} *to"], "")


def get_function(spec, prefix, name, fields):
    lines = [get_prototype(prefix, name), "{"]
    if not fields:
        lines += ["\t(void)dec;", "\tto->nothing = 0;"]
    for field in fields:
        if field.type == "u64x3":
            lines += ["\tfor (int i = 0; i < 3; i++)", f"\t\tto->{field.name}[i] = pl_dec_u64(dec);"]
        elif field.type == "record":
            lines.append(f"\t{record_name(spec, field.kind)}_get(dec, &to->{field.name});")
        elif field.type == "records":
            lines.append(f"\tto->{field.name} = pl_dec_records(dec, {words_macro(spec, field.kind)}, "
                         f"{spec.max_c(field.max)});")
        else:
            lines.append("\t" + GETS[field.type].format(f"to->{field.name}", spec.max_c(field.max)))
    return lines + ["}"]


def record_code(spec, record):
    """Structure, encoder and decoder of a record, and its place in an array of words."""
    name, words = record_name(spec, record.name), words_macro(spec, record.name)
    out = [f"/* {record.c_type} */", f"#define {words} {record.words}u", f"struct {name} {{"]
    puts, gets = [], []
    for member in record.members:
        if member.type == "raw":
            out.append(f"\tuint8_t {member.name}[{member.bytes}];")
            puts.append(f"\tpl_enc_raw(to, from->{member.name}, {member.bytes});")
            gets.append(f"\tpl_dec_raw(dec, to->{member.name}, {member.bytes});")
            continue
        why = f" /* id, {member.kind} */" if member.kind else ""
        out.append(f"\t{C_TYPES[member.type]} {member.name};{why}")
        puts.append("\t" + PUTS[member.type].format(f"from->{member.name}").replace("&to", "to"))
        gets.append("\t" + GETS[member.type].format(f"to->{member.name}"))
    out += ["};", "", wrap(f"static inline void {name}_put", ["struct pl_enc *to", f"const struct {name} *from"], ""),
            "{", *puts, "}", "", wrap(f"static inline void {name}_get", ["struct pl_dec *dec", f"struct {name} *to"], ""),
            "{", *gets, "}", ""]
    return out + [f"""/* The i-th of an array; false: a member of it breaks its type. */
static inline bool {name}_at(struct pl_u64s words, uint64_t i, struct {name} *to)
{{
	const uint64_t *at = words.at + i * {words};
	struct pl_dec dec = {{ .at = (const uint8_t *)at, .end = (const uint8_t *)(at + {words}) }};

	{name}_get(&dec, to);
	return pl_dec_whole(&dec);
}}
"""]


def about(function):
    words = [function.call_class if not function.condition else f"{function.call_class}({function.condition})"]
    if function.replays in ("makes", "record"):
        words.append("recorded for a replay")
    return ", ".join(words)


def header(spec):
    lower, upper, guard = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}", spec.api.upper()
    out = [note(spec).rstrip(), f"""/*
 * {NAMES[spec.api]}'s calls and messages as they travel.  For each record R: the structure, its encoded size
 * R_bytes(), the encoder R_put() (into room of exactly that size) and the decoder R_get()
 * (sticky-fatal; ask pl_dec_whole() afterwards; what it sets is borrowed from the record).
 */
#ifndef PL_{guard}_WIRE_H
#define PL_{guard}_WIRE_H

#include <stdint.h>
#include <string.h>

#include "wire/codec.h"
#include "wire/functions.h"
"""]
    out.append("/* What the peers agree on: every function that travels, its number and its layout. */")
    out.append(f"#define {upper}_API_HASH 0x{api_hash(spec):016x}u")
    out.append(f"extern const struct pl_functions {lower}_functions;\n")
    for limit in spec.limits.values():
        suffix = "ull" if limit.value > 0xffffffff else "u"
        out.append(f"#define {upper}_LIMIT_{limit.name} {limit.value}{suffix}")
    out.append(f"\nenum {lower}_object_kind {{")
    out += [f"\t{upper}_KIND_{o.name} = {o.number}," for o in spec.objects.values()]
    out.append(f"}};\n\nenum {lower}_op {{")
    out += [f"\t{upper}_OP_{f.name} = {f.id}," for f in spec.functions]
    out.append(f"\t{upper}_OP_COUNT = {max(f.id for f in spec.functions) + 1}, /* numbers in between may be unused */")
    out.append("};\n")
    out.append(f"""/* Of an op; \"?\" for a number that the spec does not have. */
const char *{lower}_op_name(uint16_t op);
/* \"local\", \"post\", \"mint\", \"ask\", \"info\", \"reverse\", \"absent\" */
const char *{lower}_op_class(uint16_t op);
/* A moved session says it again: \"makes\": if it made or ended something; \"record\": if it succeeded, as it changes
 * something that is there; \"none\": never */
const char *{lower}_op_replays(uint16_t op);
/* The same: 0 = none, 1 = makes, 2 = record. */
int {lower}_op_records(uint16_t op);
/* Which word of a call's fields, from 1, names the stream that it goes into; 0 = none.  *per_thread_out: the same of
 * the flag that its default is the thread's own; 0 = it is not known. */
uint32_t {lower}_op_stream(uint16_t op, uint32_t *per_thread_out);
/* The op of a name, 0 = none. */
uint16_t {lower}_op_find(const char *name);
""")
    for record in spec.records.values():
        out += record_code(spec, record)
    for function in spec.functions:
        if function.sends:
            out.append(f"/* {function.name} ({about(function)}) travels as {function.sends} under its own op. */\n")
        if not function.has_wire:
            continue
        out.append(f"/* {function.name} ({about(function)}) */")
        for suffix, fields in (("_args", function.wire), ("_reply", function.reply)):
            if fields is None:
                continue
            name = f"{lower}_{function.name}{suffix}"
            prefix = name if suffix == "_reply" else f"{lower}_{function.name}"
            out += structure(spec, name, fields) + [""] + bytes_function(spec, prefix, name, fields) + [""]
            out += put_function(spec, prefix, name, fields) + [""]
            out += [get_prototype(prefix, name) + ";", ""]
    return "\n".join(out + ["#endif"]) + "\n"


def agreed(spec):
    """Rows of the table that peers of different releases compare, sorted by name."""
    rows = []
    for function in sorted(spec.functions, key=lambda f: f.name):
        if function.is_called or function.call_class == "reverse" or function.info:
            layout = fnv64(layout_text(spec, spec.layout_of(function)))
            reverse = "true" if function.call_class == "reverse" else "false"
            rows.append(f'\t{{ "{function.name}", 0x{layout:016x}u, {function.id}, {reverse} }},')
    return rows


def functions_table(spec):
    rows = agreed(spec)
    return ["static const struct pl_function functions[] = {", *rows, "};", "",
            f"const struct pl_functions pl_{spec.prefix}_functions = {{", f"\t.version = {spec.version},",
            f"\t.count = {len(rows)},", f"\t.hash = PL_{spec.prefix.upper()}_API_HASH,", "\t.at = functions,", "};", ""]


def source(spec):
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    out = [note(spec).rstrip(), f'#include "{spec.api}-wire.h"\n',
           "static const struct {", "\tconst char *name, *call_class, *replays;", "\tint records;", "\tuint8_t stream, per_thread;", f"}} ops[{upper}_OP_COUNT] = {{"]
    for function in sorted(spec.functions, key=lambda f: f.id):
        call_class = "absent" if function.is_absent else function.call_class
        replays = function.replays or "none"
        stream, per_thread = stream_words(spec, function)
        out.append(f'\t[{function.id}] = {{ "{function.name}", "{call_class}", "{replays}", {REPLAYS.index(replays)}, '
                   f"{stream}, {per_thread} }},")
    out.append("};\n")
    for name, member in (("name", "name"), ("class", "call_class"), ("replays", "replays")):
        out.append(f"""const char *{lower}_op_{name}(uint16_t op)
{{
	return op < {upper}_OP_COUNT && ops[op].name ? ops[op].{member} : "?";
}}
""")
    out.append(f"""int {lower}_op_records(uint16_t op)
{{
	return op < {upper}_OP_COUNT ? ops[op].records : 0;
}}

uint32_t {lower}_op_stream(uint16_t op, uint32_t *per_thread_out)
{{
	*per_thread_out = op < {upper}_OP_COUNT ? ops[op].per_thread : 0;
	return op < {upper}_OP_COUNT ? ops[op].stream : 0;
}}

uint16_t {lower}_op_find(const char *name)
{{
	for (uint16_t op = 0; op < {upper}_OP_COUNT; op++)
		if (ops[op].name && !strcmp(ops[op].name, name))
			return op;
	return 0;
}}
""")
    out += functions_table(spec)
    for name, prefix, fields in records(spec):
        out += get_function(spec, prefix, name, fields) + [""]
    return "\n".join(out).rstrip() + "\n"
