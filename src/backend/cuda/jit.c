#include "backend/cuda/jit.h"

#include <stdlib.h>
#include <string.h>

static bool takes_address(uint32_t option)
{
	switch ((CUjit_option)option) {
	case CU_JIT_GLOBAL_SYMBOL_NAMES:
	case CU_JIT_GLOBAL_SYMBOL_ADDRESSES:
	case CU_JIT_GLOBAL_SYMBOL_COUNT:
	case CU_JIT_REFERENCED_KERNEL_NAMES:
	case CU_JIT_REFERENCED_KERNEL_COUNT:
	case CU_JIT_REFERENCED_VARIABLE_NAMES:
	case CU_JIT_REFERENCED_VARIABLE_COUNT:
		return true;
	default:
		return option >= CU_JIT_NUM_OPTIONS;
	}
}

/* Room for any size: which one counts, where several options say one, is the driver's choice. */
static void *log_room(char **log_out)
{
	*log_out = calloc(1, PL_CUDA_JIT_LOG_MAX + 1);
	return *log_out;
}

int32_t pl_cuda_jit_open(struct pl_cuda_jit *jit, struct pl_u32s options, struct pl_u64s values)
{
	memset(jit, 0, sizeof(*jit));
	if (options.count != values.count || options.count > PL_CUDA_JIT_OPTIONS_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	for (uint64_t i = 0; i < options.count; i++) {
		uint32_t option = options.at[i];
		void *value = (void *)(uintptr_t)values.at[i];

		if (takes_address(option))
			return option >= CU_JIT_NUM_OPTIONS ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED;
		if (option == CU_JIT_INFO_LOG_BUFFER && !jit->info)
			value = log_room(&jit->info);
		else if (option == CU_JIT_ERROR_LOG_BUFFER && !jit->error)
			value = log_room(&jit->error);
		else if (option == CU_JIT_INFO_LOG_BUFFER || option == CU_JIT_ERROR_LOG_BUFFER)
			return CUDA_ERROR_INVALID_VALUE;
		else if ((option == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES ||
			  option == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) &&
			 (uint32_t)values.at[i] > PL_CUDA_JIT_LOG_MAX)
			value = (void *)(uintptr_t)PL_CUDA_JIT_LOG_MAX;
		if (!value && (option == CU_JIT_INFO_LOG_BUFFER || option == CU_JIT_ERROR_LOG_BUFFER))
			return CUDA_ERROR_OUT_OF_MEMORY;
		jit->option[jit->count] = (CUjit_option)option;
		jit->value[jit->count++] = value;
	}
	return CUDA_SUCCESS;
}

void pl_cuda_jit_fini(struct pl_cuda_jit *jit)
{
	free(jit->info);
	free(jit->error);
	jit->info = jit->error = NULL;
}

struct pl_u64s pl_cuda_jit_values(struct pl_cuda_jit *jit)
{
	for (uint32_t i = 0; i < jit->count; i++)
		jit->back[i] = jit->option[i] == CU_JIT_INFO_LOG_BUFFER || jit->option[i] == CU_JIT_ERROR_LOG_BUFFER
				       ? 0
				       : (uintptr_t)jit->value[i];
	return (struct pl_u64s){ jit->back, jit->count };
}

static struct pl_bytes log_of(const char *log)
{
	return (struct pl_bytes){ log, log ? strnlen(log, PL_CUDA_JIT_LOG_MAX) : 0 };
}

struct pl_bytes pl_cuda_jit_info(const struct pl_cuda_jit *jit)
{
	return log_of(jit->info);
}

struct pl_bytes pl_cuda_jit_error(const struct pl_cuda_jit *jit)
{
	return log_of(jit->error);
}
