/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include <string.h>

typedef unsigned __int128 u128;

static uint64_t step(u128 sum, int bits, uint64_t *carry)
{
	*carry = (uint64_t)(sum >> bits) & 1;
	return (uint64_t)sum & pt_mask(bits);
}

/* Three limbs: i0 and i1, i2 and i3, then the carry (or borrow) alone. */
bool want_carry(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;
	bool add = !strcmp(op->word[0], "add");
	uint64_t carry = 0;

	for (int i = 0; i < 3; i++) {
		u128 a = i < 2 ? in[i * 2] : 0, b = i < 2 ? in[i * 2 + 1] : 0;

		out[i] = step(add ? a + b + carry : a - b - carry, bits, &carry);
	}
	return true;
}

/* i0 * i1 + i3:i2, with the carry out of the high half in the third. */
bool want_carry_mad(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	int bits = pt_types[op->type[0]].bits;
	u128 product = (u128)in[0] * in[1];
	uint64_t carry = 0;

	out[0] = step((u128)(uint64_t)(product & pt_mask(bits)) + in[2], bits, &carry);
	out[1] = step((u128)(uint64_t)(product >> bits) + in[3] + carry, bits, &carry);
	out[2] = carry;
	return true;
}
