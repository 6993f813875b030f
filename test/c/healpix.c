/*
 * The grid against the reference library chealpix, given authalic latitude by a
 * formula of the test's own, and against itself: every way to and from a cell
 * must agree with every other.
 */
#include "grid/healpix.h"

#include <math.h>

#include "base/dmath.h"
#include "tap.h"

#ifdef HAVE_CHEALPIX
#include <chealpix.h>
#endif

#define NRANDOM 20000

/* Authalic latitude in radians, textbook form with libm (Snyder 1987, eq. 3-11, 3-12). */
static double
authalic_latitude(double lat)
{
	double		e = sqrt(SR_WGS84_E2);
	double		s = sin(lat * M_PI / 180);
	double		q = (1 - e * e) * (s / (1 - e * e * s * s) - log((1 - e * s) / (1 + e * s)) / (2 * e));
	double		qp = (1 - e * e) * (1 / (1 - e * e) - log((1 - e) / (1 + e)) / (2 * e));

	return asin(fmax(-1, fmin(1, q / qp)));
}

static long long wrong_rings;

static int64
cell_of(int order, double lon, double lat)
{
	double		s,
				c;
	int32		ring;
	int64		cell;

	sr_sincos_deg(lat, &s, &c);
	cell = sr_hpx_cell(order, hpx_authalic_z(s), sr_lon_turn(lon), &ring);
	wrong_rings += ring != sr_hpx_cell_ring(sr_hpx_grid(order), cell);
	return cell;
}

#ifdef HAVE_CHEALPIX
static long long disagreements;

static void
compare_with_reference(int order, double lon, double lat)
{
	int64_t		reference;

	ang2pix_ring64(INT64_C(1) << order, M_PI / 2 - authalic_latitude(lat), lon * M_PI / 180, &reference);
	if (reference != cell_of(order, lon, lat))
	{
		if (disagreements++ < 5)
			printf("# order %d, (%.17g, %.17g): reference %lld, here %lld\n", order, lon, lat,
				   (long long) reference, (long long) cell_of(order, lon, lat));
	}
}
#endif

int
main(void)
{
	static const double special_lat[] = {90, -90, 0, 89.9999999, -89.9999999, 45, -45, 30, 60, 66.5,
	41.8, 41.81, 41.93, -41.8, 1e-9, -1e-9};
	static const double special_lon[] = {0, 90, -90, 180, -180, 45, -45, 135, 22.5, 11.25, 5.625, 30,
	60, 120, 1e-9, -1e-9, 179.999999999, -179.999999999};
	double		worst;

#ifdef HAVE_CHEALPIX
	for (int order = 0; order <= SR_MAX_ORDER; order++)
	{
		disagreements = 0;
		for (int i = 0; i < NRANDOM; i++)
			compare_with_reference(order, 360 * tap_random() - 180, asin(2 * tap_random() - 1) * 180 / M_PI);
		ok(disagreements == 0, "order %d: %d random points lie in the reference library's cells", order, NRANDOM);
		disagreements = 0;
		for (size_t i = 0; i < sizeof(special_lat) / sizeof(double); i++)
			for (size_t j = 0; j < sizeof(special_lon) / sizeof(double); j++)
				compare_with_reference(order, special_lon[j], special_lat[i]);
		ok(disagreements == 0, "order %d: so do poles, the equator, the antimeridian and face corners", order);
	}
#else
	printf("# chealpix is not installed: not compared with it\n");
#endif

	for (int order = 0; order <= SR_MAX_ORDER; order++)
	{
		const HpxGrid *grid = sr_hpx_grid(order);
		int64		ntest = order <= 5 ? grid->ncell : 50000;
		int64		bad_centre = 0,
					bad_ring = 0,
					bad_face = 0,
					bad_back = 0;
		int64		next = 0;
		bool		contiguous = true;

		for (int32 i = 1; i <= grid->nring; i++)
		{
			contiguous = contiguous && HPX_RING(grid, i)->start == next;
			next += HPX_RING(grid, i)->ncell;
		}
		ok(contiguous && next == grid->ncell, "order %d: the rings hold all cells, in order", order);

		for (int64 k = 0; k < ntest; k++)
		{
			int64		cell = order <= 5 ? k : (int64) (tap_random() * (double) grid->ncell);
			const HpxRing *ring = HPX_RING(grid, sr_hpx_cell_ring(grid, cell));
			double		lon,
						lat,
						flon,
						flat,
						dlon;
			int			face;
			int64		ix,
						iy;

			sr_hpx_cell_center(grid, cell, &lon, &lat);
			bad_centre += cell_of(order, lon, lat) != cell;
			bad_ring += cell < ring->start || cell >= ring->start + ring->ncell;
			sr_hpx_cell_to_face(order, cell, &face, &ix, &iy);
			sr_hpx_face_position(face, ((double) ix + 0.5) / (double) grid->nside,
								 ((double) iy + 0.5) / (double) grid->nside, &flon, &flat);
			dlon = remainder(flon - lon, 360.0) * ring->coslat;
			bad_back += sr_hpx_face_to_cell(order, face, ix, iy) != cell;
			bad_face += face < 0 || face > 11 || ix < 0 || ix >= grid->nside || iy < 0 ||
				iy >= grid->nside || fabs(dlon) > 1e-9 || fabs(flat - lat) > 1e-9;
		}
		ok(bad_centre == 0, "order %d: a cell's centre lies in the cell", order);
		ok(bad_ring == 0, "order %d: a cell lies on its ring", order);
		ok(bad_face == 0, "order %d: a cell's place on its face has the cell's centre", order);
		ok(bad_back == 0, "order %d: and leads back to the cell", order);
	}

	ok(fabs(sr_hpx_cell_area(0) * 12 - 510065621.724e6) < 500, "the cells' area adds up to the ellipsoid's");
	ok(sr_hpx_cell_area(13) * (INT64_C(12) << 26) == sr_hpx_cell_area(0) * 12, "and does so at every order");

	worst = 0;
	for (int i = 0; i < NRANDOM; i++)
	{
		double		z = 2 * tap_random() - 1;

		worst = fmax(worst, fabs(hpx_authalic_z(sr_hpx_sinlat(z)) - z));
	}
	ok(worst < 4e-16, "authalic and geodetic latitude are inverse: %.1e", worst);
	ok(hpx_authalic_z(1) == 1 && hpx_authalic_z(-1) == -1 && hpx_authalic_z(0) == 0 &&
	   sr_hpx_sinlat(1) == 1 && sr_hpx_sinlat(-1) == -1, "poles and equator are exact");

	worst = 0;
	for (int i = 0; i < NRANDOM; i++)
	{
		double		lat = 180 * tap_random() - 90;
		double		s,
					c;

		sr_sincos_deg(lat, &s, &c);
		worst = fmax(worst, fabs(hpx_authalic_z(s) - sin(authalic_latitude(lat))));
	}
	ok(worst < 4e-15, "authalic latitude agrees with the textbook: %.1e", worst);

	worst = 0;
	for (int i = 0; i < NRANDOM; i++)
	{
		double		deg = 1440 * tap_random() - 720;
		double		s,
					c;

		sr_sincos_deg(deg, &s, &c);
		worst = fmax(worst, fabs(s - (double) sinl((long double) deg * acosl(-1.0L) / 180)));
		worst = fmax(worst, fabs(c - (double) cosl((long double) deg * acosl(-1.0L) / 180)));
	}
	ok(worst < 3e-16, "sine and cosine of degrees: %.1e", worst);

	worst = 0;
	for (int i = 0; i <= NRANDOM; i++)
	{
		double		t = (double) i / NRANDOM;
		double		exact = (double) asinl(sqrtl((long double) t));

		worst = fmax(worst, fabs(sr_asin_sqrt(t) - exact));
		worst = fmax(worst, fabs(sr_asin(2 * t - 1) - (double) asinl(2.0L * t - 1)));
	}
	ok(worst < 2e-15, "arcsine: %.1e", worst);

	worst = 0;
	for (int i = 0; i < NRANDOM; i++)
	{
		double		y = 2 * tap_random() - 1;
		double		x = 2 * tap_random() - 1;
		double		turn = atan2(y, x) / (2 * M_PI);

		worst = fmax(worst, fabs(sr_atan2_turn(y, x) - (turn - floor(turn))));
	}
	ok(worst < 1e-15, "arctangent in turns: %.1e", worst);

	ok(wrong_rings == 0, "a position's cell comes with its ring");

	return tap_done();
}
