/* What the device claims to be. */
#include <assert.h>
#include <stddef.h>

#include "refgpu/driver/identity.h"

static void test_capabilities_are_read(void)
{
	static const struct {
		const char *text;
		unsigned int value;
	} cases[] = {
		{ "9.0", 90 },   { "12.0", 120 }, { "12.1", 121 }, { "5.0", 50 },   { "8.6", 86 },
		{ "12.2", 122 }, { "4.9", 0 },    { "", 0 },       { "9", 0 },      { "9.", 0 },
		{ "9.00", 0 },   { ".9", 0 },     { "x.0", 0 },    { " 9.0", 0 },   { "-9.0", 0 },
		{ "09.0", 0 },   { "9.0 ", 0 },   { "9,0", 0 },    { "13.0", 130 }, { "99999999999999999999.0", 0 },
		{ "19.9", 199 }, { "20.0", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert(pl_cu_capability_read(cases[i].text) == cases[i].value);
}

static void test_nonsense_leaves_the_default(void)
{
	unsetenv("PLENUM_REFGPU_CAPABILITY");
	assert(pl_cu_capability() == PL_CUDA_CLAIM);
	setenv("PLENUM_REFGPU_CAPABILITY", "twelve", 1);
	assert(pl_cu_capability() == PL_CUDA_CLAIM);
	setenv("PLENUM_REFGPU_CAPABILITY", "12.0", 1);
	assert(pl_cu_capability() == 120);
}

int main(void)
{
	test_capabilities_are_read();
	test_nonsense_leaves_the_default();
	return 0;
}
