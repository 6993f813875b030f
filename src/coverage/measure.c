/*
 * measure.c: numbers out of fields: sums and areas, in all, in a
 * region or in a disc, and the value at a point.
 *
 * Sums are exact: values are taken as 128-bit fixed-point numbers scaled to the
 * largest of them, so no order of additions matters, and only the final result is
 * rounded to a float8. A value more than 2^42 times smaller than the largest
 * loses bits below 2^-95 of that largest one.
 */
#include "coverage/check.h"
#include "coverage/geog.h"
#include "coverage/region.h"
#include "coverage/sums.h"

/* Sum over all cells. */
static double
total(const Coverage *c, FieldKind kind)
{
	int			shift = coverage_shift(c, kind);
	int128		sum = 0;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		sum += to_fixed(measured(c->values[i], kind), shift) * run_length(c, i);
	}
	return from_fixed(sum, shift);
}

/* Sum over the cells of a region argument. */
static double
sum_region(FunctionCallInfo fcinfo, FieldKind kind)
{
	Field	   *field = sr_field_argument(fcinfo, 0, kind);
	SpanList	spans;
	int128		sum = 0;

	sr_scan_region(fcinfo, 1, field->order, &spans);
	for (int64 i = 0; i < spans.nspans; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		sum += sr_field_sum_span(field, spans.spans[i].first, spans.spans[i].last);
	}
	sr_span_list_free(&spans);
	return from_fixed(sum, field->shift);
}

SR_FUNCTION(coverage_sum);
Datum
coverage_sum(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total(PG_GETARG_COVERAGE(0), FIELD_VALUES));
}

SR_FUNCTION(coverage_sum_region);
Datum
coverage_sum_region(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(sum_region(fcinfo, FIELD_VALUES));
}

SR_FUNCTION(coverage_sum_disc);
Datum
coverage_sum_disc(PG_FUNCTION_ARGS)
{
	Field	   *field = sr_field_argument(fcinfo, 0, FIELD_VALUES);
	Disc		disc;

	prefetch_rows(PG_GETARG_DATUM(1));
	sr_geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	disc.radius = PG_GETARG_FLOAT8(2);
	check_disc(&disc);
	PG_RETURN_FLOAT8(sr_field_sum_disc(field, &disc));
}

SR_FUNCTION(coverage_area);
Datum
coverage_area(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);

	PG_RETURN_FLOAT8(total(c, FIELD_NONZERO) * sr_hpx_cell_area(c->order));
}

SR_FUNCTION(coverage_area_region);
Datum
coverage_area_region(PG_FUNCTION_ARGS)
{
	double		cells = sum_region(fcinfo, FIELD_NONZERO);
	Field	   *field = fcinfo->flinfo->fn_extra;

	PG_RETURN_FLOAT8(cells * sr_hpx_cell_area(field->order));
}

SR_FUNCTION(coverage_value);
Datum
coverage_value(PG_FUNCTION_ARGS)
{
	Field	   *field = sr_field_argument(fcinfo, 0, FIELD_SINGLE);
	double		lon,
				lat;
	int64		cell;

	sr_geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	cell = sr_point_cell(field->order, lon, lat);
	PG_RETURN_FLOAT8(sr_field_value(field, cell));
}
