/*
 * reward_map.c: what one more node would earn, at a place and everywhere: the fields of
 * an epoch are read, newcomer.c does the rest.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/result.h"
#include "coverage/builder.h"
#include "coverage/check.h"
#include "coverage/geog.h"
#include "coverage/part.h"
#include "coverage/runs.h"
#include "ledger/newcomer.h"
#include "ledger/statement.h"

/* What is read of an epoch. */
typedef struct EpochFields
{
	Datum		supply;
	Datum		mature;
	Datum		reference;
	int32		nregions;
	NewcomerRegion *regions;
	int32		ndemands;		/* demand fields of regions, in the order of their codes */
	Datum	   *demands;
	int32	   *demand_region;	/* whose: position of the region, -1 none */
} EpochFields;

/* A number of the row that SPI has found. */
static double
number_of_row(uint64 row, int column)
{
	bool		is_null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &is_null);

	if (is_null)
		elog(ERROR, "column %d of a frozen row is null", column);
	return DatumGetFloat8(value);
}

/* A field of the row, or where it is stored, in memory of the caller's. */
static Datum
field_of_row(uint64 row, int column)
{
	bool		is_null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &is_null);

	if (is_null)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column %d of a computed epoch is null", column)));
	return SPI_datumTransfer(value, false, -1);
}

/* Reads what an epoch has frozen of its fields and of the regions with these codes. */
static EpochFields
read_epoch(int64 epoch_id, Datum codes)
{
	Oid			types[2] = {INT8OID, TEXTARRAYOID};
	Datum		values[2] = {Int64GetDatum(epoch_id), codes};
	ParamListInfo params = sr_parameters(2, types, values);
	EpochFields f = {0};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext spi;

	SPI_connect();
	sr_execute("SELECT supply, mature_supply, reference FROM swarm_reward.epoch WHERE epoch_id = $1", params, NULL, SPI_OK_SELECT);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("epoch %lld does not exist", (long long) epoch_id)));
	f.supply = field_of_row(0, 1);
	f.mature = field_of_row(0, 2);
	f.reference = field_of_row(0, 3);

	/* one that the epoch does not have wants nothing */
	sr_execute("SELECT coalesce(r.demand, 0), coalesce(r.given, 0), coalesce(r.target_fraction, 1), coalesce(r.fresh, 0), coalesce(r.pot, 0) "
			   "FROM unnest($2) WITH ORDINALITY u (code, position) LEFT JOIN swarm_reward.epoch_region r ON r.epoch_id = $1 AND r.region = u.code "
			   "ORDER BY u.position", params, NULL, SPI_OK_SELECT);
	f.nregions = (int32) SPI_processed;
	spi = MemoryContextSwitchTo(context);
	f.regions = sr_alloc_array(f.nregions, sizeof(NewcomerRegion));
	MemoryContextSwitchTo(spi);
	for (int32 i = 0; i < f.nregions; i++)
	{
		NewcomerRegion *r = &f.regions[i];

		r->demand = number_of_row(i, 1);
		r->given = number_of_row(i, 2);
		r->target_fraction = number_of_row(i, 3);
		r->fresh = number_of_row(i, 4);
		r->pot = number_of_row(i, 5);
	}

	sr_execute("SELECT coalesce(array_position($2, d.region), 0)::float8, d.demand "
			   "FROM swarm_reward_internal.epoch_region_demand d WHERE d.epoch_id = $1 ORDER BY d.region", params, NULL, SPI_OK_SELECT);
	f.ndemands = (int32) SPI_processed;
	spi = MemoryContextSwitchTo(context);
	f.demands = sr_alloc_array(f.ndemands, sizeof(Datum));
	f.demand_region = sr_alloc_array(f.ndemands, sizeof(int32));
	MemoryContextSwitchTo(spi);
	for (int32 i = 0; i < f.ndemands; i++)
	{
		f.demand_region[i] = (int32) number_of_row(i, 1) - 1;
		f.demands[i] = field_of_row(i, 2);
	}
	SPI_finish();
	return f;
}

/* The runs of a field in the cells asked for. */
static NewcomerField
read_field(Datum field, const HpxGrid *grid, int64 first, int64 end)
{
	CoveragePart part;
	NewcomerField f;

	sr_part_read(field, first, end, &part);
	if (part.order != grid->order)
		elog(ERROR, "fields of an epoch have orders %d and %d", grid->order, part.order);
	f.nruns = part.nruns;
	f.starts = part.starts;
	f.values = part.values;
	return f;
}

/* Demand in the cells of spans, which ascend, and what the other fields have there. */
static void
read_demand(const EpochFields *f, const NewcomerRules *rules, const HpxGrid *grid, const SpanList *spans, NewcomerDemand *d)
{
	int64		first = spans->spans[0].first;
	int64		end = spans->spans[spans->nspans - 1].last + 1;
	NewcomerField *demands = sr_alloc_array(f->ndemands, sizeof(NewcomerField));
	NewcomerField field;

	sr_newcomer_demand_init(d, grid, spans);
	for (int32 i = 0; i < f->ndemands; i++)
	{
		CHECK_FOR_INTERRUPTS();
		demands[i] = read_field(f->demands[i], grid, first, end);
		sr_newcomer_demand_count(d, &demands[i]);
	}
	if (!sr_newcomer_demand_counted(d))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("demand fields of order %d have more than 2^32 cells", grid->order)));
	for (int32 i = 0; i < f->ndemands; i++)
		sr_newcomer_demand_put(d, f->demand_region[i], &demands[i]);
	field = read_field(f->supply, grid, first, end);
	sr_newcomer_fill(d, d->supply, &field);
	field = read_field(f->mature, grid, first, end);
	sr_newcomer_fill(d, d->mature, &field);
	field = read_field(f->reference, grid, first, end);
	sr_newcomer_fill(d, d->reference, &field);
	sr_newcomer_prepare(d, rules);
}

/* The region at a position, from 1, 0 being none, as its number. */
static int32
region_at(const EpochFields *f, double position)
{
	if (!(position >= 0 && position <= f->nregions))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are %d regions, and no number %g", f->nregions, position)));
	return (int32) position - 1;
}

/* The arguments that both functions have, from the first on. */
typedef struct Asked
{
	int64		epoch_id;
	Datum		codes;
	Newcomer	node;
	NewcomerRules rules;
} Asked;

#define COMMON_ARGUMENTS 12

static Asked
asked_arguments(FunctionCallInfo fcinfo)
{
	Asked		a = {
		.epoch_id = PG_GETARG_INT64(0),
		.codes = PG_GETARG_DATUM(1),
		.node = {PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3), PG_GETARG_FLOAT8(4), PG_GETARG_FLOAT8(5)},
		.rules = {.target = PG_GETARG_FLOAT8(6), .kept = PG_GETARG_FLOAT8(7), .faded = PG_GETARG_FLOAT8(8),
			.baseline = PG_GETARG_BOOL(9), .days = PG_GETARG_FLOAT8(10), .multiplier_max = PG_GETARG_FLOAT8(11)}
	};

	return a;
}

/* For qsort: spans of cells by where they are. */
static int
compare_spans(const void *a, const void *b)
{
	const CellSpan *x = a;
	const CellSpan *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/*
 * sr_newcomer_scores(epoch_id, codes, reach_m, contribution, tenure, freshness, supply_target, kept, faded, baseline, days,
 * multiplier_max, location, region)
 */
SR_FUNCTION(sr_newcomer_scores);
Datum
sr_newcomer_scores(PG_FUNCTION_ARGS)
{
	Asked		asked = asked_arguments(fcinfo);
	EpochFields fields = read_epoch(asked.epoch_id, asked.codes);
	const HpxGrid *grid = sr_hpx_grid(sr_coverage_order_of(fields.supply));
	Disc		disc = {.radius = asked.node.reach};
	SpanList	spans;
	NewcomerDemand demand;
	NewcomerWork work;
	NewcomerScores scores;
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};

	sr_geog_read_point(PG_GETARG_DATUM(COMMON_ARGUMENTS), &disc.lon, &disc.lat);
	check_disc(&disc);
	sr_span_list_init(&spans);
	sr_scan_disc(grid, &disc, &spans);
	qsort(spans.spans, spans.nspans, sizeof(CellSpan), compare_spans);
	read_demand(&fields, &asked.rules, grid, &spans, &demand);
	sr_newcomer_work_init(&work, grid, fields.nregions);
	scores = sr_score_newcomer(&demand, &asked.rules, fields.regions, &asked.node, disc.lon, disc.lat,
							   region_at(&fields, PG_GETARG_INT32(COMMON_ARGUMENTS + 1)), &work);

	desc = sr_result_row(fcinfo);
	values[0] = Float8GetDatum(scores.in_reach);
	values[1] = Float8GetDatum(scores.gap);
	values[2] = Float8GetDatum(scores.gap_more);
	values[3] = Float8GetDatum(scores.region);
	values[4] = Float8GetDatum(scores.region_more);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* An array of float8, none of them null, at least so many. */
static const double *
float8_array(Datum datum, int least, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_ELEMTYPE(array) != FLOAT8OID || array_contains_nulls(array) || n < least)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array of %d numbers is none of at least %d", n, least)));
	if (count)
		*count = n;
	return (const double *) ARR_DATA_PTR(array);
}

/* A pool from the arguments: available, price_max, score; then the largest scores of its providers. */
static NewcomerPool
pool_argument(FunctionCallInfo fcinfo, int argno, int32 cap_bps)
{
	const double *pool = float8_array(PG_GETARG_DATUM(argno), 3, NULL);
	NewcomerPool p = {.available = pool[0],.price_max = pool[1],.score = pool[2],.cap_bps = cap_bps};
	double	   *sum;

	p.largest = float8_array(PG_GETARG_DATUM(argno + 1), 0, &p.nproviders);
	p.largest_sum = sum = sr_alloc_array(p.nproviders + 1, sizeof(double));
	sum[0] = 0;
	for (int i = 0; i < p.nproviders; i++)
		sum[i + 1] = sum[i] + p.largest[i];
	return p;
}

/*
 * newcomer_map(the same up to multiplier_max, places, others, cap_bps, gap_pool, gap_providers, region_pool,
 * region_providers): for a node at the centre of each cell of places, which has the position of its region or 0, what
 * the two pools that depend on fields would pay it, and others[position + 1] more.
 */
SR_FUNCTION(sr_newcomer_map);
Datum
sr_newcomer_map(PG_FUNCTION_ARGS)
{
	Asked		asked = asked_arguments(fcinfo);
	Coverage   *places = PG_GETARG_COVERAGE(COMMON_ARGUMENTS);
	int32		cap_bps = PG_GETARG_INT32(COMMON_ARGUMENTS + 2);
	NewcomerPool gap_pool = pool_argument(fcinfo, COMMON_ARGUMENTS + 3, cap_bps);
	NewcomerPool region_pool = pool_argument(fcinfo, COMMON_ARGUMENTS + 5, cap_bps);
	EpochFields fields = read_epoch(asked.epoch_id, asked.codes);
	const double *others = float8_array(PG_GETARG_DATUM(COMMON_ARGUMENTS + 1), fields.nregions + 1, NULL);
	const HpxGrid *grid = sr_hpx_grid(sr_coverage_order_of(fields.supply));
	const HpxGrid *centers = sr_hpx_grid(places->order);
	SpanList	all;
	NewcomerDemand demand;
	NewcomerWork work;
	CoverageBuilder builder;
	uint32		run = 0;

	check_disc(&(Disc) {0, 0, asked.node.reach});
	sr_span_list_init(&all);
	span_list_add(&all, 0, grid->ncell - 1);
	read_demand(&fields, &asked.rules, grid, &all, &demand);
	sr_newcomer_work_init(&work, grid, fields.nregions);
	sr_builder_init(&builder, places->order, 1024);
	for (int32 i = 1; i <= centers->nring; i++)
	{
		const HpxRing *ring = HPX_RING(centers, i);
		double		lat = sr_hpx_ring_lat(ring);

		for (int32 j = 0; j < ring->ncell; j++)
		{
			int64		cell = ring->start + j;
			NewcomerScores scores;
			int32		region;

			CHECK_FOR_INTERRUPTS();
			while (run_end(places, run) <= cell)
				run++;
			region = region_at(&fields, places->values[run]);
			scores = sr_score_newcomer(&demand, &asked.rules, fields.regions, &asked.node, sr_hpx_ring_lon(ring, j), lat, region, &work);
			builder_add(&builder, cell, others[region + 1] + sr_newcomer_amount(&gap_pool, scores.gap, scores.gap_more) +
						sr_newcomer_amount(&region_pool, scores.region, scores.region_more));
		}
	}
	PG_RETURN_POINTER(sr_builder_finish(&builder));
}
