/* What sessions do now: the differences of two of a server's answers. */
#ifndef PL_TOOLS_RATES_H
#define PL_TOOLS_RATES_H

#include <stddef.h>
#include <stdint.h>

struct json_object;

struct pl_rate { /* a second */
	struct json_object *session; /* borrowed from the later answer */
	uint64_t id;
	double calls, asks, in_bytes, out_bytes;
};

/** pl_rates_make() - those of the later list's sessions, the busiest first
 * A session that began in between has its whole; a count that went back is none.
 * @before:    an earlier list; NULL = all began in between
 * @seconds:   between them
 * @rates_out: to be free()d
 * Return: how many there are; -1: no memory. */
long pl_rates_make(struct json_object *before, struct json_object *now, double seconds, struct pl_rate **rates_out);

#endif
