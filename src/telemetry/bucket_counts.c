/*
 * bucket_counts.c: growing, merging and writing of the counts of latency buckets.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/memutils.h"

#include "telemetry/bucket_counts.h"

/* Makes counts that hold this one too. */
void
sr_bucket_grow(BucketCounts *counts, int bucket, uint64 count)
{
	BucketCounts old = *counts;
	int			first = bucket / BUCKET_STEP * BUCKET_STEP;
	int			end = first + BUCKET_STEP;

	if (old.count > 0)
	{
		first = Min(first, old.first_bucket);
		end = Max(end, old.first_bucket + old.count);
	}
	counts->first_bucket = first;
	counts->count = end - first;
	while (!sr_bucket_fits(counts, count))
		counts->width *= 2;
	counts->data = MemoryContextAllocZero(counts->context, (Size) counts->count * counts->width);
	for (int i = 0; i < old.count; i++)
		sr_bucket_set(counts, old.first_bucket + i - first, sr_bucket_count(&old, i));
	if (old.data)
		pfree(old.data);
}

/* Adds other counts. */
void
sr_bucket_add_all(BucketCounts *counts, const BucketCounts *more)
{
	for (int i = 0; i < more->count; i++)
	{
		uint64		count = sr_bucket_count(more, i);

		if (count > 0)
			sr_bucket_add(counts, more->first_bucket + i, count);
	}
}

/* How many buckets are not empty. */
uint64
sr_buckets_occupied(const BucketCounts *counts)
{
	uint64		occupied = 0;

	for (int i = 0; i < counts->count; i++)
		occupied += sr_bucket_count(counts, i) > 0;
	return occupied;
}

/* Writes those that are not empty: the distance from the one before, and the count. */
void
sr_buckets_write(const BucketCounts *counts, BitWriter *out)
{
	int			before = -1;

	for (int i = 0; i < counts->count; i++)
	{
		uint64		count = sr_bucket_count(counts, i);

		if (count == 0)
			continue;
		sr_bits_put_gamma(out, (uint64) (counts->first_bucket + i - before));
		sr_bits_put_gamma(out, count);
		before = counts->first_bucket + i;
	}
}
