/*
 * Sums over the discs around all cells against those of each disc by itself.
 */
#include "grid/focal.h"

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
	int			shift;
	int128	   *sums;			/* what sr_focal_sums found */
	int64		taken;			/* cells it has come to */
	int64		outside;		/* cells of which it said that they are 0 */
} Field;

/* Makes runs of a mean length, of which a share is zero. */
static Field
make_field(int order, double mean_run, double zeros)
{
	Field		f = {.grid = sr_hpx_grid(order)};
	int64		ncell = f.grid->ncell;

	f.cells = sr_alloc((size_t) ncell * sizeof(double));
	f.starts = sr_alloc((size_t) ncell * sizeof(uint32));
	f.values = sr_alloc((size_t) ncell * sizeof(double));
	f.sums = sr_alloc((size_t) ncell * sizeof(int128));
	for (int64 at = 0; at < ncell;)
	{
		int64		length = 1 + (int64) (2 * mean_run * tap_random());
		double		v = tap_random() < zeros ? 0 : (tap_random() - 0.3) * (tap_random() < 0.1 ? 1e6 : 1);

		if (f.nruns == 0 || f.values[f.nruns - 1] != v)
		{
			f.starts[f.nruns] = (uint32) at;
			f.values[f.nruns++] = v;
		}
		for (; length > 0 && at < ncell; length--)
			f.cells[at++] = v;
	}
	f.shift = fixed_shift(1e6);
	return f;
}

static void
free_field(Field *f)
{
	sr_free(f->cells);
	sr_free(f->starts);
	sr_free(f->values);
	sr_free(f->sums);
}

static void
take(void *arg, const HpxRing *ring, int32 from, int32 to, const int128 *sums)
{
	Field	   *f = arg;

	if (ring->start != f->taken || from > to || from < 0 || to > ring->ncell)
		f->taken = -1;
	for (int32 j = 0; j < ring->ncell; j++)
		f->sums[ring->start + j] = j >= from && j < to ? sums[j] : 0;
	f->taken += ring->ncell;
	f->outside += ring->ncell - (to - from);
}

/* The sum over the disc around a cell's centre. */
static int128
disc_sum(const Field *f, int64 cell, double radius)
{
	SpanList	spans;
	Disc		disc = {.radius = radius};
	int128		sum = 0;

	sr_hpx_cell_center(f->grid, cell, &disc.lon, &disc.lat);
	sr_span_list_init(&spans);
	sr_scan_disc(f->grid, &disc, &spans);
	for (int64 k = 0; k < spans.nspans; k++)
		for (int64 c = spans.spans[k].first; c <= spans.spans[k].last; c++)
			sum += to_fixed(f->cells[c], f->shift);
	sr_span_list_free(&spans);
	return sum;
}

/* How many cells have another sum than the disc around their centre; looks at every step-th. */
static int64
wrong_cells(Field *f, double radius, int64 step)
{
	int64		wrong = 0;

	f->taken = f->outside = 0;
	sr_focal_sums(f->grid, radius, f->nruns, f->starts, f->values, f->shift, take, f);
	if (f->taken != f->grid->ncell)
		return f->grid->ncell;
	for (int64 cell = 0; cell < f->grid->ncell; cell += step)
		wrong += f->sums[cell] != disc_sum(f, cell, radius);
	return wrong;
}

/* The half-width of discs around the centres of ring i on ring k. */
static double
half_width(const HpxGrid *grid, int32 i, int32 k, double radius)
{
	double	   *half = sr_alloc((size_t) grid->nring * sizeof(double));
	Disc		disc = {sr_hpx_ring_lon(HPX_RING(grid, i), 0), sr_hpx_ring_lat(HPX_RING(grid, i)), radius};
	DiscScan	scan;
	double		result = -1;

	sr_disc_prepare(grid, &disc, &scan);
	sr_disc_halves(grid, &scan, half);
	if (k >= scan.first_ring && k <= scan.last_ring)
		result = half[k - scan.first_ring];
	sr_free(half);
	return result;
}

/*
 * A radius at which the discs around the centres of ring i end on centres of ring k, as
 * nearly as a float8 can say, so that the last bit of a longitude decides.
 */
static double
radius_on_edge(const HpxGrid *grid, int32 i, int32 k, double goal)
{
	double		low = 0,
				high = SR_MAX_RADIUS;

	for (;;)
	{
		double		middle = low + (high - low) / 2;

		if (middle == low || middle == high)
			return high;
		if (half_width(grid, i, k, middle) < goal)
			low = middle;
		else
			high = middle;
	}
}

/* Radii at which discs end on centres, and such as just reach around a ring, for rings of one length and of two. */
static void
check_edges(void)
{
	Field		f = make_field(5, 0.4, 0);
	const HpxGrid *grid = f.grid;
	int64		wrong = 0;
	int			edges = 0,
				around = 0;

	for (int n = 0; n < 300; n++)
	{
		int32		i = 1 + (int32) (tap_random() * grid->nring);
		int32		near = i + (int32) ((tap_random() - 0.5) * 20);
		int32		k = Max(1, Min(grid->nring, near));
		const HpxRing *from = HPX_RING(grid, i);
		const HpxRing *to = HPX_RING(grid, k);
		double		goal = n % 2 ? to->ncell / 2 : 1 + (int32) (tap_random() * 6) + (from->shift != to->shift ? 0.5 : 0);
		double		radius = radius_on_edge(grid, i, k, goal);

		if (radius >= SR_MAX_RADIUS)
			continue;
		edges += n % 2 == 0 && fabs(half_width(grid, i, k, radius) - goal) < 1e-12;
		around += n % 2;
		for (int side = 0; side < 3; side++)
		{
			double		r = side == 0 ? radius : nextafter(radius, side == 1 ? 0 : 1e9);

			f.taken = f.outside = 0;
			sr_focal_sums(grid, r, f.nruns, f.starts, f.values, f.shift, take, &f);
			for (int32 j = 0; j < from->ncell; j++)
				wrong += f.sums[from->start + j] != disc_sum(&f, from->start + j, r);
		}
	}
	ok(edges > 100 && around > 30, "discs are made to end on centres (%d), and to reach around rings (%d)", edges, around);
	ok(wrong == 0, "the same cells are in them (%lld wrong)", (long long) wrong);
	free_field(&f);
}

int
main(void)
{
	static const double radii[] = {1e-300, 1e-7, 1, 5e4, 3e5, 1.1e6, 2.6e6, 5e6};
	Field		f;

	for (int order = 0; order <= 5; order++)
		for (size_t r = 0; r < sizeof(radii) / sizeof(*radii); r++)
		{
			int64		wrong;

			f = make_field(order, 0.4, 0);
			wrong = wrong_cells(&f, radii[r], 1);
			ok(wrong == 0, "order %d, %g m: every cell has the sum over its disc (%lld wrong)", order, radii[r], (long long) wrong);
			free_field(&f);
		}
	for (int n = 0; n < 60; n++)
	{
		double		radius = 1000 * pow(5000, tap_random());
		double		zeros = n % 3 == 0 ? 0.5 : n % 3 == 1 ? 0.99 : 0.999;
		double		mean_run = 0.5 + 20 * tap_random() * (n % 2);
		int64		wrong;

		f = make_field(4 + n % 4, mean_run, zeros);
		wrong = wrong_cells(&f, radius, 1 + f.grid->ncell / 3000);
		ok(wrong == 0, "order %d, %.0f m, %g of it zero, runs of %.1f cells (%lld wrong)", 4 + n % 4, radius, zeros, mean_run,
		   (long long) wrong);
		free_field(&f);
	}
	for (int n = 0; n < 40; n++)
	{
		/* single cells, also on the seam and around the poles */
		int64		ncell = INT64_C(12) << 12;
		int64		cell = n < 8 ? n : n < 16 ? ncell - 1 - (n - 8) :
			n < 24 ? HPX_RING(sr_hpx_grid(6), 64 + n)->start - n % 2 : (int64) (tap_random() * (double) ncell);
		double		radius = n % 3 == 0 ? 4e6 : n % 3 == 1 ? 5e5 : 1.5e5;
		int64		wrong;

		f = make_field(6, 1, 1);
		memset(f.cells, 0, (size_t) ncell * sizeof(double));
		f.nruns = 0;
		if (cell > 0)
		{
			f.starts[f.nruns] = 0;
			f.values[f.nruns++] = 0;
		}
		f.starts[f.nruns] = (uint32) cell;
		f.values[f.nruns++] = f.cells[cell] = 3;
		if (cell < ncell - 1)
		{
			f.starts[f.nruns] = (uint32) cell + 1;
			f.values[f.nruns++] = 0;
		}
		wrong = wrong_cells(&f, radius, 7);
		ok(wrong == 0 && (radius > 1e6 || f.outside > ncell / 2), "one cell, %lld, %.0f m (%lld wrong)", (long long) cell, radius,
		   (long long) wrong);
		free_field(&f);
	}
	check_edges();
	return tap_done();
}
