#include "client/opencl/call.h"
#include "client/opencl/types.h"

void pl_cl_sampler_fini(struct pl_cl_object *object)
{
	pl_cl_unhold(((struct pl_cl_sampler *)object)->context);
}

static struct pl_cl_sampler *sampler_new(struct pl_cl_context *context)
{
	struct pl_cl_sampler *sampler =
		pl_cl_object_new(context->object.server, PL_CL_KIND_sampler, sizeof(*sampler), 0);

	if (sampler) {
		sampler->context = context;
		pl_cl_hold(context);
	}
	return sampler;
}

static cl_sampler sampler_made(struct pl_cl_sampler *sampler, cl_int code, cl_int *errcode_ret)
{
	pl_cl_code_set(errcode_ret, code);
	if (!code)
		return (cl_sampler)sampler;
	pl_cl_object_drop(sampler);
	return NULL;
}

static bool context_samples(struct pl_cl_context *context)
{
	for (uint32_t i = 0; i < context->devices_count; i++) {
		const struct pl_cl_device_facts *facts = pl_cl_device_facts(context->devices[i]);
		if (!facts || !facts->images)
			return false;
	}
	return true;
}

static bool is_sampler(cl_bool normalized, cl_addressing_mode addressing, cl_filter_mode filter)
{
	bool repeats = addressing == CL_ADDRESS_REPEAT || addressing == CL_ADDRESS_MIRRORED_REPEAT;

	return normalized <= CL_TRUE && addressing >= CL_ADDRESS_NONE && addressing <= CL_ADDRESS_MIRRORED_REPEAT &&
	       (filter == CL_FILTER_NEAREST || filter == CL_FILTER_LINEAR) && (normalized || !repeats);
}

cl_sampler pl_cl_stub_clCreateSampler(cl_context handle, cl_bool normalized_coords, cl_addressing_mode addressing_mode,
				      cl_filter_mode filter_mode, cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateSampler_args args = {
		.normalized_coords = normalized_coords, .addressing_mode = addressing_mode, .filter_mode = filter_mode};
	struct pl_cl_sampler *sampler;
	bool plain;
	cl_int code;

	if (!context)
		return sampler_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	sampler = sampler_new(context);
	if (!sampler)
		return sampler_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	args.context = context->object.id;
	args.sampler = sampler->object.id;
	plain = is_sampler(normalized_coords, addressing_mode, filter_mode) && context_samples(context);
	PL_CL_SEND(context->object.session, clCreateSampler, &args, plain, code);
	return sampler_made(sampler, code, errcode_ret);
}

cl_sampler pl_cl_stub_clCreateSamplerWithProperties(cl_context handle, const cl_sampler_properties *properties,
						    cl_int *errcode_ret)
{
	struct pl_cl_context *context = pl_cl_get(handle, PL_CL_KIND_context);
	struct pl_cl_clCreateSamplerWithProperties_args args = {0};
	struct pl_cl_sampler *sampler;
	uint64_t count = 0;
	cl_int code;

	if (!context)
		return sampler_made(NULL, CL_INVALID_CONTEXT, errcode_ret);
	sampler = sampler_new(context);
	if (!sampler)
		return sampler_made(NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
	while (properties && count + 2 < PL_CL_LIMIT_PROPERTIES_MAX && properties[count])
		count += 2;
	args.context = context->object.id;
	args.properties = (struct pl_u64s){properties, properties ? count + 1 : 0};
	args.sampler = sampler->object.id;
	PL_CL_SEND(context->object.session, clCreateSamplerWithProperties, &args, false, code);
	return sampler_made(sampler, code, errcode_ret);
}
