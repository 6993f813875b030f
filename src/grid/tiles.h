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

extern void sr_tiles_layout(Tiles *tiles, const HpxGrid *grid, int64 nruns, const uint32 *starts, const double *values);
extern void sr_tiles_fill(Tiles *tiles, int64 nruns, const uint32 *starts, const double *values, bool nonzero, int shift);
extern void sr_tiles_free(Tiles *tiles);
extern int128 sr_tiles_sum(const Tiles *tiles, int32 ring, int32 first, int32 last);

/* Rings per call of sr_tiles_ask. */
#define TILE_BLOCK 32

/*
 * What is read lies far apart in memory. So the sums of many rings are asked for, and
 * are on their way while the next ones are worked out, before the first of them is
 * taken.
 */
#define TILE_ASK 256

typedef struct TileAsk
{
	int32		count;
	const int128 *minus[TILE_ASK];
	const int128 *plus[TILE_ASK];
} TileAsk;

/* Is there room for one more call of sr_tiles_ask? */
#define TILE_ASK_FULL(ask) ((ask)->count > TILE_ASK - 2 * TILE_BLOCK)

extern void sr_tiles_ask(const Tiles *tiles, int32 first_ring, int32 count, const int32 *lo, const int32 *hi, TileAsk *to_read);
extern int128 sr_tiles_take(TileAsk *to_read);

/* Memory of the sums, known once they are laid out. */
static inline int64
tiles_size(const Tiles *tiles)
{
	return tiles->count * (int64) TILE_SIZE;
}

#endif							/* SR_TILES_H */
