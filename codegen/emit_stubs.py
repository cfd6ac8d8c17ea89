"""<api>-client.h and .c for an API whose replies are derived: the exported functions that nobody writes by hand."""

from cgen import note, prototype, without_unused, wrap
from emit_backend import functions
from emit_client import joined_terms
from emit_wire import record_name


def stubs(spec):
    """Where a process has many sessions, what is written by hand chooses one, and the rest is generated all the same."""
    return [f for f in functions(spec) if f.is_called and (f.is_auto_client or spec.many_sessions and not f.explicit_wire)]


def reclaims(spec, function):
    """Where it is asked for what a client may keep back, it gives that back and asks again."""
    return function.call_class == "ask" and bool(function.charges) and not spec.many_sessions


def uses(spec, record):
    fields = [f for function in stubs(spec) for f in [*function.wire, *(function.reply or [])]]
    return any(f.type in ("record", "records") and f.kind == record.name for f in fields)


def header(spec):
    lower, guard = f"pl_{spec.prefix}", spec.api.upper()
    out = [note(spec).rstrip(), f"""/*
 * What the client's functions in {spec.api}-client.c lean on; all of it by hand in src/client/{spec.api}.
 */
#ifndef PL_{guard}_CLIENT_H
#define PL_{guard}_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "{spec.api}-api.h"
#include "{spec.api}-wire.h"
#include "client/session.h"

{enter(spec)}
/* What the program gets where a call could not travel (r < 0, from client/session.h). */
{spec.result} {lower}_fault(int r);

/* The id of a program's handle: 0 for NULL and for what is no live object of this kind and session; values that the API
 * reserves are themselves.  A kind that is a number from 0 (a device) has the number + 1 as its id. */
uint64_t {lower}_id(const struct pl_session *session, enum {lower}_object_kind kind, const void *object);
/* A new object with a new id; NULL: out of memory.  {lower}_undo() where the call failed. */
void *{lower}_new(struct pl_session *session, enum {lower}_object_kind kind, uint64_t *id_out);
void {lower}_undo(struct pl_session *session, enum {lower}_object_kind kind, void *object);
/* The call that ends an object was taken. */
void {lower}_end(struct pl_session *session, enum {lower}_object_kind kind, uint64_t id);
/* The handle of an id that the server gave, made where it is new; NULL for 0. */
void *{lower}_object_of(struct pl_session *session, enum {lower}_object_kind kind, uint64_t id);

/* ---- plainly valid?  Where one says no, the call is asked, and the driver says what is wrong. ---- */
"""]
    if any(reclaims(spec, function) for function in stubs(spec)):
        heading = "/* ---- plainly valid?"
        reclaim = f"""/* The server had no memory: gives back what the client keeps.  Return: there was some, so it is asked again. */
bool {lower}_reclaim(struct pl_session *session);

"""
        out[-1] = out[-1].replace(heading, reclaim + heading)
    if spec.many_sessions:
        out += [on(spec, function) + ";" for function in stubs(spec)]
    seen = {}
    for function in stubs(spec):
        types = {p.name: p.c_type for p in function.params}
        for check in function.checks:
            params = [f"{types[a]}{'' if types[a].endswith('*') else ' '}{a}" for a in check.args]
            seen.setdefault(check.name, params)
    out += [wrap(f"bool {lower}_check_{name}", params, ";") for name, params in sorted(seen.items())]
    rows = [f"\tX({name}, {', '.join(params)})" for name, params in sorted(seen.items())]
    out += ["", "/* X(name, parameters) for each of them. */",
            f"#define PL_{spec.prefix.upper()}_CHECKS(X) \\", " \\\n".join(rows), ""]
    for record in spec.records.values():
        if record.by_hand and uses(spec, record):
            name = record_name(spec, record.name)
            out.append(f"/* {record.c_type}, its handles as ids; false: one is none. */")
            out.append(wrap(f"bool {name}_pack", ["const struct pl_session *session", f"struct {name} *to",
                                                  f"const {record.c_type} *from"], ";"))
            out.append(wrap(f"void {name}_unpack", ["struct pl_session *session", f"{record.c_type} *to",
                                                    f"const struct {name} *from"], ";"))
    for record in spec.records.values():
        if record.devices and uses(spec, record):
            name = record_name(spec, record.name)
            out.append("/* The numbers of devices in it, from the program's to the session's; and back. */")
            out.append(wrap(f"void {name}_home", ["const struct pl_session *session", f"struct {name} *record"], ";"))
            out.append(wrap(f"void {name}_away", ["const struct pl_session *session", f"struct {name} *record"], ";"))
    return "\n".join(out + ["", "#endif"]) + "\n"


def enter(spec):
    lower = f"pl_{spec.prefix}"
    if spec.many_sessions:
        return f"""/* Before every call that travels: the session of its first handle, kind 0 = it has none.
 * Return: success; or what the program gets (not initialised, no such handle, no server). */
{spec.result} {lower}_enter(enum {lower}_op op, unsigned kind, const void *object, struct pl_session **session_out);"""
    plain = f"""/* Before every call that travels: the calling thread's session, its current context known there.
 * Return: success; or what the program gets (not initialised, no server). */
{spec.result} {lower}_enter(enum {lower}_op op, struct pl_session **session_out);"""
    if not spec.apart_type:
        return plain
    return plain + f"""
/* As well, of a call whose first handle is this one: where that is, it goes.  With NULL as pl_{spec.prefix}_enter(). */
{spec.result} {lower}_enter_of(enum {lower}_op op, enum {lower}_object_kind kind, const void *object,
			  struct pl_session **session_out);
/* As well, of a call without a handle: where the memory at this address is. */
{spec.result} {lower}_enter_at(enum {lower}_op op, {spec.apart_type} address, struct pl_session **session_out);
"""


def entered(spec, function):
    """The call that finds the session."""
    lower, op = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}_OP_{function.name}"
    first = next((p for p in function.params if p.role in ("handle", "release")), None)
    at = next((p for p in function.params if p.c_type == spec.apart_type), None)
    if spec.apart_type and first:
        kind = f"PL_{spec.prefix.upper()}_KIND_{first.kind}"
        return wrap(f"\t{spec.result} status = {lower}_enter_of", [op, kind, f"(const void *)(uintptr_t){first.name}",
                                                                  "&session"], ";")
    if spec.apart_type and at:
        return wrap(f"\t{spec.result} status = {lower}_enter_at", [op, at.name, "&session"], ";")
    return f"\t{spec.result} status = {lower}_enter({op}, &session);"


class Stub:
    def __init__(self, spec, function):
        self.spec, self.function = spec, function
        self.lower, self.upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
        self.bits = function.given_bits()
        self.names = {p.name: p for p in function.params}
        self.wire = {f.name: f for f in function.wire}
        self.reply = {f.name: f for f in function.reply or []}
        self.refuse, self.take, self.give, self.plain, self.versions, self.counts = [], [], [], [], [], []
        self.minted = self.ended = None
        for param in function.params:
            self.param(param)

    def kind(self, kind):
        return f"{self.upper}_KIND_{kind}"

    def said(self, length):
        if length.isdigit():
            return length
        param = self.names[length]
        if param.role == "inout":
            return f"*{length}"
        return f"(uint64_t)({length} > 0 ? {length} : 0)" if param.c_type == "int" else length

    def param(self, param):
        name, field = param.name, self.wire.get(param.name)
        if name in self.bits:
            self.take += [f"\tif ({name})", f"\t\ta.given |= 1u << {self.bits[name]};"]
        if param.role in ("handle", "release"):
            self.take.append(f"\ta.{name} = {self.lower}_id(session, {self.kind(param.kind)}, "
                             f"(const void *)(uintptr_t){name});")
            # NULL is the driver's to judge; what only looks like a handle must not become NULL on the way
            self.take += [f"\tif ({name} && !a.{name})", f"\t\treturn {self.spec.objects[param.kind].invalid};"]
            if not param.optional and not (self.spec.objects[param.kind].reserved and param.role == "handle"):
                self.plain.append(f"a.{name}")
            if param.role == "release":
                self.ended = param
        elif param.role == "mint":
            self.minted = param
            self.refuse.append(name)
        elif param.role == "in":
            self.taken(param, field)
        elif param.role in ("out", "inout"):
            if not param.optional:
                self.refuse.append(name)
            if param.role == "inout" and field.type == "record":
                self.record(param, field, name, "\t")
            elif param.role == "inout":
                self.take.append(f"\ta.{name} = *{name};")
            self.given(param, self.reply[name])
        elif field.type == "record":
            self.record(param, field, f"&{name}", "\t")
        else:
            self.take.append(f"\ta.{name} = {name};")

    def record(self, param, field, source, indent):
        name = record_name(self.spec, field.kind)
        version = self.spec.records[field.kind].version
        if version:
            self.versions.append(f"{param.name} && {param.name}->version != {version}")
        if self.spec.records[field.kind].by_hand:
            self.take.append(f"{indent}whole &= {name}_pack(session, &a.{param.name}, {source});")
        else:
            self.take.append(f"{indent}{name}_take(&a.{param.name}, {source});")
        if self.spec.records[field.kind].devices:
            self.take.append(f"\t{name}_home(session, &a.{param.name});")

    def taken(self, param, field):
        name = param.name
        if not param.optional:
            self.plain.append(name)
        if field.type == "record":
            self.take.append(f"\tif ({name})")
            self.record(param, field, name, "\t\t")
            return
        if field.type == "string":
            self.take += [f"\ta.{name} = {name} ? {name} : \"\";", f"\tif (strlen(a.{name}) >= {self.limit(field)})",
                          "\t\treturn TOO_LARGE;"]
            return
        said = self.said(param.count or param.bytes)
        if not said.isdigit():
            self.take += [f"\tif ({name} && {said} > {self.limit(field)})", "\t\treturn TOO_LARGE;"]
        if field.type == "bytes":
            self.take += [f"\tif ({name})", f"\t\ta.{name} = (struct pl_bytes){{ {name}, {said} }};"]
        elif field.type in ("u32s", "u64s"):
            self.take += [f"\tif ({name})",
                          f"\t\ta.{name} = (struct pl_{field.type}){{ (const void *){name}, {said} }};"]
        elif field.type == "ids":
            self.take += [f"\tif ({name})", wrap(f"\t\ta.{name} = ids_take",
                          ["session", "&scratch", self.kind(field.kind), f"(void *const *){name}", said, "&whole"], ";")]
        else:
            self.take += [f"\tif ({name})", f"\t\ta.{name} = records_pack_{field.kind}({self.at(field)}&scratch, {name}, {said});"]

    def at(self, field):
        return "session, " if self.spec.records[field.kind].devices else ""

    def limit(self, field):
        return self.spec.max_c(field.max)

    def given(self, param, back):
        name, lines = param.name, []
        if param.one and back.type == "record":
            record = record_name(self.spec, back.kind)
            hand = self.spec.records[back.kind].by_hand
            lines = [f"{record}_unpack(session, {name}, &r.{name});" if hand else f"{record}_give({name}, &r.{name});"]
            if self.spec.records[back.kind].devices:
                self.give.append(f"\t{record}_away(session, &r.{name});")
        elif param.one and back.type == "handle":
            lines = [f"*{name} = ({param.element})(uintptr_t){self.lower}_object_of(session, {self.kind(back.kind)}, "
                     f"r.{name});"]
        elif param.one:
            lines = [f"*{name} = ({param.element})r.{name};"]
        else:
            said = self.said(param.count or param.bytes).replace(f"*{param.count}", f"a.{param.count}")
            if back.type == "bytes":
                lines = [f"copy_back({name}, {said}, r.{name}.at, r.{name}.bytes);"]
            elif back.type in ("u32s", "u64s"):
                size = 4 if back.type == "u32s" else 8
                lines = [f"copy_back({name}, {said} * {size}, r.{name}.at, r.{name}.count * {size});"]
            elif back.type == "ids":
                lines = [f"ids_back(session, {self.kind(back.kind)}, (void **){name}, {said}, r.{name});"]
            else:
                lines = [f"records_back_{back.kind}({name}, {said}, r.{name});"]
        if param.role == "inout" and param.one and back.is_word:
            self.counts += lines
        test = [f"\tif ({name})"] if param.optional else []
        self.give += test + ["\t" * (2 if test else 1) + line for line in lines]

    def terms(self):
        """None: it is always asked."""
        if self.function.call_class == "ask":
            return None
        terms = list(self.plain)
        if any("whole" in line for line in self.take):
            terms.append("whole")
        return terms + [f"{self.lower}_check_{c.name}({', '.join(c.args)})" for c in self.function.checks]


def body(spec, function):
    stub = Stub(spec, function)
    lower, upper = stub.lower, stub.upper
    name, op = f"{lower}_{function.name}", f"{upper}_OP_{function.name}"
    terms = stub.terms()
    uses_scratch = any("scratch" in line for line in stub.take)
    uses_whole = any("whole" in line for line in stub.take)
    out = [f"\tstruct {name}_args a = {{ 0 }};"]
    if function.reply:
        out.append(f"\tstruct {name}_reply r;")
    if uses_scratch:
        out.append("\tpl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };")
    if stub.minted:
        out.append("\tvoid *made;")
    if not spec.many_sessions:
        out.append("\tstruct pl_session *session;")
    if terms != []:
        out.append("\tstruct pl_reply reply;")
    out.append("\tstruct pl_call call;")
    if uses_whole:
        out.append("\tbool whole = true;")
    if terms:
        out.append("\tbool plain;")
    if spec.many_sessions:
        out += [f"\t{spec.result} status;", "\tint fault;", ""]
    else:
        out += [entered(spec, function), "\tint fault;", "", "\tif (status != OK)",
                "\t\treturn status;"]
    if stub.refuse:
        out += ["\tif (" + " || ".join(f"!{name_}" for name_ in stub.refuse) + ")", "\t\treturn NO_PLACE;"]
    out += [line for test in stub.versions for line in (f"\tif ({test})", "\t\treturn VERSION;")]
    out += stub.take
    if function.flavour:
        out.append("\ta.per_thread = per_thread;")
    if uses_scratch:
        out += ["\tif (scratch.failed)", "\t\treturn MEMORY;"]
    if uses_whole and terms is None:
        out.append("\t(void)whole; /* always asked: the driver says what is wrong */")
    out += joined_terms(terms) if terms else []
    return out + travel(spec, stub, terms, op, name)


def travel(spec, stub, terms, op, name):
    """From the encoded call to what the program gets."""
    function, lower = stub.function, stub.lower
    out = []
    if stub.minted:
        kind = stub.kind(stub.minted.kind)
        out += [f"\tmade = {lower}_new(session, {kind}, &a.{stub.minted.name});", "\tif (!made)", "\t\treturn MEMORY;"]
    if reclaims(spec, function):
        out.append("again:")
    out += [wrap("\tfault = pl_call_begin", ["&call", "session", op, f"{name}_bytes(&a)"], ";"), "\tif (!fault) {",
            f"\t\t{name}_put(&call.enc, &a);"]
    if terms is None:
        send, status = "pl_call_ask(&call, &reply)", "reply.status"
    elif terms:
        send, status = "plain ? pl_call_post(&call) : pl_call_ask(&call, &reply)", "plain ? OK : reply.status"
    else:
        send, status = "pl_call_post(&call)", "OK"
    out += [f"\t\tfault = {send};", "\t}"]
    out.append(f"\tstatus = fault ? {lower}_fault(fault) : ({spec.result})({status});")
    if reclaims(spec, function):
        out += [f"\tif (status == MEMORY && {lower}_reclaim(session))", "\t\tgoto again;"]
    failed = ["\tif (status != OK) {", f"\t\t{lower}_undo(session, {stub.kind(stub.minted.kind)}, made);",
              "\t\treturn status;", "\t}"] if stub.minted else []
    if function.reply:
        get = [f"\t{name}_reply_get(&reply.dec, &r);", "\tif (!pl_dec_whole(&reply.dec))", "\t\treturn PEER;"]
        if spec.partial and stub.counts:
            out += ["\tif (status != OK && status != PARTIAL)", "\t\treturn status;", *get, "\tif (status == PARTIAL) {",
                    *["\t\t" + line for line in stub.counts], "\t\treturn status;", "\t}"] + stub.give
        else:
            out += (failed or ["\tif (status != OK)", "\t\treturn status;"]) + get + stub.give
    else:
        out += failed
    if stub.minted:
        out.append(f"\t*{stub.minted.name} = ({stub.minted.element})(uintptr_t)made;")
    if stub.ended:
        out += ["\tif (status == OK)", f"\t\t{lower}_end(session, {stub.kind(stub.ended.kind)}, a.{stub.ended.name});"]
    return out + ["\treturn status;"]


HELPERS = """
/* Memory of one call. */
#define SCRATCH_BLOCKS 8

struct scratch {
	void *blocks[SCRATCH_BLOCKS];
	unsigned count;
	bool failed;
};

static void scratch_fini(struct scratch *scratch)
{
	while (scratch->count)
		free(scratch->blocks[--scratch->count]);
}

static void *room_for(struct scratch *scratch, uint64_t count, size_t each)
{
	void *room = scratch->count < SCRATCH_BLOCKS ? calloc(count ? count : 1, each) : NULL;

	if (room)
		scratch->blocks[scratch->count++] = room;
	else
		scratch->failed = true;
	return room;
}

/* What a server sends is not more than the program has room for. */
static void copy_back(void *to, uint64_t room, const void *from, uint64_t bytes)
{
	if (from && bytes)
		memcpy(to, from, bytes < room ? bytes : room);
}
"""


def lists(spec):
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    out = [f"""static struct pl_u64s ids_take(const struct pl_session *session, struct scratch *scratch,
			       enum {lower}_object_kind kind, void *const *objects, uint64_t count, bool *whole)
{{
	uint64_t *ids = room_for(scratch, count, sizeof(*ids));

	for (uint64_t i = 0; ids && i < count; i++) {{
		ids[i] = {lower}_id(session, kind, objects[i]);
		*whole &= ids[i] != 0;
	}}
	return (struct pl_u64s){{ ids, ids ? count : 0 }};
}}

static void ids_back(struct pl_session *session, enum {lower}_object_kind kind, void **objects, uint64_t room,
		     struct pl_u64s ids)
{{
	for (uint64_t i = 0; i < ids.count && i < room; i++)
		objects[i] = {lower}_object_of(session, kind, ids.at[i]);
}}
"""]
    wires = [f for function in stubs(spec) for f in function.wire]
    back = [f for function in stubs(spec) for f in function.reply or []]
    for record in spec.records.values():
        name, words = record_name(spec, record.name), f"{upper}_WORDS_{record.name}"
        if any(f.type == "records" and f.kind == record.name for f in wires):
            where = "const struct pl_session *session, " if record.devices else ""
            home = f"\n\t\t{name}_home(session, &one);" if record.devices else ""
            out.append(f"""static struct pl_u64s records_pack_{record.name}({where}struct scratch *scratch, const {record.c_type} *list,
	uint64_t count)
{{
	uint64_t *words = room_for(scratch, count * {words}, sizeof(*words));
	struct pl_enc enc = {{ (uint8_t *)words }};

	for (uint64_t i = 0; words && i < count; i++) {{
		struct {name} one;

		{name}_take(&one, &list[i]);{home}
		{name}_put(&enc, &one);
	}}
	return (struct pl_u64s){{ words, words ? count * {words} : 0 }};
}}
""")
        if any(f.type == "records" and f.kind == record.name for f in back):
            out.append(f"""static void records_back_{record.name}({record.c_type} *list, uint64_t room, struct pl_u64s words)
{{
	for (uint64_t i = 0; i < words.count / {words} && i < room; i++) {{
		struct {name} one;

		if ({name}_at(words, i, &one))
			{name}_give(&list[i], &one);
	}}
}}
""")
    return out


def more_codes(spec):
    text = f"\n#define VERSION {spec.faults['version']} /* of a structure */" if "version" in spec.faults else ""
    return text + (f"\n#define PARTIAL {spec.partial} /* counts come back with it */" if spec.partial else "")


def on(spec, function):
    """The call on a session, which by-hand code chooses for some functions."""
    text = prototype("", function, f"pl_{spec.prefix}_on_{function.name}")
    return text.replace("(void)", "(struct pl_session *session)", 1) if not function.params else \
        text.replace("(", "(struct pl_session *session, ", 1)


def in_two(spec, function):
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    out = [on(spec, function), "{"] + body(spec, function) + ["}", ""]
    if function.manual_client:
        return out
    first = function.first_handle()
    kind = f"{upper}_KIND_{first.kind}" if first else "0"
    names = [p.name for p in function.params]
    return out + [prototype("", function, function.name), "{", "\tstruct pl_session *session;",
                  wrap(f"\t{spec.result} status = {lower}_enter", [f"{upper}_OP_{function.name}", kind,
                                                                  first.name if first else "NULL", "&session"], ";"), "",
                  "\tif (status != OK)", "\t\treturn status;",
                  wrap(f"\treturn {lower}_on_{function.name}", ["session", *names], ";"), "}", ""]


def source(spec):
    faults = spec.faults
    out = [note(spec).rstrip(), f"""#include "{spec.api}-client.h"

#include <stdlib.h>
#include <string.h>

#include "{spec.api}-records.h"
#include "base/cleanup.h"

#define OK {spec.ok}
#define MEMORY {faults["memory"]}
#define TOO_LARGE {faults["too_large"]}
#define NO_PLACE {faults["too_large"]} /* NULL where an answer must go */
#define PEER {faults["peer"]}""" + more_codes(spec), HELPERS] + lists(spec)
    for function in stubs(spec):
        if spec.many_sessions:
            out += in_two(spec, function)
            continue
        if not function.flavour:
            out += [prototype("", function, function.name), "{"] + body(spec, function) + ["}", ""]
            continue
        names = [p.name for p in function.params]
        head = prototype("static ", function, f"both_{function.name}").replace("(", "(bool per_thread, ", 1)
        out += [head, "{"] + body(spec, function) + ["}", ""]
        for symbol, flavour, _ in function.symbols:
            out += [prototype("", function, symbol), "{",
                    wrap(f"\treturn both_{function.name}", ["true" if flavour else "false", *names], ";"), "}", ""]
    return without_unused("\n".join(out), ("ids_take", "ids_back", "room_for", "scratch_fini")).rstrip() + "\n"
