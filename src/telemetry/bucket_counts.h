/*
 * bucket_counts.h: how many latencies are in each bucket, in as few bytes as that takes.
 */
#ifndef SR_BUCKET_COUNTS_H
#define SR_BUCKET_COUNTS_H

#include "telemetry/bits.h"
#include "telemetry/latency.h"

#define BUCKET_STEP 64			/* they grow by so many at a time */

/* The counts of the buckets from first_bucket on, as narrow as they can be. */
typedef struct BucketCounts
{
	MemoryContext context;		/* of data */
	void	   *data;
	int32		first_bucket;
	int32		count;			/* of buckets */
	int32		width;			/* bytes of a count: 1, 2, 4 or 8 */
} BucketCounts;

extern void sr_bucket_grow(BucketCounts *counts, int bucket, uint64 count);
extern void sr_bucket_add_all(BucketCounts *counts, const BucketCounts *more);
extern uint64 sr_buckets_occupied(const BucketCounts *counts);
extern void sr_buckets_write(const BucketCounts *counts, BitWriter *out);

/* The count at an index. */
static inline uint64
sr_bucket_count(const BucketCounts *counts, int index)
{
	switch (counts->width)
	{
		case 1:
			return ((const uint8 *) counts->data)[index];
		case 2:
			return ((const uint16 *) counts->data)[index];
		case 4:
			return ((const uint32 *) counts->data)[index];
		default:
			return ((const uint64 *) counts->data)[index];
	}
}

/* Sets the count at an index, which is wide enough. */
static inline void
sr_bucket_set(BucketCounts *counts, int index, uint64 count)
{
	switch (counts->width)
	{
		case 1:
			((uint8 *) counts->data)[index] = (uint8) count;
			break;
		case 2:
			((uint16 *) counts->data)[index] = (uint16) count;
			break;
		case 4:
			((uint32 *) counts->data)[index] = (uint32) count;
			break;
		default:
			((uint64 *) counts->data)[index] = count;
			break;
	}
}

/* Are the counts wide enough for this one? */
static inline bool
sr_bucket_fits(const BucketCounts *counts, uint64 count)
{
	return counts->width == 8 || count >> (8 * counts->width) == 0;
}

/* Adds to the count of a bucket. */
static inline void
sr_bucket_add(BucketCounts *counts, int bucket, uint64 count)
{
	int			index = bucket - counts->first_bucket;

	if (unlikely(index < 0 || index >= counts->count))
		sr_bucket_grow(counts, bucket, count);
	else
	{
		count += sr_bucket_count(counts, index);
		if (unlikely(!sr_bucket_fits(counts, count)))
			sr_bucket_grow(counts, bucket, count);
	}
	sr_bucket_set(counts, bucket - counts->first_bucket, count);
}

#endif							/* SR_BUCKET_COUNTS_H */
