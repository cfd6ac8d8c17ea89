/* What push buffers ask for, but copies and fills. */
#include <sched.h>
#include <string.h>

#include "refgpu/device/rg.h"

static enum pl_rg_outcome refused(struct pl_rg_fault *fault, uint32_t code, uint64_t address)
{
	*fault = (struct pl_rg_fault){ .code = code, .address = address };
	return PL_RG_FAULTED;
}

/* -- semaphores --------------------------------------------------------------------------------------------------- */

static uint64_t sem_address(const struct pl_rg_front *front)
{
	return front->sem[0] | (uint64_t)front->sem[1] << 32;
}

static void *sem_at(struct pl_rg_unit *unit, const struct pl_rg_front *front, enum pl_rg_access access,
		    struct pl_rg_fault *fault)
{
	uint64_t room;
	void *host = pl_mmu_at(&unit->tlb, sem_address(front), access, &room);

	if (!host)
		*fault = unit->tlb.fault;
	return host;
}

static bool sem_holds(uint32_t operation, uint64_t memory, uint64_t payload)
{
	bool wide = operation & PL_RG_SEM_64;

	switch (operation & 0xff) {
	case PL_RG_SEM_ACQUIRE:
		return memory == payload;
	case PL_RG_SEM_ACQUIRE_GEQ:
		return wide ? (int64_t)(memory - payload) >= 0 : (int32_t)(uint32_t)(memory - payload) >= 0;
	case PL_RG_SEM_ACQUIRE_AND:
		return memory & payload;
	default: /* PL_RG_SEM_ACQUIRE_NOR */
		return (~(memory | payload) & (wide ? UINT64_MAX : UINT32_MAX)) != 0;
	}
}

enum pl_rg_outcome pl_rg_acquire_look(struct pl_rg_unit *unit, struct pl_rg_channel *channel, struct pl_rg_fault *fault)
{
	struct pl_rg_front *front = &channel->front;
	uint64_t payload = front->sem[2], memory;
	const void *host = sem_at(unit, front, PL_RG_READ, fault);

	if (!host)
		return PL_RG_FAULTED;
	pl_rg_count(unit->rg, PL_RG_C_acquire_looks, 1);
	if (front->execute & PL_RG_SEM_64) {
		memory = __atomic_load_n((const uint64_t *)host, __ATOMIC_ACQUIRE);
		payload |= (uint64_t)front->sem[3] << 32;
	} else {
		memory = pl_rg_load32(host);
	}
	front->acquiring = !sem_holds(front->execute, memory, payload);
	return front->acquiring ? PL_RG_WAITS : PL_RG_DONE;
}

static enum pl_rg_outcome sem_release(struct pl_rg_unit *unit, struct pl_rg_front *front, struct pl_rg_fault *fault)
{
	uint8_t *host = sem_at(unit, front, PL_RG_WRITE, fault);
	uint64_t now;

	if (!host)
		return PL_RG_FAULTED;
	if (front->execute & PL_RG_SEM_TIME) {
		now = pl_rg_now(unit->rg);
		__atomic_store_n((uint64_t *)(void *)(host + 8), now, __ATOMIC_RELAXED);
	}
	if (front->execute & PL_RG_SEM_64)
		__atomic_store_n((uint64_t *)(void *)host, front->sem[2] | (uint64_t)front->sem[3] << 32,
				 __ATOMIC_RELEASE);
	else
		__atomic_store_n((uint32_t *)(void *)host, front->sem[2], __ATOMIC_RELEASE);
	pl_rg_count(unit->rg, PL_RG_C_releases, 1);
	pl_rg_released(unit->rg);
	return PL_RG_DONE;
}

static enum pl_rg_outcome sem_execute(struct pl_rg_unit *unit, struct pl_rg_channel *channel, uint32_t data,
				      struct pl_rg_fault *fault)
{
	struct pl_rg_front *front = &channel->front;
	uint32_t operation = data & 0xff, align = data & PL_RG_SEM_TIME ? 16 : data & PL_RG_SEM_64 ? 8 : 4;
	enum pl_rg_outcome outcome;

	if (operation > PL_RG_SEM_ACQUIRE_NOR || data & ~(0xffu | PL_RG_SEM_64 | PL_RG_SEM_TIME) ||
	    (data & PL_RG_SEM_TIME && operation != PL_RG_SEM_RELEASE) || sem_address(front) % align)
		return refused(fault, PL_RG_FAULT_BAD_ARGUMENT, sem_address(front));
	front->execute = data;
	if (operation == PL_RG_SEM_RELEASE)
		return sem_release(unit, front, fault);
	pl_rg_count(unit->rg, PL_RG_C_acquires, 1);
	outcome = pl_rg_acquire_look(unit, channel, fault);
	if (outcome == PL_RG_WAITS)
		pl_rg_count(unit->rg, PL_RG_C_acquire_waits, 1);
	return outcome;
}

/* -- launch ------------------------------------------------------------------------------------------------------- */

static uint64_t host_now(void *arg)
{
	return pl_rg_now(arg);
}

static void launch_count(struct pl_rg *rg, const struct pl_rg_launch_result *result)
{
	pl_rg_count(rg, PL_RG_C_launches, 1);
	pl_rg_count(rg, PL_RG_C_blocks, result->blocks);
	pl_rg_count(rg, PL_RG_C_warps, result->warps);
	pl_rg_count(rg, PL_RG_C_instructions, result->instructions);
	pl_rg_count(rg, PL_RG_C_launch_bytes_read, result->bytes_read);
	pl_rg_count(rg, PL_RG_C_launch_bytes_written, result->bytes_written);
	pl_rg_clock_add(rg, result->instructions * rg->config.virtual_instruction_ps);
}

static enum pl_rg_outcome launch(struct pl_rg_unit *unit, struct pl_rg_channel *channel, struct pl_rg_fault *fault)
{
	struct pl_rg *rg = unit->rg;
	struct pl_rg_launch_result result = { .fault.code = PL_RG_FAULT_NONE };
	struct pl_rg_launch job = { .space = channel->space,
				    .channel = channel->id,
				    .stop = &unit->stop,
				    .begin_ns = pl_rg_now(rg),
				    .now = host_now,
				    .now_arg = rg };
	uint64_t limit_ns = atomic_load_explicit(&rg->watchdog.limit_ns, memory_order_relaxed);

	job.descriptor = channel->front.launch[1] | (uint64_t)channel->front.launch[0] << 32;
	if (pl_rg_virtual(rg)) {
		job.instruction_ps = rg->config.virtual_instruction_ps;
		job.instructions_max = limit_ns < UINT64_MAX / 1000 ? limit_ns * 1000 / job.instruction_ps : 0;
		if (limit_ns && !job.instructions_max)
			job.instructions_max = 1;
	}
	pl_rg_watchdog_begin(unit, job.begin_ns);
	pl_mmu_tlb_leave(&unit->tlb);
	pl_mmu_tlb_leave(&unit->data_tlb);
	rg->config.compute->launch(rg->compute, &job, &result);
	pl_mmu_tlb_enter(&unit->tlb, channel->space);
	pl_mmu_tlb_enter(&unit->data_tlb, channel->space);
	launch_count(rg, &result);
	if (result.fault.code == PL_RG_FAULT_NONE) {
		pl_rg_watchdog_begin(unit, 0);
		return PL_RG_DONE;
	}
	*fault = result.fault;
	if (fault->code == PL_RG_FAULT_KILLED && atomic_load(&unit->stop))
		fault->code = atomic_load(&unit->stop);
	return PL_RG_FAULTED;
}

/* -- the rest ----------------------------------------------------------------------------------------------------- */

static enum pl_rg_outcome tlb_flush(struct pl_rg_unit *unit, const struct pl_rg_channel *channel, uint32_t data,
				    struct pl_rg_fault *fault)
{
	struct pl_rg *rg = unit->rg;

	if (data == PL_RG_TLB_ONE)
		pl_mmu_flush(rg->mmu, channel->instance.root.address);
	else if (data == PL_RG_TLB_ALL)
		pl_mmu_flush_all(rg->mmu);
	else
		return refused(fault, PL_RG_FAULT_BAD_ARGUMENT, 0);
	pl_rg_count(rg, PL_RG_C_flush_requests, 1);
	for (;;) {
		uint32_t stop = atomic_load(&unit->stop);
		pl_mmu_tlb_sync(&unit->tlb); /* two engines that wait for each other both go on */
		pl_mmu_tlb_sync(&unit->data_tlb);
		if (pl_mmu_flush_done(rg->mmu))
			return PL_RG_DONE;
		if (stop)
			return refused(fault, stop, 0);
		sched_yield();
	}
}

static bool method_latch(struct pl_rg_front *front, uint32_t method, uint32_t data)
{
	if (method >= PL_RG_M_SEM_LOW && method <= PL_RG_M_SEM_PAYLOAD_HIGH)
		front->sem[(method - PL_RG_M_SEM_LOW) / 4] = data;
	else if (method >= PL_RG_M_SRC_HIGH && method <= PL_RG_M_PATTERN)
		front->copy[(method - PL_RG_M_SRC_HIGH) / 4] = data;
	else if (method == PL_RG_M_LAUNCH_HIGH || method == PL_RG_M_LAUNCH_LOW)
		front->launch[(method - PL_RG_M_LAUNCH_HIGH) / 4] = data;
	else
		return false;
	return true;
}

enum pl_rg_outcome pl_rg_method_run(struct pl_rg_unit *unit, struct pl_rg_channel *channel, uint32_t method,
				    uint32_t data, struct pl_rg_fault *fault)
{
	uint64_t address = channel->front.at - 4;

	pl_rg_count(unit->rg, PL_RG_C_methods, 1);
	if (method_latch(&channel->front, method, data))
		return PL_RG_DONE;
	switch (method) {
	case PL_RG_M_NOP:
	case PL_RG_M_WAIT_IDLE:
		return PL_RG_DONE;
	case PL_RG_M_REFERENCE:
		__atomic_store_n((uint32_t *)(void *)(channel->instance.user + PL_RG_USER_REFERENCE), data,
				 __ATOMIC_RELEASE);
		return PL_RG_DONE;
	case PL_RG_M_SEM_EXECUTE:
		return sem_execute(unit, channel, data, fault);
	case PL_RG_M_INTERRUPT:
		pl_rg_intr_raise(unit->rg, unit->index);
		return PL_RG_DONE;
	case PL_RG_M_MEMBAR:
		pl_barrier();
		return PL_RG_DONE;
	case PL_RG_M_TLB_FLUSH:
		return tlb_flush(unit, channel, data, fault);
	case PL_RG_M_EXECUTE:
		return pl_rg_copy_run(unit, channel, data, fault);
	case PL_RG_M_LAUNCH:
		if (unit->index == PL_RG_COMPUTE && unit->rg->compute)
			return launch(unit, channel, fault);
		break;
	default:
		break;
	}
	return refused(fault, PL_RG_FAULT_BAD_METHOD, address);
}
