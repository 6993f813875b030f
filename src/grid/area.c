/*
 * area.c: areas of polygons whose edges are great circles on the sphere of geodetic
 * longitude and latitude, as everywhere here, in closed form.
 *
 * With z the sine of authalic latitude, the area north of an edge is the integral of
 * 1 - z over longitude. z is a series in s = sin(latitude), sum of c_k s^(2k + 1)
 * (healpix.c). Along a great circle with normal n, dlon = n_z du / (1 - s^2), u being
 * the length along it, so that
 *
 *     integral of s^(2k + 1) dlon = integral of s dlon - n_z * sum over j < k of integral of s^(2j + 1) du.
 *
 * All c_k add up to 1. What remains is the integral of s over longitude, an area on
 * the sphere that has a closed form, and small multiples of integrals of odd powers
 * of a sine.
 */
#include "grid/area.h"

#include "base/vec3.h"
#include "grid/healpix.h"

/* Points between two checks for interrupts. */
#define INTERRUPT_POINTS 65536

/* Sums of c_k over k > j, for j = 0, 1, ... */
static const double rest[5] = {
	0.004469911563383121, 2.694042764065211e-05, 1.717842795512663e-07, 1.1181171895685012e-09, 7.349273435374312e-12
};

/* Integral of s = sin(latitude) over longitude along an edge: the area on the sphere between it and the equator. */
static double
sphere_below(double lat1, double lat2, double dlon)
{
	double		s_mean,
				c_mean,
				s_half,
				c_half,
				s_lon,
				c_lon;
	double		y,
				x,
				half;

	sr_sincos_deg((lat1 + lat2) / 2, &s_mean, &c_mean);
	sr_sincos_deg((lat1 - lat2) / 2, &s_half, &c_half);
	sr_sincos_deg(180.0 * dlon, &s_lon, &c_lon);
	y = s_lon * s_mean;
	x = c_lon * c_half;
	half = 2 * SR_PI * sr_atan2_turn(fabs(y), x);
	return y < 0 ? -2.0 * half : 2.0 * half;
}

/* Sum over j of rest[j] times the integral of s^(2j + 1) along the length of an edge. */
static double
ellipsoid_correction(Vec3 a, Vec3 b, Vec3 n)
{
	double		rise1 = n.x * a.y - n.y * a.x;
	double		rise2 = n.x * b.y - n.y * b.x;
	double		sa = a.z * a.z;
	double		sb = b.z * b.z;
	double		steepest = n.x * n.x + n.y * n.y;
	double		integral = rise1 - rise2;
	double		sum = rest[0] * integral;

	for (int j = 1; j < 5; j++)
	{
		int			m = 2 * j + 1;

		rise1 *= sa;
		rise2 *= sb;
		integral = (rise1 - rise2 + (m - 1) * steepest * integral) / m;
		sum += rest[j] * integral;
	}
	return sum;
}

/*
 * Area of the smaller side of a ring, in steradians of the authalic sphere. Of a
 * ring that crosses itself the loops count with the sign of their direction.
 */
static double
ring_area(const LinearRing *ring)
{
	double		sum = 0;
	double		last_turn = 0;	/* longitude at which the last edge ended */
	bool		begun = false;
	double		first_turn = 0;
	double		first_lat = 0;

	for (int32 i = 0; i + 1 < ring->npoints; i++)
	{
		const double *p = &ring->xy[2 * (size_t) i];
		Vec3		a = unit_vector(p[0], p[1]);
		Vec3		b = unit_vector(p[2], p[3]);
		Vec3		d = {a.x - b.x, a.y - b.y, a.z - b.z};
		Vec3		s = {a.x + b.x, a.y + b.y, a.z + b.z};
		Vec3		n = cross(d, s);
		double		len = sqrt(dot(n, n));
		double		turn1 = sr_lon_turn(fabs(p[1]) == 90.0 ? p[2] : p[0]);
		double		turn2 = sr_lon_turn(fabs(p[3]) == 90.0 ? p[0] : p[2]);
		double		dlon;

		if (i % INTERRUPT_POINTS == 0)
			sr_check_interrupts();
		if (len < 1e-300)
			continue;
		n.x /= len;
		n.y /= len;
		n.z /= len;
		/* at the southern pole, where longitude turns on the spot, all of a lune is north of it */
		if (begun && p[1] == -90.0)
			sum += 4 * SR_PI * sr_turn_diff(turn1, last_turn);
		if (!begun)
		{
			first_turn = turn1;
			first_lat = p[1];
			begun = true;
		}
		dlon = sr_turn_diff(turn2, turn1);
		sum += 2 * SR_PI * dlon - sphere_below(p[1], p[3], dlon) + n.z * ellipsoid_correction(a, b, n);
		last_turn = turn2;
	}
	if (begun && first_lat == -90.0)
		sum += 4 * SR_PI * sr_turn_diff(first_turn, last_turn);
	sum = fabs(sum);
	sum -= 4 * SR_PI * floor(sum / (4 * SR_PI));
	return Min(sum, 4 * SR_PI - sum);
}

/* Area of a polygon in square metres: of its shell less its holes. */
double
sr_polygon_area(const Polygon *polygon)
{
	double		area = 0;

	for (int32 r = 0; r < polygon->nrings; r++)
	{
		double		ring = ring_area(&polygon->rings[r]);

		area += r == 0 ? ring : -ring;
	}
	/* twelve cells of order 0 are the ellipsoid */
	return Max(0.0, area) * 12.0 * sr_hpx_cell_area(0) / (4.0 * SR_PI);
}
