/*
 * coverage_agg.c: the aggregates that make fields: coverage_agg of discs,
 * density_agg of points and sum of coverages.
 *
 * All three add to one difference array. Every number that enters is a multiple
 * of 2^-16 and their sum is at most 2^37, so each addition is exact: the result
 * does not depend on the order of rows, nor on how workers shared them.
 *
 * Discs wait in a buffer until there are many, and are then swept together.
 */
#include "coverage.h"

#include "libpq/pqformat.h"

#define STATE_VERSION 1

/* Discs that wait at most: 8 MB of them. */
#define MAX_PENDING (256 * 1024)

/* So few discs travel between processes as they are: less than what they cover. */
#define SEND_PENDING (8 * 1024)

typedef struct FieldState
{
	int			order;
	double		total;			/* of the weights so far; exact */
	Diff	   *diff;
	MemoryContext context;
	WeightedDisc *pending;		/* not in diff yet */
	int64		npending;
	int64		capacity;
} FieldState;

/* An empty state in the current context. */
static FieldState *
state_create(int order)
{
	FieldState *state = palloc(sizeof(FieldState));

	state->order = order;
	state->total = 0;
	state->diff = diff_create(INT64_C(12) << (2 * order));
	state->context = CurrentMemoryContext;
	state->pending = NULL;
	state->npending = state->capacity = 0;
	return state;
}

/* Adds the waiting discs to the difference array; what the state means stays the same. */
static void
flush_pending(FieldState *state)
{
	MemoryContext old;

	if (state->npending == 0)
		return;
	old = MemoryContextSwitchTo(state->context);
	sweep_discs(hpx_grid(state->order), state->pending, state->npending, state->diff);
	state->npending = 0;
	MemoryContextSwitchTo(old);
}

/* Adds a disc. */
static inline void
add_disc(FieldState *state, const Disc *disc, double weight)
{
	WeightedDisc *last;

	if (state->npending == state->capacity)
	{
		if (state->npending >= MAX_PENDING)
			flush_pending(state);
		else
		{
			state->capacity = state->capacity ? 4 * state->capacity : 16;
			state->pending = state->pending == NULL
				? MemoryContextAllocHuge(state->context, state->capacity * sizeof(WeightedDisc))
				: repalloc_huge(state->pending, state->capacity * sizeof(WeightedDisc));
		}
	}
	last = &state->pending[state->npending++];
	last->disc = *disc;
	last->weight = weight;
}

/* Counts weights towards the limit that keeps sums exact. */
static void
add_to_total(FieldState *state, double weight)
{
	state->total += weight;
	if (state->total > WEIGHT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights add up to more than 2^37"),
				 errdetail("Sums are exact up to this limit only."),
				 errhint("Use a larger unit.")));
}

/* The context aggregate state lives in; an error outside an aggregate. */
static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/* The grid order argument, when there is one. */
static int
order_argument(FunctionCallInfo fcinfo, int argno)
{
	int32		order;

	if (PG_NARGS() <= argno)
		return SR_DEFAULT_ORDER;
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("grid order must not be null")));
	order = PG_GETARG_INT32(argno);
	check_order(order);
	return order;
}

/* The state of this group, made at its first row; every row must name one order. */
static FieldState *
state_for(FunctionCallInfo fcinfo, int order)
{
	FieldState *state = PG_ARGISNULL(0) ? NULL : (FieldState *) PG_GETARG_POINTER(0);

	if (state == NULL)
		return state_create(order);
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
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	Disc		disc;
	double		weight = 1.0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_NARGS() > 3 && PG_ARGISNULL(3)))
		RETURN_STATE_UNCHANGED();

	geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	disc.radius = PG_GETARG_FLOAT8(2);
	check_disc(&disc);
	if (PG_NARGS() > 3)
		weight = check_weight(PG_GETARG_FLOAT8(3));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, order_argument(fcinfo, 4));
	add_to_total(state, weight);
	if (weight > 0)
		add_disc(state, &disc, weight);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

SR_FUNCTION(density_agg_transfn);
Datum
density_agg_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	double		lon,
				lat,
				weight;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		RETURN_STATE_UNCHANGED();

	geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	weight = check_weight(PG_GETARG_FLOAT8(2));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, order_argument(fcinfo, 3));
	add_to_total(state, weight);
	if (weight > 0)
	{
		int64		cell = point_cell(state->order, lon, lat);

		diff_add(state->diff, cell, cell, weight);
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/* Checks a value that sum() is to add. */
static void
check_summand(double value)
{
	if (fabs(value) > WEIGHT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("coverage value %.15g is beyond 2^37, the most that can be summed exactly", value)));
	if (rint(value * WEIGHT_SCALE) != value * WEIGHT_SCALE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverage value %.17g is not a multiple of 2^-16", value),
				 errdetail("Other values cannot be summed exactly, hence not in any order."),
				 errhint("Round the field first: sum(coverage_round(c)).")));
}

SR_FUNCTION(coverage_sum_transfn);
Datum
coverage_sum_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
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
	state = state_for(fcinfo, c->order);
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
	add_to_total(state, most);
	MemoryContextSwitchTo(old);
	PG_FREE_IF_COPY(c, 1);
	PG_RETURN_POINTER(state);
}

/* Adds what one state holds to another of the same order. */
static void
state_merge(FieldState *into, const FieldState *from)
{
	int64		nleaves = from->diff->nbranches << DIFF_BRANCH_BITS;

	if (into->order != from->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order varies within the aggregate: %d and %d",
						into->order, from->order)));
	add_to_total(into, from->total);
	for (int64 i = 0; i < from->npending; i++)
		add_disc(into, &from->pending[i].disc, from->pending[i].weight);
	for (int64 i = 0; i < nleaves && from->diff->nleaves > 0; i++)
	{
		const double *src = diff_leaf_if(from->diff, i);
		double	   *dst;

		if (src == NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		dst = diff_leaf(into->diff, i);
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
			dst[j] += src[j];
	}
}

SR_FUNCTION(coverage_combine);
Datum
coverage_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *into = PG_ARGISNULL(0) ? NULL : (FieldState *) PG_GETARG_POINTER(0);
	FieldState *from = PG_ARGISNULL(1) ? NULL : (FieldState *) PG_GETARG_POINTER(1);

	if (from == NULL)
		RETURN_STATE_UNCHANGED();
	old = MemoryContextSwitchTo(context);
	if (into == NULL)
		into = state_create(from->order);
	state_merge(into, from);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(into);
}

/* The bits of a float8. */
static inline uint64
float8_bits(double v)
{
	uint64		bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/*
 * A state as bytes: version, order, total, the discs that wait, and for every
 * leaf that is not zero its number, the number of its entries that are not zero,
 * and these entries with their places, or all entries when most are not zero.
 */
SR_FUNCTION(coverage_serialize);
Datum
coverage_serialize(PG_FUNCTION_ARGS)
{
	FieldState *state;
	StringInfoData buf;
	int64		nleaves;

	(void) aggregate_context(fcinfo);
	state = (FieldState *) PG_GETARG_POINTER(0);
	if (state->npending > SEND_PENDING)
		flush_pending(state);
	nleaves = state->diff->nleaves > 0 ? state->diff->nbranches << DIFF_BRANCH_BITS : 0;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, STATE_VERSION);
	pq_sendbyte(&buf, (uint8) state->order);
	pq_sendfloat8(&buf, state->total);
	pq_sendint64(&buf, state->npending);
	for (int64 i = 0; i < state->npending; i++)
	{
		pq_sendfloat8(&buf, state->pending[i].disc.lon);
		pq_sendfloat8(&buf, state->pending[i].disc.lat);
		pq_sendfloat8(&buf, state->pending[i].disc.radius);
		pq_sendfloat8(&buf, state->pending[i].weight);
	}
	for (int64 i = 0; i < nleaves; i++)
	{
		const double *leaf = diff_leaf_if(state->diff, i);
		uint16		count = 0;

		if (leaf == NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
			count += leaf[j] != 0;
		if (count == 0)
			continue;
		enlargeStringInfo(&buf, sizeof(uint32) + sizeof(uint16) +
						  DIFF_LEAF_SIZE * (sizeof(uint16) + sizeof(uint64)));
		pq_writeint32(&buf, (uint32) i);
		if (count > DIFF_LEAF_SIZE / 2)
		{
			pq_writeint16(&buf, DIFF_LEAF_SIZE);
			for (int j = 0; j < DIFF_LEAF_SIZE; j++)
				pq_writeint64(&buf, float8_bits(leaf[j]));
			continue;
		}
		pq_writeint16(&buf, count);
		for (uint16 j = 0; j < DIFF_LEAF_SIZE; j++)
			if (leaf[j] != 0)
			{
				pq_writeint16(&buf, j);
				pq_writeint64(&buf, float8_bits(leaf[j]));
			}
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

SR_FUNCTION(coverage_deserialize);
Datum
coverage_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	StringInfoData buf;
	FieldState *state;
	int			version,
				order;
	int64		nleaves,
				npending;

	/* in the caller's short-lived context: combining copies what it keeps */
	(void) aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	buf.data = VARDATA_ANY(bytes);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(bytes);
	buf.cursor = 0;

	version = pq_getmsgbyte(&buf);
	if (version != STATE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported coverage state version %d", version),
				 errhint("All nodes of a cluster must run the same version of swarm_reward.")));
	order = pq_getmsgbyte(&buf);
	check_order(order);
	state = state_create(order);
	state->total = pq_getmsgfloat8(&buf);
	npending = pq_getmsgint64(&buf);
	for (int64 i = 0; i < npending; i++)
	{
		Disc		disc;

		disc.lon = pq_getmsgfloat8(&buf);
		disc.lat = pq_getmsgfloat8(&buf);
		disc.radius = pq_getmsgfloat8(&buf);
		add_disc(state, &disc, pq_getmsgfloat8(&buf));
	}
	nleaves = state->diff->nbranches << DIFF_BRANCH_BITS;
	while (buf.cursor < buf.len)
	{
		int64		number = pq_getmsgint(&buf, 4);
		int			count = pq_getmsgint(&buf, 2);
		double	   *leaf;

		CHECK_FOR_INTERRUPTS();
		if (number >= nleaves)
			elog(ERROR, "coverage state names leaf " INT64_FORMAT " of " INT64_FORMAT, number, nleaves);
		leaf = diff_leaf(state->diff, number);
		if (count == DIFF_LEAF_SIZE)
		{
			for (int j = 0; j < DIFF_LEAF_SIZE; j++)
				leaf[j] = pq_getmsgfloat8(&buf);
			continue;
		}
		for (int j = 0; j < count; j++)
		{
			int			at = pq_getmsgint(&buf, 2);

			leaf[at & (DIFF_LEAF_SIZE - 1)] = pq_getmsgfloat8(&buf);
		}
	}
	PG_RETURN_POINTER(state);
}

/* Prefix sum of the differences; leaves nobody touched keep the value before them. */
SR_FUNCTION(coverage_finalfn);
Datum
coverage_finalfn(PG_FUNCTION_ARGS)
{
	FieldState *state;
	CoverageBuilder b;
	int64		ncell,
				nleaves;
	double		value = 0;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (FieldState *) PG_GETARG_POINTER(0);
	flush_pending(state);
	ncell = INT64_C(12) << (2 * state->order);
	nleaves = state->diff->nleaves > 0 ? state->diff->nbranches << DIFF_BRANCH_BITS : 0;

	builder_init(&b, state->order, Min(state->diff->nleaves * DIFF_LEAF_SIZE / 8, ncell));
	builder_add(&b, 0, 0.0);
	for (int64 i = 0; i < nleaves; i++)
	{
		const double *leaf = diff_leaf_if(state->diff, i);
		int64		start = i << DIFF_LEAF_BITS;

		if (leaf == NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
		{
			if (leaf[j] == 0 || start + j >= ncell)
				continue;
			value += leaf[j];
			if (start + j == 0)
				b.nruns = 0;
			builder_add(&b, start + j, value);
		}
	}
	PG_RETURN_POINTER(builder_finish(&b));
}

/* Rounds to the nearest multiple of 2^-16, ties to even. */
SR_FUNCTION(coverage_round);
Datum
coverage_round(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	const uint32 *starts = COVERAGE_STARTS(c);
	CoverageBuilder b;

	builder_init(&b, c->order, c->nruns);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		double		v = c->values[i];

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		/* from 2^37 on every float8 is such a multiple */
		if (fabs(v) < WEIGHT_LIMIT)
			v = rint(v * WEIGHT_SCALE) / WEIGHT_SCALE;
		builder_add(&b, starts[i], v);
	}
	PG_RETURN_POINTER(builder_finish(&b));
}

/* 1 inside a region. */
SR_FUNCTION(region_coverage);
Datum
region_coverage(PG_FUNCTION_ARGS)
{
	int			order = order_argument(fcinfo, 1);
	SpanList	spans;

	scan_region(fcinfo, 0, order, &spans);
	PG_RETURN_POINTER(coverage_from_spans(order, &spans));
}
