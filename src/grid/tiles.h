/*
 * tiles.h: sums over the cells of rings, for fields of many short runs. Pure C.
 */
#ifndef SR_TILES_H
#define SR_TILES_H

#include "grid/disc.h"
#include "grid/healpix.h"

/* Rings whose sums lie together. */
#define TILE_RINGS 8
#define TILE_SIZE (TILE_RINGS * sizeof(int128))

/* Which of 64 columns have a tile of their own. */
typedef struct TileBlock
{
	uint64		bits;
	uint32		rank;			/* tiles before the block */
} TileBlock;

typedef struct Tiles
{
	const HpxGrid *grid;
	int64		count;
	TileBlock  *blocks;
	void	   *memory;
	int128	   *sums;			/* TILE_RINGS to a tile, in memory */

	/* by ring */
	int32	   *base;			/* place of its first column */
	int32	   *quarter;		/* cells in a quarter of it */
	int32	   *spare;			/* columns that its group has beyond that, in each quarter */
} Tiles;

extern void tiles_layout(Tiles *tiles, const HpxGrid *grid, int64 nruns, const uint32 *starts, const double *values);
extern void tiles_fill(Tiles *tiles, int64 nruns, const uint32 *starts, const double *values, bool nonzero, int shift);
extern void tiles_free(Tiles *tiles);
extern int128 tiles_sum(const Tiles *tiles, int32 ring, int32 first, int32 last);
extern int128 tiles_sum_rings(const Tiles *tiles, int32 first_ring, int32 count, const int32 *lo, const int32 *hi);

/* Memory of the sums, known once they are laid out. */
static inline int64
tiles_size(const Tiles *tiles)
{
	return tiles->count * (int64) TILE_SIZE;
}

#endif							/* SR_TILES_H */
