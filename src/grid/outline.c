/*
 * outline.c: from intervals on rows to outlines.
 *
 * An interval has two sides, each with a top and a bottom end. At the line
 * between two rows the shape's horizontal edges lie where one row is inside and
 * the other is not; inside changes at each side of either row, so of the ends
 * at that line, sorted along it, the first is joined to the second, the third
 * to the fourth, and so on. Following sides and joints gives closed outlines.
 *
 * An outline passes through the middle of each side rather than along it, so
 * that a slanted border is a slanted line and not stairs; it keeps the corners
 * where it turns back. It departs from the stairs by at most half a row.
 * Outlines of holes and islands are told apart by the even-odd rule.
 */
#include "grid/outline.h"

/* Side 2 i is interval i's left one, 2 i + 1 its right one; end 2 s is side s's top, 2 s + 1 its bottom. */
#define SIDE(end) ((end) >> 1)
#define IS_BOTTOM(end) ((end) & 1)

static inline double
side_x(const RowSpan *spans, int64 side)
{
	return side & 1 ? spans[side >> 1].to : spans[side >> 1].from;
}

/*
 * Joins the bottom ends of the intervals first .. middle - 1 and the top ends of
 * middle .. last - 1, which lie in the next row.
 */
static void
join_rows(const RowSpan *spans, int64 first, int64 middle, int64 last, int64 *joint)
{
	int64		above = 2 * first;
	int64		below = 2 * middle;
	int64		open = -1;

	while (above < 2 * middle || below < 2 * last)
	{
		int64		end;

		if (below >= 2 * last || (above < 2 * middle && side_x(spans, above) <= side_x(spans, below)))
			end = 2 * above++ + 1;
		else
			end = 2 * below++;
		if (open < 0)
			open = end;
		else
		{
			joint[open] = end;
			joint[end] = open;
			open = -1;
		}
	}
	Assert(open < 0);
}

/* Does the outline turn back at this end? */
static inline bool
turns_back(const int64 *joint, int64 end)
{
	return IS_BOTTOM(end) == IS_BOTTOM(joint[end]);
}

/* Follows the outline that a side is part of. */
static void
follow(const RowSpan *spans, const int64 *joint, bool *seen, int64 start, const OutlineSink *sink)
{
	int64		enter = 2 * start;

	do
	{
		int64		side = SIDE(enter);
		int64		leave = enter ^ 1;
		int64		next = joint[leave];
		int64		row = spans[side >> 1].row;

		seen[side] = true;
		if (!turns_back(joint, enter) || !turns_back(joint, leave))
			sink->point(sink->arg, side_x(spans, side), 2 * row + 1);
		if (turns_back(joint, leave))
		{
			int64		height = 2 * (row + IS_BOTTOM(leave));

			sink->point(sink->arg, side_x(spans, side), height);
			sink->point(sink->arg, side_x(spans, SIDE(next)), height);
		}
		enter = next;
	} while (SIDE(enter) != start);
	sink->close(sink->arg);
}

/* Tells the sink the outlines of intervals that ascend by row and place and do not touch. */
void
sr_outline_trace(const RowSpan *spans, int64 nspans, const OutlineSink *sink)
{
	int64	   *joint;
	bool	   *seen;
	int64		above = 0;		/* start of the row above */
	int64		here = 0;		/* start of the current row */

	if (nspans == 0)
		return;
	joint = sr_alloc((size_t) nspans * 4 * sizeof(int64));
	seen = sr_alloc((size_t) nspans * 2 * sizeof(bool));
	memset(seen, 0, (size_t) nspans * 2 * sizeof(bool));

	while (here < nspans)
	{
		int64		next = here;

		sr_check_interrupts();
		while (next < nspans && spans[next].row == spans[here].row)
			next++;
		if (above < here && spans[above].row + 1 < spans[here].row)
		{
			join_rows(spans, above, here, here, joint);
			above = here;
		}
		join_rows(spans, above, here, next, joint);
		above = here;
		here = next;
	}
	join_rows(spans, above, nspans, nspans, joint);

	for (int64 side = 0; side < 2 * nspans; side++)
	{
		if (side % 1024 == 0)
			sr_check_interrupts();
		if (!seen[side])
			follow(spans, joint, seen, side, sink);
	}
	sr_free(joint);
	sr_free(seen);
}
