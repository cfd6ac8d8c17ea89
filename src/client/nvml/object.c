/* Handles: devices stay as long as the process, sets of events until they are freed. */
#include <pthread.h>
#include <stdlib.h>

#include "client/nvml/state.h"

struct object {
	struct object *next;
	struct pl_session *session;
	uint64_t id;
	enum pl_nvml_object_kind kind;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *objects; /* under lock; few */

/* Called with the lock held.  What a program gives is compared, never followed. */
static struct object *known(unsigned kind, const void *handle)
{
	struct object *object = objects;

	while (object && ((const void *)object != handle || (unsigned)object->kind != kind))
		object = object->next;
	return object;
}

struct pl_session *pl_nvml_session_of(unsigned kind, const void *handle)
{
	struct object *object;
	struct pl_session *session;

	pthread_mutex_lock(&lock);
	object = known(kind, handle);
	session = object ? object->session : NULL;
	pthread_mutex_unlock(&lock);
	return session;
}

uint64_t pl_nvml_id(const struct pl_session *session, enum pl_nvml_object_kind kind, const void *handle)
{
	struct object *object;
	uint64_t id;

	pthread_mutex_lock(&lock);
	object = known(kind, handle);
	id = object && object->session == session ? object->id : 0;
	pthread_mutex_unlock(&lock);
	return id;
}

void pl_nvml_objects_move(const struct pl_session *from, struct pl_session *to)
{
	pthread_mutex_lock(&lock);
	for (struct object *object = objects; object; object = object->next)
		if (object->session == from && object->kind == PL_NVML_KIND_device)
			object->session = to;
	pthread_mutex_unlock(&lock);
}

/* Called with the lock held. */
static struct object *object_create(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t id)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	*object = (struct object){ .next = objects, .session = session, .id = id, .kind = kind };
	objects = object;
	return object;
}

void *pl_nvml_new(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t *id_out)
{
	struct object *object;

	*id_out = pl_session_id_mint(session);
	pthread_mutex_lock(&lock);
	object = object_create(session, kind, *id_out);
	pthread_mutex_unlock(&lock);
	return object;
}

void *pl_nvml_object_of(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t id)
{
	struct object *object;

	if (!id)
		return NULL;
	pthread_mutex_lock(&lock);
	for (object = objects; object; object = object->next)
		if (object->session == session && object->kind == kind && object->id == id)
			break;
	if (!object)
		object = object_create(session, kind, id);
	pthread_mutex_unlock(&lock);
	return object;
}

static void forget(const struct object *gone)
{
	struct object **at = &objects;

	while (*at && *at != gone)
		at = &(*at)->next;
	if (*at)
		*at = gone->next;
}

void pl_nvml_undo(struct pl_session *session, enum pl_nvml_object_kind kind, void *handle)
{
	struct object *object;

	(void)session;
	pthread_mutex_lock(&lock);
	object = known(kind, handle);
	if (object)
		forget(object);
	pthread_mutex_unlock(&lock);
	free(object);
}

void pl_nvml_end(struct pl_session *session, enum pl_nvml_object_kind kind, uint64_t id)
{
	struct object *object;

	pthread_mutex_lock(&lock);
	for (object = objects; object; object = object->next)
		if (object->session == session && object->kind == kind && object->id == id)
			break;
	if (object)
		forget(object);
	pthread_mutex_unlock(&lock);
	free(object);
}
