/* CUDA_VISIBLE_DEVICES: what of a list counts. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "cuda/visible.h"

#define DEVICES 3u

static const uint8_t uuids[DEVICES * PL_CUDA_UUID_BYTES + 1] = "aaaabbbbccccdddd"
							       "aaaabbbbccccddde"
							       "zaaabbbbccccdddd";

/* Is what `list` names `want`, a digit a device? */
static void names(const char *list, const char *want)
{
	uint32_t order[DEVICES], n = pl_cuda_visible(list, uuids, DEVICES, order);

	assert(n == strlen(want));
	for (uint32_t i = 0; i < n; i++)
		assert(order[i] == (uint32_t)(want[i] - '0'));
}

static void test_without_a_list_all_are_seen(void)
{
	names(NULL, "012");
}

static void test_numbers_choose_and_order(void)
{
	names("0", "0");
	names("2,0", "20");
	names(" 1 , 2 ", "12");
	names("+1", "1");
	names("1abc", "1");
}

static void test_the_list_ends_at_what_names_nothing(void)
{
	names("", "");
	names("-1", "");
	names("0,2,-1,1", "02");
	names("1,3,0", "1");
	names("1,,0", "1");
	names("NoDevFiles", "");
	names("18446744073709551616", "");
	names("4294967296,0", "");
	names("0,", "0");
}

static void test_what_stands_twice_leaves_none(void)
{
	names("0,0", "");
	names("0,1,0", "");
	names("2,GPU-7a", "");
}

static void test_uuids_may_be_shortened_while_they_name_one(void)
{
	names("GPU-7a616161-6262-6262-6363-636364646464", "2");
	names("GPU-7A6", "2");
	names("GPU-61616161-6262-6262-6363-636364646465,GPU-7a", "12");
	names("MIG-7a", "2");
	names("GPU-6161", "");
	names("GPU-", "");
	names("GPU-ff", "");
	names("gpu-7a", "");
	names("GPU-7a616161-6262-6262-6363-6363646464640", "");
}

int main(void)
{
	test_without_a_list_all_are_seen();
	test_numbers_choose_and_order();
	test_the_list_ends_at_what_names_nothing();
	test_what_stands_twice_leaves_none();
	test_uuids_may_be_shortened_while_they_name_one();
	return 0;
}
