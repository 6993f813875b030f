/*
 * What is inside of rings of any size, and how large it is, against oracles that know
 * nothing of parallels: a star is cut into lunes around its middle, in each of which
 * one edge parts the near side from the far side; the smaller side is found by counting
 * cells, and areas by fine chords on the ellipsoid.
 */
#include "grid/area.h"
#include "grid/locate.h"
#include "grid/scan.h"

#include "tap.h"

#define MAX_CORNERS 60

/* A star-shaped ring around a middle. */
typedef struct Star
{
	double		xy[2 * (MAX_CORNERS + 1)];
	LinearRing	ring;
	Vec3		normal[MAX_CORNERS];	/* of the great circle from corner i on */
	Vec3		middle;
	Vec3		east;			/* directions from the middle */
	Vec3		north;
	bool		far_side;		/* its smaller side does not hold the middle */
} Star;

static Vec3
on_sphere(double lon, double lat)
{
	double		l = lon * M_PI / 180,
				p = lat * M_PI / 180;
	Vec3		v = {cos(p) * cos(l), cos(p) * sin(l), sin(p)};

	return v;
}

/* The point at a distance and azimuth (radians) from a star's middle. */
static Vec3
star_point(const Star *s, double azimuth, double distance)
{
	Vec3		p;
	double		e = sin(distance) * sin(azimuth),
				n = sin(distance) * cos(azimuth),
				m = cos(distance);

	p.x = m * s->middle.x + e * s->east.x + n * s->north.x;
	p.y = m * s->middle.y + e * s->east.y + n * s->north.y;
	p.z = m * s->middle.z + e * s->east.z + n * s->north.z;
	return p;
}

/* A star of n corners whose distances from the middle are between two, in degrees. */
static void
make_star(Star *s, int n, double lon, double lat, double from, double to)
{
	s->middle = on_sphere(lon, lat);
	s->east = on_sphere(lon + 90, 0);
	s->north = cross(s->middle, s->east);
	s->ring.npoints = n + 1;
	s->ring.xy = s->xy;
	for (int i = 0; i < n; i++)
	{
		Vec3		p = star_point(s, 2 * M_PI * i / n, (from + (to - from) * tap_random()) * M_PI / 180);

		s->xy[2 * i] = atan2(p.y, p.x) * 180 / M_PI;
		s->xy[2 * i + 1] = asin(fmax(-1, fmin(1, p.z))) * 180 / M_PI;
	}
	s->xy[2 * n] = s->xy[0];
	s->xy[2 * n + 1] = s->xy[1];
	for (int i = 0; i < n; i++)
	{
		Vec3		normal = cross(on_sphere(s->xy[2 * i], s->xy[2 * i + 1]), on_sphere(s->xy[2 * i + 2], s->xy[2 * i + 3]));
		double		len = sqrt(dot(normal, normal));

		s->normal[i] = (Vec3) {normal.x / len, normal.y / len, normal.z / len};
	}
	s->far_side = false;
}

/* The edge of the lune that holds a point, as the normal of its great circle. */
static Vec3
lune_edge(const Star *s, Vec3 p)
{
	int			n = s->ring.npoints - 1;
	double		azimuth = atan2(dot(p, s->east), dot(p, s->north)) / (2 * M_PI);

	return s->normal[(int) floor((azimuth - floor(azimuth)) * n) % n];
}

/* Is a point on the smaller side of a star? Sets whether it is too close to an edge to say. */
static bool
in_star(const Star *s, Vec3 p, bool *close)
{
	Vec3		normal = lune_edge(s, p);
	bool		near_side = (dot(normal, p) > 0) == (dot(normal, s->middle) > 0);

	*close = *close || fabs(dot(normal, p)) < 1e-9;
	return near_side != s->far_side;
}

/* Finds the smaller side by counting centres; false when the sides are nearly equal. */
static bool
find_smaller(Star *s)
{
	const HpxGrid *grid = sr_hpx_grid(5);
	int64		inside = 0;
	bool		close = false;

	for (int64 c = 0; c < grid->ncell; c++)
	{
		double		lon,
					lat;

		sr_hpx_cell_center(grid, c, &lon, &lat);
		inside += in_star(s, on_sphere(lon, lat), &close);
	}
	s->far_side = inside > grid->ncell / 2;
	return fabs((double) inside / (double) grid->ncell - 0.5) > 0.005;
}

/* Centres on which the scan, the locator and the oracle do not agree. */
static int64
disagreements(const HpxGrid *grid, const Polygon *polygon, const Star *shell, const Star *hole, int64 *covered)
{
	unsigned char *scanned = calloc((size_t) grid->ncell, 1);
	Locator    *locator = sr_locator_new();
	SpanList	spans;
	RingFault	fault;
	int64		wrong = 0;

	sr_span_list_init(&spans);
	if (!sr_scan_polygons(grid, polygon, 1, &spans, &fault) || !sr_locator_add(locator, polygon, 1, &fault))
	{
		free(scanned);
		return grid->ncell;
	}
	sr_locator_finish(locator);
	for (int64 i = 0; i < spans.nspans; i++)
		for (int64 c = spans.spans[i].first; c <= spans.spans[i].last; c++)
			scanned[c]++;
	for (int64 c = 0; c < grid->ncell; c++)
	{
		double		lon,
					lat;
		Vec3		p;
		bool		close = false;
		bool		expected;

		sr_hpx_cell_center(grid, c, &lon, &lat);
		p = on_sphere(lon, lat);
		expected = in_star(shell, p, &close) && (hole == NULL || !in_star(hole, p, &close));
		wrong += scanned[c] > 1 || (sr_locator_find(locator, lon, lat) == 0) != scanned[c] || (!close && expected != scanned[c]);
		*covered += scanned[c];
	}
	sr_span_list_free(&spans);
	free(scanned);
	return wrong;
}

/* Area of a star on the ellipsoid by fine chords and the trapezoid rule in authalic height, square metres. */
static double
area_by_chords(const Star *s)
{
	double		sum = 0;
	const int	steps = 10000;

	for (int i = 0; i + 1 < s->ring.npoints; i++)
	{
		Vec3		a = on_sphere(s->xy[2 * i], s->xy[2 * i + 1]);
		Vec3		b = on_sphere(s->xy[2 * i + 2], s->xy[2 * i + 3]);
		double		angle = acos(fmax(-1, fmin(1, dot(a, b))));
		double		last_lon = 0,
					last_z = 0;

		for (int k = 0; k <= steps; k++)
		{
			double		u = sin(angle * (steps - k) / steps) / sin(angle);
			double		v = sin(angle * k / steps) / sin(angle);
			Vec3		p = {u * a.x + v * b.x, u * a.y + v * b.y, u * a.z + v * b.z};
			double		lon = atan2(p.y, p.x);
			double		z = hpx_authalic_z(p.z);

			if (k > 0)
				sum += remainder(lon - last_lon, 2 * M_PI) * (1 - (z + last_z) / 2);
			last_lon = lon;
			last_z = z;
		}
	}
	sum = fmod(fabs(sum), 4 * M_PI);
	return fmin(sum, 4 * M_PI - sum) * 12 * sr_hpx_cell_area(0) / (4 * M_PI);
}

int
main(void)
{
	static const double places[][2] = {
		{0, 0}, {180, 0}, {-180, 30}, {179.99, -16.5}, {0, 90}, {77, -90}, {13.4, 89.9}, {-70, -89.99},
		{45, 41.81}, {-135, -41.81}, {100, 66}, {1e-9, -1e-9}, {84.98304919, 20}, {-95.01695081, -5}
	};
	static const double sizes[][2] = {{20, 45}, {40, 60}, {50, 80}, {60, 100}, {70, 120}, {85, 95}, {100, 150}, {140, 175}};
	const int	nplaces = sizeof(places) / sizeof(places[0]);

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
	{
		int64		wrong = 0,
					covered = 0;
		int			stars = 0,
					far = 0;

		for (int i = 0; i < 3 * nplaces; i++)
		{
			Star		shell,
						hole;
			bool		random = i >= nplaces;
			double		lon = random ? 360 * tap_random() - 180 : places[i][0];
			double		lat = random ? asin(2 * tap_random() - 1) * 180 / M_PI : places[i][1];
			LinearRing	rings[2];
			Polygon		polygon = {1 + i % 2, rings};

			make_star(&shell, 3 + (int) ((MAX_CORNERS - 3) * tap_random()), lon, lat, sizes[k][0], sizes[k][1]);
			if (!find_smaller(&shell))
				continue;
			far += shell.far_side;
			make_star(&hole, 13, shell.far_side ? lon + 180 : lon, shell.far_side ? -lat : lat, 1, 15);
			rings[0] = shell.ring;
			rings[1] = hole.ring;
			wrong += disagreements(sr_hpx_grid(5), &polygon, &shell, i % 2 ? &hole : NULL, &covered);
			stars++;
		}
		ok(wrong == 0 && stars > nplaces && covered > 1000, "%d stars of %.0f to %.0f degrees, with and without holes: the smaller side is inside (%d times the far one, %lld cells)",
		   stars, sizes[k][0], sizes[k][1], far, (long long) covered);
	}

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
	{
		double		worst = 0;

		for (int i = 0; i < nplaces; i++)
		{
			Star		s;
			Polygon		polygon = {1, &s.ring};
			double		expected;

			make_star(&s, 4 + i, places[i][0] + 0.1, places[i][1] * 0.99, sizes[k][0], sizes[k][1]);
			expected = area_by_chords(&s);
			worst = fmax(worst, fabs(sr_polygon_area(&polygon) - expected) / 5.1e14);
		}
		ok(worst < 1e-8, "areas of stars of %.0f to %.0f degrees (%.1e of the Earth off)", sizes[k][0], sizes[k][1], worst);
	}

	{
		/* an octant, with a vertex at either pole, and the lune that the two make, from both sides */
		double		north[] = {-30, 0, 60, 0, 123, 90, -30, 0};
		double		south[] = {60, 0, -30, 0, -77, -90, 60, 0};
		double		lune[] = {-30, 0, 5, 90, 60, 0, 6, -90, -30, 0};
		double		around[] = {60, 0, 5, 90, -30, 0, 6, -90, 60, 0};
		LinearRing	rings[4] = {{4, north}, {4, south}, {5, lune}, {5, around}};
		double		octant = 12 * sr_hpx_cell_area(0) / 8;

		for (int i = 0; i < 4; i++)
		{
			Polygon		polygon = {1, &rings[i]};
			double		area = sr_polygon_area(&polygon);

			ok(fabs(area / (i < 2 ? octant : 2 * octant) - 1) < 1e-14, "area of %s", i == 0 ? "the octant at the north pole" : i == 1 ? "that at the south pole" : "both together");
		}
	}

	for (int order = 0; order <= 5; order++)
	{
		/* corners are centres, and edges run along the equator and meridians, through many centres */
		const HpxGrid *grid = sr_hpx_grid(order);
		int64		wrong = 0,
					missed = 0;

		for (int k = 0; k < 200; k++)
		{
			double		xy[2 * 9];
			int			n = 3 + k % 6;
			LinearRing	ring = {n + 1, xy};
			Polygon		polygon = {1, &ring};
			Locator    *locator = sr_locator_new();
			RingFault	fault;
			SpanList	spans;
			unsigned char *scanned = calloc((size_t) grid->ncell, 1);

			for (int i = 0; i < n; i++)
			{
				sr_hpx_cell_center(grid, (int64) (tap_random() * (double) grid->ncell), &xy[2 * i], &xy[2 * i + 1]);
				if (k % 3 == 1 && i > 0)
					xy[2 * i + (i % 2)] = xy[2 * i + (i % 2) - 2];
				if (k % 3 == 2 && i < 2)
					xy[2 * i + 1] = 0;
			}
			xy[2 * n] = xy[0];
			xy[2 * n + 1] = xy[1];
			sr_span_list_init(&spans);
			if (sr_locator_add(locator, &polygon, 1, &fault) != sr_scan_polygons(grid, &polygon, 1, &spans, &fault))
				wrong++;
			if (fault.error != RING_OK)
				continue;
			sr_locator_finish(locator);
			for (int64 i = 0; i < spans.nspans; i++)
				for (int64 c = spans.spans[i].first; c <= spans.spans[i].last; c++)
					scanned[c]++;
			for (int64 c = 0; c < grid->ncell; c++)
			{
				double		lon,
							lat;

				sr_hpx_cell_center(grid, c, &lon, &lat);
				wrong += (sr_locator_find(locator, lon, lat) == 0) != scanned[c];
			}
			for (int i = 0; i < n; i++)
				missed += sr_locator_find(locator, xy[2 * i], xy[2 * i + 1]) != 0;
			sr_span_list_free(&spans);
			free(scanned);
		}
		ok(wrong == 0 && missed == 0, "order %d: on boundaries, too, cells and places agree (%lld do not), and corners are covered (%lld are not)",
		   order, (long long) wrong, (long long) missed);
	}

	{
		/* what has no inside */
		double		equator[] = {0, 0, 90, 0, 180, 0, -90, 0, 0, 0};
		double		slanted[] = {0, 30, 90, 0, 180, -30, -90, 0, 0, 30};
		double		almost[] = {0, 0.01, 90, 0.01, 180, 0.01, -90, 0.01, 0, 0.01};
		double		half[] = {0, 0, 90, 50, 180, 1e-8, 90, -50, 0, 0};
		struct
		{
			const double *xy;
			int32		npoints;
			RingError	error;
			const char *what;
		}			cases[] = {
			{equator, 5, RING_EQUAL_SIDES, "the equator has equal sides"},
			{slanted, 5, RING_EQUAL_SIDES, "so has any great circle"},
			{almost, 5, RING_OK, "a parallel one kilometre north of it has not"},
			{half, 5, RING_OK, "nor has a lune of two edges almost as long as half a circle"}
		};

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		{
			LinearRing	lr = {cases[i].npoints, cases[i].xy};
			Ring		ring;
			RingFault	fault;

			ok(sr_ring_make(&ring, &lr, &fault) == (cases[i].error == RING_OK) && fault.error == cases[i].error, "%s", cases[i].what);
		}
	}

	{
		/* a ring that winds twice around a large cap is inside nowhere, and one with a loop is where even-odd has it */
		double		twice[2 * 25];
		double		eight[2 * 9] = {0, 60, 90, 60, 180, 60, -90, 60, 0, -60, 90, -60, 180, -60, -90, -60, 0, 60};
		LinearRing	rings[2] = {{25, twice}, {9, eight}};
		Polygon		polygons[2] = {{1, &rings[0]}, {1, &rings[1]}};
		SpanList	spans;
		RingFault	fault;
		int64		covered = 0;
		Locator    *locator = sr_locator_new();

		for (int i = 0; i < 25; i++)
		{
			twice[2 * i] = remainder(30.0 * i + 10, 360);
			twice[2 * i + 1] = -20 + 3 * (i % 12) / 12.0 + (i < 12 ? 0 : i < 24 ? 0.001 : 0);
		}
		sr_span_list_init(&spans);
		ok(sr_scan_polygons(sr_hpx_grid(4), &polygons[0], 1, &spans, &fault), "a ring that winds twice around");
		for (int64 i = 0; i < spans.nspans; i++)
			covered += spans.spans[i].last - spans.spans[i].first + 1;
		ok(covered < 40, "is inside between its turns (%lld cells)", (long long) covered);
		ok(sr_locator_add(locator, &polygons[1], 1, &fault), "an eight around both poles");
		sr_locator_finish(locator);
		ok(sr_locator_find(locator, 10, 80) == sr_locator_find(locator, -130, -80) && sr_locator_find(locator, 10, 80) != sr_locator_find(locator, 120, 0), "has both poles on one side, and what is between on the other");
	}
	return tap_done();
}
