/*
 * region.c: the cells of a region, the field that is 1 in them, and its area.
 */
#include "coverage/region.h"

#include "coverage/builder.h"
#include "coverage/check.h"
#include "coverage/geog.h"
#include "coverage/postgis.h"
#include "grid/area.h"

#include "utils/lsyscache.h"

/* The error for a polygon that says nothing; order is that of the grid it was scanned on. */
void
sr_report_ring_fault(const RingFault *fault, int order)
{
	const double *e = fault->edge;

	switch (fault->error)
	{
		case RING_OK:
			break;
		case RING_ANTIPODAL:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("region has an edge of 180 degrees, from (%.15g %.15g) to (%.15g %.15g)", e[0], e[1], e[2], e[3]),
					 errdetail("Half a great circle may go any way: no single one joins a point and its antipode."),
					 errhint("Add a vertex on the way, and cut a region that is as large as a hemisphere into several polygons.")));
			break;
		case RING_EQUAL_SIDES:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("region has a ring whose two sides have the same area, at (%.15g %.15g)", e[0], e[1]),
					 errdetail("Of the two sides of a ring the smaller one is its inside."),
					 errhint("Cut the region into several polygons, each smaller than a hemisphere.")));
			break;
		case RING_TOO_COMPLEX:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("region is too complex for grid order %d", order),
					 errdetail("Its edges meet the parallels of the grid's cells more than " INT64_FORMAT " times.", RING_MAX_CROSSINGS),
					 errhint("Use a lower grid_order, or a simpler region.")));
			break;
	}
}

/* Reads a region, and lists the cells whose centres it covers. */
void
sr_region_cells(Datum geography, int order, GeogRegion *region, SpanList *out)
{
	RingFault	fault;

	sr_geog_read_region(geography, region);
	sr_span_list_init(out);
	if (!sr_scan_polygons(sr_hpx_grid(order), region->polygons, region->npolygons, out, &fault))
		sr_report_ring_fault(&fault, order);
}

/*
 * The cells of a region argument: those whose centres it covers, else the one
 * that holds the centroid of its largest part, else none.
 */
void
sr_scan_region(FunctionCallInfo fcinfo, int argno, int order, SpanList *out)
{
	GeogRegion	region;

	sr_region_cells(PG_GETARG_DATUM(argno), order, &region, out);
	if (out->nspans == 0)
	{
		Oid		   *argtypes;
		int			nargs;
		double		lon,
					lat;

		(void) get_func_signature(fcinfo->flinfo->fn_oid, &argtypes, &nargs);
		if (sr_postgis_centroid(&region, argtypes[argno], &lon, &lat))
		{
			int64		cell = sr_point_cell(order, lon, lat);

			span_list_add(out, cell, cell);
		}
	}
}

/* 1 in the cells of ordered spans, 0 elsewhere. */
Coverage *
sr_coverage_from_spans(int order, const SpanList *spans)
{
	CoverageBuilder b;

	sr_builder_init(&b, order, 2 * spans->nspans + 1);
	builder_add(&b, 0, 0.0);
	for (int64 i = 0; i < spans->nspans; i++)
	{
		/* a span at cell 0 replaces the run that says 0 there */
		if (spans->spans[i].first == 0)
			b.nruns = 0;
		builder_add(&b, spans->spans[i].first, 1.0);
		if (spans->spans[i].last + 1 < INT64_C(12) << (2 * order))
			builder_add(&b, spans->spans[i].last + 1, 0.0);
	}
	return sr_builder_finish(&b);
}

/* 1 inside a region. */
SR_FUNCTION(region_coverage);
Datum
region_coverage(PG_FUNCTION_ARGS)
{
	int			order = sr_order_argument(fcinfo, 1);
	SpanList	spans;

	sr_scan_region(fcinfo, 0, order, &spans);
	PG_RETURN_POINTER(sr_coverage_from_spans(order, &spans));
}

/* Area of a region in square metres. */
SR_FUNCTION(region_area);
Datum
region_area(PG_FUNCTION_ARGS)
{
	GeogRegion	region;
	double		area = 0;

	sr_geog_read_region(PG_GETARG_DATUM(0), &region);
	for (int32 p = 0; p < region.npolygons; p++)
	{
		const Polygon *polygon = &region.polygons[p];

		for (int32 r = 0; r < polygon->nrings; r++)
		{
			Ring		ring;
			RingFault	fault;

			if (!sr_ring_make(&ring, &polygon->rings[r], &fault))
				sr_report_ring_fault(&fault, SR_MAX_ORDER);
			sr_ring_free(&ring);
		}
		area += sr_polygon_area(polygon);
	}
	sr_geog_free_region(&region);
	PG_RETURN_FLOAT8(area);
}
