/* What was advised is what is told. */
#include <assert.h>
#include <string.h>

#include "cuda/advice.h"

static int told(const struct pl_cuda_advice *advice, CUmem_range_attribute attribute)
{
	int value = 77;
	CUresult result = pl_cuda_advice_get(advice, 3, attribute, &value, sizeof(value));

	assert(!result);
	return value;
}

static void test_nothing_was_advised(void)
{
	struct pl_cuda_advice advice = PL_CUDA_ADVICE_NONE;

	assert(!told(&advice, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY));
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION) == CU_DEVICE_INVALID);
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION) == CU_DEVICE_INVALID);
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY) == CU_DEVICE_INVALID);
}

static void test_what_is_set_is_told_until_it_is_taken_back(void)
{
	struct pl_cuda_advice advice = PL_CUDA_ADVICE_NONE;
	CUmemLocation device = pl_cuda_location_of(3), host = pl_cuda_location_of(CU_DEVICE_CPU);
	int list[3];

	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_SET_READ_MOSTLY, host);
	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, device);
	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_SET_ACCESSED_BY, device);
	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_SET_ACCESSED_BY, host);
	advice.prefetched = host;
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY) == 1);
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION) == 3);
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID) == 3);
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION) == CU_DEVICE_CPU);
	assert(!pl_cuda_advice_get(&advice, 3, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, list, sizeof(list)));
	assert(list[0] == 3 && list[1] == CU_DEVICE_CPU && list[2] == CU_DEVICE_INVALID);
	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_UNSET_READ_MOSTLY, host);
	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION, host);
	pl_cuda_advice_set(&advice, CU_MEM_ADVISE_UNSET_ACCESSED_BY, device);
	assert(!told(&advice, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY));
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION) == CU_DEVICE_INVALID);
	assert(told(&advice, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY) == CU_DEVICE_CPU);
}

static void test_other_sizes_and_attributes_are_refused(void)
{
	struct pl_cuda_advice advice = PL_CUDA_ADVICE_NONE;
	char room[9];

	memset(room, 0x5a, sizeof(room));
	assert(pl_cuda_advice_get(&advice, 0, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, room, 8) == CUDA_ERROR_INVALID_VALUE);
	assert(pl_cuda_advice_get(&advice, 0, CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY, room, 9) == CUDA_ERROR_INVALID_VALUE);
	assert(pl_cuda_advice_get(&advice, 0, (CUmem_range_attribute)99, room, 4) == CUDA_ERROR_INVALID_VALUE);
	for (size_t i = 0; i < sizeof(room); i++)
		assert(room[i] == 0x5a);
	assert(!pl_cuda_advice_is_known((CUmem_advise)0) && !pl_cuda_advice_is_known((CUmem_advise)99));
	assert(pl_cuda_advice_is_placed(CU_MEM_ADVISE_SET_ACCESSED_BY));
	assert(!pl_cuda_advice_is_placed(CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION));
}

int main(void)
{
	test_nothing_was_advised();
	test_what_is_set_is_told_until_it_is_taken_back();
	test_other_sizes_and_attributes_are_refused();
	return 0;
}
