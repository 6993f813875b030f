/*
 * covering_region.c: the first of an array of regions that covers a point.
 *
 * The array is taken apart once for a run of equal arrays. What is too close to
 * a boundary for locate.c is asked of PostGIS.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "coverage/geog.h"
#include "grid/locate.h"

/* What is kept from call to call. */
typedef struct Regions
{
	MemoryContext context;		/* of all that belongs to one array */
	ArrayType  *array;			/* our copy; NULL: none is prepared */
	bool		is_constant;	/* the query's argument is always this one */
	Locator    *locator;
	Datum	   *regions;
	bool	   *is_null;
	FmgrInfo	covers;			/* ST_Covers(geography, geography), once it was needed */
} Regions;

/* Prepares an array of regions. */
static void
read_regions(Regions *r, FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(r->context);
	ArrayType  *array = DatumGetArrayTypePCopy(PG_GETARG_DATUM(0));
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
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &r->regions, &r->is_null, &n);
	r->locator = locator_new();
	for (int i = 0; i < n; i++)
	{
		GeogRegion	region = {0, NULL, -1};

		if (!r->is_null[i])
			geog_read_region(r->regions[i], &region);
		locator_add(r->locator, region.polygons, region.npolygons);
		for (int32 p = 0; p < region.npolygons; p++)
		{
			for (int32 k = 0; k < region.polygons[p].nrings; k++)
				pfree((void *) region.polygons[p].rings[k].xy);
			pfree((void *) region.polygons[p].rings);
		}
		if (region.polygons != NULL)
			pfree(region.polygons);
	}
	locator_finish(r->locator);
	r->array = array;
	r->is_constant = get_fn_expr_arg_stable(fcinfo->flinfo, 0);
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
	read_regions(r, fcinfo);
	return r;
}

/* Does PostGIS say that a region covers a point? */
static bool
postgis_covers(Regions *r, FunctionCallInfo fcinfo, Datum region, Datum location)
{
	if (!OidIsValid(r->covers.fn_oid))
	{
		Oid			geography = ARR_ELEMTYPE(r->array);
		Oid			argtypes[2] = {geography, geography};

		fmgr_info_cxt(geog_function(geography, "st_covers", 2, argtypes), &r->covers, fcinfo->flinfo->fn_mcxt);
	}
	return DatumGetBool(FunctionCall2(&r->covers, region, location));
}

/* Position from 1 of the first region of an array that covers a point; NULL if none does. */
SR_FUNCTION(covering_region);
Datum
covering_region(PG_FUNCTION_ARGS)
{
	Regions    *r = regions_argument(fcinfo);
	double		lon,
				lat;
	int32		found = -1;
	bool		sure;

	geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	do
	{
		found = locator_find(r->locator, lon, lat, found + 1, &sure);
		if (found < 0)
			PG_RETURN_NULL();
	} while (!sure && !postgis_covers(r, fcinfo, r->regions[found], PG_GETARG_DATUM(1)));
	PG_RETURN_INT32(found + 1);
}
