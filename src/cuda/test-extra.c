/* Lists behind `extra`, good ones and others. */
#undef NDEBUG
#include <assert.h>

#include "cuda/extra.h"

static size_t bytes = 24, got;
static const void *at;
static char arguments[24];

static CUresult read(void **list)
{
	return pl_cuda_extra_read(list, &at, &got);
}

static void test_the_buffer_is_found_in_either_order(void)
{
	void *one[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, arguments, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			CU_LAUNCH_PARAM_END };
	void *other[] = { CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_BUFFER_POINTER, arguments,
			  CU_LAUNCH_PARAM_END };

	assert(read(one) == CUDA_SUCCESS && at == arguments && got == 24);
	assert(read(other) == CUDA_SUCCESS && at == arguments && got == 24);
}

static void test_what_is_no_list_is_refused(void)
{
	void *nothing[] = { CU_LAUNCH_PARAM_END }, *sizeless[] = { CU_LAUNCH_PARAM_BUFFER_SIZE, NULL, NULL };
	void *unknown[] = { (void *)7, arguments, CU_LAUNCH_PARAM_END }, *endless[PL_CUDA_EXTRA_MAX + 1];

	for (unsigned int i = 0; i < PL_CUDA_EXTRA_MAX; i += 2) {
		endless[i] = CU_LAUNCH_PARAM_BUFFER_POINTER;
		endless[i + 1] = arguments;
	}
	endless[PL_CUDA_EXTRA_MAX] = CU_LAUNCH_PARAM_END; /* too late */
	assert(read(nothing) == CUDA_ERROR_INVALID_VALUE && read(sizeless) == CUDA_ERROR_INVALID_VALUE);
	assert(read(unknown) == CUDA_ERROR_INVALID_VALUE && read(endless) == CUDA_ERROR_INVALID_VALUE);
}

int main(void)
{
	test_the_buffer_is_found_in_either_order();
	test_what_is_no_list_is_refused();
	return 0;
}
