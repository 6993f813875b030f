/*
 * bricks.c: fields and regions as bricks, cells of the display grid.
 */
#include "map/map.h"

#include "coverage/runs.h"

/* What is drawn beyond the frame, in tenths of a unit: more than half of a line. */
#define BEYOND 30

/* No bricks yet, of a display grid in a frame. */
Bricks
sr_bricks(const MapFrame *frame, int order)
{
	return (Bricks) {.frame = frame, .grid = sr_hpx_grid(order), .row = -1};
}

/* Finds what the frame shows of a row. */
static void
enter_row(Bricks *b, int32 row)
{
	const MapFrame *frame = b->frame;
	int			middle,
				x[2],
				y[2];
	double		half;

	if (row == b->row)
		return;
	b->row = row;
	sr_frame_position(frame, 0.5, 0, &middle, &y[0]);
	for (int i = 0; i < 2; i++)
		sr_frame_position(frame, 1.5, sr_row_parallel(b->grid, 2 * ((int64) row + i)), &x[i], &y[i]);
	half = (SR_FRAME_WIDTH / 2 + BEYOND) / (double) (Min(x[0], x[1]) - middle);
	if (y[1] < frame->top - BEYOND || y[0] > frame->top + frame->height + BEYOND)
		half = 0;
	b->west = Max(0.0, 0.5 - half);
	b->east = Min(1.0, 0.5 + half);
}

static void
add_part(Bricks *b, double from, double to, double value)
{
	Brick	   *last = b->list.count > 0 ? &b->list.items[b->list.count - 1] : NULL;

	from = Max(from, b->west);
	to = Min(to, b->east);
	if (to - from < SR_TOUCHING)
		return;
	if (last && last->span.row == b->row && last->value == value && fabs(from - last->span.to) < SR_TOUCHING)
		last->span.to = to;
	else
		sr_array_push(&b->list, ((Brick) {{b->row, from, to}, value}));
}

/* Adds cells first to last of the display grid. */
void
sr_bricks_add_cells(Bricks *b, int64 first, int64 last, double value)
{
	while (first <= last)
	{
		int32		row = sr_hpx_cell_ring(b->grid, first) - 1;
		const HpxRing *ring = HPX_RING(b->grid, row + 1);
		int64		end = Min(last + 1, ring->start + ring->ncell);
		double		west = ((double) (first - ring->start) + ring->shift - 0.5) / ring->ncell;
		double		from = sr_frame_across(b->frame, west);
		double		to = from + (double) (end - first) / ring->ncell;

		CHECK_FOR_INTERRUPTS();
		enter_row(b, row);
		/* over the map's edge */
		add_part(b, from, Min(1.0, to), value);
		add_part(b, 0.0, to - 1.0, value);
		first = end;
	}
}

/*
 * Adds a ring of a field to the means of a row's bricks. A cell counts in the brick that
 * holds its centre. Returns false if there is nothing but zero.
 */
static bool
add_ring(const Coverage *c, uint32 *run, const HpxRing *ring, const HpxRing *row, double scale, Mean *means)
{
	int64		nf = ring->ncell,
				nd = row->ncell,
				cell = ring->start;

	if (run_end(c, *run) <= cell)
		*run = run_of(c, cell);
	if (c->values[*run] == 0 && run_end(c, *run) >= ring->start + nf)
		return false;
	for (int64 j = 0; j <= nd; j++)
	{
		/* brick j ends where the next begins, at (j + 1/2 + shift) / nd turns; the last one may be the first */
		int64		up = nf * (2 * j + 1 + (int64) (2 * row->shift)) - nd * (int64) (2 * ring->shift);
		int64		end = ring->start + Min(nf, (up + 2 * nd - 1) / (2 * nd));

		mean_add_cells(&means[j % nd], c, run, cell, end, scale);
		cell = end;
	}
	return true;
}

/* Adds a field of no lower order than the display grid. A brick has the mean of the cells in it that are not zero. */
void
sr_bricks_add_field(Bricks *b, const Coverage *c)
{
	const HpxGrid *fine = sr_hpx_grid(c->order);
	int			shift = 2 * (c->order - b->grid->order);
	double		scale = mean_scale(c);
	Mean	   *means = palloc0(4 * b->grid->nside * sizeof(Mean));
	uint32		run = 0;

	for (int32 i = 1, row = 0; row < b->grid->nring; row++)
	{
		const HpxRing *ring = HPX_RING(b->grid, row + 1);
		int64		end = (ring->start + ring->ncell) << shift;
		bool		any = false;

		/* the rings whose centres have fewer cells north of them than the row's end */
		for (; i <= fine->nring && HPX_RING(fine, i)->start + HPX_RING(fine, i)->ncell / 2 < end; i++)
		{
			CHECK_FOR_INTERRUPTS();
			any |= add_ring(c, &run, HPX_RING(fine, i), ring, scale, means);
		}
		for (int32 j = 0; any && j < ring->ncell; j++)
		{
			if (means[j].count > 0)
				sr_bricks_add_cells(b, ring->start + j, ring->start + j, mean_value(&means[j], scale));
			means[j] = (Mean) {0};
		}
	}
	pfree(means);
}
