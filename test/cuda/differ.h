/*
 * Random sequences of calls, valid and not, that print the same with every driver that is right: see differ.c.
 * Objects lie in slots; a slot keeps the handle of what was destroyed, which is used on purpose.
 */
#ifndef PL_TEST_CUDA_DIFFER_H
#define PL_TEST_CUDA_DIFFER_H

#include <stdint.h>

#include "cu.h"

enum {
	SLOTS = 6,
	HOST_BYTES = 65536, /* of each of the program's own buffers */
	PRIMARY = SLOTS - 1 /* the slot of the primary context; the context in slot 0 is never destroyed */
};

enum slot_kind {
	CONTEXT,
	MODULE,
	FUNCTION,
	STREAM,
	EVENT,
	MEMORY,
	PINNED,
	POOL,
	ARRAY,
	TEXTURE,
	MANAGED,
	MIPMAP,
	LEVEL,
	SURFACE,
	TEXREF,
	GRAPH,
	NODE,
	EXEC,
	LIBRARY,
	KERNEL,
	MADE_GRAPH, /* of differ-nodes.c, which writes no memory but its own */
	MADE_NODE,
	MADE_EXEC,
	USER_OBJECT,
	RANGE,
	PART,
	KINDS
};

struct slot {
	uint64_t handle;
	size_t bytes; /* of memory and arrays */
	int owner;    /* slot of the context that was current; none: -1 */
	bool live;
	uint32_t serial; /* other for each object that ever was in it: handles may come again */
};

struct operation {
	const char *name;
	unsigned int weight;
	void (*run)(void);
};

extern struct slot slots[KINDS][SLOTS];
extern unsigned char host[SLOTS][HOST_BYTES];
extern const struct operation differ_memory[], differ_copy[], differ_objects[], differ_launch[], differ_graph[],
	differ_pool[], differ_library[], differ_nodes[], differ_execs[], differ_parts[], differ_managed[],
	differ_levels[], differ_streams[], differ_contexts[], differ_references[];

uint32_t pick(uint32_t count);
#define one_of(...)                                                                                                    \
	(((const uint64_t[]){ __VA_ARGS__ })[pick((uint32_t)(sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8))])
bool one_in(uint32_t count);

/* The line of a call: what is called, then what came of it, then what came out. */
void say(const char *name, const char *arguments, ...) __attribute__((format(printf, 2, 3)));
CUresult gave(CUresult r);
void out(const void *bytes, size_t count);
void out_number(const char *what, int64_t value);
#define CALL(function, arguments, ...) (say(#function, __VA_ARGS__), gave(cu(function) arguments))

/* Any slot of a kind, living or not; where one lives it is likelier. */
int any(enum slot_kind kind);
int living(enum slot_kind kind); /* -1: none */
/* A slot for a new object; -1 where all are taken. */
int room(enum slot_kind kind);
void made(enum slot_kind kind, int i, CUresult r, uint64_t handle, size_t bytes);
void gone(enum slot_kind kind, int i);
/* The slot whose handle that is, whether it lives or not; -1: none of ours. */
int which(enum slot_kind kind, uint64_t handle);
/* All that belongs to a context went with it. */
void context_gone(int i);
int current(void);

#define handle_of(kind, i, type) ((type)(uintptr_t)slots[kind][i].handle)
/* A stream: one of the slots, or one that has a name.  Its number in the text: negative for those. */
CUstream any_stream(int *number);
/* What an address is told to be; addresses by their distance from `at`. */
void show_pointer(const char *name, int i, CUdeviceptr at, size_t offset);
/* What is looked at first is nobody's business: of a call one thing may be wrong.  So, a stream that is right. */
CUstream right_stream(int *number);
/* NULL, now and then, where the object and the context are right; else where the result goes. */
void *perhaps_null(void *to, bool right, uint32_t count);
/* Memory of the current context that is at least so large; -1: none. */
int memory_of(size_t bytes);
/* Waits for the stream, then shows what is in memory of the current context. */
void settle(CUstream stream, int memory);
#endif
