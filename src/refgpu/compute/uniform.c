/* Scalar operations of the warp: one value for all lanes that execute together. */
#include <string.h>

#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

static inline uint64_t extend(uint64_t v, unsigned type)
{
	return type == PL_ISA_U32 ? (uint32_t)v : type == PL_ISA_S32 ? (uint64_t)(int32_t)v : v;
}

static inline uint64_t b_of(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	return extend(*(const uint64_t *)pl_sm_scalar(w, op), op->type);
}

/* What each gives.  x, y: operands cut to the type and extended, z as it is; is_signed, width: of the type. */
#define SIGNED(e, u) (is_signed ? (uint64_t)(e) : (u))
#define UOPS(X)                                                                                                        \
	X(UMOV, umov_h, y)                                                                                             \
	X(UADD, uadd_h, x + y)                                                                                         \
	X(USUB, usub_h, x - y)                                                                                         \
	X(UMUL, umul_h, x *y)                                                                                          \
	X(UMAD, umad_h, x *y + z)                                                                                      \
	X(UDIV, udiv_h, y == 0 ? ~0ull : SIGNED(y == ~0ull ? 0 - x : (uint64_t)((int64_t)x / (int64_t)y), x / y))      \
	X(UREM, urem_h, y == 0 ? x : SIGNED(y == ~0ull ? 0 : (int64_t)x % (int64_t)y, x % y))                          \
	X(UMIN, umin_h, SIGNED((int64_t)x < (int64_t)y ? x : y, x < y ? x : y))                                        \
	X(UMAX, umax_h, SIGNED((int64_t)x > (int64_t)y ? x : y, x > y ? x : y))                                        \
	X(UAND, uand_h, x &y)                                                                                          \
	X(UOR, uor_h, x | y)                                                                                           \
	X(UXOR, uxor_h, x ^ y)                                                                                         \
	X(USHL, ushl_h, (uint32_t)y >= width ? 0 : x << (y & 63))                                                      \
	X(USHR, ushr_h,                                                                                                \
	  SIGNED((int64_t)x >> ((uint32_t)y >= width ? width - 1 : (uint32_t)y),                                       \
		 (uint32_t)y >= width ? 0 : x >> (y & 63)))

#define UOP(name, handler, e)                                                                                          \
	static inline uint64_t handler##_of(uint64_t x, uint64_t y, uint64_t z, unsigned type)                         \
	{                                                                                                              \
		unsigned width = type >= PL_ISA_U64 ? 64 : 32;                                                         \
		bool is_signed = type == PL_ISA_S32 || type == PL_ISA_S64;                                             \
		(void)width, (void)is_signed, (void)x, (void)z;                                                        \
		return extend(e, type);                                                                                \
	}                                                                                                              \
	static void handler(PL_SM_ARGS)                                                                                \
	{                                                                                                              \
		uint64_t x = extend(w->frame.U[op->a], op->type), y = b_of(w, op);                                     \
		(void)R, (void)mask;                                                                                   \
		w->frame.U[op->d] = handler##_of(x, y, w->frame.U[op->c], op->type);                                   \
		PL_SM_NEXT;                                                                                            \
	}
UOPS(UOP)

uint64_t pl_sm_uniform_eval(unsigned op, unsigned type, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t x = extend(a, type), y = extend(b, type);

	switch (op) {
#define UEVAL(name, handler, e)                                                                                        \
	case PL_ISA_##name:                                                                                            \
		return handler##_of(x, y, c, type);
		UOPS(UEVAL)
	default:
		return 0;
	}
}

static void umov64_h(PL_SM_ARGS)
{
	(void)R, (void)mask;
	w->frame.U[op->d] = op->imm;
	PL_SM_NEXT;
}

/* op->x: BOOL | ND << 2 | NC << 3 */
static void usel_h(PL_SM_ARGS)
{
	uint32_t p = (op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c]) ^ (op->x & 8 ? PL_SM_ALL : 0);

	(void)R;
	w->frame.U[op->d] = p >> __builtin_ctz(mask) & 1 ? extend(w->frame.U[op->a], op->type) : b_of(w, op);
	PL_SM_NEXT;
}

static void usetp_h(PL_SM_ARGS)
{
	uint64_t x = extend(w->frame.U[op->a], op->type), y = b_of(w, op);
	bool is_signed = op->type == PL_ISA_S32 || op->type == PL_ISA_S64;
	bool less = is_signed ? (int64_t)x < (int64_t)y : x < y, equal = x == y;
	bool is[6] = { equal, !equal, less, less || equal, !less && !equal, !less };
	uint32_t m = is[op->sub % 6] ? PL_SM_ALL : 0, c = op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c];

	(void)R;
	m = op->x & 4 ? ~m : m;
	c = op->x & 8 ? ~c : c;
	m = (op->x & 3) == PL_ISA_BAND   ? m & c
	    : (op->x & 3) == PL_ISA_BOR  ? m | c
	    : (op->x & 3) == PL_ISA_BXOR ? m ^ c
					 : m;
	if (op->d != PL_ISA_PT)
		w->frame.P[op->d] = (w->frame.P[op->d] & ~mask) | (m & mask);
	PL_SM_NEXT;
}

static void r2u_h(PL_SM_ARGS)
{
	int first = __builtin_ctz(mask);

	if (pl_isa_type_bytes(op->type) == 8)
		w->frame.U[op->d] = PL_SM_REG(const uint64_t, a)[first];
	else
		w->frame.U[op->d] = extend(PL_SM_REG(const uint32_t, a)[first], op->type);
	PL_SM_NEXT;
}

static __attribute__((noinline)) bool uld_do(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lane)
{
	union pl_sm_mem m = { .x = op->x };
	uint64_t addr = (m.form == PL_ISA_ADDR_U ? w->frame.U[op->a] : 0) + op->imm, v = 0;
	const void *at;

	if (m.space >= PL_ISA_SHARED)
		addr = (uint32_t)addr;
	if (m.space == PL_ISA_LOCAL || (m.space == PL_ISA_GENERIC && addr - PL_ISA_LOCAL_BASE < PL_ISA_WINDOW_BYTES)) {
		if (!pl_sm_mem_read(w, op, m.space, addr, &v, m.bytes, lane))
			return false;
	} else {
		at = pl_sm_mem_at(w, op, m.space, addr, m.bytes, PL_RG_READ, lane);
		if (!at)
			return false;
		memcpy(&v, at, m.bytes);
		w->sm->bytes_read += m.bytes;
	}
	if (op->type == PL_ISA_S8)
		v = (uint64_t)(int8_t)v;
	else if (op->type == PL_ISA_S16)
		v = (uint64_t)(int16_t)v;
	else if (op->type == PL_ISA_S32)
		v = (uint64_t)(int32_t)v;
	w->frame.U[op->d] = v;
	return true;
}

static void uld_h(PL_SM_ARGS)
{
	(void)R;
	if (!uld_do(w, op, (uint32_t)__builtin_ctz(mask)))
		return;
	PL_SM_NEXT;
}

/* Parameters at a fixed place. */
#define ULD_PARAM(name, T)                                                                                             \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		(void)R;                                                                                               \
		if (__builtin_expect(op->imm + sizeof(T) > w->sm->grid->desc.param_bytes, 0)) {                        \
			if (!uld_do(w, op, (uint32_t)__builtin_ctz(mask)))                                             \
				return;                                                                                \
		} else {                                                                                               \
			w->frame.U[op->d] = (uint64_t) * (const T *)(const void *)(w->sm->grid->param + op->imm);      \
			w->sm->bytes_read += sizeof(T);                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
ULD_PARAM(uld_param_u32, uint32_t)
ULD_PARAM(uld_param_s32, int32_t)
ULD_PARAM(uld_param_64, uint64_t)

static pl_sm_fn uld_handler(const struct pl_isa_fields *f, const struct pl_sm_op *op)
{
	if (f->space != PL_ISA_PARAM || f->form != PL_ISA_ADDR_ABS || op->imm >= PL_ISA_PARAM_BYTES_MAX ||
	    op->imm % pl_isa_type_bytes(f->type))
		return uld_h;
	switch (f->type) {
	case PL_ISA_U32:
		return uld_param_u32;
	case PL_ISA_S32:
		return uld_param_s32;
	case PL_ISA_U64:
	case PL_ISA_S64:
		return uld_param_64;
	default:
		return uld_h;
	}
}

bool pl_sm_bind_uniform(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const pl_sm_fn handlers[PL_ISA_OP_COUNT] = {
		[PL_ISA_UMOV] = umov_h, [PL_ISA_UADD] = uadd_h, [PL_ISA_USUB] = usub_h,     [PL_ISA_UMUL] = umul_h,
		[PL_ISA_UMAD] = umad_h, [PL_ISA_UDIV] = udiv_h, [PL_ISA_UREM] = urem_h,     [PL_ISA_UMIN] = umin_h,
		[PL_ISA_UMAX] = umax_h, [PL_ISA_UAND] = uand_h, [PL_ISA_UOR] = uor_h,       [PL_ISA_UXOR] = uxor_h,
		[PL_ISA_USHL] = ushl_h, [PL_ISA_USHR] = ushr_h, [PL_ISA_USEL] = usel_h,     [PL_ISA_USETP] = usetp_h,
		[PL_ISA_R2U] = r2u_h,   [PL_ISA_ULD] = uld_h,   [PL_ISA_UMOV64] = umov64_h,
	};

	if (!handlers[f->op])
		return false;
	if (f->op == PL_ISA_USEL || f->op == PL_ISA_USETP) {
		op->sub = f->cmp;
		op->x = f->boolop | f->nd << 2 | f->nc << 3;
	}
	op->fn[0] = op->fn[1] = f->op == PL_ISA_ULD ? uld_handler(f, op) : handlers[f->op];
	return true;
}
