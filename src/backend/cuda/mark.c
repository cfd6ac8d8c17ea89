/*
 * Marks (docs/adr/0025): the device itself writes a word of memory that is the client's, too, in its stream's order.
 * Where nothing is shared the words are ours, and a thread tells the client of those that have changed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "backend/cuda/checkpoint.h"
#include "backend/cuda/hostfn.h"
#include "backend/cuda/own.h"
#include "backend/cuda/session.h"
#include "base/err.h"
#include "base/wait.h"

/* It looks again after a sixteenth of the time for which nothing has happened. */
#define LOOK_PART   16u
#define LOOK_NS_MIN 50000u
#define LOOK_NS_MAX 20000000u

struct pl_cuda_marks {
	struct pl_cuda_session *session;
	_Atomic uint32_t *words;
	uint64_t device, context;  /* where the driver has them, 0 = not at all; under the turn, both */
	bool told;                 /* by the thread below */
	pthread_mutex_t tell_lock; /* taken before lock: what is told stays in order */
	pthread_mutex_t lock;
	pthread_cond_t change;
	uint32_t wanted[PL_CUDA_MARKS_MAX]; /* under lock, here and below: values of the last marks */
	uint32_t known[PL_CUDA_MARKS_MAX];  /* what the client was told */
	uint32_t slots;                     /* none above was ever used */
	uint64_t since_ns;                  /* when something was new */
	bool sleeps_long;
};

static uint32_t word_of(const struct pl_cuda_marks *marks, uint32_t slot)
{
	return atomic_load_explicit(&marks->words[slot], memory_order_acquire);
}

/* ---- telling ---- */

/* Called with the lock held.  Return: the client waits to hear of some. */
static bool any_ahead(const struct pl_cuda_marks *marks)
{
	for (uint32_t i = 0; i < PL_CUDA_MARKS_FIRST; i++)
		if (word_of(marks, i) != marks->known[i])
			return true;
	for (uint32_t i = PL_CUDA_MARKS_FIRST; i < marks->slots; i++)
		if (marks->wanted[i] != marks->known[i])
			return true;
	return false;
}

/* Called with the lock held.  Errors of posts are looked at last and told first: no mark behind one is passed before.
 */
static uint32_t changed(struct pl_cuda_marks *marks, struct pl_cuda_marked *list)
{
	uint32_t count = 0;

	for (uint32_t i = marks->slots; i--;) {
		uint32_t word = word_of(marks, i);

		if (word == marks->known[i])
			continue;
		marks->known[i] = word;
		list[count++] = (struct pl_cuda_marked){ i, word };
	}
	for (uint32_t i = 0; i < count / 2; i++) {
		struct pl_cuda_marked other = list[i];

		list[i] = list[count - 1 - i];
		list[count - 1 - i] = other;
	}
	return count;
}

static void list_send(struct pl_cuda_marks *marks, const struct pl_cuda_marked *list, uint32_t count)
{
	struct pl_cuda_plMarked_args args = { .told = { list, count * sizeof(*list) } };
	struct pl_session_worker *worker = marks->session->worker;
	struct pl_enc enc;

	if (pl_reverse_begin(worker, PL_CUDA_OP_plMarked, pl_cuda_plMarked_bytes(&args), 0, &enc))
		return;
	pl_cuda_plMarked_put(&enc, &args);
	(void)pl_reverse_end(worker, NULL, 0);
}

static void changes_tell(struct pl_cuda_marks *marks)
{
	struct pl_cuda_marked list[PL_CUDA_MARKS_MAX];
	uint32_t count;

	pthread_mutex_lock(&marks->tell_lock);
	pthread_mutex_lock(&marks->lock);
	count = changed(marks, list);
	if (count)
		marks->since_ns = pl_now_ns();
	pthread_mutex_unlock(&marks->lock);
	if (count) {
		pl_cuda_later_tell(marks->session); /* what was copied before a mark comes before it */
		list_send(marks, list, count);
	}
	pthread_mutex_unlock(&marks->tell_lock);
}

void pl_cuda_marks_tell(struct pl_cuda_session *session)
{
	struct pl_cuda_marks *marks = atomic_load(&session->marks);

	if (marks && marks->told)
		changes_tell(marks);
}

/* Called with the lock held, which is let go meanwhile. */
static void look_later(struct pl_cuda_marks *marks)
{
	uint64_t wait_ns = (pl_now_ns() - marks->since_ns) / LOOK_PART, until_ns;
	struct timespec until;

	if (wait_ns > LOOK_NS_MAX)
		wait_ns = LOOK_NS_MAX;
	marks->sleeps_long = wait_ns > LOOK_NS_MIN;
	until_ns = pl_now_ns() + (marks->sleeps_long ? wait_ns : LOOK_NS_MIN);
	until = (struct timespec){ (time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u) };
	pthread_cond_clockwait(&marks->change, &marks->lock, CLOCK_MONOTONIC, &until);
	marks->sleeps_long = false;
}

static void *tell_run(void *arg)
{
	struct pl_cuda_marks *marks = arg;

	pthread_setname_np(pthread_self(), "plenum-marks");
	for (;;) {
		pthread_mutex_lock(&marks->lock);
		while (!any_ahead(marks))
			pthread_cond_wait(&marks->change, &marks->lock);
		look_later(marks);
		pthread_mutex_unlock(&marks->lock);
		changes_tell(marks);
	}
	return NULL;
}

static void something_new(struct pl_cuda_marks *marks, uint32_t slot, uint32_t value)
{
	bool waits;

	if (!marks->told)
		return;
	pthread_mutex_lock(&marks->lock);
	waits = marks->sleeps_long || !any_ahead(marks);
	marks->since_ns = pl_now_ns();
	marks->wanted[slot] = value;
	if (slot >= marks->slots)
		marks->slots = slot + 1;
	pthread_mutex_unlock(&marks->lock);
	if (waits)
		pthread_cond_signal(&marks->change);
}

void pl_cuda_marks_late(struct pl_cuda_session *session, uint32_t count)
{
	struct pl_cuda_marks *marks = atomic_load(&session->marks);

	if (!marks)
		return;
	atomic_store_explicit(&marks->words[PL_CUDA_MARKS_LATE], count, memory_order_release);
	something_new(marks, PL_CUDA_MARKS_LATE, count);
}

/* ---- the words ---- */

/* Called with the turn held. */
static bool words_register(struct pl_cuda_marks *marks)
{
	CUdeviceptr device = 0;
	void *words = (void *)(uintptr_t)marks->words;

	if (marks->device)
		return true;
	if (!pl_cuda.cuMemHostRegister_v2 || !pl_cuda.cuMemHostGetDevicePointer_v2 || !pl_cuda.cuMemHostUnregister ||
	    pl_cuda_own_register(words, PL_CUDA_MARKS_BYTES,
				 CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE))
		return false;
	if (pl_cuda.cuMemHostGetDevicePointer_v2(&device, words, 0)) {
		pl_cuda.cuMemHostUnregister(words);
		return false;
	}
	marks->device = device;
	marks->context = pl_cuda_current;
	return true;
}

void pl_cuda_marks_context_left(struct pl_cuda_session *session, uint64_t context)
{
	struct pl_cuda_marks *marks = atomic_load(&session->marks);

	if (!marks)
		return;
	if (marks->context == context)
		marks->device = 0;
	pthread_mutex_lock(&marks->lock);
	memcpy(marks->wanted, marks->known, sizeof(marks->wanted)); /* what was its will never come */
	pthread_mutex_unlock(&marks->lock);
}

static bool thread_start(struct pl_cuda_marks *marks)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, tell_run, marks))
		return false;
	pthread_detach(thread);
	return true;
}

/* Called with the turn held.  restored: the driver gets the words with the first mark that comes.  Return: NULL = not
 * possible. */
static struct pl_cuda_marks *marks_create(struct pl_cuda_session *session, uint64_t place, bool restored)
{
	struct pl_cuda_marks *marks = calloc(1, sizeof(*marks));
	void *words = MAP_FAILED;

	if (!marks)
		return NULL;
	marks->session = session;
	marks->told = place == UINT64_MAX;
	marks->slots = PL_CUDA_MARKS_FIRST;
	pthread_mutex_init(&marks->tell_lock, NULL);
	pthread_mutex_init(&marks->lock, NULL);
	pthread_cond_init(&marks->change, NULL);
	if (marks->told)
		words = mmap(NULL, PL_CUDA_MARKS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else
		words = session->worker->arena + place;
	marks->words = words;
	if (words == MAP_FAILED || (!restored && !words_register(marks)) || (marks->told && !thread_start(marks))) {
		if (marks->device)
			pl_cuda.cuMemHostUnregister(words);
		if (marks->told && words != MAP_FAILED)
			munmap(words, PL_CUDA_MARKS_BYTES);
		free(marks);
		return NULL;
	}
	return marks;
}

void pl_cuda_serve_plMarks(struct pl_serve *serve, const struct pl_cuda_plMarks_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_marks *marks = NULL;

	if (atomic_load(&session->marks) ||
	    (args->place != UINT64_MAX && !pl_cuda_in_arena(serve->session, args->place, PL_CUDA_MARKS_BYTES))) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if ((pl_cuda.cuStreamWriteValue32_v2 || pl_cuda.cuStreamWriteValue32) && pl_cuda.cuStreamIsCapturing)
		marks = marks_create(session, args->place, false);
	if (marks)
		atomic_store(&session->marks, marks);
	pl_cuda_result(serve, marks ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED, 0);
}

/* ---- a mark ---- */

CUresult pl_cuda_word_write(CUstream stream, bool per_thread, CUdeviceptr address, uint32_t value)
{
	__typeof__(&cuStreamWriteValue32) first =
		per_thread ? pl_cuda.cuStreamWriteValue32_ptsz : pl_cuda.cuStreamWriteValue32;
	__typeof__(&cuStreamWriteValue32_v2) second =
		per_thread ? pl_cuda.cuStreamWriteValue32_v2_ptsz : pl_cuda.cuStreamWriteValue32_v2;

	if (second)
		return second(stream, address, value, 0);
	return first ? first(stream, address, value, 0) : CUDA_ERROR_NOT_SUPPORTED;
}

static bool mark_put(struct pl_cuda_marks *marks, const struct pl_cuda_plMark_args *args, CUstream stream)
{
	if (!words_register(marks) ||
	    pl_cuda_word_write(stream, args->per_thread, marks->device + 4ull * args->slot, args->value))
		return false;
	something_new(marks, args->slot, args->value);
	return true;
}

/* What fails is no error of the program's: the client asks as if there were no marks. */
void pl_cuda_serve_plMark(struct pl_serve *serve, const struct pl_cuda_plMark_args *args)
{
	struct pl_cuda_marks *marks = atomic_load(&pl_cuda_session_of(serve)->marks);
	int32_t status;
	void *stream;

	if (!marks || args->slot < PL_CUDA_MARKS_FIRST || args->slot >= PL_CUDA_MARKS_MAX ||
	    !pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (!pl_cuda_capture_graph(stream, args->per_thread) && !mark_put(marks, args, stream)) {
		pl_log_debug("session %llu: a mark could not be put: there will be no more",
			     (unsigned long long)serve->session->id);
		atomic_store_explicit(&marks->words[PL_CUDA_MARKS_BROKEN], 1, memory_order_release);
		something_new(marks, PL_CUDA_MARKS_BROKEN, 1);
	}
	pl_serve_reply(serve, CUDA_SUCCESS);
}

/* ---- in a file: what the words say, and what the client was told of it ---- */

struct marks_note {
	uint32_t there, slots;
	uint32_t words[PL_CUDA_MARKS_MAX], known[PL_CUDA_MARKS_MAX];
};

int pl_cuda_marks_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct pl_cuda_marks *marks = atomic_load(&session->marks);
	struct marks_note note = { .there = marks != NULL };

	if (marks) {
		pthread_mutex_lock(&marks->lock);
		note.slots = marks->slots;
		memcpy(note.known, marks->known, sizeof(note.known));
		for (uint32_t i = 0; i < note.slots; i++)
			note.words[i] = word_of(marks, i);
		pthread_mutex_unlock(&marks->lock);
	}
	return pl_trace(pl_checkpoint_put(file, &note, sizeof(note)));
}

int pl_cuda_marks_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	struct pl_cuda_marks *marks;
	struct marks_note note;
	int r = pl_checkpoint_get(file, &note, sizeof(note));

	if (!r && note.slots > PL_CUDA_MARKS_MAX)
		r = pl_err(-EPROTO);
	if (r || !note.there)
		return pl_trace(r);
	marks = marks_create(session, UINT64_MAX, true);
	if (!marks)
		return pl_err(-ENOMEM);
	pthread_mutex_lock(&marks->lock);
	for (uint32_t i = 0; i < note.slots; i++)
		atomic_store_explicit(&marks->words[i], note.words[i], memory_order_release);
	memcpy(marks->known, note.known, sizeof(marks->known));
	memcpy(marks->wanted, note.words, sizeof(marks->wanted));
	marks->slots = note.slots;
	pthread_mutex_unlock(&marks->lock);
	atomic_store(&session->marks, marks);
	pthread_cond_signal(&marks->change);
	return 0;
}
