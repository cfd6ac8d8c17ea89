/* The table of functions that a server of another release sends: the whole input is the record's body. */
#include "fuzz.h"
#include "opencl-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *body = malloc(size ? size : 1); /* exact: one byte too far is seen */
	struct pl_dec dec = { .at = body, .end = body + size };
	static struct pl_agreement agreement;
	char what[PL_FUNCTION_NAME_MAX] = "";
	int r;

	if (!body)
		return 0;
	if (size)
		memcpy(body, data, size);
	r = pl_functions_agree(&pl_cl_functions, &dec, &agreement, what);
	pl_fuzz_check(r <= PL_FUNCTIONS_E_REVERSE && (r != PL_FUNCTIONS_E_REVERSE || what[0]));
	for (unsigned op = 0; op <= PL_FUNCTION_OP_MAX && !r; op++) {
		uint16_t call = agreement.call[op], reverse = agreement.reverse[op];

		pl_fuzz_check(call == PL_FUNCTION_DIFFERS || call <= PL_FUNCTION_OP_MAX);
		pl_fuzz_check(!call || strcmp(pl_functions_name(&pl_cl_functions, (uint16_t)op), "?"));
		pl_fuzz_check(!reverse || strcmp(pl_functions_name(&pl_cl_functions, reverse), "?"));
	}
	free(body);
	return 0;
}
