#undef NDEBUG
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "cuda/result.h"

static void test_names_are_those_of_the_enumeration(void)
{
	assert(!strcmp(pl_cuda_result_name(CUDA_SUCCESS), "CUDA_SUCCESS"));
	assert(!strcmp(pl_cuda_result_name(CUDA_ERROR_ILLEGAL_ADDRESS), "CUDA_ERROR_ILLEGAL_ADDRESS"));
	assert(!strcmp(pl_cuda_result_name(CUDA_ERROR_UNKNOWN), "CUDA_ERROR_UNKNOWN"));
}

static void test_every_result_that_has_a_name_has_a_text_of_its_own(void)
{
	int found = 0;

	for (int a = 0; a < 1000; a++) {
		assert(!pl_cuda_result_name(a) == !pl_cuda_result_text(a));
		if (!pl_cuda_result_name(a))
			continue;
		found++;
		assert(*pl_cuda_result_text(a));
		for (int b = 0; b < a; b++)
			assert(!pl_cuda_result_text(b) || strcmp(pl_cuda_result_text(a), pl_cuda_result_text(b)));
	}
	assert(found == 101);
}

static void test_a_number_that_is_no_result_has_neither(void)
{
	static const int none[] = { -1, 9, 203, 1000, INT_MAX, INT_MIN };

	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert(!pl_cuda_result_name(none[i]));
		assert(!pl_cuda_result_text(none[i]));
	}
}

int main(void)
{
	test_names_are_those_of_the_enumeration();
	test_every_result_that_has_a_name_has_a_text_of_its_own();
	test_a_number_that_is_no_result_has_neither();
	return 0;
}
