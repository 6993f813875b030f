/*
 * gaps.c: sets of cells connected by their sides: which they are, where each is
 * deepest, and their outlines.
 */
#include "grid/gaps.h"

#include "base/vec3.h"

/* A growing list of segments: part of one row. */
typedef struct RowBuffer
{
	Segment    *items;
	int64		count;
	int64		capacity;
} RowBuffer;

static void
row_buffer_add(RowBuffer *b, int32 lo, int32 hi)
{
	if (b->count == b->capacity)
	{
		b->capacity = b->capacity ? 2 * b->capacity : 64;
		b->items = b->items == NULL ? sr_alloc((size_t) b->capacity * sizeof(Segment))
			: sr_realloc(b->items, (size_t) b->capacity * sizeof(Segment));
	}
	b->items[b->count].lo = lo;
	b->items[b->count].hi = hi;
	b->items[b->count].label = 0;
	b->count++;
}

/* Appends lo .. hi, which begins at or behind the last segment's end. */
static void
row_buffer_join(RowBuffer *b, int32 lo, int32 hi)
{
	if (b->count > 0 && lo <= b->items[b->count - 1].hi + 1)
		b->items[b->count - 1].hi = Max(b->items[b->count - 1].hi, hi);
	else
		row_buffer_add(b, lo, hi);
}

static void
row_buffer_free(RowBuffer *b)
{
	if (b->items != NULL)
		sr_free(b->items);
	b->items = NULL;
	b->count = b->capacity = 0;
}

/* ---------- tables of segments ---------- */

static void
table_init(SegmentTable *t, int order)
{
	t->order = order;
	t->nside = INT32_C(1) << order;
	t->nrows = 2 * t->nside - 1;
	t->start = sr_alloc((12 * (size_t) t->nrows + 1) * sizeof(int64));
	t->capacity = 1024;
	t->segments = sr_alloc((size_t) t->capacity * sizeof(Segment));
	t->nsegments = 0;
}

static void
table_free(SegmentTable *t)
{
	sr_free(t->start);
	sr_free(t->segments);
}

static inline void
table_add(SegmentTable *t, int32 lo, int32 hi, uint32 label)
{
	Segment    *s;

	if (t->nsegments == t->capacity)
	{
		sr_check_interrupts();
		t->capacity *= 2;
		t->segments = sr_realloc(t->segments, (size_t) t->capacity * sizeof(Segment));
	}
	s = &t->segments[t->nsegments++];
	s->lo = lo;
	s->hi = hi;
	s->label = label;
}

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

/*
 * The cells lo .. hi of a row as one span, or two where face 4 lies across
 * longitude 0; in the order of x.
 */
static int
row_cells(int order, int face, int32 row, int32 lo, int32 hi, CellSpan spans[2])
{
	int			n = 0;

	if (face == 4 && 2 * lo < row)
	{
		int32		west = Min(hi, (row - 1) / 2);

		spans[n].first = hpx_face_to_cell(order, face, lo, row - lo);
		spans[n].last = spans[n].first + (west - lo);
		n++;
		lo = west + 1;
	}
	if (lo <= hi)
	{
		spans[n].first = hpx_face_to_cell(order, face, lo, row - lo);
		spans[n].last = spans[n].first + (hi - lo);
		n++;
	}
	return n;
}

/* The lowest cell of those. */
static inline int64
lowest_cell(int order, int face, int32 row, int32 lo, int32 hi)
{
	if (face == 4 && 2 * lo < row && 2 * hi >= row)
		lo = (row + 1) / 2;
	return hpx_face_to_cell(order, face, lo, row - lo);
}

/* The segment that holds a cell at the border of a face, or -1. */
static int64
border_segment(const SegmentTable *t, int face, int32 x, int32 y)
{
	const int64 *start = &t->start[(int64) face * t->nrows + x + y];

	if (start[0] == start[1])
		return -1;
	/* borders are the rows' ends */
	if (x == 0 || y == t->nside - 1)
		return t->segments[start[0]].lo == x ? start[0] : -1;
	return t->segments[start[1] - 1].hi == x ? start[1] - 1 : -1;
}

/* Does the set hold a cell one step outside of a face? */
static bool
outside_has(const SegmentTable *t, int face, int32 x, int32 y)
{
	hpx_enter_face(t->order, &face, &x, &y);
	return border_segment(t, face, x, y) >= 0;
}

/*
 * What the set holds of a row from x = from to to, in segments that do not
 * touch. With beyond, cells one step outside of the face count too; they make
 * up rows -1 and nrows.
 */
static void
read_row(const SegmentTable *t, int face, int32 row, int32 from, int32 to, bool beyond, RowBuffer *out)
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
		row_buffer_add(out, low, low);
	if (row >= 0 && row < t->nrows)
	{
		int64		at = t->start[(int64) face * t->nrows + row];
		int64		end = t->start[(int64) face * t->nrows + row + 1];
		int64		hi = end;

		while (from >= 0 && at < hi)
		{
			int64		mid = at + (hi - at) / 2;

			if (t->segments[mid].hi < from)
				at = mid + 1;
			else
				hi = mid;
		}
		for (; at < end && t->segments[at].lo <= to; at++)
			row_buffer_join(out, t->segments[at].lo, t->segments[at].hi);
	}
	if (beyond && high <= to && outside_has(t, face, high, row - high))
		row_buffer_join(out, high, high);
}

/* ---------- finding gaps ---------- */

/* The cells of one row that are in a list of ordered spans. */
static void
scan_row(const SpanList *cells, int order, int face, int32 row, RowBuffer *out)
{
	int32		nside = INT32_C(1) << order;
	CellSpan	range[2];
	int			n;
	int32		x;

	out->count = 0;
	if (row < 0 || row > 2 * nside - 2)
		return;
	x = row_first(nside, row);
	n = row_cells(order, face, row, x, row_last(nside, row), range);
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
			row_buffer_join(out,
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
add_row(SegmentTable *t, const RowBuffer *below, const RowBuffer *here, const RowBuffer *above)
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
				table_add(t, lo, x, 0);
				lo = ++x;
			}
			else
				x = Min(reach, hi);
		}
		table_add(t, lo, hi, 0);
	}
}

static inline uint32
find_root(uint32 *parent, uint32 i)
{
	while (parent[i] != i)
	{
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

static inline void
join(uint32 *parent, uint32 a, uint32 b)
{
	a = find_root(parent, a);
	b = find_root(parent, b);
	/* the lower number is the root */
	if (a < b)
		parent[b] = a;
	else
		parent[a] = b;
}

/* Joins the segments of a row with those of the row below that share a side with them. */
static void
join_rows(const SegmentTable *t, uint32 *parent, int face, int32 row)
{
	const int64 *start = &t->start[(int64) face * t->nrows + row];
	int64		below = start[-1];

	for (int64 i = start[0]; i < start[1]; i++)
	{
		const Segment *s = &t->segments[i];

		while (below < start[0] && t->segments[below].hi < s->lo - 1)
			below++;
		for (int64 k = below; k < start[0] && t->segments[k].lo <= s->hi; k++)
			join(parent, (uint32) i, (uint32) k);
	}
}

/* Joins segments across the sides of faces. */
static void
join_faces(const SegmentTable *t, uint32 *parent)
{
	for (int face = 0; face < 12; face++)
	{
		sr_check_interrupts();
		for (int32 i = 0; i < t->nside; i++)
		{
			/* every side but those between southern faces is the northern side of one */
			int32		border[3][2] = {{t->nside - 1, i}, {i, t->nside - 1}, {i, 0}};
			static const int step[3][2] = {{1, 0}, {0, 1}, {0, -1}};

			for (int k = 0; k < 3; k++)
			{
				int32		x = border[k][0];
				int32		y = border[k][1];
				int64		a = border_segment(t, face, x, y);
				int			f = face;

				if (a < 0)
					continue;
				x += step[k][0];
				y += step[k][1];
				hpx_enter_face(t->order, &f, &x, &y);
				if (border_segment(t, f, x, y) >= 0)
					join(parent, (uint32) a, (uint32) border_segment(t, f, x, y));
			}
		}
	}
}

/*
 * Takes a set of cells, given as ordered spans, apart into gaps; false when it
 * needs more than GAPS_MAX_SEGMENTS segments. Centres are not set yet.
 */
bool
gaps_find(const HpxGrid *grid, const SpanList *cells, GapSet *set)
{
	SegmentTable *t = &set->table;
	RowBuffer	row[3] = {{0}};
	uint32	   *parent;
	int64	   *next;

	table_init(t, grid->order);
	for (int face = 0; face < 12; face++)
	{
		RowBuffer  *below = &row[0],
				   *here = &row[1],
				   *above = &row[2];

		below->count = 0;
		scan_row(cells, grid->order, face, 0, here);
		for (int32 r = 0; r < t->nrows; r++)
		{
			RowBuffer  *spare = below;

			sr_check_interrupts();
			scan_row(cells, grid->order, face, r + 1, above);
			t->start[(int64) face * t->nrows + r] = t->nsegments;
			add_row(t, below, here, above);
			if (t->nsegments > GAPS_MAX_SEGMENTS)
				return false;
			below = here;
			here = above;
			above = spare;
		}
	}
	t->start[12 * (int64) t->nrows] = t->nsegments;
	for (int k = 0; k < 3; k++)
		row_buffer_free(&row[k]);

	/* within faces, then across */
	set->piece = sr_alloc((size_t) t->nsegments * sizeof(uint32));
	set->row = sr_alloc((size_t) t->nsegments * sizeof(uint32));
	parent = sr_alloc((size_t) t->nsegments * sizeof(uint32));
	for (int64 i = 0; i < t->nsegments; i++)
		set->piece[i] = (uint32) i;
	for (int face = 0; face < 12; face++)
		for (int32 r = 0; r < t->nrows; r++)
		{
			int64		at = (int64) face * t->nrows + r;

			sr_check_interrupts();
			for (int64 i = t->start[at]; i < t->start[at + 1]; i++)
				set->row[i] = (uint32) at;
			if (r > 0)
				join_rows(t, set->piece, face, r);
		}
	for (int64 i = 0; i < t->nsegments; i++)
		parent[i] = set->piece[i] = find_root(set->piece, (uint32) i);
	join_faces(t, parent);

	/* number the gaps in the order of their first segments */
	set->ngaps = 0;
	for (int64 i = 0; i < t->nsegments; i++)
		set->ngaps += parent[i] == (uint32) i;
	set->gaps = sr_alloc((size_t) set->ngaps * sizeof(Gap));
	set->ngaps = 0;
	for (int64 i = 0; i < t->nsegments; i++)
	{
		Segment    *s = &t->segments[i];
		int			face = (int) (set->row[i] / (uint32) t->nrows);
		int32		r = (int32) (set->row[i] % (uint32) t->nrows);
		uint32		root = find_root(parent, (uint32) i);
		int64		first = lowest_cell(t->order, face, r, s->lo, s->hi);
		Gap		   *gap;

		if (i % 65536 == 0)
			sr_check_interrupts();
		/* a root is the lowest of its set, so its label is there before it is read */
		if (root == (uint32) i)
		{
			s->label = (uint32) set->ngaps;
			gap = &set->gaps[set->ngaps++];
			gap->ncell = gap->nsegments = 0;
			gap->first = first;
		}
		else
			s->label = t->segments[root].label;
		gap = &set->gaps[s->label];
		gap->ncell += s->hi - s->lo + 1;
		gap->nsegments++;
		gap->first = Min(gap->first, first);
		gap->center = -1;
	}
	sr_free(parent);

	set->members = sr_alloc((size_t) t->nsegments * sizeof(uint32));
	next = sr_alloc((size_t) set->ngaps * sizeof(int64));
	for (int64 g = 0, at = 0; g < set->ngaps; g++)
	{
		set->gaps[g].start = next[g] = at;
		at += set->gaps[g].nsegments;
	}
	for (int64 i = 0; i < t->nsegments; i++)
		set->members[next[t->segments[i].label]++] = (uint32) i;
	sr_free(next);
	return true;
}

/* The cells of a segment as one or two spans; returns how many. */
int
gaps_segment_cells(const GapSet *set, uint32 segment, CellSpan spans[2])
{
	uint32		nrows = (uint32) set->table.nrows;
	const Segment *s = &set->table.segments[segment];

	return row_cells(set->table.order, (int) (set->row[segment] / nrows),
					 (int32) (set->row[segment] % nrows), s->lo, s->hi, spans);
}

/* ---------- centres ---------- */

/* The cells of a set all of whose four neighbours are in it too, labels kept. */
static void
erode(const SegmentTable *from, SegmentTable *to, RowBuffer *below, RowBuffer *above)
{
	to->nsegments = 0;
	for (int face = 0; face < 12; face++)
		for (int32 r = 0; r < from->nrows; r++)
		{
			int64		at = (int64) face * from->nrows + r;
			int64		b = 0,
						a = 0;
			bool		beyond;

			to->start[at] = to->nsegments;
			if (from->start[at] == from->start[at + 1])
				continue;
			sr_check_interrupts();
			/* other faces matter to cells at the border only */
			beyond = from->segments[from->start[at]].lo == row_first(from->nside, r) ||
				from->segments[from->start[at + 1] - 1].hi == row_last(from->nside, r);
			read_row(from, face, r - 1, -1, from->nside, beyond, below);
			read_row(from, face, r + 1, -1, from->nside, beyond, above);
			for (int64 i = from->start[at]; i < from->start[at + 1]; i++)
			{
				const Segment *s = &from->segments[i];
				int32		x = s->lo;

				/* x - 1 and x of the row below, x and x + 1 of the row above */
				while (x <= s->hi)
				{
					int32		lo,
								hi;

					while (b < below->count && below->items[b].hi < x)
						b++;
					while (a < above->count && above->items[a].hi < x + 1)
						a++;
					if (b == below->count || a == above->count)
						break;
					lo = Max(x, Max(below->items[b].lo + 1, above->items[a].lo));
					hi = Min(s->hi, Min(below->items[b].hi, above->items[a].hi - 1));
					if (lo <= hi)
						table_add(to, lo, hi, s->label);
					/* on to where one of the two ends */
					x = Max(lo, Min(below->items[b].hi, above->items[a].hi - 1) + 1);
				}
			}
		}
	to->start[12 * (int64) from->nrows] = to->nsegments;
}

/*
 * Sets the gaps' centres: the cells that stay longest when all gaps lose their
 * outermost cells again and again, the lowest where several do.
 */
void
gaps_find_centers(GapSet *set)
{
	SegmentTable t[2];
	const SegmentTable *from = &set->table;
	RowBuffer	below = {0},
				above = {0};
	uint32	   *alive;			/* steps that left something of a gap */

	/* all of the Earth has no outside */
	if (set->ngaps == 1 && set->gaps[0].ncell == INT64_C(12) << (2 * set->table.order))
	{
		set->gaps[0].center = set->gaps[0].first;
		return;
	}
	alive = sr_alloc((size_t) set->ngaps * sizeof(uint32));
	memset(alive, 0, (size_t) set->ngaps * sizeof(uint32));
	table_init(&t[0], set->table.order);
	table_init(&t[1], set->table.order);
	for (uint32 step = 1; from->nsegments > 0; step++)
	{
		SegmentTable *to = &t[step % 2];

		erode(from, to, &below, &above);
		for (int64 i = 0; i < to->nsegments; i++)
			alive[to->segments[i].label] = step;
		/* those of which nothing is left now: the lowest cell of what was left before */
		for (int row = 0; row < 12 * from->nrows; row++)
			for (int64 i = from->start[row]; i < from->start[row + 1]; i++)
			{
				const Segment *s = &from->segments[i];
				Gap		   *gap = &set->gaps[s->label];
				int64		cell;

				if (alive[s->label] == step)
					continue;
				cell = lowest_cell(from->order, row / from->nrows, row % from->nrows, s->lo, s->hi);
				gap->center = gap->center < 0 ? cell : Min(gap->center, cell);
			}
		from = to;
	}
	table_free(&t[0]);
	table_free(&t[1]);
	row_buffer_free(&below);
	row_buffer_free(&above);
	sr_free(alive);
}

/* ---------- outlines ---------- */

/*
 * A side of a cell with the gap on its left: south-east, north-east, north-west
 * and south-west are sides 0 to 3.
 */
typedef struct Side
{
	int64		from;			/* hpx_vertex */
	int64		to;				/* -1: used */
	int32		face;
	int32		x;
	int32		y;
	int32		side;
} Side;

/* Corners of a cell in the order of the sides that begin there: south, east, north, west. */
static const int32 corner[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};

typedef struct SideList
{
	Side	   *edges;
	int64		count;
	int64		capacity;
} SideList;

static void
side_add(SideList *list, int order, int face, int32 x, int32 y, int side)
{
	Side	   *e;

	if (list->count == list->capacity)
	{
		sr_check_interrupts();
		list->capacity = list->capacity ? 2 * list->capacity : 64;
		list->edges = list->edges == NULL ? sr_alloc((size_t) list->capacity * sizeof(Side))
			: sr_realloc(list->edges, (size_t) list->capacity * sizeof(Side));
	}
	e = &list->edges[list->count++];
	e->from = hpx_vertex(order, face, x + corner[side][0], y + corner[side][1]);
	e->to = hpx_vertex(order, face, x + corner[(side + 1) % 4][0], y + corner[(side + 1) % 4][1]);
	e->face = face;
	e->x = x;
	e->y = y;
	e->side = side;
}

static int
compare_sides(const void *pa, const void *pb)
{
	const Side *a = pa;
	const Side *b = pb;

	sr_check_interrupts();
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

/*
 * The sides between some segments of a gap and cells that are not in it or, with
 * split, not on the same face.
 */
static void
collect_sides(const GapSet *set, const uint32 *members, int64 n, bool split, SideList *out)
{
	const SegmentTable *t = &set->table;
	RowBuffer	beside = {0};

	out->count = 0;
	for (int64 i = 0; i < n; i++)
	{
		const Segment *s = &t->segments[members[i]];
		int			face = (int) (set->row[members[i]] / (uint32) t->nrows);
		int32		row = (int32) (set->row[members[i]] % (uint32) t->nrows);
		int32		x;

		sr_check_interrupts();
		/* below lie x - 1, to the south-west, and x, to the south-east */
		read_row(t, face, row - 1, s->lo - 1, s->hi, !split, &beside);
		x = s->lo - 1;
		for (int64 k = 0; k <= beside.count; k++)
		{
			int32		end = k < beside.count ? beside.items[k].lo : s->hi + 1;

			for (; x < end; x++)
			{
				if (x < s->hi)
					side_add(out, t->order, face, x + 1, row - x - 1, 3);
				if (x >= s->lo)
					side_add(out, t->order, face, x, row - x, 0);
			}
			if (k < beside.count)
				x = beside.items[k].hi + 1;
		}
		/* above lie x, to the north-west, and x + 1, to the north-east */
		read_row(t, face, row + 1, s->lo, s->hi + 1, !split, &beside);
		x = s->lo;
		for (int64 k = 0; k <= beside.count; k++)
		{
			int32		end = k < beside.count ? beside.items[k].lo : s->hi + 2;

			for (; x < end; x++)
			{
				if (x <= s->hi)
					side_add(out, t->order, face, x, row - x, 2);
				if (x > s->lo)
					side_add(out, t->order, face, x - 1, row - x + 1, 1);
			}
			if (k < beside.count)
				x = beside.items[k].hi + 1;
		}
	}
	row_buffer_free(&beside);
}

static void
add_point(Outline *out, double lon, double lat)
{
	if (out->npoints == out->capacity)
	{
		sr_check_interrupts();
		out->capacity = out->capacity ? 2 * out->capacity : 64;
		out->xy = out->xy == NULL ? sr_alloc((size_t) out->capacity * 2 * sizeof(double))
			: sr_realloc(out->xy, (size_t) out->capacity * 2 * sizeof(double));
	}
	out->xy[2 * out->npoints] = lon;
	out->xy[2 * out->npoints + 1] = lat;
	out->npoints++;
}

/*
 * Corners are moved by so many degrees, a millimetre. PostGIS counts the edges
 * that a line from a point outside of the geocentric box crosses. Centres and
 * corners of cells, and often that point too, share meridians, and where the line
 * runs through a corner PostGIS may count wrong.
 */
#define NUDGE 1e-8

/*
 * Moves a point of a polar face off the meridians and the equator that bound it,
 * so that the face lies in one octant to PostGIS too.
 */
static void
move_into_face(int face, double *lon, double *lat)
{
	double		west = 90.0 * (face % 4);
	double		east_of_it = *lon - west;

	if (east_of_it < -1.0)
		east_of_it += 360.0;
	*lon = west + NUDGE + east_of_it * (1.0 - 3.0 * NUDGE / 90.0);
	if (*lon > 180.0)
		*lon -= 360.0;
	*lat += face < 4 ? NUDGE : -NUDGE;
}

/*
 * Adds where a side begins, and the points on it. Sides are no great circles:
 * long ones bend with the grid, and those near a pole at every order. The number
 * of chords depends on the side alone and is a power of two, so that the cells
 * on both sides of it give the same points to the bit, and each polygon's area
 * is within 0.1 % of its cells'.
 */
static void
add_side_points(Outline *out, const HpxGrid *grid, const Side *e, bool split)
{
	int32		nside = (int32) grid->nside;
	int32		a = (int32) (e->from >> 32);
	int32		b = (int32) (e->to >> 32);
	int32		from_pole = Min(Max(a, b), 4 * nside - Min(a, b));
	int32		steps = grid->order < 6 ? 64 >> grid->order : 1;
	const int32 *from = corner[e->side];
	const int32 *to = corner[(e->side + 1) % 4];

	while ((int64) steps * steps * from_pole < 144)
		steps *= 2;
	for (int32 k = 0; k < steps; k++)
	{
		double		t = (double) k / steps;
		double		lon,
					lat;

		hpx_face_position(e->face,
						  (e->x + from[0] + t * (to[0] - from[0])) / nside,
						  (e->y + from[1] + t * (to[1] - from[1])) / nside, &lon, &lat);
		if (k == 0 && a % (4 * nside) == 0)
		{
			/* a pole, to be missed by lines over the pole */
			lon = split ? 90.0 * (e->face % 4) + 17.0 : 17.0;
			lat = a == 0 ? 90.0 - NUDGE : NUDGE - 90.0;
			lon = lon > 180.0 ? lon - 360.0 : lon;
		}
		else if (split && e->face / 4 != 1)
			move_into_face(e->face, &lon, &lat);
		else
			lon -= NUDGE;
		add_point(out, lon, lat);
	}
}

/* The first edge from a vertex, in sorted edges. */
static int64
first_from(const SideList *list, int64 vertex)
{
	int64		lo = 0,
				hi = list->count;

	while (lo < hi)
	{
		int64		mid = lo + (hi - lo) / 2;

		if (list->edges[mid].from < vertex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The edge that goes on where one ends. Where two cells of the gap touch by that
 * corner only, it is the other cell's: so the outside stays in two, the rings on
 * either side of the corner are simple, and they have no more than it in common.
 */
static int64
next_side(const SideList *list, const Side *e, int64 to)
{
	int64		i = first_from(list, to);
	const Side *n = &list->edges[i];

	Assert(i < list->count && n->from == to);
	if (i + 1 < list->count && n[1].from == to && n->face == e->face && n->x == e->x && n->y == e->y)
		return i + 1;
	return i;
}

/*
 * Twice the area of a ring in the stereographic projection around a point:
 * positive if it runs counter-clockwise as seen from above that point.
 */
static double
projected_area(const Outline *out, const struct OutlineRing *ring, Vec3 middle)
{
	Vec3		axis = {0, 0, 1};
	Vec3		e,
				n;
	double		len;
	double		area = 0;
	double		x0 = 0,
				y0 = 0;

	if (fabs(middle.z) > 0.9)
	{
		axis.x = 1;
		axis.z = 0;
	}
	/* east = axis x middle, north = middle x east */
	e.x = axis.y * middle.z - axis.z * middle.y;
	e.y = axis.z * middle.x - axis.x * middle.z;
	e.z = axis.x * middle.y - axis.y * middle.x;
	len = sqrt(dot(e, e));
	e.x /= len;
	e.y /= len;
	e.z /= len;
	n.x = middle.y * e.z - middle.z * e.y;
	n.y = middle.z * e.x - middle.x * e.z;
	n.z = middle.x * e.y - middle.y * e.x;
	for (int64 i = ring->start; i < ring->start + ring->npoints; i++)
	{
		Vec3		p = unit_vector(out->xy[2 * i], out->xy[2 * i + 1]);
		double		w = 1.0 + dot(p, middle);
		double		x = dot(p, e) / w;
		double		y = dot(p, n) / w;

		if (i > ring->start)
			area += x0 * y - x * y0;
		x0 = x;
		y0 = y;
	}
	return area;
}

/* Adds the polygon of some segments of a gap, which are connected and lie around a point. */
static void
add_polygon(const HpxGrid *grid, const GapSet *set, const uint32 *members, int64 n, bool split,
			Vec3 middle, SideList *edges, Outline *out)
{
	int64		first_ring = out->nrings;
	int64		shell = first_ring;
	double		most = 0;

	collect_sides(set, members, n, split, edges);
	qsort(edges->edges, edges->count, sizeof(Side), compare_sides);
	for (int64 i = 0; i < edges->count; i++)
	{
		struct OutlineRing *ring;
		int64		at = i;

		if (edges->edges[i].to < 0)
			continue;
		if (out->nrings == out->ring_capacity)
		{
			out->ring_capacity = out->ring_capacity ? 2 * out->ring_capacity : 16;
			out->rings = out->rings == NULL ? sr_alloc((size_t) out->ring_capacity * sizeof(*ring))
				: sr_realloc(out->rings, (size_t) out->ring_capacity * sizeof(*ring));
		}
		ring = &out->rings[out->nrings++];
		ring->start = out->npoints;
		ring->shell = false;
		do
		{
			Side	   *e = &edges->edges[at];
			int64		to = e->to;

			sr_check_interrupts();
			add_side_points(out, grid, e, split);
			e->to = -1;
			at = next_side(edges, e, to);
			/* every ring closes; a ring that did not would end where an edge is used up */
		} while (at != i && edges->edges[at].to >= 0);
		add_point(out, out->xy[2 * ring->start], out->xy[2 * ring->start + 1]);
		ring->npoints = out->npoints - ring->start;
	}

	/* the shell runs counter-clockwise around the middle, holes clockwise */
	for (int64 r = first_ring; out->nrings > first_ring + 1 && r < out->nrings; r++)
	{
		double		area = projected_area(out, &out->rings[r], middle);

		sr_check_interrupts();
		if (area > most)
		{
			most = area;
			shell = r;
		}
	}
	if (shell != first_ring)
	{
		struct OutlineRing swap = out->rings[shell];

		out->rings[shell] = out->rings[first_ring];
		out->rings[first_ring] = swap;
	}
	out->rings[first_ring].shell = true;
	out->npolygons++;
}

static Vec3
cell_vector(const HpxGrid *grid, int64 cell)
{
	double		lon,
				lat;

	hpx_cell_center(grid, cell, &lon, &lat);
	return unit_vector(lon, lat);
}

/* Does a gap lie well within a hemisphere? Sets its middle. */
static bool
is_compact(const HpxGrid *grid, const GapSet *set, const Gap *gap, Vec3 *middle)
{
	Vec3		sum = {0, 0, 0};
	double		s,
				c,
				len;
	CellSpan	spans[2];

	/* neighbours' centres are less than 2.5 / nside radians apart */
	*middle = cell_vector(grid, gap->center);
	if ((double) gap->ncell * 2.5 < (double) grid->nside)
		return true;

	for (int pass = 0; pass < 2; pass++)
	{
		/* 70 degrees, less what a large cell adds */
		sr_sincos_deg(70.0 - 50.0 / (double) grid->nside, &s, &c);
		for (int64 i = 0; i < gap->nsegments; i++)
		{
			int			n = gaps_segment_cells(set, set->members[gap->start + i], spans);

			sr_check_interrupts();
			for (int k = 0; k < n; k++)
				for (int end = 0; end < 2; end++)
				{
					Vec3		v = cell_vector(grid, end ? spans[k].last : spans[k].first);
					double		weight = (double) (spans[k].last - spans[k].first + 1);

					if (pass == 1 && dot(v, *middle) < c)
						return false;
					sum.x += v.x * weight;
					sum.y += v.y * weight;
					sum.z += v.z * weight;
				}
		}
		len = sqrt(dot(sum, sum));
		if (len < 1e-3)
			return false;
		if (pass == 0)
		{
			middle->x = sum.x / len;
			middle->y = sum.y / len;
			middle->z = sum.z / len;
		}
	}
	return true;
}

/*
 * Will PostGIS find a point outside of a polygon? It takes for the inside what is
 * not connected to a corner of the geocentric box, which it widens to the poles
 * of every axis around which the box lies. That may leave no corner: then it
 * guesses.
 */
static bool
has_outside(const Outline *out, const struct OutlineRing *shell)
{
	const double slack = 1e-3;	/* for what edges bulge */
	double		lo[3] = {2, 2, 2};
	double		hi[3] = {-2, -2, -2};

	for (int64 i = shell->start; i < shell->start + shell->npoints; i++)
	{
		Vec3		v = unit_vector(out->xy[2 * i], out->xy[2 * i + 1]);
		double		c[3] = {v.x, v.y, v.z};

		sr_check_interrupts();
		for (int k = 0; k < 3; k++)
		{
			lo[k] = Min(lo[k], c[k] - slack);
			hi[k] = Max(hi[k], c[k] + slack);
		}
	}
	/* in one direction at least it stays on one side */
	for (int k = 0; k < 3; k++)
		if (lo[k] > 0 || hi[k] < 0)
			return true;
	return false;
}

/* Order of members of one gap: by pieces. */
typedef struct PieceMember
{
	uint32		piece;
	uint32		segment;
} PieceMember;

static int
compare_piece_members(const void *pa, const void *pb)
{
	const PieceMember *a = pa;
	const PieceMember *b = pb;

	sr_check_interrupts();
	if (a->piece != b->piece)
		return a->piece < b->piece ? -1 : 1;
	return a->segment < b->segment ? -1 : a->segment > b->segment;
}

/*
 * The outline of a gap: one polygon, or, for a gap too large for PostGIS to tell
 * its inside, one for each of the parts that the base faces cut it into.
 */
void
gaps_outline(const HpxGrid *grid, const GapSet *set, const Gap *gap, Outline *out)
{
	const uint32 *members = &set->members[gap->start];
	SideList	edges = {NULL, 0, 0};
	Vec3		middle;
	bool		whole = false;

	memset(out, 0, sizeof(*out));
	if (is_compact(grid, set, gap, &middle))
	{
		add_polygon(grid, set, members, gap->nsegments, false, middle, &edges, out);
		whole = has_outside(out, &out->rings[0]);
		if (!whole)
			out->npoints = out->nrings = out->npolygons = 0;
	}
	if (!whole)
	{
		PieceMember *sorted = sr_alloc((size_t) gap->nsegments * sizeof(PieceMember));
		uint32	   *part = sr_alloc((size_t) gap->nsegments * sizeof(uint32));

		for (int64 i = 0; i < gap->nsegments; i++)
		{
			sorted[i].segment = members[i];
			sorted[i].piece = set->piece[members[i]];
		}
		qsort(sorted, gap->nsegments, sizeof(PieceMember), compare_piece_members);
		for (int64 i = 0; i < gap->nsegments; i++)
			part[i] = sorted[i].segment;
		for (int64 i = 0, end; i < gap->nsegments; i = end)
		{
			int			face = (int) (set->row[part[i]] / (uint32) set->table.nrows);
			double		lon,
						lat;

			for (end = i + 1; end < gap->nsegments && sorted[end].piece == sorted[i].piece; end++)
				;
			hpx_face_position(face, 0.5, 0.5, &lon, &lat);
			middle = unit_vector(lon, lat);
			add_polygon(grid, set, &part[i], end - i, true, middle, &edges, out);
		}
		sr_free(sorted);
		sr_free(part);
	}
	if (edges.edges != NULL)
		sr_free(edges.edges);
}
