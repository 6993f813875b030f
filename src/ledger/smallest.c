/*
 * smallest.c: the k-th smallest of few numbers, without sorting all of the rows as a window would.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/float.h"

#include "base/aggregate.h"

typedef struct Smallest
{
	int32		wanted;			/* which */
	int32		count;			/* numbers that are kept, at most so many */
	double		numbers[FLEXIBLE_ARRAY_MEMBER]; /* ascending */
} Smallest;

/* Adds a number; which one is asked for is taken from the first. NULL is skipped. */
SR_FUNCTION(sr_smallest_transfn);
Datum
sr_smallest_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	Smallest   *state = PG_ARGISNULL(0) ? NULL : (Smallest *) PG_GETARG_POINTER(0);
	double		x;
	int32		i;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	x = PG_GETARG_FLOAT8(1);
	if (state == NULL)
	{
		int32		wanted = PG_GETARG_INT32(2);

		if (wanted < 0 || wanted > 1000)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the smallest number %d is asked for", wanted),
					 errhint("Ask for one from 0, which is none, to 1000.")));
		state = MemoryContextAlloc(context, offsetof(Smallest, numbers) + wanted * sizeof(double));
		state->wanted = wanted;
		state->count = 0;
	}
	if (state->count < state->wanted)
		state->count++;
	else if (state->count == 0 || float8_ge(x, state->numbers[state->count - 1]))
		PG_RETURN_POINTER(state);
	for (i = state->count - 1; i > 0 && float8_gt(state->numbers[i - 1], x); i--)
		state->numbers[i] = state->numbers[i - 1];
	state->numbers[i] = x;
	PG_RETURN_POINTER(state);
}

/* The number; NULL where there are not so many, or none is asked for. */
SR_FUNCTION(sr_smallest_finalfn);
Datum
sr_smallest_finalfn(PG_FUNCTION_ARGS)
{
	Smallest   *state = PG_ARGISNULL(0) ? NULL : (Smallest *) PG_GETARG_POINTER(0);

	if (state == NULL || state->wanted == 0 || state->count < state->wanted)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(state->numbers[state->wanted - 1]);
}
