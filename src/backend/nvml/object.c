/* Ids and handles, and the calls that are written by hand. */
#include <stdlib.h>

#include "backend/nvml/state.h"
#include "base/err.h"
#include "nvml-records.h"

static struct pl_nvml_state *state_of(const struct pl_serve *serve)
{
	return serve->session->api;
}

bool pl_nvml_take(struct pl_serve *serve, uint64_t id, enum pl_nvml_object_kind kind, void **object, int32_t *status)
{
	struct pl_nvml_state *state = state_of(serve);
	struct pl_handle handle;
	bool found = false;

	*object = NULL;
	if (!id)
		return true; /* NULL: the library says what it thinks of it */
	if (kind == PL_NVML_KIND_device) {
		pthread_mutex_lock(&state->lock);
		found = id <= state->devices_count && state->devices[id - 1];
		if (found)
			*object = state->devices[id - 1];
		pthread_mutex_unlock(&state->lock);
	} else if (pl_handles_get(&serve->session->handles, id, kind, &handle)) {
		*object = handle.object;
		found = !handle.failed;
	}
	if (!found)
		*status = NVML_ERROR_INVALID_ARGUMENT;
	return found;
}

uint64_t pl_nvml_id_of(struct pl_serve *serve, enum pl_nvml_object_kind kind, void *object)
{
	struct pl_nvml_state *state = state_of(serve);
	uint64_t id = 0;

	if (kind != PL_NVML_KIND_device || !object)
		return 0;
	pthread_mutex_lock(&state->lock);
	for (uint32_t i = 0; i < state->devices_count && !id; i++)
		if (state->devices[i] == object)
			id = i + 1u;
	if (!id && state->devices_count < PL_NVML_DEVICES_MAX) {
		state->devices[state->devices_count++] = object;
		id = state->devices_count;
	}
	pthread_mutex_unlock(&state->lock);
	return id;
}

bool pl_nvml_put(struct pl_serve *serve, uint64_t id, enum pl_nvml_object_kind kind, void *object, int32_t status)
{
	struct pl_session_worker *session = serve->session;

	if (status || !object)
		return !status;
	if (pl_quota_charge(&session->quota, PL_QUOTA_OBJECTS, 1)) {
		if (!pl_handles_put(&session->handles, id, kind, object, 0, NULL))
			return true;
		pl_quota_return(&session->quota, PL_QUOTA_OBJECTS, 1);
	}
	pl_log_warn("session %llu: more objects than it may have", (unsigned long long)session->id);
	if (kind == PL_NVML_KIND_event_set && pl_nvml.nvmlEventSetFree)
		pl_nvml.nvmlEventSetFree(object);
	return false;
}

void pl_nvml_drop(struct pl_serve *serve, uint64_t id, enum pl_nvml_object_kind kind)
{
	struct pl_handle handle;

	if (pl_handles_take(&serve->session->handles, id, kind, &handle))
		pl_quota_return(&serve->session->quota, PL_QUOTA_OBJECTS, 1);
}

void pl_nvml_result(struct pl_serve *serve, int32_t status, uint64_t stream)
{
	(void)stream;
	pl_serve_reply(serve, status);
}

bool pl_nvml_event_record_open(struct pl_serve *serve, nvmlEventData_t *to, const struct pl_nvml_event_record *from,
			       int32_t *status)
{
	*to = (nvmlEventData_t){ 0 };
	return pl_nvml_take(serve, from->device, PL_NVML_KIND_device, (void **)&to->device, status);
}

void pl_nvml_event_record_close(struct pl_serve *serve, struct pl_nvml_event_record *to, const nvmlEventData_t *from)
{
	*to = (struct pl_nvml_event_record){ .device = pl_nvml_id_of(serve, PL_NVML_KIND_device, from->device),
					     .eventType = from->eventType,
					     .eventData = from->eventData,
					     .gpuInstanceId = from->gpuInstanceId,
					     .computeInstanceId = from->computeInstanceId };
}

/* The records of a call, as the library's own, and what it makes of them, as records. */
static int32_t fields_ask(struct pl_serve *serve, const struct pl_nvml_nvmlDeviceGetFieldValues_args *args,
			  uint64_t count, uint64_t *words)
{
	nvmlFieldValue_t values[PL_NVML_LIMIT_FIELDS_MAX];
	struct pl_enc enc = { (uint8_t *)words };
	struct pl_nvml_field_record field;
	int32_t status = NVML_ERROR_FUNCTION_NOT_FOUND;
	void *device;

	for (uint64_t i = 0; i < count; i++) {
		if (!pl_nvml_field_record_at(args->values, i, &field))
			return NVML_ERROR_INVALID_ARGUMENT;
		pl_nvml_field_record_give(&values[i], &field);
	}
	if (!pl_nvml.nvmlDeviceGetFieldValues ||
	    !pl_nvml_take(serve, args->device, PL_NVML_KIND_device, &device, &status))
		return status;
	status = pl_nvml.nvmlDeviceGetFieldValues(device, (int)count, values);
	for (uint64_t i = 0; !status && i < count; i++) {
		pl_nvml_field_record_take(&field, &values[i]);
		pl_nvml_field_record_put(&enc, &field);
	}
	return status;
}

void pl_nvml_serve_nvmlDeviceGetFieldValues(struct pl_serve *serve,
					    const struct pl_nvml_nvmlDeviceGetFieldValues_args *args)
{
	uint64_t words[PL_NVML_LIMIT_FIELDS_MAX * PL_NVML_WORDS_field];
	uint64_t count = args->values.count / PL_NVML_WORDS_field;
	struct pl_nvml_nvmlDeviceGetFieldValues_reply reply = { .values = { words, args->values.count } };
	int32_t status = count && count <= PL_NVML_LIMIT_FIELDS_MAX ? fields_ask(serve, args, count, words)
								    : (int32_t)NVML_ERROR_INVALID_ARGUMENT;

	if (status) {
		pl_serve_reply(serve, status);
		return;
	}
	if (pl_serve_reply_begin(serve, status, pl_nvml_nvmlDeviceGetFieldValues_reply_bytes(&reply), 0))
		return;
	pl_nvml_nvmlDeviceGetFieldValues_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
