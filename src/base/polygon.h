/*
 * polygon.h: polygons as they are read and written: positions in degrees.
 */
#ifndef SR_POLYGON_H
#define SR_POLYGON_H

#include "base/port.h"

/* A closed ring; xy holds longitude, latitude pairs, the last the same as the first. */
typedef struct LinearRing
{
	int32		npoints;
	const double *xy;
} LinearRing;

typedef struct Polygon
{
	int32		nrings;			/* 0: empty; the first is the shell */
	const LinearRing *rings;
} Polygon;

#endif							/* SR_POLYGON_H */
