/*
 * finish.c: the field that an aggregate has added up.
 */
#include "coverage/finish.h"

#include "coverage/builder.h"

/* Adds what the array has for a ring to its row. */
static void
add_leaves(const Diff *diff, const HpxRing *ring, Row *row)
{
	if (diff->nleaves == 0)
		return;
	for (int64 at = ring->start; at < ring->start + ring->ncell;)
	{
		int32		from = (int32) (at & (DIFF_LEAF_SIZE - 1));
		int32		count = (int32) Min(DIFF_LEAF_SIZE - from, ring->start + ring->ncell - at);
		const double *leaf = diff_leaf_if(diff, at >> DIFF_LEAF_BITS);

		if (leaf != NULL)
		{
			double	   *to = row->entry + (at - ring->start);

			for (int32 j = 0; j < count; j++)
				to[j] += leaf[from + j];
			row_touch_range(row, (int32) (at - ring->start), count);
		}
		at += count;
	}
}

/* Adds what the packed rows have for a ring to its row. */
static void
add_packed(RowReader *r, const HpxRing *ring, Row *row)
{
	int64		end = ring->start + ring->ncell;

	while (r->count > 0 && r->start < end)
	{
		int32		at = (int32) (r->start - ring->start);
		int32		count = (int32) Min(r->count, end - r->start);

		row_touch_range(row, at, count);
		sr_reader_take(r, row->entry + at, count);
	}
}

/*
 * Prefix sum of the differences, ring by ring, so that the discs that wait and what
 * several processes have summed up meet in the processor's first cache. Where nobody
 * has any, the value stays that before.
 */
Coverage *
sr_state_finish(FieldState *state)
{
	const HpxGrid *grid = sr_hpx_grid(state->order);
	CoverageBuilder b;
	RowReader  *readers = palloc(state->npacked * sizeof(RowReader));
	Sweep	   *sweep;
	Row			row;
	int64		expected;
	double		value = 0;

	sweep = sr_sweep_begin(grid, state->pending, state->npending);
	sr_row_init(&row, grid);

	expected = Max(state->diff->nleaves * DIFF_LEAF_SIZE / 8, Min(sr_sweep_ends(sweep), grid->ncell / 2));
	for (int i = 0; i < state->npacked; i++)
	{
		sr_reader_open(&readers[i], state->packed[i]);
		expected = Max(expected, state->packed[i].nentries);
	}
	sr_builder_init(&b, state->order, Min(expected, grid->ncell));
	builder_add(&b, 0, 0.0);
	for (int32 i = 1; i <= grid->nring; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		double		next;

		(void) sr_sweep_ring(sweep, i, &row);
		add_leaves(state->diff, ring, &row);
		for (int k = 0; k < state->npacked; k++)
			add_packed(&readers[k], ring, &row);

		next = row.entry[ring->ncell];
		row.entry[ring->ncell] = 0;
		for (int32 w = 0; w < row.nwords; w++)
		{
			for (uint64 bits = row.touched[w]; bits != 0; bits &= bits - 1)
			{
				int32		from = (w * 64 + __builtin_ctzll(bits)) * ROW_BLOCK;
				int32		end = Min(from + ROW_BLOCK, ring->ncell);

				for (int32 j = from; j < end; j++)
				{
					if (row.entry[j] == 0)
						continue;
					value += row.entry[j];
					row.entry[j] = 0;
					if (ring->start + j == 0)
						b.nruns = 0;
					builder_add(&b, ring->start + j, value);
				}
			}
			row.touched[w] = 0;
		}
		if (i % 16 == 0)
			CHECK_FOR_INTERRUPTS();
		/* the entry behind the ring is the next one's first */
		row.entry[0] = next;
		row_touch(&row, 0);
	}
	sr_row_free(&row);
	sr_sweep_end(sweep);
	pfree(readers);
	return sr_builder_finish(&b);
}
