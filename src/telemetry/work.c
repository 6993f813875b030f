/*
 * work.c: response times over work instead of over rows, so that many small quick
 * answers do not hide a large slow one; and quantiles that know of the good samples
 * whose time nobody measured.
 */
#include "postgres.h"

#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "utils/timestamp.h"

#include "telemetry/latency.h"
#include "telemetry/telemetry.h"

SR_FUNCTION(sr_work_summary);
SR_FUNCTION(sr_telemetry_response_time_untimed);

/* work_summary(latency_ms, work, slot): a summary without slots of work good samples */
Datum
sr_work_summary(PG_FUNCTION_ARGS)
{
	Interval   *slot;
	int64		work;
	int64		slot_us;
	double		latency = 0;
	int			bucket = SR_LATENCY_ZERO;
	bool		timed = !PG_ARGISNULL(0);
	BitWriter	bits = {0};

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	work = PG_GETARG_INT64(1);
	slot = PG_GETARG_INTERVAL_P(2);
	if (work <= 0)
		PG_RETURN_NULL();
	if (slot->month != 0 || pg_mul_s64_overflow(slot->day, USECS_PER_DAY, &slot_us) ||
		pg_add_s64_overflow(slot_us, slot->time, &slot_us) || slot_us <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slot of a work summary is not above 0 or has no fixed length")));
	if (timed)
	{
		latency = PG_GETARG_FLOAT8(0);
		if (!(latency >= 0 && latency <= DBL_MAX))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("latency of %s ms is not a finite number of at least 0", double_to_shortest_decimal(latency))));
		sr_latency_init();
		bucket = sr_latency_bucket(latency);
	}

	sr_bits_put_gamma(&bits, 0 + 1);	/* no segment of slots */
	sr_bits_put_gamma(&bits, (timed && bucket == SR_LATENCY_ZERO ? (uint64) work : 0) + 1);
	sr_bits_put_gamma(&bits, (timed && bucket == SR_LATENCY_OVERFLOW ? (uint64) work : 0) + 1);
	sr_bits_put_gamma(&bits, (timed && bucket >= 0 && bucket < LATENCY_BUCKETS ? 1 : 0) + 1);
	if (timed)
	{
		sr_bits_put_double(&bits, latency);
		sr_bits_put_double(&bits, latency);
		if (bucket >= 0 && bucket < LATENCY_BUCKETS)
		{
			sr_bits_put_gamma(&bits, (uint64) bucket + 1);
			sr_bits_put_gamma(&bits, (uint64) work);
		}
	}
	PG_RETURN_POINTER(sr_summary_build(slot_us, work, 0, &bits));
}

/*
 * response_time(telemetry_summary, quantile, untimed_ms): nearest rank over all good
 * samples, those without a time having untimed_ms; NULL without a good sample
 */
Datum
sr_telemetry_response_time_untimed(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	double		quantile = PG_GETARG_FLOAT8(1);
	double		untimed_ms = PG_GETARG_FLOAT8(2);
	uint64		good = (uint64) (summary->samples - summary->errors);
	uint64		untimed;
	uint64		timed;
	uint64		below = 0;
	bool		met = false;	/* the untimed ones are among those below */
	double		target;
	SlotReader	slots;
	LatencyReader latencies;
	LatencyReader scan;

	if (!(quantile >= 0 && quantile <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantile %s is not between 0 and 1", double_to_shortest_decimal(quantile))));
	if (!(untimed_ms >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("latency of %s ms is not at least 0", double_to_shortest_decimal(untimed_ms))));
	if (good == 0)
		PG_RETURN_NULL();

	sr_latency_init();
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	sr_latencies_begin(&latencies, &slots);
	timed = latencies.zero + latencies.overflow;
	scan = latencies;
	while (sr_latencies_next(&scan))
		timed += scan.count;
	untimed = good > timed ? good - timed : 0;
	target = Max(ceil(quantile * (double) good), 1);

	below = latencies.zero;
	if ((double) below >= target)
		PG_RETURN_FLOAT8(latencies.min);
	for (;;)
	{
		bool		more = sr_latencies_next(&latencies);
		double		value = !more ? latencies.max :
			Max(latencies.min, Min(sr_latency_value(latencies.bucket), latencies.max));

		if (!met && untimed > 0 && (value > untimed_ms || (!more && latencies.overflow == 0)))
		{
			met = true;
			below += untimed;
			if ((double) below >= target)
				PG_RETURN_FLOAT8(untimed_ms);
		}
		if (!more)
			break;
		below += latencies.count;
		if ((double) below >= target)
			PG_RETURN_FLOAT8(value);
	}
	/* what took more than an hour, and the untimed ones, should they be slower still */
	if ((double) (below + latencies.overflow) >= target)
		PG_RETURN_FLOAT8(latencies.max);
	PG_RETURN_FLOAT8(untimed_ms);
}
