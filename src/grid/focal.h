/*
 * focal.h: the sum over a disc around every cell at once. Pure C.
 */
#ifndef SR_FOCAL_H
#define SR_FOCAL_H

#include "grid/disc.h"
#include "grid/healpix.h"

/*
 * Takes the sums of one ring's cells, scaled as the field was; rings come from north to
 * south. Cells outside of from .. to - 1 have the sum 0 and are not to be read.
 */
typedef void (*TakeSums) (void *arg, const HpxRing *ring, int32 from, int32 to, const int128 *sums);

extern void sr_focal_sums(const HpxGrid *grid, double radius, int64 nruns, const uint32 *starts, const double *values, int shift,
						  TakeSums take_sums, void *arg);

#endif							/* SR_FOCAL_H */
