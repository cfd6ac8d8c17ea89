#include "client/cuda/placed.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "client/cuda/mirror.h"

struct placed {
	struct placed *next;
	struct pl_session *session;
	const void *owner, *context;
	uint64_t start, length, store;
	uint32_t epoch; /* of the session: a fork()ed child has none of its parent's */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct placed *all; /* under lock */

static bool is_here(const struct placed *placed)
{
	return placed->epoch == atomic_load(&placed->session->epoch);
}

static bool is_known(const struct pl_session *session, uint64_t start, uint64_t length)
{
	const struct placed *at = all;

	while (at && (at->session != session || at->start != start || at->length != length || !is_here(at)))
		at = at->next;
	return at != NULL;
}

/* Memory of ours at the driver's address. */
static bool pages_map(const struct placed *placed)
{
	const struct pl_arena *arena = &placed->session->arena;
	void *want = (void *)(uintptr_t)placed->start;
	void *at = mmap(want, placed->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			arena->fd, (off_t)(arena->start + placed->store));

	if (at == MAP_FAILED)
		return false;
	if (at != want) { /* kernels before 4.17 take it for a hint */
		munmap(at, placed->length);
		return false;
	}
	madvise(at, placed->length, MADV_DONTFORK);
	return true;
}

static bool driver_places(const struct placed *placed)
{
	struct pl_cuda_plManagedPlace_args args = { .start = placed->start,
						    .length = placed->length,
						    .store = placed->store };
	struct pl_cuda_plManagedPlace_reply got;
	struct pl_reply reply;

	if (PL_CUDA_ASK(placed->session, plManagedPlace, &args, &reply) || reply.status)
		return false;
	pl_cuda_plManagedPlace_reply_get(&reply.dec, &got);
	return pl_dec_whole(&reply.dec) && got.placed;
}

/* Called with the lock held. */
static bool place(struct placed *placed)
{
	struct pl_session *session = placed->session;

	placed->store = pl_arena_alloc(&session->arena, placed->length);
	if (placed->store == PL_ARENA_NONE)
		return false;
	if (pages_map(placed)) {
		if (driver_places(placed)) {
			placed->next = all;
			all = placed;
			return true;
		}
		munmap((void *)(uintptr_t)placed->start, placed->length);
	}
	pl_arena_free(&session->arena, placed->store, placed->length, atomic_load(&session->ticket));
	return false;
}

bool pl_cuda_placed(struct pl_session *session, const void *owner, uint64_t start, uint64_t length)
{
	struct placed *placed;
	bool is;

	if (!session->shares_memory || session->in_region)
		return false; /* a guest's region can not be had at another address, too */
	pthread_mutex_lock(&lock);
	is = is_known(session, start, length);
	if (!is && !pl_mirror_holds(start)) {
		placed = malloc(sizeof(*placed));
		if (placed) {
			*placed = (struct placed){ .session = session,
						   .owner = owner,
						   .context = pl_cuda_thread.top,
						   .start = start,
						   .length = length,
						   .epoch = atomic_load(&session->epoch) };
			is = place(placed);
			if (!is)
				free(placed);
		}
	}
	pthread_mutex_unlock(&lock);
	return is;
}

void pl_cuda_placed_remove(const void *owner_or_context)
{
	pthread_mutex_lock(&lock);
	for (struct placed **at = &all; *at;) {
		struct placed *placed = *at;

		if (placed->owner != owner_or_context && placed->context != owner_or_context) {
			at = &placed->next;
			continue;
		}
		*at = placed->next;
		if (is_here(placed)) {
			struct pl_session *session = placed->session;

			munmap((void *)(uintptr_t)placed->start, placed->length);
			pl_arena_free(&session->arena, placed->store, placed->length, atomic_load(&session->ticket));
		}
		free(placed);
	}
	pthread_mutex_unlock(&lock);
}
