/*
 * locate.h: which of many regions covers a point or is nearest to it, for many points. Pure C.
 */
#ifndef SR_LOCATE_H
#define SR_LOCATE_H

#include "grid/ring.h"

typedef struct Locator Locator;

extern Locator *locator_new(void);
extern bool locator_add(Locator *locator, const Polygon *polygons, int32 npolygons, RingFault *fault);
extern void locator_finish(Locator *locator);
extern int32 locator_find(const Locator *locator, double lon, double lat);
extern int32 locator_nearest(const Locator *locator, double lon, double lat, double within);

#endif							/* SR_LOCATE_H */
