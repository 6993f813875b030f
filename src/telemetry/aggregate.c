/*
 * aggregate.c: the aggregates telemetry_agg and rollup.
 */
#include "postgres.h"
#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/aggregate.h"
#include "telemetry/state.h"

SR_FUNCTION(sr_telemetry_transition);
SR_FUNCTION(sr_telemetry_rollup_transition);
SR_FUNCTION(sr_telemetry_combine);
SR_FUNCTION(sr_telemetry_serialize);
SR_FUNCTION(sr_telemetry_deserialize);
SR_FUNCTION(sr_telemetry_final);

#define STATE_VERSION 1
#define DEFAULT_SLOT_US (60 * USECS_PER_SEC)

/* ---- checks ---- */

/* Refuses what is no latency. */
static inline void
check_latency(double latency_ms)
{
	if (unlikely(!(latency_ms >= 0 && latency_ms <= DBL_MAX)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("latency of %s ms is not a finite number of at least 0", double_to_shortest_decimal(latency_ms)),
				 errhint("Use NULL where no latency was measured.")));
}

/* Refuses infinite timestamps. */
static inline void
check_sampled_at(TimestampTz sampled_at)
{
	if (unlikely(TIMESTAMP_NOT_FINITE(sampled_at)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("sample at %s is not at a finite time", timestamptz_to_str(sampled_at))));
}

/* The length of a slot in microseconds, a day being 24 hours. */
static int64
check_slot(const Interval *slot)
{
	int64		slot_us;

	if (!sr_interval_us(slot, "slot", &slot_us) || slot_us <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slot %s is not a positive length of time",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(slot)))),
				 errhint("A usual slot is '1 minute'.")));
	return slot_us;
}

/* ---- the aggregates ---- */

/* Adds a sample, whose slot is 0 where it does not matter. */
static inline void
add_sample(FunctionCallInfo fcinfo, TelemetryState *state, int64 slot, int kind)
{
	int64		distance = slot - state->base_slot;

	if (unlikely(state->pending == PENDING || distance != (int32) ((uint32) distance << SAMPLE_SHIFT) >> SAMPLE_SHIFT))
	{
		sr_state_make_room(state, sr_aggregate_context(fcinfo), slot);
		distance = 0;
	}
	state->samples[state->pending++] = (uint32) distance << SAMPLE_SHIFT | (uint32) kind;
}

/* telemetry_transition(state, sampled_at, latency_ms, ok [, slot]) */
Datum
sr_telemetry_transition(PG_FUNCTION_ARGS)
{
	TelemetryState *state = PG_ARGISNULL(0) ? NULL : (TelemetryState *) PG_GETARG_POINTER(0);
	TimestampTz sampled_at;
	int64		slot_us = DEFAULT_SLOT_US;
	int64		slot;
	int			kind;

	/* an aggregate context is certain once there is a state */
	if (state == NULL)
		sr_aggregate_context(fcinfo);

	if (PG_ARGISNULL(1) || PG_ARGISNULL(3))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}

	if (PG_NARGS() > 4)
	{
		if (PG_ARGISNULL(4))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("slot must not be null"),
					 errhint("Leave it out for slots of 1 minute.")));
		slot_us = check_slot(PG_GETARG_INTERVAL_P(4));
	}
	if (state == NULL)
		state = sr_state_make(sr_aggregate_context(fcinfo), slot_us);
	else if (unlikely(state->short_slot_us != slot_us))
		sr_state_check_slot(state, slot_us);

	sampled_at = PG_GETARG_TIMESTAMPTZ(1);
	check_sampled_at(sampled_at);
	kind = SAMPLE_NO_LATENCY;
	if (!PG_ARGISNULL(2))
	{
		/* adding zero turns -0 into 0 */
		double		latency_ms = PG_GETARG_FLOAT8(2) + 0.0;

		check_latency(latency_ms);
		if (PG_GETARG_BOOL(3))
		{
			kind = sr_latency_bucket(latency_ms);
			if (kind == SR_LATENCY_ZERO)
				kind = SAMPLE_ZERO;
			if (latency_ms < state->min)
				state->min = latency_ms;
			if (latency_ms > state->max)
				state->max = latency_ms;
		}
	}

	if (!PG_GETARG_BOOL(3))
	{
		slot = state->base_slot;
		kind = SAMPLE_ERROR;
	}
	else if (slot_us == DEFAULT_SLOT_US)
		slot = sr_slot_of(sampled_at, DEFAULT_SLOT_US, 0);	/* dividing by a constant is several times faster */
	else
		slot = sr_slot_of(sampled_at, slot_us, sr_slot_phase(slot_us));
	add_sample(fcinfo, state, slot, kind);
	PG_RETURN_POINTER(state);
}

/* telemetry_rollup_transition(state, telemetry_summary) */
Datum
sr_telemetry_rollup_transition(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	TelemetryState *state = PG_ARGISNULL(0) ? NULL : (TelemetryState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		const TelemetrySummary *summary = PG_GETARG_SUMMARY(1);

		/* the only one of a group is not even read */
		if (state == NULL)
			state = sr_state_of(context, sr_summary_copy(context, summary));
		else
			sr_state_add_summary(state, context, summary);
		PG_FREE_IF_COPY(unconstify(TelemetrySummary *, summary), 1);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* telemetry_combine(state, state) */
Datum
sr_telemetry_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	TelemetryState *state = PG_ARGISNULL(0) ? NULL : (TelemetryState *) PG_GETARG_POINTER(0);
	TelemetryState *other = PG_ARGISNULL(1) ? NULL : (TelemetryState *) PG_GETARG_POINTER(1);

	if (other != NULL)
	{
		if (state == NULL)
			state = sr_state_copy(context, other);
		else
			sr_state_add_state(state, context, other);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* telemetry_serialize(state): a version byte and the summary */
Datum
sr_telemetry_serialize(PG_FUNCTION_ARGS)
{
	TelemetrySummary *summary;
	bytea	   *out;

	sr_aggregate_context(fcinfo);
	summary = sr_state_summary((TelemetryState *) PG_GETARG_POINTER(0));
	out = palloc(VARHDRSZ + 1 + (Size) VARSIZE(summary));
	SET_VARSIZE(out, VARHDRSZ + 1 + (Size) VARSIZE(summary));
	*VARDATA(out) = STATE_VERSION;
	memcpy(VARDATA(out) + 1, summary, VARSIZE(summary));
	PG_RETURN_BYTEA_P(out);
}

/* telemetry_deserialize(bytea, internal) */
Datum
sr_telemetry_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *in = PG_GETARG_BYTEA_PP(0);
	Size		length = VARSIZE_ANY_EXHDR(in);
	TelemetrySummary *summary;

	sr_aggregate_context(fcinfo);
	if (length < 1 + SUMMARY_HEADER || *VARDATA_ANY(in) != STATE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid serialized state of a telemetry aggregate")));

	summary = palloc(length - 1);
	memcpy(summary, VARDATA_ANY(in) + 1, length - 1);
	SET_VARSIZE(summary, length - 1);
	sr_summary_check(summary, ERRCODE_INVALID_BINARY_REPRESENTATION);
	PG_RETURN_POINTER(sr_state_of(CurrentMemoryContext, summary));
}

/* telemetry_final(state) */
Datum
sr_telemetry_final(PG_FUNCTION_ARGS)
{
	sr_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(sr_state_summary((TelemetryState *) PG_GETARG_POINTER(0)));
}
