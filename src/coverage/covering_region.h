/*
 * covering_region.h: which of the regions of an array a place belongs to.
 */
#ifndef SR_COVERING_REGION_H
#define SR_COVERING_REGION_H

#include "postgres.h"

#include "utils/array.h"

#include "grid/locate.h"

extern Locator *sr_read_regions(ArrayType *array);
extern int32 sr_find_region(const Locator *locator, double lon, double lat, double within);

#endif							/* SR_COVERING_REGION_H */
