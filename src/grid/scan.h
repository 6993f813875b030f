/*
 * scan.h: polygons as intervals of cells on rings. Pure C.
 */
#ifndef SR_SCAN_H
#define SR_SCAN_H

#include "grid/healpix.h"
#include "grid/ring.h"

/* Cells first .. last, inclusive. */
typedef struct CellSpan
{
	int64		first;
	int64		last;
} CellSpan;

/* A growing list of disjoint spans. */
typedef struct SpanList
{
	CellSpan   *spans;
	int64		nspans;
	int64		capacity;
} SpanList;

extern int64 sr_point_cell(int order, double lon, double lat);
extern bool sr_scan_polygons(const HpxGrid *grid, const Polygon *polygons, int32 npolygons,
							 SpanList *out, RingFault *fault);

extern void sr_span_list_init(SpanList *list);
extern void sr_span_list_free(SpanList *list);

/* Appends a span. */
extern void sr_span_list_grow(SpanList *list);
static inline void
span_list_add(SpanList *list, int64 first, int64 last)
{
	if (list->nspans == list->capacity)
		sr_span_list_grow(list);
	list->spans[list->nspans].first = first;
	list->spans[list->nspans].last = last;
	list->nspans++;
}

#endif							/* SR_SCAN_H */
