/*
 * What the NVML backend knows: the library (one a process), and the devices that its one session has been told of.
 */
#ifndef PL_BACKEND_NVML_STATE_H
#define PL_BACKEND_NVML_STATE_H

#include <pthread.h>

#include "nvml-serve.h"

#define PL_NVML_DEVICES_MAX 4096u /* limit: devices, and parts of devices, that a session is told of */

struct pl_nvml_state {
	pthread_mutex_t lock;
	nvmlDevice_t devices[PL_NVML_DEVICES_MAX]; /* under lock; its place + 1 is a device's id */
	uint32_t devices_count;
};

#endif
