/*
 * allocate.c: the window function allocate.
 *
 * Everything is read, checked and apportioned on the first row of a partition; the
 * other rows read their share.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "windowapi.h"

#include "money/apportion.h"
#include "money/numeric.h"

/* The argument numbers. */
#define SCORE 0
#define AMOUNT 1
#define CAP 2

/* What stays from the first row of a partition to the last. */
typedef struct Shares
{
	bool		done;
	bool		is_null;		/* the amount is NULL in all rows */
	uint128    *share;			/* by row; NULL: all are zero */
} Shares;

/* A partition being apportioned. */
typedef struct Partition
{
	WindowObject window;
	MemoryContext scratch;		/* goes away when all is computed */
	MemoryContext row;			/* reset every so many rows */
	int64		rows;
	bool		at_end;			/* where the last pass over the rows has ended */
	bool		amount_is_null;
	uint128		amount;
	uint128    *cap;			/* by row; NULL: no row has one below the amount */
} Partition;

/* ---- checks ---- */

/* Refuses what is no score. */
static inline void
check_score(double score)
{
	if (unlikely(!(score >= 0 && !isinf(score))))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score %s is not a finite number of at least 0", double_to_shortest_decimal(score)),
				 errhint("A row with a score of NULL or 0 gets nothing.")));
}

/* Are two numerics, either of which may be NULL, the same number? */
static bool
is_same(Numeric a, Numeric b)
{
	if (a == NULL || b == NULL)
		return a == b;
	/* nearly always the same bytes, but 1 and 1.0 are equal too */
	if (VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0)
		return true;
	return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a), NumericGetDatum(b)));
}

/* Refuses an amount that differs from the first row's; either may be NULL. */
static void
check_same_amount(Numeric first, Numeric other)
{
	if (!is_same(first, other))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount varies within the partition: %s and %s",
						first ? sr_numeric_text(first) : "NULL", other ? sr_numeric_text(other) : "NULL"),
				 errhint("Use the amount in PARTITION BY, or join each partition with its one amount.")));
}

/* Refuses more rows than sums of weights have bits for. */
static void
check_rows(int64 rows)
{
	if (rows > MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("partition of %lld rows exceeds the limit of %lld rows",
						(long long) rows, (long long) MAX_ROWS)));
}

/* ---- reading the partition ---- */

/* A pass over an argument of the rows, in the one or the other direction. */
typedef struct Pass
{
	Partition  *partition;
	int			argument;
	int64		rows;
	int64		next;
	bool		backward;
} Pass;

/*
 * Begins a pass, over one row only if the argument is a constant of the query. Passes
 * go to and fro: the rows may be on disk, and going back to the first reads them too.
 */
static Pass
begin_pass(Partition *partition, FunctionCallInfo fcinfo, int argument)
{
	int64		rows = get_fn_expr_arg_stable(fcinfo->flinfo, argument) ? 1 : partition->rows;
	Pass		pass = {partition, argument, rows, 0, partition->at_end && rows > 1};

	partition->at_end = rows > 1 && !pass.backward;
	return pass;
}

/*
 * The next row of a pass and its argument, in memory of some rows' lifetime; false
 * at the end. Lets the user interrupt.
 */
static inline bool
next_row(Pass *pass, int64 *row, Datum *value, bool *is_null)
{
	bool		is_out;

	if (pass->next == pass->rows)
		return false;
	if (pass->next % 256 == 0)
	{
		MemoryContextReset(pass->partition->row);
		CHECK_FOR_INTERRUPTS();
	}
	*row = pass->backward ? pass->rows - 1 - pass->next : pass->next;
	pass->next++;
	*value = WinGetFuncArgInPartition(pass->partition->window, pass->argument, (int) *row, WINDOW_SEEK_HEAD, false,
									  is_null, &is_out);
	return true;
}

/* Memory for one item per row, for as long as the partition is being computed. */
static void *
scratch_array(const Partition *partition, size_t item_size)
{
	MemoryContext before = MemoryContextSwitchTo(partition->scratch);
	void	   *items = sr_alloc_array(partition->rows, item_size);

	MemoryContextSwitchTo(before);
	return items;
}

/* Reads and checks the amount, which all rows agree on. */
static void
read_amount(Partition *partition, FunctionCallInfo fcinfo)
{
	Pass		pass = begin_pass(partition, fcinfo, AMOUNT);
	Numeric		first = NULL;
	bool		is_first = true;
	int64		row;
	Datum		value;
	bool		is_null;

	while (next_row(&pass, &row, &value, &is_null))
	{
		if (!is_first)
			check_same_amount(first, is_null ? NULL : DatumGetNumeric(value));
		else if (!is_null)
		{
			MemoryContext before = MemoryContextSwitchTo(partition->scratch);

			first = DatumGetNumericCopy(value);
			MemoryContextSwitchTo(before);
		}
		is_first = false;
	}
	partition->amount_is_null = first == NULL;
	if (first != NULL)
		partition->amount = sr_amount_from_numeric(first);
}

/* Reads and checks the caps, if the call has any. */
static void
read_caps(Partition *partition, FunctionCallInfo fcinfo)
{
	bool		any = false;
	uint128    *cap;
	Pass		pass;
	int64		row;
	Datum		value;
	bool		is_null;

	if (PG_NARGS() <= CAP)
		return;
	cap = scratch_array(partition, sizeof(uint128));
	pass = begin_pass(partition, fcinfo, CAP);
	while (next_row(&pass, &row, &value, &is_null))
	{
		cap[row] = is_null ? NO_CAP : sr_cap_from_numeric(DatumGetNumeric(value));
		any = any || cap[row] < partition->amount;
	}
	for (int64 i = pass.rows; i < partition->rows; i++)
		cap[i] = cap[0];
	partition->cap = any ? cap : NULL;
}

/* Reads and checks scores of type float8, as weights; NULL if none is positive. */
static uint64 *
read_float8_scores(Partition *partition, FunctionCallInfo fcinfo)
{
	double	   *score = scratch_array(partition, sizeof(double));
	uint64	   *weight;
	Pass		pass = begin_pass(partition, fcinfo, SCORE);
	int64		row;
	Datum		value;
	bool		is_null;

	while (next_row(&pass, &row, &value, &is_null))
	{
		score[row] = is_null ? 0 : DatumGetFloat8(value);
		check_score(score[row]);
	}
	for (int64 i = pass.rows; i < partition->rows; i++)
		score[i] = score[0];
	weight = scratch_array(partition, sizeof(uint64));
	return sr_score_weights(partition->rows, score, weight) ? weight : NULL;
}

/* Reads and checks scores of type numeric; false if none is positive. */
static bool
read_numeric_scores(Partition *partition, FunctionCallInfo fcinfo, Decimals *scores)
{
	Pass		pass = begin_pass(partition, fcinfo, SCORE);
	MemoryContext before = MemoryContextSwitchTo(partition->scratch);
	int64		row;
	Datum		value;
	bool		is_null;

	sr_array_reserve(&scores->rows, partition->rows);
	sr_array_reserve(&scores->digits, partition->rows);
	scores->rows.count = partition->rows;
	MemoryContextSwitchTo(before);
	while (next_row(&pass, &row, &value, &is_null))
	{
		scores->rows.items[row] = (Decimal) {0};
		if (!is_null)
			sr_add_score(scores, row, DatumGetNumeric(value));
	}
	for (int64 i = pass.rows; i < partition->rows; i++)
		scores->rows.items[i] = scores->rows.items[0];
	return scores->digits.count > 0;
}

/* ---- the window function ---- */

/* Reads and checks the partition and apportions it. */
static void
allocate_partition(FunctionCallInfo fcinfo, Shares *shares, bool numeric_scores)
{
	Partition	partition = {.window = PG_WINDOW_OBJECT()};
	Decimals	decimals = {0};
	uint64	   *weight = NULL;
	bool		any;
	MemoryContext before;

	partition.rows = WinGetPartitionRowCount(partition.window);
	check_rows(partition.rows);
	partition.scratch = AllocSetContextCreate(CurrentMemoryContext, "allocate", ALLOCSET_DEFAULT_SIZES);
	partition.row = AllocSetContextCreate(partition.scratch, "allocate rows", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(partition.row);

	read_amount(&partition, fcinfo);
	read_caps(&partition, fcinfo);
	if (numeric_scores)
		any = read_numeric_scores(&partition, fcinfo, &decimals);
	else
		any = (weight = read_float8_scores(&partition, fcinfo)) != NULL;
	if (any && partition.amount > 0)
	{
		MemoryContextSwitchTo(GetMemoryChunkContext(shares));
		shares->share = sr_alloc_array(partition.rows, sizeof(uint128));
		MemoryContextSwitchTo(partition.scratch);
		if (numeric_scores)
			sr_apportion_decimals(&decimals, partition.amount, partition.cap, shares->share);
		else
			sr_apportion(partition.rows, weight, partition.amount, partition.cap, shares->share);
	}
	shares->is_null = partition.amount_is_null;

	MemoryContextSwitchTo(before);
	MemoryContextDelete(partition.scratch);
}

/* The share of the current row. */
static Datum
allocate(FunctionCallInfo fcinfo, bool numeric_scores)
{
	WindowObject window = PG_WINDOW_OBJECT();
	Shares	   *shares;
	int64		row;

	if (!WindowObjectIsValid(window))
		elog(ERROR, "allocate called in non-window context");

	shares = WinGetPartitionLocalMemory(window, sizeof(Shares));
	if (!shares->done)
	{
		allocate_partition(fcinfo, shares, numeric_scores);
		shares->done = true;
	}
	row = WinGetCurrentPosition(window);
	WinSetMarkPosition(window, row);
	if (shares->is_null)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(sr_numeric_from_integer(shares->share ? shares->share[row] : 0));
}

/* allocate(score float8, amount numeric [, cap numeric]) */
SR_FUNCTION(sr_allocate_float8);
Datum
sr_allocate_float8(PG_FUNCTION_ARGS)
{
	return allocate(fcinfo, false);
}

/* allocate(score numeric, amount numeric [, cap numeric]) */
SR_FUNCTION(sr_allocate_numeric);
Datum
sr_allocate_numeric(PG_FUNCTION_ARGS)
{
	return allocate(fcinfo, true);
}
