/*
 * cells.c: a field as rows, and cells as geometry.
 */
#include "coverage/coverage.h"

#include "coverage/check.h"

#include "funcapi.h"

#include "base/result.h"
#include "base/wkb.h"
#include "grid/cell.h"

typedef struct CellCursor
{
	Coverage   *c;
	uint32		run;
	int64		cell;			/* next to return */
	TupleDesc	tupdesc;
} CellCursor;

/* The cells that are not zero with their values, in the order of their numbers. */
SR_FUNCTION(coverage_cell_values);
Datum
coverage_cell_values(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	CellCursor *cursor;
	const uint32 *starts;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		cursor = palloc0(sizeof(CellCursor));
		cursor->c = PG_GETARG_COVERAGE(0);
		/* what was not unpacked may go before the last row is asked for */
		if (cursor->c == (Coverage *) PG_GETARG_POINTER(0))
			cursor->c = (Coverage *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0));
		cursor->tupdesc = sr_result_row(fcinfo);
		funcctx->user_fctx = cursor;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	cursor = funcctx->user_fctx;
	starts = COVERAGE_STARTS(cursor->c);

	for (; cursor->run < cursor->c->nruns; cursor->run++)
	{
		int64		end = cursor->run + 1 < cursor->c->nruns ?
			(int64) starts[cursor->run + 1] : COVERAGE_NCELL(cursor->c);

		CHECK_FOR_INTERRUPTS();
		if (cursor->c->values[cursor->run] != 0 && cursor->cell < end)
		{
			Datum		values[2];
			bool		nulls[2] = {false, false};

			values[0] = Int64GetDatum(cursor->cell++);
			values[1] = Float8GetDatum(cursor->c->values[cursor->run]);
			SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(cursor->tupdesc, values, nulls)));
		}
		cursor->cell = end;
	}
	SRF_RETURN_DONE(funcctx);
}

/* Checks a cell number against an order. */
static void
check_cell(int order, int64 cell)
{
	check_order(order);
	if (cell < 0 || cell >= INT64_C(12) << (2 * order))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cell " INT64_FORMAT " is out of range for grid order %d", cell, order)));
}

/* EWKB of a cell's centre. */
SR_FUNCTION(coverage_cell_center_wkb);
Datum
coverage_cell_center_wkb(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(0);
	int64		cell = PG_GETARG_INT64(1);
	double		lon,
				lat;

	check_cell(order, cell);
	sr_hpx_cell_center(sr_hpx_grid(order), cell, &lon, &lat);
	PG_RETURN_BYTEA_P(sr_wkb_point(lon, lat, SRID_WGS84));
}

/* EWKB of a cell's boundary, counter-clockwise from its southern corner. */
SR_FUNCTION(coverage_cell_boundary_wkb);
Datum
coverage_cell_boundary_wkb(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(0);
	int64		cell = PG_GETARG_INT64(1);
	double		xy[2 * CELL_POINTS(CELL_MAX_STEPS)];
	int			steps;

	check_cell(order, cell);
	steps = sr_cell_smooth_steps(sr_hpx_grid(order), cell);
	sr_cell_outline(sr_hpx_grid(order), cell, steps, xy);
	PG_RETURN_BYTEA_P(sr_wkb_polygon(&(Polygon) {1, &(LinearRing) {CELL_POINTS(steps), xy}}, SRID_WGS84));
}

/* A flat outline has so many points at most, and where it is cut two more. */
#define MAX_FLAT_POINTS (CELL_FLAT_POINTS(CELL_MAX_STEPS) + 2)

/*
 * What of an outline lies west of a longitude, or east of it; returns how many points,
 * 0 if nothing does. The outline runs once to the east and once to the west.
 */
static int
cut_outline(const double *xy, int n, double lon, bool west, double *out)
{
	int			nout = 0;
	bool		area = false;

	for (int i = 0; i + 1 < n; i++)
	{
		const double *a = &xy[2 * i];
		const double *b = &xy[2 * i + 2];
		bool		a_in = west ? a[0] <= lon : a[0] >= lon;
		bool		b_in = west ? b[0] <= lon : b[0] >= lon;

		area = area || (a_in && a[0] != lon);
		if (a_in)
		{
			out[2 * nout] = a[0];
			out[2 * nout++ + 1] = a[1];
		}
		if (a_in != b_in && a[0] != lon && b[0] != lon)
		{
			out[2 * nout] = lon;
			out[2 * nout++ + 1] = a[1] + (b[1] - a[1]) * ((lon - a[0]) / (b[0] - a[0]));
		}
	}
	if (!area)
		return 0;
	out[2 * nout] = out[0];
	out[2 * nout + 1] = out[1];
	return nout + 1;
}

/*
 * EWKB of a cell's boundary for flat maps: a MultiPolygon of longitudes from -180 to
 * 180, cut in two where it lies across the antimeridian, and with the line that a pole
 * is on such a map.
 */
SR_FUNCTION(coverage_cell_planar_wkb);
Datum
coverage_cell_planar_wkb(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(0);
	int64		cell = PG_GETARG_INT64(1);
	const HpxGrid *grid;
	double		xy[2 * CELL_FLAT_POINTS(CELL_MAX_STEPS)];
	double		parts[2][2 * MAX_FLAT_POINTS];
	LinearRing	rings[2];
	Polygon		polygons[2];
	double		lon,
				lat;
	double		edge;
	int			npolygons = 0;
	int			n;

	check_cell(order, cell);
	grid = sr_hpx_grid(order);
	sr_hpx_cell_center(grid, cell, &lon, &lat);
	n = sr_cell_flat_outline(grid, cell, lon / 360.0, sr_cell_smooth_steps(grid, cell), xy);
	edge = lon < 0 ? -180.0 : 180.0;
	for (int i = 0; i < n; i++)
	{
		xy[2 * i] *= 360.0;
		/* a corner on the antimeridian is on it, whatever rounding makes of it */
		if (fabs(xy[2 * i] - edge) < 1e-9)
			xy[2 * i] = edge;
	}
	for (int west = 0; west < 2; west++)
	{
		double	   *part = parts[npolygons];
		int			npart = cut_outline(xy, n, edge, west == 1, part);

		if (npart == 0)
			continue;
		/* what lies beyond is at the other end of the map */
		if ((west == 1) != (edge > 0))
			for (int i = 0; i < npart; i++)
				part[2 * i] += edge > 0 ? -360.0 : 360.0;
		rings[npolygons] = (LinearRing) {npart, part};
		polygons[npolygons] = (Polygon) {1, &rings[npolygons]};
		npolygons++;
	}
	PG_RETURN_BYTEA_P(sr_wkb_multipolygon(npolygons, polygons, SRID_WGS84));
}
