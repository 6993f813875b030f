/*
 * gaps.h: sets of cells taken apart into gaps, sets of cells connected by their
 * sides, with a cell deep inside for each. Pure C.
 */
#ifndef SR_GAPS_H
#define SR_GAPS_H

#include "grid/segment.h"

/* More segments than this are refused: a gigabyte or so of memory. */
#define GAPS_MAX_SEGMENTS (INT64_C(1) << 24)

typedef struct Gap
{
	int64		ncell;
	int64		first;			/* its lowest cell */
	int64		center;			/* its lowest cell among those farthest from its outside */
	int64		start;			/* its segments begin there in GapSet.members */
	int64		nsegments;
} Gap;

typedef struct GapSet
{
	SegmentTable table;			/* labels are numbers of gaps */
	uint32	   *piece;			/* for each segment, the part of its gap within one face */
	uint32	   *row;			/* and where it lies: face * nrows + row */
	uint32	   *members;		/* segments, those of a gap together */
	Gap		   *gaps;
	int64		ngaps;
} GapSet;

extern bool sr_gaps_find(const HpxGrid *grid, const SpanList *cells, GapSet *set);
extern int sr_gaps_segment_cells(const GapSet *set, uint32 segment, CellSpan spans[2]);
extern void sr_gaps_find_centers(GapSet *set);

#endif							/* SR_GAPS_H */
