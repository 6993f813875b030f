/*
 * measure.c: what a telemetry_summary says: counts, error rate, uptime,
 * response times.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"

#include "telemetry/latency.h"
#include "telemetry/telemetry.h"
#include "telemetry/wilson.h"

SR_FUNCTION(sr_telemetry_slot);
SR_FUNCTION(sr_telemetry_samples);
SR_FUNCTION(sr_telemetry_errors);
SR_FUNCTION(sr_telemetry_error_rate);
SR_FUNCTION(sr_telemetry_error_rate_upper);
SR_FUNCTION(sr_telemetry_uptime);
SR_FUNCTION(sr_telemetry_uptime_timeout);
SR_FUNCTION(sr_telemetry_response_time);

/* slot(telemetry_summary): its length */
Datum
sr_telemetry_slot(PG_FUNCTION_ARGS)
{
	PG_RETURN_INTERVAL_P(sr_slot_interval(PG_GETARG_SUMMARY(0)->slot_us));
}

/* samples(telemetry_summary): how many were counted */
Datum
sr_telemetry_samples(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_SUMMARY(0)->samples);
}

/* errors(telemetry_summary): how many of the samples were not ok */
Datum
sr_telemetry_errors(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_SUMMARY(0)->errors);
}

/* error_rate(telemetry_summary): errors / samples */
Datum
sr_telemetry_error_rate(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);

	PG_RETURN_FLOAT8((double) summary->errors / (double) summary->samples);
}

/* error_rate_upper(telemetry_summary, confidence): one-sided Wilson bound */
Datum
sr_telemetry_error_rate_upper(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	double		confidence = PG_GETARG_FLOAT8(1);

	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence %g is not above 0 and below 1", confidence),
				 errhint("A usual confidence is 0.95.")));
	PG_RETURN_FLOAT8(sr_wilson_upper(summary->errors, summary->samples, confidence));
}

/* Refuses a bound that is not there or not finite. */
static int64
checked_bound(const RangeBound *bound, const char *name)
{
	if (bound->infinite || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(bound->val)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period has no finite %s bound", name),
				 errhint("Uptime is a fraction of the slots of a period: give it both bounds.")));
	return DatumGetTimestampTz(bound->val);
}

/* Slots in the part of the segment from first to last. */
static int64
count_slots(SlotReader *reader, int64 first, int64 last)
{
	int64		full_first = reader->word * 64;
	int64		full_last = full_first + (int64) reader->full * 64 - 1;
	int64		count = Max(Min(full_last, last) - Max(full_first, first) + 1, 0);

	for (uint64 i = 0; i < reader->literals; i++)
	{
		int64		start = full_last + 1 + (int64) i * 64;
		uint64		word = sr_bits_get(&reader->bits, 64);

		sr_check_interrupts_at((int64) i);
		if (start > last || start + 63 < first)
			continue;
		if (start < first)
			word &= FULL_WORD << (first - start);
		if (start + 63 > last)
			word &= FULL_WORD >> (63 - (last - start));
		count += pg_popcount64(word);
	}
	return count;
}

/* The slots, first to last, that start in a period argument; an error when there is none. */
static void
period_slots(FunctionCallInfo fcinfo, int64 slot_us, int64 *first, int64 *last)
{
	RangeType  *period = PG_GETARG_RANGE_P(1);
	TypeCacheEntry *type = range_get_typcache(fcinfo, RangeTypeGetOid(period));
	int64		phase = sr_slot_phase(slot_us);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(type, period, &lower, &upper, &empty);
	if (empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period is empty")));

	/*
	 * A slot starts at t or later exactly if it is after the slot of t - 1; the
	 * slot of t starts at t or before.
	 */
	*first = checked_bound(&lower, "lower") - (lower.inclusive ? 1 : 0);
	*last = checked_bound(&upper, "upper") - (upper.inclusive ? 0 : 1);
	*first = sr_slot_of(*first, slot_us, phase) + 1;
	*last = sr_slot_of(*last, slot_us, phase);
	if (*last < *first)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no slot of %s starts in period %s", sr_slot_text(slot_us),
						OidOutputFunctionCall(F_RANGE_OUT, RangeTypePGetDatum(period))),
				 errhint("Use a longer period, or summaries with a shorter slot.")));
}

/* uptime(telemetry_summary, period): fraction of the slots that start in the period */
Datum
sr_telemetry_uptime(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	int64		first;
	int64		last;
	int64		up = 0;
	SlotReader	slots;

	period_slots(fcinfo, summary->slot_us, &first, &last);
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
		up += count_slots(&slots, first, last);
	PG_RETURN_FLOAT8((double) up / (double) (last - first + 1));
}

/* Counts the slots of a period that are up or follow one that is. */
typedef struct Lasting
{
	int64		next;			/* those before are counted, or before the period */
	int64		last;			/* of the period */
	int64		more;			/* slots after one that is up for which it counts */
	int64		up;
} Lasting;

/* Adds slots from .. to, which are up and come after those added before. */
static void
lasting_add(Lasting *lasting, int64 from, int64 to)
{
	/* nothing here is more than the timestamps apart, but their range is more than 2^63 microseconds */
	if (to >= lasting->last || (uint64) lasting->last - (uint64) to <= (uint64) lasting->more)
		to = lasting->last;
	else
		to += lasting->more;
	from = Max(from, lasting->next);
	if (from <= to)
	{
		lasting->up += to - from + 1;
		lasting->next = to + 1;
	}
}

/* Adds the slots of a segment. */
static void
lasting_add_segment(Lasting *lasting, SlotReader *reader)
{
	int64		start = reader->word * 64;

	if (reader->full > 0)
		lasting_add(lasting, start, start + (int64) reader->full * 64 - 1);
	start += (int64) reader->full * 64;
	for (uint64 i = 0; i < reader->literals; i++, start += 64)
	{
		uint64		word = sr_bits_get(&reader->bits, 64);

		sr_check_interrupts_at((int64) i);
		/* run by run: adding its lowest bit clears a run and sets the bit behind it */
		while (word != 0)
		{
			uint64		behind = word + (word & -word);
			int			from = pg_rightmost_one_pos64(word);
			int			to = behind == 0 ? 63 : pg_rightmost_one_pos64(behind) - 1;

			lasting_add(lasting, start + from, start + to);
			word &= behind;
		}
	}
}

/* uptime(telemetry_summary, period, timeout): the same, with slots after one that is up */
Datum
sr_telemetry_uptime_timeout(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	const Interval *timeout = PG_GETARG_INTERVAL_P(2);
	int64		timeout_us;
	int64		first;
	Lasting		lasting = {0};
	SlotReader	slots;

	if (!sr_interval_us(timeout, "timeout", &timeout_us) || timeout_us < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout %s is out of range",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(timeout)))),
				 errhint("A timeout is a length of time that is not negative, such as '15 minutes'.")));
	period_slots(fcinfo, summary->slot_us, &first, &lasting.last);
	lasting.next = first;
	/* slot n + k starts less than timeout after slot n if k * slot < timeout */
	if (timeout_us > 0)
		lasting.more = (timeout_us - 1) / summary->slot_us;
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
		lasting_add_segment(&lasting, &slots);
	PG_RETURN_FLOAT8((double) lasting.up / (double) (lasting.last - first + 1));
}

/* response_time(telemetry_summary, quantile): nearest rank in ms, NULL without a latency */
Datum
sr_telemetry_response_time(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	double		quantile = PG_GETARG_FLOAT8(1);
	SlotReader	slots;
	LatencyReader latencies;
	LatencyReader scan;
	uint64		total;
	uint64		below;
	double		target;
	double		value;

	if (!(quantile >= 0 && quantile <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantile %g is not between 0 and 1", quantile)));

	sr_latency_init();
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	sr_latencies_begin(&latencies, &slots);
	total = latencies.zero + latencies.overflow;
	scan = latencies;
	while (sr_latencies_next(&scan))
		total += scan.count;
	if (total == 0)
		PG_RETURN_NULL();

	/* the smallest value with at least target values at or below it, as percentile_disc has it */
	target = Max(ceil(quantile * (double) total), 1);
	below = latencies.zero;
	value = 0;
	if ((double) below < target)
	{
		value = latencies.max;
		while (sr_latencies_next(&latencies))
		{
			below += latencies.count;
			if ((double) below >= target)
			{
				value = sr_latency_value(latencies.bucket);
				break;
			}
		}
	}
	PG_RETURN_FLOAT8(Max(latencies.min, Min(value, latencies.max)));
}
