/* Made by codegen/plgen.py from small.api; do not edit. */
/* How each parameter of the clGet*Info functions is answered. */
#ifndef PL_OPENCL_INFO_H
#define PL_OPENCL_INFO_H

#include <stdint.h>

#include "opencl-wire.h"

enum pl_cl_info_kind {
	PL_CL_INFO_queue = 1,
};

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

#endif
