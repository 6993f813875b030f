/*
 * locate.h: which of many regions covers a point, for many points. Pure C.
 */
#ifndef SR_LOCATE_H
#define SR_LOCATE_H

#include "grid/scan.h"

typedef struct Locator Locator;

extern Locator *locator_new(void);

/* Adds the next region, numbered from 0. */
extern void locator_add(Locator *locator, const Polygon *polygons, int32 npolygons);

/* To be called once, after the last region. */
extern void locator_finish(Locator *locator);

/*
 * The first region from one on that covers a point, -1 if none does. The point
 * may lie so close to its boundary that rounding decides: then sure is false.
 */
extern int32 locator_find(const Locator *locator, double lon, double lat, int32 from, bool *sure);

#endif							/* SR_LOCATE_H */
