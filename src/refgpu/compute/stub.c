/* Operations that do not exist yet are refused as bad code when a kernel comes to one. */
#include "refgpu/compute/check.h"

bool pl_sm_bind_atom(const struct pl_isa_fields *fields, struct pl_sm_op *op)
{
	(void)fields, (void)op;
	return false;
}
bool pl_sm_bind_texture(const struct pl_isa_fields *fields, struct pl_sm_op *op)
{
	(void)fields, (void)op;
	return false;
}
bool pl_sm_bind_matrix(const struct pl_isa_fields *fields, struct pl_sm_op *op)
{
	(void)fields, (void)op;
	return false;
}
bool pl_sm_bind_sys(const struct pl_isa_fields *fields, struct pl_sm_op *op)
{
	(void)fields, (void)op;
	return false;
}
void pl_sm_check_wrap(const struct pl_isa_fields *fields, struct pl_sm_op *op)
{
	(void)fields, (void)op;
}
int pl_sm_check_begin(struct pl_sm_block *block, uint32_t shared_bytes)
{
	(void)block, (void)shared_bytes;
	return 0;
}
void pl_sm_check_end(struct pl_sm_block *block)
{
	(void)block;
}
