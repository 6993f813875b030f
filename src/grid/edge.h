/*
 * edge.h: edges of polygons. They are great circles on the sphere of geodetic
 * longitude and latitude, as in PostGIS's geography. Pure C.
 */
#ifndef SR_EDGE_H
#define SR_EDGE_H

#include "grid/scan.h"
#include "base/vec3.h"

/* An edge, with what it takes to find where it crosses parallels. */
typedef struct Edge
{
	double		z1;				/* heights of its ends over the equator's plane */
	double		z2;
	double		zm;				/* where it turns from rising to falling or back, else z2 */
	Vec3		n;				/* unit normal of its great circle */
	double		nxy;			/* length of the normal's part in the equator's plane */
	double		axis;			/* longitude of that part, turns */
	double		turn1;			/* longitudes of its ends, turns */
	double		turn2;
	double		dlon;			/* from one to the other, east positive, turns */
} Edge;

typedef enum EdgeKind
{
	EDGE_ARC,
	EDGE_POINT,					/* its ends are the same, or too close to tell apart */
	EDGE_ANTIPODAL				/* no single great circle joins its ends */
} EdgeKind;

/* Does it turn, so that it may cross a parallel twice? */
#define EDGE_TURNS(e) ((e)->zm != (e)->z2)

extern EdgeKind edge_make(const double *ends, Edge *e);
extern double edge_crossing(const Edge *e, bool rising, double sinlat, double coslat);
extern bool edge_meets_meridian(const Edge *e, double turn, double *tan);
extern Vec3 point_outside(const Polygon *polygon, bool *sure);

/* Difference of two longitudes in turns, in (-1/2, 1/2]. */
static inline double
turn_diff(double a, double b)
{
	double		d = a - b;

	d -= floor(d);
	return d > 0.5 ? d - 1.0 : d;
}

#endif							/* SR_EDGE_H */
