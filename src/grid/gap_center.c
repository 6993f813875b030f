/*
 * gap_center.c: where gaps are deepest.
 */
#include "grid/gaps.h"

/* The cells of a set all of whose four neighbours are in it too, labels kept. */
static void
erode(const SegmentTable *from, SegmentTable *to, Segments *below, Segments *above)
{
	to->list.count = 0;
	for (int face = 0; face < 12; face++)
		for (int32 r = 0; r < from->nrows; r++)
		{
			int64		at = (int64) face * from->nrows + r;
			int64		b = 0,
						a = 0;
			bool		beyond;

			to->start[at] = to->list.count;
			if (from->start[at] == from->start[at + 1])
				continue;
			sr_check_interrupts();
			/* other faces matter to cells at the border only */
			beyond = from->list.items[from->start[at]].lo == row_first(from->nside, r) ||
				from->list.items[from->start[at + 1] - 1].hi == row_last(from->nside, r);
			sr_segments_read_row(from, face, r - 1, -1, from->nside, beyond, below);
			sr_segments_read_row(from, face, r + 1, -1, from->nside, beyond, above);
			for (int64 i = from->start[at]; i < from->start[at + 1]; i++)
			{
				const Segment *s = &from->list.items[i];
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
						sr_array_push(&to->list, ((Segment) {lo, hi, s->label}));
					/* on to where one of the two ends */
					x = Max(lo, Min(below->items[b].hi, above->items[a].hi - 1) + 1);
				}
			}
		}
	to->start[12 * (int64) from->nrows] = to->list.count;
}

/*
 * Sets the gaps' centres: the cells that stay longest when all gaps lose their
 * outermost cells again and again, the lowest where several do.
 */
void
sr_gaps_find_centers(GapSet *set)
{
	SegmentTable t[2];
	const SegmentTable *from = &set->table;
	Segments	below = {0},
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
	sr_segments_init(&t[0], set->table.order);
	sr_segments_init(&t[1], set->table.order);
	for (uint32 step = 1; from->list.count > 0; step++)
	{
		SegmentTable *to = &t[step % 2];

		erode(from, to, &below, &above);
		for (int64 i = 0; i < to->list.count; i++)
			alive[to->list.items[i].label] = step;
		/* those of which nothing is left now: the lowest cell of what was left before */
		for (int row = 0; row < 12 * from->nrows; row++)
			for (int64 i = from->start[row]; i < from->start[row + 1]; i++)
			{
				const Segment *s = &from->list.items[i];
				Gap		   *gap = &set->gaps[s->label];
				int64		cell;

				if (alive[s->label] == step)
					continue;
				cell = sr_row_lowest_cell(from->order, row / from->nrows, row % from->nrows, s->lo, s->hi);
				gap->center = gap->center < 0 ? cell : Min(gap->center, cell);
			}
		from = to;
	}
	sr_segments_free(&t[0]);
	sr_segments_free(&t[1]);
	sr_array_free(&below);
	sr_array_free(&above);
	sr_free(alive);
}
