/*
 * nearness.c: how far it is from a place to a ring.
 */
#include "grid/nearness.h"

#include "grid/healpix.h"

/* Edges between two checks for interrupts. */
#define INTERRUPT_EDGES 65536

/* A point of the sphere of geodetic coordinates in metres from the Earth's centre. */
static inline Vec3
on_earth(Vec3 v)
{
	double		n = SR_WGS84_A / sqrt(1.0 - SR_WGS84_E2 * v.z * v.z);
	Vec3		r = {n * v.x, n * v.y, n * (1.0 - SR_WGS84_E2) * v.z};

	return r;
}

/* A place, and what is within so many metres (at most SR_MAX_NEARNESS) of it. */
Vicinity
sr_vicinity_of(double lon, double lat, double within)
{
	Vicinity	v;
	/* a degree is nowhere shorter than of a meridian at the equator; and a little for rounding */
	double		angle = within / (SR_WGS84_A * (1.0 - SR_WGS84_E2)) * 1.001 + RING_Z_SLACK;
	double		sine = sr_sin_kernel(angle);
	double		cosine = sr_cos_kernel(angle);

	v.place = sr_place_at(lon, lat);
	v.earth = on_earth(v.place.v);
	v.gauss = SR_WGS84_A * sqrt(1.0 - SR_WGS84_E2) / (1.0 - SR_WGS84_E2 * v.place.v.z * v.place.v.z);
	v.within = within;
	v.sine = sine;
	/* beyond a pole there is no height */
	v.zlo = -v.place.v.z >= cosine ? -1.0 : v.place.v.z * cosine - v.place.coslat * sine;
	v.zhi = v.place.v.z >= cosine ? 1.0 : v.place.v.z * cosine + v.place.coslat * sine;
	v.turns = v.place.coslat <= sine ? 0.5 : sr_asin(sine / v.place.coslat) / (2 * SR_PI) + RING_Z_SLACK;
	return v;
}

/* Metres from the place to a point of the sphere of geodetic coordinates. */
static double
metres(const Vicinity *from, Vec3 to)
{
	Vec3		e = on_earth(to);
	Vec3		d = {e.x - from->earth.x, e.y - from->earth.y, e.z - from->earth.z};
	double		s = sqrt(dot(d, d)) / (2.0 * from->gauss);

	return 2.0 * from->gauss * sr_asin(s);
}

/* Metres to the nearest point of an edge; perhaps infinite when that is not within. */
static double
edge_metres(const Edge *e, const Vicinity *from)
{
	Vec3		v = from->place.v;
	double		off = dot(e->n, v);	/* sine of the angle to its great circle */

	if (fabs(off) > from->sine)
		return INFINITY;
	if (dot(cross(e->a, v), e->n) >= 0 && dot(cross(v, e->b), e->n) >= 0)
	{
		Vec3		foot = {v.x - off * e->n.x, v.y - off * e->n.y, v.z - off * e->n.z};
		double		len = sqrt(dot(foot, foot));

		foot.x /= len;
		foot.y /= len;
		foot.z /= len;
		return metres(from, foot);
	}
	return metres(from, dot(e->a, v) >= dot(e->b, v) ? e->a : e->b);
}

/* Metres from the place to the nearest point of a ring; infinite when that is not within. The ring has its index. */
double
sr_ring_nearness(const Ring *ring, const Vicinity *from)
{
	double		nearest = INFINITY;
	int32		first,
				last;

	if (ring->edges.count == 0 || from->zhi < ring->zlo - RING_Z_SLACK || from->zlo > ring->zhi + RING_Z_SLACK)
		return nearest;
	first = ring_band(ring, from->zlo);
	last = ring_band(ring, from->zhi);
	for (int64 k = ring->band_start[first]; k < ring->band_start[last + 1]; k++)
	{
		const Edge *e = &ring->edges.items[ring->band_edge[k]];
		double		d;

		if (k % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		d = edge_metres(e, from);
		if (d < nearest)
			nearest = d;
	}
	return nearest <= from->within ? nearest : INFINITY;
}
