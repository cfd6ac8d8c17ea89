/*
 * Operations against plain C.  A case is an instruction with places for its operands, and what it has to give:
 * D4 D8 DP result (32, 64 bits, predicate), A4 A8 B4 B8 C4 C8 sources, CP the lowest bit of c.  `ref` gets the sources
 * as raw bits (those of the width that the text names) and gives raw bits.
 */
#ifndef PL_REFGPU_COMPUTE_CASES_H
#define PL_REFGPU_COMPUTE_CASES_H

#include <stdint.h>

struct ops_case {
	const char *text;
	uint64_t (*ref)(uint64_t a, uint64_t b, uint64_t c);
	double error; /* not 0: results are floats and may differ by so much, relative or (below 1) absolute */
};

extern const struct ops_case ops_int[], ops_float[], ops_convert[];
extern const unsigned ops_int_count, ops_float_count, ops_convert_count;

#endif
