/*
 * Which extensions are told of.  One that only adds to the language that kernels are written in works wherever the
 * driver has it: its compiler sees the source.  One with functions or queries is told of only when they are carried.
 */
#include <stdlib.h>
#include <string.h>

#include "client/opencl/types.h"

/* Language only, or carried whole by the functions of the spec. */
static const char *const carried[] = {
	/* the language */
	"cl_khr_byte_addressable_store",
	"cl_khr_global_int32_base_atomics",
	"cl_khr_global_int32_extended_atomics",
	"cl_khr_local_int32_base_atomics",
	"cl_khr_local_int32_extended_atomics",
	"cl_khr_int64_base_atomics",
	"cl_khr_int64_extended_atomics",
	"cl_khr_fp16",
	"cl_khr_fp64",
	"cl_khr_3d_image_writes",
	"cl_khr_depth_images",
	"cl_khr_image2d_from_buffer",
	"cl_khr_select_fprounding_mode",
	"cl_khr_subgroup_ballot",
	"cl_khr_subgroup_clustered_reduce",
	"cl_khr_subgroup_extended_types",
	"cl_khr_subgroup_non_uniform_arithmetic",
	"cl_khr_subgroup_non_uniform_vote",
	"cl_khr_subgroup_rotate",
	"cl_khr_subgroup_shuffle",
	"cl_khr_subgroup_shuffle_relative",
	"cl_khr_expect_assume",
	"cl_khr_extended_bit_ops",
	"cl_khr_work_group_uniform_arithmetic",
	"cl_ext_float_atomics",
	"cl_amd_media_ops",
	"cl_amd_media_ops2",
	"cl_arm_integer_dot_product_accumulate_int16",
	"cl_arm_integer_dot_product_accumulate_int8",
	"cl_arm_integer_dot_product_int8",
	"cl_intel_spirv_media_block_io",
	"cl_intel_spirv_subgroups",
	"cl_nv_compiler_options",
	"cl_nv_pragma_unroll",
	/* queries whose answers hold no handles */
	"cl_khr_device_uuid",
	"cl_khr_extended_versioning",
	"cl_khr_integer_dot_product",
	"cl_khr_pci_bus_info",
	"cl_amd_device_attribute_query",
	"cl_nv_device_attribute_query",
	"cl_intel_device_attribute_query",
	/* functions and properties that the spec carries */
	"cl_khr_icd",
	"cl_khr_il_program",
	"cl_khr_spir",
	"cl_khr_create_command_queue",
	"cl_khr_suggested_local_work_size",
	"cl_khr_priority_hints",
	"cl_khr_throttle_hints",
	"cl_khr_initialize_memory",
	"cl_khr_mipmap_image",
	"cl_khr_mipmap_image_writes",
};

static bool is_carried(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(carried) / sizeof(*carried); i++)
		if (strlen(carried[i]) == length && !memcmp(carried[i], name, length))
			return true;
	return false;
}

static bool has_word(const char *list, size_t bytes, const char *word)
{
	size_t length = strlen(word);

	for (size_t at = 0; at < bytes;) {
		size_t end = at;
		while (end < bytes && list[end] != ' ' && list[end])
			end++;
		if (end - at == length && !memcmp(list + at, word, length))
			return true;
		at = end + 1;
	}
	return false;
}

/* The words of the driver's list that are carried, in its order; cl_khr_icd is always there. */
static int names_answer(const char *list, size_t bytes, struct pl_cl_value *value)
{
	static const char icd[] = "cl_khr_icd";
	char *out = malloc(bytes + sizeof(icd) + 1);
	size_t used = 0;

	if (!out)
		return CL_OUT_OF_HOST_MEMORY;
	for (size_t at = 0; at < bytes && list[at];) {
		size_t end = at;
		while (end < bytes && list[end] != ' ' && list[end])
			end++;
		if (end > at && is_carried(list + at, end - at)) {
			if (used)
				out[used++] = ' ';
			memcpy(out + used, list + at, end - at);
			used += end - at;
		}
		at = end + (end < bytes && list[end] == ' ');
	}
	if (!has_word(out, used, icd)) {
		if (used)
			out[used++] = ' ';
		memcpy(out + used, icd, sizeof(icd) - 1);
		used += sizeof(icd) - 1;
	}
	out[used++] = 0;
	value->at = value->heap = out;
	value->bytes = used;
	return 1;
}

static int versions_answer(const cl_name_version *list, size_t bytes, struct pl_cl_value *value)
{
	size_t count = bytes / sizeof(*list), used = 0;
	cl_name_version *out = malloc((count + 1) * sizeof(*out));
	bool icd = false;

	if (!out)
		return CL_OUT_OF_HOST_MEMORY;
	for (size_t i = 0; i < count; i++) {
		size_t length = strnlen(list[i].name, sizeof(list[i].name));
		if (!is_carried(list[i].name, length))
			continue;
		icd |= !strncmp(list[i].name, "cl_khr_icd", sizeof(list[i].name));
		out[used++] = list[i];
	}
	if (!icd) {
		out[used] = (cl_name_version){.version = CL_MAKE_VERSION(1, 0, 0)};
		strcpy(out[used++].name, "cl_khr_icd");
	}
	value->at = value->heap = out;
	value->bytes = used * sizeof(*out);
	return 1;
}

int pl_cl_extensions_answer(enum pl_cl_info_kind info, struct pl_cl_object *object, cl_uint param,
			    struct pl_cl_value *value)
{
	uint16_t op = info == PL_CL_INFO_platform ? PL_CL_OP_clGetPlatformInfo : PL_CL_OP_clGetDeviceInfo;
	bool names = param == CL_PLATFORM_EXTENSIONS || param == CL_DEVICE_EXTENSIONS;
	const void *at;
	size_t bytes;
	void *heap;
	cl_int code;
	int r;

	if (!names && param != CL_PLATFORM_EXTENSIONS_WITH_VERSION && param != CL_DEVICE_EXTENSIONS_WITH_VERSION)
		return 0;
	code = pl_cl_info_fetch(op, info, object, param, &at, &bytes, &heap);
	if (code)
		return code;
	r = names ? names_answer(at, bytes, value) : versions_answer(at, bytes, value);
	free(heap);
	return r;
}
