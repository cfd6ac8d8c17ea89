#include "client/cuda/mark.h"

#include <stdlib.h>
#include <string.h>

#include "base/wait.h"
#include "client/cuda/memory.h"
#include "client/servers.h"

/* Who looks all the time is told the truth again soon: over shared memory only what fails could be missed, else what is
 * still on its way, too.  Who looks now and then asks now and then. */
#define LOOKS_MANY     64u
#define SOON_SHARED_NS (10u * 1000000u)
#define SOON_NS        (250u * 1000u)
#define SELDOM_NS      (100u * 1000000u)
#define CREDIT_MAX     64u

enum { NOT_TRIED, WORKS, REFUSED };

static pthread_mutex_t marks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct marks {
	int state;          /* under marks_lock, here and below */
	uint32_t slot_last; /* slots go round: a word is not used again soon */
	uint32_t credit;
	_Atomic uint64_t passed, passed_ticket; /* marks that were seen passed; the highest ticket of what they mark */
	bool taken[PL_CUDA_MARKS_MAX];
	uint32_t last[PL_CUDA_MARKS_MAX]; /* value of a slot's last mark: whoever has taken the slot has it */
	_Atomic uint32_t *_Atomic words;
} marks_of_sessions[PL_CLIENT_SERVERS_MAX];

static struct marks *marks_of(const struct pl_session *session)
{
	return &marks_of_sessions[pl_cuda_session_index(session)];
}

/* Called with the lock held. */
static void marks_try(struct pl_session *session, struct marks *marks)
{
	struct pl_cuda_plMarks_args args = { .place = PL_ARENA_NONE };
	_Atomic uint32_t *words = NULL;
	struct pl_reply reply;

	marks->state = REFUSED;
	if (session->shares_memory) {
		args.place = pl_arena_alloc(&session->arena, PL_CUDA_MARKS_BYTES);
		if (args.place != PL_ARENA_NONE)
			words = (void *)(session->arena.base + args.place);
	} else {
		words = malloc(PL_CUDA_MARKS_BYTES);
	}
	if (!words)
		return;
	memset((void *)words, 0, PL_CUDA_MARKS_BYTES);
	atomic_store(&marks->words, words);
	if (!PL_CUDA_ASK(session, plMarks, &args, &reply) && !reply.status)
		marks->state = WORKS;
}

/* Called with the lock held. */
static uint32_t slot_find(struct marks *marks)
{
	for (uint32_t i = PL_CUDA_MARKS_FIRST; i < PL_CUDA_MARKS_MAX; i++) {
		uint32_t slot = marks->slot_last + 1;

		if (slot < PL_CUDA_MARKS_FIRST || slot >= PL_CUDA_MARKS_MAX)
			slot = PL_CUDA_MARKS_FIRST;
		marks->slot_last = slot;
		if (!marks->taken[slot])
			return slot;
	}
	return 0;
}

bool pl_cuda_mark_take(struct pl_session *session, struct pl_cuda_mark *mark)
{
	struct marks *marks = marks_of(session);

	if (mark->slot)
		return true;
	pthread_mutex_lock(&marks_lock);
	if (marks->state == NOT_TRIED)
		marks_try(session, marks);
	*mark = (struct pl_cuda_mark){ .slot = marks->state == WORKS ? slot_find(marks) : 0 };
	marks->taken[mark->slot] = mark->slot;
	pthread_mutex_unlock(&marks_lock);
	return mark->slot;
}

void pl_cuda_mark_give(const struct pl_session *session, struct pl_cuda_mark *mark)
{
	struct marks *marks;

	if (!mark->slot)
		return;
	marks = marks_of(session);
	pthread_mutex_lock(&marks_lock);
	marks->taken[mark->slot] = false;
	pthread_mutex_unlock(&marks_lock);
	*mark = (struct pl_cuda_mark){ 0 };
}

static bool word_is_set(struct marks *marks, uint32_t slot)
{
	return atomic_load_explicit(&atomic_load_explicit(&marks->words, memory_order_relaxed)[slot],
				    memory_order_acquire);
}

struct pl_cuda_heard pl_cuda_marks_heard(const struct pl_session *session)
{
	return (struct pl_cuda_heard){ .ends = atomic_load(&session->ends),
				       .passed = atomic_load(&marks_of(session)->passed) };
}

uint64_t pl_cuda_mark_put(struct pl_session *session, struct pl_cuda_mark *mark, uint64_t stream, bool per_thread,
			  struct pl_cuda_heard heard, uint64_t ticket)
{
	struct pl_cuda_plMark_args args = { .stream = stream, .per_thread = per_thread, .slot = mark->slot };
	struct marks *marks = marks_of(session);
	struct pl_call call;

	mark->put = false;
	if (!mark->slot || word_is_set(marks, PL_CUDA_MARKS_BROKEN) || !pl_cuda_captures_none())
		return 0;
	args.value = mark->value = ++marks->last[mark->slot];
	if (pl_call_begin(&call, session, PL_CUDA_OP_plMark, pl_cuda_plMark_bytes(&args)))
		return 0;
	pl_cuda_plMark_put(&call.enc, &args);
	if (pl_call_post(&call))
		return 0;
	pl_cuda_mark_ahead(mark, heard);
	mark->asked = !ticket;
	mark->ticket = ticket ? ticket : call.ticket;
	mark->put = true;
	mark->passed = false;
	return call.ticket;
}

void pl_cuda_mark_ahead(struct pl_cuda_mark *mark, struct pl_cuda_heard heard)
{
	mark->heard = heard;
	mark->asked = true;
	mark->looks = 0;
	mark->known_ns = pl_now_ns();
}

static bool word_passed(struct marks *marks, const struct pl_cuda_mark *mark)
{
	uint32_t word = atomic_load_explicit(&atomic_load_explicit(&marks->words, memory_order_relaxed)[mark->slot],
					     memory_order_acquire);

	return (int32_t)(word - mark->value) >= 0;
}

static void passed(struct pl_session *session, struct marks *marks, struct pl_cuda_mark *mark)
{
	uint64_t highest = atomic_load(&marks->passed_ticket);

	pl_session_pump_whole(session); /* what a graph has written for the program, say */
	mark->passed = true;
	while (mark->ticket > highest && !atomic_compare_exchange_weak(&marks->passed_ticket, &highest, mark->ticket))
		;
	atomic_fetch_add(&marks->passed, 1);
}

/* Something has ended that may have come behind what is marked, so that a program that knows it must not hear that this
 * is still under way; and the word may be late. */
static bool may_have_passed(struct pl_session *session, struct marks *marks, const struct pl_cuda_mark *mark)
{
	if (atomic_load(&session->ends) != mark->heard.ends)
		return true;
	return mark->asked ? atomic_load(&marks->passed) != mark->heard.passed
			   : atomic_load(&marks->passed_ticket) > mark->ticket;
}

enum pl_cuda_mark_state pl_cuda_mark_look(struct pl_session *session, struct pl_cuda_mark *mark)
{
	struct marks *marks = marks_of(session);
	uint64_t now, soon_ns = session->shares_memory ? SOON_SHARED_NS : SOON_NS;

	/* Managed memory that comes when it is touched was given up by calls alone (docs/adr/0022). */
	if (!mark->put || !pl_cuda_captures_none() || atomic_load(&session->dead) || atomic_load(&session->before))
		return PL_CUDA_MARK_UNKNOWN;
	if (!mark->passed && word_passed(marks, mark))
		passed(session, marks, mark);
	if (word_is_set(marks, PL_CUDA_MARKS_LATE))
		return PL_CUDA_MARK_UNKNOWN;
	if (mark->passed)
		return PL_CUDA_MARK_PASSED;
	if (may_have_passed(session, marks, mark))
		return PL_CUDA_MARK_UNKNOWN;
	now = pl_now_ns();
	if (now - mark->known_ns < (++mark->looks >= LOOKS_MANY ? soon_ns : SELDOM_NS))
		return PL_CUDA_MARK_AHEAD;
	return PL_CUDA_MARK_UNKNOWN;
}

bool pl_cuda_marks_are_clean(struct pl_session *session)
{
	struct marks *marks = marks_of(session);
	bool works;

	if (!pl_cuda_captures_none() || atomic_load(&session->dead) || atomic_load(&session->before))
		return false;
	pthread_mutex_lock(&marks_lock);
	if (marks->state == NOT_TRIED)
		marks_try(session, marks);
	works = marks->state == WORKS;
	pthread_mutex_unlock(&marks_lock);
	return works && !word_is_set(marks, PL_CUDA_MARKS_LATE);
}

void pl_cuda_marks_credit_add(const struct pl_session *session, uint32_t credit)
{
	struct marks *marks = marks_of(session);

	pthread_mutex_lock(&marks_lock);
	marks->credit = marks->credit + credit < CREDIT_MAX ? marks->credit + credit : CREDIT_MAX;
	pthread_mutex_unlock(&marks_lock);
}

bool pl_cuda_marks_credit_take(const struct pl_session *session)
{
	struct marks *marks = marks_of(session);
	bool taken;

	pthread_mutex_lock(&marks_lock);
	taken = marks->credit;
	marks->credit -= taken;
	pthread_mutex_unlock(&marks_lock);
	return taken;
}

bool pl_cuda_marks_told(const struct pl_session *session, struct pl_bytes told)
{
	_Atomic uint32_t *words = atomic_load(&marks_of(session)->words);
	const uint8_t *at = told.at;
	struct pl_cuda_marked marked;

	if (!words || session->shares_memory || told.bytes % sizeof(marked))
		return false;
	for (uint64_t i = 0; i < told.bytes; i += sizeof(marked)) {
		memcpy(&marked, at + i, sizeof(marked));
		if (marked.slot >= PL_CUDA_MARKS_MAX)
			return false;
		atomic_store_explicit(&words[marked.slot], marked.value, memory_order_release);
	}
	return true;
}
