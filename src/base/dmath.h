/*
 * dmath.h: the few transcendental functions the grid needs, built from
 * + - * / and sqrt only, which IEEE 754 rounds the same way everywhere. A libm
 * may change its last bit with its version or the machine's vector width, and
 * a changed bit can move a cell in or out of a disc.
 *
 * Angles are degrees where people give them and turns (1 turn = 360 degrees)
 * where rings need them.
 */
#ifndef SR_DMATH_H
#define SR_DMATH_H

#include <math.h>

#include "base/port.h"

#define SR_PI 3.14159265358979323846
#define SR_DEGREE (SR_PI / 180.0)

/* sin of x in [0, pi/4], Taylor series: the first omitted term is below 2^-60. */
static inline double
sr_sin_kernel(double x)
{
	double		t = x * x;
	double		s = -1.0 / 121645100408832000.0;

	s = s * t + 1.0 / 355687428096000.0;
	s = s * t - 1.0 / 1307674368000.0;
	s = s * t + 1.0 / 6227020800.0;
	s = s * t - 1.0 / 39916800.0;
	s = s * t + 1.0 / 362880.0;
	s = s * t - 1.0 / 5040.0;
	s = s * t + 1.0 / 120.0;
	s = s * t - 1.0 / 6.0;
	return x + x * (t * s);
}

/* cos of x in [0, pi/4], Taylor series. */
static inline double
sr_cos_kernel(double x)
{
	double		t = x * x;
	double		s = 1.0 / 6402373705728000.0;

	s = -s * t + 1.0 / 20922789888000.0;
	s = s * t - 1.0 / 87178291200.0;
	s = s * t + 1.0 / 479001600.0;
	s = s * t - 1.0 / 3628800.0;
	s = s * t + 1.0 / 40320.0;
	s = s * t - 1.0 / 720.0;
	s = s * t + 1.0 / 24.0;
	s = s * t - 0.5;
	return 1.0 + t * s;
}

/* Angles below this, degrees, are 0: products of their sines would be, and points that differ by so little would be neither the same nor different. */
#define SMALLEST_ANGLE 1e-100

/*
 * sin and cos of an angle in degrees. The reduction to an octant is exact, so
 * poles and quadrants come out exact too.
 */
static inline void
sr_sincos_deg(double deg, double *sn, double *cs)
{
	double		a = fabs(deg) < 360.0 ? fabs(deg) : fmod(fabs(deg), 360.0);
	int			quadrant = (int) (a / 90.0);
	double		r = a < SMALLEST_ANGLE ? 0.0 : a - 90.0 * quadrant;
	double		s,
				c;

	if (r <= 45.0)
	{
		s = sr_sin_kernel(r * SR_DEGREE);
		c = sr_cos_kernel(r * SR_DEGREE);
	}
	else
	{
		s = sr_cos_kernel((90.0 - r) * SR_DEGREE);
		c = sr_sin_kernel((90.0 - r) * SR_DEGREE);
	}
	switch (quadrant & 3)
	{
		case 0:
			*sn = s;
			*cs = c;
			break;
		case 1:
			*sn = c;
			*cs = -s;
			break;
		case 2:
			*sn = -s;
			*cs = -c;
			break;
		default:
			*sn = -c;
			*cs = s;
			break;
	}
	if (deg < 0)
		*sn = -*sn;
}

/*
 * The same bits for an angle of less than half a turn, without branches, for loops
 * that are to become vector code.
 */
static inline __attribute__((always_inline)) void
sr_sincos_half_turn(double deg, double *sn, double *cs)
{
	double		a = fabs(deg);
	bool		second = a >= 90.0;
	double		r = second ? a - 90.0 : a;
	bool		low = r <= 45.0;
	double		x = (low ? r : 90.0 - r) * SR_DEGREE;
	double		sx = sr_sin_kernel(x);
	double		cx = sr_cos_kernel(x);
	double		s = low ? sx : cx;
	double		c = low ? cx : sx;
	double		up = second ? c : s;

	*cs = second ? -s : c;
	*sn = deg < 0 ? -up : up;
}

/*
 * asin(sqrt(t)) / sqrt(t) for t in [0, 1/2]: interpolation at Chebyshev nodes,
 * relative error below 1e-15.
 */
static inline double
sr_asin_kernel(double t)
{
	static const double c[17] = {
	1.0000000000000004,
	0.1666666666661266,
	0.07500000010326971,
	0.044642849352792925,
	0.03038225261078325,
	0.02236479278135831,
	0.017468338476864537,
	0.01271115458012856,
	0.021272381973439548,
	-0.045216406151762055,
	0.23748842691861086,
	-0.6963313293396542,
	1.582877152468858,
	-2.5068911979542188,
	2.7170663464162557,
	-1.7870148645071302,
	0.5621827313559765,
	};
	double		p = c[16];

	for (int i = 15; i >= 0; i--)
		p = p * t + c[i];
	return p;
}

/* The same for t in [0, SR_ASIN_NARROW], with less work. */
#define SR_ASIN_NARROW (1.0 / 32)

static inline double
sr_asin_kernel_narrow(double t)
{
	double		p = 0.01896793747150465;

	p = p * t + 0.02230149995430137;
	p = p * t + 0.03038346294715864;
	p = p * t + 0.04464284045519769;
	p = p * t + 0.07500000008714983;
	p = p * t + 0.1666666666664962;
	p = p * t + 1.0;
	return p;
}

/* asin(sqrt(t)) in radians, t in [0, 1]; the square is what a chord gives. */
static inline double
sr_asin_sqrt(double t)
{
	bool		low = t <= 0.5;
	double		u = low ? t : 1.0 - t;
	double		r = sqrt(u) * sr_asin_kernel(u);

	return low ? r : SR_PI / 2 - r;
}

/* asin in radians for x in [-1, 1]; beyond, the nearer end. */
static inline double
sr_asin(double x)
{
	double		a = fabs(x);
	double		r;

	if (a >= 1.0)
		r = SR_PI / 2;
	else if (a * a <= 0.5)
		r = a * sr_asin_kernel(a * a);
	else
		r = SR_PI / 2 - sr_asin_sqrt((1.0 - a) * (1.0 + a));
	return x < 0 ? -r : r;
}

/* atan2 in turns, in [0, 1); (0, 0) gives 0. */
static inline double
sr_atan2_turn(double y, double x)
{
	double		ax = fabs(x);
	double		ay = fabs(y);
	double		r2 = ax * ax + ay * ay;
	double		a;

	if (r2 == 0.0)
		return 0.0;
	a = ay <= ax ? sr_asin_sqrt(ay * ay / r2) : SR_PI / 2 - sr_asin_sqrt(ax * ax / r2);
	a /= 2 * SR_PI;
	if (x < 0)
		a = 0.5 - a;
	if (y < 0)
		a = 1.0 - a;
	return a >= 1.0 ? 0.0 : a;
}

/* ---------- longitudes go around ---------- */

/* A number of turns without its whole ones: in [0, 1). */
static inline double
sr_turn_wrap(double turn)
{
	turn -= floor(turn);
	/* a hair below a whole turn is rounded up to it */
	return turn >= 1.0 ? 0.0 : turn;
}

/* From one longitude to another the shorter way, east positive: turns in (-1/2, 1/2]. */
static inline double
sr_turn_diff(double to, double from)
{
	double		d = to - from;

	d -= floor(d);
	return d > 0.5 ? d - 1.0 : d;
}

/* A longitude in degrees as turns in [0, 1). */
static inline double
sr_lon_turn(double lon)
{
	return sr_turn_wrap(lon / 360.0);
}

/* A longitude of turns in [0, 1] in degrees, in (-180, 180]. */
static inline double
sr_turn_lon(double turn)
{
	double		lon = turn * 360.0;

	return lon > 180.0 ? lon - 360.0 : lon;
}

#endif							/* SR_DMATH_H */
