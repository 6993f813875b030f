/*
 * geog.h: points and polygons out of PostGIS's geography values.
 */
#ifndef SR_GEOG_H
#define SR_GEOG_H

#include "postgres.h"
#include "base/compat.h"

#include "base/polygon.h"

/* The polygons of a geography, coordinates copied out. */
typedef struct GeogRegion
{
	int32		npolygons;
	Polygon    *polygons;
} GeogRegion;

extern void sr_geog_read_point(Datum geography, double *lon, double *lat);
extern bool sr_geog_is_nowhere(Datum geography);
extern void sr_geog_read_region(Datum geography, GeogRegion *region);
extern void sr_geog_free_region(GeogRegion *region);
extern bool sr_geog_is_puntal(Datum geography);
extern int32 sr_geog_read_points(Datum geography, double **lonlat);

/*
 * Rows lie in a table's page from its end towards its start, so those that come next
 * are likely to lie before this value, and no processor expects that. Any address may
 * be asked for.
 */
static inline void
prefetch_rows(Datum value)
{
	sr_prefetch((const char *) DatumGetPointer(value) - 256);
	sr_prefetch((const char *) DatumGetPointer(value) - 320);
}

#endif							/* SR_GEOG_H */
