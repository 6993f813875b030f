/*
 * postgis.c: calls of PostGIS's functions, which live where its type geography does.
 */
#include "coverage/postgis.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/wkb.h"
#include "grid/area.h"

/* One of PostGIS's functions. */
static Oid
postgis_function(Oid geography_type, const char *name, int nargs, const Oid *argtypes)
{
	HeapTuple	tup = SearchSysCache1(TYPEOID, ObjectIdGetDatum(geography_type));
	char	   *schema;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for type %u", geography_type);
	schema = get_namespace_name(((Form_pg_type) GETSTRUCT(tup))->typnamespace);
	ReleaseSysCache(tup);
	return LookupFuncName(list_make2(makeString(schema), makeString(pstrdup(name))),
						  nargs, argtypes, false);
}

/* The polygon of the largest area, the first of equals; NULL when all are empty. */
static const Polygon *
largest_polygon(const GeogRegion *region)
{
	const Polygon *largest = NULL;
	double		most = -1;

	for (int32 i = 0; i < region->npolygons; i++)
	{
		const Polygon *polygon = &region->polygons[i];
		double		area;

		if (polygon->nrings == 0 || polygon->rings[0].npoints == 0)
			continue;
		area = sr_polygon_area(polygon);
		if (area > most)
		{
			most = area;
			largest = polygon;
		}
	}
	return largest;
}

/*
 * ST_Centroid of the largest polygon of a region; false when it is empty. What has no area,
 * as a line there and back, has no centroid by ST_Centroid: its first vertex stands for it.
 */
bool
sr_postgis_centroid(const GeogRegion *region, Oid geography_type, double *lon, double *lat)
{
	const Polygon *largest = largest_polygon(region);
	Oid			wkb_args[1] = {BYTEAOID};
	Oid			centroid_args[2] = {geography_type, BOOLOID};
	Datum		geography;

	if (largest == NULL)
		return false;
	geography = OidFunctionCall1(postgis_function(geography_type, "st_geogfromwkb", 1, wkb_args),
								 PointerGetDatum(sr_wkb_polygon(largest, SRID_WGS84)));
	geography = OidFunctionCall2(postgis_function(geography_type, "st_centroid", 2, centroid_args),
								 geography, BoolGetDatum(true));
	if (sr_geog_is_nowhere(geography))
	{
		*lon = largest->rings[0].xy[0];
		*lat = largest->rings[0].xy[1];
	}
	else
		sr_geog_read_point(geography, lon, lat);
	return true;
}
