/*
 * nearness.h: how far it is from a place to a ring. Pure C.
 *
 * The point of an edge that is nearest is sought on the sphere of geodetic longitude and
 * latitude, on which edges are great circles; the metres to it are those of the
 * geodesic on WGS84, by its chord as for discs. So nothing depends on a library, and
 * what is known of discs holds: at 1 000 km it is within some metres of the geodesic.
 */
#ifndef SR_NEARNESS_H
#define SR_NEARNESS_H

#include "grid/ring.h"

/* The farthest that is asked for, metres. */
#define SR_MAX_NEARNESS 1000000.0

/* A place, and how far from it things count. */
typedef struct Vicinity
{
	Place		place;
	Vec3		earth;			/* the place in metres from the Earth's centre */
	double		gauss;			/* Gaussian radius of curvature there, metres */
	double		within;			/* metres */
	/* on the sphere nothing that is within is beyond these */
	double		sine;			/* of the angle */
	double		zlo;			/* heights */
	double		zhi;
	double		turns;			/* longitude to either side; 1/2: all of it */
} Vicinity;

extern Vicinity sr_vicinity_of(double lon, double lat, double within);
extern double sr_ring_nearness(const Ring *ring, const Vicinity *vicinity);

#endif							/* SR_NEARNESS_H */
