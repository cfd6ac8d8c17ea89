#include "lower.h"

pl_ptx_lower_fn pl_ptx_lower_texture(uint32_t op)
{
	(void)op;
	return NULL;
}
