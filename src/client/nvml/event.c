/* Sets of events: one of the program's has a part on each server whose devices are in it. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/wait.h"
#include "client/nvml/state.h"

#define SLICE_MS  20u /* a set of several servers asks one after the other, so long each */
#define NS_PER_MS 1000000u
#define MS_PER_S  1000u

struct nvmlEventSet_st {
	struct nvmlEventSet_st *next;
	uint32_t users; /* under lock: threads that wait */
	bool freed;
	nvmlEventSet_t parts[PL_CLIENT_SERVERS_MAX]; /* by server; NULL: none of its devices is in the set */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nvmlEventSet_st *sets; /* under lock */

bool pl_nvml_event_record_pack(const struct pl_session *session, struct pl_nvml_event_record *to,
			       const nvmlEventData_t *from)
{
	*to = (struct pl_nvml_event_record){ .device = pl_nvml_id(session, PL_NVML_KIND_device, from->device) };
	return true;
}

void pl_nvml_event_record_unpack(struct pl_session *session, nvmlEventData_t *to,
				 const struct pl_nvml_event_record *from)
{
	*to = (nvmlEventData_t){ .device = pl_nvml_object_of(session, PL_NVML_KIND_device, from->device),
				 .eventType = from->eventType,
				 .eventData = from->eventData,
				 .gpuInstanceId = from->gpuInstanceId,
				 .computeInstanceId = from->computeInstanceId };
}

/* A set that stays until set_leave(). */
static bool set_enter(nvmlEventSet_t set)
{
	struct nvmlEventSet_st *one;

	pthread_mutex_lock(&lock);
	for (one = sets; one && one != set; one = one->next)
		;
	if (one)
		one->users++;
	pthread_mutex_unlock(&lock);
	return one;
}

static void set_leave(nvmlEventSet_t set)
{
	bool last;

	pthread_mutex_lock(&lock);
	last = !--set->users && set->freed;
	pthread_mutex_unlock(&lock);
	if (last)
		free(set);
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
	struct nvmlEventSet_st *made;

	if (!pl_nvml_started())
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
	const struct pl_nvml_server *server;

	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!set_enter(set))
		return NVML_ERROR_INVALID_ARGUMENT;
	pthread_mutex_lock(&lock);
	for (at = &sets; *at && *at != set; at = &(*at)->next)
		;
	if (*at)
		*at = set->next;
	set->freed = true;
	pthread_mutex_unlock(&lock);
	for (uint32_t i = 0; (server = pl_nvml_server(i)); i++)
		if (set->parts[i] && !pl_nvml_live(server))
			pl_nvml_on_nvmlEventSetFree(server->session, set->parts[i]);
	set_leave(set);
	return NVML_SUCCESS;
}

/* The part on the server of this session, made where there is none yet. */
static nvmlReturn_t part_of(nvmlEventSet_t set, struct pl_session *session, nvmlEventSet_t *part_out)
{
	uint32_t i = 0;
	nvmlReturn_t r = NVML_SUCCESS;

	while (pl_nvml_server(i)->session != session)
		i++;
	pthread_mutex_lock(&lock);
	if (!set->parts[i])
		r = pl_nvml_on_nvmlEventSetCreate(session, &set->parts[i]);
	*part_out = set->parts[i];
	pthread_mutex_unlock(&lock);
	return r;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long event_types, nvmlEventSet_t set)
{
	struct pl_session *session;
	nvmlEventSet_t part;
	nvmlReturn_t r = pl_nvml_enter(PL_NVML_OP_nvmlDeviceRegisterEvents, PL_NVML_KIND_device, device, &session);

	if (r)
		return r;
	if (!pl_nvml_session_of(PL_NVML_KIND_device, device) || !set_enter(set))
		return NVML_ERROR_INVALID_ARGUMENT;
	r = part_of(set, session, &part);
	if (!r)
		r = pl_nvml_on_nvmlDeviceRegisterEvents(session, device, event_types, part);
	set_leave(set);
	return r;
}

typedef nvmlReturn_t wait_fn(struct pl_session *session, nvmlEventSet_t set, nvmlEventData_t *data,
			     unsigned int timeoutms);

static uint32_t parts_count(const struct nvmlEventSet_st *set, uint32_t *last_out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; pl_nvml_server(i); i++)
		if (set->parts[i]) {
			*last_out = i;
			count++;
		}
	return count;
}

static void ms_sleep(unsigned int ms)
{
	struct timespec left = { .tv_sec = ms / MS_PER_S, .tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Every server in turn, until one has something or the time is over. */
static nvmlReturn_t wait_for_any(const struct nvmlEventSet_st *set, wait_fn *wait, nvmlEventData_t *data,
				 unsigned int timeoutms)
{
	uint64_t end_ns = pl_now_ns() + (uint64_t)timeoutms * NS_PER_MS;
	const struct pl_nvml_server *server;

	for (;;) {
		for (uint32_t i = 0; (server = pl_nvml_server(i)); i++) {
			nvmlReturn_t r = set->parts[i] ? pl_nvml_live(server) : NVML_ERROR_TIMEOUT;

			if (!r)
				r = wait(server->session, set->parts[i], data,
					 timeoutms < SLICE_MS ? timeoutms : SLICE_MS);
			if (r != NVML_ERROR_TIMEOUT)
				return r;
		}
		if (pl_now_ns() >= end_ns)
			return NVML_ERROR_TIMEOUT;
	}
}

static nvmlReturn_t set_wait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms, wait_fn *wait)
{
	nvmlReturn_t r = NVML_ERROR_TIMEOUT;
	uint32_t only = 0, count;

	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!data || !set_enter(set))
		return NVML_ERROR_INVALID_ARGUMENT;
	count = parts_count(set, &only);
	if (!count) {
		ms_sleep(timeoutms);
	} else if (count == 1) {
		r = pl_nvml_live(pl_nvml_server(only));
		if (!r)
			r = wait(pl_nvml_server(only)->session, set->parts[only], data, timeoutms);
	} else {
		r = wait_for_any(set, wait, data, timeoutms);
	}
	set_leave(set);
	return r;
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms)
{
	return set_wait(set, data, timeoutms, pl_nvml_on_nvmlEventSetWait);
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms)
{
	return set_wait(set, data, timeoutms, pl_nvml_on_nvmlEventSetWait_v2);
}
