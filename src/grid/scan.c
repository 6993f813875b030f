/*
 * scan.c: which cells' centres lie in polygons, ring by ring.
 *
 * Rings are parallels, so a polygon meets one in the intervals between its
 * edges' crossings. Cells are numbered along the rings, so an interval of
 * longitude is an interval of cell numbers, or two where it wraps around
 * longitude 0.
 */
#include "grid/scan.h"

#include "grid/edge.h"

/* Slack for centres on a polygon's boundary, in cells: below 10 micrometres. */
#define BOUNDARY_SLACK 1e-9

void
span_list_init(SpanList *list)
{
	list->spans = NULL;
	list->nspans = list->capacity = 0;
}

void
span_list_grow(SpanList *list)
{
	int64		capacity = list->capacity ? 2 * list->capacity : 64;

	if (list->spans == NULL)
		list->spans = sr_alloc((size_t) capacity * sizeof(CellSpan));
	else
		list->spans = sr_realloc(list->spans, (size_t) capacity * sizeof(CellSpan));
	list->capacity = capacity;
}

void
span_list_free(SpanList *list)
{
	if (list->spans != NULL)
		sr_free(list->spans);
	span_list_init(list);
}

/* The cell that holds a point, geodetic degrees. */
int64
point_cell(int order, double lon, double lat)
{
	double		s,
				c;
	int32		ring;

	sr_sincos_deg(lat, &s, &c);
	return hpx_cell(order, hpx_authalic_z(s), sr_lon_turn(lon), &ring);
}

/*
 * Edges are great circles on the sphere of geodetic longitude and latitude; a
 * linear ring's inside is what an odd number of crossings separates from a point
 * outside its geocentric box, as in PostGIS's ST_Covers(geography). Boundaries
 * count as covered.
 *
 * For each linear ring the parity at one meridian, the one through the outside
 * point, is followed from parallel to parallel; along a parallel it flips at
 * every crossing. All comparisons are half-open on the same numbers for both
 * edges that meet in a vertex, so a vertex never counts twice.
 */

/* Longitudes at which one grid ring is crossed, or touched along an interval. */
typedef struct Crossing
{
	int32		ring;
	double		turn;			/* east of the outside point's meridian, [0, 1) */
} Crossing;

typedef struct Touch
{
	int32		ring;
	double		from;			/* turns east of Greenwich */
	double		width;			/* turns, may be 0 */
} Touch;

/* Cells lo .. hi of a grid ring covered by one linear ring. */
typedef struct RingSpan
{
	int32		ring;
	int64		lo;
	int64		hi;
} RingSpan;

/* A growing array of fixed-size items. */
typedef struct Array
{
	char	   *items;
	int64		count;
	int64		capacity;
	size_t		size;
} Array;

static void *
array_add(Array *a)
{
	if (a->count == a->capacity)
	{
		a->capacity = a->capacity ? 2 * a->capacity : 64;
		a->items = a->items == NULL ? sr_alloc((size_t) a->capacity * a->size)
			: sr_realloc(a->items, (size_t) a->capacity * a->size);
	}
	return a->items + (size_t) (a->count++) * a->size;
}

static void
array_free(Array *a)
{
	if (a->items != NULL)
		sr_free(a->items);
	a->items = NULL;
	a->count = a->capacity = 0;
}

/* Items between two checks for interrupts: a millisecond or so. */
#define INTERRUPT_ITEMS 16384

/* Sorts an array that may have millions of items: qsort could not be interrupted. */
static void
array_sort(Array *a, int (*compare) (const void *, const void *))
{
	size_t		size = a->size;
	int64		ordered = 1;
	char	   *from = a->items;
	char	   *to;

	for (; ordered < a->count; ordered++)
	{
		if (ordered % INTERRUPT_ITEMS == 0)
			sr_check_interrupts();
		if (compare(from + (size_t) (ordered - 1) * size, from + (size_t) ordered * size) > 0)
			break;
	}
	if (ordered >= a->count)
		return;

	for (int64 at = 0; at < a->count; at += INTERRUPT_ITEMS)
	{
		sr_check_interrupts();
		qsort(from + (size_t) at * size, Min(INTERRUPT_ITEMS, a->count - at), size, compare);
	}
	if (a->count <= INTERRUPT_ITEMS)
		return;

	/* merge ever longer stretches, from one piece of memory into another and back */
	to = sr_alloc((size_t) a->count * size);
	for (int64 width = INTERRUPT_ITEMS; width < a->count; width *= 2)
	{
		char	   *swap;

		for (int64 at = 0; at < a->count; at += 2 * width)
		{
			int64		i = at;
			int64		middle = Min(at + width, a->count);
			int64		j = middle;
			int64		end = Min(at + 2 * width, a->count);

			for (int64 k = at; k < end; k++)
			{
				int64		next;

				if (k % INTERRUPT_ITEMS == 0)
					sr_check_interrupts();
				if (j >= end || (i < middle && compare(from + (size_t) i * size, from + (size_t) j * size) <= 0))
					next = i++;
				else
					next = j++;
				memcpy(to + (size_t) k * size, from + (size_t) next * size, size);
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	sr_free(to);
	a->items = from;
	a->capacity = a->count;
}

#define ARRAY_OF(type) {NULL, 0, 0, sizeof(type)}
#define ARRAY_ITEMS(type, a) ((type *) (a)->items)

/* Records where the piece z1 -> z2 of an edge, rising or falling, crosses parallels. */
static void
cross_parallels(const HpxGrid *grid, Array *crossings, const Edge *e, double z1, double z2,
				double origin)
{
	double		north = Max(z1, z2);
	double		south = Min(z1, z2);
	int32		first = Max(1, hpx_ring_above(grid, hpx_authalic_z(north)) - 1);

	for (int32 i = first; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		double		turn;
		Crossing   *c;

		if (ring->sinlat < south)
			break;
		if ((z1 > ring->sinlat) == (z2 > ring->sinlat))
			continue;
		turn = edge_crossing(e, z2 > z1, ring->sinlat, ring->coslat) - origin;
		c = array_add(crossings);
		c->ring = i;
		c->turn = turn - floor(turn);
	}
}

/* Notes a parallel that an edge along the equator, or a vertex, lies on. */
static void
touch_parallel(const HpxGrid *grid, Array *touches, double z, double lon, double dlon)
{
	int32		above = hpx_ring_above(grid, hpx_authalic_z(z));

	for (int32 i = Max(1, above - 1); i <= Min(grid->nring, above + 1); i++)
		if (fabs(HPX_RING(grid, i)->sinlat - z) < 1e-15)
		{
			Touch	   *t = array_add(touches);

			t->ring = i;
			t->from = dlon >= 0 ? lon : lon + dlon;
			t->width = fabs(dlon);
		}
}

static int
compare_crossings(const void *a, const void *b)
{
	const Crossing *x = a;
	const Crossing *y = b;

	if (x->ring != y->ring)
		return x->ring < y->ring ? -1 : 1;
	return (x->turn > y->turn) - (x->turn < y->turn);
}

static int
compare_doubles_descending(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x < y) - (x > y);
}

static int
compare_touches(const void *a, const void *b)
{
	const Touch *x = a;
	const Touch *y = b;

	return (x->ring > y->ring) - (x->ring < y->ring);
}

static int
compare_ring_spans(const void *a, const void *b)
{
	const RingSpan *x = a;
	const RingSpan *y = b;

	if (x->ring != y->ring)
		return x->ring < y->ring ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Adds the centres in [from, from + width] turns of a ring, split at longitude 0. */
static void
add_arc(const HpxGrid *grid, Array *out, int32 i, double from, double width)
{
	const HpxRing *ring = HPX_RING(grid, i);
	int64		n = ring->ncell;
	double		start = (from - floor(from)) * (double) n - ring->shift;
	int64		lo = (int64) ceil(start - BOUNDARY_SLACK);
	int64		hi = (int64) floor(start + width * (double) n + BOUNDARY_SLACK);
	RingSpan   *s;

	if (lo > hi)
		return;
	if (hi - lo + 1 >= n)
	{
		lo = 0;
		hi = n - 1;
	}
	if (lo < 0)
	{
		s = array_add(out);
		s->ring = i;
		s->lo = lo + n;
		s->hi = Min(hi + n, n - 1);
		lo = 0;
	}
	if (hi >= n)
	{
		s = array_add(out);
		s->ring = i;
		s->lo = Max(lo, n) - n;
		s->hi = hi - n;
		hi = n - 1;
	}
	if (lo <= hi)
	{
		s = array_add(out);
		s->ring = i;
		s->lo = lo;
		s->hi = hi;
	}
}

/* The northernmost grid ring whose latitude's tangent is below a number; nring + 1 if none is. */
static int32
first_ring_below(const HpxGrid *grid, double tan)
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

/* Scans one linear ring into spans sorted by ring and merged. */
static ScanError
scan_linear_ring(const HpxGrid *grid, const LinearRing *lr, Vec3 outside,
				 Array *out, double bad_edge[4])
{
	Array		crossings = ARRAY_OF(Crossing);
	Array		touches = ARRAY_OF(Touch);
	Array		meridian = ARRAY_OF(double);
	double		origin = sr_atan2_turn(outside.y, outside.x);
	double		outside_tan;
	int64		ci = 0,
				mi = 0,
				ti = 0;
	int64		kept = 0;
	bool		inside;
	RingSpan   *spans;

	/* a point on the axis has no longitude; any meridian will do, from that pole */
	outside_tan = outside.z / Max(1e-300, sqrt(outside.x * outside.x + outside.y * outside.y));

	for (int i = 0; i + 1 < lr->npoints; i++)
	{
		Edge		e;
		EdgeKind	kind = edge_make(&lr->xy[2 * i], &e);
		double		tan;

		sr_check_interrupts();
		if (kind == EDGE_POINT)
			continue;
		/* an edge adds one per ring at most, or two where it turns */
		if (kind == EDGE_ANTIPODAL || crossings.count > SCAN_MAX_CROSSINGS)
		{
			memcpy(bad_edge, &lr->xy[2 * i], 4 * sizeof(double));
			array_free(&crossings);
			array_free(&touches);
			array_free(&meridian);
			return kind == EDGE_ANTIPODAL ? SCAN_ANTIPODAL : SCAN_TOO_COMPLEX;
		}

		touch_parallel(grid, &touches, e.z1, e.turn1, e.z1 == 0 && e.z2 == 0 ? e.dlon : 0);
		if (EDGE_TURNS(&e))
			cross_parallels(grid, &crossings, &e, e.z1, e.zm, origin);
		cross_parallels(grid, &crossings, &e, EDGE_TURNS(&e) ? e.zm : e.z1, e.z2, origin);
		if (edge_meets_meridian(&e, origin, &tan))
			*(double *) array_add(&meridian) = tan;
	}

	array_sort(&crossings, compare_crossings);
	array_sort(&touches, compare_touches);
	array_sort(&meridian, compare_doubles_descending);

	/* parity at the north pole's end of the meridian */
	inside = false;
	for (int64 k = 0; k < meridian.count; k++)
		if (ARRAY_ITEMS(double, &meridian)[k] > outside_tan)
			inside = !inside;

	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring;
		double		tan;
		bool		in;
		double		from = 0;
		Crossing   *c = ARRAY_ITEMS(Crossing, &crossings);

		sr_check_interrupts();
		if (!inside)
		{
			/* on to the next ring where something begins */
			int32		next = grid->nring + 1;

			if (ci < crossings.count)
				next = Min(next, c[ci].ring);
			if (ti < touches.count)
				next = Min(next, ARRAY_ITEMS(Touch, &touches)[ti].ring);
			if (mi < meridian.count && next > i)
				next = Min(next, first_ring_below(grid, ARRAY_ITEMS(double, &meridian)[mi]));
			i = Max(i, next);
			if (i > grid->nring)
				break;
		}
		ring = HPX_RING(grid, i);
		tan = ring->sinlat / ring->coslat;
		while (mi < meridian.count && ARRAY_ITEMS(double, &meridian)[mi] > tan)
		{
			inside = !inside;
			mi++;
		}
		in = inside;
		for (; ci < crossings.count && c[ci].ring == i; ci++)
		{
			if (ci % INTERRUPT_ITEMS == 0)
				sr_check_interrupts();
			if (in)
				add_arc(grid, out, i, from + origin, c[ci].turn - from);
			from = c[ci].turn;
			in = !in;
		}
		if (in)
			add_arc(grid, out, i, from + origin, 1.0 - from);
		for (; ti < touches.count && ARRAY_ITEMS(Touch, &touches)[ti].ring == i; ti++)
			add_arc(grid, out, i, ARRAY_ITEMS(Touch, &touches)[ti].from,
					ARRAY_ITEMS(Touch, &touches)[ti].width);
	}
	array_free(&crossings);
	array_free(&touches);
	array_free(&meridian);

	/* merge */
	array_sort(out, compare_ring_spans);
	spans = ARRAY_ITEMS(RingSpan, out);
	for (int64 k = 0; k < out->count; k++)
	{
		if (k % INTERRUPT_ITEMS == 0)
			sr_check_interrupts();
		if (kept > 0 && spans[kept - 1].ring == spans[k].ring &&
			spans[kept - 1].hi + 1 >= spans[k].lo)
			spans[kept - 1].hi = Max(spans[kept - 1].hi, spans[k].hi);
		else
			spans[kept++] = spans[k];
	}
	out->count = kept;
	return SCAN_OK;
}

/* A change of what covers the cells from one on. */
typedef struct Event
{
	int32		ring;
	int32		polygon;
	int64		at;
	int			shell;			/* +1, -1 or 0 */
	int			hole;
} Event;

static int
compare_events(const void *a, const void *b)
{
	const Event *x = a;
	const Event *y = b;

	if (x->polygon != y->polygon)
		return x->polygon < y->polygon ? -1 : 1;
	if (x->ring != y->ring)
		return x->ring < y->ring ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int
compare_spans(const void *a, const void *b)
{
	const CellSpan *x = a;
	const CellSpan *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/*
 * The cells whose centres are covered by any of the polygons: in the shell, and
 * not in an odd number of holes. Spans come out disjoint and in order.
 */
ScanError
scan_polygons(const HpxGrid *grid, const Polygon *polygons, int32 npolygons,
			  SpanList *out, double bad_edge[4])
{
	Array		events = ARRAY_OF(Event);
	int64		kept = 0;

	for (int32 p = 0; p < npolygons; p++)
	{
		const Polygon *polygon = &polygons[p];
		Vec3		outside;
		bool		sure;

		if (polygon->nrings == 0 || polygon->rings[0].npoints == 0)
			continue;
		outside = point_outside(polygon, &sure);
		for (int32 r = 0; r < polygon->nrings; r++)
		{
			Array		spans = ARRAY_OF(RingSpan);
			ScanError	error = scan_linear_ring(grid, &polygon->rings[r], outside, &spans, bad_edge);

			if (error == SCAN_OK && out->nspans + events.count + spans.count > SCAN_MAX_CROSSINGS)
				error = SCAN_TOO_COMPLEX;
			if (error != SCAN_OK)
			{
				array_free(&spans);
				array_free(&events);
				return error;
			}
			for (int64 k = 0; k < spans.count; k++)
			{
				const RingSpan *s = &ARRAY_ITEMS(RingSpan, &spans)[k];

				if (k % INTERRUPT_ITEMS == 0)
					sr_check_interrupts();
				/* a polygon without holes needs no second sweep */
				if (polygon->nrings == 1)
				{
					const HpxRing *ring = HPX_RING(grid, s->ring);

					span_list_add(out, ring->start + s->lo, ring->start + s->hi);
					continue;
				}
				for (int end = 0; end <= 1; end++)
				{
					Event	   *e = array_add(&events);
					int			step = end ? -1 : 1;

					e->ring = s->ring;
					e->polygon = p;
					e->at = end ? s->hi + 1 : s->lo;
					e->shell = r == 0 ? step : 0;
					e->hole = r == 0 ? 0 : step;
				}
			}
			array_free(&spans);
		}
	}

	if (events.count > 0)
	{
		Event	   *e;
		int			shell = 0,
					hole = 0;

		array_sort(&events, compare_events);
		e = ARRAY_ITEMS(Event, &events);
		for (int64 k = 0; k < events.count; k++)
		{
			if (k % INTERRUPT_ITEMS == 0)
				sr_check_interrupts();
			shell += e[k].shell;
			hole += e[k].hole;
			/* every ring's events cancel out, so a next one is on the same ring */
			if (shell > 0 && hole % 2 == 0 && e[k + 1].at > e[k].at)
				span_list_add(out, HPX_RING(grid, e[k].ring)->start + e[k].at,
							  HPX_RING(grid, e[k].ring)->start + e[k + 1].at - 1);
		}
	}
	array_free(&events);

	/* union of the polygons */
	{
		Array		spans = {(char *) out->spans, out->nspans, out->capacity, sizeof(CellSpan)};

		array_sort(&spans, compare_spans);
		out->spans = ARRAY_ITEMS(CellSpan, &spans);
		out->capacity = spans.capacity;
	}
	for (int64 k = 0; k < out->nspans; k++)
	{
		CellSpan   *last = kept > 0 ? &out->spans[kept - 1] : NULL;

		if (last != NULL && last->last + 1 >= out->spans[k].first)
			last->last = Max(last->last, out->spans[k].last);
		else
			out->spans[kept++] = out->spans[k];
	}
	out->nspans = kept;
	return SCAN_OK;
}
