/* Made by codegen/plgen.py from small.api; do not edit. */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include "opencl-info.h"

static struct pl_cl_info_rule rule_queue(uint32_t param)
{
	switch (param) {
	case CL_QUEUE_CONTEXT:
		return (struct pl_cl_info_rule){ PL_CL_INFO_LOCAL, 0 };
	case CL_QUEUE_DEVICE:
		return (struct pl_cl_info_rule){ PL_CL_INFO_HANDLE, PL_CL_KIND_device };
	case CL_QUEUE_REFERENCE_COUNT:
		return (struct pl_cl_info_rule){ PL_CL_INFO_REFS, 0 };
	case CL_QUEUE_PROPERTIES:
		return (struct pl_cl_info_rule){ PL_CL_INFO_ASK, 0 };
	}
	return (struct pl_cl_info_rule){ PL_CL_INFO_CONST, 0 };
}

struct pl_cl_info_rule pl_cl_info_rule(enum pl_cl_info_kind info, uint32_t param)
{
	switch (info) {
	case PL_CL_INFO_queue:
		return rule_queue(param);
	}
	return (struct pl_cl_info_rule){ PL_CL_INFO_ASK, 0 };
}

const char *pl_cl_info_name(enum pl_cl_info_kind info)
{
	switch (info) {
	case PL_CL_INFO_queue:
		return "queue";
	}
	return "?";
}

enum pl_cl_object_kind pl_cl_info_object(enum pl_cl_info_kind info)
{
	switch (info) {
	case PL_CL_INFO_queue:
		return PL_CL_KIND_queue;
	}
	return 0;
}
