/*
 * segment.c: sets of cells as segments of rows on the base faces.
 */
#include "grid/segment.h"

/* Appends lo .. hi, which begins at or behind the last segment's end. */
static void
join_on(Segments *s, int32 lo, int32 hi)
{
	if (s->count > 0 && lo <= s->items[s->count - 1].hi + 1)
		s->items[s->count - 1].hi = Max(s->items[s->count - 1].hi, hi);
	else
		sr_array_push(s, ((Segment) {lo, hi, 0}));
}

void
sr_segments_init(SegmentTable *t, int order)
{
	memset(t, 0, sizeof(SegmentTable));
	t->order = order;
	t->nside = INT32_C(1) << order;
	t->nrows = 2 * t->nside - 1;
	t->start = sr_alloc((12 * (size_t) t->nrows + 1) * sizeof(int64));
}

void
sr_segments_free(SegmentTable *t)
{
	sr_free(t->start);
	sr_array_free(&t->list);
}

/*
 * The cells lo .. hi of a row as one span, or two where face 4 lies across
 * longitude 0; in the order of x.
 */
int
sr_row_cells(int order, int face, int32 row, int32 lo, int32 hi, CellSpan spans[2])
{
	int			n = 0;

	if (face == 4 && 2 * lo < row)
	{
		int32		west = Min(hi, (row - 1) / 2);

		spans[n].first = sr_hpx_face_to_cell(order, face, lo, row - lo);
		spans[n].last = spans[n].first + (west - lo);
		n++;
		lo = west + 1;
	}
	if (lo <= hi)
	{
		spans[n].first = sr_hpx_face_to_cell(order, face, lo, row - lo);
		spans[n].last = spans[n].first + (hi - lo);
		n++;
	}
	return n;
}

/* The lowest cell of those. */
int64
sr_row_lowest_cell(int order, int face, int32 row, int32 lo, int32 hi)
{
	if (face == 4 && 2 * lo < row && 2 * hi >= row)
		lo = (row + 1) / 2;
	return sr_hpx_face_to_cell(order, face, lo, row - lo);
}

/* The segment that holds a cell at the border of a face, or -1. */
int64
sr_segments_at_border(const SegmentTable *t, int face, int32 x, int32 y)
{
	const int64 *start = &t->start[(int64) face * t->nrows + x + y];

	if (start[0] == start[1])
		return -1;
	/* borders are the rows' ends */
	if (x == 0 || y == t->nside - 1)
		return t->list.items[start[0]].lo == x ? start[0] : -1;
	return t->list.items[start[1] - 1].hi == x ? start[1] - 1 : -1;
}

/* Does the set hold a cell one step outside of a face? */
static bool
outside_has(const SegmentTable *t, int face, int32 x, int32 y)
{
	sr_hpx_enter_face(t->order, &face, &x, &y);
	return sr_segments_at_border(t, face, x, y) >= 0;
}

/*
 * What the set holds of a row from x = from to to, in segments that do not
 * touch. With beyond, cells one step outside of the face count too; they make
 * up rows -1 and nrows.
 */
void
sr_segments_read_row(const SegmentTable *t, int face, int32 row, int32 from, int32 to, bool beyond, Segments *out)
{
	int32		low,
				high;			/* x of the cells outside, at the row's ends */

	out->count = 0;
	if (row < t->nside - 1)
		low = -1;
	else
		low = row - t->nside;
	high = row - low;
	beyond = beyond && row != t->nside - 1;

	if (beyond && low >= from && outside_has(t, face, low, row - low))
		join_on(out, low, low);
	if (row >= 0 && row < t->nrows)
	{
		int64		at = t->start[(int64) face * t->nrows + row];
		int64		end = t->start[(int64) face * t->nrows + row + 1];
		int64		hi = end;

		while (from >= 0 && at < hi)
		{
			int64		mid = at + (hi - at) / 2;

			if (t->list.items[mid].hi < from)
				at = mid + 1;
			else
				hi = mid;
		}
		for (; at < end && t->list.items[at].lo <= to; at++)
			join_on(out, t->list.items[at].lo, t->list.items[at].hi);
	}
	if (beyond && high <= to && outside_has(t, face, high, row - high))
		join_on(out, high, high);
}

/* The cells of one row that are in a list of ordered spans. */
static void
read_spans(const SpanList *cells, int order, int face, int32 row, Segments *out)
{
	int32		nside = INT32_C(1) << order;
	CellSpan	range[2];
	int			n;
	int32		x;

	out->count = 0;
	if (row < 0 || row > 2 * nside - 2)
		return;
	x = row_first(nside, row);
	n = sr_row_cells(order, face, row, x, row_last(nside, row), range);
	for (int k = 0; k < n; k++)
	{
		int64		at = 0,
					end = cells->nspans;

		while (at < end)
		{
			int64		mid = at + (end - at) / 2;

			if (cells->spans[mid].last < range[k].first)
				at = mid + 1;
			else
				end = mid;
		}
		for (; at < cells->nspans && cells->spans[at].first <= range[k].last; at++)
			join_on(out,
							x + (int32) (Max(cells->spans[at].first, range[k].first) - range[k].first),
							x + (int32) (Min(cells->spans[at].last, range[k].last) - range[k].first));
		x += (int32) (range[k].last - range[k].first) + 1;
	}
}

/*
 * Adds a row's segments to the table, cut where neighbours on the row have no
 * neighbour in common, so that all cells of a segment are connected by way of
 * the rows beside it.
 */
static void
add_row(SegmentTable *t, const Segments *below, const Segments *here, const Segments *above)
{
	int64		b = 0,
				a = 0;

	for (int64 i = 0; i < here->count; i++)
	{
		int32		lo = here->items[i].lo;
		int32		hi = here->items[i].hi;
		int32		x = lo;		/* lo .. x are connected */

		while (x < hi)
		{
			int32		reach = x;

			/* x and x + 1 have x of the row below in common, and x + 1 of the row above */
			while (b < below->count && below->items[b].hi < x)
				b++;
			while (a < above->count && above->items[a].hi < x + 1)
				a++;
			if (b < below->count && below->items[b].lo <= x)
				reach = Max(reach, below->items[b].hi + 1);
			if (a < above->count && above->items[a].lo <= x + 1)
				reach = Max(reach, above->items[a].hi);
			if (reach == x)
			{
				sr_array_push(&t->list, ((Segment) {lo, x, 0}));
				lo = ++x;
			}
			else
				x = Min(reach, hi);
		}
		sr_array_push(&t->list, ((Segment) {lo, hi, 0}));
	}
}

/*
 * Fills a table with the cells of ordered spans, in segments whose cells are connected
 * within the face; false when that takes more than so many segments.
 */
bool
sr_segments_read(SegmentTable *t, const SpanList *cells, int64 most)
{
	Segments	row[3] = {{0}};

	for (int face = 0; face < 12; face++)
	{
		Segments   *below = &row[0],
				   *here = &row[1],
				   *above = &row[2];

		below->count = 0;
		read_spans(cells, t->order, face, 0, here);
		for (int32 r = 0; r < t->nrows; r++)
		{
			Segments   *spare = below;

			sr_check_interrupts();
			read_spans(cells, t->order, face, r + 1, above);
			t->start[(int64) face * t->nrows + r] = t->list.count;
			add_row(t, below, here, above);
			if (t->list.count > most)
				return false;
			below = here;
			here = above;
			above = spare;
		}
	}
	t->start[12 * (int64) t->nrows] = t->list.count;
	for (int k = 0; k < 3; k++)
		sr_array_free(&row[k]);
	return true;
}
