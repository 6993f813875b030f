/*
 * Units spread over discs, against the rule worked out cell by cell.
 */
#include "grid/spread.h"

#include "base/dmath.h"

#include "tap.h"

/* What the cells of the grid have, from the differences. */
static double *
values_of(const Diff *diff, int64 ncell)
{
	double	   *value = sr_alloc((size_t) ncell * sizeof(double));
	double		sum = 0;

	for (int64 c = 0; c <= ncell; c++)
	{
		const double *leaf = diff_leaf_if(diff, c >> DIFF_LEAF_BITS);

		if (leaf != NULL)
			sum += leaf[c & (DIFF_LEAF_SIZE - 1)];
		if (c < ncell)
			value[c] = sum;
	}
	if (sum != 0)
		value[0] = -1;
	return value;
}

/* Which cells a disc has. */
static bool *
cells_of(const HpxGrid *grid, const Disc *disc, int64 *count)
{
	bool	   *in = sr_alloc((size_t) grid->ncell);
	SpanList	spans;

	memset(in, 0, (size_t) grid->ncell);
	*count = 0;
	sr_span_list_init(&spans);
	sr_scan_disc(grid, disc, &spans);
	for (int64 k = 0; k < spans.nspans; k++)
		for (int64 c = spans.spans[k].first; c <= spans.spans[k].last; c++)
		{
			*count += !in[c];
			in[c] = true;
		}
	sr_span_list_free(&spans);
	return in;
}

/* Cells that have something else than the rule says. */
static int64
wrong_cells(const HpxGrid *grid, const Disc *disc, int64 units, const double *value)
{
	int64		n,
				had = 0,
				wrong = 0;
	bool	   *in = cells_of(grid, disc, &n);

	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		int64		m = 0,
					more,
					from,
					at = 0;
		uint128		before,
					after;

		for (int32 j = 0; j < ring->ncell; j++)
			m += in[ring->start + j];
		before = (uint128) had * (uint64) units * 2 + (uint64) n;
		had += m;
		after = (uint128) had * (uint64) units * 2 + (uint64) n;
		/* to the nearest, a half upwards; of what all get nothing is left */
		more = (int64) (after / (uint64) (2 * n)) - (int64) (before / (uint64) (2 * n)) - m * (units / n);
		from = (int64) ((uint128) ((uint64) i * UINT64_C(11400714819323198485)) * (uint64) m / ((uint128) 1 << 64));
		for (int32 j = 0; j < ring->ncell; j++)
			if (in[ring->start + j])
			{
				int64		place = (at++ - from + m) % m;

				wrong += value[ring->start + j] != (double) (units / n + (place < more));
			}
			else
				wrong += value[ring->start + j] != 0;
	}
	sr_free(in);
	return wrong;
}

/*
 * How far the sum over a disc inside of a disc is from its share, in units: the
 * smaller disc is anywhere in the larger one and half as wide.
 */
static double
most_uneven(const HpxGrid *grid, const Disc *disc, int64 units, const double *value)
{
	double		most = 0;
	int64		n,
				small_n;
	bool	   *in = cells_of(grid, disc, &n);

	for (int t = 0; t < 20; t++)
	{
		double		angle = 2 * SR_PI * t / 20;
		Disc		small = {disc->lon + cos(angle) * disc->radius / 2.2 / 111000, disc->lat + sin(angle) * disc->radius / 2.2 / 111000, disc->radius / 2};
		bool	   *here = cells_of(grid, &small, &small_n);
		double		sum = 0;
		int64		shared = 0;

		for (int64 c = 0; c < grid->ncell; c++)
			if (here[c] && in[c])
			{
				sum += value[c];
				shared++;
			}
		most = fmax(most, fabs(sum - (double) units * (double) shared / (double) n));
		sr_free(here);
	}
	sr_free(in);
	return most;
}

int
main(void)
{
	int64		wrong = 0,
				lost = 0,
				discs = 0;
	double		uneven = 0;

	for (int n = 0; n < 1500; n++)
	{
		int			order = n % 6;
		const HpxGrid *grid = sr_hpx_grid(order);
		Disc		disc = {tap_random() * 360 - 180, n % 20 == 0 ? 90 : n % 20 == 1 ? -90 : asin(2 * tap_random() - 1) / SR_DEGREE,
		n % 7 == 0 ? 1e-3 : 2e4 * pow(250, tap_random())};
		int64		units = 1 + (int64) (pow(2, 37 * tap_random() + 16 * (n % 2)));
		Diff	   *diff = sr_diff_create(grid->ncell);
		double	   *value;
		double		sum = 0;

		sr_spread_disc(grid, &disc, units, 1.0, diff);
		value = values_of(diff, grid->ncell);
		for (int64 c = 0; c < grid->ncell; c++)
			sum += value[c];
		lost += sum != (double) units;
		wrong += wrong_cells(grid, &disc, units, value);
		discs++;
		sr_free(value);
	}
	ok(lost == 0, "nothing is lost and nothing is added (%lld of %lld discs)", (long long) lost, (long long) discs);
	ok(wrong == 0, "every cell has what the rule says (%lld wrong)", (long long) wrong);

	for (int n = 0; n < 40; n++)
	{
		const HpxGrid *grid = sr_hpx_grid(8);
		Disc		disc = {17, n - 20, 4e5 + 1e4 * n};
		int64		ncell;
		int64		units;
		Diff	   *diff = sr_diff_create(grid->ncell);
		double	   *value;

		sr_free(cells_of(grid, &disc, &ncell));
		/* a tenth of a unit for each cell, and two and a bit */
		units = n % 2 ? ncell / 10 : ncell * 2 + ncell / 7;
		sr_spread_disc(grid, &disc, units, 1.0, diff);
		value = values_of(diff, grid->ncell);
		uneven = fmax(uneven, most_uneven(grid, &disc, units, value));
		sr_free(value);
	}
	ok(uneven < 10, "a disc in a disc of up to 3 000 cells has its share to within a few units (%.1f)", uneven);
	return tap_done();
}
