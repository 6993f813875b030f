/*
 * sums_ask.c: sums over spans of cells and over discs, out of prefix sums.
 */
#include "coverage/sums.h"

/* The block a cell is in; NULL when no run starts in all of its chunk. */
static inline const Block *
find_block(const Field *field, int64 cell)
{
	const Block *blocks = field->chunk[cell >> CHUNK_BITS].blocks;

	return blocks == NULL ? NULL : &blocks[(cell >> BLOCK_BITS) & ((1 << (CHUNK_BITS - BLOCK_BITS)) - 1)];
}

/* The run that holds a cell, or the last for the position behind all cells. */
static inline uint32
find_run(const Field *field, int64 cell)
{
	const Block *block = find_block(field, cell);

	if (block == NULL)
		return field->chunk[cell >> CHUNK_BITS].rank - 1;
	/* starts up to and including this cell */
	return block->rank + __builtin_popcountll(block->bits << (63 - (cell & 63))) - 1;
}

/* Sum over the cells before one that a run holds. */
static inline int128
sum_in_run(const Field *field, uint32 run, int64 cell)
{
	/* most of a sparse field is zero */
	if (field->value[run] == 0)
		return field->before[run];
	return field->before[run] + to_fixed(field->value[run], field->shift) * (cell - field->start[run]);
}

/* Sum over the cells first .. last of the grid. */
int128
sr_field_sum_span(const Field *field, int64 first, int64 last)
{
	const HpxGrid *grid = sr_hpx_grid(field->order);
	int128		sum = 0;

	if (!field->by_cells)
		return sum_in_run(field, find_run(field, last + 1), last + 1) - sum_in_run(field, find_run(field, first), first);
	for (int32 i = sr_hpx_cell_ring(grid, first); first <= last; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		int64		end = Min(last, ring->start + ring->ncell - 1);

		sum += sr_tiles_sum(&field->tiles, i, (int32) (first - ring->start), (int32) (end - ring->start));
		first = end + 1;
	}
	return sum;
}

/* Sum over the cells first .. last of one ring that has few runs. */
static inline int128
sum_on_ring(const Field *field, int32 ring, uint32 first, uint32 last)
{
	uint32		base = field->ring_run[ring - 1];
	uint32		nruns = field->ring_run[ring] - base;
	const uint32 *start = field->start + base;
	uint32		from = base - 1;
	uint32		to = base - 1;

	for (uint32 j = 0; j < nruns; j++)
	{
		from += start[j] <= first;
		to += start[j] <= last;
	}
	if (from != to)
		return sum_in_run(field, to, (int64) last + 1) - sum_in_run(field, from, first);
	if (field->value[from] == 0)
		return 0;
	return to_fixed(field->value[from], field->shift) * ((int64) last + 1 - first);
}

/* Sum over the cells lo .. hi of a ring, which may wrap around, as sr_disc_intervals has them. */
static inline int128
sum_ring_interval(const Field *field, int32 i, const HpxRing *ring, int32 lo, int32 hi)
{
	uint32		start = (uint32) ring->start;
	int32		n = ring->ncell;

	if (lo > hi)
		return 0;
	if (unlikely(hi - lo + 1 >= n))
		return sum_on_ring(field, i, start, start + n - 1);
	lo = wrap_cell(lo, n);
	hi = wrap_cell(hi, n);
	if (likely(lo <= hi))
		return sum_on_ring(field, i, start + lo, start + hi);
	return sum_on_ring(field, i, start, start + hi) + sum_on_ring(field, i, start + lo, start + n - 1);
}

/* Intervals whose sum is asked for: from each start up to before its end. */
typedef struct Ends
{
	int			count;
	int64		starts[2 * DISC_BLOCK + 1];
	int64		ends[2 * DISC_BLOCK + 1];
} Ends;

/* Adds the cells first .. last of a ring. */
static inline void
ends_add(Ends *e, int64 ring_start, int32 first, int32 last)
{
	e->starts[e->count] = ring_start + first;
	e->ends[e->count] = ring_start + last + 1;
	e->count++;
}

/* Adds the cells lo .. hi of a ring, which may wrap around, as sr_disc_intervals has them. */
static inline void
ends_add_interval(Ends *e, const HpxRing *ring, int32 lo, int32 hi)
{
	int32		n = ring->ncell;

	if (lo > hi)
		return;
	if (unlikely(hi - lo + 1 >= n))
	{
		ends_add(e, ring->start, 0, n - 1);
		return;
	}
	lo = wrap_cell(lo, n);
	hi = wrap_cell(hi, n);
	if (likely(lo <= hi))
		ends_add(e, ring->start, lo, hi);
	else
	{
		ends_add(e, ring->start, 0, hi);
		ends_add(e, ring->start, lo, n - 1);
	}
}

/*
 * Sum over listed intervals. What is read lies far apart in memory, so everything
 * of one kind is asked for before the first of it is needed.
 */
SR_COUNT_CLONES static int128
sum_ends(const Field *field, const Ends *e)
{
	uint32		start_run[2 * DISC_BLOCK + 1];
	uint32		end_run[2 * DISC_BLOCK + 1];
	int128		sum = 0;

	for (int i = 0; i < e->count; i++)
	{
		sr_prefetch(find_block(field, e->starts[i]));
		sr_prefetch(find_block(field, e->ends[i]));
	}
	for (int i = 0; i < e->count; i++)
	{
		start_run[i] = find_run(field, e->starts[i]);
		end_run[i] = find_run(field, e->ends[i]);
		sr_prefetch(&field->before[start_run[i]]);
		sr_prefetch(&field->before[end_run[i]]);
		sr_prefetch(&field->value[start_run[i]]);
		sr_prefetch(&field->value[end_run[i]]);
	}
	for (int i = 0; i < e->count; i++)
		if (start_run[i] != end_run[i] || field->value[start_run[i]] != 0)
			sum += sum_in_run(field, end_run[i], e->ends[i]) - sum_in_run(field, start_run[i], e->starts[i]);
	return sum;
}

/* What the cell that holds a disc's centre adds, if it is on these rings and not in the intervals found there. */
static inline int128
sum_home(const Field *field, const DiscScan *scan, int32 first, int32 count, const int32 *lo, const int32 *hi)
{
	int32		k = scan->home_ring - first;
	const HpxRing *ring;

	if (k < 0 || k >= count)
		return 0;
	ring = HPX_RING(sr_hpx_grid(field->order), scan->home_ring);
	if (!interval_misses(lo[k], hi[k], ring->ncell, scan->home))
		return 0;
	return sr_field_sum_span(field, ring->start + scan->home, ring->start + scan->home);
}

/* Sum over the cells of a disc, of sums for cells. */
static int128
sum_disc_by_cells(const Field *field, const DiscScan *scan)
{
	const HpxGrid *grid = sr_hpx_grid(field->order);
	int32		lo[TILE_BLOCK];
	int32		hi[TILE_BLOCK];
	TileAsk		ask;
	int128		sum = 0;

	ask.count = 0;
	for (int32 first = scan->first_ring; first <= scan->last_ring; first += TILE_BLOCK)
	{
		int32		count = Min(TILE_BLOCK, scan->last_ring - first + 1);

		sr_disc_intervals(grid, scan, first, count, lo, hi);
		sum += sum_home(field, scan, first, count, lo, hi);
		if (TILE_ASK_FULL(&ask))
			sum += sr_tiles_take(&ask);
		sr_tiles_ask(&field->tiles, first, count, lo, hi, &ask);
	}
	return sum + sr_tiles_take(&ask);
}

/* The same of sums for runs. */
static int128
sum_disc_by_runs(const Field *field, const DiscScan *scan)
{
	const HpxGrid *grid = sr_hpx_grid(field->order);
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];
	Ends		ends;
	int128		sum = 0;

	for (int32 first = scan->first_ring; first <= scan->last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan->last_ring - first + 1);

		sr_disc_intervals(grid, scan, first, count, lo, hi);
		sum += sum_home(field, scan, first, count, lo, hi);
		if (field->ring_run != NULL)
		{
			for (int32 k = 0; k < count; k++)
				sum += sum_ring_interval(field, first + k, HPX_RING(grid, first + k), lo[k], hi[k]);
			continue;
		}
		ends.count = 0;
		for (int32 k = 0; k < count; k++)
			ends_add_interval(&ends, HPX_RING(grid, first + k), lo[k], hi[k]);
		sum += sum_ends(field, &ends);
	}
	return sum;
}

/* Sum over the cells of a disc. */
double
sr_field_sum_disc(const Field *field, const Disc *disc)
{
	DiscScan	scan;

	sr_disc_prepare(sr_hpx_grid(field->order), disc, &scan);
	return from_fixed(field->by_cells ? sum_disc_by_cells(field, &scan) : sum_disc_by_runs(field, &scan), field->shift);
}

/* The value of a cell. */
double
sr_field_value(const Field *field, int64 cell)
{
	return field->value[find_run(field, cell)];
}
