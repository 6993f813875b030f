/*
 * measure.c: what a telemetry_summary says: counts, error rate, response times.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "telemetry/latency.h"
#include "telemetry/telemetry.h"
#include "telemetry/wilson.h"

SR_FUNCTION(sr_telemetry_slot);
SR_FUNCTION(sr_telemetry_samples);
SR_FUNCTION(sr_telemetry_errors);
SR_FUNCTION(sr_telemetry_error_rate);
SR_FUNCTION(sr_telemetry_error_rate_upper);
SR_FUNCTION(sr_telemetry_error_rate_upper_of);
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
				 errmsg("confidence %s is not above 0 and below 1", double_to_shortest_decimal(confidence)),
				 errhint("A usual confidence is 0.95.")));
	PG_RETURN_FLOAT8(sr_wilson_upper(summary->errors, summary->samples, confidence));
}

/* error_rate_upper(samples, errors, confidence): the same of counts, for use within */
Datum
sr_telemetry_error_rate_upper_of(PG_FUNCTION_ARGS)
{
	int64		samples = PG_GETARG_INT64(0);

	if (samples <= 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sr_wilson_upper(PG_GETARG_INT64(1), samples, PG_GETARG_FLOAT8(2)));
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
				 errmsg("quantile %s is not between 0 and 1", double_to_shortest_decimal(quantile))));

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
