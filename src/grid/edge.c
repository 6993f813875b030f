/*
 * edge.c: edges of polygons, and where they cross parallels and meridians.
 */
#include "grid/edge.h"

/* Ends so near to being antipodes (radians) leave open which way the edge goes. */
#define ANTIPODAL 1e-9

/* Turns from a meridian within which rounding could mistake its sides. */
#define NEAR_MERIDIAN 1e-6

/* Unit normal of the great circle through two points; false when they are the same. */
static bool
edge_normal(Vec3 a, Vec3 b, Vec3 *n)
{
	/* (a - b) x (a + b) = 2 a x b, without its cancellation for short edges */
	Vec3		d = {a.x - b.x, a.y - b.y, a.z - b.z};
	Vec3		s = {a.x + b.x, a.y + b.y, a.z + b.z};
	double		len;

	*n = cross(d, s);
	len = sqrt(dot(*n, *n));
	if (len < 1e-300)
		return false;
	n->x /= len;
	n->y /= len;
	n->z /= len;
	return true;
}

/*
 * The point of an edge's great circle that is farthest north or south, and its
 * tangent of latitude; that is no less than the edge's ends have, whatever rounding
 * makes of it.
 */
static void
find_turning_point(const Edge *e, bool north, Vec3 *m, double *tan)
{
	double		sign = north ? 1.0 : -1.0;

	m->x = -sign * e->n.z * e->n.x / e->nxy;
	m->y = -sign * e->n.z * e->n.y / e->nxy;
	m->z = sign * e->nxy;
	*tan = sign * e->nxy / Max(1e-300, fabs(e->n.z));
	if (north)
	{
		m->z = Max(m->z, Max(e->a.z, e->b.z));
		*tan = Max(*tan, Max(e->tan1, e->tan2));
	}
	else
	{
		m->z = Min(m->z, Min(e->a.z, e->b.z));
		*tan = Min(*tan, Min(e->tan1, e->tan2));
	}
}

/*
 * Takes an edge from ends, longitude, latitude, longitude, latitude in degrees and
 * the same as unit vectors a and b, to the sphere. Returns how many edges that rise
 * or fall it makes: 0 when its ends are the same, 1 or 2, or EDGE_ANTIPODAL.
 */
int
sr_edge_make(const double *ends, Vec3 a, Vec3 b, Edge out[2])
{
	Edge	   *e = &out[0];
	Vec3		sum = {a.x + b.x, a.y + b.y, a.z + b.z};
	double		rise1,
				rise2;
	Vec3		turning;
	double		turning_tan;
	double		turning_turn;

	if (a.x == b.x && a.y == b.y && a.z == b.z)
		return 0;
	if (dot(sum, sum) < ANTIPODAL * ANTIPODAL)
		return EDGE_ANTIPODAL;
	if (!edge_normal(a, b, &e->n))
		return 0;
	e->a = a;
	e->b = b;
	e->tan1 = tan_of(a);
	e->tan2 = tan_of(b);
	/* a pole has every longitude: it takes that of the edge's other end */
	e->turn1 = sr_lon_turn(fabs(ends[1]) == 90.0 ? ends[2] : ends[0]);
	e->turn2 = sr_lon_turn(fabs(ends[3]) == 90.0 ? ends[0] : ends[2]);
	e->dlon = sr_turn_diff(e->turn2, e->turn1);
	e->nxy = sqrt(e->n.x * e->n.x + e->n.y * e->n.y);
	e->axis = sr_atan2_turn(e->n.y, e->n.x);

	/* how much it rises at its ends */
	rise1 = e->n.x * a.y - e->n.y * a.x;
	rise2 = e->n.x * b.y - e->n.y * b.x;
	if (rise1 == 0 || rise2 == 0 || (rise1 > 0) == (rise2 > 0) || e->nxy == 0)
		return 1;
	find_turning_point(e, rise1 > 0, &turning, &turning_tan);
	if (turning_tan == e->tan1 || turning_tan == e->tan2)
		return 1;

	out[1] = out[0];
	out[0].b = out[1].a = turning;
	out[0].tan2 = out[1].tan1 = turning_tan;
	if (e->n.z != 0)
	{
		turning_turn = sr_turn_wrap(e->axis + ((rise1 > 0) == (e->n.z > 0) ? 0.5 : 0.0));
		out[0].turn2 = out[1].turn1 = turning_turn;
	}
	else
	{
		/* it turns at a pole */
		out[0].turn2 = out[0].turn1;
		out[1].turn1 = out[1].turn2;
	}
	for (int k = 0; k < 2; k++)
		out[k].dlon = sr_turn_diff(out[k].turn2, out[k].turn1);
	return 2;
}

/* Does an edge cross a meridian, and if so at which tangent of latitude? */
bool
sr_edge_meets_meridian(const Edge *e, double turn, double *tan)
{
	double		from1 = sr_turn_diff(e->turn1, turn);
	double		from2 = sr_turn_diff(e->turn2, turn);
	double		s,
				c;

	if ((from1 > 0) == (from2 > 0) || fabs(from1 - from2) >= 0.5)
		return false;
	if (e->n.z == 0)
	{
		*tan = e->tan1;
		return true;
	}
	sr_sincos_deg(turn * 360.0, &s, &c);
	*tan = -(e->n.x * c + e->n.y * s) / e->n.z;
	*tan = Max(Min(e->tan1, e->tan2), Min(Max(e->tan1, e->tan2), *tan));
	return true;
}

/*
 * Where an edge crosses a parallel that it crosses: turns east of a meridian, in
 * [0, 1).
 *
 * Whoever goes down the meridian and then along the parallel must not meet an edge
 * near their corner twice, or not at all, because of rounding. So where the edge
 * crosses the meridian decides on which side of it the edge crosses the parallel.
 */
double
sr_edge_crossing(const Edge *e, double meridian, double sinlat, double coslat, double tan)
{
	/* nx cos + ny sin = -nz tan(lat); the side is the one the edge rises on */
	bool		rises = e->tan2 > e->tan1;
	double		h = e->nxy > 0 ? -e->n.z * sinlat / (coslat * e->nxy) : 0;
	double		along;
	double		turn;

	h = Max(-1.0, Min(1.0, h));
	h = (SR_PI / 2 - sr_asin(h)) / (2 * SR_PI);
	/* inside the edge, whatever the rounding; exact on meridians */
	along = sr_turn_diff(e->axis + (rises ? h : -h), e->turn1);
	along = e->dlon >= 0 ? Max(0.0, Min(e->dlon, along)) : Min(0.0, Max(e->dlon, along));
	turn = sr_turn_wrap(e->turn1 + along - meridian);

	if (turn < NEAR_MERIDIAN || turn > 1.0 - NEAR_MERIDIAN)
	{
		bool		west = sr_turn_diff(e->turn1, meridian) <= 0;
		double		meridian_tan;

		if (sr_edge_meets_meridian(e, meridian, &meridian_tan))
			west = (meridian_tan > tan) == (rises == (e->dlon > 0));
		if (west && turn < 0.5)
			turn = 1.0 - 0x1p-53;
		else if (!west && turn > 0.5)
			turn = 0.0;
	}
	return turn;
}

/*
 * Around the place where an edge crosses, or comes nearest to, a parallel: as far as
 * so many turns of longitude from there points of the parallel may be within a
 * distance (radians, small) of the edge. Not exact, but never too little.
 */
double
sr_edge_nearness(const Edge *e, double distance, double sinlat, double coslat)
{
	double		z = fabs(sinlat);
	/* cosine of latitude times sine of the angle between the two */
	double		t2 = e->nxy * e->nxy - z * z;
	double		apart;

	if (t2 >= 100.0 * distance * z && t2 >= 100.0 * distance * distance)
		return 1.2 * distance / (SR_PI * sqrt(t2));

	/* close to where the great circle turns, it is a parabola */
	apart = (Max(t2, 0.0) / Max(1e-300, 2.0 * z * coslat) + distance) / Max(1e-300, z * coslat);
	return Min(0.5, 0.5 * sqrt(apart));
}

/* Is a place on an edge? The ends of a short one do not tell it from its antipode; an edge is on the side of its middle. */
bool
sr_edge_holds(const Edge *e, const Place *place)
{
	return fabs(dot(e->n, place->v)) <= ON_EDGE &&
		dot(e->a, place->v) + dot(e->b, place->v) >= -ON_EDGE &&
		dot(cross(e->a, place->v), e->n) >= -ON_EDGE &&
		dot(cross(place->v, e->b), e->n) >= -ON_EDGE;
}

/* A place given in degrees. */
Place
sr_place_at(double lon, double lat)
{
	Place		place;

	place.v = unit_vector(lon, lat);
	sr_sincos_deg(lat, &place.v.z, &place.coslat);
	place.tan = place.v.z / Max(1e-300, place.coslat);
	place.turn = sr_lon_turn(lon);
	return place;
}

/* A place given as a unit vector. */
Place
sr_place_of(Vec3 v)
{
	Place		place;

	place.v = v;
	place.coslat = sqrt(v.x * v.x + v.y * v.y);
	place.tan = tan_of(v);
	place.turn = sr_atan2_turn(v.y, v.x);
	return place;
}
