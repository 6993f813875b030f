/*
 * region.c: the cells of a region, and the field that is 1 in them.
 */
#include "coverage/region.h"

#include "coverage/builder.h"
#include "coverage/check.h"
#include "coverage/geog.h"

#include "utils/lsyscache.h"

/*
 * The cells of a region argument: those whose centres it covers, else the one
 * that holds the centroid of its largest part, else none.
 */
void
scan_region(FunctionCallInfo fcinfo, int argno, int order, SpanList *out)
{
	GeogRegion	region;
	double		edge[4];

	geog_read_region(PG_GETARG_DATUM(argno), &region);
	span_list_init(out);
	if (region.largest < 0)
		return;
	switch (scan_polygons(hpx_grid(order), region.polygons, region.npolygons, out, edge))
	{
		case SCAN_OK:
			break;
		case SCAN_ANTIPODAL:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("region has an edge between antipodal points: (%.15g %.15g) and (%.15g %.15g)",
							edge[0], edge[1], edge[2], edge[3]),
					 errdetail("No single great circle joins antipodal points."),
					 errhint("Add a vertex between them.")));
			break;
		case SCAN_TOO_COMPLEX:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("region is too complex for grid order %d", order),
					 errdetail("Its edges meet the parallels of the grid's cells more than " INT64_FORMAT " times.", SCAN_MAX_CROSSINGS),
					 errhint("Use a lower grid_order, or a simpler region.")));
			break;
	}
	if (out->nspans == 0)
	{
		Oid		   *argtypes;
		int			nargs;
		double		lon,
					lat;
		int64		cell;

		(void) get_func_signature(fcinfo->flinfo->fn_oid, &argtypes, &nargs);
		geog_region_centroid(&region, argtypes[argno], &lon, &lat);
		cell = point_cell(order, lon, lat);
		span_list_add(out, cell, cell);
	}
}

/* 1 in the cells of ordered spans, 0 elsewhere. */
Coverage *
coverage_from_spans(int order, const SpanList *spans)
{
	CoverageBuilder b;

	builder_init(&b, order, 2 * spans->nspans + 1);
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
	return builder_finish(&b);
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
