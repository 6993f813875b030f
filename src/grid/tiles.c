/*
 * tiles.c: sums over the cells of rings, for fields of many short runs.
 *
 * Each ring has prefix sums of its own, so that the sum over an interval of its
 * cells is one of them less another. They are laid out in tiles of eight
 * neighbouring rings by one column, two cache lines each: the edge of a disc moves
 * by less than a cell from one ring to the next on most of its way, so that
 * neighbouring rings find their sums together. Columns count from the start of
 * each quarter of a ring, where the cells of neighbouring rings lie one below the
 * other even where the rings grow.
 *
 * A column in which none of the eight sums changes has no tile: the sums are those
 * of the last tile before it, which counting bits finds. So the memory follows the
 * cells that are not zero, and the sea costs nothing.
 *
 * A column's place is a number: the groups of eight rings one after the other, in
 * each its four quarters, in each the columns of its longest ring and one more,
 * for the sum behind the last cell.
 */
#include "grid/tiles.h"

#include "base/fixed.h"

/* Beyond this order only groups with a value have blocks. */
#define SPARSE_ORDER 10

/* Blocks of a group with so many columns in a quarter. */
#define BLOCKS(columns) ((4 * (int64) (columns) + 63) >> 6)

/* The place of the sum before cell j of a ring; j may be the ring's length. */
static inline int32
tile_place(const Tiles *t, int32 ring, int32 j)
{
	int32		c = t->quarter[ring - 1];

	return t->base[ring - 1] + j + t->spare[ring - 1] * ((j >= c) + (j >= 2 * c) + (j >= 3 * c));
}

/* Marks places first .. last. */
static inline void
mark(TileBlock *blocks, int32 first, int32 last)
{
	for (int32 b = first >> 6; b <= last >> 6; b++)
	{
		int			from = b == first >> 6 ? first & 63 : 0;
		int			to = b == last >> 6 ? last & 63 : 63;

		blocks[b].bits |= (~UINT64_C(0) >> (63 - (to - from))) << from;
	}
}

/*
 * Goes through the cells that are not zero: marks where their sums change or,
 * before it is known where the marks are, sets base for rings that have some.
 */
static void
mark_field(Tiles *t, int64 nruns, const uint32 *starts, const double *values)
{
	const HpxGrid *grid = t->grid;
	int64		run = 0;

	for (int32 i = 1; i <= grid->nring && run < nruns; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		int64		end = ring->start + ring->ncell;
		int32		c = t->quarter[i - 1];
		int32		spare = t->spare[i - 1];
		int32		shift = t->base[i - 1];	/* from a cell of this quarter to its place */
		int32		bound = c;	/* where the next quarter starts */

		if (i % 256 == 0)
			sr_check_interrupts();
		while (run < nruns && starts[run] < end)
		{
			int64		run_end = run + 1 < nruns ? starts[run + 1] : grid->ncell;

			if (values[run] != 0 && t->blocks == NULL)
				t->base[i - 1] = 1;
			else if (values[run] != 0)
			{
				/* sums change behind each of its cells */
				int32		j = (int32) (Max((int64) starts[run], ring->start) - ring->start) + 1;
				int32		last = (int32) (Min(run_end, end) - ring->start);

				while (j <= last)
				{
					int32		to;

					for (; j >= bound && bound < 4 * c; bound += c)
						shift += spare;
					to = bound < 4 * c ? Min(last, bound - 1) : last;
					mark(t->blocks, shift + j, shift + to);
					j = to + 1;
				}
			}
			if (run_end > end)
				break;
			run++;
		}
	}
}

/*
 * Lays out the rings and finds the tiles of a field given by its runs: values[i]
 * from cell starts[i] on. Counts them; the sums are yet to be filled in.
 */
void
sr_tiles_layout(Tiles *t, const HpxGrid *grid, int64 nruns, const uint32 *starts, const double *values)
{
	int64		nblocks = BLOCKS(grid->nside + 1);

	t->grid = grid;
	t->memory = NULL;
	t->base = sr_alloc((size_t) grid->nring * 3 * sizeof(int32));
	t->quarter = t->base + grid->nring;
	t->spare = t->quarter + grid->nring;
	t->blocks = NULL;
	/* what all groups need is little on a coarse grid */
	for (int32 i = 1; i <= grid->nring; i++)
	{
		t->base[i - 1] = grid->order <= SPARSE_ORDER;
		t->quarter[i - 1] = HPX_RING(grid, i)->ncell / 4;
	}
	if (grid->order > SPARSE_ORDER)
		mark_field(t, nruns, starts, values);
	for (int32 first = 1; first <= grid->nring; first += TILE_RINGS)
	{
		int32		last = Min(first + TILE_RINGS - 1, grid->nring);
		int32		columns = 0;
		bool		empty = true;

		for (int32 i = first; i <= last; i++)
		{
			columns = Max(columns, HPX_RING(grid, i)->ncell / 4 + 1);
			empty &= t->base[i - 1] == 0;
		}
		for (int32 i = first; i <= last; i++)
		{
			t->base[i - 1] = empty ? 0 : (int32) (nblocks << 6);
			t->spare[i - 1] = columns - t->quarter[i - 1];
		}
		if (!empty)
			nblocks += BLOCKS(columns);
	}

	t->blocks = sr_alloc_large((size_t) nblocks * sizeof(TileBlock));
	memset(t->blocks, 0, (size_t) nblocks * sizeof(TileBlock));
	/* before its first change, every sum of a group is zero */
	for (int32 i = 1; i <= grid->nring; i++)
		mark(t->blocks, t->base[i - 1], t->base[i - 1]);
	mark_field(t, nruns, starts, values);
	/* groups without a value have all their places in common, and one tile of zeros */
	t->blocks[0].bits = 1;
	t->count = 0;
	for (int64 b = 0; b < nblocks; b++)
	{
		t->blocks[b].rank = (uint32) t->count;
		t->count += __builtin_popcountll(t->blocks[b].bits);
	}
}

/* Fills in the sums of a ring, whose first cell is in a run. */
static void
fill_ring(Tiles *t, int32 i, int64 nruns, const uint32 *starts, const double *values, bool nonzero, int shift, int64 run)
{
	const HpxRing *ring = HPX_RING(t->grid, i);
	int32		c = t->quarter[i - 1];
	int32		columns = c + t->spare[i - 1];
	const TileBlock *block = t->blocks + (t->base[i - 1] >> 6);
	const TileBlock *end = block + BLOCKS(columns);
	int128	   *out = t->sums + (int64) block->rank * TILE_RINGS + (i - 1) % TILE_RINGS;
	int32		first_place = 0;	/* of the block, and of the quarter, in the group */
	int32		quarter_place = 0;
	int32		quarter_cell = 0;
	int128		sum = 0;		/* over the cells before at */
	int128		value = 0;		/* of the cells from at up to run_end */
	int32		at = 0;
	int32		run_end = 0;

	run--;
	for (; block < end; block++, first_place += 64)
		for (uint64 bits = block->bits; bits != 0; bits &= bits - 1)
		{
			int32		place = first_place + __builtin_ctzll(bits);
			int32		j;

			while (place - quarter_place >= columns)
			{
				quarter_place += columns;
				quarter_cell += c;
			}
			j = quarter_cell + Min(place - quarter_place, c);
			while (run_end < j)
			{
				double		v;

				sum += value * (run_end - at);
				at = run_end;
				v = values[++run];
				value = to_fixed(nonzero ? (v != 0 ? 1.0 : 0.0) : v, shift);
				run_end = run + 1 < nruns && starts[run + 1] < ring->start + ring->ncell ?
					(int32) (starts[run + 1] - ring->start) : ring->ncell;
			}
			sum += value * (j - at);
			at = j;
			*out = sum;
			out += TILE_RINGS;
		}
}

/* Fills in the sums: of the values or, with nonzero, of 1 where they are not zero. */
void
sr_tiles_fill(Tiles *t, int64 nruns, const uint32 *starts, const double *values, bool nonzero, int shift)
{
	const HpxGrid *grid = t->grid;
	int64		run = 0;

	/* a tile is not to share its cache lines with others */
	t->memory = sr_alloc_large((size_t) tiles_size(t) + TILE_SIZE);
	t->sums = (int128 *) (((uintptr_t) t->memory + TILE_SIZE - 1) / TILE_SIZE * TILE_SIZE);
	memset(t->sums, 0, TILE_RINGS * sizeof(int128));
	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);

		sr_check_interrupts();
		if (t->base[i - 1] != 0)
			fill_ring(t, i, nruns, starts, values, nonzero, shift, run);
		/* the next ring starts in the run that holds its first cell */
		while (run + 1 < nruns && starts[run + 1] <= ring->start + ring->ncell)
			run++;
	}
}

void
sr_tiles_free(Tiles *t)
{
	if (t->memory != NULL)
		sr_free(t->memory);
	sr_free(t->blocks);
	sr_free(t->base);
}

/* Which sum of a ring a place has. */
static inline __attribute__((always_inline)) int64
tile_find(const Tiles *t, int32 ring, int32 place)
{
	const TileBlock *block = &t->blocks[place >> 6];

	/* tiles up to and including this place, less one */
	return (int64) (block->rank + __builtin_popcountll(block->bits << (63 - (place & 63))) - 1) * TILE_RINGS + (ring - 1) % TILE_RINGS;
}

/* Sum over the cells first .. last of a ring. */
int128
sr_tiles_sum(const Tiles *t, int32 ring, int32 first, int32 last)
{
	return t->sums[tile_find(t, ring, tile_place(t, ring, last + 1))] - t->sums[tile_find(t, ring, tile_place(t, ring, first))];
}

/* The places of the ends of intervals; false when one of them wraps around its ring. */
SR_VECTOR_CLONES static bool
interval_places(const Tiles *t, int32 first_ring, int32 count, const int32 *restrict lo, const int32 *restrict hi,
				int32 *restrict from, int32 *restrict to)
{
	const int32 *restrict base = t->base + first_ring - 1;
	const int32 *restrict quarter = t->quarter + first_ring - 1;
	const int32 *restrict spare = t->spare + first_ring - 1;
	int32		wraps = 0;

	for (int32 k = 0; k < count; k++)
	{
		int32		c = quarter[k];
		int32		a = lo[k];
		int32		b = Max(hi[k] + 1, a);	/* an empty interval sums to nothing */

		wraps |= (a < 0) | (b > 4 * c);
		from[k] = base[k] + a + spare[k] * ((a >= c) + (a >= 2 * c) + (a >= 3 * c));
		to[k] = base[k] + b + spare[k] * ((b >= c) + (b >= 2 * c) + (b >= 3 * c));
	}
	return !wraps;
}

/* The same for any intervals, as sr_disc_intervals has them: up to two per ring. Returns how many. */
static int32
wrapped_places(const Tiles *t, int32 first_ring, int32 count, const int32 *lo, const int32 *hi,
			   int32 *rings, int32 *from, int32 *to)
{
	int32		n = 0;

#define ADD_PLACES(first, last) \
	do { \
		rings[n] = i; \
		from[n] = tile_place(t, i, (first)); \
		to[n] = tile_place(t, i, (last) + 1); \
		n++; \
	} while (0)
	for (int32 k = 0; k < count; k++)
	{
		int32		i = first_ring + k;
		int32		ncell = 4 * t->quarter[i - 1];
		int32		a = lo[k];
		int32		b = hi[k];

		if (a > b)
			continue;
		if (b - a + 1 >= ncell)
		{
			ADD_PLACES(0, ncell - 1);
			continue;
		}
		a = wrap_cell(a, ncell);
		b = wrap_cell(b, ncell);
		if (a <= b)
			ADD_PLACES(a, b);
		else
		{
			ADD_PLACES(0, b);
			ADD_PLACES(a, ncell - 1);
		}
	}
	return n;
}

/* The place where the sum before a cell is kept. */
#define AT(ring, place) (&t->sums[tile_find(t, (ring), (place))])

SR_COUNT_CLONES static void
ask(const Tiles *t, int32 first_ring, int32 count, const int32 *lo, const int32 *hi, TileAsk *to_read)
{
	int32		from[2 * TILE_BLOCK];
	int32		to[2 * TILE_BLOCK];
	const int128 **minus = to_read->minus + to_read->count;
	const int128 **plus = to_read->plus + to_read->count;

	if (interval_places(t, first_ring, count, lo, hi, from, to))
		for (int32 k = 0; k < count; k++)
		{
			minus[k] = AT(first_ring + k, from[k]);
			plus[k] = AT(first_ring + k, to[k]);
		}
	else
	{
		int32		rings[2 * TILE_BLOCK];

		count = wrapped_places(t, first_ring, count, lo, hi, rings, from, to);
		for (int32 k = 0; k < count; k++)
		{
			minus[k] = AT(rings[k], from[k]);
			plus[k] = AT(rings[k], to[k]);
		}
	}
	for (int32 k = 0; k < count; k++)
	{
		sr_prefetch(minus[k]);
		sr_prefetch(plus[k]);
	}
	to_read->count += count;
}

/*
 * Asks for the sum over the cells lo[k] .. hi[k] of count rings, at most TILE_BLOCK,
 * from first_ring on.
 */
void
sr_tiles_ask(const Tiles *t, int32 first_ring, int32 count, const int32 *lo, const int32 *hi, TileAsk *to_read)
{
	ask(t, first_ring, count, lo, hi, to_read);
}

/* The sum that was asked for. */
int128
sr_tiles_take(TileAsk *to_read)
{
	int128		sum = 0;

	for (int32 k = 0; k < to_read->count; k++)
		sum += *to_read->plus[k] - *to_read->minus[k];
	to_read->count = 0;
	return sum;
}
