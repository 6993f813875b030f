/*
 * accumulate.c: adding up discs, points and fields in one difference array.
 *
 * Each addition is exact (see diff.h): the result does not depend on the order of
 * rows, nor on how workers shared them. Nor does it depend on either whether there is
 * an error; of several mistakes, the one that is met first is named.
 *
 * Discs wait in a buffer until there are many, and are then swept together.
 */
#include "coverage/accumulate.h"

#include "coverage/check.h"

/* Discs that wait at least and at most: half a megabyte and 128 MB of them. */
#define MIN_PENDING (16 * 1024)
#define MAX_PENDING (4 * 1024 * 1024)

/* An empty state in the current context. */
FieldState *
sr_state_create(int order, bool of_fields)
{
	FieldState *state = palloc(sizeof(FieldState));

	state->order = order;
	state->of_fields = of_fields;
	state->total = 0;
	state->diff = sr_diff_create(INT64_C(12) << (2 * order));
	state->context = CurrentMemoryContext;
	state->pending = NULL;
	state->npending = state->capacity = 0;
	state->npacked = 0;
	state->received = NULL;
	state->nreceived = 0;
	return state;
}

/* Adds the waiting discs to the difference array; what the state means stays the same. */
static void
flush(FieldState *state)
{
	sr_sweep_discs(sr_hpx_grid(state->order), state->pending, state->npending, state->diff);
	state->npending = 0;
}

/*
 * Makes room for more discs. They wait until they take as much memory as differences
 * of all cells would.
 */
void
sr_state_reserve(FieldState *state, int64 more)
{
	int64		most = Max(MIN_PENDING, Min(MAX_PENDING, INT64_C(3) << (2 * state->order)));
	int64		wanted;
	int			factor;
	MemoryContext old;

	if (state->npending + more <= state->capacity)
		return;
	old = MemoryContextSwitchTo(state->context);
	if (state->npending > 0 && state->npending + more > most)
		flush(state);
	/* large memory is not there before it is written to, and to move it takes time */
	factor = state->npending + more > MIN_PENDING ? 8 : 4;
	wanted = Max(state->npending + more, Min(most, factor * Max(state->capacity, more)));
	if (wanted > state->capacity)
	{
		wanted = Max(wanted, 16);
		state->pending = state->pending == NULL
			? sr_alloc_large(wanted * sizeof(WeightedDisc))
			: sr_realloc_large(state->pending, wanted * sizeof(WeightedDisc));
		state->capacity = wanted;
	}
	MemoryContextSwitchTo(old);
}

/*
 * Counts a weight, or the largest magnitude of a field, towards the limit that keeps
 * sums exact. It is the sum of all of them that decides, and that is exact as long as it
 * is allowed: so an order of rows that passes cannot become one that fails.
 */
void
sr_state_add_total(FieldState *state, double weight)
{
	double		limit = state->of_fields ? FIELD_LIMIT : WEIGHT_LIMIT;

	/* not by adding first: beyond the limit a sum may be rounded down to it */
	if (weight <= limit - state->total)
	{
		state->total += weight;
		return;
	}
	if (state->of_fields)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("coverage values could add up to more than 2^36 in magnitude"),
				 errdetail("The largest magnitude of each field counts. Sums are exact up to this limit only."),
				 errhint("Use a larger unit.")));
	else
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights add up to more than 2^37"),
				 errdetail("Sums are exact up to this limit only."),
				 errhint("Use a larger unit.")));
}

/* Adds the packed rows to the difference array; what the state means stays the same. */
void
sr_state_unpack(FieldState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	for (int i = 0; i < state->npacked; i++)
		sr_rows_add(state->diff, state->packed[i]);
	state->npacked = 0;
	MemoryContextSwitchTo(old);
}

/* Keeps packed rows, in memory of the state's own; when they are many, adds them up. */
static void
keep_packed(FieldState *state, PackedRows rows)
{
	Size		size = rows.end - rows.at;
	char	   *copy;

	if (size == 0)
		return;
	if (state->npacked == MAX_PACKED)
	{
		int			npacked = state->npacked;

		sr_state_unpack(state);
		for (int i = 0; i < npacked; i++)
			pfree((char *) state->packed[i].at);
	}
	copy = MemoryContextAllocHuge(state->context, size);
	memcpy(copy, rows.at, size);
	rows.at = copy;
	rows.end = copy + size;
	state->packed[state->npacked++] = rows;
}

/* Adds discs that lie one after the other, at any address. */
static void
add_discs(FieldState *state, const char *discs, int64 count)
{
	if (count == 0)
		return;
	sr_state_reserve(state, count);
	memcpy(state->pending + state->npending, discs, (Size) count * sizeof(WeightedDisc));
	state->npending += count;
}

/* Adds what one state holds to another of the same order. */
void
sr_state_merge(FieldState *into, const FieldState *from)
{
	int64		nleaves = from->diff->nbranches << DIFF_BRANCH_BITS;

	if (into->order != from->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order varies within the aggregate: %d and %d",
						into->order, from->order)));
	if (into->of_fields != from->of_fields)
		elog(ERROR, "states of different aggregates");
	sr_state_add_total(into, from->total);
	add_discs(into, (const char *) from->pending, from->npending);
	add_discs(into, from->received, from->nreceived);
	for (int i = 0; i < from->npacked; i++)
		keep_packed(into, from->packed[i]);
	for (int64 i = 0; i < nleaves && from->diff->nleaves > 0; i++)
	{
		const double *src = diff_leaf_if(from->diff, i);
		double	   *dst;

		if (src == NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		dst = sr_diff_leaf(into->diff, i);
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
			dst[j] += src[j];
	}
}
