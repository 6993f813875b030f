/*
 * edge.h: edges of polygons. They are great circles on the sphere of geodetic
 * longitude and latitude, as in PostGIS's geography. Pure C.
 *
 * An edge that turns from rising to falling, or back, is taken apart where it does:
 * what is called an edge here only rises or only falls.
 */
#ifndef SR_EDGE_H
#define SR_EDGE_H

#include "base/vec3.h"

/*
 * A place this near to an edge is on it: radians, 6 micrometres. Rounding is a
 * thousand times finer, so that it never tells a place that is meant to be on a
 * boundary from one that is.
 */
#define ON_EDGE 1e-12

typedef struct Edge
{
	Vec3		a;				/* its ends */
	Vec3		b;
	double		tan1;			/* tangents of their latitudes */
	double		tan2;
	double		turn1;			/* their longitudes */
	double		turn2;
	double		dlon;			/* from one to the other, east positive, turns */
	Vec3		n;				/* unit normal of its great circle */
	double		nxy;			/* length of the normal's part in the equator's plane */
	double		axis;			/* longitude of that part, turns */
} Edge;

/* A place that may be inside of something. */
typedef struct Place
{
	Vec3		v;
	double		coslat;			/* the sine is v.z */
	double		tan;			/* of latitude */
	double		turn;			/* longitude */
} Place;

/* What sr_edge_make returns when no single great circle joins the ends. */
#define EDGE_ANTIPODAL (-1)

extern int	sr_edge_make(const double *ends, Vec3 a, Vec3 b, Edge out[2]);
extern bool sr_edge_meets_meridian(const Edge *e, double turn, double *tan);
extern double sr_edge_crossing(const Edge *e, double meridian, double sinlat, double coslat, double tan);
extern double sr_edge_nearness(const Edge *e, double distance, double sinlat, double coslat);
extern bool sr_edge_holds(const Edge *e, const Place *place);

extern Place sr_place_at(double lon, double lat);
extern Place sr_place_of(Vec3 v);

/* Tangent of the latitude of a point of the sphere; at a pole a number beyond all others. */
static inline double
tan_of(Vec3 v)
{
	return v.z / Max(1e-300, sqrt(v.x * v.x + v.y * v.y));
}

/* Does an edge cross the parallel of a tangent of latitude? Half-open, so that a vertex never counts twice. */
static inline bool
edge_crosses(const Edge *e, double tan)
{
	return (e->tan1 > tan) != (e->tan2 > tan);
}

/* The heights over the equator's plane between which an edge lies. */
static inline double
edge_low(const Edge *e)
{
	return Min(e->a.z, e->b.z);
}

static inline double
edge_high(const Edge *e)
{
	return Max(e->a.z, e->b.z);
}

#endif							/* SR_EDGE_H */
