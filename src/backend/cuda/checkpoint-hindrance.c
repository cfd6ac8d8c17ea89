/* Why a session can not be written down: what no call and no content brings back, or what nobody is sure of. */
#include "backend/cuda/checkpoint.h"
#include "backend/cuda/parts.h"
#include "backend/cuda/swap.h"
#include "backend/cuda/slab.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

struct look {
	struct pl_cuda_session *session;
	const char *why; /* NULL: nothing so far */
};

static void part_look(const struct pl_cuda_part *part, struct look *look)
{
	if (!part->movable || !part->host)
		look->why = "some of its memory was made by cuMemCreate() and can not be moved";
}

static void of_handle(struct pl_handle *handle, void *arg)
{
	part_look(handle->object, arg);
}

static void of_map(struct pl_handle *handle, void *arg)
{
	part_look(((const struct pl_cuda_map *)handle->object)->part, arg);
}

/* Memory of pools and graphs goes with no context. */
static void memory_look(struct pl_handle *handle, void *arg)
{
	struct look *look = arg;

	if (!handle->extra)
		look->why = "it has memory of a pool (cuMemAllocAsync()), or of a graph";
	else if (!pl_cuda_movable_at(look->session, handle->id) && !pl_cuda_slab_of(look->session, handle->id))
		look->why = "some of its memory can not be moved";
}

static void host_look(struct pl_handle *handle, void *arg)
{
	struct look *look = arg;

	if (handle->failed)
		look->why = "the driver has not freed some of its host memory";
}

static const char *context_why(struct pl_cuda_session *session, uint64_t id)
{
	CUresult r;

	if (!pl_cuda_context_push(session, id))
		return "one of its contexts has failed";
	r = pl_cuda.cuCtxSynchronize ? pl_cuda.cuCtxSynchronize() : CUDA_ERROR_NOT_SUPPORTED;
	pl_cuda_context_pop();
	return r ? "one of its contexts has failed" : NULL;
}

/* Behind pl_handles_each(), whose lock is held meanwhile. */
struct objects {
	struct look look;
	uint64_t contexts[PL_CUDA_DEVICES_MAX];
	uint32_t contexts_count;
};

static void object_look(struct pl_handle *handle, void *arg)
{
	struct objects *objects = arg;
	struct pl_handle part;

	if (handle->failed)
		return;
	switch (handle->kind) {
	case PL_CUDA_KIND_context:
		if (objects->contexts_count == PL_CUDA_DEVICES_MAX)
			objects->look.why = "it has too many contexts";
		else
			objects->contexts[objects->contexts_count++] = handle->id;
		break;
	case PL_CUDA_KIND_green:
	case PL_CUDA_KIND_resource:
		objects->look.why = "it has green contexts";
		break;
	case PL_CUDA_KIND_texref: /* they take numbers of textures when they are used */
	case PL_CUDA_KIND_surfref:
		objects->look.why = "it has texture references";
		break;
	case PL_CUDA_KIND_allocation:
		if (!pl_handles_get(&objects->look.session->parts, handle->id, PL_CUDA_PART, &part))
			objects->look.why = "it has multicast objects";
		break;
	default:
		break;
	}
}

static const char *objects_why(struct pl_cuda_session *session)
{
	struct objects objects = { .look = { session, NULL } };

	pl_handles_each(&session->worker->handles, object_look, &objects);
	for (uint32_t i = 0; i < objects.contexts_count && !objects.look.why; i++)
		objects.look.why = context_why(session, objects.contexts[i]);
	return objects.look.why;
}

static const char *tables_why(struct pl_cuda_session *session)
{
	struct look look = { session, NULL };

	pl_handles_each(&session->parts, of_handle, &look);
	pl_handles_each(&session->maps, of_map, &look);
	pl_handles_each(&session->memory, memory_look, &look);
	pl_handles_each(&session->shared, host_look, &look);
	return look.why;
}

static bool host_functions_wait(struct pl_cuda_session *session)
{
	bool any;

	pthread_mutex_lock(&session->hosts_lock);
	any = session->hosts;
	pthread_mutex_unlock(&session->hosts_lock);
	return any;
}

static bool shares_any(struct pl_cuda_session *session)
{
	bool any;

	pthread_mutex_lock(&session->shares_lock);
	any = session->shares;
	pthread_mutex_unlock(&session->shares_lock);
	return any || atomic_load(&session->kept.exchanges);
}

/* What the client is yet to hear goes first: nothing more comes while the device is idle. */
static void told(struct pl_cuda_session *session)
{
	pl_cuda_later_tell(session);
	pl_cuda_print_flush(session);
	pl_cuda_marks_tell(session);
}

static const char *now_why(struct pl_cuda_session *session)
{
	if (session->worker->arena)
		return "it shares memory with its program: over tcp alone";
	if (session->captured)
		return "one of its streams is being captured";
	if (session->managed.count)
		return "it has managed memory";
	if (shares_any(session))
		return "it has given memory or events to other programs, or has some of theirs";
	if (host_functions_wait(session))
		return "a function of its program's runs";
	if (pl_cuda_later_is_any(session))
		return "copies to its program are under way";
	if (atomic_load(&session->kept.of_threads))
		return "one of its threads has set attributes of its own default stream";
	return NULL;
}

/* What is noted and can not be said again.  A condition's number is the driver's own, and kernels of the graph have it.
 */
static int call_look(const struct pl_journal_record *record, void *arg)
{
	const char **why = arg;

	if (record->op != PL_CUDA_OP_cuGraphConditionalHandleCreate)
		return 0;
	*why = "it has graphs with conditional nodes";
	return 1;
}

/* Only what is needed: graphs that are gone, and all that was made ready to run of them, hinder nothing. */
static const char *calls_why(struct pl_session_worker *worker)
{
	const char *why = NULL;

	(void)pl_journal_prune(worker->checkpoint->journal);
	(void)pl_journal_each(worker->checkpoint->journal, call_look, &why);
	return why;
}

const char *pl_cuda_checkpoint_hindrance(struct pl_session_worker *worker)
{
	struct pl_cuda_session *session = worker->api;
	const char *why;

	told(session);
	why = now_why(session);
	if (!why)
		why = calls_why(worker);
	if (!why)
		why = tables_why(session);
	if (!why)
		why = objects_why(session);
	if (!why)
		why = pl_cuda_arrays_why(session);
	if (!why && pl_cuda_images_use_heap(session))
		why = "its kernels may have allocated memory by themselves (malloc() in device code)";
	if (!why && !pl_cuda_variables_known(session))
		why = "an image of its device code is of a kind whose variables are not known";
	return why;
}
