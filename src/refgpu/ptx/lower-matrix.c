#include "lower.h"

pl_ptx_lower_fn pl_ptx_lower_matrix(uint32_t op)
{
	(void)op;
	return NULL;
}
