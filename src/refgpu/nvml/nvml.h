/*
 * NVML for the reference GPU: the library's state, its one device, and what processes use of it.  What the device does
 * not have is left out: nvml-absent.c answers.
 */
#ifndef PL_REFGPU_NVML_NVML_H
#define PL_REFGPU_NVML_NVML_H

#include <stdbool.h>
#include <stdint.h>

#include "nvml-api.h"
#include "refgpu/driver/usage.h"

#define PL_RN_PROCESSES_MAX 1024 /* limit: processes that are told of */

/* nvmlInit() was called more often than nvmlShutdown(). */
bool pl_rn_started(void);
nvmlReturn_t pl_rn_enter(void);
/* As above, and it is our device; NULL where an answer must go is an invalid argument as well. */
nvmlReturn_t pl_rn_enter_device(nvmlDevice_t device, const void *answer);
nvmlDevice_t pl_rn_device(void);

uint64_t pl_rn_vram_bytes(void);
uint32_t pl_rn_sm_count(void);

/* A string into the caller's buffer. */
nvmlReturn_t pl_rn_text_give(char *to, unsigned int room, const char *text);

struct pl_rn_process {
	uint32_t pid;
	uint64_t used_bytes, busy_ns;
};

/* Those that hold a reference GPU open and let us look; at most PL_RN_PROCESSES_MAX.  Return: how many. */
uint32_t pl_rn_processes(struct pl_rn_process *processes_out, uint32_t room);
/* Sums over them. */
void pl_rn_usage(uint64_t *used_bytes_out, uint64_t *busy_ns_out);

/* The load is measured from here. */
void pl_rn_load_begin(void);

#endif
