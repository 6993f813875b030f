/*
 * Discs and polygons on rings against a test of every cell's centre, one by one,
 * by methods that know nothing of rings: a chord in space for discs, the sum of
 * the angles that the edges subtend for polygons.
 */
#include "grid/disc.h"
#include "grid/scan.h"

#include <math.h>

#include "base/dmath.h"
#include "tap.h"

typedef struct Point
{
	double		x,
				y,
				z;
} Point;

static Point
on_sphere(double lon, double lat)
{
	Point		p = {
		cos(lat * M_PI / 180) * cos(lon * M_PI / 180),
		cos(lat * M_PI / 180) * sin(lon * M_PI / 180),
		sin(lat * M_PI / 180)
	};

	return p;
}

static Point
on_ellipsoid(double lon, double lat)
{
	Point		p = on_sphere(lon, lat);
	double		n = SR_WGS84_A / sqrt(1 - SR_WGS84_E2 * p.z * p.z);

	p.x *= n;
	p.y *= n;
	p.z *= n * (1 - SR_WGS84_E2);
	return p;
}

/* Does a list of spans hold a cell? Marks how often in counts. */
static void
mark(const SpanList *spans, unsigned char *counts, int64 ncell)
{
	memset(counts, 0, ncell);
	for (int64 i = 0; i < spans->nspans; i++)
		for (int64 c = spans->spans[i].first; c <= spans->spans[i].last; c++)
			counts[c] += counts[c] < 255;
}

/* Cells that a disc has and should not, or has not and should, or has twice. */
static int64
disc_errors(const HpxGrid *grid, const Disc *disc, int64 *covered)
{
	unsigned char *counts = sr_alloc(grid->ncell);
	SpanList	spans;
	Point		p0 = on_ellipsoid(disc->lon, disc->lat);
	double		s = sin(disc->lat * M_PI / 180);
	double		gauss = SR_WGS84_A * sqrt(1 - SR_WGS84_E2) / (1 - SR_WGS84_E2 * s * s);
	double		chord = 2 * gauss * sin(disc->radius / (2 * gauss));
	int64		home = sr_point_cell(grid->order, disc->lon, disc->lat);
	int64		errors = 0;

	sr_span_list_init(&spans);
	sr_scan_disc(grid, disc, &spans);
	mark(&spans, counts, grid->ncell);
	*covered = 0;
	for (int64 c = 0; c < grid->ncell; c++)
	{
		double		lon,
					lat,
					d;
		Point		p;

		sr_hpx_cell_center(grid, c, &lon, &lat);
		p = on_ellipsoid(lon, lat);
		d = sqrt((p.x - p0.x) * (p.x - p0.x) + (p.y - p0.y) * (p.y - p0.y) + (p.z - p0.z) * (p.z - p0.z));
		*covered += counts[c];
		if (counts[c] > 1 || (c == home && counts[c] == 0))
			errors++;
		else if (c != home && fabs(d - chord) > 1e-3 && (counts[c] == 1) != (d < chord))
			errors++;
	}
	sr_span_list_free(&spans);
	free(counts);
	return errors;
}

/* Winding of a closed ring around a point, in turns, by the angles its edges subtend. */
/*
 * Points that are further from the centre of their cell than 1.1 / nside, or whose disc of
 * 1.5 / nside is not taken to hold it without looking.
 */
static int64
homes_at_risk(int order, int64 npoints)
{
	const HpxGrid *grid = sr_hpx_grid(order);
	int64		errors = 0;

	for (int64 i = 0; i < npoints; i++)
	{
		/* near the poles, where cells are slanted, and elsewhere */
		double		z = i % 2 ? 2 * tap_random() - 1 : 1 - pow(tap_random(), 3) / 100;
		Disc		disc = {360 * tap_random() - 180, asin(z) * 180 / M_PI, 1.5 * SR_WGS84_A / (double) grid->nside};
		DiscScan	scan;
		Point		p = on_ellipsoid(disc.lon, disc.lat),
					q;
		double		lon,
					lat;

		sr_hpx_cell_center(grid, sr_point_cell(order, disc.lon, disc.lat), &lon, &lat);
		q = on_ellipsoid(lon, lat);
		sr_disc_prepare(grid, &disc, &scan);
		errors += scan.home_ring != 0 ||
			sqrt((p.x - q.x) * (p.x - q.x) + (p.y - q.y) * (p.y - q.y) + (p.z - q.z) * (p.z - q.z)) > 1.1 / 1.5 * disc.radius;
	}
	return errors;
}

static double
winding(const LinearRing *ring, Point p)
{
	double		sum = 0;

	for (int i = 0; i + 1 < ring->npoints; i++)
	{
		Point		a = on_sphere(ring->xy[2 * i], ring->xy[2 * i + 1]);
		Point		b = on_sphere(ring->xy[2 * i + 2], ring->xy[2 * i + 3]);
		/* tangents at p towards a and b */
		double		pa = p.x * a.x + p.y * a.y + p.z * a.z;
		double		pb = p.x * b.x + p.y * b.y + p.z * b.z;
		Point		u = {a.x - pa * p.x, a.y - pa * p.y, a.z - pa * p.z};
		Point		v = {b.x - pb * p.x, b.y - pb * p.y, b.z - pb * p.z};
		Point		w = {u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x};

		sum += atan2(w.x * p.x + w.y * p.y + w.z * p.z, u.x * v.x + u.y * v.y + u.z * v.z);
	}
	return sum / (2 * M_PI);
}

/*
 * A star-shaped ring around a centre: radius in degrees of arc, jagged. Small
 * rings have a winding of 1 around inner points and 0 around outer ones on
 * their own hemisphere.
 */
static void
star(double *xy, int n, double lon, double lat, double radius, double jag)
{
	double		sl = sin(lat * M_PI / 180),
				cl = cos(lat * M_PI / 180);

	for (int i = 0; i < n; i++)
	{
		double		a = 2 * M_PI * i / n;
		double		r = radius * (1 - jag * tap_random()) * M_PI / 180;
		double		s = sl * cos(r) + cl * sin(r) * cos(a);
		double		l = lon + atan2(sin(a) * sin(r) * cl, cos(r) - sl * s) * 180 / M_PI;

		xy[2 * i] = remainder(l, 360);
		xy[2 * i + 1] = asin(s) * 180 / M_PI;
	}
	xy[2 * n] = xy[0];
	xy[2 * n + 1] = xy[1];
}

static int64
polygon_errors(const HpxGrid *grid, const Polygon *polygon, Point centre, int64 *covered)
{
	unsigned char *counts = sr_alloc(grid->ncell);
	SpanList	spans;
	RingFault	fault;
	int64		errors = 0;

	sr_span_list_init(&spans);
	if (!sr_scan_polygons(grid, polygon, 1, &spans, &fault))
		return -1;
	mark(&spans, counts, grid->ncell);
	*covered = 0;
	for (int64 c = 0; c < grid->ncell; c++)
	{
		double		lon,
					lat;
		Point		p;
		bool		inside;

		sr_hpx_cell_center(grid, c, &lon, &lat);
		p = on_sphere(lon, lat);
		/* on the far hemisphere nothing is inside, whatever the angles say */
		inside = p.x * centre.x + p.y * centre.y + p.z * centre.z > 0;
		for (int r = 0; r < polygon->nrings; r++)
		{
			bool		in_ring = fabs(winding(&polygon->rings[r], p)) > 0.5;

			inside = inside && (r == 0 ? in_ring : !in_ring);
		}
		errors += counts[c] > 1 || inside != (counts[c] == 1);
		*covered += counts[c];
	}
	sr_span_list_free(&spans);
	free(counts);
	return errors;
}

/* A box between meridians and (bulging) great circles, edges on cell centres. */
static int64
octant_cells(const HpxGrid *grid, double west, double east)
{
	double		xy[] = {west, 0, east, 0, east, 90, west, 0};
	LinearRing	ring = {4, xy};
	Polygon		polygon = {1, &ring};
	SpanList	spans;
	RingFault	fault;
	int64		n = 0;

	sr_span_list_init(&spans);
	sr_scan_polygons(grid, &polygon, 1, &spans, &fault);
	for (int64 i = 0; i < spans.nspans; i++)
		n += spans.spans[i].last - spans.spans[i].first + 1;
	sr_span_list_free(&spans);
	return n;
}

/* Cells with centres on or inside [west, east] x [0, 90]. */
static int64
octant_centres(const HpxGrid *grid, double west, double east)
{
	int64		n = 0;

	for (int64 c = 0; c < grid->ncell; c++)
	{
		double		lon,
					lat;

		sr_hpx_cell_center(grid, c, &lon, &lat);
		lon = west + fmod(lon - west + 720, 360);
		n += lat >= 0 && lon <= east;
	}
	return n;
}

int
main(void)
{
	static const double places[][2] = {
		{0, 0}, {180, 0}, {-180, 30}, {179.99, -16.5}, {0, 90}, {77, -90}, {13.4, 89.9}, {-70, -89.99},
		{45, 41.81}, {-135, -41.81}, {100, 66}, {1e-9, -1e-9}
	};
	static const double radii[] = {1, 30000, 250000, 1000000, 2000000, 5000000};
	static const double sizes[] = {0.5, 3, 20, 60, 85};

	for (int order = 3; order <= 6; order += 3)
		for (size_t r = 0; r < sizeof(radii) / sizeof(double); r++)
		{
			const HpxGrid *grid = sr_hpx_grid(order);
			int64		errors = 0,
						covered = 0,
						n;

			for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			{
				Disc		disc = {places[i][0], places[i][1], radii[r]};

				errors += disc_errors(grid, &disc, &n);
				covered += n;
			}
			for (int i = 0; i < 20; i++)
			{
				Disc		disc = {360 * tap_random() - 180, asin(2 * tap_random() - 1) * 180 / M_PI, radii[r]};

				errors += disc_errors(grid, &disc, &n);
				covered += n;
			}
			ok(errors == 0 && covered >= 32, "order %d: discs of %.0f km hold the cells within their chord (%lld)",
			   order, radii[r] / 1000, (long long) covered);
		}

	for (int order = 1; order <= SR_MAX_ORDER; order++)
	{
		int64		errors = homes_at_risk(order, 20000);

		ok(errors == 0, "order %d: points are too near to the centre of their cell for a large disc to miss it (%lld are not)", order, (long long) errors);
	}

	for (size_t s = 0; s < sizeof(sizes) / sizeof(double); s++)
	{
		const HpxGrid *grid = sr_hpx_grid(5);
		int64		errors = 0,
					covered = 0,
					n = 0;

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		{
			double		shell[2 * 41],
						hole[2 * 14];
			LinearRing	rings[2] = {{41, shell}, {14, hole}};
			Polygon		polygon = {1 + (i % 2), rings};

			star(shell, 40, places[i][0] + 0.123, places[i][1] * 0.999, sizes[s], 0.5);
			star(hole, 13, places[i][0] + 0.123, places[i][1] * 0.999, sizes[s] / 2.5, 0.3);
			errors += polygon_errors(grid, &polygon, on_sphere(places[i][0] + 0.123, places[i][1] * 0.999), &n);
			covered += n;
		}
		ok(errors == 0, "polygons of %.1f degrees, with and without holes, at poles and the antimeridian (%lld cells)",
		   sizes[s], (long long) covered);
	}

	for (int order = 0; order <= 5; order++)
	{
		const HpxGrid *grid = sr_hpx_grid(order);

		ok(octant_cells(grid, 0, 90) == octant_centres(grid, 0, 90),
		   "order %d: centres on the edges of an octant are covered (%lld)", order,
		   (long long) octant_cells(grid, 0, 90));
		ok(octant_cells(grid, 135, 225) == octant_centres(grid, 135, 225),
		   "order %d: also across the antimeridian", order);
	}

	for (int order = 1; order <= 4; order++)
	{
		/* cells as polygons: corners on rings and on the meridians of outside points */
		const HpxGrid *grid = sr_hpx_grid(order);
		int64		wrong = 0;

		for (int64 c = 0; c < grid->ncell; c++)
		{
			static const int corner[5][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};
			double		xy[10];
			LinearRing	ring = {5, xy};
			Polygon		polygon = {1, &ring};
			SpanList	spans;
			RingFault	fault;
			int64		n = 0;
			int			face;
			int64		ix,
						iy;

			sr_hpx_cell_to_face(order, c, &face, &ix, &iy);
			for (int k = 0; k < 5; k++)
				sr_hpx_face_position(face, (double) (ix + corner[k][0]) / (double) grid->nside,
									 (double) (iy + corner[k][1]) / (double) grid->nside, &xy[2 * k], &xy[2 * k + 1]);
			sr_span_list_init(&spans);
			sr_scan_polygons(grid, &polygon, 1, &spans, &fault);
			for (int64 i = 0; i < spans.nspans; i++)
				n += spans.spans[i].last - spans.spans[i].first + 1;
			/* the cell itself, and those whose centres its corners or sides touch */
			wrong += n < 1 || n > 5;
			sr_span_list_free(&spans);
		}
		ok(wrong == 0, "order %d: the outlines of cells cover few cells each, not a ring (%lld do)", order, (long long) wrong);
	}

	{
		double		xy[] = {10, 20, -170, -20, 50, 50, 10, 20};
		LinearRing	ring = {4, xy};
		Polygon		polygon = {1, &ring};
		Polygon		empty = {0, NULL};
		SpanList	spans;
		RingFault	fault;

		sr_span_list_init(&spans);
		ok(!sr_scan_polygons(sr_hpx_grid(3), &polygon, 1, &spans, &fault) && fault.error == RING_ANTIPODAL && fault.edge[2] == -170,
		   "an edge between antipodes is reported");
		ok(sr_scan_polygons(sr_hpx_grid(3), &empty, 1, &spans, &fault) && spans.nspans == 0,
		   "an empty polygon has no cells");
	}
	return tap_done();
}
