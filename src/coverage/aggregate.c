/*
 * aggregate.c: the aggregates that make fields: coverage_agg of discs, density_agg
 * of points and of what is spread over discs, and sum of coverages. They share one state.
 */
#include "coverage/coverage.h"

#include "base/aggregate.h"
#include "coverage/accumulate.h"
#include "coverage/builder.h"
#include "coverage/check.h"
#include "coverage/finish.h"
#include "coverage/geog.h"
#include "coverage/wire.h"
#include "grid/spread.h"

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"

/* The state of this group, made at its first row; every row must name one order. */
static FieldState *
state_for(FunctionCallInfo fcinfo, int order, bool of_fields)
{
	FieldState *state = PG_ARGISNULL(0) ? NULL : (FieldState *) PG_GETARG_POINTER(0);

	if (state == NULL)
		return sr_state_create(order, of_fields);
	if (state->order != order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order varies within the aggregate: %d and %d", state->order, order)));
	return state;
}

/* What a skipped row returns: the state as it was, which may be none yet. */
#define RETURN_STATE_UNCHANGED() \
	do { \
		if (PG_ARGISNULL(0)) \
			PG_RETURN_NULL(); \
		PG_RETURN_DATUM(PG_GETARG_DATUM(0)); \
	} while (0)

SR_FUNCTION(coverage_agg_transfn);
Datum
coverage_agg_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	Disc		disc;
	double		weight = 1.0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_NARGS() > 3 && PG_ARGISNULL(3)))
		RETURN_STATE_UNCHANGED();

	prefetch_rows(PG_GETARG_DATUM(1));
	sr_geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	disc.radius = PG_GETARG_FLOAT8(2);
	check_disc(&disc);
	if (PG_NARGS() > 3)
		weight = check_weight(PG_GETARG_FLOAT8(3));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, sr_order_argument(fcinfo, 4), false);
	sr_state_add_total(state, weight);
	if (weight > 0)
		state_add_disc(state, &disc, weight);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

SR_FUNCTION(density_agg_transfn);
Datum
density_agg_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	double		lon,
				lat,
				weight;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		RETURN_STATE_UNCHANGED();

	sr_geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	weight = check_weight(PG_GETARG_FLOAT8(2));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, sr_order_argument(fcinfo, 3), false);
	sr_state_add_total(state, weight);
	if (weight > 0)
	{
		int64		cell = sr_point_cell(state->order, lon, lat);

		diff_add(state->diff, cell, cell, weight);
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

SR_FUNCTION(density_agg_disc_transfn);
Datum
density_agg_disc_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	Disc		disc;
	double		weight;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		RETURN_STATE_UNCHANGED();

	sr_geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	weight = check_weight(PG_GETARG_FLOAT8(2));
	disc.radius = PG_GETARG_FLOAT8(4);
	check_disc(&disc);

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, sr_order_argument(fcinfo, 3), false);
	sr_state_add_total(state, weight);
	if (weight > 0)
		sr_spread_disc(sr_hpx_grid(state->order), &disc, (int64) (weight * WEIGHT_SCALE), 1 / WEIGHT_SCALE, state->diff);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/* Checks a value that sum() is to add. */
static void
check_summand(double value)
{
	if (fabs(value) > FIELD_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("coverage value %s is beyond 2^36, the most that can be summed exactly", double_to_shortest_decimal(value)),
				 errhint("Use a larger unit.")));
	if (rint(value * WEIGHT_SCALE) != value * WEIGHT_SCALE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverage value %s is not a multiple of 2^-16", double_to_shortest_decimal(value)),
				 errdetail("Other values cannot be summed exactly, hence not in any order."),
				 errhint("Round the field first: sum(coverage_round(c)).")));
}

SR_FUNCTION(coverage_sum_transfn);
Datum
coverage_sum_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	Coverage   *c;
	const uint32 *starts;
	double		before = 0,
				most = 0;

	if (PG_ARGISNULL(1))
		RETURN_STATE_UNCHANGED();

	c = PG_GETARG_COVERAGE(1);
	starts = COVERAGE_STARTS(c);
	if (!PG_ARGISNULL(0) && ((FieldState *) PG_GETARG_POINTER(0))->order != c->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverages have different grid orders: %d and %d",
						((FieldState *) PG_GETARG_POINTER(0))->order, c->order),
				 errhint("Build both at the same grid_order.")));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, c->order, true);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		check_summand(c->values[i]);
		most = Max(most, fabs(c->values[i]));
		if (c->values[i] != before)
			diff_add_at(state->diff, starts[i], c->values[i] - before);
		before = c->values[i];
	}
	if (before != 0)
		diff_add_at(state->diff, COVERAGE_NCELL(c), -before);
	sr_state_add_total(state, most);
	MemoryContextSwitchTo(old);
	PG_FREE_IF_COPY(c, 1);
	PG_RETURN_POINTER(state);
}

SR_FUNCTION(coverage_serialize);
Datum
coverage_serialize(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	(void) sr_aggregate_context(fcinfo);
	pq_begintypsend(&buf);
	sr_state_write(&buf, (FieldState *) PG_GETARG_POINTER(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

SR_FUNCTION(coverage_deserialize);
Datum
coverage_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;

	(void) sr_aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	PG_RETURN_POINTER(sr_state_read(VARDATA_ANY(bytes), VARDATA_ANY(bytes) + VARSIZE_ANY_EXHDR(bytes)));
}

SR_FUNCTION(coverage_combine);
Datum
coverage_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *into = PG_ARGISNULL(0) ? NULL : (FieldState *) PG_GETARG_POINTER(0);
	FieldState *from = PG_ARGISNULL(1) ? NULL : (FieldState *) PG_GETARG_POINTER(1);

	if (from == NULL)
		RETURN_STATE_UNCHANGED();
	old = MemoryContextSwitchTo(context);
	if (into == NULL)
		into = sr_state_create(from->order, from->of_fields);
	sr_state_merge(into, from);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(into);
}

SR_FUNCTION(coverage_finalfn);
Datum
coverage_finalfn(PG_FUNCTION_ARGS)
{
	(void) sr_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(sr_state_finish((FieldState *) PG_GETARG_POINTER(0)));
}
