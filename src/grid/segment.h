/*
 * segment.h: sets of cells as segments of rows on the base faces. Pure C.
 *
 * A base face is a square of nside * nside cells; the four cells that share a
 * side with (x, y) are (x - 1, y), (x, y - 1), (x + 1, y), (x, y + 1), on the
 * next face where that leaves the square. The cells of a face on one ring are
 * those with x + y = row, with numbers that ascend with x. So cells are kept as
 * segments of rows: all costs go with the segments, not with the cells.
 */
#ifndef SR_SEGMENT_H
#define SR_SEGMENT_H

#include "base/array.h"
#include "grid/scan.h"

/* Cells lo .. hi, by x, of one row of one face. */
typedef struct Segment
{
	int32		lo;
	int32		hi;
	uint32		label;
} Segment;

typedef SR_ARRAY(Segment) Segments;

/* Segments by face and row, in order. */
typedef struct SegmentTable
{
	int			order;
	int32		nside;
	int32		nrows;			/* of a face: 2 * nside - 1 */
	int64	   *start;			/* first segment of row r of face f at [f * nrows + r] */
	Segments	list;
} SegmentTable;

extern void sr_segments_init(SegmentTable *t, int order);
extern void sr_segments_free(SegmentTable *t);
extern bool sr_segments_read(SegmentTable *t, const SpanList *cells, int64 most);
extern void sr_segments_read_row(const SegmentTable *t, int face, int32 row, int32 from, int32 to, bool beyond, Segments *out);
extern int64 sr_segments_at_border(const SegmentTable *t, int face, int32 x, int32 y);

extern int	sr_row_cells(int order, int face, int32 row, int32 lo, int32 hi, CellSpan spans[2]);
extern int64 sr_row_lowest_cell(int order, int face, int32 row, int32 lo, int32 hi);

/* The least and the largest x of a row. */
static inline int32
row_first(int32 nside, int32 row)
{
	return Max(0, row - (nside - 1));
}

static inline int32
row_last(int32 nside, int32 row)
{
	return Min(row, nside - 1);
}

#endif							/* SR_SEGMENT_H */
