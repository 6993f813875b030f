/*
 * gap_rows.c: what is missing, as rows: connected sets of cells above zero
 * with their size, worth, centre and outline.
 */
#include "coverage/coverage.h"

#include "coverage/geog.h"

#include "common/shortest_dec.h"
#include "funcapi.h"
#include "miscadmin.h"

#include "base/fixed.h"
#include "base/result.h"
#include "base/wkb.h"
#include "coverage/runs.h"
#include "grid/gap_outline.h"

/* A gap and what it adds up to. */
typedef struct RankedGap
{
	int128		deficit;
	const Gap  *gap;
} RankedGap;

typedef struct GapCursor
{
	GapSet		set;
	const HpxGrid *grid;
	RankedGap  *ranked;
	int64		nranked;
	int			shift;			/* of deficits */
	TupleDesc	tupdesc;
} GapCursor;

/* The cells above zero as ordered spans that do not touch; sets the largest value. */
static void
positive_spans(const Coverage *c, SpanList *out, double *largest)
{
	const uint32 *starts = COVERAGE_STARTS(c);

	*largest = 0;
	sr_span_list_init(out);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		int64		end = run_end(c, i);

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!(c->values[i] > 0))
			continue;
		*largest = Max(*largest, c->values[i]);
		if (out->nspans > 0 && out->spans[out->nspans - 1].last + 1 == (int64) starts[i])
			out->spans[out->nspans - 1].last = end - 1;
		else
			span_list_add(out, starts[i], end - 1);
	}
}

/* The run that holds a cell, looked for near another run first. */
static uint32
find_run_near(const Coverage *c, int64 cell, uint32 run)
{
	const uint32 *starts = COVERAGE_STARTS(c);
	uint32		lo = 0,
				hi = c->nruns;	/* the run is in lo .. hi - 1 */

	if ((int64) starts[run] <= cell)
	{
		lo = run;
		for (uint32 step = 1; step < c->nruns - lo; step *= 2)
		{
			if ((int64) starts[lo + step] > cell)
			{
				hi = lo + step;
				break;
			}
			lo += step;
		}
	}
	else
		hi = run;
	while (hi - lo > 1)
	{
		uint32		mid = lo + (hi - lo) / 2;

		if ((int64) starts[mid] <= cell)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Adds up each gap's values. */
static void
sum_gaps(const Coverage *c, const GapSet *set, int shift, RankedGap *sums)
{
	uint32		run = 0;

	for (int64 g = 0; g < set->ngaps; g++)
	{
		sums[g].deficit = 0;
		sums[g].gap = &set->gaps[g];
	}
	for (int64 i = 0; i < set->table.list.count; i++)
	{
		CellSpan	spans[2];
		int			n = sr_gaps_segment_cells(set, (uint32) i, spans);

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < n; k++)
		{
			int64		cell = spans[k].first;

			run = find_run_near(c, cell, run);
			for (;;)
			{
				int64		end = Min(run_end(c, run), spans[k].last + 1);

				sums[set->table.list.items[i].label].deficit +=
					to_fixed(c->values[run], shift) * (end - cell);
				cell = end;
				if (cell > spans[k].last)
					break;
				run++;
			}
		}
	}
}

/* Largest deficit first, then lowest cell. */
static int
compare_ranked(const void *pa, const void *pb)
{
	const RankedGap *a = pa;
	const RankedGap *b = pb;

	CHECK_FOR_INTERRUPTS();
	if (a->deficit != b->deficit)
		return a->deficit > b->deficit ? -1 : 1;
	return a->gap->first < b->gap->first ? -1 : a->gap->first > b->gap->first;
}

static double
check_min_area(double min_area)
{
	if (isnan(min_area) || isinf(min_area) || min_area < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_area_m2 %s is not a finite number of at least 0", double_to_shortest_decimal(min_area)),
				 errhint("Areas are square metres; 0 keeps all gaps.")));
	return min_area;
}

/* Takes the gaps of a field apart and ranks those that are large enough. */
static void
rank_gaps(const Coverage *c, double min_area, GapCursor *cursor)
{
	SpanList	cells;
	double		largest;
	RankedGap  *all;

	positive_spans(c, &cells, &largest);
	cursor->grid = sr_hpx_grid(c->order);
	if (!sr_gaps_find(cursor->grid, &cells, &cursor->set))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("gaps of a coverage of order %d are in more than " INT64_FORMAT " pieces",
						c->order, GAPS_MAX_SEGMENTS),
				 errdetail("A piece is a row of cells side by side in one gap."),
				 errhint("Use a lower grid_order, such as %d.", Max(c->order - 1, 0))));
	sr_span_list_free(&cells);
	cursor->shift = fixed_shift(largest);
	all = sr_alloc((Size) cursor->set.ngaps * sizeof(RankedGap));
	sum_gaps(c, &cursor->set, cursor->shift, all);
	cursor->nranked = 0;
	for (int64 g = 0; g < cursor->set.ngaps; g++)
		if ((double) all[g].gap->ncell * sr_hpx_cell_area(c->order) >= min_area)
			all[cursor->nranked++] = all[g];
	cursor->ranked = all;
	if (cursor->nranked == 0)
		return;
	qsort(all, cursor->nranked, sizeof(RankedGap), compare_ranked);
	sr_gaps_find_centers(&cursor->set);
}

/* EWKB of an outline. */
static bytea *
outline_wkb(const GapOutline *outline)
{
	Polygon    *polygons = sr_alloc((Size) outline->npolygons * sizeof(Polygon));
	LinearRing *rings = sr_alloc((Size) outline->rings.count * sizeof(LinearRing));
	int32		n = 0;

	for (int64 r = 0; r < outline->rings.count; r++)
	{
		if (outline->rings.items[r].shell)
		{
			polygons[n].rings = &rings[r];
			polygons[n++].nrings = 0;
		}
		polygons[n - 1].nrings++;
		rings[r].npoints = (int32) outline->rings.items[r].npoints;
		rings[r].xy = &outline->points.items[outline->rings.items[r].start].lon;
	}
	return sr_wkb_multipolygon(n, polygons, SRID_WGS84);
}

/* The gaps with their centres and outlines as EWKB. */
SR_FUNCTION(coverage_gap_rows);
Datum
coverage_gap_rows(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	GapCursor  *cursor;

	if (SRF_IS_FIRSTCALL())
	{
		double		min_area = check_min_area(PG_GETARG_FLOAT8(1));
		MemoryContext old;

		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		cursor = palloc0(sizeof(GapCursor));
		rank_gaps(PG_GETARG_COVERAGE(0), min_area, cursor);
		cursor->tupdesc = sr_result_row(fcinfo);
		funcctx->user_fctx = cursor;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	cursor = funcctx->user_fctx;

	if (funcctx->call_cntr < (uint64) cursor->nranked)
	{
		const RankedGap *ranked = &cursor->ranked[funcctx->call_cntr];
		GapOutline	outline;
		double		lon,
					lat;
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};

		sr_gap_outline(cursor->grid, &cursor->set, ranked->gap, &outline);
		sr_hpx_cell_center(cursor->grid, ranked->gap->center, &lon, &lat);
		values[0] = Int32GetDatum((int32) funcctx->call_cntr + 1);
		values[1] = Float8GetDatum((double) ranked->gap->ncell * sr_hpx_cell_area(cursor->grid->order));
		values[2] = Float8GetDatum(from_fixed(ranked->deficit, cursor->shift));
		values[3] = PointerGetDatum(sr_wkb_point(lon, lat, SRID_WGS84));
		values[4] = PointerGetDatum(outline_wkb(&outline));
		SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(cursor->tupdesc, values, nulls)));
	}
	SRF_RETURN_DONE(funcctx);
}
