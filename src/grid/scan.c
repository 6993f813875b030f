/*
 * scan.c: which cells' centres lie in polygons, ring by ring.
 *
 * Rings are parallels, so a polygon meets one in the intervals between its
 * edges' crossings. Cells are numbered along the rings, so an interval of
 * longitude is an interval of cell numbers, or two where it wraps around
 * longitude 0.
 */
#include "grid/scan.h"

#include "base/sort.h"
#include "grid/arcs.h"

void
sr_span_list_init(SpanList *list)
{
	list->spans = NULL;
	list->nspans = list->capacity = 0;
}

void
sr_span_list_grow(SpanList *list)
{
	int64		capacity = list->capacity ? 2 * list->capacity : 64;

	if (list->spans == NULL)
		list->spans = sr_alloc((size_t) capacity * sizeof(CellSpan));
	else
		list->spans = sr_realloc(list->spans, (size_t) capacity * sizeof(CellSpan));
	list->capacity = capacity;
}

void
sr_span_list_free(SpanList *list)
{
	if (list->spans != NULL)
		sr_free(list->spans);
	sr_span_list_init(list);
}

/* The cell that holds a point, geodetic degrees. */
int64
sr_point_cell(int order, double lon, double lat)
{
	double		s,
				c;
	int32		ring;

	sr_sincos_deg(lat, &s, &c);
	return sr_hpx_cell(order, hpx_authalic_z(s), sr_lon_turn(lon), &ring);
}

/* Cells lo .. hi of a parallel covered by one linear ring. */
typedef struct RingSpan
{
	int32		parallel;
	int64		lo;
	int64		hi;
} RingSpan;

typedef SR_ARRAY(RingSpan) RingSpans;

/* Items between two checks for interrupts: a millisecond or so. */
#define INTERRUPT_ITEMS 16384

static int
compare_ring_spans(const void *a, const void *b)
{
	const RingSpan *x = a;
	const RingSpan *y = b;

	if (x->parallel != y->parallel)
		return x->parallel < y->parallel ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Adds the cells lo .. hi of a parallel; they may count on beyond its last cell, or from before its first. */
static void
add_cells(const HpxGrid *grid, RingSpans *out, int32 parallel, int64 lo, int64 hi)
{
	int64		n = HPX_RING(grid, parallel)->ncell;

	if (lo > hi)
		return;
	if (hi - lo + 1 >= n)
	{
		lo = 0;
		hi = n - 1;
	}
	if (lo < 0)
	{
		sr_array_push(out, ((RingSpan) {parallel, lo + n, Min(hi + n, n - 1)}));
		lo = 0;
	}
	if (hi >= n)
	{
		sr_array_push(out, ((RingSpan) {parallel, Max(lo, n) - n, hi - n}));
		hi = n - 1;
	}
	if (lo <= hi)
		sr_array_push(out, ((RingSpan) {parallel, lo, hi}));
}

/* A linear ring being scanned. */
typedef struct RingScan
{
	const HpxGrid *grid;
	Ring		ring;
	RingSpans	spans;
} RingScan;

/*
 * Centres close to an edge are not decided by where the edge crosses their parallel,
 * which is known to rounding only, but as any other place is: first .. last of a
 * parallel, numbered as add_cells has it.
 */
static void
ask_cells(RingScan *scan, int32 parallel, int64 first, int64 last)
{
	const HpxRing *p = HPX_RING(scan->grid, parallel);

	for (int64 k = first; k <= last; k++)
	{
		int64		cell = p->start + (k % p->ncell + p->ncell) % p->ncell;
		double		lon,
					lat;
		Place		place;

		sr_check_interrupts();
		sr_hpx_cell_center(scan->grid, cell, &lon, &lat);
		place = sr_place_at(lon, lat);
		sr_ring_index(&scan->ring);
		if (sr_ring_covers(&scan->ring, &place))
			add_cells(scan->grid, &scan->spans, parallel, k, k);
	}
}

/* Adds the cells of an arc of the inside. */
static void
scan_arc(void *arg, const Arc *arc)
{
	RingScan   *scan = arg;
	const HpxRing *p = HPX_RING(scan->grid, arc->parallel);
	double		n = p->ncell;
	double		from = (RING_MERIDIAN + arc->from) * n - p->shift;
	double		to = (RING_MERIDIAN + arc->to) * n - p->shift;
	int64		lo = (int64) ceil(from + arc->near_from * n);
	int64		hi = (int64) floor(to - arc->near_to * n);

	add_cells(scan->grid, &scan->spans, arc->parallel, lo, hi);
	if (arc->near_from > 0)
		ask_cells(scan, arc->parallel, (int64) ceil(from - arc->near_from * n), Min(lo - 1, (int64) floor(from + arc->near_from * n)));
	if (arc->near_to > 0)
		ask_cells(scan, arc->parallel, Max(hi + 1, (int64) ceil(to - arc->near_to * n)), (int64) floor(to + arc->near_to * n));
}

/* Asks for the centres that may lie on an edge without its crossing their parallel: near one of its ends. */
static void
scan_end(RingScan *scan, const Edge *e, double z, double turn)
{
	const HpxGrid *grid = scan->grid;
	int32		above = sr_hpx_ring_above(grid, hpx_authalic_z(z));

	for (int32 i = Max(1, above - 1); i <= Min(grid->nring, above + 1); i++)
	{
		const HpxRing *p = HPX_RING(grid, i);
		double		n = p->ncell;
		double		near;

		if (fabs(p->sinlat - z) > NEAR_EDGE)
			continue;
		near = Min(fabs(e->dlon), sr_edge_nearness(e, NEAR_EDGE, p->sinlat, p->coslat)) + NEAR_EDGE / p->coslat;
		ask_cells(scan, i, (int64) ceil((turn - near) * n - p->shift), (int64) floor((turn + near) * n - p->shift));
	}
}

/* Scans one linear ring into spans sorted by parallel and merged; false if there is something wrong with it. */
static bool
scan_linear_ring(const HpxGrid *grid, const LinearRing *lr, RingSpans *out, RingFault *fault)
{
	RingScan	scan = {.grid = grid};
	ArcSink		sink = {scan_arc, &scan};
	int64		kept = 0;
	RingSpan   *spans;

	if (!sr_ring_make(&scan.ring, lr, fault))
		return false;
	if (!sr_ring_arcs(&scan.ring, grid, &sink))
		fault->error = RING_TOO_COMPLEX;
	for (int64 i = 0; i < scan.ring.edges.count && fault->error == RING_OK; i++)
	{
		const Edge *e = &scan.ring.edges.items[i];

		if (i % INTERRUPT_ITEMS == 0)
			sr_check_interrupts();
		scan_end(&scan, e, e->a.z, e->turn1);
		scan_end(&scan, e, e->b.z, e->turn2);
	}
	sr_ring_free(&scan.ring);
	if (fault->error != RING_OK)
	{
		sr_array_free(&scan.spans);
		return false;
	}

	/* merge */
	sr_array_sort(&scan.spans, compare_ring_spans);
	spans = scan.spans.items;
	for (int64 k = 0; k < scan.spans.count; k++)
	{
		if (k % INTERRUPT_ITEMS == 0)
			sr_check_interrupts();
		if (kept > 0 && spans[kept - 1].parallel == spans[k].parallel &&
			spans[kept - 1].hi + 1 >= spans[k].lo)
			spans[kept - 1].hi = Max(spans[kept - 1].hi, spans[k].hi);
		else
			spans[kept++] = spans[k];
	}
	scan.spans.count = kept;
	*out = scan.spans;
	return true;
}

/* A change of what covers the cells from one on. */
typedef struct Event
{
	int32		parallel;
	int64		at;
	int			shell;			/* +1, -1 or 0 */
	int			hole;
} Event;

typedef SR_ARRAY(Event) Events;

static int
compare_events(const void *a, const void *b)
{
	const Event *x = a;
	const Event *y = b;

	if (x->parallel != y->parallel)
		return x->parallel < y->parallel ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int
compare_spans(const void *a, const void *b)
{
	const CellSpan *x = a;
	const CellSpan *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Appends the cells that are in the shell and not in an odd number of holes, from where each begins and ends. */
static void
combine_events(const HpxGrid *grid, Events *events, SpanList *out)
{
	int			shell = 0,
				hole = 0;

	sr_array_sort(events, compare_events);
	for (int64 k = 0; k < events->count; k++)
	{
		const Event *e = &events->items[k];

		if (k % INTERRUPT_ITEMS == 0)
			sr_check_interrupts();
		shell += e->shell;
		hole += e->hole;
		/* all that begins on a parallel ends there, so a next one is on the same */
		if (shell > 0 && hole % 2 == 0 && e[1].at > e->at)
			span_list_add(out, HPX_RING(grid, e->parallel)->start + e->at,
						  HPX_RING(grid, e->parallel)->start + e[1].at - 1);
	}
}

/* Appends the cells whose centres a polygon covers. */
static bool
scan_polygon(const HpxGrid *grid, const Polygon *polygon, SpanList *out, RingFault *fault)
{
	Events		events = {0};

	for (int r = 0; r < polygon->nrings; r++)
	{
		RingSpans	spans;

		if (!scan_linear_ring(grid, &polygon->rings[r], &spans, fault))
		{
			sr_array_free(&events);
			return false;
		}
		for (int64 k = 0; k < spans.count; k++)
		{
			const RingSpan *s = &spans.items[k];

			if (k % INTERRUPT_ITEMS == 0)
				sr_check_interrupts();
			/* a polygon without holes needs no second sweep */
			if (polygon->nrings == 1)
			{
				int64		start = HPX_RING(grid, s->parallel)->start;

				span_list_add(out, start + s->lo, start + s->hi);
				continue;
			}
			sr_array_push(&events, ((Event) {s->parallel, s->lo, r == 0, r > 0}));
			sr_array_push(&events, ((Event) {s->parallel, s->hi + 1, -(r == 0), -(r > 0)}));
		}
		sr_array_free(&spans);
		if (out->nspans + events.count > RING_MAX_CROSSINGS)
		{
			fault->error = RING_TOO_COMPLEX;
			sr_array_free(&events);
			return false;
		}
	}
	combine_events(grid, &events, out);
	sr_array_free(&events);
	return true;
}

/*
 * The cells whose centres are covered by any of the polygons, as ring.h has it.
 * Spans come out disjoint and in order; false, with what is wrong, if a ring says
 * nothing.
 */
bool
sr_scan_polygons(const HpxGrid *grid, const Polygon *polygons, int32 npolygons,
				 SpanList *out, RingFault *fault)
{
	int64		kept = 0;

	fault->error = RING_OK;
	for (int32 p = 0; p < npolygons; p++)
	{
		sr_check_interrupts();
		if (polygons[p].nrings > 0 && !scan_polygon(grid, &polygons[p], out, fault))
			return false;
	}

	/* union of the polygons */
	out->spans = sr_sort_array(out->spans, out->nspans, &out->capacity, sizeof(CellSpan), compare_spans);
	for (int64 k = 0; k < out->nspans; k++)
	{
		CellSpan   *last = kept > 0 ? &out->spans[kept - 1] : NULL;

		if (last != NULL && last->last + 1 >= out->spans[k].first)
			last->last = Max(last->last, out->spans[k].last);
		else
			out->spans[kept++] = out->spans[k];
	}
	out->nspans = kept;
	return true;
}
