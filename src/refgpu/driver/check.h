/*
 * Check mode: PLENUM_REFGPU_CHECK names what kernels and programs are watched for (memcheck, racecheck, synccheck,
 * initcheck, globalinit, leakcheck; or all, which leaves out globalinit).  What is found is told on stderr when the
 * host next waits for the device, and, where PLENUM_REFGPU_CHECK_LOG names a file, appended to it as one JSON object a
 * line; with `quiet` in the list the file alone.
 *
 * Any thread.  Where the mode is off each function is a test of one flag.
 */
#ifndef PL_REFGPU_DRIVER_CHECK_H
#define PL_REFGPU_DRIVER_CHECK_H

#include "refgpu/driver/mem.h"

struct pl_isa_check_record;

enum { /* what is wanted, beside the engine's PL_ISA_CHECK_* */
       PL_CU_CHECK_LEAKS = 1 << 16,
       PL_CU_CHECK_API = 1 << 17, /* memory that is freed but is not there, launches that are refused */
};

#define PL_CU_CHECK_FRAMES 6u

struct pl_cu_check_mem {  /* of an allocation, in check mode */
	uint64_t number;  /* in the order of the calls that allocate, from 1 */
	uint8_t *written; /* a bit per byte; NULL: not looked at */
	uint64_t written_bytes;
	void *frames[PL_CU_CHECK_FRAMES]; /* who asked for it */
};

/* Reads the environment; called once, when the device is there.  Return: 0, or -ENOMEM. */
int pl_cu_check_init(struct pl_cu_hw *hw);
bool pl_cu_check_wants(uint32_t what); /* any of them */
uint64_t pl_cu_check_va(void);         /* for launch descriptors; 0: off */

void pl_cu_check_mem_made(struct pl_cu_mem *mem);
void pl_cu_check_mem_gone(struct pl_cu_mem *mem);
/* Addresses that were freed are not handed out again for long, so that who still uses them is found: gives older ones
 * in place of these, or false.  Called by one thread at a time. */
bool pl_cu_check_keeps(uint64_t *va, uint64_t *bytes);
/* A copy or fill writes these bytes, or will. */
void pl_cu_check_written(uint64_t va, uint64_t bytes);

/* check-tell.c: says in the log that somebody is there. */
void pl_cu_check_begin(void);
/* Tells what kernels have left; nothing is locked. */
void pl_cu_check_drain(void);
/* A kernel has died: the report, which fault.c has printed. */
void pl_cu_check_fault(const char *report);
/* A call that failed.  What it was called with. */
__attribute__((format(printf, 2, 3))) void pl_cu_check_call(CUresult result, const char *format, ...);
/* What a context that goes away has not freed; NULL: all, the program ends. */
void pl_cu_check_leaks(const struct pl_cu_ctx *ctx);
/* The first frames that are not the driver's. */
void pl_cu_check_frames(void *frames[PL_CU_CHECK_FRAMES]);

/* Between check.c and check-tell.c: takes the oldest record; counts what the engine had no room for. */
bool pl_cu_check_take(struct pl_isa_check_record *record_out);
uint32_t pl_cu_check_dropped(void);
bool pl_cu_check_quiet(void);

#endif
