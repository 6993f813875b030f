/*
 * postgis.h: what is asked of PostGIS.
 */
#ifndef SR_POSTGIS_H
#define SR_POSTGIS_H

#include "coverage/geog.h"

extern bool sr_postgis_centroid(const GeogRegion *region, Oid geography_type, double *lon, double *lat);

#endif							/* SR_POSTGIS_H */
