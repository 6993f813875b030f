/*
 * ring.c: what is inside of a closed ring on the sphere.
 *
 * Inside and outside change at every edge. They are followed from the northern end
 * of one meridian down to the parallel of a place, and then along it; which of the
 * two that end is follows from the areas of the ring's two sides.
 */
#include "grid/ring.h"

#include "base/sort.h"
#include "grid/arcs.h"

/* Edges between two checks for interrupts. */
#define INTERRUPT_EDGES 65536

/* ---------- edges ---------- */

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Reads the edges, and where they cross the meridian; false at one that joins antipodes. */
static bool
read_edges(Ring *ring, const LinearRing *lr, RingFault *fault)
{
	Vec3		a,
				b;

	ring->zlo = 2;
	ring->zhi = -2;
	if (lr->npoints > 0)
		b = unit_vector(lr->xy[0], lr->xy[1]);
	for (int32 i = 0; i + 1 < lr->npoints; i++)
	{
		const double *ends = &lr->xy[2 * (size_t) i];
		Edge		e[2];
		int			n;

		if (i % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		a = b;
		b = unit_vector(ends[2], ends[3]);
		n = sr_edge_make(ends, a, b, e);
		if (n == EDGE_ANTIPODAL)
		{
			fault->error = RING_ANTIPODAL;
			memcpy(fault->edge, ends, sizeof(fault->edge));
			return false;
		}
		for (int k = 0; k < n; k++)
		{
			double		tan;

			sr_array_push(&ring->edges, e[k]);
			ring->zlo = Min(ring->zlo, edge_low(&e[k]));
			ring->zhi = Max(ring->zhi, edge_high(&e[k]));
			if (sr_edge_meets_meridian(&e[k], RING_MERIDIAN, &tan))
				sr_array_push(&ring->meridian, tan);
		}
	}
	sr_array_sort(&ring->meridian, compare_doubles);
	return true;
}

/* ---------- sides ---------- */

/* Does a place that is on no edge lie on another side than the meridian's northern end, as an edge has it? */
static inline bool
edge_flips(const Edge *e, const Place *place, double place_turn)
{
	return edge_crosses(e, place->tan) &&
		sr_edge_crossing(e, RING_MERIDIAN, place->v.z, place->coslat, place->tan) < place_turn;
}

/* How many times the meridian is crossed between its northern end and a parallel. */
static int64
meridian_crossings(const Ring *ring, double tan)
{
	int64		lo = 0;
	int64		hi = ring->meridian.count;

	while (lo < hi)
	{
		int64		mid = lo + (hi - lo) / 2;

		if (ring->meridian.items[mid] > tan)
			hi = mid;
		else
			lo = mid + 1;
	}
	return ring->meridian.count - lo;
}

/* Is a place that is on no edge on another side than the meridian's northern end? */
static bool
on_other_side(const Ring *ring, const Place *place)
{
	double		place_turn = sr_turn_wrap(place->turn - RING_MERIDIAN);
	bool		other = meridian_crossings(ring, place->tan) % 2 != 0;

	for (int64 i = 0; i < ring->edges.count; i++)
	{
		if (i % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		other ^= edge_flips(&ring->edges.items[i], place, place_turn);
	}
	return other;
}

/*
 * The antipode of the middle of a ring that lies well within a hemisphere. It is
 * outside: its side holds all of the other hemisphere. False if there is no such.
 */
static bool
find_far_side(const Ring *ring, Place *far)
{
	Vec3		middle = {0, 0, 0};
	double		len;

	for (int64 i = 0; i < ring->edges.count; i++)
	{
		const Vec3 *a = &ring->edges.items[i].a;

		middle.x += a->x;
		middle.y += a->y;
		middle.z += a->z;
	}
	len = sqrt(dot(middle, middle));
	if (len < 1e-6)
		return false;
	middle.x /= len;
	middle.y /= len;
	middle.z /= len;
	for (int64 i = 0; i < ring->edges.count; i++)
	{
		if (i % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		if (dot(ring->edges.items[i].a, middle) < RING_Z_SLACK)
			return false;
	}
	middle.x = -middle.x;
	middle.y = -middle.y;
	middle.z = -middle.z;
	*far = sr_place_of(middle);
	return true;
}

/* Adds up arcs, weighted with the cells of their parallels. */
typedef struct ArcSum
{
	const HpxGrid *grid;
	double		cells;
} ArcSum;

static void
add_arc(void *arg, const Arc *arc)
{
	ArcSum	   *sum = arg;

	sum->cells += (arc->to - arc->from) * HPX_RING(sum->grid, arc->parallel)->ncell;
}

/* The grid to begin with. */
#define COARSEST 5

/*
 * Which side is smaller, of a ring that is as large as a hemisphere in some
 * direction: the areas are integrated along parallels, of ever finer grids while they
 * are nearly equal. Sets north_inside.
 */
static RingError
compare_sides(Ring *ring)
{
	for (int order = COARSEST; order <= SR_MAX_ORDER; order++)
	{
		ArcSum		sum = {sr_hpx_grid(order), 0};
		ArcSink		sink = {add_arc, &sum};
		double		part;

		/* to begin with, inside is what is not on the side of the northern end */
		ring->north_inside = false;
		if (!sr_ring_arcs(ring, sum.grid, &sink))
			return order == COARSEST ? RING_TOO_COMPLEX : RING_EQUAL_SIDES;
		part = sum.cells / (double) sum.grid->ncell;
		/* an edge between two parallels may be counted to one of them, which has 1 / (3 nside) of the sphere at most */
		if (fabs(part - 0.5) > Max(0.34 / (double) sum.grid->nside, RING_EQUAL))
		{
			ring->north_inside = part > 0.5;
			return RING_OK;
		}
	}
	return RING_EQUAL_SIDES;
}

/* Prepares a linear ring; false, with what is wrong, if it says nothing. */
bool
sr_ring_make(Ring *ring, const LinearRing *lr, RingFault *fault)
{
	Place		far;

	memset(ring, 0, sizeof(Ring));
	fault->error = RING_OK;
	if (!read_edges(ring, lr, fault))
	{
		sr_ring_free(ring);
		return false;
	}
	if (ring->edges.count == 0)
		return true;
	if (find_far_side(ring, &far))
	{
		ring->north_inside = on_other_side(ring, &far);
		return true;
	}
	fault->error = compare_sides(ring);
	if (fault->error == RING_OK)
		return true;
	for (int k = 0; k < 4; k++)
		fault->edge[k] = lr->xy[k % 2];
	sr_ring_free(ring);
	return false;
}

void
sr_ring_free(Ring *ring)
{
	sr_array_free(&ring->edges);
	sr_array_free(&ring->meridian);
	if (ring->nbands > 0)
	{
		sr_free(ring->band_start);
		sr_free(ring->band_edge);
		ring->nbands = 0;
	}
}

/* ---------- places ---------- */

/* Sorts the edges into bands, each into all that it comes near, so that sr_ring_covers looks at few. */
void
sr_ring_index(Ring *ring)
{
	double		climbed = 0;
	double		height;
	int64		total = 0;
	int64	   *start;

	if (ring->nbands > 0 || ring->edges.count == 0)
		return;
	for (int64 i = 0; i < ring->edges.count; i++)
		climbed += edge_high(&ring->edges.items[i]) - edge_low(&ring->edges.items[i]) + 2 * RING_Z_SLACK;

	/* so many that the edges together are in about three times their number */
	height = ring->zhi - ring->zlo + 2 * RING_Z_SLACK;
	ring->nbands = (int32) Max(1, Min((double) ring->edges.count, floor(2.0 * (double) ring->edges.count * height / climbed)));
	ring->bands_per_z = ring->nbands / height;

	start = ring->band_start = sr_alloc(((size_t) ring->nbands + 2) * sizeof(int64));
	memset(start, 0, ((size_t) ring->nbands + 2) * sizeof(int64));
	/* counted two places on, so that filling moves each start to its place */
	for (int pass = 0; pass < 2; pass++)
	{
		for (int64 i = 0; i < ring->edges.count; i++)
		{
			const Edge *e = &ring->edges.items[i];
			int32		last = ring_band(ring, edge_high(e) + RING_Z_SLACK);

			if (i % INTERRUPT_EDGES == 0)
				sr_check_interrupts();
			for (int32 b = ring_band(ring, edge_low(e) - RING_Z_SLACK); b <= last; b++)
				if (pass == 0)
				{
					start[b + 2]++;
					total++;
				}
				else
					ring->band_edge[start[b + 1]++] = (int32) i;
		}
		if (pass == 0)
		{
			for (int32 b = 2; b <= ring->nbands + 1; b++)
				start[b] += start[b - 1];
			ring->band_edge = sr_alloc((size_t) total * sizeof(int32));
		}
	}
}

/* Is a place inside of a ring, or on it? The ring has its index. */
bool
sr_ring_covers(const Ring *ring, const Place *place)
{
	double		place_turn = sr_turn_wrap(place->turn - RING_MERIDIAN);
	bool		inside = ring->north_inside != (meridian_crossings(ring, place->tan) % 2 != 0);
	int32		band;

	if (ring->edges.count == 0 || place->v.z < ring->zlo - RING_Z_SLACK || place->v.z > ring->zhi + RING_Z_SLACK)
		return inside;
	band = ring_band(ring, place->v.z);
	for (int64 k = ring->band_start[band]; k < ring->band_start[band + 1]; k++)
	{
		const Edge *e = &ring->edges.items[ring->band_edge[k]];

		if (k % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		if (place->v.z < edge_low(e) - RING_Z_SLACK || place->v.z > edge_high(e) + RING_Z_SLACK)
			continue;
		if (sr_edge_holds(e, place))
			return true;
		inside ^= edge_flips(e, place, place_turn);
	}
	return inside;
}
