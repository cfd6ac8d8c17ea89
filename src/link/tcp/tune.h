/*
 * Whether another connection would carry more, or fewer would do: by how fast long payloads of one direction have been.
 * Pure arithmetic of what it is told; docs/adr/0030 says why so.  Zeros are the beginning.
 */
#ifndef PL_LINK_TCP_TUNE_H
#define PL_LINK_TCP_TUNE_H

#include <stdint.h>

struct pl_tune {
	uint64_t bytes, ns;   /* of the sample that is being taken */
	uint32_t connections; /* that it is of */
	uint32_t samples;     /* of so many connections, so far */
	uint64_t rate;        /* the best of those; bytes a millisecond */
	uint32_t fewer;       /* that were tried before them; 0 = none */
	uint64_t fewer_rate;  /* with those */
	uint32_t best;        /* until again_ns */
	uint64_t again_ns;    /* no others are tried before then; 0 = they may */
};

/** pl_tune_add() - a payload, or a part of one, has travelled
 * @connections: that it had, at least 1
 * @ns: that this end was at it
 * @now_ns: by any clock that goes on
 * Return: connections that are worth a try, those that there are, or fewer, which carried nearly as much. */
uint32_t pl_tune_add(struct pl_tune *tune, uint32_t connections, uint64_t bytes, uint64_t ns, uint64_t now_ns);

#endif
