"""opencl-serve.h and .c: decoding and dispatch in the server, and the table of the driver's functions."""

from cgen import CL_HEAD_GUARDED, args_struct, note, wrap


def driver_functions(spec):
    return [f for f in spec.functions if not f.is_message and not f.is_absent]


def handlers(spec):
    """Names of hand-written handlers, each once, with their function."""
    return [f for f in spec.functions if f.is_called and f.manual_server and not f.sends]


def header(spec):
    out = [note(spec).rstrip(), """/*
 * The server's side.  pl_cl_serve_call() decodes, charges and dispatches one call; each handler pl_cl_serve_F() that is
 * declared here is written by hand in src/backend/opencl.  A handler sees whole, checked arguments, which are borrowed
 * until it returns, and holds the turn until it gives it up.
 */
#ifndef PL_OPENCL_SERVE_H
#define PL_OPENCL_SERVE_H
""", CL_HEAD_GUARDED + """#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#include <stdbool.h>
#include <stdint.h>

#include "opencl-wire.h"
#include "server/serve.h"

/* The driver's functions; NULL where it lacks one. */
struct pl_cl_driver {"""]
    for function in driver_functions(spec):
        kind = f"cl_api_{function.name} " if function.is_slot else f"{function.name}_fn "
        out.append(f"\t{kind}{function.name};")
    out += ["""};
extern struct pl_cl_driver pl_cl; /* written once, by pl_cl_driver_load() before the first call */

/** pl_cl_driver_load() - fill the table from an opened libOpenCL
 * Return: 0; -ENOENT: it lacks a function of OpenCL 1.0. */
int pl_cl_driver_load(struct pl_cl_driver *driver, void *dl);

/* pl_backend_ops.call */
void pl_cl_serve_call(struct pl_serve *serve);

/* A handler whose call is charged host or inflight bytes: they stay charged after it has returned, and whoever ends the
 * work gives them back with pl_quota_return().  Call it on the handler's thread before it returns. */
void pl_cl_charge_keep(void);

/* ---- helpers, by hand ---- */

/* The driver's handle of an id.  id 0: NULL, and true.  false: *status_out is the code to answer with
 * (no such object of this kind, or one whose creation failed). */
bool pl_cl_take(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void **object_out,
		int32_t *status_out);
/* The same for a list: objects_out has room for ids.count. */
bool pl_cl_take_list(struct pl_serve *serve, struct pl_u64s ids, enum pl_cl_object_kind kind, void **objects_out,
		     int32_t *status_out);
/* Enters a new object, charging it; object NULL = its creation failed with `status`, later uses answer with that. */
void pl_cl_put(struct pl_serve *serve, uint64_t id, enum pl_cl_object_kind kind, void *object, int32_t status);
/* The same for the event of a command. */
void pl_cl_put_event(struct pl_serve *serve, uint64_t id, cl_event event, int32_t status);
/* Answers an ask; for a post, keeps a failure as the late error of the queue (queue_id 0 = of none). */
void pl_cl_result(struct pl_serve *serve, int32_t status, uint64_t queue_id);

/* ---- handlers, by hand ---- */
"""]
    for function in handlers(spec):
        senders = [f.name for f in spec.functions if f.sends == function.name]
        if senders:
            out.append(f"/* also for {', '.join(senders)} (serve->head->op says which) */")
        out.append(wrap(f"void pl_cl_serve_{function.name}",
                        ["struct pl_serve *serve", f"const {args_struct(spec, function)} *args"], ";"))
    return "\n".join(out + ["", "#endif"]) + "\n"


HELPERS = """
static_assert(sizeof(size_t) == 8, "origins and regions are passed to the driver as they came");

/* Lists of up to this many handles need no allocation. */
#define LIST_FEW 16

struct list {
	void **at;
	cl_uint count;
	void *few[LIST_FEW];
};

static inline void list_fini(struct list *list)
{
	if (list->at != list->few)
		free(list->at);
}

/* The driver's handles of a list of ids, without the events that ended before the server knew of them. */
static bool list_take(struct list *list, struct pl_serve *serve, struct pl_u64s ids,
		      enum pl_cl_object_kind kind, int32_t *status_out)
{
	if (ids.count > LIST_FEW) {
		list->at = malloc(ids.count * sizeof(*list->at));
		if (!list->at) {
			list->at = list->few;
			*status_out = CL_OUT_OF_HOST_MEMORY;
			return false;
		}
	}
	for (uint64_t i = 0; i < ids.count; i++) {
		struct pl_u64s one = { &ids.at[i], 1 };

		if (kind == PL_CL_KIND_event && ids.at[i] == PL_CL_EVENT_DONE)
			continue;
		if (!pl_cl_take_list(serve, one, kind, &list->at[list->count], status_out))
			return false;
		list->count++;
	}
	return true;
}

/* What the driver is told: a list that had only ended events is like none. */
static inline void *list_given(struct list *list, bool given, struct pl_u64s ids)
{
	return given && (list->count || !ids.count) ? list->at : NULL;
}

static inline cl_uint list_count(const struct list *list, struct pl_u64s ids, cl_uint said)
{
	return ids.count ? list->count : said;
}

/* A peer may send another number of elements than it says to the driver. */
static inline bool length_fits(bool given, uint64_t sent, uint64_t said)
{
	return sent == (given ? said : 0);
}

/* A pointer that the application gave is not NULL for the driver either, even where it pointed at nothing. */
static inline const void *pointer_given(bool given, const void *at)
{
	return !given ? NULL : at ? at : "";
}

/* One lane is one thread, and has one call at a time. */
static _Thread_local bool charge_kept;

void pl_cl_charge_keep(void)
{
	charge_kept = true;
}
"""

QUOTAS = {"memory": "PL_QUOTA_MEMORY", "host": "PL_QUOTA_HOST", "inflight": "PL_QUOTA_INFLIGHT"}
REFUSALS = {"memory": "CL_MEM_OBJECT_ALLOCATION_FAILURE", "host": "CL_OUT_OF_RESOURCES",
            "inflight": "CL_OUT_OF_RESOURCES"}


def amount(function, charge):
    field = next(f for f in function.wire if f.name == charge.field)
    return f"a.{field.name}.bytes" if field.type in ("bulk", "bytes") else f"a.{field.name}"


def give_back(function, charges, indent):
    return [f"{indent}pl_quota_return(&serve->session->quota, {QUOTAS[c.what]}, {amount(function, c)});"
            for c in charges]


def put_minted(function, indent, object_name=None):
    """Lines that enter the object that the call mints; without an object, as failed.  The caller of an ask that failed
    has no use for the id."""
    minted = next((f for f in function.wire if f.type == "mint"), None)
    if not minted:
        return []
    kind = "_event" if minted.kind == "event" else ""
    args = ["serve", f"a.{minted.name}"] + ([] if kind else [f"PL_CL_KIND_{minted.kind}"])
    args += [object_name or "NULL", "status"]
    needed = "(!serve->asked || !status)" if object_name else "!serve->asked"
    return [f"{indent}if (a.{minted.name} && {needed})",
            f"{indent}\tpl_cl_put{kind}({', '.join(args)});"]


def queue_id(function):
    queue = function.first_handle("queue")
    return f"a.{queue.name}" if queue else "0"


def charge_lines(function, charges):
    """Charges before the handler; what was charged before a refusal is given back."""
    out = []
    for number, charge in enumerate(charges):
        out += [wrap("\tif (!pl_quota_charge", ["&serve->session->quota", QUOTAS[charge.what],
                                                amount(function, charge)], ") {"),
                f"\t\tint32_t status = {REFUSALS[charge.what]};", ""]
        out += give_back(function, charges[:number], "\t\t") + put_minted(function, "\t\t")
        out += [f"\t\tpl_cl_result(serve, status, {queue_id(function)});", "\t\treturn;", "\t}"]
    return out


def decode_lines(function, more=()):
    tests = ["!pl_dec_whole(&serve->dec)"] + list(more)
    return [f"\tpl_cl_{function.name}_get(&serve->dec, &a);",
            "\tif (" + " ||\n\t    ".join(tests) + ") {",
            "\t\tpl_serve_refuse(serve, CL_INVALID_VALUE);", "\t\treturn;", "\t}"]


def charges_of(function):
    """Those that are made here: objects are charged when they are entered."""
    return [c for c in function.charges if c.what != "object"]


def length_tests(function):
    """Do the arrays of a derived wire have the lengths that the driver will be told?"""
    bits, names = function.given_bits(), {p.name for p in function.params}
    tests = []
    for param in function.params:
        field = next((f for f in function.wire if f.name == param.name), None)
        if param.role == "in" and field and field.type in ("ids", "bytes"):
            said = param.count or param.bytes
            tests.append(f"!length_fits({given_bit(bits, param)}, "
                         f"a.{param.name}.{'count' if field.type == 'ids' else 'bytes'}, "
                         f"{'a.' + said if said in names else said})")
    return tests


def given_bit(bits, param):
    return f"a.given & 1u << {bits[param.name]}"


def manual(spec, function):
    charges = charges_of(function)
    passing = [c for c in charges if c.what != "memory"]
    tests = [] if function.explicit_wire else length_tests(function)
    out = [f"\t{args_struct(spec, function)} a;", ""] + decode_lines(function, tests) + charge_lines(function, charges)
    if passing:
        out.append("\tcharge_kept = false;")
    out.append(f"\tpl_cl_serve_{function.name}(serve, &a);")
    if len(passing) == 1:
        out += ["\tif (!charge_kept)"] + give_back(function, passing, "\t\t")
    elif passing:
        out += ["\tif (!charge_kept) {"] + give_back(function, passing, "\t\t") + ["\t}"]
    return out


def generated(spec, function):
    """A call that needs no handler: resolve, call the driver, enter the event, answer."""
    bits = function.given_bits()
    counts = {p.count: p.name for p in function.params if p.element_kind}
    takes, lists, objects, call = [], [], [], []
    minted = None
    for param in function.params:
        field = next(f for f in function.wire if f.name == param.name)
        given = given_bit(bits, param) if param.name in bits else ""
        if field.type == "handle":
            objects.append(f"*{param.name} = NULL")
            takes.append(f"pl_cl_take(serve, a.{field.name}, PL_CL_KIND_{field.kind}, &{param.name}, &status)")
            call.append(param.name)
        elif field.type == "ids":
            lists.append(param.name)
            takes.append(f"list_take(&{param.name}, serve, a.{field.name}, PL_CL_KIND_{field.kind}, &status)")
            call.append(f"list_given(&{param.name}, {given}, a.{field.name})")
        elif field.type == "mint":
            minted = param
            call.append(f"a.{field.name} ? &{field.name} : NULL")
        elif field.type == "bytes":
            call.append(f"pointer_given({given}, a.{field.name}.at)")
        elif field.type == "u64x3":
            call.append(f"{given} ? (const size_t *)a.{field.name} : NULL")
        elif param.name in counts:
            of = counts[param.name]
            call.append(f"list_count(&{of}, a.{of}, a.{field.name})")
        else:
            call.append(f"a.{field.name}")
    out = [f"\t{args_struct(spec, function)} a;", f"\tvoid {', '.join(objects)};"]
    out += [f"\tpl_cleanup(list_fini) struct list {name};" for name in lists]
    if minted:
        out.append(f"\tcl_event {minted.name} = NULL;")
    out += ["\tint32_t status = CL_INVALID_OPERATION; /* the driver lacks the function */", ""]
    out += [f"\t{name}.at = {name}.few;\n\t{name}.count = 0;" for name in lists]
    out += decode_lines(function, length_tests(function))
    charges = charges_of(function)
    out += charge_lines(function, charges)
    if function.gives_turn:
        out.append("\tpl_serve_give_turn(serve);")
    out.append("\tif (" + " &&\n\t    ".join([f"pl_cl.{function.name}"] + takes) + ")")
    out.append(wrap(f"\t\tstatus = pl_cl.{function.name}", call, ";"))
    out += put_minted(function, "\t", minted and minted.name)
    out += give_back(function, [c for c in charges if c.what != "memory"], "\t")
    return out + [f"\tpl_cl_result(serve, status, {queue_id(function)});"]


DISPATCH = """
void pl_cl_serve_call(struct pl_serve *serve)
{
	uint16_t op = serve->head->op;

	if (op >= PL_CL_OP_COUNT || !calls[op]) {
		pl_serve_refuse(serve, CL_INVALID_OPERATION);
		return;
	}
	calls[op](serve);
}
"""

LOAD = """
int pl_cl_driver_load(struct pl_cl_driver *driver, void *dl)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *at = dlsym(dl, functions[i].name);

		if (!at && functions[i].needed)
			return pl_err(-ENOENT);
		memcpy((char *)driver + functions[i].offset, &at, sizeof(at));
	}
	return 0;
}
"""


def source(spec):
    out = [note(spec).rstrip(), """#include "opencl-serve.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

struct pl_cl_driver pl_cl;""", HELPERS]
    for function in spec.functions:
        if function.is_called and not function.sends:
            body = generated(spec, function) if function.is_auto_server else manual(spec, function)
            out += [f"static void serve_{function.name}(struct pl_serve *serve)", "{"] + body + ["}", ""]
    out.append("static void (*const calls[PL_CL_OP_COUNT])(struct pl_serve *serve) = {")
    out += [f"\t[PL_CL_OP_{f.name}] = serve_{spec.layout_of(f).name}," for f in spec.functions if f.is_called]
    out += ["};", DISPATCH.rstrip(), "",
            "#define FUNCTION(name, needed) { #name, offsetof(struct pl_cl_driver, name), needed }",
            "static const struct {", "\tconst char *name;", "\tsize_t offset;",
            "\tbool needed;", "} functions[] = {"]
    for function in driver_functions(spec):
        needed = "true" if function.since == "1.0" and not function.extension else "false"
        out.append(f"\tFUNCTION({function.name}, {needed}),")
    return "\n".join(out + ["};", LOAD.rstrip()]) + "\n"
