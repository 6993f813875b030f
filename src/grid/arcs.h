/*
 * arcs.h: where the inside of a ring meets the parallels of a grid. Pure C.
 */
#ifndef SR_ARCS_H
#define SR_ARCS_H

#include "grid/healpix.h"
#include "grid/ring.h"

/*
 * Part of a parallel. Its ends are known to rounding only; near each is how far
 * around it (turns) points may be on the ring's edge.
 */
typedef struct Arc
{
	int32		parallel;		/* a ring of the grid */
	double		from;			/* turns east of RING_MERIDIAN, from < to */
	double		to;
	double		near_from;		/* 0: the arc goes on there */
	double		near_to;
} Arc;

/* Who is told about arcs, from north to south and then eastwards. */
typedef struct ArcSink
{
	void		(*arc) (void *arg, const Arc *arc);
	void	   *arg;
} ArcSink;

extern bool sr_ring_arcs(const Ring *ring, const HpxGrid *grid, const ArcSink *sink);

/* Radians from an edge in which a centre is looked at more closely: all rounding together is less. */
#define NEAR_EDGE 1e-10

#endif							/* SR_ARCS_H */
