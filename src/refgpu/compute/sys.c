/* System calls: printf records, the device heap, failed assertions; asynchronous copies and mbarriers. */
#include <string.h>

#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

#define FORMAT_BYTES_MAX 4096u
#define STRING_BYTES_MAX 1024u
#define ARGS_MAX         32u

/* -- printf -- */

struct head { /* struct pl_isa_printf_record without its arguments */
	uint32_t bytes, arg_count, format_offset, kernel_id, block[3], thread[3];
};
_Static_assert(sizeof(struct head) == offsetof(struct pl_isa_printf_record, args), "one layout");

struct text { /* one record in the making */
	struct head record;
	uint64_t args[ARGS_MAX];
	char data[FORMAT_BYTES_MAX + 2 * STRING_BYTES_MAX];
	uint32_t used; /* of data */
};

/* A string of the lane's, cut at `room`, always terminated.  Return: bytes with the 0; 0 = fault. */
static uint32_t string_read(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t va, char *to, uint32_t room,
			    uint32_t lane)
{
	for (uint32_t n = 0; n < room; n++) {
		if (n == room - 1)
			to[n] = 0;
		else if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, va + n, &to[n], 1, lane))
			return 0;
		if (!to[n])
			return n + 1;
	}
	return 0;
}

struct spec { /* what one conversion takes: 4 or 8 bytes, and whether it is a string */
	unsigned stars, bytes;
	bool string, is_signed;
};

/* Behind a '%'.  Return: where the text goes on. */
static const char *spec_read(const char *at, struct spec *spec)
{
	*spec = (struct spec){ .bytes = 4 };
	while (*at && strchr("-+ #0123456789.*", *at))
		spec->stars += *at++ == '*';
	while (*at && strchr("hlzjtLq", *at))
		spec->bytes = *at++ == 'h' ? spec->bytes : 8;
	switch (*at) {
	case 0:
		spec->bytes = 0;
		return at;
	case '%':
		spec->bytes = 0;
		break;
	case 's':
		spec->string = true;
		spec->bytes = 8;
		break;
	case 'p':
	case 'n':
	case 'f':
	case 'F':
	case 'e':
	case 'E':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		spec->bytes = 8;
		break;
	case 'd':
	case 'i':
		spec->is_signed = true;
		break;
	default:
		break;
	}
	return at + 1;
}

/* The next argument of `bytes`, extended to 8.  False: fault. */
static bool arg_read(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t *va, unsigned bytes, bool is_signed,
		     uint32_t lane, uint64_t *out)
{
	uint64_t v = 0;

	*va = (*va + bytes - 1) & ~(uint64_t)(bytes - 1);
	if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, *va, &v, bytes, lane))
		return false;
	*va += bytes;
	*out = bytes == 4 && is_signed ? (uint64_t)(int64_t)(int32_t)v : v;
	return true;
}

/* Offsets of strings count from the end of args until the record's head is known. */
static bool args_read(struct pl_sm_warp *w, const struct pl_sm_op *op, struct text *t, uint64_t va, uint32_t lane,
		      uint32_t *strings)
{
	const char *at = t->data;

	while (*at && t->record.arg_count < ARGS_MAX) {
		struct spec spec;

		if (*at++ != '%')
			continue;
		at = spec_read(at, &spec);
		for (; spec.stars && t->record.arg_count < ARGS_MAX; spec.stars--)
			if (!arg_read(w, op, &va, 4, true, lane, &t->args[t->record.arg_count++]))
				return false;
		if (!spec.bytes || t->record.arg_count == ARGS_MAX)
			continue;
		if (!arg_read(w, op, &va, spec.bytes, spec.is_signed, lane, &t->args[t->record.arg_count]))
			return false;
		if (spec.string) {
			uint32_t room = (uint32_t)sizeof(t->data) - t->used, n;

			room = room < STRING_BYTES_MAX ? room : STRING_BYTES_MAX;
			n = string_read(w, op, t->args[t->record.arg_count], t->data + t->used, room, lane);
			if (!n)
				return false;
			t->args[t->record.arg_count] = t->used;
			t->used += n;
			*strings |= 1u << t->record.arg_count;
		}
		t->record.arg_count++;
	}
	return true;
}

/* Takes `bytes` of the buffer: the record's address, or 0 where it is full. */
static bool room_take(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t bytes, uint32_t lane, uint64_t *va_out)
{
	uint64_t va = w->sm->grid->desc.printf_va;
	uint32_t size, used, *at, *dropped;

	*va_out = 0;
	if (!va)
		return true;
	if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, va, &size, 4, lane))
		return false;
	at = pl_sm_mem_at(w, op, PL_ISA_GENERIC, va + offsetof(struct pl_isa_printf, used), 4, PL_RG_ATOMIC, lane);
	dropped = pl_sm_mem_at(w, op, PL_ISA_GENERIC, va + offsetof(struct pl_isa_printf, dropped), 4, PL_RG_ATOMIC,
			       lane);
	if (!at || !dropped)
		return false;
	used = __atomic_load_n(at, __ATOMIC_RELAXED);
	do {
		if ((uint64_t)used + bytes + sizeof(struct pl_isa_printf) > size) {
			__atomic_fetch_add(dropped, 1, __ATOMIC_RELAXED);
			return true;
		}
	} while (!__atomic_compare_exchange_n(at, &used, used + bytes, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	*va_out = va + sizeof(struct pl_isa_printf) + used;
	return true;
}

static bool vprintf_lane(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t format, uint64_t args, uint32_t lane,
			 uint32_t *result)
{
	struct text t = { .record = { .kernel_id = w->sm->grid->desc.kernel_id } };
	uint32_t strings = 0, head;
	uint64_t va;

	t.used = string_read(w, op, format, t.data, FORMAT_BYTES_MAX, lane);
	if (!t.used || !args_read(w, op, &t, args, lane, &strings))
		return false;
	head = (uint32_t)sizeof(t.record) + t.record.arg_count * 8;
	for (uint32_t k = 0; k < t.record.arg_count; k++)
		t.args[k] += strings >> k & 1 ? head : 0;
	t.record.format_offset = head;
	t.record.bytes = (head + t.used + 7) & ~7u;
	for (int k = 0; k < 3; k++) {
		t.record.block[k] = w->block->index[k];
		t.record.thread[k] = w->tid[k][lane];
	}
	if (!room_take(w, op, t.record.bytes, lane, &va))
		return false;
	*result = va ? t.record.arg_count : 0xffffffffu;
	return !va ||
	       (pl_sm_mem_write(w, op, PL_ISA_GENERIC, va, &t.record, sizeof(t.record), lane) &&
		pl_sm_mem_write(w, op, PL_ISA_GENERIC, va + sizeof(t.record), t.args, t.record.arg_count * 8, lane) &&
		pl_sm_mem_write(w, op, PL_ISA_GENERIC, va + head, t.data, t.used, lane));
}

/* -- heap: blocks of powers of two, a free list for each; head and lists lie in the heap itself -- */

#define HEAP_CLASSES   48u
#define HEAP_CLASS_MIN 5u /* 32 bytes, 16 of them the head */
struct heap {
	uint64_t used;               /* from the heap's begin; 0: never touched */
	uint64_t free[HEAP_CLASSES]; /* addresses of blocks */
};
struct heap_block {
	uint64_t mark, next;
};
#define HEAP_MARK 0x70616568u /* with the class above */

static bool heap_malloc(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t bytes, uint32_t lane,
			uint64_t *va_out)
{
	const struct pl_isa_launch *desc = &w->sm->grid->desc;
	struct heap_block block;
	struct heap heap;
	uint32_t class = HEAP_CLASS_MIN;
	uint64_t va;

	*va_out = 0;
	if (!desc->heap_va || !bytes || bytes > desc->heap_bytes || desc->heap_bytes < sizeof(heap) + 64)
		return true;
	while ((1ull << class) < bytes + sizeof(block))
		class ++;
	if (class >= HEAP_CLASSES)
		return true;
	if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, desc->heap_va, &heap, sizeof(heap), lane))
		return false;
	if (!heap.used)
		heap.used = (sizeof(heap) + 63) & ~63ull;
	if (heap.free[class]) {
		va = heap.free[class];
		if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, va, &block, sizeof(block), lane))
			return false;
		heap.free[class] = block.next;
	} else {
		if (heap.used > desc->heap_bytes || desc->heap_bytes - heap.used < 1ull << class)
			return true;
		va = desc->heap_va + heap.used;
		heap.used += 1ull << class;
	}
	block = (struct heap_block){ (uint64_t) class << 32 | HEAP_MARK, 0 };
	*va_out = va + sizeof(block);
	return pl_sm_mem_write(w, op, PL_ISA_GENERIC, desc->heap_va, &heap, sizeof(heap), lane) &&
	       pl_sm_mem_write(w, op, PL_ISA_GENERIC, va, &block, sizeof(block), lane);
}

static bool heap_free(struct pl_sm_warp *w, const struct pl_sm_op *op, uint64_t va, uint32_t lane)
{
	const struct pl_isa_launch *desc = &w->sm->grid->desc;
	struct heap_block block;
	uint64_t list;
	uint32_t class;

	if (!va)
		return true;
	va -= sizeof(block);
	if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, va, &block, sizeof(block), lane))
		return false;
	class = (uint32_t)(block.mark >> 32);
	if (va - desc->heap_va >= desc->heap_bytes || (uint32_t)block.mark != HEAP_MARK || class >= HEAP_CLASSES) {
		pl_sm_fault(w, op, PL_RG_FAULT_TRAP, PL_RG_WRITE, va + sizeof(block), lane);
		return false;
	}
	list = desc->heap_va + offsetof(struct heap, free) + class * 8ull;
	block.mark = 0; /* a second free is found */
	if (!pl_sm_mem_read(w, op, PL_ISA_GENERIC, list, &block.next, 8, lane))
		return false;
	return pl_sm_mem_write(w, op, PL_ISA_GENERIC, va, &block, sizeof(block), lane) &&
	       pl_sm_mem_write(w, op, PL_ISA_GENERIC, list, &va, 8, lane);
}

static void heap_lock(struct pl_sm_grid *grid)
{
	uint32_t free = 0;

	while (!atomic_compare_exchange_weak_explicit(&grid->heap_lock, &free, 1, memory_order_acquire,
						      memory_order_relaxed))
		free = 0;
}

static bool assertfail(struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t lane)
{
	uint64_t va = w->sm->grid->desc.assert_va, from[3];
	uint32_t line = ((const uint32_t *)(const void *)(R + (op->x >> 8 & 2047) * PL_SM_SLOT_BYTES))[lane], none = 0,
		 *raised;
	struct pl_isa_assert report = { .raised = 1, .line = line };
	char *to[3] = { report.message, report.file, report.function };

	from[0] = PL_SM_REG(const uint64_t, a)[lane];
	from[1] = PL_SM_REG(const uint64_t, b)[lane];
	from[2] = PL_SM_REG(const uint64_t, c)[lane];
	if (va) {
		raised = pl_sm_mem_at(w, op, PL_ISA_GENERIC, va, 4, PL_RG_ATOMIC, lane);
		if (!raised)
			return false;
		if (__atomic_compare_exchange_n(raised, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
			for (int k = 0; k < 3; k++) {
				if (from[k] && !string_read(w, op, from[k], to[k], sizeof(report.message), lane))
					return false;
				report.block[k] = w->block->index[k];
				report.thread[k] = w->tid[k][lane];
			}
			if (!pl_sm_mem_write(w, op, PL_ISA_GENERIC, va, &report, sizeof(report), lane))
				return false;
		}
	}
	pl_sm_fault(w, op, PL_RG_FAULT_ASSERT, PL_RG_EXEC, line, lane);
	return false;
}

static bool call_lane(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t i)
{
	bool good;

	switch (op->x & 255) {
	case PL_ISA_SYS_VPRINTF:
		return vprintf_lane(w, op, PL_SM_REG(const uint64_t, a)[i], PL_SM_REG(const uint64_t, b)[i], i,
				    &PL_SM_REG(uint32_t, d)[i]);
	case PL_ISA_SYS_MALLOC:
		heap_lock(w->sm->grid);
		good = heap_malloc(w, op, PL_SM_REG(const uint64_t, a)[i], i, &PL_SM_REG(uint64_t, d)[i]);
		atomic_store_explicit(&w->sm->grid->heap_lock, 0, memory_order_release);
		return good;
	case PL_ISA_SYS_FREE:
		heap_lock(w->sm->grid);
		good = heap_free(w, op, PL_SM_REG(const uint64_t, a)[i], i);
		atomic_store_explicit(&w->sm->grid->heap_lock, 0, memory_order_release);
		return good;
	default:
		return assertfail(w, op, R, i);
	}
}

static void sys_h(PL_SM_ARGS)
{
	for (uint32_t left = mask; left; left &= left - 1)
		if (!call_lane(w, op, R, (uint32_t)__builtin_ctz(left)))
			return;
	PL_SM_NEXT;
}

bool pl_sm_bind_sys(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	if (f->op != PL_ISA_SYS)
		return pl_sm_bind_async(f, op);
	op->x = f->imm;
	op->fn[0] = op->fn[1] = sys_h;
	return true;
}
