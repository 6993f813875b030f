/*
 * area.h: areas of polygons on the ellipsoid. Pure C.
 */
#ifndef SR_AREA_H
#define SR_AREA_H

#include "base/polygon.h"

extern double sr_polygon_area(const Polygon *polygon);

#endif							/* SR_AREA_H */
