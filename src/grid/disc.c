/*
 * disc.c: which cells' centres lie in discs, ring by ring.
 *
 * A ring is a parallel, so a disc meets it in one interval of longitude. The
 * squared chord from a point to a cell's centre is
 *     (p - p0)^2 + (z - z0)^2 + 4 p p0 sin^2(dlon / 2),
 * so the half-width of the interval is one arcsine, without the cancellation
 * that 1 - cos would bring to small discs. A geodesic of length r has chord
 * 2 R sin(r / 2R) up to a relative 4e-5 (3e-4 beyond 2 000 km), where R is the
 * Gaussian radius of curvature at the point.
 *
 * The same arithmetic runs over many rings of one disc or many discs of one
 * ring, in loops without branches that a compiler turns into vector code. Every
 * operation in them is one that IEEE 754 rounds correctly, element by element,
 * so the width of the vectors does not show in the result.
 */
#include "grid/disc.h"

#include "base/dmath.h"

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR_CLONES
#endif

/* Discs per block of the sweep. */
#define SWEEP_BLOCK 256

/*
 * The half-width, in cells, of the part of a ring that lies in a disc: -1 when there
 * is none, ncell when it is the whole ring. It does not depend on the longitude of
 * the disc. Whether a disc is narrow is known when it is prepared, so that its cells
 * do not depend on how it is scanned.
 */
static inline __attribute__((always_inline)) double
ring_half(bool narrow, double ring_p, double ring_z, double ring_over_4p, double ncell, double cells_per_radian,
		  double p0, double z0, double over_p0, double chord2)
{
	double		dp = ring_p - p0;
	double		dz = ring_z - z0;
	double		rest = chord2 - dp * dp - dz * dz;
	double		t = rest * (ring_over_4p * over_p0);
	double		half;

	if (narrow)
	{
		double		u = t < 0.0 ? 0.0 : t;

		half = sqrt(u) * sr_asin_kernel_narrow(u) * cells_per_radian;
		half = t < 0.0 ? -1.0 : half;
	}
	else
	{
		double		clamped = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
		bool		near = clamped <= 0.5;
		double		u = near ? clamped : 1.0 - clamped;
		double		angle = sqrt(u) * sr_asin_kernel(u);

		half = (near ? angle : SR_PI / 2 - angle) * cells_per_radian;
		half = t >= 1.0 ? ncell : t < 0.0 ? -1.0 : half;
	}
	return half;
}

/* The cells lo .. hi of a ring that lie in a disc, as interval_ends has them. */
static inline __attribute__((always_inline)) void
ring_interval(bool narrow, double ring_p, double ring_z, double ring_over_4p, double ncell, double shift, double cells_per_radian,
			  double p0, double z0, double over_p0, double chord2, double turn, int32 *lo, int32 *hi)
{
	double		half = ring_half(narrow, ring_p, ring_z, ring_over_4p, ncell, cells_per_radian, p0, z0, over_p0, chord2);

	interval_ends(turn, ncell, shift, half, lo, hi);
}

/* Works out what the rings need to know of a disc. */
void
disc_prepare(const HpxGrid *grid, const Disc *disc, DiscScan *scan)
{
	double		sinlat,
				coslat,
				w,
				n,
				gauss,
				s,
				c,
				reach;

	sr_sincos_deg(disc->lat, &sinlat, &coslat);
	w = 1.0 - SR_WGS84_E2 * sinlat * sinlat;
	n = SR_WGS84_A / sqrt(w);
	scan->p = n * coslat;
	scan->z = n * (1.0 - SR_WGS84_E2) * sinlat;
	/* M = a (1 - e2) / w^(3/2), N = a / w^(1/2) */
	gauss = SR_WGS84_A * sqrt(1.0 - SR_WGS84_E2) / w;
	sr_sincos_deg(disc->radius / (2.0 * gauss) / SR_DEGREE, &s, &c);
	scan->chord2 = 4.0 * gauss * gauss * s * s;
	scan->turn = sr_lon_turn(disc->lon);

	/* a larger disc holds that cell's centre, as no point of a cell is further from it than 1.1 / nside, in radians */
	scan->home_ring = scan->home = 0;
	if (disc->radius * (double) grid->nside < 1.5 * SR_WGS84_A)
	{
		int64		home = hpx_cell(grid->order, hpx_authalic_z(sinlat), scan->turn, &scan->home_ring);

		scan->home = (int32) (home - HPX_RING(grid, scan->home_ring)->start);
	}

	/*
	 * Rings between the latitudes of the disc's ends; the least meridional radius
	 * of curvature gives the largest angle. sin(lat +- reach), unless that is
	 * beyond a pole.
	 */
	reach = disc->radius / (SR_WGS84_A * (1.0 - SR_WGS84_E2)) / SR_DEGREE * 1.001;
	sr_sincos_deg(reach, &s, &c);
	scan->first_ring = 1;
	scan->last_ring = grid->nring;
	if (disc->lat + reach < 90.0)
		scan->first_ring = Max(1, hpx_ring_above(grid, hpx_authalic_z(sinlat * c + coslat * s)));
	if (disc->lat - reach > -90.0)
		scan->last_ring = Min(grid->nring, hpx_ring_above(grid, hpx_authalic_z(sinlat * c - coslat * s)) + 1);
	if (scan->home_ring > 0)
	{
		scan->first_ring = Min(scan->first_ring, scan->home_ring);
		scan->last_ring = Max(scan->last_ring, scan->home_ring);
	}

	/* no ring in between lies nearer to the axis than one of the two outermost */
	scan->narrow = scan->chord2 <= SR_ASIN_NARROW * 4.0 * scan->p *
		Min(grid->column.p[scan->first_ring - 1], grid->column.p[scan->last_ring - 1]);
}

/* 1 / p; a point on the axis is equally far from all of a ring. */
static inline double
over_p(const DiscScan *scan)
{
	return 1.0 / Max(scan->p, 1e-100);
}

/* Half-widths, in cells, of a disc's part of the rings it may meet, from scan->first_ring on. */
void
disc_halves(const HpxGrid *grid, const DiscScan *scan, double *half)
{
	const HpxColumns *c = &grid->column;
	double		over_p0 = over_p(scan);

	for (int32 i = scan->first_ring - 1; i < scan->last_ring; i++)
		*half++ = ring_half(scan->narrow, c->p[i], c->z[i], c->over_4p[i], c->ncell[i], c->cells_per_radian[i],
							scan->p, scan->z, over_p0, scan->chord2);
}

/* Clones are static: their names would be exported otherwise. */
VECTOR_CLONES static void
intervals(const HpxGrid *grid, const DiscScan *scan, int32 first_ring, int32 count,
		  int32 *restrict lo, int32 *restrict hi)
{
	const double *restrict p = grid->column.p + first_ring - 1;
	const double *restrict z = grid->column.z + first_ring - 1;
	const double *restrict over_4p = grid->column.over_4p + first_ring - 1;
	const double *restrict ncell = grid->column.ncell + first_ring - 1;
	const double *restrict shift = grid->column.shift + first_ring - 1;
	const double *restrict cells_per_radian = grid->column.cells_per_radian + first_ring - 1;
	double		p0 = scan->p;
	double		z0 = scan->z;
	double		over_p0 = over_p(scan);
	double		chord2 = scan->chord2;
	double		turn = scan->turn;

	/* whole vectors only: what is behind the last ring asked for is worked out and not looked at */
	count = (count + HPX_PADDING - 1) / HPX_PADDING * HPX_PADDING;
	if (scan->narrow)
		for (int32 i = 0; i < count; i++)
			ring_interval(true, p[i], z[i], over_4p[i], ncell[i], shift[i], cells_per_radian[i],
						  p0, z0, over_p0, chord2, turn, &lo[i], &hi[i]);
	else
		for (int32 i = 0; i < count; i++)
			ring_interval(false, p[i], z[i], over_4p[i], ncell[i], shift[i], cells_per_radian[i],
						  p0, z0, over_p0, chord2, turn, &lo[i], &hi[i]);
}

/*
 * Intervals of up to DISC_BLOCK rings from first_ring on, as ring_interval has them;
 * lo and hi have room for DISC_BLOCK.
 */
void
disc_intervals(const HpxGrid *grid, const DiscScan *scan, int32 first_ring, int32 count,
			   int32 *lo, int32 *hi)
{
	intervals(grid, scan, first_ring, count, lo, hi);
}

/* Adds cells lo .. hi of a ring, as ring_interval has them, to a list of spans. */
static inline void
add_wrapped(SpanList *out, const HpxRing *ring, int32 lo, int32 hi)
{
	int32		n = ring->ncell;
	int64		start = ring->start;

	if (lo > hi)
		return;
	if (hi - lo + 1 >= n)
	{
		span_list_add(out, start, start + n - 1);
		return;
	}
	lo = wrap_cell(lo, n);
	hi = wrap_cell(hi, n);
	if (lo <= hi)
		span_list_add(out, start + lo, start + hi);
	else
	{
		span_list_add(out, start, start + hi);
		span_list_add(out, start + lo, start + n - 1);
	}
}

/*
 * The cells whose centres lie within a geodesic radius of a point, and in any
 * case the cell that holds the point: disjoint spans, ring by ring.
 */
void
scan_disc(const HpxGrid *grid, const Disc *disc, SpanList *out)
{
	DiscScan	scan;
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];

	disc_prepare(grid, disc, &scan);
	for (int32 first = scan.first_ring; first <= scan.last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan.last_ring - first + 1);

		disc_intervals(grid, &scan, first, count, lo, hi);
		for (int32 k = 0; k < count; k++)
		{
			const HpxRing *ring = HPX_RING(grid, first + k);

			if (first + k == scan.home_ring &&
				interval_misses(lo[k], hi[k], ring->ncell, scan.home))
				span_list_add(out, ring->start + scan.home, ring->start + scan.home);
			add_wrapped(out, ring, lo[k], hi[k]);
		}
	}
}

/*
 * The discs that meet the ring the sweep has come to, as columns.
 */
typedef struct Active
{
	int64		count;
	int64		capacity;
	double	   *p;
	double	   *z;
	double	   *over_p;
	double	   *chord2;
	double	   *turn;
	double	   *weight;
	int32	   *home;
	int32	   *home_ring;
	int32	   *last_ring;
} Active;

#define ACTIVE_ROW (6 * sizeof(double) + 3 * sizeof(int32))

static void
active_init(Active *a, int64 capacity)
{
	char	   *memory = sr_alloc((size_t) capacity * ACTIVE_ROW);

	a->count = 0;
	a->capacity = capacity;
	a->p = (double *) memory;
	a->z = a->p + capacity;
	a->over_p = a->z + capacity;
	a->chord2 = a->over_p + capacity;
	a->turn = a->chord2 + capacity;
	a->weight = a->turn + capacity;
	a->home = (int32 *) (a->weight + capacity);
	a->home_ring = a->home + capacity;
	a->last_ring = a->home_ring + capacity;
}

static inline void
active_add(Active *a, const WeightedDisc *disc)
{
	const DiscScan *scan = &disc->scan;
	int64		to = a->count++;

	a->p[to] = scan->p;
	a->z[to] = scan->z;
	a->over_p[to] = over_p(scan);
	a->chord2[to] = scan->chord2;
	a->turn[to] = scan->turn;
	a->weight[to] = disc->weight;
	a->home[to] = scan->home;
	a->home_ring[to] = scan->home_ring;
	a->last_ring[to] = scan->last_ring;
}

/* Takes one disc out; the last takes its place. Their order does not matter. */
static inline void
active_remove(Active *a, int64 at)
{
	int64		last = --a->count;

	a->p[at] = a->p[last];
	a->z[at] = a->z[last];
	a->over_p[at] = a->over_p[last];
	a->chord2[at] = a->chord2[last];
	a->turn[at] = a->turn[last];
	a->weight[at] = a->weight[last];
	a->home[at] = a->home[last];
	a->home_ring[at] = a->home_ring[last];
	a->last_ring[at] = a->last_ring[last];
}

/* Intervals of one ring for count discs. */
VECTOR_CLONES static void
sweep_block(bool narrow, const HpxRing *ring, double over_4p, double cells_per_radian, const double *restrict p, const double *restrict z,
			const double *restrict over_p,
			const double *restrict chord2, const double *restrict turn, int64 count,
			int32 *restrict lo, int32 *restrict hi)
{
	double		ring_p = ring->p;
	double		ring_z = ring->z;
	double		ncell = ring->ncell;
	double		shift = ring->shift;

	if (narrow)
		for (int64 i = 0; i < count; i++)
			ring_interval(true, ring_p, ring_z, over_4p, ncell, shift, cells_per_radian,
						  p[i], z[i], over_p[i], chord2[i], turn[i], &lo[i], &hi[i]);
	else
		for (int64 i = 0; i < count; i++)
			ring_interval(false, ring_p, ring_z, over_4p, ncell, shift, cells_per_radian,
						  p[i], z[i], over_p[i], chord2[i], turn[i], &lo[i], &hi[i]);
}

/* Adds an interval of a ring to a difference array through add(position, delta). */
#define ADD_INTERVAL(lo, hi, n, w, add) \
	do { \
		if ((lo) >= 0 && (hi) < (n)) \
		{ \
			if ((lo) <= (hi)) \
			{ \
				add((lo), (w)); \
				add((hi) + 1, -(w)); \
			} \
		} \
		else if ((lo) <= (hi)) \
		{ \
			if ((hi) - (lo) + 1 >= (n)) \
			{ \
				add(0, (w)); \
				add((n), -(w)); \
			} \
			else \
			{ \
				int32		from_ = wrap_cell((lo), (n)); \
				int32		to_ = wrap_cell((hi), (n)); \
				add(from_, (w)); \
				add(to_ + 1, -(w)); \
				if (from_ > to_) \
				{ \
					add(0, (w)); \
					add((n), -(w)); \
				} \
			} \
		} \
	} while (0)

/* The most discs of a kind that any ring meets; count is room for a number per ring. */
static int64
most_active(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs, bool narrow, int32 *count)
{
	int64		most = 1,
				active = 0;

	memset(count, 0, (size_t) (grid->nring + 2) * sizeof(int32));
	for (int64 k = 0; k < ndiscs; k++)
		if (discs[k].scan.narrow == narrow)
		{
			count[discs[k].scan.first_ring]++;
			count[discs[k].scan.last_ring + 1]--;
		}
	for (int32 i = 1; i <= grid->nring; i++)
	{
		active += count[i];
		most = Max(most, active);
	}
	return most;
}

/* Adds one ring's part of the active discs to a row or, if there is none, to the array. */
static void
sweep_ring(const HpxGrid *grid, int32 i, bool narrow, Active *active, double *row, Diff *diff)
{
	const HpxRing *ring = HPX_RING(grid, i);
	int32		n = ring->ncell;
	int32		lo[SWEEP_BLOCK];
	int32		hi[SWEEP_BLOCK];

#define ADD_TO_ROW(position, delta) row[position] += (delta)
#define ADD_TO_DIFF(position, delta) diff_add_at(diff, ring->start + (position), (delta))
#define ADD_BLOCK(add) \
	for (int64 k = 0; k < count; k++) \
	{ \
		ADD_INTERVAL(lo[k], hi[k], n, weight[k], add); \
		if (unlikely(home_ring[k] == i)) \
		{ \
			int32		j = active->home[from + k]; \
			if (interval_misses(lo[k], hi[k], n, j)) \
				ADD_INTERVAL(j, j, n, weight[k], add); \
		} \
	}
	for (int64 from = 0; from < active->count; from += SWEEP_BLOCK)
	{
		int64		count = Min(SWEEP_BLOCK, active->count - from);
		const double *weight = active->weight + from;
		const int32 *home_ring = active->home_ring + from;

		sweep_block(narrow, ring, grid->column.over_4p[i - 1], grid->column.cells_per_radian[i - 1], active->p + from, active->z + from,
					active->over_p + from,
					active->chord2 + from, active->turn + from, count, lo, hi);
		if (row != NULL)
			ADD_BLOCK(ADD_TO_ROW)
		else
			ADD_BLOCK(ADD_TO_DIFF)
	}

	/* those that end here, from the last on, as removal moves the last */
	for (int64 k = active->count - 1; k >= 0; k--)
		if (active->last_ring[k] <= i)
			active_remove(active, k);
}

/*
 * Adds discs to a difference array, ring by ring from north to south, so that
 * what is written to stays in the processor's first cache whatever the order in
 * which the discs came. Rings that many discs meet go to take_row instead, if
 * there is one.
 */
void
sweep_discs(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs, Diff *diff,
			TakeRow take_row, void *arg)
{
	int32	   *order = sr_alloc((size_t) ndiscs * sizeof(int32));
	int32	   *begin = sr_alloc((size_t) (grid->nring + 2) * sizeof(int32));
	double	   *row = sr_alloc((size_t) (4 * grid->nside + 1) * sizeof(double));
	int32	   *live = sr_alloc((size_t) (grid->nring + 2) * sizeof(int32));
	Active		active[2];		/* wide discs and narrow ones */

	/* counting sort by first ring */
	memset(begin, 0, (size_t) (grid->nring + 2) * sizeof(int32));
	memset(row, 0, (size_t) (4 * grid->nside + 1) * sizeof(double));
	for (int64 k = 0; k < ndiscs; k++)
	{
		if (k % 65536 == 0)
			sr_check_interrupts();
		begin[discs[k].scan.first_ring + 1]++;
	}
	for (int32 i = 1; i <= grid->nring + 1; i++)
		begin[i] += begin[i - 1];
	for (int64 k = 0; k < ndiscs; k++)
		order[begin[discs[k].scan.first_ring]++] = (int32) k;
	for (int narrow = 0; narrow <= 1; narrow++)
		active_init(&active[narrow], most_active(grid, discs, ndiscs, narrow, live));

	/* begin[i] is now where ring i's discs end */
	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		int32		n = ring->ncell;
		bool		dense;

		for (int32 k = begin[i - 1]; k < begin[i]; k++)
		{
			const WeightedDisc *disc = &discs[order[k]];

			/* they lie in the order in which they came */
			sr_prefetch(&discs[order[Min(k + 8, ndiscs - 1)]]);
			active_add(&active[disc->scan.narrow], disc);
		}
		if (active[0].count + active[1].count == 0)
			continue;
		sr_check_interrupts();

		/* many discs: gather the row first, then add it to the array once */
		dense = active[0].count + active[1].count >= n / 16;
		for (int narrow = 0; narrow <= 1; narrow++)
			sweep_ring(grid, i, narrow, &active[narrow], dense ? row : NULL, diff);
		if (dense)
		{
			if (take_row != NULL)
				take_row(arg, ring, row);
			else
				diff_add_row(diff, ring->start, row, n + 1);
			memset(row, 0, (size_t) (n + 1) * sizeof(double));
		}
	}

	sr_free(active[0].p);
	sr_free(active[1].p);
	sr_free(live);
	sr_free(row);
	sr_free(begin);
	sr_free(order);
}
