/* What a kernel has done wrong, told on stderr, and the error that its context has from then on. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "driver.h"
#include "mem.h"
#include "module.h"

#define REPORT_BYTES 2048

static CUresult result_of(uint32_t code)
{
	switch (code) {
	case PL_RG_FAULT_BAD_CODE:
		return CUDA_ERROR_ILLEGAL_INSTRUCTION;
	case PL_RG_FAULT_MISALIGNED:
		return CUDA_ERROR_MISALIGNED_ADDRESS;
	case PL_RG_FAULT_STACK:
		return CUDA_ERROR_HARDWARE_STACK_ERROR;
	case PL_RG_FAULT_ASSERT:
		return CUDA_ERROR_ASSERT;
	case PL_RG_FAULT_WATCHDOG:
		return CUDA_ERROR_LAUNCH_TIMEOUT;
	case PL_RG_FAULT_TRAP:
	case PL_RG_FAULT_DEADLOCK:
	case PL_RG_FAULT_BAD_TEXTURE:
	case PL_RG_FAULT_BAD_LAUNCH:
	case PL_RG_FAULT_BAD_INSTANCE:
	case PL_RG_FAULT_BAD_RING:
	case PL_RG_FAULT_BAD_HEADER:
	case PL_RG_FAULT_BAD_METHOD:
	case PL_RG_FAULT_BAD_ARGUMENT:
		return CUDA_ERROR_LAUNCH_FAILED;
	default:
		return CUDA_ERROR_ILLEGAL_ADDRESS;
	}
}

static bool has_address(uint32_t code)
{
	return code <= PL_RG_FAULT_BUS_REFUSED || code == PL_RG_FAULT_MISALIGNED || code == PL_RG_FAULT_SHARED_RANGE ||
	       code == PL_RG_FAULT_LOCAL_RANGE || code == PL_RG_FAULT_OUT_OF_BOUNDS;
}

struct report {
	char text[REPORT_BYTES];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct report *report, const char *format, ...)
{
	va_list args;
	int n;
	va_start(args, format);
	n = vsnprintf(report->text + report->len, sizeof(report->text) - report->len, format, args);
	va_end(args);
	if (n > 0)
		report->len += (size_t)n;
	if (report->len >= sizeof(report->text))
		report->len = sizeof(report->text) - 1;
}

static void add_place(struct report *report, const struct pl_rg_fault *fault)
{
	const struct pl_ptx_image *ptx = NULL;
	const struct pl_ptx_line *line = NULL;
	uint64_t offset = 0;
	const struct pl_ptx_func *func = fault->pc ? pl_cu_code_find(fault->pc, &ptx, &offset) : NULL;
	if (!func)
		return;
	add(report, "\n  in %s, block (%u,%u,%u), thread (%u,%u,%u)", func->name, fault->block[0], fault->block[1],
	    fault->block[2], fault->thread[0], fault->thread[1], fault->thread[2]);
	line = pl_ptx_image_line(ptx, offset);
	if (line && line->file < ptx->files_n)
		add(report, "\n  at %s:%u", ptx->files[line->file], line->line);
	if (line)
		add(report, "%s PTX line %u", line->file < ptx->files_n ? "," : "\n  at", line->ptx_line);
}

static void add_near(struct report *report, uint64_t address)
{
	struct pl_cu_mem mem;
	uint64_t end;
	if (!pl_cu_mem_near(address, &mem))
		return;
	end = mem.va + mem.bytes;
	if (address >= end)
		add(report, "\n  %llu bytes behind", (unsigned long long)(address - end));
	else if (address < mem.va)
		add(report, "\n  %llu bytes before", (unsigned long long)(mem.va - address));
	else
		add(report, "\n  in");
	add(report, " %llu bytes of %s%s%s at 0x%llx", (unsigned long long)mem.bytes, pl_cu_mem_kind_name(&mem),
	    mem.what ? " " : "", mem.what ? mem.what : "", (unsigned long long)mem.va);
}

static void report_assert(const struct pl_cu_ctx *ctx)
{
	struct pl_isa_assert *record = ctx->assert_record;
	if (!record->raised)
		return;
	record->message[sizeof(record->message) - 1] = 0;
	record->file[sizeof(record->file) - 1] = 0;
	record->function[sizeof(record->function) - 1] = 0;
	fprintf(stderr, "%s:%u: %s: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` failed.\n", record->file,
		record->line, record->function, record->block[0], record->block[1], record->block[2], record->thread[0],
		record->thread[1], record->thread[2], record->message);
}

void pl_cu_fault_report(void *unused, const struct pl_cu_fault_record *record, struct pl_cu_ctx *ctx)
{
	const struct pl_rg_fault *fault = &record->fault;
	struct report report = { .len = 0 };
	(void)unused;
	if (fault->code == PL_RG_FAULT_ASSERT) {
		report_assert(ctx);
	} else {
		add(&report, "plenum refgpu: %s", pl_rg_fault_name(fault->code));
		if (has_address(fault->code))
			add(&report, ": %s at 0x%llx", pl_rg_access_name(fault->access),
			    (unsigned long long)fault->address);
		add_place(&report, fault);
		if (has_address(fault->code) && fault->code != PL_RG_FAULT_SHARED_RANGE &&
		    fault->code != PL_RG_FAULT_LOCAL_RANGE)
			add_near(&report, fault->address);
		fprintf(stderr, "%s\n", report.text);
		pl_cu_check_fault(report.text);
	}
	pl_cu_ctx_fail(ctx, result_of(fault->code));
}
