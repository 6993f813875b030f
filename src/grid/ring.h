/*
 * ring.h: what is inside of a closed ring on the sphere. This is the one rule that
 * scans of regions, searches among regions and areas follow. Pure C.
 *
 * A ring has two sides, told apart by even-odd; the one of smaller area is its inside,
 * and what lies on the ring counts as inside. A polygon covers what is in its shell
 * and not in an odd number of its holes, a region what any of its polygons covers.
 * So a ring says nothing where its sides are equal, or where an edge joins antipodes.
 */
#ifndef SR_RING_H
#define SR_RING_H

#include "base/array.h"
#include "base/polygon.h"
#include "grid/edge.h"

/*
 * Longitude, in turns, from which crossings are counted along parallels. Any will do;
 * this one meets no centre of a cell and hardly a vertex.
 */
#define RING_MERIDIAN 0.23606797749978969

/* Why a polygon says nothing. */
typedef enum RingError
{
	RING_OK,
	RING_ANTIPODAL,				/* an edge joins antipodes */
	RING_EQUAL_SIDES,			/* so nearly that it is not known which is smaller */
	RING_TOO_COMPLEX			/* its edges meet parallels more than RING_MAX_CROSSINGS times */
} RingError;

/* Keeps the memory for a region below a gigabyte or so. */
#define RING_MAX_CROSSINGS (INT64_C(1) << 24)

/* What is wrong with a polygon, and where: an edge, or twice a vertex, in degrees. */
typedef struct RingFault
{
	RingError	error;
	double		edge[4];
} RingFault;

/* Sides of a ring with an area this near to half the sphere (as its part) count as equal. */
#define RING_EQUAL 4e-5

typedef struct Ring
{
	SR_ARRAY(Edge) edges;
	SR_ARRAY(double) meridian;	/* tangents of latitude at which it crosses RING_MERIDIAN, ascending */
	bool		north_inside;	/* that meridian's northern end */
	double		zlo;			/* heights that the edges reach */
	double		zhi;
	/* edges by bands of height, for those who look for edges near a place; made by sr_ring_index */
	double		bands_per_z;
	int32		nbands;			/* 0: not made */
	int64	   *band_start;		/* nbands + 1 */
	int32	   *band_edge;
} Ring;

/* More than rounding makes of a height, or ON_EDGE. */
#define RING_Z_SLACK 1e-9

extern bool sr_ring_make(Ring *ring, const LinearRing *lr, RingFault *fault);
extern void sr_ring_index(Ring *ring);
extern bool sr_ring_covers(const Ring *ring, const Place *place);
extern void sr_ring_free(Ring *ring);

/* The band of a height. */
static inline int32
ring_band(const Ring *ring, double z)
{
	double		band = floor((z - ring->zlo + RING_Z_SLACK) * ring->bands_per_z);

	return band < 0 ? 0 : band >= ring->nbands ? ring->nbands - 1 : (int32) band;
}

/* The southern end of RING_MERIDIAN. */
static inline bool
ring_south_inside(const Ring *ring)
{
	return ring->north_inside != (ring->meridian.count % 2 != 0);
}

#endif							/* SR_RING_H */
