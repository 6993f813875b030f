/*
 * cell.c: the grid under a field: its order, the cell of a point, a cell's area.
 */
#include "coverage/check.h"
#include "coverage/geog.h"

SR_FUNCTION(coverage_order);
Datum
coverage_order(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(sr_coverage_order_of(PG_GETARG_DATUM(0)));
}

SR_FUNCTION(coverage_cell);
Datum
coverage_cell(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(1);
	double		lon,
				lat;

	check_order(order);
	sr_geog_read_point(PG_GETARG_DATUM(0), &lon, &lat);
	PG_RETURN_INT64(sr_point_cell(order, lon, lat));
}

SR_FUNCTION(coverage_cell_area);
Datum
coverage_cell_area(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(0);

	check_order(order);
	PG_RETURN_FLOAT8(sr_hpx_cell_area(order));
}
