/* What a built program's kernels are, as plProgramKernels told: enough to check and to launch without asking. */
#ifndef PL_CL_KERNELS_H
#define PL_CL_KERNELS_H

#include "client/opencl/types.h"

struct pl_cl_param {
	_Atomic uint8_t kind;	       /* enum pl_cl_param_kind; UNKNOWN until the driver took something */
	uint64_t size;		       /* of a value; 0 = unknown */
	_Atomic uint64_t size_taken;   /* the driver accepted this one when it was asked */
	_Atomic uint32_t images_taken; /* kinds of images that it accepted: bits of image_bit() */
};

struct pl_cl_desc_device {
	uint64_t id;
	uint64_t group_items_max;
	uint64_t compile_group[3]; /* reqd_work_group_size; zeros = none */
	uint64_t local_bytes, private_bytes;
};

struct pl_cl_desc {
	const char *name;
	uint32_t params_count;
	struct pl_cl_param *params;
	uint32_t devices_count;
	struct pl_cl_desc_device *devices;
};

struct pl_cl_kernels {
	_Atomic uint32_t refs;
	uint32_t count;
	struct pl_cl_desc *descs;
	void *blob; /* the names lie in it */
};

struct pl_cl_kernels *pl_cl_kernels_ref(struct pl_cl_kernels *kernels);
struct pl_cl_desc *pl_cl_kernels_find(struct pl_cl_kernels *kernels, const char *name); /* NULL = none */
const struct pl_cl_desc_device *pl_cl_desc_device(const struct pl_cl_desc *desc, const struct pl_cl_device *device);

#endif
