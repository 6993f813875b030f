/*
 * disc.c: which cells' centres lie in discs, ring by ring.
 *
 * A geodesic of length r has chord 2 R sin(r / 2R) up to a relative 4e-5 (3e-4
 * beyond 2 000 km), where R is the Gaussian radius of curvature at the point.
 */
#include "grid/disc.h"

/* What is worked out of a disc without a look at the grid's tables. */
typedef struct Prepared
{
	double		sinlat;
	double		p;
	double		z;
	double		chord2;
	double		turn;
	int32		first_ring;
	int32		last_ring;
} Prepared;

/* The ring at or north of an authalic z as sr_hpx_ring_above has it, without branches. */
static inline __attribute__((always_inline)) int32
ring_above(double nside, double nring, double sinlat)
{
	double		authalic_z = hpx_authalic_z(sinlat);
	double		az = fabs(authalic_z);
	double		belt = nside * (2.0 - 1.5 * authalic_z);
	double		cap = nside * sqrt(3.0 * (1.0 - az));

	cap = authalic_z < 0 ? 4.0 * nside - cap : cap;
	cap = az <= 2.0 / 3.0 ? belt : cap;
	/* none of them is negative */
	return (int32) Min(cap, nring);
}

/* In loops without branches too: the same bits for one disc as for many. */
static inline __attribute__((always_inline)) Prepared
prepare(double nside, double nring, double lon, double lat, double radius)
{
	Prepared	d;
	double		coslat,
				w,
				n,
				gauss,
				s,
				c,
				reach;
	int32		north,
				south;

	sr_sincos_half_turn(lat, &d.sinlat, &coslat);
	w = 1.0 - SR_WGS84_E2 * d.sinlat * d.sinlat;
	n = SR_WGS84_A / sqrt(w);
	d.p = n * coslat;
	d.z = n * (1.0 - SR_WGS84_E2) * d.sinlat;
	/* M = a (1 - e2) / w^(3/2), N = a / w^(1/2) */
	gauss = SR_WGS84_A * sqrt(1.0 - SR_WGS84_E2) / w;
	sr_sincos_half_turn(radius / (2.0 * gauss) / SR_DEGREE, &s, &c);
	d.chord2 = 4.0 * gauss * gauss * s * s;
	d.turn = sr_lon_turn(lon);

	/*
	 * Rings between the latitudes of the disc's ends; the least meridional radius
	 * of curvature gives the largest angle. sin(lat +- reach), unless that is
	 * beyond a pole.
	 */
	reach = radius / (SR_WGS84_A * (1.0 - SR_WGS84_E2)) / SR_DEGREE * 1.001;
	sr_sincos_half_turn(reach, &s, &c);
	north = ring_above(nside, nring, d.sinlat * c + coslat * s);
	south = ring_above(nside, nring, d.sinlat * c - coslat * s) + 1;
	d.first_ring = lat + reach < 90.0 ? Max(1, north) : 1;
	d.last_ring = lat - reach > -90.0 ? Min((int32) nring, south) : (int32) nring;
	return d;
}

/* The rest of what the rings need to know. */
static inline void
look_up(const HpxGrid *grid, double radius, Prepared d, DiscScan *scan)
{
	scan->p = d.p;
	scan->z = d.z;
	scan->chord2 = d.chord2;
	scan->turn = d.turn;
	scan->first_ring = d.first_ring;
	scan->last_ring = d.last_ring;
	scan->home_ring = scan->home = 0;
	/* a larger disc holds that cell's centre, as no point of a cell is further from it than 1.1 / nside, in radians */
	if (radius * (double) grid->nside < 1.5 * SR_WGS84_A)
	{
		int64		home = sr_hpx_cell(grid->order, hpx_authalic_z(d.sinlat), d.turn, &scan->home_ring);

		scan->home = (int32) (home - HPX_RING(grid, scan->home_ring)->start);
		scan->first_ring = Min(scan->first_ring, scan->home_ring);
		scan->last_ring = Max(scan->last_ring, scan->home_ring);
	}

	/* no ring in between lies nearer to the axis than one of the two outermost */
	scan->narrow = scan->chord2 <= SR_ASIN_NARROW * 4.0 * scan->p *
		Min(grid->column.p[scan->first_ring - 1], grid->column.p[scan->last_ring - 1]);
}

/* Works out what the rings need to know of a disc. */
void
sr_disc_prepare(const HpxGrid *grid, const Disc *disc, DiscScan *scan)
{
	look_up(grid, disc->radius,
			prepare((double) grid->nside, (double) grid->nring, disc->lon, disc->lat, disc->radius), scan);
}

/* Columns of as many discs as sr_discs_prepare takes. */
typedef struct PreparedColumns
{
	double		sinlat[DISC_BLOCK];
	double		p[DISC_BLOCK];
	double		z[DISC_BLOCK];
	double		chord2[DISC_BLOCK];
	double		turn[DISC_BLOCK];
	int32		first_ring[DISC_BLOCK];
	int32		last_ring[DISC_BLOCK];
} PreparedColumns;

SR_VECTOR_CLONES static void
prepare_columns(double nside, double nring, const double *restrict lon, const double *restrict lat, const double *restrict radius,
				PreparedColumns *restrict to, int32 count)
{
	for (int32 i = 0; i < count; i++)
	{
		Prepared	d = prepare(nside, nring, lon[i], lat[i], radius[i]);

		to->sinlat[i] = d.sinlat;
		to->p[i] = d.p;
		to->z[i] = d.z;
		to->chord2[i] = d.chord2;
		to->turn[i] = d.turn;
		to->first_ring[i] = d.first_ring;
		to->last_ring[i] = d.last_ring;
	}
}

/* The same for up to DISC_BLOCK discs at a time, in less time. */
void
sr_discs_prepare(const HpxGrid *grid, const Disc *const *discs, int32 count, DiscScan *scans)
{
	double		lon[DISC_BLOCK] = {0};
	double		lat[DISC_BLOCK] = {0};
	double		radius[DISC_BLOCK] = {0};
	PreparedColumns c;

	for (int32 i = 0; i < count; i++)
	{
		lon[i] = discs[i]->lon;
		lat[i] = discs[i]->lat;
		radius[i] = discs[i]->radius;
	}
	/* whole vectors only */
	prepare_columns((double) grid->nside, (double) grid->nring, lon, lat, radius, &c,
					(count + HPX_PADDING - 1) / HPX_PADDING * HPX_PADDING);
	for (int32 i = 0; i < count; i++)
	{
		Prepared	d = {c.sinlat[i], c.p[i], c.z[i], c.chord2[i], c.turn[i], c.first_ring[i], c.last_ring[i]};

		look_up(grid, radius[i], d, &scans[i]);
	}
}

/* Half-widths, in cells, of a disc's part of the rings it may meet, from scan->first_ring on. */
void
sr_disc_halves(const HpxGrid *grid, const DiscScan *scan, double *half)
{
	const HpxColumns *c = &grid->column;
	double		over_p0 = over_p(scan->p);

	for (int32 i = scan->first_ring - 1; i < scan->last_ring; i++)
		*half++ = ring_half(scan->narrow, c->p[i], c->z[i], c->over_4p[i], c->ncell[i], c->cells_per_radian[i],
							scan->p, scan->z, over_p0, scan->chord2);
}

SR_VECTOR_CLONES static void
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
	double		over_p0 = over_p(scan->p);
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
sr_disc_intervals(const HpxGrid *grid, const DiscScan *scan, int32 first_ring, int32 count,
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
sr_scan_disc(const HpxGrid *grid, const Disc *disc, SpanList *out)
{
	DiscScan	scan;
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];

	sr_disc_prepare(grid, disc, &scan);
	for (int32 first = scan.first_ring; first <= scan.last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan.last_ring - first + 1);

		sr_disc_intervals(grid, &scan, first, count, lo, hi);
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
