/*
 * scan.h: polygons as intervals of cells on rings. Pure C.
 */
#ifndef SR_SCAN_H
#define SR_SCAN_H

#include "grid/healpix.h"

/* Linear rings of one polygon; xy holds lon, lat pairs in degrees. */
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

/* Keeps the memory for a region below a gigabyte or so. */
#define SCAN_MAX_CROSSINGS (INT64_C(1) << 24)

/* Why a polygon could not be scanned. */
typedef enum ScanError
{
	SCAN_OK,
	SCAN_ANTIPODAL,				/* an edge joins antipodal points */
	SCAN_TOO_COMPLEX			/* its edges meet rings more than SCAN_MAX_CROSSINGS times */
} ScanError;

extern int64 point_cell(int order, double lon, double lat);
extern ScanError scan_polygons(const HpxGrid *grid, const Polygon *polygons, int32 npolygons,
							   SpanList *out, double bad_edge[4]);

extern void span_list_init(SpanList *list);
extern void span_list_free(SpanList *list);

/* Appends a span. */
extern void span_list_grow(SpanList *list);
static inline void
span_list_add(SpanList *list, int64 first, int64 last)
{
	if (list->nspans == list->capacity)
		span_list_grow(list);
	list->spans[list->nspans].first = first;
	list->spans[list->nspans].last = last;
	list->nspans++;
}

#endif							/* SR_SCAN_H */
