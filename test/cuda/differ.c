/*
 * Random sequences of calls of the driver API, valid and not: `differ SEED COUNT` prints a line a call, with its
 * arguments by the numbers of slots, its result and sums of all that came out.  What a driver answers here must not
 * depend on the way to it, so test/integration/test_differ.py demands the same lines natively and over a server.
 *
 * Left out, because it may differ:
 * - when the errors of work arrive that runs: everything asynchronous is waited for by the call behind it;
 * - what is in memory that nobody has written: all memory is filled when it is made;
 * - what is at an address after its memory was freed and other memory was made: it is used right behind the free only;
 * - mapped host memory: over tcp there is none, and the attributes say so.
 */
#include <stdarg.h>

#include "differ.h"

struct slot slots[KINDS][SLOTS];
unsigned char host[SLOTS][HOST_BYTES];

static uint64_t state;
static unsigned int lines;

uint32_t pick(uint32_t count)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % count;
}

bool one_in(uint32_t count)
{
	return pick(count) == 0;
}

void say(const char *name, const char *arguments, ...)
{
	va_list list;
	printf("%s%5u %s(", lines ? "\n" : "", lines, name);
	va_start(list, arguments);
	vprintf(arguments, list);
	va_end(list);
	printf(")");
	fflush(stdout); /* so that the last line names the call that a driver did not survive */
	lines++;
}

CUresult gave(CUresult r)
{
	printf(" = %d", (int)r);
	return r;
}

void out(const void *bytes, size_t count)
{
	const unsigned char *at = bytes;
	uint32_t sum = 2166136261u;
	for (size_t i = 0; i < count; i++)
		sum = (sum ^ at[i]) * 16777619u;
	printf(" #%08x", sum);
}

void out_number(const char *what, int64_t value)
{
	printf(" %s %lld", what, (long long)value);
}

int living(enum slot_kind kind)
{
	int at = (int)pick(SLOTS);
	for (int i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS)
		if (slots[kind][at].live)
			return at;
	return -1;
}

int any(enum slot_kind kind)
{
	int at = one_in(8) ? -1 : living(kind);
	return at < 0 ? (int)pick(SLOTS) : at;
}

int room(enum slot_kind kind)
{
	int at = (int)pick(SLOTS);
	for (int i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS)
		if (!slots[kind][at].live && !(kind == CONTEXT && at == PRIMARY))
			return at;
	return -1;
}

void made(enum slot_kind kind, int i, CUresult r, uint64_t handle, size_t bytes)
{
	static uint32_t serial;
	if (r != CUDA_SUCCESS) {
		out_number("made", 0);
		return;
	}
	out_number("made", handle != 0);
	slots[kind][i] =
		(struct slot){ .handle = handle, .bytes = bytes, .owner = current(), .live = true, .serial = ++serial };
}

void gone(enum slot_kind kind, int i)
{
	slots[kind][i].live = false;
	if (kind == MEMORY || kind == PINNED || kind == NODE || kind == MANAGED || kind == RANGE)
		slots[kind][i].handle = 0;
}

int which(enum slot_kind kind, uint64_t handle)
{
	for (int i = 0; i < SLOTS; i++)
		if (handle && slots[kind][i].handle == handle)
			return i;
	return -1;
}

int current(void)
{
	CUcontext ctx = NULL;
	cu(cuCtxGetCurrent)(&ctx);
	return which(CONTEXT, (uint64_t)(uintptr_t)ctx);
}

void context_gone(int i)
{
	for (enum slot_kind kind = MODULE; kind < KINDS; kind++)
		for (int at = 0; at < SLOTS; at++)
			if (slots[kind][at].owner == i && slots[kind][at].live && kind < GRAPH) {
				gone(kind, at);
				/* Left out: a texture of an array that went with its context. */
				if (kind == ARRAY)
					slots[kind][at].handle = 0;
			}
}

CUstream any_stream(int *number)
{
	uint32_t what = pick(8);
	if (what < 3) {
		*number = -(int)what - 1;
		return (CUstream)(uintptr_t)what;
	}
	*number = any(STREAM);
	return handle_of(STREAM, *number, CUstream);
}

int memory_of(size_t bytes)
{
	int here = current(), at = (int)pick(SLOTS);
	for (int i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS)
		if (slots[MEMORY][at].live && slots[MEMORY][at].owner == here && slots[MEMORY][at].bytes >= bytes)
			return at;
	return -1;
}

CUstream right_stream(int *number)
{
	CUstream stream = any_stream(number);
	if (*number < 0 || slots[STREAM][*number].live)
		return stream;
	*number = -1;
	return NULL;
}

void *perhaps_null(void *to, bool right, uint32_t count)
{
	return one_in(count) && right && current() >= 0 ? NULL : to;
}

void settle(CUstream stream, int memory)
{
	static unsigned char back[8 * HOST_BYTES];
	size_t bytes;
	CALL(cuStreamSynchronize, (stream), "same");
	if (memory < 0 || !slots[MEMORY][memory].live || slots[MEMORY][memory].owner != current())
		return;
	bytes = slots[MEMORY][memory].bytes < sizeof(back) ? slots[MEMORY][memory].bytes : sizeof(back);
	memset(back, 0xcc, bytes);
	CALL(cuMemcpyDtoH_v2, (back, slots[MEMORY][memory].handle, bytes), "back, m%d, %zu", memory, bytes);
	out(back, bytes);
}

static void run_one(const struct operation *const tables[], unsigned int weights)
{
	uint32_t at = pick(weights);
	for (unsigned int t = 0; tables[t]; t++)
		for (const struct operation *op = tables[t]; op->run; op++) {
			if (at < op->weight) {
				op->run();
				return;
			}
			at -= op->weight;
		}
}

int main(int argc, char **argv)
{
	const struct operation *const tables[] = { differ_memory,  differ_copy,     differ_objects,    differ_launch,
						   differ_graph,   differ_pool,     differ_library,    differ_nodes,
						   differ_execs,   differ_parts,    differ_managed,    differ_levels,
						   differ_streams, differ_contexts, differ_references, NULL };
	unsigned int weights = 0;
	CUdeviceptr at = 0;
	CUevent event = NULL;
	CUcontext ctx;
	CUresult r;
	if (argc != 3) {
		fprintf(stderr, "usage: %s SEED COUNT\n", argv[0]);
		return 2;
	}
	state = 0x9e3779b97f4a7c15ull * (strtoull(argv[1], NULL, 10) + 1);
	for (int i = 0; i < SLOTS; i++)
		for (int byte = 0; byte < HOST_BYTES; byte++)
			host[i][byte] = (unsigned char)(i * 31 + byte * 7 + byte / 251);
	for (unsigned int t = 0; tables[t]; t++)
		for (const struct operation *op = tables[t]; op->run; op++)
			weights += op->weight;
	ctx = cu_begin();
	slots[CONTEXT][0] = (struct slot){ .handle = (uint64_t)(uintptr_t)ctx, .owner = -1, .live = true };
	r = CALL(cuMemAlloc_v2, (&at, HOST_BYTES), "m0, %d", HOST_BYTES);
	made(MEMORY, 0, r, at, HOST_BYTES);
	CALL(cuMemsetD8_v2, (at, 1, HOST_BYTES), "m0");
	CALL(cuCtxSynchronize, (), " ");
	r = CALL(cuEventCreate, (&event, 0), "e0");
	made(EVENT, 0, r, (uint64_t)(uintptr_t)event, 0);
	for (unsigned long i = 0, count = strtoul(argv[2], NULL, 10); i < count; i++) {
		run_one(tables, weights);
		if (one_in(4))
			CALL(cuCtxSetCurrent, (ctx), "c0");
	}
	CALL(cuCtxSetCurrent, (ctx), "c0");
	CALL(cuCtxSynchronize, (), " ");
	puts("");
	return 0;
}
