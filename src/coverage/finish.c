/*
 * finish.c: the field that an aggregate has added up.
 */
#include "coverage/finish.h"

#include "coverage/builder.h"
#include "coverage/wire.h"

/* Cells at hand at a time. */
#define WINDOW 4096

/* Readers of all packed rows of a state, each of rows in the order of their places. */
static RowReader *
make_readers(const FieldState *state, int64 ncell, int *nreaders)
{
	int			capacity = 2 * MAX_PACKED;
	RowReader  *readers = palloc(capacity * sizeof(RowReader));
	int			n = 0;

	for (int i = 0; i < state->npacked; i++)
	{
		RowReader	scan = {.rest = state->packed[i]};
		const char *at = scan.rest.at;
		int64		last = PG_INT64_MAX;

		for (next_row(&scan, ncell); scan.count > 0; next_row(&scan, ncell))
		{
			/* the rows of rings come before those of the array */
			if (scan.start < last)
			{
				if (n == capacity)
					readers = repalloc(readers, (capacity *= 2) * sizeof(RowReader));
				memset(&readers[n], 0, sizeof(RowReader));
				readers[n].rest.at = at;
				n++;
			}
			last = scan.start;
			at = scan.rest.at;
			readers[n - 1].rest.end = at;
			readers[n - 1].entries += scan.count;
		}
	}
	for (int i = 0; i < n; i++)
		next_row(&readers[i], ncell);
	*nreaders = n;
	return readers;
}

/* Adds what the array has for a window to it; false when it has nothing. */
static bool
add_leaves(const Diff *diff, int64 window, double *row)
{
	bool		any = false;
	int64		nleaves = diff->nleaves > 0 ? diff->nbranches << DIFF_BRANCH_BITS : 0;

	for (int k = 0; k < WINDOW / DIFF_LEAF_SIZE; k++)
	{
		int64		i = window * (WINDOW / DIFF_LEAF_SIZE) + k;
		const double *leaf = i < nleaves ? diff_leaf_if(diff, i) : NULL;

		if (leaf == NULL)
			continue;
		any = true;
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
			row[k * DIFF_LEAF_SIZE + j] += leaf[j];
	}
	return any;
}

/*
 * Prefix sum of the differences, window by window, so that those of several
 * processes meet in the processor's first cache. Where nobody has any, the value
 * stays that before.
 */
Coverage *
state_finish(FieldState *state)
{
	CoverageBuilder b;
	RowReader  *readers;
	int			nreaders;
	double		row[WINDOW] = {0};
	int64		ncell;
	int64		expected;
	double		value = 0;

	state_flush(state);
	ncell = INT64_C(12) << (2 * state->order);
	readers = make_readers(state, ncell, &nreaders);

	expected = state->diff->nleaves * DIFF_LEAF_SIZE / 8;
	for (int i = 0; i < nreaders; i++)
		expected = Max(expected, readers[i].entries);
	builder_init(&b, state->order, Min(expected, ncell));
	builder_add(&b, 0, 0.0);
	for (int64 window = 0; window * WINDOW < ncell; window++)
	{
		int64		start = window * WINDOW;
		int32		count = (int32) Min(WINDOW, ncell - start);
		bool		any = add_leaves(state->diff, window, row);

		for (int i = 0; i < nreaders; i++)
			while (readers[i].count > 0 && readers[i].start < start + WINDOW)
			{
				add_entries(&readers[i], ncell, row + (readers[i].start - start),
							(int32) Min(readers[i].count, start + WINDOW - readers[i].start));
				any = true;
			}
		if (!any)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int32 j = 0; j < count; j++)
		{
			if (row[j] == 0)
				continue;
			value += row[j];
			if (start + j == 0)
				b.nruns = 0;
			builder_add(&b, start + j, value);
		}
		memset(row, 0, sizeof(row));
	}
	pfree(readers);
	return builder_finish(&b);
}
