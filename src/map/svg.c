/*
 * svg.c: the shapes of a picture of a field, as path data of SVG. SQL makes the document
 * from them.
 *
 * The display grid is the field's own, or a coarser one: its order is bounded by what can be
 * seen, and falls until the outlines have at most MAX_POINTS points, so that the size of the
 * picture is bounded whatever it shows.
 */
#include "map/map.h"

#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/dmath.h"
#include "coverage/region.h"
#include "coverage/runs.h"

/* A brick of a field covers at least so many square units; regions are drawn finer. */
#define FIELD_BRICK 0.64
#define REGION_BRICK 0.16

#define MAX_POINTS 100000

/* Of the points in a square of so many tenths of a unit the first becomes a dot. */
#define DOT_GRID 40
#define DOT_COLUMNS ((SR_FRAME_LEFT + SR_FRAME_WIDTH) / DOT_GRID + 1)

/*
 * A frame that shows what is not zero in a field. A narrow field is whole on a map of the
 * world that is cut at one meridian, or on one cut at the opposite one; a closer look then
 * finds its bounds better.
 */
static void
frame_field(MapFrame *frame, const Coverage *c, int top)
{
	sr_frame_world(frame, top);
	for (int look = 0; look < 3; look++)
	{
		MapFrame	from = *frame;
		Bricks		b = sr_bricks(&from, Min(c->order, sr_frame_order(&from, FIELD_BRICK)));

		if (look == 1 && from.whole)
			from.meridian += 0.5;
		sr_bricks_add_field(&b, c);
		if (sr_frame_fit(&from, &b, c->order))
			*frame = from;
		sr_array_free(&b.list);
	}
}

/* A field's classes, below zero and above, with their paths. Returns the order of the display grid. */
static int
draw_field(Classes classes[2], StringInfoData path[2][SR_MAX_CLASSES], const MapFrame *frame, const Coverage *c)
{
	for (int order = Min(c->order, sr_frame_order(frame, FIELD_BRICK));; order--)
	{
		int64		npoints = 0;
		Bricks		b = sr_bricks(frame, order);

		sr_bricks_add_field(&b, c);
		for (int s = 0; s < 2; s++)
		{
			sr_classes_choose(&b, s == 0 ? -1 : 1, &classes[s]);
			for (int i = 0; i < classes[s].n && npoints <= MAX_POINTS; i++)
			{
				/* a class lies on those nearer to zero, so that no seams show */
				initStringInfo(&path[s][i]);
				npoints += sr_path_outline(&b, s == 0 ? -1 : 1, i == 0 ? 0x1p-1074 : classes[s].bound[i], &path[s][i]);
			}
		}
		sr_array_free(&b.list);
		if (npoints <= MAX_POINTS || order == 0)
			return order;
	}
}

/* Adds a region's cells. */
static void
add_region(Bricks *b, Datum geography)
{
	GeogRegion	region;
	SpanList	spans;

	CHECK_FOR_INTERRUPTS();
	sr_region_cells(geography, b->grid->order, &region, &spans);
	for (int64 i = 0; i < spans.nspans; i++)
		sr_bricks_add_cells(b, spans.spans[i].first, spans.spans[i].last, 1);
	sr_span_list_free(&spans);
}

/* The outlines of regions, each for itself. */
static void
draw_regions(StringInfo out, const MapFrame *frame, const Datum *regions, int n)
{
	for (int order = sr_frame_order(frame, REGION_BRICK);; order--)
	{
		int64		npoints = 0;
		Bricks		b = sr_bricks(frame, order);

		resetStringInfo(out);
		for (int i = 0; i < n && npoints <= MAX_POINTS; i++)
		{
			b.list.count = 0;
			add_region(&b, regions[i]);
			npoints += sr_path_outline(&b, 1, 1, out);
		}
		sr_array_free(&b.list);
		if (npoints <= MAX_POINTS || order == 0)
			return;
	}
}

/* The points that the frame shows, as dots where none is taken. */
static void
draw_points(StringInfo out, const MapFrame *frame, Datum geography, bool *taken)
{
	double	   *lonlat;
	int32		n = sr_geog_read_points(geography, &lonlat);

	for (int32 i = 0; i < n; i++, lonlat += 2)
	{
		double		s,
					c;
		int			x,
					y;
		bool	   *place;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		sr_sincos_deg(lonlat[1], &s, &c);
		sr_frame_position(frame, sr_frame_across(frame, sr_lon_turn(lonlat[0])), hpx_authalic_z(s), &x, &y);
		if (x < 0 || x > SR_FRAME_LEFT + SR_FRAME_WIDTH || y < frame->top || y > frame->top + frame->height)
			continue;
		place = &taken[(y - frame->top) / DOT_GRID * DOT_COLUMNS + x / DOT_GRID];
		if (!*place)
			appendStringInfo(out, "M%d %dh0", x, y);
		*place = true;
	}
}

/* The frame: the Earth, or a rectangle. */
static void
draw_frame(StringInfo out, const MapFrame *frame)
{
	Bricks		b = sr_bricks(frame, 7);

	if (!frame->whole)
	{
		appendStringInfo(out, "M%d %dh%dv%dh%dz", SR_FRAME_LEFT, frame->top, SR_FRAME_WIDTH, frame->height, -SR_FRAME_WIDTH);
		return;
	}
	sr_bricks_add_cells(&b, 0, b.grid->ncell - 1, 1);
	(void) sr_path_outline(&b, 1, 1, out);
	sr_array_free(&b.list);
}

/* What the shapes' rows go to. */
static void
put(ReturnSetInfo *result, const char *what, double number, const StringInfoData *path)
{
	Datum		d = path ? PointerGetDatum(cstring_to_text_with_len(path->data, path->len)) : 0;
	Datum		values[3] = {CStringGetTextDatum(what), Float8GetDatum(number), d};
	bool		nulls[3] = {false, false, path == NULL};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Rows that say what a field holds besides zero. */
static void
put_contents(ReturnSetInfo *result, const Coverage *c)
{
	int64		ncell = 0;
	double		least = 0;
	double		greatest = 0;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		double		v = c->values[i];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (v == 0)
			continue;
		least = ncell == 0 ? v : Min(least, v);
		greatest = ncell == 0 ? v : Max(greatest, v);
		ncell += run_end(c, i) - COVERAGE_STARTS(c)[i];
	}
	put(result, "cells", (double) ncell, NULL);
	put(result, "least", least, NULL);
	put(result, "greatest", greatest, NULL);
}

/* coverage_svg_shapes(c, regions, top) */
SR_FUNCTION(coverage_svg_shapes);
Datum
coverage_svg_shapes(PG_FUNCTION_ARGS)
{
	const Coverage *c = PG_GETARG_COVERAGE(0);
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MapFrame	frame;
	Classes		classes[2];
	StringInfoData path[2][SR_MAX_CLASSES];
	StringInfoData dots,
				other;
	Datum	   *places;
	bool	   *nulls;
	bool	   *taken;
	int			nplaces;
	int			nregions = 0;

	InitMaterializedSRF(fcinfo, 0);
	put_contents(result, c);
	frame_field(&frame, c, PG_GETARG_INT32(2) * 10);
	put(result, "meridian", (frame.meridian > 0.5 ? frame.meridian - 1 : frame.meridian) * 360, NULL);
	put(result, "height", frame.height / 10, NULL);
	initStringInfo(&other);
	draw_frame(&other, &frame);
	put(result, "frame", 0, &other);

	put(result, "grid_order", draw_field(classes, path, &frame, c), NULL);
	for (int s = 0; s < 2; s++)
		for (int i = 0; i < classes[s].n; i++)
			put(result, s == 0 ? "below" : "above", classes[s].bound[i], &path[s][i]);

	/* points become dots, what remains are regions; geography: varlena, double-aligned */
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &places, &nulls, &nplaces);
	taken = palloc0((frame.height / DOT_GRID + 1) * DOT_COLUMNS * sizeof(bool));
	initStringInfo(&dots);
	for (int i = 0; i < nplaces; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i] && sr_geog_is_puntal(places[i]))
			draw_points(&dots, &frame, places[i], taken);
		else if (!nulls[i])
			places[nregions++] = places[i];
	}
	draw_regions(&other, &frame, places, nregions);
	put(result, "land", nregions, &other);
	put(result, "dots", 0, &dots);
	PG_RETURN_NULL();
}
