#include "client/opencl/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/call.h"

#define KERNELS_MAX 65536u /* limit: kernels of one program */
#define PARAMS_MAX  4096u  /* limit: parameters of one kernel */

struct pl_cl_kernels *pl_cl_kernels_ref(struct pl_cl_kernels *kernels)
{
	atomic_fetch_add_explicit(&kernels->refs, 1, memory_order_relaxed);
	return kernels;
}

void pl_cl_kernels_unref(struct pl_cl_kernels *kernels)
{
	if (!kernels || atomic_fetch_sub_explicit(&kernels->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < kernels->count; i++) {
		free(kernels->descs[i].params);
		free(kernels->descs[i].devices);
	}
	free(kernels->descs);
	free(kernels->blob);
	free(kernels);
}

struct pl_cl_desc *pl_cl_kernels_find(struct pl_cl_kernels *kernels, const char *name)
{
	for (uint32_t i = 0; kernels && i < kernels->count; i++)
		if (!strcmp(kernels->descs[i].name, name))
			return &kernels->descs[i];
	return NULL;
}

const struct pl_cl_desc_device *pl_cl_desc_device(const struct pl_cl_desc *desc, const struct pl_cl_device *device)
{
	for (uint32_t i = 0; i < desc->devices_count; i++)
		if (desc->devices[i].id == device->object.id)
			return &desc->devices[i];
	return NULL;
}

static int desc_parse(struct pl_dec *dec, struct pl_cl_desc *desc)
{
	uint64_t count;

	desc->name = pl_dec_string(dec, PL_CL_LIMIT_NAME_MAX);
	count = pl_dec_u64(dec);
	pl_dec_u64(dec); /* has_arg_info: the kinds say it */
	if (count > PARAMS_MAX || dec->failed)
		return pl_err(-EPROTO);
	desc->params = calloc(count + 1, sizeof(*desc->params));
	if (!desc->params)
		return pl_err(-ENOMEM);
	desc->params_count = (uint32_t)count;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t kind;
		pl_dec_u64(dec); /* address qualifier */
		pl_dec_u64(dec); /* access qualifier */
		kind = pl_dec_u64(dec);
		desc->params[i].kind = kind <= PL_CL_PARAM_PIPE ? (uint8_t)kind : PL_CL_PARAM_UNKNOWN;
		desc->params[i].size = pl_dec_u64(dec);
	}
	count = pl_dec_u64(dec);
	if (count > PL_CL_LIMIT_DEVICES_MAX || dec->failed)
		return pl_err(-EPROTO);
	desc->devices = calloc(count + 1, sizeof(*desc->devices));
	if (!desc->devices)
		return pl_err(-ENOMEM);
	desc->devices_count = (uint32_t)count;
	for (uint64_t i = 0; i < count; i++) {
		struct pl_cl_desc_device *device = &desc->devices[i];
		device->id = pl_dec_u64(dec);
		device->group_items_max = pl_dec_u64(dec);
		for (int d = 0; d < 3; d++)
			device->compile_group[d] = pl_dec_u64(dec);
		device->local_bytes = pl_dec_u64(dec);
		device->private_bytes = pl_dec_u64(dec);
	}
	return dec->failed ? pl_err(-EPROTO) : 0;
}

/* Takes over blob. */
static struct pl_cl_kernels *kernels_parse(void *blob, uint64_t bytes)
{
	struct pl_dec dec = {.at = blob, .end = (const uint8_t *)blob + bytes};
	struct pl_cl_kernels *kernels = calloc(1, sizeof(*kernels));
	uint64_t count = pl_dec_u64(&dec);
	int r = 0;

	if (!kernels) {
		free(blob);
		return NULL;
	}
	kernels->refs = 1;
	kernels->blob = blob;
	kernels->descs = count <= KERNELS_MAX ? calloc(count + 1, sizeof(*kernels->descs)) : NULL;
	if (!kernels->descs)
		r = pl_err(-ENOMEM);
	while (!r && kernels->count < count)
		r = desc_parse(&dec, &kernels->descs[kernels->count++]);
	if (r || !pl_dec_whole(&dec)) {
		pl_log_warn("what the server says of a program's kernels can not be read");
		pl_cl_kernels_unref(kernels);
		return NULL;
	}
	return kernels;
}

static struct pl_cl_kernels *kernels_ask(struct pl_cl_program *program)
{
	struct pl_cl_plProgramKernels_args args = {.program = program->object.id};
	struct pl_cl_plProgramKernels_reply got;
	struct pl_reply reply;
	const void *at;
	uint64_t bytes;
	void *heap, *blob;

	if (PL_CL_ASK(program->object.session, plProgramKernels, &args, &reply) || reply.status)
		return NULL;
	pl_cl_plProgramKernels_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || pl_cl_reply_value(&reply, got.kernels, &at, &bytes, &heap))
		return NULL;
	blob = heap ? heap : malloc(bytes + 1);
	if (blob && !heap && bytes)
		memcpy(blob, at, bytes);
	return blob ? kernels_parse(blob, bytes) : NULL;
}

struct pl_cl_kernels *pl_cl_program_kernels(struct pl_cl_program *program)
{
	struct pl_cl_kernels *kernels = NULL, *asked;

	pl_lock(&program->object.lock);
	if (program->kernels)
		kernels = pl_cl_kernels_ref(program->kernels);
	pl_unlock(&program->object.lock);
	if (kernels)
		return kernels;
	asked = kernels_ask(program);
	if (!asked)
		return NULL;
	pl_lock(&program->object.lock);
	if (!program->kernels)
		program->kernels = pl_cl_kernels_ref(asked);
	pl_unlock(&program->object.lock);
	return asked;
}

void pl_cl_program_forget(struct pl_cl_program *program)
{
	struct pl_cl_kernels *kernels;

	pl_lock(&program->object.lock);
	kernels = program->kernels;
	program->kernels = NULL;
	pl_unlock(&program->object.lock);
	pl_cl_kernels_unref(kernels);
}
