/*
 * sweep.h: adding up many discs, ring by ring. Pure C.
 */
#ifndef SR_SWEEP_H
#define SR_SWEEP_H

#include "grid/diff.h"
#include "grid/disc.h"

/* A disc that a field is to have, with its weight. */
typedef struct WeightedDisc
{
	Disc		disc;
	double		weight;
} WeightedDisc;

/*
 * Differences of neighbouring cells, one ring's at a time: entry i of the ring's
 * ncell + 1 is the value of its cell i less that of the cell before; the last is
 * of the next ring's first cell. Where only few entries are not zero, they are
 * found by bits.
 */
#define ROW_BLOCK 64			/* entries for which a bit stands */

typedef struct Row
{
	double	   *entry;
	uint64	   *touched;		/* bit k: some of the entries from ROW_BLOCK k on */
	int32		nwords;			/* of touched */
} Row;

extern void sr_row_init(Row *row, const HpxGrid *grid);
extern void sr_row_free(Row *row);

typedef struct Sweep Sweep;

extern Sweep *sr_sweep_begin(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs);
extern int64 sr_sweep_ends(const Sweep *sweep);
extern bool sr_sweep_ring(Sweep *sweep, int32 ring, Row *row);
extern void sr_sweep_end(Sweep *sweep);

extern void sr_sweep_discs(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs, Diff *diff);

/* Marks one entry as perhaps not zero. */
static inline void
row_touch(Row *row, int32 at)
{
	row->touched[at / (ROW_BLOCK * 64)] |= UINT64_C(1) << (at / ROW_BLOCK % 64);
}

/* Marks count neighbouring entries. */
static inline void
row_touch_range(Row *row, int32 from, int32 count)
{
	for (int32 k = from / ROW_BLOCK; k <= (from + count - 1) / ROW_BLOCK; k++)
		row_touch(row, k * ROW_BLOCK);
}

#endif							/* SR_SWEEP_H */
