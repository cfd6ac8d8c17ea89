/*
 * Calls of every function of an NVML, which is found as programs find it: made from the spec (make_calls.py), and what
 * they lean on (calls.c).
 */
#ifndef PL_TEST_NVML_CALLS_H
#define PL_TEST_NVML_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "nvml-api.h"

struct calls_row {
	void (*call)(nvmlDevice_t device, nvmlEventSet_t set, unsigned which);
	unsigned count; /* ways to call it; 0 is the right one */
	bool refused;   /* by Plenum; many of them change a device */
};
extern const struct calls_row calls_rows[];
extern const unsigned calls_count;

extern char calls_none; /* what only looks like a handle */
extern char calls_memory[65536];
extern char calls_uuid[], calls_bus_id[], calls_serial[];

void *calls_find(const char *name);
void calls_say(const char *name, unsigned which, nvmlReturn_t result);
void calls_hex(const void *data, unsigned bytes);

#endif
