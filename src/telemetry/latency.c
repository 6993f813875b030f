/*
 * latency.c: the bounds of the latency buckets and the table that finds them.
 */
#include "telemetry/latency.h"

#define GAMMA 1.02

LatencyTable sr_latency;

/* Fills sr_latency; harmless when called again. */
void
sr_latency_init(void)
{
	double		bound = LATENCY_MIN_MS;
	int			bucket = 0;

	if (sr_latency.bound[LATENCY_BUCKETS] != 0)
		return;

	for (int i = 0; i < LATENCY_BUCKETS; i++)
	{
		sr_latency.bound[i] = bound;
		bound *= GAMMA;
	}

	for (uint64_t i = 0; i < LATENCY_CELLS; i++)
	{
		uint64_t	bits = (LATENCY_FIRST_CELL + i) << LATENCY_CELL_SHIFT;
		double		lowest;

		memcpy(&lowest, &bits, sizeof(lowest));
		while (bucket + 1 < LATENCY_BUCKETS && sr_latency.bound[bucket + 1] <= lowest)
			bucket++;
		sr_latency.cell[i] = bucket;
	}

	/* last, because it says that all is done */
	sr_latency.bound[LATENCY_BUCKETS] = bound;
}

/* The value in ms that is within 1/101 of everything in the bucket. */
double
sr_latency_value(int bucket)
{
	double		low = sr_latency.bound[bucket];
	double		high = sr_latency.bound[bucket + 1];

	return 2 * low * high / (low + high);
}
