/* Sets of events.  The device tells of none: faults are told to the process whose kernel failed, by CUDA. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "nvml.h"

#define MS_PER_S  1000u
#define NS_PER_MS 1000000l

struct nvmlEventSet_st {
	struct nvmlEventSet_st *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nvmlEventSet_st *sets; /* under lock */

static bool set_known(nvmlEventSet_t set)
{
	bool known = false;

	pthread_mutex_lock(&lock);
	for (struct nvmlEventSet_st *one = sets; one && !known; one = one->next)
		known = one == set;
	pthread_mutex_unlock(&lock);
	return known;
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
	struct nvmlEventSet_st *made;

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!set)
		return NVML_ERROR_INVALID_ARGUMENT;
	made = calloc(1, sizeof(*made));
	if (!made)
		return NVML_ERROR_MEMORY;
	pthread_mutex_lock(&lock);
	made->next = sets;
	sets = made;
	pthread_mutex_unlock(&lock);
	*set = made;
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
	struct nvmlEventSet_st **at;

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	pthread_mutex_lock(&lock);
	for (at = &sets; *at && *at != set; at = &(*at)->next)
		;
	if (*at)
		*at = set->next;
	else
		set = NULL;
	pthread_mutex_unlock(&lock);
	free(set);
	return set ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *event_types)
{
	nvmlReturn_t r = pl_rn_enter_device(device, event_types);

	if (!r)
		*event_types = nvmlEventTypeNone;
	return r;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long event_types, nvmlEventSet_t set)
{
	nvmlReturn_t r = pl_rn_enter_device(device, device);

	if (r)
		return r;
	if (!set_known(set))
		return NVML_ERROR_INVALID_ARGUMENT;
	return event_types == nvmlEventTypeNone ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms)
{
	struct timespec left = { .tv_sec = timeoutms / MS_PER_S, .tv_nsec = timeoutms % MS_PER_S * NS_PER_MS };

	if (!pl_rn_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!data || !set_known(set))
		return NVML_ERROR_INVALID_ARGUMENT;
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
	return NVML_ERROR_TIMEOUT;
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms)
{
	return nvmlEventSetWait_v2(set, data, timeoutms);
}
