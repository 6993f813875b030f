/*
 * vec3.h: vectors in space, for what lies on the sphere of geodetic longitude
 * and latitude. Pure C.
 */
#ifndef SR_VEC3_H
#define SR_VEC3_H

#include "base/dmath.h"

typedef struct Vec3
{
	double		x,
				y,
				z;
} Vec3;

static inline double
dot(Vec3 a, Vec3 b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline Vec3
cross(Vec3 a, Vec3 b)
{
	Vec3		r = {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};

	return r;
}

/* Unit vector of a position in degrees on the sphere of geodetic coordinates. */
static inline Vec3
unit_vector(double lon, double lat)
{
	double		s,
				c,
				sl,
				cl;
	Vec3		v;

	sr_sincos_deg(lat, &s, &c);
	sr_sincos_deg(lon, &sl, &cl);
	v.x = c * cl;
	v.y = c * sl;
	v.z = s;
	return v;
}

#endif							/* SR_VEC3_H */
