/*
 * latency.h: latencies in milliseconds to logarithmic buckets and back.
 *
 * Pure C, no server calls. Bucket i holds [1.02^i, 1.02^(i+1)) microseconds, so
 * its harmonic middle is within 1/101 of all it holds (DDSketch, Masson, Rim and
 * Lee, VLDB 2019). The bounds come from repeated IEEE multiplication and not
 * from a logarithm: they are the same on every machine.
 */
#ifndef SR_LATENCY_H
#define SR_LATENCY_H

#include <stdint.h>
#include <string.h>

#define LATENCY_MIN_MS 0.001	/* 1 microsecond; below: SR_LATENCY_ZERO */
#define LATENCY_MAX_MS 3600000.0	/* 1 hour; above: SR_LATENCY_OVERFLOW */
#define LATENCY_BUCKETS 1112

#define SR_LATENCY_ZERO (-1)
#define SR_LATENCY_OVERFLOW LATENCY_BUCKETS

/*
 * A cell of the lookup table is an exponent and six bits of mantissa: narrower
 * than any bucket, so that it meets at most two of them.
 */
#define LATENCY_CELL_BITS 6
#define LATENCY_CELL_SHIFT (52 - LATENCY_CELL_BITS)
#define LATENCY_FIRST_CELL (UINT64_C(0x3f50624dd2f1a9fc) >> LATENCY_CELL_SHIFT)	/* of 0.001 */
#define LATENCY_LAST_CELL (UINT64_C(0x414b774000000000) >> LATENCY_CELL_SHIFT)	/* of 3.6e6 */
#define LATENCY_CELLS (LATENCY_LAST_CELL - LATENCY_FIRST_CELL + 1)

typedef struct LatencyTable
{
	double		bound[LATENCY_BUCKETS + 1]; /* ms; bucket i: [bound[i], bound[i + 1]) */
	uint16_t	cell[LATENCY_CELLS];	/* bucket of the cell's lowest value */
} LatencyTable;

extern LatencyTable sr_latency;

extern void sr_latency_init(void);
extern double sr_latency_value(int bucket);

/* The bucket of a latency ≥ 0 in ms, SR_LATENCY_ZERO or SR_LATENCY_OVERFLOW. */
static inline int
sr_latency_bucket(double ms)
{
	uint64_t	bits;
	int			bucket;

	if (ms < LATENCY_MIN_MS)
		return SR_LATENCY_ZERO;
	if (ms > LATENCY_MAX_MS)
		return SR_LATENCY_OVERFLOW;
	memcpy(&bits, &ms, sizeof(bits));
	bucket = sr_latency.cell[(bits >> LATENCY_CELL_SHIFT) - LATENCY_FIRST_CELL];
	return bucket + (ms >= sr_latency.bound[bucket + 1]);
}

#endif							/* SR_LATENCY_H */
