/* SPDX-License-Identifier: Apache-2.0 */
/* Where NVIDIA's driver is known to answer otherwise than the text of PTX says, and the reference with it. */
#include "run.h"

#include <fnmatch.h>
#include <stddef.h>

#define NO_TOP    "a u32 result is held above 0 only, not below 2^32"
#define NARROW    "a part is saturated by what 32 bits of the result are"
#define HIGH_HALF "the result's upper half goes to .h1"
#define SIGNED    "the second operation takes c as signed where an operand is"
#define PRODUCT   "sums and shifts take the product as signed"
#define LINE      "its driver makes a plane of a one-dimensional array, and reads 0 of it"

static const struct {
	const char *glob, *why;
} known[] = {
	{ "vadd.u32.*.sat*", NO_TOP },
	{ "vsub.u32.*.sat*", NO_TOP },
	{ "vabsdiff.u32.*.sat*", NO_TOP },
	{ "v*.sat %o0.b2,*", NARROW },
	{ "vsh*.sat.* %o0.h0,*", NARROW },
	{ "v* %o0.h1, %i0.h0, %i1.b1,*", HIGH_HALF },
	{ "v*.min %o0, %i0, %i1.h0, %i2", SIGNED },
	{ "v*.max %o0, %i0, %i1.h0, %i2", SIGNED },
	{ "vmad.u32.u32.u32.*", PRODUCT },
	{ "tex.1d.v4.f32.s32 *", LINE },
};

const char *pt_known_of(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!fnmatch(known[i].glob, name, 0))
			return known[i].why;
	return NULL;
}
