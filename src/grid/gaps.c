/*
 * gaps.c: sets of cells connected by their sides.
 */
#include "grid/gaps.h"

/* The lowest number of a set. */
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

/* Makes two sets one. */
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
		const Segment *s = &t->list.items[i];

		while (below < start[0] && t->list.items[below].hi < s->lo - 1)
			below++;
		for (int64 k = below; k < start[0] && t->list.items[k].lo <= s->hi; k++)
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
				int64		a = sr_segments_at_border(t, face, x, y);
				int			f = face;

				if (a < 0)
					continue;
				x += step[k][0];
				y += step[k][1];
				sr_hpx_enter_face(t->order, &f, &x, &y);
				if (sr_segments_at_border(t, f, x, y) >= 0)
					join(parent, (uint32) a, (uint32) sr_segments_at_border(t, f, x, y));
			}
		}
	}
}

/*
 * Takes a set of cells, given as ordered spans, apart into gaps; false when it
 * needs more than GAPS_MAX_SEGMENTS segments. Centres are not set yet.
 */
bool
sr_gaps_find(const HpxGrid *grid, const SpanList *cells, GapSet *set)
{
	SegmentTable *t = &set->table;
	uint32	   *parent;
	int64	   *next;

	sr_segments_init(t, grid->order);
	if (!sr_segments_read(t, cells, GAPS_MAX_SEGMENTS))
		return false;

	/* within faces, then across */
	set->piece = sr_alloc((size_t) t->list.count * sizeof(uint32));
	set->row = sr_alloc((size_t) t->list.count * sizeof(uint32));
	parent = sr_alloc((size_t) t->list.count * sizeof(uint32));
	for (int64 i = 0; i < t->list.count; i++)
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
	for (int64 i = 0; i < t->list.count; i++)
		parent[i] = set->piece[i] = find_root(set->piece, (uint32) i);
	join_faces(t, parent);

	/* number the gaps in the order of their first segments */
	set->ngaps = 0;
	for (int64 i = 0; i < t->list.count; i++)
		set->ngaps += parent[i] == (uint32) i;
	set->gaps = sr_alloc((size_t) set->ngaps * sizeof(Gap));
	set->ngaps = 0;
	for (int64 i = 0; i < t->list.count; i++)
	{
		Segment    *s = &t->list.items[i];
		int			face = (int) (set->row[i] / (uint32) t->nrows);
		int32		r = (int32) (set->row[i] % (uint32) t->nrows);
		uint32		root = find_root(parent, (uint32) i);
		int64		first = sr_row_lowest_cell(t->order, face, r, s->lo, s->hi);
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
			s->label = t->list.items[root].label;
		gap = &set->gaps[s->label];
		gap->ncell += s->hi - s->lo + 1;
		gap->nsegments++;
		gap->first = Min(gap->first, first);
		gap->center = -1;
	}
	sr_free(parent);

	set->members = sr_alloc((size_t) t->list.count * sizeof(uint32));
	next = sr_alloc((size_t) set->ngaps * sizeof(int64));
	for (int64 g = 0, at = 0; g < set->ngaps; g++)
	{
		set->gaps[g].start = next[g] = at;
		at += set->gaps[g].nsegments;
	}
	for (int64 i = 0; i < t->list.count; i++)
		set->members[next[t->list.items[i].label]++] = (uint32) i;
	sr_free(next);
	return true;
}

/* The cells of a segment as one or two spans; returns how many. */
int
sr_gaps_segment_cells(const GapSet *set, uint32 segment, CellSpan spans[2])
{
	uint32		nrows = (uint32) set->table.nrows;
	const Segment *s = &set->table.list.items[segment];

	return sr_row_cells(set->table.order, (int) (set->row[segment] / nrows),
						(int32) (set->row[segment] % nrows), s->lo, s->hi, spans);
}
