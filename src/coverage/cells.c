/*
 * coverage_cells.c: a field as rows, and cells as geometry.
 */
#include "coverage/coverage.h"

#include "coverage/check.h"
#include "coverage/geog.h"

#include "funcapi.h"

#include "base/wkb.h"

/*
 * Chords per side of a cell's boundary. The sides are not great circles: large
 * cells bend with the grid, and those near a pole at every order. So many chords
 * keep the polygon's area within 0.1 % of the cell's.
 */
static int
side_steps(const HpxGrid *grid, int64 cell)
{
	int32		ring = hpx_cell_ring(grid, cell);
	int32		from_pole = Min(ring, grid->nring + 1 - ring);
	int			by_order = grid->order < 6 ? 64 >> grid->order : 1;
	int			by_pole = (int) ceil(12.0 / sqrt(from_pole));

	return Max(by_order, by_pole);
}

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
		if (get_call_result_type(fcinfo, NULL, &cursor->tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		cursor->tupdesc = BlessTupleDesc(cursor->tupdesc);
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
	hpx_cell_center(hpx_grid(order), cell, &lon, &lat);
	PG_RETURN_BYTEA_P(wkb_point(lon, lat, SRID_WGS84));
}

/* EWKB of a cell's boundary, counter-clockwise from its southern corner. */
SR_FUNCTION(coverage_cell_boundary_wkb);
Datum
coverage_cell_boundary_wkb(PG_FUNCTION_ARGS)
{
	/* south, east, north, west on the face */
	static const int corner[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
	int32		order = PG_GETARG_INT32(0);
	int64		cell = PG_GETARG_INT64(1);
	double		nside;
	int			steps;
	int			npoints;
	double	   *xy;
	int			face;
	int64		ix,
				iy;

	check_cell(order, cell);
	nside = (double) (INT64_C(1) << order);
	steps = side_steps(hpx_grid(order), cell);
	npoints = 4 * steps + 1;
	hpx_cell_to_face(order, cell, &face, &ix, &iy);
	xy = palloc(npoints * 2 * sizeof(double));
	for (int side = 0; side < 4; side++)
	{
		const int  *from = corner[side];
		const int  *to = corner[(side + 1) % 4];

		for (int k = 0; k < steps; k++)
		{
			double		t = (double) k / steps;
			double	   *at = &xy[2 * (side * steps + k)];

			hpx_face_position(face,
							  ((double) ix + from[0] + t * (to[0] - from[0])) / nside,
							  ((double) iy + from[1] + t * (to[1] - from[1])) / nside,
							  &at[0], &at[1]);
		}
	}
	xy[2 * (npoints - 1)] = xy[0];
	xy[2 * (npoints - 1) + 1] = xy[1];
	PG_RETURN_BYTEA_P(wkb_polygon(&(Polygon) {1, &(LinearRing) {npoints, xy}}, SRID_WGS84));
}
