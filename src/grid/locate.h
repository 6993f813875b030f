/*
 * locate.h: which of many regions covers a point or is nearest to it, for many points. Pure C.
 */
#ifndef SR_LOCATE_H
#define SR_LOCATE_H

#include "grid/ring.h"

typedef struct Locator Locator;

extern Locator *sr_locator_new(void);
extern bool sr_locator_add(Locator *locator, const Polygon *polygons, int32 npolygons, RingFault *fault);
extern void sr_locator_finish(Locator *locator);
extern int32 sr_locator_find(const Locator *locator, double lon, double lat);
extern int32 sr_locator_nearest(const Locator *locator, double lon, double lat, double within);

#endif							/* SR_LOCATE_H */
