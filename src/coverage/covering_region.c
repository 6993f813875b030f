/*
 * covering_region.c: the first of an array of regions that covers a point, or is nearest to it.
 *
 * The array is taken apart once for a run of equal arrays.
 */
#include "postgres.h"
#include "base/compat.h"

#include "common/shortest_dec.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "coverage/builder.h"
#include "coverage/check.h"
#include "coverage/covering_region.h"
#include "coverage/geog.h"
#include "coverage/region.h"
#include "grid/locate.h"
#include "grid/nearness.h"

/* What is kept from call to call. */
typedef struct Regions
{
	MemoryContext context;		/* of all that belongs to one array */
	ArrayType  *array;			/* our copy; NULL: none is prepared */
	bool		is_constant;	/* the query's argument is always this one */
	Locator    *locator;
} Regions;

/*
 * Is the array the same in all calls? That of a parameter is not: an expression of PL/pgSQL is kept from one
 * call of its function to the next.
 */
static bool
is_constant(FmgrInfo *flinfo)
{
	return flinfo->fn_expr != NULL && IsA(flinfo->fn_expr, FuncExpr) &&
		IsA(linitial(((FuncExpr *) flinfo->fn_expr)->args), Const);
}

/* Where the regions of an array are; it lives in the current memory context. */
Locator *
sr_read_regions(ArrayType *array)
{
	Locator    *locator;
	Datum	   *regions;
	bool	   *is_null;
	int			n;
	int16		length;
	bool		by_value;
	char		align;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of regions has %d dimensions", ARR_NDIM(array)),
				 errhint("Only arrays of one dimension are searched.")));
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &regions, &is_null, &n);
	locator = sr_locator_new();
	for (int i = 0; i < n; i++)
	{
		GeogRegion	region = {0, NULL};
		RingFault	fault;

		if (!is_null[i])
			sr_geog_read_region(regions[i], &region);
		if (!sr_locator_add(locator, region.polygons, region.npolygons, &fault))
			sr_report_ring_fault(&fault, SR_MAX_ORDER);
		if (!is_null[i])
			sr_geog_free_region(&region);
	}
	pfree(regions);
	pfree(is_null);
	sr_locator_finish(locator);
	return locator;
}

/* Prepares the array argument. */
static void
prepare(Regions *r, FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(r->context);
	ArrayType  *array = DatumGetArrayTypePCopy(PG_GETARG_DATUM(0));

	r->locator = sr_read_regions(array);
	r->array = array;
	r->is_constant = is_constant(fcinfo->flinfo);
	MemoryContextSwitchTo(old);
}

/* The array argument, prepared. */
static Regions *
regions_argument(FunctionCallInfo fcinfo)
{
	Regions    *r = fcinfo->flinfo->fn_extra;

	if (r == NULL)
	{
		r = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Regions));
		r->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "regions", ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = r;
	}
	if (r->array != NULL && r->is_constant)
		return r;
	if (r->array != NULL)
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
		bool		same = VARSIZE(array) == VARSIZE(r->array) && memcmp(array, r->array, VARSIZE(array)) == 0;

		PG_FREE_IF_COPY(array, 0);
		if (same)
			return r;
	}
	r->array = NULL;			/* stays so if we fail below */
	MemoryContextReset(r->context);
	prepare(r, fcinfo);
	return r;
}

/* Position from 1 of the first region of an array that covers a point; NULL if none does. */
SR_FUNCTION(covering_region);
Datum
covering_region(PG_FUNCTION_ARGS)
{
	Regions    *r = regions_argument(fcinfo);
	double		lon,
				lat;
	int32		found;

	sr_geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	found = sr_locator_find(r->locator, lon, lat);
	if (found < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(found + 1);
}

/* A distance within which the nearest region is looked for. */
static double
within_argument(FunctionCallInfo fcinfo, int argno)
{
	double		within = PG_GETARG_FLOAT8(argno);

	if (isnan(within) || within < 0 || within > SR_MAX_NEARNESS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("distance %s m is out of range", double_to_shortest_decimal(within)),
				 errhint("The nearest region is looked for within 0 to %.0f metres.", SR_MAX_NEARNESS)));
	return within;
}

/* The first region, from 0, that covers a place, or else the nearest within so many metres; -1 if there is none. */
int32
sr_find_region(const Locator *locator, double lon, double lat, double within)
{
	int32		found = sr_locator_find(locator, lon, lat);

	if (found < 0 && within > 0)
		found = sr_locator_nearest(locator, lon, lat, within);
	return found;
}

/* The same, or else the position of the nearest within so many metres. */
SR_FUNCTION(covering_region_within);
Datum
covering_region_within(PG_FUNCTION_ARGS)
{
	double		within = within_argument(fcinfo, 2);
	Regions    *r = regions_argument(fcinfo);
	double		lon,
				lat;
	int32		found;

	sr_geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	found = sr_find_region(r->locator, lon, lat, within);
	if (found < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(found + 1);
}

/* The same for the centre of each cell, as a field; 0 where there is none. */
SR_FUNCTION(sr_region_field);
Datum
sr_region_field(PG_FUNCTION_ARGS)
{
	double		within = within_argument(fcinfo, 1);
	int			order = PG_GETARG_INT32(2);
	Regions    *r = regions_argument(fcinfo);
	const HpxGrid *grid;
	CoverageBuilder builder;

	check_order(order);
	grid = sr_hpx_grid(order);
	sr_builder_init(&builder, order, 1024);
	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		double		lat = sr_hpx_ring_lat(ring);


		for (int32 j = 0; j < ring->ncell; j++)
		{
			CHECK_FOR_INTERRUPTS();
			builder_add(&builder, ring->start + j, sr_find_region(r->locator, sr_hpx_ring_lon(ring, j), lat, within) + 1);
		}
	}
	PG_RETURN_POINTER(sr_builder_finish(&builder));
}
