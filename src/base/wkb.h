/*
 * wkb.h: the one writer of well-known binary, as PostGIS reads it.
 */
#ifndef SR_WKB_H
#define SR_WKB_H

#include "postgres.h"
#include "base/compat.h"

#include "base/polygon.h"

/* Reference systems; 0 leaves it out, for ST_GeomFromWKB. */
#define SRID_NONE 0
#define SRID_WGS84 4326

extern bytea *sr_wkb_point(double lon, double lat, int32 srid);
extern bytea *sr_wkb_polygon(const Polygon *polygon, int32 srid);
extern bytea *sr_wkb_multipolygon(int32 npolygons, const Polygon *polygons, int32 srid);

#endif							/* SR_WKB_H */
