/*
 * Which region covers a point, against the scan of cells: at the centre of a
 * cell both must say the same. Which is nearest, against many points of all boundaries.
 */
#include "grid/locate.h"
#include "grid/scan.h"

#include <math.h>

#include "base/dmath.h"
#include "tap.h"

/* A jagged ring around a centre, radius in degrees of arc. */
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

/* Regions of one polygon each, and what the scan of cells says of them. */
typedef struct World
{
	const HpxGrid *grid;
	Locator    *locator;
	int32	   *owner;			/* by cell: the first region that covers its centre, -1: none */
	int32		nregions;
} World;

static World
new_world(int order)
{
	World		w = {sr_hpx_grid(order), sr_locator_new(), NULL, 0};

	w.owner = sr_alloc((size_t) w.grid->ncell * sizeof(int32));
	for (int64 c = 0; c < w.grid->ncell; c++)
		w.owner[c] = -1;
	return w;
}

static void
add_region(World *w, const Polygon *polygon)
{
	SpanList	spans;
	RingFault	fault;

	sr_locator_add(w->locator, polygon, 1, &fault);
	sr_span_list_init(&spans);
	sr_scan_polygons(w->grid, polygon, 1, &spans, &fault);
	for (int64 i = 0; i < spans.nspans; i++)
		for (int64 c = spans.spans[i].first; c <= spans.spans[i].last; c++)
			if (w->owner[c] < 0)
				w->owner[c] = w->nregions;
	sr_span_list_free(&spans);
	w->nregions++;
}

/* Cells whose centre the locator gives to another region. */
static int64
differences(const World *w, int64 *covered)
{
	int64		wrong = 0;

	*covered = 0;
	for (int64 c = 0; c < w->grid->ncell; c++)
	{
		double		lon,
					lat;
		int32		found;

		sr_hpx_cell_center(w->grid, c, &lon, &lat);
		found = sr_locator_find(w->locator, lon, lat);
		*covered += found >= 0;
		wrong += found != w->owner[c];
	}
	return wrong;
}

#define STARS 300
#define CORNERS 12
#define STEPS 200				/* points of an edge */

/* Metres from the Earth's centre. */
static void
earth(const double *v, double *out)
{
	double		n = 6378137 / sqrt(1 - 0.00669437999014132 * v[2] * v[2]);

	out[0] = n * v[0];
	out[1] = n * v[1];
	out[2] = n * 0.99330562000985868 * v[2];
}

/* A point of the sphere. */
static void
on_sphere(double lon, double lat, double *v)
{
	v[0] = cos(lat * M_PI / 180) * cos(lon * M_PI / 180);
	v[1] = cos(lat * M_PI / 180) * sin(lon * M_PI / 180);
	v[2] = sin(lat * M_PI / 180);
}

/* The chord from a place to the nearest of many points of a ring. */
static double
sampled_chord(const LinearRing *ring, double lon, double lat)
{
	double		place[3],
				from[3],
				least = INFINITY;

	on_sphere(lon, lat, place);
	earth(place, from);
	for (int i = 0; i + 1 < ring->npoints; i++)
	{
		double		a[3],
					b[3];

		on_sphere(ring->xy[2 * i], ring->xy[2 * i + 1], a);
		on_sphere(ring->xy[2 * i + 2], ring->xy[2 * i + 3], b);
		for (int k = 0; k <= STEPS; k++)
		{
			double		v[3],
						at[3],
						length = 0,
						d2 = 0;

			for (int c = 0; c < 3; c++)
			{
				v[c] = a[c] + (b[c] - a[c]) * k / STEPS;
				length += v[c] * v[c];
			}
			for (int c = 0; c < 3; c++)
				v[c] /= sqrt(length);
			earth(v, at);
			for (int c = 0; c < 3; c++)
				d2 += (at[c] - from[c]) * (at[c] - from[c]);
			least = fmin(least, sqrt(d2));
		}
	}
	return least;
}

/* Which region is nearest, against many points of boundaries that lie all over the Earth, at poles too. */
static void
check_nearest(double within)
{
	static double shells[STARS][2 * (CORNERS + 1)];
	static LinearRing rings[STARS];
	Locator    *locator = sr_locator_new();
	int			found = 0,
				none = 0,
				wrong = 0;

	for (int i = 0; i < STARS; i++)
	{
		RingFault	fault;
		Polygon		polygon = {1, &rings[i]};

		star(shells[i], CORNERS, 360 * tap_random() - 180, i == 0 ? 90 : i == 1 ? -90 : asin(2 * tap_random() - 1) * 180 / M_PI, 2, 0.6);
		rings[i].npoints = CORNERS + 1;
		rings[i].xy = shells[i];
		sr_locator_add(locator, &polygon, 1, &fault);
	}
	sr_locator_finish(locator);
	for (int i = 0; i < 400; i++)
	{
		double		lon = 360 * tap_random() - 180;
		double		lat = i % 10 == 0 ? (i % 20 == 0 ? 90 : -90) * (1 - 0.05 * tap_random()) : asin(2 * tap_random() - 1) * 180 / M_PI;
		double		least = INFINITY,
					ours = INFINITY;
		int32		region;

		if (sr_locator_find(locator, lon, lat) >= 0)
			continue;
		region = sr_locator_nearest(locator, lon, lat, within);
		for (int s = 0; s < STARS; s++)
		{
			double		chord = sampled_chord(&rings[s], lon, lat);

			least = fmin(least, chord);
			if (s == region)
				ours = chord;
		}
		/* points are some kilometres apart, and a chord is a little shorter than the way */
		if (region < 0)
		{
			none++;
			wrong += least < within * 0.996 - 3000;
		}
		else
		{
			found++;
			wrong += ours > least + 3000 || ours > within + 3000;
		}
	}
	ok(wrong == 0 && found > 10 && (none > 10 || within > 500000), "the nearest of %d regions within %.0f km (%d found, %d not)", STARS, within / 1000, found, none);
}

int
main(void)
{
	static const double sizes[] = {1, 5, 20, 40, 75};
	static const double places[][2] = {
		{0, 0}, {180, 0}, {-180, 30}, {179.99, -16.5}, {0, 90}, {77, -90}, {13.4, 89.9}, {-70, -89.99},
		{45, 41.81}, {-135, -41.81}, {100, 66}, {1e-9, -1e-9}
	};
	int64		covered,
				wrong;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(double); s++)
		for (int holes = 0; holes <= 3; holes++)
		{
			World		w = new_world(sizes[s] < 3 ? 7 : 5);

			for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			{
				double		shell[2 * 41],
							hole[3][2 * 14];
				LinearRing	rings[4] = {{41, shell}, {14, hole[0]}, {14, hole[1]}, {14, hole[2]}};
				Polygon		polygon = {1 + holes, rings};
				double		lon = places[i][0] + 0.123,
							lat = places[i][1] * 0.999;

				star(shell, 40, lon, lat, sizes[s], 0.5);
				for (int h = 0; h < 3; h++)
					star(hole[h], 13, lon, lat, sizes[s] / (2.5 + h), 0.3);
				add_region(&w, &polygon);
			}
			sr_locator_finish(w.locator);
			wrong = differences(&w, &covered);
			ok(wrong == 0 && covered > 50, "12 overlapping regions of %.1f degrees with %d holes, at poles and the antimeridian (%lld cells)",
			   sizes[s], holes, (long long) covered);
		}

	{
		/* the whole sphere in two thousand scattered regions: more than one wins a bin */
		World		w = new_world(6);

		for (int i = 0; i < 2000; i++)
		{
			double		shell[2 * 13];
			LinearRing	ring = {13, shell};
			Polygon		polygon = {1, &ring};

			star(shell, 12, 360 * tap_random() - 180, asin(2 * tap_random() - 1) * 180 / M_PI, 1 + 7 * tap_random(), 0.6);
			add_region(&w, &polygon);
		}
		sr_locator_finish(w.locator);
		wrong = differences(&w, &covered);
		ok(wrong == 0, "2000 regions all over the Earth (%lld cells)", (long long) covered);
	}

	{
		/* lines to and fro between two parallels, in few bands, and edges that turn far from their ends */
		static double zigzag[2 * 402];
		double		arc[] = {-80, 50, 80, 50, 80, 40, -80, 40, -80, 50};
		LinearRing	rings[2] = {{402, zigzag}, {5, arc}};
		Polygon		polygons[2] = {{1, &rings[0]}, {1, &rings[1]}};
		World		w = new_world(6);

		for (int i = 0; i < 400; i++)
		{
			zigzag[2 * i] = -100 + 0.5 * (i < 200 ? i : 399 - i) + (i < 200 ? 0 : 0.2);
			zigzag[2 * i + 1] = i % 2 ? (i < 200 ? 60.5 : -60.5) : 0.3 * (i < 200 ? 1 : -1);
		}
		zigzag[800] = zigzag[0];
		zigzag[801] = zigzag[1];
		rings[0].npoints = 401;
		add_region(&w, &polygons[0]);
		add_region(&w, &polygons[1]);
		sr_locator_finish(w.locator);
		wrong = differences(&w, &covered);
		ok(wrong == 0 && covered > 5000, "edges to and fro, and edges that bulge (%lld cells)", (long long) covered);
	}

	{
		/* a point on an edge, on a vertex, on the longer way around an edge's great circle, and beside them */
		double		box[] = {10, -10, 30, -10, 30, 10, 10, 10, 10, -10};
		double		flat[] = {50, 0, 70, 0, 60, 20, 50, 0};
		LinearRing	rings[2] = {{5, box}, {4, flat}};
		Polygon		polygons[2] = {{1, &rings[0]}, {1, &rings[1]}};
		Locator    *locator = sr_locator_new();
		RingFault	fault;

		sr_locator_add(locator, &polygons[0], 1, &fault);
		sr_locator_add(locator, &polygons[1], 1, &fault);
		sr_locator_finish(locator);
		ok(sr_locator_find(locator, 61, 0) == 1 && sr_locator_find(locator, 50, 0) == 1, "an edge along the equator is covered, and its end");
		ok(sr_locator_find(locator, 61, 1e-9) == 1 && sr_locator_find(locator, 61, -1e-9) == -1, "a tenth of a millimetre inside is, and outside is not");
		ok(sr_locator_find(locator, 10, 5) == 0 && sr_locator_find(locator, 30, -3) == 0 && sr_locator_find(locator, 30, 10) == 0, "meridian edges and vertices are covered");
		ok(sr_locator_find(locator, 10 + 1e-9, 5) == 0 && sr_locator_find(locator, 10 - 1e-9, 5) == -1, "a tenth of a millimetre inside is, and outside is not");
		ok(sr_locator_find(locator, -170, 5) == -1, "the far side of the edge's great circle is outside");
		ok(sr_locator_find(locator, 10, 50) == -1 && sr_locator_find(locator, 10, -50) == -1, "so is the meridian beyond the edge");
		ok(sr_locator_find(locator, 20, 10.1) == 0, "a northern edge bulges");
		ok(sr_locator_find(locator, 380, 0) == 0, "longitudes go around");
	}

	{
		double		antipodal[] = {10, 20, -170, -20, 50, 50, 10, 20};
		double		box[] = {10, -10, 30, -10, 30, 10, 10, 10, 10, -10};
		double		point[] = {5, 5, 5, 5, 5, 5, 5, 5};
		LinearRing	rings[3] = {{4, antipodal}, {5, box}, {4, point}};
		Polygon		polygons[3] = {{0, NULL}, {1, &rings[2]}, {1, &rings[1]}};
		Polygon		parts[2] = {{1, &rings[1]}, {1, &rings[0]}};
		Locator    *locator = sr_locator_new();
		RingFault	fault;

		for (int i = 0; i < 3; i++)
			sr_locator_add(locator, &polygons[i], 1, &fault);
		sr_locator_finish(locator);
		ok(sr_locator_find(locator, 20, 0) == 2 && sr_locator_find(locator, 5, 5) == -1, "an empty region and a point cover nothing");
		locator = sr_locator_new();
		ok(!sr_locator_add(locator, parts, 2, &fault) && fault.error == RING_ANTIPODAL && fault.edge[0] == 10 && fault.edge[3] == -20, "an undefined edge in any part is reported");
		locator = sr_locator_new();
		sr_locator_finish(locator);
		ok(sr_locator_find(locator, 20, 0) == -1, "of no regions none covers a point");
	}
	check_nearest(1000000);
	check_nearest(200000);
	return tap_done();
}
