/* SPDX-License-Identifier: Apache-2.0 */
/* What an eager training step asks of the driver, and steady loops for counters. */
#include "worker.h"

#include <stdio.h>
#include <string.h>

#define STEP_LAUNCHES 200u
#define STEP_BUFFERS  4u
#define STEP_BYTES    ((size_t)64 << 10)
#define STEP_JOIN     20u /* launches between two joins of streams by an event */
#define STREAMS       3u
#define NO_TIMING     2u /* CU_EVENT_DISABLE_TIMING */
#define WARM_TURNS    8u

struct step {
	struct pl_worker_objects *objects;
	const struct pl_worker_driver *cu;
	uint64_t mem[STEP_BUFFERS];
	void *pinned;
};

/* What follows on stream @to waits for what stream @from has so far. */
static int join(struct step *s, unsigned from, unsigned to)
{
	void *event;
	int e = s->cu->event(&event, NO_TIMING);

	if (e)
		return e;
	e = s->cu->event_record(event, s->objects->streams[from]);
	if (!e)
		e = s->cu->stream_wait(s->objects->streams[to], event, 0);
	return e ? e : s->cu->event_destroy(event);
}

static int launches(struct step *s)
{
	unsigned n = STEP_BYTES / sizeof(float), one = 1;
	float a = 0.5f;
	int e = 0;

	for (unsigned i = 0; i < STEP_LAUNCHES - 1 && !e; i++) {
		unsigned on = i % STREAMS;
		void *arguments[] = { &s->mem[on], &s->mem[STEP_BUFFERS - 1], &a, &n };

		if (i % STEP_JOIN == STEP_JOIN - 1)
			e = join(s, on, (on + 1) % STREAMS);
		if (!e)
			e = s->cu->launch(s->objects->axpy, n / 256, 1, 1, 256, 1, 1, 0, s->objects->streams[on],
					  arguments, NULL);
	}
	for (unsigned on = 1; on < STREAMS && !e; on++)
		e = join(s, on, 0);
	if (!e) {
		void *arguments[] = { &s->objects->word, &one };

		e = s->cu->launch(s->objects->add, 1, 1, 1, 32, 1, 1, 0, s->objects->streams[0], arguments, NULL);
	}
	return e;
}

static int step(struct step *s)
{
	int e = 0;

	for (unsigned i = 0; i < STEP_BUFFERS && !e; i++)
		e = s->cu->alloc(&s->mem[i], STEP_BYTES);
	for (unsigned i = 0; i < STREAMS && !e; i++)
		e = s->cu->to_device_async(s->mem[i], s->pinned, STEP_BYTES, s->objects->streams[i]);
	if (!e)
		e = s->cu->fill_async(s->mem[STEP_BUFFERS - 1], 0, STEP_BYTES / 4, s->objects->streams[0]);
	for (unsigned on = 1; on < STREAMS && !e; on++)
		e = join(s, 0, on);
	if (!e)
		e = launches(s);
	for (unsigned i = 0; i < STEP_BUFFERS && !e; i++)
		e = s->cu->release(s->mem[i]);
	return e;
}

/* @n steps, each ended by one read of 4 bytes. */
static int steps(struct pl_worker_objects *objects, unsigned n, double *out)
{
	struct pl_worker *w = objects->w;
	struct step s = { .objects = objects, .cu = &w->cu };
	uint32_t before, after;
	int e = w->cu.host_alloc(&s.pinned, STEP_BYTES);

	if (e)
		return pl_worker_fail(w, "cuMemAllocHost", e);
	memset(s.pinned, 0, STEP_BYTES);
	e = w->cu.to_host(&before, objects->word, sizeof(before));
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		e = step(&s);
		if (!e)
			e = w->cu.to_host(&after, objects->word, sizeof(after));
		if (!e && after != ++before) {
			snprintf(w->error, sizeof(w->error), "step: the answer is %u, not %u", after, before);
			e = -1;
		}
		if (out)
			out[i] = pl_worker_now() - t;
	}
	w->cu.host_release(s.pinned);
	return e < 0 ? -1 : e ? pl_worker_fail(w, "a step's call", e) : 0;
}

int pl_worker_step(struct pl_worker_objects *objects, unsigned n, double *seconds_out)
{
	int r = steps(objects, 1, NULL);

	return r ? r : steps(objects, n, seconds_out);
}

static int turn_launch(struct pl_worker_objects *o)
{
	const struct pl_worker_driver *cu = &o->w->cu;
	void *arguments[] = { &o->word }, *event;
	int e = cu->launch(o->empty, 1, 1, 1, 32, 1, 1, 0, o->streams[0], arguments, NULL);

	if (!e)
		e = cu->event(&event, NO_TIMING);
	if (!e)
		e = cu->event_record(event, o->streams[0]);
	if (!e)
		e = cu->stream_wait(o->streams[1], event, 0);
	return e ? e : cu->event_destroy(event);
}

static int turn_alloc(struct pl_worker_objects *o)
{
	uint64_t mem;
	int e = o->w->cu.alloc(&mem, STEP_BYTES);

	return e ? e : o->w->cu.release(mem);
}

static int turn_post(struct pl_worker_objects *o)
{
	void *arguments[] = { &o->word };

	return o->w->cu.launch(o->empty, 1, 1, 1, 32, 1, 1, 0, o->streams[0], arguments, NULL);
}

static int turns(struct pl_worker_objects *o, const char *name, unsigned n)
{
	static const struct {
		const char *name;
		int (*turn)(struct pl_worker_objects *o);
	} loops[] = { { "launch", turn_launch }, { "alloc", turn_alloc }, { "post", turn_post } };
	int e = 0;

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		if (strcmp(loops[i].name, name))
			continue;
		for (unsigned k = 0; k < WARM_TURNS && !e; k++) /* the driver's own first times */
			e = loops[i].turn(o);
		if (!e)
			e = o->w->cu.context_sync();
		for (unsigned k = 0; k < n && !e; k++)
			e = loops[i].turn(o);
		if (!e)
			e = o->w->cu.context_sync();
		return e ? pl_worker_fail(o->w, name, e) : 0;
	}
	snprintf(o->w->error, sizeof(o->w->error), "unknown loop: %.100s", name);
	return -1;
}

int pl_worker_count(struct pl_worker *w, const char *name, unsigned n)
{
	struct pl_worker_objects objects = { 0 };
	int r = pl_worker_objects_init(&objects, w);

	if (!r && !strcmp(name, "step")) {
		r = steps(&objects, WARM_TURNS, NULL);
		if (!r)
			r = steps(&objects, n, NULL);
	} else if (!r) {
		r = turns(&objects, name, n);
	}
	pl_worker_objects_fini(&objects);
	pl_worker_close(w);
	return r;
}
