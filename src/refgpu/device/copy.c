/* Copies and fills, at the speed of the host's memory: a line is taken in pieces that are contiguous on both sides. */
#include <string.h>

#include "refgpu/device/rg.h"

/* A piece ends here, so that a flush or a kill is seen in time. */
#define PIECE_BYTES_MAX (1u << 20)
#define LINES_PER_LOOK  256u

enum { SRC_HIGH, SRC_LOW, DST_HIGH, DST_LOW, SRC_PITCH, DST_PITCH, COLUMNS, LINES, PATTERN }; /* front->copy[] */

struct job {
	struct pl_rg_unit *unit;
	struct pl_mmu_tlb *tlb;
	struct pl_rg_fault *fault;
	uint32_t element, pattern; /* fill: bytes of it, and as 32 bits */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Return: go on. */
static bool look(struct job *job, uint64_t address)
{
	uint32_t stop = atomic_load_explicit(&job->unit->stop, memory_order_relaxed);

	pl_mmu_tlb_sync(job->tlb);
	pl_mmu_tlb_sync(&job->unit->tlb);
	if (!stop)
		return true;
	*job->fault = (struct pl_rg_fault){ .code = stop, .address = address };
	return false;
}

/* One word may be a semaphore that a channel looks at meanwhile: written whole, behind all that was copied before. */
static void piece_copy(uint8_t *to, const uint8_t *from, uint64_t bytes)
{
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;

	if (bytes == 4 && both % 4 == 0)
		__atomic_store_n((uint32_t *)(void *)to,
				 __atomic_load_n((const uint32_t *)(const void *)from, __ATOMIC_RELAXED),
				 __ATOMIC_RELEASE);
	else if (bytes == 8 && both % 8 == 0)
		__atomic_store_n((uint64_t *)(void *)to,
				 __atomic_load_n((const uint64_t *)(const void *)from, __ATOMIC_RELAXED),
				 __ATOMIC_RELEASE);
	else
		memmove(to, from, bytes);
}

static bool line_copy(struct job *job, uint64_t dst, uint64_t src, uint64_t bytes)
{
	while (bytes) {
		uint64_t src_room, dst_room, piece;
		const uint8_t *from = pl_mmu_at(job->tlb, src, PL_RG_READ, &src_room);
		uint8_t *to = from ? pl_mmu_at(job->tlb, dst, PL_RG_WRITE, &dst_room) : NULL;

		if (!to) {
			*job->fault = job->tlb->fault;
			return false;
		}
		piece = least(least(bytes, PIECE_BYTES_MAX), least(src_room, dst_room));
		piece_copy(to, from, piece);
		src += piece;
		dst += piece;
		bytes -= piece;
		if (piece == PIECE_BYTES_MAX && !look(job, dst))
			return false;
	}
	return true;
}

/* Host memory of the last byte before `end`, and how much lies before it in one piece with it. */
static uint8_t *before(struct job *job, uint64_t end, enum pl_rg_access access, uint64_t *room_out)
{
	const struct pl_mmu_run *run = pl_mmu_run_at(job->tlb, end - 1, access);

	if (!run) {
		*job->fault = job->tlb->fault;
		return NULL;
	}
	*room_out = end - run->begin;
	return run->host + *room_out;
}

/* From the end: where the destination overlaps the source from above. */
static bool line_copy_down(struct job *job, uint64_t dst, uint64_t src, uint64_t bytes)
{
	while (bytes) {
		uint64_t src_room, dst_room, piece;
		const uint8_t *from = before(job, src + bytes, PL_RG_READ, &src_room);
		uint8_t *to = from ? before(job, dst + bytes, PL_RG_WRITE, &dst_room) : NULL;

		if (!to)
			return false;
		piece = least(least(bytes, PIECE_BYTES_MAX), least(src_room, dst_room));
		memmove(to - piece, from - piece, piece);
		bytes -= piece;
		if (piece == PIECE_BYTES_MAX && !look(job, dst))
			return false;
	}
	return true;
}

static void piece_fill(const struct job *job, uint8_t *to, uint64_t bytes)
{
	uint16_t half = (uint16_t)job->pattern;
	uint32_t word = job->pattern;
	uint64_t i = 0;

	if (job->element == 1) {
		memset(to, (int)(word & 0xff), bytes);
		return;
	}
	if (job->element == 2 && (uintptr_t)to & 2 && bytes) {
		memcpy(to, &half, 2);
		i = 2;
	}
	for (; i + 4 <= bytes; i += 4)
		memcpy(to + i, &word, 4);
	if (i < bytes)
		memcpy(to + i, &half, 2);
}

static bool line_fill(struct job *job, uint64_t dst, uint64_t bytes)
{
	while (bytes) {
		uint64_t room, piece;
		uint8_t *to = pl_mmu_at(job->tlb, dst, PL_RG_WRITE, &room);

		if (!to) {
			*job->fault = job->tlb->fault;
			return false;
		}
		piece = least(least(bytes, PIECE_BYTES_MAX), room);
		piece_fill(job, to, piece);
		dst += piece;
		bytes -= piece;
		if (piece == PIECE_BYTES_MAX && !look(job, dst))
			return false;
	}
	return true;
}

static bool lines_copy(struct job *job, const uint32_t *args)
{
	uint64_t src = args[SRC_LOW] | (uint64_t)args[SRC_HIGH] << 32;
	uint64_t dst = args[DST_LOW] | (uint64_t)args[DST_HIGH] << 32;
	uint64_t columns = args[COLUMNS], lines = args[LINES], src_pitch = args[SRC_PITCH], dst_pitch = args[DST_PITCH];
	bool down = dst > src, good = true;

	if (lines == 1 || (src_pitch == columns && dst_pitch == columns)) {
		columns *= lines;
		lines = 1;
	}
	for (uint64_t i = 0; i < lines && good; i++) {
		uint64_t line = down ? lines - 1 - i : i, to = dst + line * dst_pitch, from = src + line * src_pitch;
		if (to > from && to - from < columns)
			good = line_copy_down(job, to, from, columns);
		else
			good = line_copy(job, to, from, columns);
		if (good && i % LINES_PER_LOOK == LINES_PER_LOOK - 1)
			good = look(job, to);
	}
	return good;
}

static bool lines_fill(struct job *job, const uint32_t *args)
{
	uint64_t dst = args[DST_LOW] | (uint64_t)args[DST_HIGH] << 32;
	uint64_t columns = args[COLUMNS], lines = args[LINES], pitch = args[DST_PITCH];
	bool good = true;

	if (lines == 1 || pitch == columns) {
		columns *= lines;
		lines = 1;
	}
	for (uint64_t i = 0; i < lines && good; i++) {
		good = line_fill(job, dst + i * pitch, columns);
		if (good && i % LINES_PER_LOOK == LINES_PER_LOOK - 1)
			good = look(job, dst);
	}
	return good;
}

static void job_count(const struct job *job, const uint32_t *args)
{
	struct pl_rg *rg = job->unit->rg;
	uint64_t bytes = (uint64_t)args[COLUMNS] * args[LINES];

	pl_rg_count(rg, job->element ? PL_RG_C_fills : PL_RG_C_copies, 1);
	pl_rg_count(rg, job->element ? PL_RG_C_fill_bytes : PL_RG_C_copy_bytes, bytes);
	pl_rg_clock_add(rg, bytes * rg->config.virtual_byte_ps);
}

/* With the virtual clock the watchdog knows beforehand. */
static bool takes_too_long(struct pl_rg *rg, uint64_t bytes)
{
	uint64_t limit_ns = atomic_load_explicit(&rg->watchdog.limit_ns, memory_order_relaxed);

	return pl_rg_virtual(rg) && limit_ns && bytes / 1000 > limit_ns / rg->config.virtual_byte_ps;
}

enum pl_rg_outcome pl_rg_copy_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel, uint32_t what,
				  struct pl_rg_fault *fault)
{
	const uint32_t *args = channel->front.copy;
	struct job job = { .unit = unit, .tlb = &unit->data_tlb, .fault = fault };
	bool good;

	if (what < PL_RG_EXECUTE_COPY || what > PL_RG_EXECUTE_FILL4)
		goto refused;
	if (what != PL_RG_EXECUTE_COPY) {
		job.element = what == PL_RG_EXECUTE_FILL1 ? 1 : what == PL_RG_EXECUTE_FILL2 ? 2 : 4;
		job.pattern = job.element == 2 ? (args[PATTERN] & 0xffff) * 0x10001u : args[PATTERN];
		if ((args[DST_LOW] | args[COLUMNS] | (args[LINES] > 1 ? args[DST_PITCH] : 0)) & (job.element - 1))
			goto refused;
	}
	if (!args[COLUMNS] || !args[LINES])
		return PL_RG_DONE;
	if (takes_too_long(unit->rg, (uint64_t)args[COLUMNS] * args[LINES])) {
		*fault = (struct pl_rg_fault){ .code = PL_RG_FAULT_WATCHDOG, .address = channel->front.at };
		return PL_RG_FAULTED;
	}
	pl_rg_watchdog_begin(unit, pl_rg_now(unit->rg));
	good = what == PL_RG_EXECUTE_COPY ? lines_copy(&job, args) : lines_fill(&job, args);
	if (!good)
		return PL_RG_FAULTED;
	pl_rg_watchdog_begin(unit, 0);
	job_count(&job, args);
	return PL_RG_DONE;
refused:
	*fault = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_ARGUMENT,
				       .address = args[DST_LOW] | (uint64_t)args[DST_HIGH] << 32 };
	return PL_RG_FAULTED;
}
