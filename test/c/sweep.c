/*
 * Many discs at once against one after the other: what is worked out of them has the
 * same bits, and their sum is the sum of their cells.
 */
#include "grid/sweep.h"

#include "tap.h"

/* A disc of any size; now and then at a pole, on the antimeridian or tiny. */
static Disc
random_disc(const HpxGrid *grid)
{
	double		kind = tap_random();
	Disc		disc = {360 * tap_random() - 180, asin(2 * tap_random() - 1) / SR_DEGREE, 5e6 * pow(tap_random(), 6) + 1};

	if (kind < 0.05)
		disc.lat = kind < 0.01 ? 90 : kind < 0.02 ? -90 : kind < 0.035 ? 90 - 1e-9 * tap_random() : -90 + tap_random();
	else if (kind < 0.1)
		disc.lon = kind < 0.07 ? 180 : kind < 0.09 ? -180 + 1e-12 : 720 * tap_random();
	else if (kind < 0.2)
		disc.radius = 2 * SR_WGS84_A / (double) grid->nside * tap_random() + 1e-3;
	else if (kind < 0.25)
		disc.radius = SR_MAX_RADIUS;
	if (disc.radius > SR_MAX_RADIUS)
		disc.radius = SR_MAX_RADIUS;
	return disc;
}

/* Angles whose sine or cosine has other bits without branches. */
static int64
other_sines(int64 n)
{
	int64		errors = 0;

	for (int64 i = 0; i < n; i++)
	{
		static const double edge[] = {0, -0.0, 45, 90, 89.99999999999999, 90.00000000000001, 135, -45, -90, 179.99999999999997};
		double		deg = i < 10 ? edge[i] : 360 * tap_random() - 180;
		double		s[2],
					c[2];

		sr_sincos_deg(deg, &s[0], &c[0]);
		sr_sincos_half_turn(deg, &s[1], &c[1]);
		errors += memcmp(&s[0], &s[1], sizeof(double)) != 0 || memcmp(&c[0], &c[1], sizeof(double)) != 0;
	}
	return errors;
}

/* Discs that are prepared differently alone and among others. */
static int64
other_scans(const HpxGrid *grid, int64 nblocks)
{
	int64		errors = 0;

	for (int64 b = 0; b < nblocks; b++)
	{
		int32		count = 1 + (int32) (DISC_BLOCK * tap_random());
		Disc		disc[DISC_BLOCK];
		const Disc *pointer[DISC_BLOCK];
		DiscScan	scan[DISC_BLOCK];

		for (int32 i = 0; i < count; i++)
		{
			disc[i] = random_disc(grid);
			pointer[i] = &disc[i];
		}
		memset(scan, 0, sizeof(scan));
		sr_discs_prepare(grid, pointer, count, scan);
		for (int32 i = 0; i < count; i++)
		{
			DiscScan	alone;

			memset(&alone, 0, sizeof(alone));
			sr_disc_prepare(grid, &disc[i], &alone);
			errors += memcmp(&alone, &scan[i], sizeof(alone)) != 0;
		}
	}
	return errors;
}

/* Cells whose sum of discs is not what their spans add up to. */
static int64
wrong_sums(int order, int64 ndiscs, double most)
{
	const HpxGrid *grid = sr_hpx_grid(order);
	WeightedDisc *discs = sr_alloc((size_t) ndiscs * sizeof(WeightedDisc));
	double	   *expected = sr_alloc((size_t) (grid->ncell + 1) * sizeof(double));
	Diff	   *diff = sr_diff_create(grid->ncell);
	Sweep	   *sweep;
	Row			row;
	double		value = 0,
				next = 0;
	int64		errors = 0;

	memset(expected, 0, (size_t) (grid->ncell + 1) * sizeof(double));
	for (int64 k = 0; k < ndiscs; k++)
	{
		SpanList	spans;

		discs[k].disc = random_disc(grid);
		discs[k].disc.radius = Min(discs[k].disc.radius, most);
		discs[k].weight = floor(65536 * 1000 * tap_random() + 1) / 65536;
		sr_span_list_init(&spans);
		sr_scan_disc(grid, &discs[k].disc, &spans);
		for (int64 i = 0; i < spans.nspans; i++)
		{
			expected[spans.spans[i].first] += discs[k].weight;
			expected[spans.spans[i].last + 1] -= discs[k].weight;
		}
		sr_span_list_free(&spans);
	}

	sr_sweep_discs(grid, discs, ndiscs, diff);
	sweep = sr_sweep_begin(grid, discs, ndiscs);
	sr_row_init(&row, grid);
	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);

		(void) sr_sweep_ring(sweep, i, &row);
		row.entry[0] += next;
		next = row.entry[ring->ncell];
		for (int32 j = 0; j <= ring->ncell; j++)
		{
			/* what is not marked is zero */
			if (!(row.touched[j / (ROW_BLOCK * 64)] >> (j / ROW_BLOCK % 64) & 1) && j > 0)
				errors += row.entry[j] != 0;
			if (j < ring->ncell)
			{
				const double *leaf = diff_leaf_if(diff, (ring->start + j) >> DIFF_LEAF_BITS);
				double		in_array = leaf == NULL ? 0 : leaf[(ring->start + j) & (DIFF_LEAF_SIZE - 1)];

				value += row.entry[j] - expected[ring->start + j];
				errors += value != 0 || row.entry[j] != in_array;
			}
			row.entry[j] = 0;
		}
		memset(row.touched, 0, (size_t) row.nwords * sizeof(uint64));
	}
	sr_row_free(&row);
	sr_sweep_end(sweep);
	free(expected);
	free(discs);
	return errors;
}

int
main(void)
{
	int64		errors = other_sines(1000000);

	ok(errors == 0, "sines and cosines have the same bits without branches (%ld do not)", (long) errors);
	for (int order = 0; order <= SR_MAX_ORDER; order++)
	{
		errors = other_scans(sr_hpx_grid(order), 2000);
		ok(errors == 0, "order %d: discs are prepared alike alone and among others (%ld are not)", order, (long) errors);
	}
	for (int order = 0; order <= 9; order++)
	{
		errors = wrong_sums(order, 3, SR_MAX_RADIUS);
		ok(errors == 0, "order %d: the sum of three discs (%ld cells wrong)", order, (long) errors);
		errors = wrong_sums(order, 500, SR_MAX_RADIUS);
		ok(errors == 0, "order %d: the sum of 500 discs (%ld cells wrong)", order, (long) errors);
	}
	errors = wrong_sums(8, 20000, 300000);
	ok(errors == 0, "order 8: the sum of 20 000 small discs (%ld cells wrong)", (long) errors);
	return tap_done();
}
