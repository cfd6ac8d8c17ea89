/* Rings and push buffers: one ring entry is one submission. */
#include "refgpu/device/rg.h"

struct reader { /* of push-buffer words; `at` is the next, behind front->at */
	const uint32_t *host;
	uint64_t room; /* words that lie there */
};

static enum pl_rg_outcome faulted(struct pl_rg_fault *fault, uint32_t code, uint64_t address)
{
	*fault = (struct pl_rg_fault){ .code = code, .address = address };
	return PL_RG_FAULTED;
}

static bool word_next(struct pl_rg_unit *unit, struct pl_rg_front *front, struct reader *reader, uint32_t *word_out)
{
	if (!reader->room) {
		uint64_t bytes;
		reader->host = pl_mmu_at(&unit->tlb, front->at, PL_RG_READ, &bytes);
		if (!reader->host)
			return false;
		reader->room = bytes / 4;
	}
	*word_out = __atomic_load_n(reader->host, __ATOMIC_RELAXED);
	reader->host++;
	reader->room--;
	front->at += 4;
	front->words--;
	return true;
}

/* Takes the next ring entry.  DONE: there is one now. */
static enum pl_rg_outcome entry_begin(struct pl_rg_unit *unit, struct pl_rg_channel *channel, struct pl_rg_fault *fault)
{
	const struct pl_rg_instance *in = &channel->instance;
	struct pl_rg_front *front = &channel->front;
	uint64_t address = in->ring + (uint64_t)front->get * 8, room, entry;
	const uint64_t *host;
	uint32_t put;

	atomic_exchange(&channel->rung, false); /* before PUT is looked at: a doorbell from here on is another */
	put = pl_rg_load32(in->user + PL_RG_USER_RING_PUT);
	if (put == front->get)
		return PL_RG_IDLE;
	if (put >> in->order)
		return faulted(fault, PL_RG_FAULT_BAD_RING, put);
	host = pl_mmu_at(&unit->tlb, address, PL_RG_READ, &room);
	if (!host) {
		*fault = unit->tlb.fault;
		return PL_RG_FAULTED;
	}
	entry = __atomic_load_n(host, __ATOMIC_RELAXED);
	if (entry & (3ull | 1ull << 40))
		return faulted(fault, PL_RG_FAULT_BAD_RING, address);
	front->at = (entry & 0xfffffffffcull) | in->push_high;
	front->words = (uint32_t)(entry >> 42 & PL_RG_ENTRY_WORDS_MAX);
	front->count = 0;
	front->in_entry = true;
	return PL_RG_DONE;
}

static void entry_end(struct pl_rg_unit *unit, struct pl_rg_channel *channel)
{
	static const enum pl_rg_counter counters[] = { PL_RG_C_submissions_compute, PL_RG_C_submissions_copy1,
						       PL_RG_C_submissions_copy2 };
	const struct pl_rg_instance *in = &channel->instance;
	struct pl_rg_front *front = &channel->front;

	front->in_entry = false;
	front->get = (front->get + 1) & ((1u << in->order) - 1);
	__atomic_store_n((uint32_t *)(void *)(in->user + PL_RG_USER_RING_GET), front->get, __ATOMIC_RELEASE);
	pl_rg_count(unit->rg, counters[unit->index], 1);
	pl_rg_clock_add(unit->rg, (uint64_t)unit->rg->config.virtual_submission_ns * 1000);
	if (pl_rg_load32(in->user + PL_RG_USER_RING_PUT) != front->get)
		atomic_store(&channel->rung, true);
}

static enum pl_rg_outcome header_take(struct pl_rg_front *front, uint32_t word, struct pl_rg_fault *fault)
{
	uint64_t address = front->at - 4;

	front->mode = word >> 29;
	front->count = word >> 16 & PL_RG_COUNT_MAX;
	front->method = (word & 0x1fff) << 2;
	if (front->mode != PL_RG_INCREASING && front->mode != PL_RG_SAME && front->mode != PL_RG_INLINE &&
	    front->mode != PL_RG_ONCE && word) /* a word of zeros is no method */
		return faulted(fault, PL_RG_FAULT_BAD_HEADER, address);
	if (front->mode != PL_RG_INLINE && front->count > front->words)
		return faulted(fault, PL_RG_FAULT_BAD_HEADER, address);
	return PL_RG_DONE;
}

static enum pl_rg_outcome data_take(struct pl_rg_unit *unit, struct pl_rg_channel *channel, uint32_t data,
				    struct pl_rg_fault *fault)
{
	struct pl_rg_front *front = &channel->front;
	uint32_t method = front->method;
	enum pl_rg_outcome outcome;

	front->count--;
	if (front->mode == PL_RG_INCREASING || front->mode == PL_RG_ONCE)
		front->method += 4;
	if (front->mode == PL_RG_ONCE)
		front->mode = PL_RG_SAME;
	outcome = pl_rg_method_run(unit, channel, method, data, fault);
	if (outcome == PL_RG_FAULTED && !fault->pc && fault->code < PL_RG_FAULT_BAD_LAUNCH)
		fault->pc = (uint64_t)method << 32 | data;
	return outcome;
}

/* One word of the entry, and the method that it completes. */
static enum pl_rg_outcome word_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel, struct reader *reader,
				   struct pl_rg_fault *fault)
{
	struct pl_rg_front *front = &channel->front;
	enum pl_rg_outcome outcome;
	uint32_t word;

	if (!word_next(unit, front, reader, &word)) {
		*fault = unit->tlb.fault;
		return PL_RG_FAULTED;
	}
	if (front->count)
		return data_take(unit, channel, word, fault);
	outcome = header_take(front, word, fault);
	if (outcome != PL_RG_DONE || front->mode != PL_RG_INLINE)
		return outcome;
	word = front->count;
	front->count = 1;
	return data_take(unit, channel, word, fault);
}

enum pl_rg_outcome pl_rg_front_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel,
				   struct pl_rg_fault *fault_out)
{
	struct pl_rg_front *front = &channel->front;
	struct reader reader = { 0 };
	enum pl_rg_outcome outcome = PL_RG_DONE;

	if (front->acquiring)
		outcome = pl_rg_acquire_look(unit, channel, fault_out);
	else if (!front->in_entry)
		outcome = entry_begin(unit, channel, fault_out);
	while (outcome == PL_RG_DONE && front->words) {
		uint32_t stop = atomic_load_explicit(&unit->stop, memory_order_relaxed);
		if (stop)
			return faulted(fault_out, stop, front->at);
		if (pl_mmu_tlb_sync(&unit->tlb) || pl_mmu_tlb_sync(&unit->data_tlb))
			reader.room = 0;
		outcome = word_run(unit, channel, &reader, fault_out);
	}
	if (outcome == PL_RG_DONE)
		entry_end(unit, channel);
	return outcome;
}
