/*
 * Sums over cells of rings against adding up the cells one by one, for fields of
 * every density, whose runs end anywhere and reach over rings.
 */
#include "grid/tiles.h"

#include "base/fixed.h"

#include "tap.h"

/* A field with a value for each cell, and its runs. */
typedef struct Field
{
	const HpxGrid *grid;
	double	   *cells;
	int64		nruns;
	uint32	   *starts;
	double	   *values;
} Field;

/* Makes runs of a mean length, of which a share is zero; part of the globe stays empty. */
static Field
make_field(int order, double mean_run, double zeros, bool regional)
{
	Field		f = {.grid = sr_hpx_grid(order)};
	int64		ncell = f.grid->ncell;

	f.cells = sr_alloc((size_t) ncell * sizeof(double));
	f.starts = sr_alloc((size_t) ncell * sizeof(uint32));
	f.values = sr_alloc((size_t) ncell * sizeof(double));
	for (int64 at = 0; at < ncell;)
	{
		int64		length = 1 + (int64) (2 * mean_run * tap_random());
		double		v = tap_random() < zeros ? 0 : (tap_random() - 0.3) * (tap_random() < 0.1 ? 1e6 : 1);

		if (regional && (at < ncell / 3 || at > ncell / 2))
			v = 0;
		if (f.nruns == 0 || f.values[f.nruns - 1] != v)
		{
			f.starts[f.nruns] = (uint32) at;
			f.values[f.nruns++] = v;
		}
		for (; length > 0 && at < ncell; length--)
			f.cells[at++] = v;
	}
	return f;
}

static void
free_field(Field *f)
{
	sr_free(f->cells);
	sr_free(f->starts);
	sr_free(f->values);
}

static int128
count_cell(const Field *f, int64 cell, bool nonzero, int shift)
{
	double		v = f->cells[cell];

	return to_fixed(nonzero ? (v != 0 ? 1.0 : 0.0) : v, shift);
}

/* Checks intervals of random rings, also such as wrap around or are empty. */
static void
check_field(const char *name, int order, double mean_run, double zeros, bool regional, bool nonzero)
{
	Field		f = make_field(order, mean_run, zeros, regional);
	int			shift = fixed_shift(nonzero ? 1.0 : 1e6);
	Tiles		t;
	TileAsk		ask = {0};
	int128		asked = 0;
	int			wrong_one = 0,
				wrong_block = 0;

	sr_tiles_layout(&t, f.grid, f.nruns, f.starts, f.values);
	sr_tiles_fill(&t, f.nruns, f.starts, f.values, nonzero, shift);
	for (int32 i = 1; i <= f.grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(f.grid, i);
		int32		a = (int32) (tap_random() * ring->ncell);
		int32		b = a + (int32) (tap_random() * (ring->ncell - a));
		int128		sum = 0;

		for (int32 j = a; j <= b; j++)
			sum += count_cell(&f, ring->start + j, nonzero, shift);
		wrong_one += sr_tiles_sum(&t, i, a, b) != sum;
	}
	for (int k = 0; k < 300; k++)
	{
		int32		lo[TILE_BLOCK],
					hi[TILE_BLOCK];
		int32		first = 1 + (int32) (tap_random() * f.grid->nring);
		int32		most = Min(TILE_BLOCK, f.grid->nring - first + 1);
		int32		count = 1 + (int32) (tap_random() * most);
		double		middle = tap_random();
		int128		sum = 0;

		for (int32 i = 0; i < count; i++)
		{
			const HpxRing *ring = HPX_RING(f.grid, first + i);
			double		half = (tap_random() - 0.1) * (k % 3 == 0 ? 1.2 : 0.2);

			lo[i] = (int32) ((middle - half) * ring->ncell);
			hi[i] = (int32) ((middle + half) * ring->ncell);
			/* as sr_disc_intervals has them: less than one turn beyond either end */
			lo[i] = Max(lo[i], 1 - ring->ncell);
			hi[i] = Min(hi[i], 2 * ring->ncell - 2);
			for (int32 j = 0; lo[i] <= hi[i] && j < ring->ncell; j++)
				if (!interval_misses(lo[i], hi[i], ring->ncell, j))
					sum += count_cell(&f, ring->start + j, nonzero, shift);
		}
		asked += sum;
		sr_tiles_ask(&t, first, count, lo, hi, &ask);
		if (TILE_ASK_FULL(&ask) || k == 299)
		{
			wrong_block += sr_tiles_take(&ask) != asked;
			asked = 0;
		}
	}
	ok(wrong_one == 0, "%s: an interval of each ring is the sum of its cells (%d wrong)", name, wrong_one);
	ok(wrong_block == 0, "%s: so are many blocks of intervals, whole rings and those over the seam too (%d wrong)", name, wrong_block);
	sr_tiles_free(&t);
	free_field(&f);
}

int
main(void)
{
	static const uint32 start = 0;
	static const double value = 0;
	Tiles		t;

	for (int order = 0; order <= 7; order++)
	{
		char		name[64];

		snprintf(name, sizeof(name), "order %d, a value in each cell", order);
		check_field(name, order, 0.4, 0, false, false);
		snprintf(name, sizeof(name), "order %d, half of it zero", order);
		check_field(name, order, 3, 0.5, false, false);
	}
	check_field("long runs", 7, 500, 0.7, false, false);
	check_field("a region", 7, 2, 0.3, true, false);
	check_field("a region on a fine grid", 11, 2, 0.3, true, false);
	check_field("cells counted", 6, 2, 0.5, false, true);

	sr_tiles_layout(&t, sr_hpx_grid(12), 1, &start, &value);
	ok(t.count == 1, "a field of zeros has one tile, however fine");
	sr_tiles_free(&t);
	return tap_done();
}
