/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurements.  Each fills seconds per operation; what is prepared or checked around an operation is not timed.
 * Data that was moved is compared once per command, so a fast wrong answer is an error and not a figure.
 */
#include "worker.h"

#include "../exec.h"
#include "../vmcuda/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POST_BATCH  100u
#define RATE_BATCH  10000u
#define ALLOC_BATCH 100u
#define ALLOC_BYTES ((size_t)1 << 20)
#define COPY_MAX    ((size_t)1 << 30) /* limit: bytes of one copy */

int pl_worker_objects_init(struct pl_worker_objects *objects, struct pl_worker *w)
{
	int e;

	*objects = (struct pl_worker_objects){ .w = w };
	if (pl_worker_open(w))
		return -1;
	e = w->cu.module_load(&objects->module, pl_vmcuda_ptx);
	if (!e)
		e = w->cu.function(&objects->empty, objects->module, "vm_empty");
	if (!e)
		e = w->cu.function(&objects->add, objects->module, "vm_add");
	if (!e)
		e = w->cu.function(&objects->axpy, objects->module, "vm_axpy");
	for (int i = 0; i < 3 && !e; i++)
		e = w->cu.stream(&objects->streams[i], 0);
	if (!e)
		e = w->cu.alloc(&objects->word, 256);
	if (!e)
		e = w->cu.fill_async(objects->word, 0, 64, NULL);
	return e ? pl_worker_fail(w, "a module, a stream or memory", e) : 0;
}

void pl_worker_objects_fini(struct pl_worker_objects *objects)
{
	struct pl_worker *w = objects->w;

	for (int i = 0; i < 3; i++)
		if (objects->streams[i])
			w->cu.stream_destroy(objects->streams[i]);
	if (objects->word)
		w->cu.release(objects->word);
	if (objects->module)
		w->cu.module_unload(objects->module);
}

static int empty(struct pl_worker_objects *o)
{
	void *arguments[] = { &o->word };

	return o->w->cu.launch(o->empty, 1, 1, 1, 32, 1, 1, 0, o->streams[0], arguments, NULL);
}

static int launch_sync(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	int e = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		e = empty(o);
		if (!e)
			e = o->w->cu.stream_sync(o->streams[0]);
		out[i] = pl_worker_now() - t;
	}
	return e ? pl_worker_fail(o->w, "empty kernel + cuStreamSynchronize", e) : 0;
}

static int sync_empty(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	int e = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		e = o->w->cu.stream_sync(o->streams[0]);
		out[i] = pl_worker_now() - t;
	}
	return e ? pl_worker_fail(o->w, "cuStreamSynchronize", e) : 0;
}

/* The client's time alone: the kernels end outside of the clock. */
static int launch_post(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	int e = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		for (unsigned k = 0; k < POST_BATCH && !e; k++)
			e = empty(o);
		out[i] = (pl_worker_now() - t) / POST_BATCH;
		if (!e)
			e = o->w->cu.stream_sync(o->streams[0]);
	}
	return e ? pl_worker_fail(o->w, "empty kernels", e) : 0;
}

static int launch_rate(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	int e = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		for (unsigned k = 0; k < RATE_BATCH && !e; k++)
			e = empty(o);
		if (!e)
			e = o->w->cu.stream_sync(o->streams[0]);
		out[i] = (pl_worker_now() - t) / RATE_BATCH;
	}
	return e ? pl_worker_fail(o->w, "10000 empty kernels + cuStreamSynchronize", e) : 0;
}

static int rw4(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	const struct pl_worker_driver *cu = &o->w->cu;
	uint32_t one = 1;
	void *arguments[] = { &o->word, &one };
	int e = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		uint32_t in = 40 + i, got = 0;
		double t = pl_worker_now();

		e = cu->to_device(o->word, &in, sizeof(in));
		if (!e)
			e = cu->launch(o->add, 1, 1, 1, 32, 1, 1, 0, NULL, arguments, NULL);
		if (!e)
			e = cu->to_host(&got, o->word, sizeof(got));
		out[i] = pl_worker_now() - t;
		if (!e && got != in + 1) {
			snprintf(o->w->error, sizeof(o->w->error), "wrong answer: %u + 1 = %u", in, got);
			return -1;
		}
	}
	return e ? pl_worker_fail(o->w, "copy 4 B, kernel, copy 4 B back", e) : 0;
}

static int alloc_free(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	int e = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		for (unsigned k = 0; k < ALLOC_BATCH && !e; k++) {
			uint64_t mem;

			e = o->w->cu.alloc(&mem, ALLOC_BYTES);
			if (!e)
				e = o->w->cu.release(mem);
		}
		out[i] = (pl_worker_now() - t) / ALLOC_BATCH;
	}
	return e ? pl_worker_fail(o->w, "cuMemAlloc + cuMemFree", e) : 0;
}

static int module_time(struct pl_worker *w, const char *image, double *out)
{
	void *module, *function;
	double t = pl_worker_now();
	int e = w->cu.module_load(&module, image);

	if (!e)
		e = w->cu.function(&function, module, "vm_binomial");
	*out = pl_worker_now() - t;
	if (!e)
		e = w->cu.module_unload(module);
	return e ? pl_worker_fail(w, "cuModuleLoadData", e) : 0;
}

static int module_load(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	int r = 0;

	(void)bytes;
	for (unsigned i = 0; i < n && !r; i++)
		r = module_time(o->w, pl_vmcuda_ptx, &out[i]);
	return r;
}

/* A comment makes each text one that no cache has seen. */
static int module_load_new(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	size_t room = strlen(pl_vmcuda_ptx) + 64;
	char *text = malloc(room);
	int r = text ? 0 : pl_worker_fail(o->w, "malloc", 2);

	(void)bytes;
	for (unsigned i = 0; i < n && !r; i++) {
		snprintf(text, room, "%s\n// %.9f %u\n", pl_vmcuda_ptx, pl_worker_now(), i);
		r = module_time(o->w, text, &out[i]);
	}
	free(text);
	return r;
}

static int first_context(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	char option[] = "--first";
	char *argv[] = { NULL, option, NULL };

	(void)bytes;
	return pl_bench_exec_self(argv, n, out, o->w->error, sizeof(o->w->error));
}

static int eager_step(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	(void)bytes;
	return pl_worker_step(o, n, out);
}

struct copy {
	struct pl_worker_objects *o;
	size_t bytes;
	bool pinned;
	void *host;
	uint64_t mem;
};

/* Until the bytes are there: a copy from pageable memory may return before. */
static int copy_once(const struct copy *c, bool in)
{
	const struct pl_worker_driver *cu = &c->o->w->cu;
	void *stream = c->o->streams[0];
	int e;

	if (c->pinned) {
		e = in ? cu->to_device_async(c->mem, c->host, c->bytes, stream)
		       : cu->to_host_async(c->host, c->mem, c->bytes, stream);
		return e ? e : cu->stream_sync(stream);
	}
	if (!in)
		return cu->to_host(c->host, c->mem, c->bytes);
	e = cu->to_device(c->mem, c->host, c->bytes);
	return e ? e : cu->stream_sync(NULL);
}

static int copy_make(struct copy *c)
{
	struct pl_worker *w = c->o->w;
	int e = 0;

	if (c->pinned)
		e = w->cu.host_alloc(&c->host, c->bytes);
	else
		c->host = malloc(c->bytes);
	if (!e)
		e = c->host ? w->cu.alloc(&c->mem, c->bytes) : 2;
	return e ? pl_worker_fail(w, "host or device memory for a copy", e) : 0;
}

static void copy_fini(struct copy *c)
{
	if (c->mem)
		c->o->w->cu.release(c->mem);
	if (c->pinned && c->host)
		c->o->w->cu.host_release(c->host);
	else
		free(c->host);
}

/* What a link that compresses can make no shorter. */
static uint64_t noise(uint64_t at, uint64_t seed)
{
	uint64_t z = (at + seed) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void pattern(uint8_t *p, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		uint64_t word = noise(i, seed);

		memcpy(p + i, &word, bytes - i < sizeof(word) ? bytes - i : sizeof(word));
	}
}

static bool pattern_is(const uint8_t *p, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		uint64_t word = noise(i, seed);

		if (memcmp(p + i, &word, bytes - i < sizeof(word) ? bytes - i : sizeof(word)))
			return false;
	}
	return true;
}

/* A link that opens more connections where one cannot fill the path does so at the first long copies. */
#define WARM_COPIES 16u
#define WARM_BYTES  ((size_t)16 << 20)

static int copy_timed(struct copy *c, bool in, unsigned n, double *out)
{
	struct pl_worker *w = c->o->w;
	int e = 0;

	pattern(c->host, c->bytes, 3);
	for (unsigned i = 0; i < WARM_COPIES && !e && (!i || i * c->bytes < WARM_BYTES); i++)
		e = copy_once(c, true);
	for (unsigned i = 0; i < n && !e; i++) {
		double t = pl_worker_now();

		e = copy_once(c, in);
		out[i] = pl_worker_now() - t;
	}
	memset(c->host, 0, c->bytes);
	if (!e)
		e = copy_once(c, false);
	if (e)
		return pl_worker_fail(w, "a copy", e);
	if (pattern_is(c->host, c->bytes, 3))
		return 0;
	snprintf(w->error, sizeof(w->error), "wrong data after copies of %zu bytes", c->bytes);
	return -1;
}

static int copy(struct pl_worker_objects *o, size_t bytes, bool pinned, bool in, unsigned n, double *out)
{
	struct copy c = { .o = o, .bytes = bytes, .pinned = pinned };
	int r = copy_make(&c);

	if (!r)
		r = copy_timed(&c, in, n, out);
	copy_fini(&c);
	return r;
}

static int h2d_pinned(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	return copy(o, bytes, true, true, n, out);
}

static int d2h_pinned(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	return copy(o, bytes, true, false, n, out);
}

static int h2d_pageable(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	return copy(o, bytes, false, true, n, out);
}

static int d2h_pageable(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out)
{
	return copy(o, bytes, false, false, n, out);
}

static const struct {
	const char *name; /* a prefix where it ends in '_': the bytes follow */
	int (*run)(struct pl_worker_objects *o, size_t bytes, unsigned n, double *out);
} runs[] = {
	{ "launch_sync", launch_sync },
	{ "launch_post", launch_post },
	{ "launch_rate", launch_rate },
	{ "sync_empty", sync_empty },
	{ "copy4_kernel", rw4 },
	{ "alloc_free", alloc_free },
	{ "module_load", module_load },
	{ "module_load_new", module_load_new },
	{ "first_context", first_context },
	{ "eager_step", eager_step },
	{ "h2d_pinned_", h2d_pinned },
	{ "d2h_pinned_", d2h_pinned },
	{ "h2d_pageable_", h2d_pageable },
	{ "d2h_pageable_", d2h_pageable },
};

/* Return: is this the measurement's name?  @bytes_out is set for one with a size. */
static bool name_is(const char *pattern_name, const char *name, size_t *bytes_out)
{
	size_t n = strlen(pattern_name);
	char *end;

	*bytes_out = 0;
	if (pattern_name[n - 1] != '_')
		return !strcmp(pattern_name, name);
	if (strncmp(pattern_name, name, n))
		return false;
	*bytes_out = strtoull(name + n, &end, 10);
	return end != name + n && !*end && *bytes_out && *bytes_out <= COPY_MAX;
}

static int named(struct pl_worker_objects *objects, const char *name, unsigned n, double *seconds_out)
{
	size_t bytes;

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (name_is(runs[i].name, name, &bytes))
			return runs[i].run(objects, bytes, n, seconds_out);
	snprintf(objects->w->error, sizeof(objects->w->error), "unknown measurement: %.100s", name);
	return -1;
}

int pl_worker_measure(struct pl_worker *w, const char *name, unsigned n, double *seconds_out)
{
	struct pl_worker_objects objects;
	int r = pl_worker_kernel(w, name, n, seconds_out);

	if (r <= 0)
		return r;
	r = pl_worker_objects_init(&objects, w);
	if (!r)
		r = named(&objects, name, n, seconds_out);
	if (w->ready)
		pl_worker_objects_fini(&objects);
	return r;
}
