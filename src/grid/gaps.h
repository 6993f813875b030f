/*
 * gaps.h: sets of cells taken apart into gaps, sets of cells connected by their
 * sides, with a cell deep inside and an outline for each. Pure C.
 *
 * A base face is a square of nside * nside cells; the four cells that share a
 * side with (x, y) are (x - 1, y), (x, y - 1), (x + 1, y), (x, y + 1), on the
 * next face where that leaves the square. The cells of a face on one ring are
 * those with x + y = row, with numbers that ascend with x. So cells are kept as
 * segments of rows: all costs go with the segments, not with the cells.
 */
#ifndef SR_GAPS_H
#define SR_GAPS_H

#include "grid/scan.h"

/* More segments than this are refused: a gigabyte or so of memory. */
#define GAPS_MAX_SEGMENTS (INT64_C(1) << 24)

/* Cells lo .. hi, by x, of one row of one face. */
typedef struct Segment
{
	int32		lo;
	int32		hi;
	uint32		label;
} Segment;

/* Segments by face and row, in order. */
typedef struct SegmentTable
{
	int			order;
	int32		nside;
	int32		nrows;			/* of a face: 2 * nside - 1 */
	int64	   *start;			/* first segment of row r of face f at [f * nrows + r] */
	Segment    *segments;
	int64		nsegments;
	int64		capacity;
} SegmentTable;

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

/* Polygons with their rings; a polygon's first ring is its shell. */
typedef struct Outline
{
	double	   *xy;				/* lon, lat of all rings in turn, each closed */
	int64		npoints;
	int64		capacity;
	struct OutlineRing
	{
		int64		start;		/* first point */
		int64		npoints;
		bool		shell;		/* a polygon begins */
	}		   *rings;
	int64		nrings;
	int64		ring_capacity;
	int64		npolygons;
} Outline;

extern bool gaps_find(const HpxGrid *grid, const SpanList *cells, GapSet *set);
extern int gaps_segment_cells(const GapSet *set, uint32 segment, CellSpan spans[2]);
extern void gaps_find_centers(GapSet *set);
extern void gaps_outline(const HpxGrid *grid, const GapSet *set, const Gap *gap, Outline *out);

#endif							/* SR_GAPS_H */
