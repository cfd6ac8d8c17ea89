/*
 * Atomic operations.  Shared memory belongs to one SM thread, so plain operations do there; elsewhere the host's atomic
 * instructions.  Lanes go in order; where all lanes of an integer operation name one word, they are put together first
 * and memory sees one operation.
 */
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <string.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

struct access {
	unsigned atom, type;
	bool plain; /* nobody else can reach the memory now */
	bool flush; /* f32 in global memory: subnormals count as 0 */
};

static uint64_t int_result(const struct access *x, uint64_t old, uint64_t b)
{
	bool wide = pl_isa_type_bytes(x->type) == 8, is_signed = x->type == PL_ISA_S32 || x->type == PL_ISA_S64;
	int64_t so = wide ? (int64_t)old : (int32_t)old, sb = wide ? (int64_t)b : (int32_t)b;

	switch (x->atom) {
	case PL_ISA_ATOM_ADD:
		return old + b;
	case PL_ISA_ATOM_MIN:
		return (is_signed ? so < sb : old < b) ? old : b;
	case PL_ISA_ATOM_MAX:
		return (is_signed ? so > sb : old > b) ? old : b;
	case PL_ISA_ATOM_AND:
		return old & b;
	case PL_ISA_ATOM_OR:
		return old | b;
	case PL_ISA_ATOM_XOR:
		return old ^ b;
	case PL_ISA_ATOM_INC:
		return old >= b ? 0 : old + 1;
	case PL_ISA_ATOM_DEC:
		return old == 0 || old > b ? b : old - 1;
	default:
		return b;
	}
}

static float flushed(float v, bool flush)
{
	return flush && __builtin_fabsf(v) < 0x1p-126f ? bits_f32(f32_bits(v) & 0x80000000) : v;
}

static uint32_t f32_result(const struct access *x, uint32_t old, uint32_t b)
{
	float r;

	if (x->atom == PL_ISA_ATOM_EXCH)
		return b;
	r = flushed(flushed(bits_f32(old), x->flush) + flushed(bits_f32(b), x->flush), x->flush);
	return r == r ? f32_bits(r) : 0x7fffffff;
}

static uint16_t half_result(const struct access *x, bool bf, uint16_t old, uint16_t b)
{
	float p = bf ? bf16_to_f32(old) : f16_to_f32(old), q = bf ? bf16_to_f32(b) : f16_to_f32(b), r;

	if (x->atom == PL_ISA_ATOM_ADD)
		r = p + q;
	else if (p != p || q != q)
		r = p != p ? q : p;
	else
		r = (x->atom == PL_ISA_ATOM_MIN) == (p < q) ? p : q;
	return bf ? f32_to_bf16(r) : f32_to_f16(r);
}

/* What memory holds afterwards. */
static uint64_t result_of(const struct access *x, uint64_t old, uint64_t b, uint64_t c)
{
	bool bf = x->type == PL_ISA_BF16 || x->type == PL_ISA_BF16X2;
	double sum;

	if (x->atom == PL_ISA_ATOM_CAS)
		return old == b ? c : old;
	switch (x->type) {
	case PL_ISA_F32:
		return f32_result(x, (uint32_t)old, (uint32_t)b);
	case PL_ISA_F64:
		sum = bits_f64(old) + bits_f64(b);
		return x->atom == PL_ISA_ATOM_EXCH ? b : f64_bits(sum);
	case PL_ISA_F16:
	case PL_ISA_BF16:
		return half_result(x, bf, (uint16_t)old, (uint16_t)b);
	case PL_ISA_F16X2:
	case PL_ISA_BF16X2:
		return half_result(x, bf, (uint16_t)old, (uint16_t)b) |
		       (uint32_t)half_result(x, bf, (uint16_t)(old >> 16), (uint16_t)(b >> 16)) << 16;
	default:
		return int_result(x, old, b);
	}
}

#define APPLY(name, T)                                                                                                 \
	static T name(const struct access *x, T *at, T b, T c)                                                         \
	{                                                                                                              \
		T old = x->plain ? *at : __atomic_load_n(at, __ATOMIC_RELAXED);                                        \
		if (x->plain) {                                                                                        \
			*at = (T)result_of(x, old, b, c);                                                              \
			return old;                                                                                    \
		}                                                                                                      \
		while (!__atomic_compare_exchange_n(at, &old, (T)result_of(x, old, b, c), false, __ATOMIC_SEQ_CST,     \
						    __ATOMIC_RELAXED))                                                 \
			;                                                                                              \
		return old;                                                                                            \
	}
APPLY(apply16, uint16_t)
APPLY(apply32, uint32_t)
APPLY(apply64, uint64_t)

/* The usual ones have instructions of their own. */
static uint32_t add32(const struct access *x, uint32_t *at, uint32_t b, uint32_t c)
{
	if (x->plain || (x->type != PL_ISA_U32 && x->type != PL_ISA_S32))
		return apply32(x, at, b, c);
	switch (x->atom) {
	case PL_ISA_ATOM_ADD:
		return __atomic_fetch_add(at, b, __ATOMIC_SEQ_CST);
	case PL_ISA_ATOM_EXCH:
		return __atomic_exchange_n(at, b, __ATOMIC_SEQ_CST);
	default:
		return apply32(x, at, b, c);
	}
}

struct wide {
	_Alignas(16) uint64_t half[2];
};

static struct wide wide_result(const struct access *x, struct wide old, struct wide b, struct wide c)
{
	if (x->atom == PL_ISA_ATOM_EXCH)
		return b;
	return old.half[0] == b.half[0] && old.half[1] == b.half[1] ? c : old;
}

#if defined(__x86_64__)
/* Return: *at was *old_io and is `to` now; else *old_io is what was there. */
static bool wide_swap(struct wide *at, struct wide *old_io, struct wide to)
{
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(done), "+m"(*at), "+a"(old_io->half[0]), "+d"(old_io->half[1])
			 : "b"(to.half[0]), "c"(to.half[1])
			 : "memory");
	return done;
}

static bool have_wide_swap(void)
{
	static _Atomic int known; /* 1: no, 2: yes */
	unsigned a, b, c, d;
	int have = atomic_load_explicit(&known, memory_order_relaxed);

	if (!have) {
		have = __get_cpuid(1, &a, &b, &c, &d) && c & bit_CMPXCHG16B ? 2 : 1;
		atomic_store_explicit(&known, have, memory_order_relaxed);
	}
	return have == 2;
}

/* An aligned move of 16 bytes is one access on processors with AVX. */
static bool wide_moves_whole(void)
{
	return __builtin_cpu_supports("avx");
}

static void wide_move(struct wide *to, const struct wide *from)
{
	__asm__ volatile("movdqa %1, %%xmm0\n\tmovdqa %%xmm0, %0" : "=m"(*to) : "m"(*from) : "xmm0", "memory");
}
#else
static bool wide_swap(struct wide *at, struct wide *old_io, struct wide to)
{
	return (void)at, (void)old_io, (void)to, false;
}

static bool wide_moves_whole(void)
{
	return false;
}

static void wide_move(struct wide *to, const struct wide *from)
{
	*to = *from;
}

static bool have_wide_swap(void)
{
	return false;
}
#endif

static _Atomic uint32_t wide_lock; /* of processors that cannot swap 16 bytes: one at a time */

static void wide_begin(void)
{
	uint32_t none = 0;

	while (!atomic_compare_exchange_weak(&wide_lock, &none, 1))
		none = 0;
}

static void wide_end(void)
{
	atomic_store(&wide_lock, 0);
}

static struct wide apply128(const struct access *x, struct wide *at, struct wide b, struct wide c)
{
	struct wide old = *at;

	if (x->plain) {
		*at = wide_result(x, old, b, c);
		return old;
	}
	if (have_wide_swap()) {
		while (!wide_swap(at, &old, wide_result(x, old, b, c)))
			;
		return old;
	}
	wide_begin();
	old = *at;
	*at = wide_result(x, old, b, c);
	wide_end();
	return old;
}

/* Whole, as a strong load or store of 128 bits is. */
static struct wide wide_read(struct wide *at)
{
	struct wide v = { { 0 } };

	if (wide_moves_whole()) {
		wide_move(&v, at);
	} else if (have_wide_swap()) {
		(void)wide_swap(at, &v, v);
	} else {
		wide_begin();
		v = *at;
		wide_end();
	}
	return v;
}

static void wide_write(struct wide *at, struct wide v)
{
	struct wide old = *at;

	if (wide_moves_whole()) {
		wide_move(at, &v);
	} else if (have_wide_swap()) {
		while (!wide_swap(at, &old, v))
			;
	} else {
		wide_begin();
		*at = v;
		wide_end();
	}
}

/* Two rows of registers. */
static struct wide wide_of(const char *row)
{
	struct wide v;

	memcpy(&v.half[0], row, 8);
	memcpy(&v.half[1], row + 2 * PL_SM_SLOT_BYTES, 8);
	return v;
}

static void wide_to(char *row, struct wide v)
{
	memcpy(row, &v.half[0], 8);
	memcpy(row + 2 * PL_SM_SLOT_BYTES, &v.half[1], 8);
}

/* One element of one lane; d NULL: no result wanted. */
static void element(const struct access *x, uint8_t *at, const char *b, const char *c, char *d)
{
	uint32_t old32;
	uint64_t old64;
	struct wide old128;

	switch (pl_isa_type_bytes(x->type)) {
	case 2:
		old32 = apply16(x, (void *)at, *(const uint16_t *)(const void *)b,
				c ? *(const uint16_t *)(const void *)c : 0);
		if (d && x->type == PL_ISA_S16)
			old32 = (uint32_t)(int16_t)old32;
		if (d)
			memcpy(d, &old32, 4);
		break;
	case 4:
		old32 = add32(x, (void *)at, *(const uint32_t *)(const void *)b,
			      c ? *(const uint32_t *)(const void *)c : 0);
		if (d)
			memcpy(d, &old32, 4);
		break;
	case 8:
		old64 = apply64(x, (void *)at, *(const uint64_t *)(const void *)b,
				c ? *(const uint64_t *)(const void *)c : 0);
		if (d)
			memcpy(d, &old64, 8);
		break;
	default:
		old128 = apply128(x, (void *)at, wide_of(b), c ? wide_of(c) : (struct wide){ { 0 } });
		if (d)
			wide_to(d, old128);
	}
}

void pl_sm_atom_one(unsigned atom, unsigned type, void *at, const void *value, bool mine)
{
	struct access x = { atom, type, mine, !mine };

	element(&x, at, value, NULL, NULL);
}

/* All lanes at one word, an operation whose parts can be put together: one access, then each lane's own old value. */
static void together(const struct access *x, const char *R, const struct pl_sm_op *op, uint8_t *at, uint32_t mask,
		     char *d)
{
	bool wide = pl_isa_type_bytes(x->type) == 8;
	uint64_t before[PL_ISA_LANES], all = 0, old;
	uint32_t first = (uint32_t)__builtin_ctz(mask);

	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		uint64_t b = wide ? PL_SM_REG(const uint64_t, b)[i] : PL_SM_REG(const uint32_t, b)[i];

		before[i] = all;
		all = i == first ? b : int_result(x, all, b);
		all = wide ? all : (uint32_t)all;
	}
	old = wide ? apply64(x, (void *)at, all, 0) : add32(x, (void *)at, (uint32_t)all, 0);
	for (uint32_t left = d ? mask : 0; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		uint64_t v = i == first ? old : int_result(x, old, before[i]);

		if (wide)
			((uint64_t *)(void *)d)[i] = v;
		else
			((uint32_t *)(void *)d)[i] = (uint32_t)v;
	}
}

static bool may_join(const struct access *x, const union pl_sm_mem *m, const uint64_t addr[], uint32_t mask)
{
	uint64_t first = addr[__builtin_ctz(mask)], differ = 0;

	if (m->vec || x->atom > PL_ISA_ATOM_XOR || x->type < PL_ISA_U32 || x->type > PL_ISA_S64 || !(mask & (mask - 1)))
		return false;
	for (int i = 0; i < PL_ISA_LANES; i++)
		differ |= mask >> i & 1 ? addr[i] ^ first : 0;
	return !differ;
}

/* imm 1: a result is wanted */
static __attribute__((noinline)) void atom_do(PL_SM_ARGS, bool result)
{
	union pl_sm_mem m = { .x = op->x };
	unsigned bytes = (unsigned)m.bytes << m.vec, reg = pl_isa_type_slots(op->type) * 4;
	struct access x = { m.atom, op->type, false, false };
	uint64_t addr[PL_ISA_LANES];
	struct pl_sm_span span = { 0 };

	pl_sm_mem_addresses(w, op, R, addr);
	w->sm->bytes_written += (uint64_t)__builtin_popcount(mask) * bytes;
	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		uint8_t *at;

		if (addr[i] - span.begin >= span.bytes || span.bytes - (addr[i] - span.begin) < bytes ||
		    addr[i] & (bytes - 1))
			if (!pl_sm_mem_span(w, op, m.space, addr[i], bytes, PL_RG_ATOMIC, i, &span))
				return;
		if (span.local && bytes > 4) {
			pl_sm_fault(w, op, PL_RG_FAULT_LOCAL_RANGE, PL_RG_ATOMIC, addr[i], i);
			return;
		}
		at = span.local ? pl_sm_local_at(span.host, addr[i] - span.begin, i)
				: span.host + (addr[i] - span.begin);
		x.plain = span.local || span.host == w->block->shared;
		x.flush = !x.plain;
		if (left == mask && may_join(&x, &m, addr, mask) && !span.local) {
			together(&x, R, op, at, mask, result ? R + op->d : NULL);
			return;
		}
		for (unsigned k = 0; k < 1u << m.vec; k++) {
			unsigned slot = k * reg / 4 * PL_SM_SLOT_BYTES + i * (reg < 8 ? reg : 8);
			element(&x, at + k * m.bytes, R + op->b + slot,
				x.atom == PL_ISA_ATOM_CAS ? R + op->c + slot : NULL, result ? R + op->d + slot : NULL);
		}
	}
}

static void atom_h(PL_SM_ARGS)
{
	atom_do(w, op, R, mask, true);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

static void red_h(PL_SM_ARGS)
{
	atom_do(w, op, R, mask, false);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

/* 128 bits of each lane, each whole. */
static __attribute__((noinline)) void wide_access_do(PL_SM_ARGS, bool store)
{
	union pl_sm_mem m = { .x = op->x };
	struct pl_sm_span span = { 0 };
	uint64_t addr[PL_ISA_LANES];

	pl_sm_mem_addresses(w, op, R, addr);
	*(store ? &w->sm->bytes_written : &w->sm->bytes_read) += (uint64_t)__builtin_popcount(mask) * 16;
	for (; mask; mask &= mask - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(mask);
		char *d = R + op->d + i * 8;
		struct wide v = wide_of(d);

		if (!pl_sm_mem_span(w, op, m.space, addr[i], 16, store ? PL_RG_WRITE : PL_RG_READ, i, &span))
			return;
		if (!span.local) {
			struct wide *at = (void *)(span.host + (addr[i] - span.begin));

			if (store)
				wide_write(at, v);
			else
				wide_to(d, wide_read(at));
			continue;
		}
		for (unsigned k = 0; k < 4; k++) {
			uint8_t *at = pl_sm_local_at(span.host, addr[i] - span.begin + 4 * k, i);
			uint32_t *word = &((uint32_t *)(void *)&v)[k];

			memcpy(store ? (void *)at : word, store ? word : (void *)at, 4);
		}
		if (!store)
			wide_to(d, v);
	}
}

static void wide_load_h(PL_SM_ARGS)
{
	wide_access_do(w, op, R, mask, false);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

static void wide_store_h(PL_SM_ARGS)
{
	wide_access_do(w, op, R, mask, true);
	if (w->stop)
		return;
	PL_SM_NEXT;
}

/* 32-bit integers in shared memory, one lane after the other.  An address that is not good: the slow way, from there
 * on. */
#define SHARED_ATOM(name, T, e)                                                                                        \
	static __attribute__((noinline)) uint32_t name##_do(PL_SM_ARGS, bool result)                                   \
	{                                                                                                              \
		const uint32_t *a = PL_SM_REG(const uint32_t, a), imm = (uint32_t)op->imm;                             \
		const uint32_t limit = w->sm->grid->shared_bytes;                                                      \
		const T *b = PL_SM_REG(const T, b);                                                                    \
		uint8_t *shared = w->block->shared;                                                                    \
		T *d = PL_SM_REG(T, d);                                                                                \
		for (; mask; mask &= mask - 1) {                                                                       \
			uint32_t i = (uint32_t)__builtin_ctz(mask), at = a[i] + imm;                                   \
			T *word = (void *)(shared + at), old;                                                          \
			if (__builtin_expect((at & 3) || limit < 4 || at > limit - 4, 0))                              \
				break;                                                                                 \
			old = *word;                                                                                   \
			*word = (e);                                                                                   \
			if (result)                                                                                    \
				d[i] = old;                                                                            \
		}                                                                                                      \
		return mask;                                                                                           \
	}                                                                                                              \
	static void name##_atom(PL_SM_ARGS)                                                                            \
	{                                                                                                              \
		mask = name##_do(w, op, R, mask, true);                                                                \
		if (__builtin_expect(mask != 0, 0))                                                                    \
			atom_do(w, op, R, mask, true);                                                                 \
		if (w->stop)                                                                                           \
			return;                                                                                        \
		PL_SM_NEXT;                                                                                            \
	}                                                                                                              \
	static void name##_red(PL_SM_ARGS)                                                                             \
	{                                                                                                              \
		mask = name##_do(w, op, R, mask, false);                                                               \
		if (__builtin_expect(mask != 0, 0))                                                                    \
			atom_do(w, op, R, mask, false);                                                                \
		if (w->stop)                                                                                           \
			return;                                                                                        \
		PL_SM_NEXT;                                                                                            \
	}
SHARED_ATOM(shared_add, uint32_t, old + b[i])
SHARED_ATOM(shared_min_u, uint32_t, old < b[i] ? old : b[i])
SHARED_ATOM(shared_max_u, uint32_t, old > b[i] ? old : b[i])
SHARED_ATOM(shared_min_s, int32_t, old < b[i] ? old : b[i])
SHARED_ATOM(shared_max_s, int32_t, old > b[i] ? old : b[i])
SHARED_ATOM(shared_and, uint32_t, old &b[i])
SHARED_ATOM(shared_or, uint32_t, old | b[i])
SHARED_ATOM(shared_xor, uint32_t, old ^ b[i])
SHARED_ATOM(shared_exch, uint32_t, b[i])
SHARED_ATOM(shared_cas, uint32_t, old == b[i] ? PL_SM_REG(const uint32_t, c)[i] : old)

static pl_sm_fn shared_handler(const struct pl_isa_fields *f)
{
#define FNS(name)                                                                                                      \
	{                                                                                                              \
		name##_atom, name##_red                                                                                \
	}
	static const struct {
		pl_sm_fn of_unsigned[2], of_signed[2];
	} fns[PL_ISA_ATOM_COUNT] = {
		[PL_ISA_ATOM_ADD] = { FNS(shared_add), FNS(shared_add) },
		[PL_ISA_ATOM_MIN] = { FNS(shared_min_u), FNS(shared_min_s) },
		[PL_ISA_ATOM_MAX] = { FNS(shared_max_u), FNS(shared_max_s) },
		[PL_ISA_ATOM_AND] = { FNS(shared_and), FNS(shared_and) },
		[PL_ISA_ATOM_OR] = { FNS(shared_or), FNS(shared_or) },
		[PL_ISA_ATOM_XOR] = { FNS(shared_xor), FNS(shared_xor) },
		[PL_ISA_ATOM_EXCH] = { FNS(shared_exch), FNS(shared_exch) },
		[PL_ISA_ATOM_CAS] = { FNS(shared_cas), FNS(shared_cas) },
	};
#undef FNS
	bool reduce = f->op == PL_ISA_RED;

	if (f->space != PL_ISA_SHARED || f->form != PL_ISA_ADDR_R32 || f->vec || f->atom >= PL_ISA_ATOM_COUNT)
		return NULL;
	return f->type == PL_ISA_U32   ? fns[f->atom].of_unsigned[reduce]
	       : f->type == PL_ISA_S32 ? fns[f->atom].of_signed[reduce]
				       : NULL;
}

bool pl_sm_bind_atom(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	pl_sm_fn fast;

	if ((f->op == PL_ISA_LD || f->op == PL_ISA_ST) && f->type == PL_ISA_B128 && !f->vec && f->sem != PL_ISA_WEAK) {
		op->fn[0] = op->fn[1] = f->op == PL_ISA_LD ? wide_load_h : wide_store_h;
		return true;
	}
	if (f->op != PL_ISA_ATOM && f->op != PL_ISA_RED)
		return false;
	if (pl_isa_type_bytes(f->type) == 16 && f->atom != PL_ISA_ATOM_EXCH && f->atom != PL_ISA_ATOM_CAS)
		return false;
	fast = shared_handler(f);
	op->fn[0] = op->fn[1] = fast ? fast : f->op == PL_ISA_ATOM ? atom_h : red_h;
	return true;
}
