/*
 * arcs.c: where the inside of a ring meets the parallels of a grid.
 *
 * From the northern end of one meridian inside and outside are followed from
 * parallel to parallel; along a parallel they change at every crossing.
 */
#include "grid/arcs.h"

#include "base/sort.h"

/* Where a parallel is crossed. */
typedef struct Crossing
{
	double		turn;			/* east of RING_MERIDIAN, [0, 1) */
	int32		parallel;
	float		near;			/* turns around it in which points may be on the edge */
} Crossing;

typedef SR_ARRAY(Crossing) Crossings;

/* Crossings between two checks for interrupts. */
#define INTERRUPT_ITEMS 16384

static int
compare_crossings(const void *a, const void *b)
{
	const Crossing *x = a;
	const Crossing *y = b;

	if (x->parallel != y->parallel)
		return x->parallel < y->parallel ? -1 : 1;
	return (x->turn > y->turn) - (x->turn < y->turn);
}

/* Records where an edge crosses parallels. */
static void
cross_parallels(const HpxGrid *grid, const Edge *e, Crossings *crossings)
{
	double		south = edge_low(e) - RING_Z_SLACK;

	for (int32 i = Max(1, sr_hpx_ring_above(grid, hpx_authalic_z(edge_high(e))) - 1); i <= grid->nring; i++)
	{
		const HpxRing *parallel = HPX_RING(grid, i);
		double		tan = parallel->sinlat / parallel->coslat;
		Crossing   *c;

		if (parallel->sinlat < south)
			break;
		if (!edge_crosses(e, tan))
			continue;
		c = sr_array_add(crossings);
		c->parallel = i;
		c->turn = sr_edge_crossing(e, RING_MERIDIAN, parallel->sinlat, parallel->coslat, tan);
		c->near = (float) (1.001 * sr_edge_nearness(e, NEAR_EDGE, parallel->sinlat, parallel->coslat));
	}
}

/* The northernmost parallel of a grid whose latitude's tangent is below a number; nring + 1 if none is. */
static int32
first_parallel_below(const HpxGrid *grid, double tan)
{
	int32		lo = 1,
				hi = grid->nring + 1;

	while (lo < hi)
	{
		int32		mid = lo + (hi - lo) / 2;

		if (tan > HPX_RING(grid, mid)->sinlat / HPX_RING(grid, mid)->coslat)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Tells the arcs of one parallel, whose crossings begin at one; inside is what its western end is. Returns where they end. */
static int64
tell_parallel(int32 parallel, bool inside, const Crossings *crossings, int64 at, const ArcSink *sink)
{
	Arc			arc = {parallel, 0, 0, 0, 0};

	for (; at < crossings->count && crossings->items[at].parallel == parallel; at++)
	{
		const Crossing *c = &crossings->items[at];

		if (at % INTERRUPT_ITEMS == 0)
			sr_check_interrupts();
		if (inside)
		{
			arc.to = c->turn;
			arc.near_to = c->near;
			sink->arc(sink->arg, &arc);
		}
		arc.from = c->turn;
		arc.near_from = c->near;
		inside = !inside;
	}
	if (inside)
	{
		arc.to = 1.0;
		arc.near_to = 0;
		sink->arc(sink->arg, &arc);
	}
	return at;
}

/* Tells a sink the arcs of a ring's inside; false when its edges meet too many parallels. */
bool
sr_ring_arcs(const Ring *ring, const HpxGrid *grid, const ArcSink *sink)
{
	Crossings	crossings = {0};
	bool		inside = ring->north_inside;
	int64		at = 0;			/* next crossing */
	int64		meridian = ring->meridian.count;	/* crossings of the meridian south of us */

	for (int64 i = 0; i < ring->edges.count; i++)
	{
		sr_check_interrupts();
		cross_parallels(grid, &ring->edges.items[i], &crossings);
		/* an edge adds one a parallel at most */
		if (crossings.count > RING_MAX_CROSSINGS)
		{
			sr_array_free(&crossings);
			return false;
		}
	}
	sr_array_sort(&crossings, compare_crossings);

	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *parallel;
		double		tan;

		sr_check_interrupts();
		if (!inside)
		{
			/* on to the next parallel where something begins */
			int32		next = grid->nring + 1;

			if (at < crossings.count)
				next = crossings.items[at].parallel;
			if (meridian > 0 && next > i)
				next = Min(next, first_parallel_below(grid, ring->meridian.items[meridian - 1]));
			i = Max(i, next);
			if (i > grid->nring)
				break;
		}
		parallel = HPX_RING(grid, i);
		tan = parallel->sinlat / parallel->coslat;
		for (; meridian > 0 && ring->meridian.items[meridian - 1] > tan; meridian--)
			inside = !inside;
		at = tell_parallel(i, inside, &crossings, at, sink);
	}
	sr_array_free(&crossings);
	return true;
}
