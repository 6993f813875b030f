/*
 * edge.c: edges of polygons, where they cross parallels and meridians, and a
 * point that is surely outside.
 */
#include "grid/edge.h"

/* Unit normal of the great circle through two points; false when it is undefined. */
static bool
edge_normal(Vec3 a, Vec3 b, Vec3 *n)
{
	/* (a - b) x (a + b) = 2 a x b, without its cancellation for short edges */
	Vec3		d = {a.x - b.x, a.y - b.y, a.z - b.z};
	Vec3		s = {a.x + b.x, a.y + b.y, a.z + b.z};
	double		len;

	*n = cross(d, s);
	len = sqrt(dot(*n, *n));
	if (len < 1e-300 || dot(s, s) < 1e-28)
		return false;
	n->x /= len;
	n->y /= len;
	n->z /= len;
	return true;
}

/* Component of a vector by number. */
static inline double
component(Vec3 v, int axis)
{
	return axis == 0 ? v.x : axis == 1 ? v.y : v.z;
}

/* Is a point of an edge's great circle between its ends? */
static inline bool
on_arc(Vec3 a, Vec3 b, Vec3 n, Vec3 p)
{
	return dot(cross(a, p), n) >= 0 && dot(cross(p, b), n) >= 0;
}

/* Widens a geocentric box by an edge, bulge included. */
static void
box_add_edge(double lo[3], double hi[3], Vec3 a, Vec3 b)
{
	Vec3		n;

	for (int k = 0; k < 3; k++)
	{
		lo[k] = Min(lo[k], Min(component(a, k), component(b, k)));
		hi[k] = Max(hi[k], Max(component(a, k), component(b, k)));
	}
	if (!edge_normal(a, b, &n))
		return;
	for (int k = 0; k < 3; k++)
	{
		/* where the great circle reaches farthest along axis k */
		double		nk = component(n, k);
		Vec3		m = {(k == 0) - nk * n.x, (k == 1) - nk * n.y, (k == 2) - nk * n.z};
		double		len = sqrt(dot(m, m));
		Vec3		far,
					near;

		if (len < 1e-14)
			continue;
		far.x = m.x / len;
		far.y = m.y / len;
		far.z = m.z / len;
		near.x = -far.x;
		near.y = -far.y;
		near.z = -far.z;
		if (on_arc(a, b, n, far))
			hi[k] = Max(hi[k], component(far, k));
		if (on_arc(a, b, n, near))
			lo[k] = Min(lo[k], component(near, k));
	}
}

/* Is a point in a box? */
static bool
in_box(const double lo[3], const double hi[3], Vec3 p)
{
	return p.x >= lo[0] && p.x <= hi[0] && p.y >= lo[1] && p.y <= hi[1] && p.z >= lo[2] && p.z <= hi[2];
}

/*
 * A point's meridian must not run through a vertex, nor along an axis of
 * symmetry: where it met an edge on the very parallel of a ring, rounding would
 * decide on which side of the meridian the ring crosses the edge. So a point
 * outside moves a few metres, to one of these odd places east of it.
 */
#define SIDESTEPS 16
#define SIDESTEP 1.3717e-7		/* turns */

static Vec3
beside(Vec3 p, int step)
{
	double		s,
				c;
	Vec3		v = p;

	sr_sincos_deg(360.0 * SIDESTEP * step, &s, &c);
	v.x = p.x * c - p.y * s;
	v.y = p.x * s + p.y * c;
	return v;
}

/* Is no vertex of a polygon on the meridian of a point? */
static bool
meridian_is_free(const Polygon *polygon, Vec3 p)
{
	double		turn = sr_atan2_turn(p.y, p.x);

	for (int r = 0; r < polygon->nrings; r++)
		for (int i = 0; i < polygon->rings[r].npoints; i++)
		{
			if (i % 65536 == 0)
				sr_check_interrupts();
			if (fabs(turn_diff(sr_lon_turn(polygon->rings[r].xy[2 * i]), turn)) < 1e-10)
				return false;
		}
	return true;
}

/*
 * A point outside a polygon: a corner of its geocentric box, pushed outwards
 * until the sphere's point below it leaves the box, as PostGIS chooses it. The
 * box of a shell that winds around an axis is extended to that pole first. A
 * box that has all its corners inside the sphere's reach leaves none; then it is
 * the antipode of the vertices' mean, which is outside any polygon that fits
 * into a hemisphere; that it is outside is not sure then.
 */
Vec3
point_outside(const Polygon *polygon, bool *sure)
{
	static const int corner[8][3] = {
		{0, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0},
		{1, 1, 0}, {1, 0, 1}, {0, 1, 1}, {1, 1, 1}
	};
	double		lo[3] = {2, 2, 2};
	double		hi[3] = {-2, -2, -2};
	Vec3		mean = {0, 0, 0};

	*sure = true;
	for (int r = 0; r < polygon->nrings; r++)
	{
		const LinearRing *lr = &polygon->rings[r];

		for (int i = 0; i + 1 < lr->npoints; i++)
		{
			Vec3		a = unit_vector(lr->xy[2 * i], lr->xy[2 * i + 1]);
			Vec3		b = unit_vector(lr->xy[2 * i + 2], lr->xy[2 * i + 3]);

			sr_check_interrupts();
			box_add_edge(lo, hi, a, b);
			mean.x -= a.x;
			mean.y -= a.y;
			mean.z -= a.z;
		}
	}
	for (int axis = 2; axis >= 0; axis--)
	{
		int			u = (axis + 1) % 3;
		int			v = (axis + 2) % 3;

		if (lo[u] < 0 && hi[u] > 0 && lo[v] < 0 && hi[v] > 0)
		{
			if (hi[axis] > 0)
				hi[axis] = 1.0;
			if (lo[axis] < 0)
				lo[axis] = -1.0;
		}
	}
	/* one arc-minute, then twice as far until a corner is out */
	for (double grow = SR_PI / 10800; grow < SR_PI; grow *= 2)
	{
		for (int c = 0; c < 8; c++)
		{
			double		q[3];
			double		len;
			Vec3		v;

			for (int k = 0; k < 3; k++)
				q[k] = corner[c][k] ? (hi[k] < 1 ? hi[k] + grow : hi[k])
					: (lo[k] > -1 ? lo[k] - grow : lo[k]);
			len = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2]);
			if (len == 0)
				continue;
			v.x = q[0] / len;
			v.y = q[1] / len;
			v.z = q[2] / len;
			if (in_box(lo, hi, v))
				continue;
			for (int step = 1; step <= SIDESTEPS; step++)
				if (!in_box(lo, hi, beside(v, step)) && meridian_is_free(polygon, beside(v, step)))
					return beside(v, step);
			return v;
		}
	}
	*sure = false;
	for (int step = 1; step <= SIDESTEPS; step++)
		if (meridian_is_free(polygon, beside(mean, step)))
			return beside(mean, step);
	return mean;
}

/* Takes an edge's ends, lon, lat, lon, lat in degrees, to the sphere. */
EdgeKind
edge_make(const double *ends, Edge *e)
{
	double		lon1 = ends[0];
	double		lat1 = ends[1];
	double		lon2 = ends[2];
	double		lat2 = ends[3];
	Vec3		a = unit_vector(lon1, lat1);
	Vec3		b = unit_vector(lon2, lat2);
	double		nxy2,
				rise1,
				rise2;

	if (a.x == b.x && a.y == b.y && a.z == b.z)
		return EDGE_POINT;
	if (!edge_normal(a, b, &e->n))
		return dot(a, b) > 0 ? EDGE_POINT : EDGE_ANTIPODAL;
	e->z1 = a.z;
	e->z2 = e->zm = b.z;
	e->turn1 = sr_lon_turn(fabs(lat1) == 90.0 ? lon2 : lon1);
	e->turn2 = sr_lon_turn(fabs(lat2) == 90.0 ? lon1 : lon2);
	e->dlon = turn_diff(e->turn2, e->turn1);
	nxy2 = e->n.x * e->n.x + e->n.y * e->n.y;
	e->nxy = sqrt(nxy2);
	e->axis = sr_atan2_turn(e->n.y, e->n.x);
	rise1 = e->n.x * a.y - e->n.y * a.x;
	rise2 = e->n.x * b.y - e->n.y * b.x;
	if ((rise1 > 0) != (rise2 > 0) && rise1 != 0 && rise2 != 0 && nxy2 > 0)
		e->zm = rise1 > 0 ? Max(e->nxy, Max(a.z, b.z)) : Min(-e->nxy, Min(a.z, b.z));
	return EDGE_ARC;
}

/* Longitude, in turns, at which the rising or falling part of an edge crosses a parallel. */
double
edge_crossing(const Edge *e, bool rising, double sinlat, double coslat)
{
	/* nx cos + ny sin = -nz tan(lat); the side is the one the edge rises on */
	double		h = e->nxy > 0 ? -e->n.z * sinlat / (coslat * e->nxy) : 0;
	double		turn;
	double		along;

	h = Max(-1.0, Min(1.0, h));
	h = (SR_PI / 2 - sr_asin(h)) / (2 * SR_PI);
	turn = e->axis + (rising ? h : -h);
	if (fabs(e->dlon) >= 0.49)
		return turn;
	/* inside the edge, whatever the rounding; exact on meridians */
	along = turn_diff(turn, e->turn1);
	along = e->dlon >= 0 ? Max(0.0, Min(e->dlon, along)) : Min(0.0, Max(e->dlon, along));
	return e->turn1 + along;
}

/* Does an edge cross a meridian, and if so at which tangent of latitude? */
bool
edge_meets_meridian(const Edge *e, double turn, double *tan)
{
	double		from1 = turn_diff(e->turn1, turn);
	double		from2 = turn_diff(e->turn2, turn);
	double		s,
				c;

	if ((from1 > 0) == (from2 > 0) || fabs(from1 - from2) >= 0.5 || e->n.z == 0)
		return false;
	sr_sincos_deg(turn * 360.0, &s, &c);
	*tan = -(e->n.x * c + e->n.y * s) / e->n.z;
	return true;
}
