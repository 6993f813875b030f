/*
 * spread.h: a whole number of units over the cells of a disc. Pure C.
 */
#ifndef SR_SPREAD_H
#define SR_SPREAD_H

#include "grid/diff.h"
#include "grid/disc.h"

extern void sr_spread_disc(const HpxGrid *grid, const Disc *disc, int64 units, double unit, Diff *diff);

#endif							/* SR_SPREAD_H */
