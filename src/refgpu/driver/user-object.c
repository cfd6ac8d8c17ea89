/* Objects of the application that are destroyed when the last graph that holds them is. */
#include <stdlib.h>

#include "cuda-api.h"
#include "graph.h"

struct pl_cu_user_object {
	CUuserObject handle;
	CUhostFn destroy;
	void *data;
	uint64_t refs, user_refs; /* all, and those of the application; under objects_lock */
};

static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;

static void object_put(struct pl_cu_user_object *object, uint64_t n)
{
	bool last;
	pthread_mutex_lock(&objects_lock);
	object->refs -= n;
	last = !object->refs;
	pthread_mutex_unlock(&objects_lock);
	if (!last)
		return;
	object->destroy(object->data);
	(void)pl_cuda_handle_retire((uint64_t)(uintptr_t)object->handle, free);
}

static CUresult object_get(CUuserObject handle, struct pl_cu_user_object **object_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*object_out = pl_cuda_handle_held(handle, PL_CU_USER_OBJECT);
	return *object_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuUserObjectCreate(CUuserObject *object_out, void *data, CUhostFn destroy, unsigned int n, unsigned int flags)
{
	struct pl_cu_user_object *object;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!object_out || !destroy || !n || n > INT32_MAX || flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC)
		return CUDA_ERROR_INVALID_VALUE;
	object = calloc(1, sizeof(*object));
	if (!object)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*object = (struct pl_cu_user_object){ .destroy = destroy, .data = data, .refs = n, .user_refs = n };
	object->handle = (CUuserObject)(uintptr_t)pl_cuda_handle_create(PL_CU_USER_OBJECT, object);
	if (!object->handle) {
		free(object);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*object_out = object->handle;
	return CUDA_SUCCESS;
}

/* Called with objects_lock held. */
static CUresult object_more(struct pl_cu_user_object *object, unsigned int n)
{
	if (!object->refs)
		return CUDA_ERROR_INVALID_VALUE; /* another thread has given up the last */
	object->refs += n;
	return CUDA_SUCCESS;
}

CUresult cuUserObjectRetain(CUuserObject handle, unsigned int n)
{
	struct pl_cu_user_object *object;
	CUresult r = object_get(handle, &object);
	if (!r && (!n || n > INT32_MAX))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&objects_lock);
	r = object_more(object, n);
	if (!r)
		object->user_refs += n;
	pthread_mutex_unlock(&objects_lock);
	return r;
}

/* Called with objects_lock held: the application gives up some of its references. */
static CUresult user_refs_take(struct pl_cu_user_object *object, unsigned int n)
{
	if (n > object->user_refs)
		return CUDA_ERROR_INVALID_VALUE;
	object->user_refs -= n;
	return CUDA_SUCCESS;
}

CUresult cuUserObjectRelease(CUuserObject handle, unsigned int n)
{
	struct pl_cu_user_object *object;
	CUresult r = object_get(handle, &object);
	if (!r && (!n || n > INT32_MAX))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&objects_lock);
	r = user_refs_take(object, n);
	pthread_mutex_unlock(&objects_lock);
	if (!r)
		object_put(object, n);
	return r;
}

static struct pl_cu_user_ref *ref_of(struct pl_cu_graph *graph, const struct pl_cu_user_object *object)
{
	struct pl_cu_user_ref *ref = graph->users;
	while (ref && ref->object != object)
		ref = ref->next;
	return ref;
}

static CUresult ref_add(struct pl_cu_graph *graph, struct pl_cu_user_object *object, unsigned int n)
{
	struct pl_cu_user_ref *ref = ref_of(graph, object);
	if (!ref) {
		ref = calloc(1, sizeof(*ref));
		if (!ref)
			return CUDA_ERROR_OUT_OF_MEMORY;
		*ref = (struct pl_cu_user_ref){ .object = object, .next = graph->users };
		graph->users = ref;
	}
	ref->n += n;
	return CUDA_SUCCESS;
}

CUresult cuGraphRetainUserObject(CUgraph graph_handle, CUuserObject handle, unsigned int n, unsigned int flags)
{
	struct pl_cu_user_object *object;
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_graph_get(graph_handle, &graph);
	if (!r)
		r = object_get(handle, &object);
	if (!r && (!n || n > INT32_MAX || flags > CU_GRAPH_USER_OBJECT_MOVE))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&objects_lock);
	if (flags & CU_GRAPH_USER_OBJECT_MOVE)
		r = user_refs_take(object, n);
	else
		r = object_more(object, n);
	pthread_mutex_unlock(&objects_lock);
	if (r)
		return r;
	r = ref_add(graph, object, n);
	if (r)
		object_put(object, n);
	return r;
}

CUresult cuGraphReleaseUserObject(CUgraph graph_handle, CUuserObject handle, unsigned int n)
{
	struct pl_cu_user_object *object;
	struct pl_cu_user_ref *ref = NULL;
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_graph_get(graph_handle, &graph);
	if (!r)
		r = object_get(handle, &object);
	if (!r)
		ref = ref_of(graph, object);
	if (!r && (!ref || !n || n > ref->n))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	ref->n -= n;
	for (struct pl_cu_user_ref **at = &graph->users; !ref->n && *at; at = &(*at)->next) {
		if (*at != ref)
			continue;
		*at = ref->next;
		free(ref);
		break;
	}
	object_put(object, n);
	return CUDA_SUCCESS;
}

void pl_cu_users_drop(struct pl_cu_graph *graph)
{
	while (graph->users) {
		struct pl_cu_user_ref *ref = graph->users;
		graph->users = ref->next;
		object_put(ref->object, ref->n);
		free(ref);
	}
}

/* A clone holds each object once. */
CUresult pl_cu_users_copy(struct pl_cu_graph *to, const struct pl_cu_graph *from)
{
	CUresult r = CUDA_SUCCESS;
	for (struct pl_cu_user_ref *ref = from->users; ref && !r; ref = ref->next) {
		r = ref_add(to, ref->object, 1);
		if (r)
			break;
		pthread_mutex_lock(&objects_lock);
		ref->object->refs++;
		pthread_mutex_unlock(&objects_lock);
	}
	return r;
}
