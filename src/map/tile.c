/*
 * tile.c: the cells that a Web Mercator map tile shows.
 *
 * A tile of zoom z shows a field at grid order z + 4 at most, about a hundred
 * cells from edge to edge at the equator: what is finer is summed up into cells of
 * that order. A cell of a lower order is a diamond of cells of the field, which
 * has one interval on each of its rings; so a tile takes time in proportion to
 * the cells it shows, and to how much finer the field is than they are.
 */
#include "coverage/coverage.h"

#include "funcapi.h"

#include "base/dmath.h"
#include "base/result.h"
#include "base/wkb.h"
#include "coverage/runs.h"
#include "grid/cell.h"

#define MAX_ZOOM 24

/* Grid order of a tile above its zoom. */
#define TILE_DETAIL 4

/* Of the tile's width: what is drawn beyond its edges. A little more than PostGIS is asked for. */
#define TILE_BUFFER (72.0 / 4096.0)

/* sin(latitude) that maps on nothing but the poles' side of all tiles */
#define MAX_SINLAT 0.9999

static void
check_tile(int32 z, int32 x, int32 y)
{
	if (z < 0 || z > MAX_ZOOM)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("tile zoom %d is out of range", z),
				 errhint("A zoom is between 0 and %d.", MAX_ZOOM)));
	if (x < 0 || x >= 1 << z || y < 0 || y >= 1 << z)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("tile %d/%d/%d does not exist", z, x, y),
				 errhint("At zoom %d, x (from the west) and y (from the north) are between 0 and %d.",
						 z, (1 << z) - 1)));
}

/* ---------- Web Mercator: x and y from 0 to 1, y from the north ---------- */

static double
mercator_sinlat(double y)
{
	return tanh(SR_PI * (1.0 - 2.0 * y));
}

static double
mercator_y(double sinlat)
{
	double		s = Max(-MAX_SINLAT, Min(MAX_SINLAT, sinlat));

	return 0.5 - 0.25 * log((1.0 + s) / (1.0 - s)) / SR_PI;
}

/* ---------- values ---------- */

/*
 * The mean of the field's cells in a cell of the same or a lower order that are not
 * zero, and the share of the cell that they cover.
 */
static double
cell_value(const Coverage *c, int order, int64 cell, double scale, double *share)
{
	int			finer = c->order - order;
	int64		side = INT64_C(1) << finer;
	int64		ix,
				iy;
	int			face;
	Mean		mean = {0};

	if (finer == 0)
	{
		*share = 1;
		return c->values[run_of(c, cell)];
	}
	sr_hpx_cell_to_face(order, cell, &face, &ix, &iy);
	ix <<= finer;
	iy <<= finer;
	/* from the northern corner: the rings on which dx + dy is the same */
	for (int64 d = 2 * (side - 1); d >= 0; d--)
	{
		int64		dx = Max(0, d - (side - 1));
		int64		n = Min(d, side - 1) - dx + 1;
		int64		first = sr_hpx_face_to_cell(c->order, face, ix + dx, iy + d - dx);
		const HpxGrid *grid = sr_hpx_grid(c->order);
		const HpxRing *ring = HPX_RING(grid, sr_hpx_cell_ring(grid, first));
		int64		to_end = ring->start + ring->ncell - first;

		uint32		run = run_of(c, first);

		mean_add_cells(&mean, c, &run, first, first + Min(n, to_end), scale);
		if (n <= to_end)
			continue;
		run = run_of(c, ring->start);
		mean_add_cells(&mean, c, &run, ring->start, ring->start + n - to_end, scale);
	}
	*share = (double) mean.count / ((double) side * (double) side);
	return mean_value(&mean, scale);
}

/* ---------- shapes ---------- */

/* WKB of a cell's boundary in Web Mercator; its centre is so many turns east of Greenwich. */
static bytea *
cell_wkb(const HpxGrid *grid, int64 cell, double center_turn)
{
	const double world = 2 * SR_PI * SR_WGS84_A;
	/* large cells' sides bend; neighbours agree on their points */
	int			steps = grid->order < 6 ? 4 : grid->order < 7 ? 2 : 1;
	double		xy[2 * CELL_FLAT_POINTS(4)];
	LinearRing	ring = {sr_cell_flat_outline(grid, cell, center_turn, steps, xy), xy};

	for (int i = 0; i < ring.npoints; i++)
	{
		double		s,
					c;

		sr_sincos_deg(xy[2 * i + 1], &s, &c);
		xy[2 * i] *= world;
		xy[2 * i + 1] = (0.5 - mercator_y(s)) * world;
	}
	return sr_wkb_polygon(&(Polygon) {1, &ring}, SRID_NONE);
}

/* ---------- SQL ---------- */

/*
 * The zoom of a tile that exists. What PostGIS computes from a tile takes it from
 * here, so that whatever is evaluated first, the error is this one.
 */
SR_FUNCTION(sr_checked_tile_zoom);
Datum
sr_checked_tile_zoom(PG_FUNCTION_ARGS)
{
	int32		z = PG_GETARG_INT32(0);

	check_tile(z, PG_GETARG_INT32(1), PG_GETARG_INT32(2));
	PG_RETURN_INT32(z);
}

typedef struct TileCursor
{
	Coverage   *c;
	const HpxGrid *grid;		/* of the cells that are shown */
	double		west;			/* the window, in turns */
	double		east;
	int32		ring;
	int32		last_ring;
	int64		at;				/* next on the ring, may be below 0 or beyond its end */
	int64		last;
	double		scale;
	TupleDesc	tupdesc;
} TileCursor;

/* The places on a ring whose cells reach into the window. */
static void
start_ring(TileCursor *cursor)
{
	const HpxRing *ring = HPX_RING(cursor->grid, cursor->ring);

	cursor->at = (int64) ceil(cursor->west * ring->ncell - ring->shift - 0.5);
	cursor->last = (int64) floor(cursor->east * ring->ncell - ring->shift + 0.5);
}

/*
 * The cells that are not zero in and around a tile, in the order of their numbers,
 * those on the antimeridian once on each side that the tile shows.
 */
SR_FUNCTION(coverage_tile_cells);
Datum
coverage_tile_cells(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	TileCursor *cursor;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		int32		z = PG_GETARG_INT32(1);
		int32		x = PG_GETARG_INT32(2);
		int32		y = PG_GETARG_INT32(3);
		double		size;

		check_tile(z, x, y);
		size = 1.0 / (double) (1 << z);
		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		cursor = palloc0(sizeof(TileCursor));
		cursor->c = PG_GETARG_COVERAGE(0);
		cursor->tupdesc = sr_result_row(fcinfo);
		cursor->grid = sr_hpx_grid(Min(cursor->c->order, z + TILE_DETAIL));
		cursor->west = (x - TILE_BUFFER) * size - 0.5;
		cursor->east = (x + 1 + TILE_BUFFER) * size - 0.5;
		/* a cell reaches as far as the next rings */
		cursor->ring = sr_hpx_ring_above(cursor->grid, hpx_authalic_z(mercator_sinlat((y - TILE_BUFFER) * size))) - 1;
		cursor->last_ring = sr_hpx_ring_above(cursor->grid, hpx_authalic_z(mercator_sinlat((y + 1 + TILE_BUFFER) * size))) + 2;
		cursor->ring = Max(1, cursor->ring);
		cursor->last_ring = Min(cursor->grid->nring, cursor->last_ring);
		cursor->scale = cursor->grid->order < cursor->c->order ? mean_scale(cursor->c) : 1.0;
		start_ring(cursor);
		funcctx->user_fctx = cursor;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	cursor = funcctx->user_fctx;

	for (;;)
	{
		const HpxRing *ring = HPX_RING(cursor->grid, cursor->ring);
		int64		at = cursor->at;
		int64		cell;
		double		value,
					share;
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};

		CHECK_FOR_INTERRUPTS();
		if (at > cursor->last)
		{
			if (cursor->ring == cursor->last_ring)
				break;
			cursor->ring++;
			start_ring(cursor);
			continue;
		}
		cursor->at++;
		cell = ring->start + (at % ring->ncell + ring->ncell) % ring->ncell;
		value = cell_value(cursor->c, cursor->grid->order, cell, cursor->scale, &share);
		if (value == 0)
			continue;
		values[0] = Int64GetDatum(cell);
		values[1] = Int32GetDatum(cursor->grid->order);
		values[2] = Float8GetDatum(value);
		values[3] = Float8GetDatum(share);
		values[4] = PointerGetDatum(cell_wkb(cursor->grid, cell,
											 ((double) at + ring->shift) / ring->ncell));
		SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(cursor->tupdesc, values, nulls)));
	}
	SRF_RETURN_DONE(funcctx);
}
