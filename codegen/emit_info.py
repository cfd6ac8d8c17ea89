"""opencl-info.h and .c: what each query answers, and for how long."""

from cgen import CL_HEAD, note


def header(spec):
    out = [note(spec).rstrip(), """/* How each parameter of the clGet*Info functions is answered. */
#ifndef PL_OPENCL_INFO_H
#define PL_OPENCL_INFO_H

#include <stdint.h>

#include "opencl-wire.h"

enum pl_cl_info_kind {"""]
    out += [f"\tPL_CL_INFO_{name} = {number}," for number, name in enumerate(spec.infos, 1)]
    out.append("""};

enum pl_cl_info_how {
	PL_CL_INFO_CONST,   /* cached for the object's life */
	PL_CL_INFO_ASK,     /* asked each time */
	PL_CL_INFO_REFS,    /* the client's own reference count */
	PL_CL_INFO_LOCAL,   /* a function of the client knows it */
	PL_CL_INFO_HANDLE,  /* cached; one handle, translated to the client's */
	PL_CL_INFO_HANDLES, /* cached; an array of handles */
};

struct pl_cl_info_rule {
	enum pl_cl_info_how how;
	enum pl_cl_object_kind kind; /* HANDLE, HANDLES */
};

/* param: CL_DEVICE_NAME and so on; unknown ones get the rule of the rest. */
struct pl_cl_info_rule pl_cl_info_rule(enum pl_cl_info_kind info, uint32_t param);
const char *pl_cl_info_name(enum pl_cl_info_kind info);
/* Of the object that is asked about: PL_CL_KIND_mem for PL_CL_INFO_image. */
enum pl_cl_object_kind pl_cl_info_object(enum pl_cl_info_kind info);

#endif""")
    return "\n".join(out) + "\n"


def rule(row):
    kind = f", PL_CL_KIND_{row.kind}" if row.kind else ", 0"
    return f"(struct pl_cl_info_rule){{ PL_CL_INFO_{row.how.upper()}{kind} }}"


def source(spec):
    out = [note(spec).rstrip(), CL_HEAD.rstrip(), "#include <CL/cl.h>", "#include <CL/cl_ext.h>", "",
           '#include "opencl-info.h"', ""]
    for info in spec.infos.values():
        named = [row for row in info.rows if row.param != "*"]
        rest = next(row for row in info.rows if row.param == "*")
        out += [f"static struct pl_cl_info_rule rule_{info.name}(uint32_t param)", "{"]
        if named:
            out.append("\tswitch (param) {")
            for row in named:
                out += [f"\tcase {row.param}:", f"\t\treturn {rule(row)};"]
            out.append("\t}")
        else:
            out.append("\t(void)param;")
        out += [f"\treturn {rule(rest)};", "}", ""]
    out += ["struct pl_cl_info_rule pl_cl_info_rule(enum pl_cl_info_kind info, uint32_t param)", "{",
            "\tswitch (info) {"]
    for name in spec.infos:
        out += [f"\tcase PL_CL_INFO_{name}:", f"\t\treturn rule_{name}(param);"]
    out += ["\t}", "\treturn (struct pl_cl_info_rule){ PL_CL_INFO_ASK, 0 };", "}", "",
            "const char *pl_cl_info_name(enum pl_cl_info_kind info)", "{", "\tswitch (info) {"]
    for name in spec.infos:
        out += [f"\tcase PL_CL_INFO_{name}:", f'\t\treturn "{name}";']
    out += ["\t}", '\treturn "?";', "}", "",
            "enum pl_cl_object_kind pl_cl_info_object(enum pl_cl_info_kind info)", "{", "\tswitch (info) {"]
    for name in spec.infos:
        function = next(f for f in spec.functions if f.info == name)
        out += [f"\tcase PL_CL_INFO_{name}:", f"\t\treturn PL_CL_KIND_{function.params[0].kind};"]
    out += ["\t}", "\treturn 0;", "}"]
    return "\n".join(out) + "\n"
