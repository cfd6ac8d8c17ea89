"""opencl-client.h and .c: the client's functions, and the tables by which a loader finds them."""

from cgen import CL_HEAD_GUARDED, WIDTH, args_struct, note, prototype, wrap


def functions(spec):
    return [f for f in spec.functions if not f.is_message and not f.is_absent]


def header(spec):
    out = [note(spec).rstrip(), """/*
 * The client's side of each function of the API, with the signature of CL/cl.h.  Those marked so are written by hand in
 * src/client/opencl; the others stand in opencl-client.c.
 */
#ifndef PL_OPENCL_CLIENT_H
#define PL_OPENCL_CLIENT_H
""", CL_HEAD_GUARDED + """#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#include <stdbool.h>
#include <stddef.h>

#include "opencl-info.h"
#include "opencl-wire.h"

/* For the ICD loader; the traced one reports each call to trace.h. */
extern const struct _cl_icd_dispatch pl_cl_dispatch_plain;
extern const struct _cl_icd_dispatch pl_cl_dispatch_traced;

/* Address of a function, extensions' included, for clGetExtensionFunctionAddress*(); NULL = there is none. */
void *pl_cl_function_find(const char *name, bool traced);
"""]
    for function in functions(spec):
        by_hand = " /* by hand */" if function.manual_client else ""
        out.append(prototype("", function, f"pl_cl_stub_{function.name}") + ";" + by_hand)
    return "\n".join(out + ["", "#endif"]) + "\n"


HELPERS = """
/* Lists of up to this many handles need no allocation; longer ones are rare. */
#define LIST_FEW 16

struct id_list {
	uint64_t *at;
	uint64_t few[LIST_FEW];
};

static inline void id_list_fini(struct id_list *list)
{
	if (list->at != list->few)
		free(list->at);
}

/* The ids of a caller's list.  *whole becomes false when one is none.  Return: CL_SUCCESS or why not. */
static inline cl_int id_list_take(struct id_list *list, const struct pl_session *session,
				  const void *handles, cl_uint count, cl_uint count_max,
				  enum pl_cl_object_kind kind, struct pl_u64s *ids_out, bool *whole)
{
	const void *const *objects = handles;

	if (!objects || !count)
		return CL_SUCCESS;
	if (count > count_max)
		return CL_OUT_OF_RESOURCES;
	if (count > LIST_FEW) {
		list->at = malloc(count * sizeof(*list->at));
		if (!list->at) {
			list->at = list->few;
			return CL_OUT_OF_HOST_MEMORY;
		}
	}
	for (cl_uint i = 0; i < count; i++) {
		list->at[i] = pl_cl_id_at(session, objects[i], kind);
		*whole &= list->at[i] != 0;
	}
	*ids_out = (struct pl_u64s){ list->at, count };
	return CL_SUCCESS;
}

/* Sends an encoded call: posted where it is plainly valid, else asked, so that the driver says what is wrong. */
static cl_int send_call(struct pl_call *call, bool plain)
{
	struct pl_reply reply;
	int r;

	if (plain) {
		r = pl_call_post(call);
		return r ? pl_cl_fault(r) : CL_SUCCESS;
	}
	r = pl_call_ask(call, &reply);
	return r ? pl_cl_fault(r) : reply.status;
}

/* The end of a command: the caller gets its event only where the command was taken. */
static inline void command_end(cl_command_queue queue, cl_int status, cl_event minted, cl_event *event_out)
{
	if (status == CL_SUCCESS)
		pl_cl_queue_posted(queue);
	if (!minted)
		return;
	if (status == CL_SUCCESS)
		pl_cl_event_give(minted, event_out);
	else
		pl_cl_event_drop(minted);
}
"""


def brief_stub(function):
    """The body of a stub that one helper answers, or None."""
    first = function.params[0]
    if first.role in ("retain", "release"):
        return [f"\treturn pl_cl_{first.role}({first.name}, PL_CL_KIND_{first.kind});"]
    if not function.info:
        return None
    second, index, given, given_bytes, param = "NULL", "0", "NULL", "0", "0"
    for number, p in enumerate(function.params[1:-3], 1):
        if p.role == "handle":
            second = p.name
        elif p.c_type == "cl_uint":
            index = p.name
        elif p.c_type == "const void *":
            given, given_bytes = p.name, function.params[number - 1].name
        elif p.c_type != "size_t":
            param = p.name
    size, value, size_ret = (p.name for p in function.params[-3:])
    return [wrap("\treturn pl_cl_info", [f"PL_CL_OP_{function.name}", f"PL_CL_INFO_{function.info}", first.name, second,
                                         index, given, given_bytes, param, size, value, size_ret], ";")]


def take_field(spec, field, param, bits):
    """Lines that fill one field from its parameter."""
    to = f"a.{field.name}"
    if field.type == "handle":
        return [f"\t{to} = pl_cl_id_at(session, {param.name}, PL_CL_KIND_{field.kind});"]
    if param.role != "in":
        return [] if field.type == "mint" else [f"\t{to} = {param.name};"]
    given = [f"\t\ta.given |= 1u << {bits[param.name]};"]
    if field.type == "ids":
        # a list without elements counts as given too: the driver has rules about it
        return [f"\tif ({param.name})"] + given + [
            wrap("\tstatus = id_list_take", [f"&{param.name}_ids", "session", param.name, param.count,
                 spec.max_c(field.max), f"PL_CL_KIND_{field.kind}", f"&{to}", "&whole"], ";"),
            "\tif (status)", "\t\treturn status;"]
    lines = [f"\tif ({param.name}) {{"] + given
    if field.type == "u64x3":
        lines += ["\t\tfor (int i = 0; i < 3; i++)", f"\t\t\t{to}[i] = {param.name}[i];"]
    else:
        if not param.bytes.isdigit():
            lines += [f"\t\tif ({param.bytes} > {spec.max_c(field.max)})", "\t\t\treturn CL_INVALID_VALUE;"]
        lines.append(f"\t\t{to} = (struct pl_bytes){{ {param.name}, {param.bytes} }};")
    return lines + ["\t}"]


def plain_terms(function):
    """What must hold for the call to be posted, cheapest first; None: it is always asked."""
    if function.call_class == "ask" and not function.condition:
        return None
    terms = [f"a.{f.name}" for f in function.wire if f.type == "handle" and not f.optional]
    terms += [f"({p.name} ? a.{p.name} != 0 : true)" for p in function.params if p.role == "handle" and p.optional]
    for param in function.params:
        if param.role == "mint" and not param.optional or param.role == "in" and not param.optional and not (
                param.element_kind == "event"):
            terms.append(param.name)
    if any(f.type == "ids" for f in function.wire):
        terms.append("whole")
    if function.condition:
        # post(ask if X) is posted where X is not so; ask(post if X) where it is
        negated = "!" in function.condition
        posted_if = (function.call_class == "ask") != negated
        terms.append(f"{'' if posted_if else '!'}{function.condition_field}")
    queue = function.first_handle("queue")
    for param in function.params:
        if param.element_kind == "event" and queue:
            terms.append(f"pl_cl_check_waits({queue.name}, {param.count}, {param.name})")
    return terms + [f"pl_cl_check_{c.name}({', '.join(c.args)})" for c in function.checks]


def joined_terms(terms):
    lines, line = [], "\tplain = "
    for number, term in enumerate(terms):
        piece = term + (" &&" if number + 1 < len(terms) else ";")
        if len(line.expandtabs(8)) + len(piece) > WIDTH:
            lines.append(line.rstrip())
            line = "\t\t"
        line += piece + " "
    return lines + [line.rstrip()]


def calling_stub(spec, function):
    params = {p.name: p for p in function.params}
    bits = function.given_bits()
    first = function.first_handle()
    queue = function.first_handle("queue")
    minted = next((p for p in function.params if p.role == "mint"), None)
    lists = [f for f in function.wire if f.type == "ids"]
    is_command = queue is not None and (minted is not None or function.call_class == "post")
    terms = plain_terms(function)

    out = [f"\tstruct pl_session *session = pl_cl_session({first.name});",
           f"\t{args_struct(spec, function)} a = {{ 0 }};"]
    for field in lists:
        out += [f"\tpl_cleanup(id_list_fini) struct id_list {field.name}_ids;"]
    out.append("\tstruct pl_call call;")
    if minted:
        out.append("\tcl_event minted = NULL;")
    out += [f"\tbool {'plain, ' if terms else ''}whole = true;"] if lists else ["\tbool plain;"] if terms else []
    out += ["\tcl_int status;", "\tint r;", ""]
    out += [f"\t{field.name}_ids.at = {field.name}_ids.few;" for field in lists]
    out += ["\tif (!session)", f"\t\treturn {spec.objects[first.kind].invalid};"]
    for field in function.wire:
        if field.name in params:
            out += take_field(spec, field, params[field.name], bits)
    if terms is not None:
        out += joined_terms(terms)
    elif lists:
        out.append("\t(void)whole; /* always asked */")
    if minted:
        out += [f"\tif ({minted.name} && a.{queue.name}) {{",
                f"\t\tminted = pl_cl_event_new({queue.name}, PL_CL_OP_{function.name});",
                "\t\tif (!minted)", "\t\t\treturn CL_OUT_OF_HOST_MEMORY;",
                f"\t\ta.{minted.name} = pl_cl_id(minted, PL_CL_KIND_event);", "\t}"]
    out += [wrap("\tr = pl_call_begin", ["&call", "session", f"PL_CL_OP_{function.name}",
                                         f"pl_cl_{function.name}_bytes(&a)"], ";"),
            "\tif (r) {", "\t\tstatus = pl_cl_fault(r);", "\t} else {",
            f"\t\tpl_cl_{function.name}_put(&call.enc, &a);",
            f"\t\tstatus = send_call(&call, {'plain' if terms is not None else 'false'});", "\t}"]
    if is_command:
        event = ("minted", minted.name) if minted else ("NULL", "NULL")
        out.append(f"\tcommand_end({queue.name}, status, {event[0]}, {event[1]});")
    return out + ["\treturn status;"]


def stub(spec, function):
    body = brief_stub(function) or calling_stub(spec, function)
    return [prototype("", function, f"pl_cl_stub_{function.name}"), "{"] + body + ["}", ""]


def traced(function):
    names = [p.name for p in function.params]
    stub_name = f"pl_cl_stub_{function.name}"
    out = [prototype("static ", function, f"traced_{function.name}"), "{",
           "\tuint64_t begin = pl_cl_trace_begin();"]
    if function.result == "void":
        return out + ["", wrap(f"\t{stub_name}", names, ";"),
                      f"\tpl_cl_trace_end(PL_CL_OP_{function.name}, begin, CL_SUCCESS);", "}", ""]
    space = "" if function.result.endswith("*") else " "
    out.append(wrap(f"\t{function.result}{space}result = {stub_name}", names, ";"))
    status = "result"
    if function.result != "cl_int":
        failed = "errcode_ret ? *errcode_ret : -1" if "errcode_ret" in names else "-1"
        status = f"result ? CL_SUCCESS : {failed}"
    return out + ["", wrap("\tpl_cl_trace_end", [f"PL_CL_OP_{function.name}", "begin", status], ";"),
                  "\treturn result;", "}", ""]


def dispatch(spec, name, prefix):
    out = [f"const struct _cl_icd_dispatch {name} = {{"]
    for function in spec.functions:
        if function.is_slot:
            to = "NULL" if function.is_absent else f"{prefix}_{function.name}"
            out.append(f"\t.{function.name} = {to},")
    return out + ["};", ""]


def slot_asserts(spec):
    slots = [f for f in spec.functions if f.is_slot]
    out = ["/* The spec has the slots of the installed cl_icd.h, in its order, and no others. */",
           "#define SLOT(n, function) \\",
           "\tstatic_assert(offsetof(struct _cl_icd_dispatch, function) == (n) * sizeof(void *), \"slot \" #function)"]
    out += [f"SLOT({number}, {f.name});" for number, f in enumerate(slots)]
    out.append(f"static_assert(sizeof(struct _cl_icd_dispatch) == {len(slots)} * sizeof(void *), \"slots missing\");")
    return out + [""]


FIND = """void *pl_cl_function_find(const char *name, bool traced)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!strcmp(functions[i].name, name))
			return traced ? functions[i].traced : functions[i].plain;
	return NULL;
}
"""


def source(spec):
    out = [note(spec).rstrip(), """#include "opencl-client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/opencl/check.h"
#include "client/opencl/object.h"
#include "client/opencl/trace.h"
#include "client/session.h\"""", HELPERS]
    for function in functions(spec):
        if function.is_auto_client:
            out += stub(spec, function)
    out.append("/* ---- the same, traced ---- */\n")
    for function in functions(spec):
        out += traced(function)
    out.append("/* ---- tables ---- */\n")
    out += slot_asserts(spec)
    out += dispatch(spec, "pl_cl_dispatch_plain", "pl_cl_stub")
    out += dispatch(spec, "pl_cl_dispatch_traced", "traced")
    out += ["#define FUNCTION(name) { #name, (void *)pl_cl_stub_##name, (void *)traced_##name }",
            "static const struct {", "\tconst char *name;", "\tvoid *plain, *traced;", "} functions[] = {"]
    out += [f"\tFUNCTION({f.name})," for f in functions(spec)]
    return "\n".join(out + ["};", "", FIND.rstrip()]) + "\n"
