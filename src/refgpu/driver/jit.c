#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "jit.h"

#define OPTIONS_MAX 256u /* of one call */

static uintptr_t number(void *value)
{
	return (uintptr_t)value;
}

/* A buffer and its size are two options, in any order. */
static void option_read(struct pl_cu_jit *jit, CUjit_option option, void **value)
{
	switch (option) {
	case CU_JIT_MAX_REGISTERS:
		jit->options.registers_max = (uint32_t)number(*value);
		break;
	case CU_JIT_WALL_TIME:
		jit->wall_time = value;
		break;
	case CU_JIT_INFO_LOG_BUFFER:
		jit->log.info = *value;
		break;
	case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
		jit->log.info_bytes = (uint32_t)number(*value);
		jit->info_used = value;
		break;
	case CU_JIT_ERROR_LOG_BUFFER:
		jit->log.error = *value;
		break;
	case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
		jit->log.error_bytes = (uint32_t)number(*value);
		jit->error_used = value;
		break;
	case CU_JIT_LOG_VERBOSE:
		jit->options.verbose = number(*value) != 0;
		break;
	case CU_JIT_GENERATE_LINE_INFO:
	case CU_JIT_GENERATE_DEBUG_INFO:
		jit->options.line_info = number(*value) != 0;
		break;
	default: /* of another device's compiler: nothing to choose here */
		break;
	}
}

CUresult pl_cu_jit_read(struct pl_cu_jit *jit, unsigned int n, const CUjit_option *options, void *const *values)
{
	*jit = (struct pl_cu_jit){ .options = { .target = pl_cu_capability(), .line_info = true } };
	if (n > OPTIONS_MAX || (n && (!options || !values)))
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < n; i++) {
		if ((unsigned int)options[i] >= CU_JIT_NUM_OPTIONS)
			return CUDA_ERROR_INVALID_VALUE;
		option_read(jit, options[i], (void **)&values[i]);
	}
	if (!jit->log.info || !jit->log.info_bytes) {
		jit->log.info = NULL;
		jit->log.info_bytes = 0;
	}
	if (!jit->log.error || !jit->log.error_bytes) {
		jit->log.error = jit->own_error;
		jit->log.error_bytes = sizeof(jit->own_error);
	}
	return CUDA_SUCCESS;
}

void pl_cu_jit_refuse(struct pl_cu_jit *jit, CUresult result, const char *why)
{
	size_t room = jit->log.error ? jit->log.error_bytes : 0;
	int n = snprintf(jit->log.error, room, "%s\n", why);
	jit->log.error_used = !room || n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
	pl_cu_jit_finish(jit, result, 0);
}

void pl_cu_jit_finish(struct pl_cu_jit *jit, CUresult result, float milliseconds)
{
	if (jit->info_used)
		*jit->info_used = (void *)(uintptr_t)jit->log.info_used;
	if (jit->error_used)
		*jit->error_used = (void *)(uintptr_t)(jit->log.error == jit->own_error ? 0 : jit->log.error_used);
	if (jit->wall_time)
		memcpy(jit->wall_time, &milliseconds, sizeof(milliseconds));
	/* A runtime asks for no log, and its own message does not say why. */
	if (result && jit->log.error == jit->own_error && jit->own_error[0])
		fprintf(stderr, "plenum refgpu: a kernel image was refused: %s%s", jit->own_error,
			jit->own_error[strlen(jit->own_error) - 1] == '\n' ? "" : "\n");
}
