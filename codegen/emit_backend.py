"""<api>-serve.h and .c for an API whose replies are derived: decoding, the driver's call, and the reply."""

from cgen import note, without_unused, wrap
from emit_wire import record_name

QUOTAS = {"memory": "PL_QUOTA_MEMORY", "host": "PL_QUOTA_HOST", "inflight": "PL_QUOTA_INFLIGHT"}


def functions(spec):
    """What the driver is called for: not what is refused."""
    return [f for f in spec.functions if f.is_function and f.call_class != "refused"]


def served(spec):
    return [f for f in spec.functions if f.is_called and not f.sends]


def header(spec):
    lower, upper, guard = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}", spec.api.upper()
    out = [note(spec).rstrip(), f"""/*
 * The server's side.  {lower}_serve_call() decodes, charges and dispatches one call.  What is declared as by hand stands
 * in src/backend/{spec.api}.  A handler sees whole, checked arguments, which are borrowed until it returns, and holds the
 * turn until it gives it up.
 */
#ifndef PL_{guard}_SERVE_H
#define PL_{guard}_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "{spec.api}-api.h"
#include "{spec.api}-wire.h"
#include "server/serve.h"

/* The driver's functions, twins too; NULL where it lacks one. */
struct {lower}_driver {{"""]
    for function in functions(spec):
        out += [f"\t__typeof__(&{symbol}) {symbol};" for symbol, *_ in function.symbols]
    out += [f"""}};
extern struct {lower}_driver {lower}; /* written once, by {lower}_driver_load() before the first call */

/** {lower}_driver_load() - fill the table
 * @find: the address of a function by its exported name, NULL = the driver does not have it */
void {lower}_driver_load(struct {lower}_driver *driver, void *(*find)(void *arg, const char *symbol), void *arg);

/* pl_backend_ops.call */
void {lower}_serve_call(struct pl_serve *serve);

/* A handler whose call is charged host or inflight bytes: they stay charged after it has returned, and whoever ends the
 * work gives them back with pl_quota_return().  Call it on the handler's thread before it returns. */
void {lower}_charge_keep(void);

/* ---- helpers, by hand ---- */

/* The driver's handle of an id, a number in the place of a pointer for kinds that are numbers.  id 0 and the values that
 * the API reserves are themselves; a device's id is its number + 1.  false: *status_out is the code to answer with. */
bool {lower}_take(struct pl_serve *serve, uint64_t id, enum {lower}_object_kind kind, void **object_out,
		  int32_t *status_out);
/* Enters a new object, charging it; status != 0: its creation failed with that, later uses answer with it.
 * Return: the id stands for the object.  false: nothing does; it has ended, if it was made for this call. */
bool {lower}_put(struct pl_serve *serve, uint64_t id, enum {lower}_object_kind kind, void *object, int32_t status);
/* The object of an id has ended. */
void {lower}_drop(struct pl_serve *serve, uint64_t id, enum {lower}_object_kind kind);
/* The id of a handle that the driver gave, made where it has none yet; 0 for NULL. */
uint64_t {lower}_id_of(struct pl_serve *serve, enum {lower}_object_kind kind, void *object);
/* Answers an ask without fields; for a post, keeps a failure as the late error of the stream (0 = of none). */
void {lower}_result(struct pl_serve *serve, int32_t status, uint64_t stream);
"""]
    for record in spec.records.values():
        if record.by_hand and uses(spec, record):
            name = record_name(spec, record.name)
            out.append(f"/* {record.c_type}, with its handles looked up; and the other way. */")
            out.append(wrap(f"bool {name}_open", ["struct pl_serve *serve", f"{record.c_type} *to",
                                                  f"const struct {name} *from", "int32_t *status_out"], ";"))
            out.append(wrap(f"void {name}_close", ["struct pl_serve *serve", f"struct {name} *to",
                                                   f"const {record.c_type} *from"], ";"))
    by_hand = [f.name for f in served(spec) if f.manual_server]
    out += ["", "/* ---- handlers, by hand ---- */", "", "/* X(name) for each of them. */",
            f"#define {upper}_HANDLERS(X) \\"]
    out += [f"\tX({name})" + (" \\" if number + 1 < len(by_hand) else "") for number, name in enumerate(by_hand)]
    out.append("")
    for function in served(spec):
        if not function.manual_server:
            continue
        senders = [f.name for f in spec.functions if f.sends == function.name]
        if senders:
            out += comment_of(senders)
        out.append(wrap(f"void {lower}_serve_{function.name}",
                        ["struct pl_serve *serve", f"const struct {lower}_{function.name}_args *args"], ";"))
    return "\n".join(out + ["", "#endif"]) + "\n"


def comment_of(senders):
    lines, line = [], "/* also for"
    for number, name in enumerate(senders):
        piece = f" {name}{',' if number + 1 < len(senders) else ' (serve->head->op says which) */'}"
        if len(line + piece) > 100:
            lines.append(line)
            line = " *"
        line += piece
    return lines + [line]


def uses(spec, record):
    """Does a generated function need it?"""
    fields = [f for function in served(spec) if function.is_auto_server
              for f in [*function.wire, *(function.reply or [])]]
    return any(f.type in ("record", "records") and f.kind == record.name for f in fields)


HELPERS = """
/* Memory of one call, for lists on their way to the driver and back.  Few calls need any. */
#define SCRATCH_BLOCKS 8

struct scratch {
	void *blocks[SCRATCH_BLOCKS];
	unsigned count;
	bool failed; /* once there was no room */
};

static void scratch_fini(struct scratch *scratch)
{
	while (scratch->count)
		free(scratch->blocks[--scratch->count]);
}

/* Zeroed room for `count` elements, at least one; NULL: out of memory. */
static void *room_for(struct scratch *scratch, uint64_t count, size_t each)
{
	void *room = scratch->count < SCRATCH_BLOCKS ? calloc(count ? count : 1, each) : NULL;

	if (room)
		scratch->blocks[scratch->count++] = room;
	else
		scratch->failed = true;
	return room;
}

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A peer may send another number of elements than it says to the driver. */
static inline bool length_fits(bool given, uint64_t sent, uint64_t said)
{
	return sent == (given ? said : 0);
}

/* One lane is one thread, and has one call at a time. */
static _Thread_local bool charge_kept;
"""


class Call:
    """The lines of one generated function, gathered parameter by parameter."""

    def __init__(self, spec, function):
        self.spec, self.function = spec, function
        self.lower, self.upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
        self.bits = function.given_bits()
        self.names = {p.name: p for p in function.params}
        self.wire = {f.name: f for f in function.wire}
        self.reply = {f.name: f for f in function.reply or []}
        self.locals, self.prepare, self.args, self.after, self.fill, self.tests = [], [], [], [], [], []
        for param in function.params:
            self.param(param)

    def given(self, param):
        return f"(a.given >> {self.bits[param.name]} & 1)" if param.name in self.bits else ""

    def kind(self, kind):
        return f"{self.upper}_KIND_{kind}"

    def said(self, length):
        """How many elements the call says there are."""
        if length.isdigit():
            return length
        signed = self.wire[length].type == "i32"
        return f"(uint64_t)(a.{length} > 0 ? a.{length} : 0)" if signed else f"a.{length}"

    def param(self, param):
        field = self.wire.get(param.name)
        if param.role in ("handle", "release"):
            self.locals.append(f"void *{param.name} = NULL;")
            self.prepare.append(f"{self.lower}_take(serve, a.{param.name}, {self.kind(param.kind)}, &{param.name}, "
                                "&status)")
            self.args.append(f"({param.c_type})(uintptr_t){param.name}")
            if param.role == "release":
                self.after += ["\tif (status == OK)",
                               f"\t\t{self.lower}_drop(serve, a.{param.name}, {self.kind(param.kind)});"]
        elif param.role == "mint":
            self.locals.append(f"{param.element} {param.name} = 0;")
            self.args.append(f"&{param.name}")
            self.after += ["\tif ((!serve->asked || status == OK) &&",
                           wrap(f"\t    !{self.lower}_put", ["serve", f"a.{param.name}", self.kind(param.kind),
                                                            f"(void *)(uintptr_t){param.name}", "status"],
                                " &&"),
                           "\t    status == OK)", "\t\tstatus = QUOTA;"]
        elif param.role in ("in", "inout", "out"):
            self.memory(param, field)
        elif field.type == "record":
            self.record_in(param, field)
            self.args.append(f"{param.name}")
        else:
            self.args.append(f"a.{param.name}" if param.c_type == "float" else f"({param.c_type})a.{param.name}")

    def record_in(self, param, field):
        name = record_name(self.spec, field.kind)
        if self.spec.records[field.kind].version and param.is_pointer:
            there = f"{self.given(param)} && " if self.given(param) else ""
            self.tests.append(f"({there}a.{param.name}.version != {self.spec.records[field.kind].version})")
        self.locals.append(f"{self.spec.records[field.kind].c_type} {param.name};")
        if self.spec.records[field.kind].by_hand:
            self.prepare.append(f"{name}_open(serve, &{param.name}, &a.{param.name}, &status)")
        else:
            self.prepare.append(f"({name}_give(&{param.name}, &a.{param.name}), true)")

    def memory(self, param, field):
        given = self.given(param)
        if param.role == "in":
            self.memory_in(param, field, given)
            return
        back = self.reply[param.name]
        if param.one:
            self.one_out(param, back)
        else:
            self.many_out(param, back)
        self.args.append(f"{given} ? {self.pointer(param)} : NULL" if given else self.pointer(param))

    def pointer(self, param):
        return f"&{param.name}" if param.one else param.name

    def memory_in(self, param, field, given):
        if field.type == "record":
            self.record_in(param, field)
            self.args.append(f"{given} ? &{param.name} : NULL")
        elif field.type == "string":
            self.args.append(f"{given} ? a.{param.name} : NULL")
        elif field.type in ("u32s", "u64s"):
            self.tests.append(f"!length_fits({given}, a.{param.name}.count, {self.said(param.count)})")
            self.args.append(f"{given} ? ({param.c_type})a.{param.name}.at : NULL")
        elif field.type == "bytes":
            self.tests.append(f"!length_fits({given}, a.{param.name}.bytes, {self.said(param.bytes)})")
            self.args.append(f"{given} ? ({param.c_type})a.{param.name}.at : NULL")
        elif field.type == "ids":
            self.tests.append(f"!length_fits({given}, a.{param.name}.count, {self.said(param.count)})")
            self.locals.append(f"void **{param.name} = NULL;")
            self.prepare.append(f"(!{given} || take_list(serve, &scratch, a.{param.name}, "
                                f"{self.kind(field.kind)}, &{param.name}, &status))")
            self.args.append(f"({param.element} *){param.name}")
        else:  # records
            words = f"{self.upper}_WORDS_{field.kind}"
            self.tests.append(f"!length_fits({given}, a.{param.name}.count / {words}, {self.said(param.count)})")
            self.locals.append(f"{param.element} *{param.name} = NULL;")
            self.prepare.append(f"(!{given} || records_take_{field.kind}(serve, &scratch, a.{param.name}, &{param.name}, "
                                "&status))")
            self.args.append(param.name)

    def one_out(self, param, back):
        element = param.element
        zero = "{ 0 }" if back.type == "record" else f"a.{param.name}" if param.role == "inout" else "0"
        if param.role == "inout" and back.type == "record":
            self.record_in(param, back)
            self.record_out(param, back, f"&r.{param.name}", f"&{param.name}")
            return
        self.locals.append(f"{element} {param.name} = {zero};" if param.role == "out" else f"{element} {param.name};")
        if param.role == "inout":
            self.prepare.append(f"({param.name} = a.{param.name}, true)")
        if back.type == "record":
            self.record_out(param, back, f"&r.{param.name}", f"&{param.name}")
        elif back.type == "handle":
            self.fill.append(f"\tr.{param.name} = {self.lower}_id_of(serve, {self.kind(back.kind)}, "
                             f"(void *)(uintptr_t){param.name});")
        else:
            self.fill.append(f"\tr.{param.name} = {param.name};")

    def record_out(self, param, back, to, source):
        name = record_name(self.spec, back.kind)
        by_hand = self.spec.records[back.kind].by_hand
        self.fill.append(f"\t{name}_close(serve, {to}, {source});" if by_hand else f"\t{name}_take({to}, {source});")

    def many_out(self, param, back):
        length = param.count or param.bytes
        said, limit = self.said(length), self.spec.max_c(back.max)
        element = "char" if param.element == "void" else param.element
        if not length.isdigit():
            self.tests.append(f"{said} > {limit}")
        self.locals.append(f"{element} *{param.name} = NULL;")
        self.prepare.append(f"({param.name} = room_for(&scratch, {said}, sizeof(*{param.name}))) != NULL")
        told = f"lesser({length}, {said})" if self.names.get(length) and self.names[length].role == "inout" else said
        if self.given(param):
            told = f"{self.given(param)} ? {told} : 0"
        if back.type == "bytes":
            self.fill.append(f"\tr.{param.name} = (struct pl_bytes){{ {param.name}, {told} }};")
        elif back.type in ("u32s", "u64s"):
            self.fill.append(f"\tr.{param.name} = (struct pl_{back.type}){{ (const void *){param.name}, {told} }};")
        elif back.type == "ids":
            self.fill.append(f"\tr.{param.name} = ids_give(serve, &scratch, {self.kind(back.kind)}, (void **){param.name},\n"
                             f"\t\t\t\t{told});")
        else:
            self.fill.append(f"\tr.{param.name} = records_give_{back.kind}(&scratch, {param.name},\n\t\t\t\t{told});")

    def needs_scratch(self):
        return any("scratch" in line for line in self.prepare + self.fill)

    def stream(self):
        stream = self.function.first_handle("stream")
        return f"a.{stream.name}" if stream else "0"

    def callee(self):
        own = f"{self.lower}.{self.function.name}"
        if not self.function.flavour:
            return own, own
        twin = f"{own}_{self.function.flavour}"
        return f"(a.per_thread ? {twin} : {own})", f"(a.per_thread ? {twin} != NULL : {own} != NULL)"


def body(spec, function):
    call = Call(spec, function)
    lower = call.lower
    name = f"{lower}_{function.name}"
    callee, there = call.callee()
    out = [f"\tstruct {name}_args a;"]
    if function.reply:
        out.append(f"\tstruct {name}_reply r = {{ 0 }};")
    if call.needs_scratch():
        out.append("\tpl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };")
    out += [f"\t{line}" for line in call.locals]
    out += ["\tint32_t status = LACKS;", ""]
    out += decode(function, name, call.tests) + charge(spec, function)
    if function.gives_turn:
        out.append("\tpl_serve_give_turn(serve);")
    conditions = [there if function.flavour else f"{there} != NULL"] + call.prepare
    out.append("\tif (" + " &&\n\t    ".join(conditions) + ")")
    out.append(wrap(f"\t\tstatus = {callee}", call.args, ";") if len(callee) < 70 else
               f"\t\tstatus = {callee}(\n\t\t\t" + ",\n\t\t\t".join(call.args) + ");")
    if call.needs_scratch():
        out += ["\telse if (scratch.failed)", "\t\tstatus = MEMORY;"]
    out += call.after + give_back(function)
    if not function.reply:
        return out + [f"\t{lower}_result(serve, status, {call.stream()});"]
    counts = spec.partial and any(p.role == "inout" and p.one and call.reply[p.name].is_word for p in function.params)
    out += [f"\tif (status != OK{f' && status != {spec.partial}' if counts else ''}) {{", f"\t\t{lower}_result(serve, status, {call.stream()});", "\t\treturn;", "\t}"]
    out += call.fill
    if any("scratch" in line for line in call.fill):
        out += ["\tif (scratch.failed) {", f"\t\t{lower}_result(serve, MEMORY, {call.stream()});", "\t\treturn;", "\t}"]
    return out + [f"\tif (pl_serve_reply_begin(serve, status, {name}_reply_bytes(&r), 0))", "\t\treturn;",
                              f"\t{name}_reply_put(&serve->reply_enc, &r);", "\t(void)pl_serve_reply_end(serve);"]


def decode(function, name, tests):
    out = [f"\t{name}_get(&serve->dec, &a);"]
    tests = list(dict.fromkeys(["!pl_dec_whole(&serve->dec)", *tests]))
    out.append("\tif (" + " ||\n\t    ".join(tests) + ") {")
    return out + ["\t\tpl_serve_refuse(serve, TOO_LARGE);", "\t\treturn;", "\t}"]


def charges_of(function):
    """Those that are made here: objects are charged when they are entered."""
    return [c for c in function.charges if c.what != "object"]


def amount(function, charge_):
    field = next(f for f in function.wire if f.name == charge_.field)
    return f"a.{field.name}.bytes" if field.type in ("bulk", "bytes") else f"a.{field.name}"


def charge(spec, function):
    out, charges = [], charges_of(function)
    minted = next((f for f in function.wire if f.type == "mint"), None)
    for number, one in enumerate(charges):
        out.append(wrap("\tif (!pl_quota_charge", ["&serve->session->quota", QUOTAS[one.what], amount(function, one)],
                        ") {"))
        out += [f"\t\tpl_quota_return(&serve->session->quota, {QUOTAS[c.what]}, {amount(function, c)});"
                for c in charges[:number]]
        if minted:
            out += ["\t\tif (!serve->asked)",
                    f"\t\t\tpl_{spec.prefix}_put(serve, a.{minted.name}, PL_{spec.prefix.upper()}_KIND_{minted.kind}, NULL, "
                    "QUOTA);"]
        stream = function.first_handle("stream")
        out += [f"\t\tpl_{spec.prefix}_result(serve, QUOTA, {'a.' + stream.name if stream else '0'});", "\t\treturn;",
                "\t}"]
    return out


def give_back(function):
    return [f"\tpl_quota_return(&serve->session->quota, {QUOTAS[c.what]}, {amount(function, c)});"
            for c in charges_of(function) if c.what != "memory"]


def manual(spec, function):
    lower = f"pl_{spec.prefix}"
    passing = [c for c in charges_of(function) if c.what != "memory"]
    out = [f"\tstruct {lower}_{function.name}_args a;", ""] + decode(function, f"{lower}_{function.name}", [])
    out += charge(spec, function)
    if passing:
        out.append("\tcharge_kept = false;")
    out.append(f"\t{lower}_serve_{function.name}(serve, &a);")
    if passing:
        out += ["\tif (!charge_kept)"] + ["\t" + line for line in give_back(function)]
    return out


def lists(spec):
    """Helpers for lists, of the kinds that generated functions have."""
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    out = [f"""
/* The driver's handles of a list of ids. */
static bool take_list(struct pl_serve *serve, struct scratch *scratch, struct pl_u64s ids, enum {lower}_object_kind kind,
		      void ***objects_out, int32_t *status_out)
{{
	void **objects = room_for(scratch, ids.count, sizeof(*objects));

	*status_out = MEMORY;
	for (uint64_t i = 0; objects && i < ids.count; i++)
		if (!{lower}_take(serve, ids.at[i], kind, &objects[i], status_out))
			return false;
	*objects_out = objects;
	return objects != NULL;
}}

/* And back. */
static struct pl_u64s ids_give(struct pl_serve *serve, struct scratch *scratch, enum {lower}_object_kind kind,
			       void *const *objects, uint64_t count)
{{
	uint64_t *ids = room_for(scratch, count, sizeof(*ids));

	for (uint64_t i = 0; ids && i < count; i++)
		ids[i] = {lower}_id_of(serve, kind, objects[i]);
	return (struct pl_u64s){{ ids, ids ? count : 0 }};
}}
"""]
    fields = [f for function in served(spec) if function.is_auto_server for f in function.wire]
    back = [f for function in served(spec) if function.is_auto_server for f in function.reply or []]
    for record in spec.records.values():
        name, words = record_name(spec, record.name), f"{upper}_WORDS_{record.name}"
        if any(f.type == "records" and f.kind == record.name for f in fields):
            out.append(f"""static bool records_take_{record.name}(struct pl_serve *serve, struct scratch *scratch,
	struct pl_u64s words, {record.c_type} **out, int32_t *status_out)
{{
	uint64_t count = words.count / {words};
	{record.c_type} *list = room_for(scratch, count, sizeof(*list));

	(void)serve;
	*status_out = list ? TOO_LARGE : MEMORY;
	for (uint64_t i = 0; list && i < count; i++) {{
		struct {name} one;

		if (!{name}_at(words, i, &one))
			return false;
		{name}_give(&list[i], &one);
	}}
	*out = list;
	return list != NULL;
}}
""")
        if any(f.type == "records" and f.kind == record.name for f in back):
            out.append(f"""static struct pl_u64s records_give_{record.name}(struct scratch *scratch, const {record.c_type} *list,
	uint64_t count)
{{
	uint64_t *words = room_for(scratch, count * {words}, sizeof(*words));
	struct pl_enc enc = {{ (uint8_t *)words }};

	for (uint64_t i = 0; words && i < count; i++) {{
		struct {name} one;

		{name}_take(&one, &list[i]);
		{name}_put(&enc, &one);
	}}
	return (struct pl_u64s){{ words, words ? count * {words} : 0 }};
}}
""")
    return out


def source(spec):
    lower, upper = f"pl_{spec.prefix}", f"PL_{spec.prefix.upper()}"
    faults = spec.faults
    out = [note(spec).rstrip(), f"""#include "{spec.api}-serve.h"

#include <stdlib.h>
#include <string.h>

#include "{spec.api}-records.h"
#include "base/cleanup.h"

#define OK {spec.ok}
#define LACKS {faults["refused"]}
#define MEMORY {faults["memory"]}
#define QUOTA {faults["quota"]}
#define TOO_LARGE {faults["too_large"]}

struct {lower}_driver {lower};""", HELPERS, f"void {lower}_charge_keep(void)\n{{\n\tcharge_kept = true;\n}}"]
    out += lists(spec)
    for function in served(spec):
        lines = body(spec, function) if function.is_auto_server else manual(spec, function)
        out += [f"static void serve_{function.name}(struct pl_serve *serve)", "{"] + lines + ["}", ""]
    out.append(f"static void (*const calls[{upper}_OP_COUNT])(struct pl_serve *serve) = {{")
    out += [f"\t[{upper}_OP_{f.name}] = serve_{spec.layout_of(f).name}," for f in spec.functions if f.is_called]
    out += ["};", f"""
void {lower}_serve_call(struct pl_serve *serve)
{{
	uint16_t op = serve->head->op;

	if (op >= {upper}_OP_COUNT || !calls[op]) {{
		pl_serve_refuse(serve, LACKS);
		return;
	}}
	calls[op](serve);
}}

#define FUNCTION(symbol) {{ #symbol, offsetof(struct {lower}_driver, symbol) }}
static const struct {{
	const char *symbol;
	size_t offset;
}} functions[] = {{"""]
    out += [f"\tFUNCTION({symbol})," for f in functions(spec) for symbol, *_ in f.symbols]
    text = "\n".join(out + ["};", f"""
void {lower}_driver_load(struct {lower}_driver *driver, void *(*find)(void *arg, const char *symbol), void *arg)
{{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {{
		void *at = find(arg, functions[i].symbol);

		memcpy((char *)driver + functions[i].offset, &at, sizeof(at));
	}}
}}"""]) + "\n"
    return without_unused(text, ("take_list", "ids_give", "room_for", "scratch_fini", "lesser", "length_fits"))
