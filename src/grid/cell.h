/*
 * cell.h: outlines of cells. Pure C.
 */
#ifndef SR_CELL_H
#define SR_CELL_H

#include "grid/healpix.h"

/* Chords a side, at most, of a smooth outline. */
#define CELL_MAX_STEPS 64

extern int	sr_cell_smooth_steps(const HpxGrid *grid, int64 cell);
extern void sr_cell_outline(const HpxGrid *grid, int64 cell, int steps, double *xy);
extern int	sr_cell_flat_outline(const HpxGrid *grid, int64 cell, double center_turn, int steps, double *xy);

/* Points of an outline, the first again at its end; on a flat map a pole is two. */
#define CELL_POINTS(steps) (4 * (steps) + 1)
#define CELL_FLAT_POINTS(steps) (4 * (steps) + 2)

#endif							/* SR_CELL_H */
