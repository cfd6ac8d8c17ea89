#include "link/tcp/tune.h"

#include "link/link.h"

#define SAMPLE_BYTES (8ull << 20) /* a sample is at least so much, and takes at least so long */
#define SAMPLE_NS    (20ull * 1000000u)
#define SAMPLES      2u       /* the best of them counts: others may have been on the path */
#define GAIN_PERCENT 115u     /* less than this is not worth a connection */
#define ENOUGH_RATE  1250000u /* bytes a millisecond, 10 Gb/s: who has so much is left alone, he could only lose */
#define AGAIN_NS     (300ull * 1000000000u)

static void begin(struct pl_tune *tune, uint32_t connections, uint64_t fewer_rate)
{
	*tune = (struct pl_tune){ .connections = connections, .fewer_rate = fewer_rate };
}

/* There are samples enough.  Return: more are worth a try. */
static bool helped(const struct pl_tune *tune)
{
	return tune->connections < PL_LANE_CONNECTIONS_MAX && tune->rate < ENOUGH_RATE &&
	       (!tune->fewer_rate || tune->rate * 100 >= tune->fewer_rate * GAIN_PERCENT);
}

uint32_t pl_tune_add(struct pl_tune *tune, uint32_t connections, uint64_t bytes, uint64_t ns, uint64_t now_ns)
{
	uint64_t rate;

	if (connections != tune->connections)
		begin(tune, connections, tune->samples ? tune->rate : 0);
	if (tune->again_ns && now_ns < tune->again_ns)
		return connections;
	if (tune->again_ns)
		begin(tune, connections, 0);
	tune->bytes += bytes;
	tune->ns += ns;
	if (tune->bytes < SAMPLE_BYTES || tune->ns < SAMPLE_NS)
		return connections;
	rate = tune->bytes / (tune->ns / 1000000u);
	tune->bytes = tune->ns = 0;
	if (rate > tune->rate)
		tune->rate = rate;
	if (++tune->samples < SAMPLES)
		return connections;
	if (helped(tune))
		return connections * 2 < PL_LANE_CONNECTIONS_MAX ? connections * 2 : PL_LANE_CONNECTIONS_MAX;
	tune->again_ns = now_ns + AGAIN_NS;
	return connections;
}
