#include "link/tcp/tune.h"

#include <stdbool.h>

#include "link/link.h"

#define SAMPLE_BYTES (8ull << 20) /* a sample is at least so much, and takes at least so long */
#define SAMPLE_NS    (20ull * 1000000u)
#define SAMPLES      2u       /* the best of them counts: others may have been on the path */
#define GAIN_PERCENT 115u     /* less than this is not worth a connection */
#define ENOUGH_RATE  1250000u /* bytes a millisecond, 10 Gb/s: who has so much is left alone, he could only lose */
#define AGAIN_NS     (300ull * 1000000000u)

/* What fewer carried still stands for comparison. */
static void begin(struct pl_tune *tune, uint32_t connections)
{
	bool more = tune->samples && connections > tune->connections;

	*tune = (struct pl_tune){ .connections = connections,
				  .fewer = more ? tune->connections : 0,
				  .fewer_rate = more ? tune->rate : 0 };
}

/* There are samples enough.  Return: those that there are carry so much more than fewer did that they are worth it. */
static bool helped(const struct pl_tune *tune)
{
	return !tune->fewer || tune->rate * 100 >= tune->fewer_rate * GAIN_PERCENT;
}

/* Return: connections that are best for now; or more, to be compared with those that there are. */
static uint32_t choose(struct pl_tune *tune, uint64_t now_ns)
{
	uint32_t twice = tune->connections * 2;

	if (helped(tune) && tune->connections < PL_LANE_CONNECTIONS_MAX && tune->rate < ENOUGH_RATE)
		return twice < PL_LANE_CONNECTIONS_MAX ? twice : PL_LANE_CONNECTIONS_MAX;
	tune->again_ns = now_ns + AGAIN_NS;
	tune->best = helped(tune) ? tune->connections : tune->fewer;
	return tune->best;
}

uint32_t pl_tune_add(struct pl_tune *tune, uint32_t connections, uint64_t bytes, uint64_t ns, uint64_t now_ns)
{
	uint64_t rate;

	if (tune->again_ns && now_ns < tune->again_ns &&
	    (connections == tune->connections || connections == tune->best))
		return tune->best;
	if (tune->again_ns && connections > tune->best) { /* it can not use fewer, and more are none the better */
		tune->again_ns = now_ns + AGAIN_NS;
		return tune->best;
	}
	if (tune->again_ns)
		tune->samples = 0; /* too old to compare with */
	if (tune->again_ns || connections != tune->connections)
		begin(tune, connections);
	tune->bytes += bytes;
	tune->ns += ns;
	if (tune->bytes < SAMPLE_BYTES || tune->ns < SAMPLE_NS)
		return connections;
	rate = tune->bytes / (tune->ns / 1000000u);
	tune->bytes = tune->ns = 0;
	if (rate > tune->rate)
		tune->rate = rate;
	return ++tune->samples < SAMPLES ? connections : choose(tune, now_ns);
}
