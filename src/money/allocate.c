/*
 * allocate.c: the window function allocate: largest remainders, exactly.
 *
 * Everything is computed on the first row of a partition; the other rows read
 * their share. Weights are integers below 2^62 and amounts below 2^127, so that
 * quotas need no more than 128-bit division; only numerics that do not scale
 * into 62 bits go through PostgreSQL's numeric arithmetic.
 */
#include "postgres.h"

#include "base/compat.h"

#include <math.h>

#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "windowapi.h"

SR_FUNCTION(sr_allocate_float8);
SR_FUNCTION(sr_allocate_numeric);

#ifndef HAVE_INT128
#error "allocate needs a compiler with 128-bit integers"
#endif

#define WEIGHT_BITS 62			/* weights lie below 2^62 */
#define MAX_ROWS INT64CONST(0x7fffffff) /* so that their sum lies below 2^93 */
#define NO_CAP (~(uint128) 0)
#define AMOUNT_DIGITS 38
#define NUMERIC_BASE 10000

/* The argument numbers. */
#define SCORE 0
#define AMOUNT 1
#define CAP 2

/* What stays from the first row of a partition to the last. */
typedef struct Shares
{
	bool		done;
	bool		is_null;		/* the amount is NULL in all rows */
	uint128  *share;			/* by row; NULL: all are zero */
} Shares;

/* A partition being apportioned. */
typedef struct Partition
{
	WindowObject window;
	MemoryContext context;		/* of the partition */
	MemoryContext scratch;		/* goes away when all is computed */
	MemoryContext row;			/* reset every so many rows */
	int64		rows;
	bool		at_end;			/* where the last pass over the rows has ended */
	bool		has_caps;
	bool		amount_is_null;
	uint128	amount;
	uint128  *cap;			/* by row, when has_caps */
} Partition;

/* The decimal digits of a finite numeric, as numeric_send gives them. */
typedef struct Digits
{
	int			count;
	int			weight;			/* of the first digit, as a power of 10000 */
	bool		negative;
	const char *data;			/* 16-bit digits, most significant first */
} Digits;

/* ---- numerics ---- */

static char *
numeric_text(Numeric value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
}

/* Digit i to the base 10000. */
static inline int
digit(const Digits *digits, int i)
{
	uint16		value;

	memcpy(&value, digits->data + 2 * i, sizeof(value));
	return pg_ntoh16(value);
}

/* Takes a finite numeric apart, by its documented binary form. */
static Digits
read_digits(Numeric value)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, NumericGetDatum(value)));
	const char *data = VARDATA_ANY(sent);
	Digits		digits;
	int16		field[3];

	memcpy(field, data, sizeof(field));
	digits.count = (int16) pg_ntoh16(field[0]);
	digits.weight = (int16) pg_ntoh16(field[1]);
	digits.negative = pg_ntoh16(field[2]) == 0x4000;
	digits.data = data + 4 * sizeof(int16);
	while (digits.count > 0 && digit(&digits, digits.count - 1) == 0)
		digits.count--;
	return digits;
}

/*
 * The digits as an integer in units of 10000^-scale, provided that it is at most
 * limit and nothing is cut off; otherwise false.
 */
static bool
digits_to_integer(const Digits *digits, int scale, uint128 limit, uint128 *result)
{
	uint128	value = 0;

	if (digits->count > digits->weight + 1 + scale)
		return false;
	for (int i = 0; digits->count > 0 && i < digits->weight + 1 + scale; i++)
	{
		int			next = i < digits->count ? digit(digits, i) : 0;

		if (value > (limit - next) / NUMERIC_BASE)
			return false;
		value = value * NUMERIC_BASE + next;
	}
	*result = value;
	return true;
}

/* An integer below 2^127 as a numeric. */
static Numeric
integer_to_numeric(uint128 value)
{
	char		text[40];
	char	   *at = text + sizeof(text);

	if (value <= PG_INT64_MAX)
		return int64_to_numeric((int64) value);

	*--at = '\0';
	for (; value > 0; value /= 10)
		*--at = '0' + (char) (value % 10);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(at),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* 10^38 - 1 */
static uint128
max_amount(void)
{
	uint128	value = 1;

	for (int i = 0; i < AMOUNT_DIGITS; i++)
		value *= 10;
	return value - 1;
}

/* ---- checks ---- */

/* Refuses what is no score. */
static inline void
CheckScore(double score)
{
	if (unlikely(!(score >= 0 && !isinf(score))))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score %g is not a finite number of at least 0", score),
				 errhint("A row with a score of NULL or 0 gets nothing.")));
}

/* Refuses what is no score; the value by its digits. */
static Digits
CheckNumericScore(Numeric score)
{
	bool		finite = !numeric_is_nan(score) && !numeric_is_inf(score);
	Digits		digits = {0};

	if (finite)
		digits = read_digits(score);
	if (!finite || (digits.negative && digits.count > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score %s is not a finite number of at least 0", numeric_text(score)),
				 errhint("A row with a score of NULL or 0 gets nothing.")));
	return digits;
}

/* An amount or a cap as an integer: refuses fractions, negative and infinite numbers. */
static Digits
CheckInteger(Numeric value, const char *what)
{
	bool		finite = !numeric_is_nan(value) && !numeric_is_inf(value);
	Digits		digits = {0};

	if (finite)
		digits = read_digits(value);
	if (!finite || (digits.negative && digits.count > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s %s is not a finite number of at least 0", what, numeric_text(value))));
	if (digits.count > digits.weight + 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %s is not an integer", what, numeric_text(value)),
				 errhint("Allocate in base units, which cannot be divided.")));
	return digits;
}

/* The amount as an integer of at most 38 digits. */
static uint128
CheckAmount(Numeric amount)
{
	Digits		digits = CheckInteger(amount, "amount");
	uint128	value;

	if (!digits_to_integer(&digits, 0, max_amount(), &value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s exceeds 10^38 - 1", numeric_text(amount))));
	return value;
}

/* A cap as an integer; one beyond every amount is none. */
static uint128
CheckCap(Numeric cap)
{
	Digits		digits = CheckInteger(cap, "cap");
	uint128	value;

	return digits_to_integer(&digits, 0, max_amount(), &value) ? value : NO_CAP;
}

/* Refuses an amount that differs from the first row's; either may be NULL. */
static void
CheckSameAmount(Numeric first, Numeric other)
{
	if (first == NULL && other == NULL)
		return;
	if (first != NULL && other != NULL)
	{
		/* nearly always the same bytes, but 1 and 1.0 are equal too */
		if (VARSIZE_ANY_EXHDR(first) == VARSIZE_ANY_EXHDR(other) &&
			memcmp(VARDATA_ANY(first), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(first)) == 0)
			return;
		if (DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(first), NumericGetDatum(other))))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("amount varies within the partition: %s and %s",
					first ? numeric_text(first) : "NULL", other ? numeric_text(other) : "NULL"),
			 errhint("Use the amount in PARTITION BY, or join each partition with its one amount.")));
}

/* ---- reading the partition ---- */

/* Lets go of the memory of earlier rows now and then, and lets the user interrupt. */
static inline void
next_row(Partition *partition, int64 row)
{
	if (row % 256 == 0)
	{
		MemoryContextReset(partition->row);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Starts a pass over so many rows and says whether it goes backward. Passes go to
 * and fro: the rows may be on disk, and going back to the first reads them too.
 */
static inline bool
begin_pass(Partition *partition, int64 rows)
{
	bool		backward = partition->at_end && rows > 1;

	partition->at_end = rows > 1 && !backward;
	return backward;
}

/* An argument of a row. */
static inline Datum
get_argument(Partition *partition, int argument, int64 row, bool *is_null)
{
	bool		is_out;

	return WinGetFuncArgInPartition(partition->window, argument, (int) row, WINDOW_SEEK_HEAD, false,
									is_null, &is_out);
}

/* How many rows to read an argument of: one when it is a constant of the query. */
static int64
rows_to_read(Partition *partition, FunctionCallInfo fcinfo, int argument)
{
	return get_fn_expr_arg_stable(fcinfo->flinfo, argument) ? 1 : partition->rows;
}

/* Memory for one item per row, beyond 1 GB if need be. */
static void *
row_array(MemoryContext context, int64 rows, Size size)
{
	return MemoryContextAllocHuge(context, mul_size((Size) rows, size));
}

/* Reads and checks the amount, which all rows agree on. */
static void
read_amount(Partition *partition, FunctionCallInfo fcinfo)
{
	int64		rows = rows_to_read(partition, fcinfo, AMOUNT);
	bool		backward = begin_pass(partition, rows);
	Numeric		first = NULL;

	for (int64 i = 0; i < rows; i++)
	{
		bool		is_null;
		Datum		value;
		Numeric		amount;

		next_row(partition, i);
		value = get_argument(partition, AMOUNT, backward ? rows - 1 - i : i, &is_null);
		amount = is_null ? NULL : DatumGetNumeric(value);
		if (i > 0)
			CheckSameAmount(first, amount);
		else if (amount != NULL)
		{
			MemoryContext before = MemoryContextSwitchTo(partition->scratch);

			first = DatumGetNumericCopy(value);
			MemoryContextSwitchTo(before);
		}
	}

	partition->amount_is_null = first == NULL;
	if (first != NULL)
		partition->amount = CheckAmount(first);
}

/* Reads and checks the caps, if the call has any. */
static void
read_caps(Partition *partition, FunctionCallInfo fcinfo)
{
	int64		rows;
	bool		backward;

	if (PG_NARGS() <= CAP)
		return;

	partition->cap = row_array(partition->scratch, partition->rows, sizeof(uint128));
	rows = rows_to_read(partition, fcinfo, CAP);
	backward = begin_pass(partition, rows);
	for (int64 i = 0; i < rows; i++)
	{
		int64		row = backward ? rows - 1 - i : i;
		bool		is_null;
		Datum		value;

		next_row(partition, i);
		value = get_argument(partition, CAP, row, &is_null);
		partition->cap[row] = is_null ? NO_CAP : CheckCap(DatumGetNumeric(value));
		if (partition->cap[row] < partition->amount)
			partition->has_caps = true;
	}
	for (int64 i = rows; i < partition->rows; i++)
		partition->cap[i] = partition->cap[0];
}

/* ---- the integer path ---- */

/* a · b in 256 bits. */
static inline void
multiply_wide(uint128 a, uint128 b, uint128 *high, uint128 *low)
{
	uint128	a0 = (uint64) a;
	uint128	a1 = a >> 64;
	uint128	b0 = (uint64) b;
	uint128	b1 = b >> 64;
	uint128	middle = a1 * b0 + ((a0 * b0) >> 64);
	uint128	other = a0 * b1 + (uint64) middle;

	*low = other << 64 | (uint64) (a0 * b0);
	*high = a1 * b1 + (middle >> 64) + (other >> 64);
}

/* The sign of a · b - c · d. */
static inline int
compare_products(uint128 a, uint128 b, uint128 c, uint128 d)
{
	uint128	high1;
	uint128	low1;
	uint128	high2;
	uint128	low2;

	multiply_wide(a, b, &high1, &low1);
	multiply_wide(c, d, &high2, &low2);
	if (high1 != high2)
		return high1 > high2 ? 1 : -1;
	return (low1 > low2) - (low1 < low2);
}

/* A row with a cap, in the order in which rising water reaches the caps. */
typedef struct CappedRow
{
	double		level;			/* cap / weight to within 1e-15 */
	int64		row;
	uint64		weight;
	uint128	cap;
} CappedRow;

static int
compare_capped(const void *a, const void *b)
{
	const CappedRow *x = a;
	const CappedRow *y = b;
	int			order;

	if (x->level < y->level * (1 - 1e-14))
		return -1;
	if (y->level < x->level * (1 - 1e-14))
		return 1;
	order = compare_products(x->cap, y->weight, y->cap, x->weight);
	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/*
 * Water-filling: rows in ascending order of cap / weight get their cap while
 * their quota of what is left exceeds it. Capping a row raises the quotas of the
 * others, never lowers them, so this ends where capping all rows that exceed,
 * round after round, does. Capped rows have weight 0 afterwards; amount and total
 * are what the others share.
 */
static void
apply_caps(const Partition *partition, uint64 *weight, uint128 *share, uint128 *amount, uint128 *total)
{
	CappedRow  *capped = row_array(partition->scratch, partition->rows, sizeof(CappedRow));
	Size		count = 0;

	for (int64 i = 0; i < partition->rows; i++)
	{
		if (weight[i] == 0 || partition->cap[i] >= partition->amount)
			continue;
		capped[count].row = i;
		capped[count].weight = weight[i];
		capped[count].cap = partition->cap[i];
		capped[count].level = (double) partition->cap[i] / (double) weight[i];
		count++;
	}
	qsort(capped, count, sizeof(CappedRow), compare_capped);

	for (Size i = 0; i < count; i++)
	{
		if (compare_products(*amount, capped[i].weight, capped[i].cap, *total) <= 0)
			break;
		share[capped[i].row] = capped[i].cap;
		weight[capped[i].row] = 0;
		*amount -= capped[i].cap;
		*total -= capped[i].weight;
	}
	pfree(capped);
}

/* A row that may get one of the leftover units. */
typedef struct Remainder
{
	uint128	value;
	int64		row;
} Remainder;

/* Whether a leftover unit goes to a before b: larger remainder, then earlier row. */
static inline bool
goes_first(const Remainder *a, const Remainder *b)
{
	return a->value != b->value ? a->value > b->value : a->row < b->row;
}

static int
compare_remainders(const void *a, const void *b)
{
	return goes_first(a, b) ? -1 : 1;
}

/*
 * Moves the first so many in the order of goes_first to the front, in no
 * particular order among themselves. Quickselect, and a sort if that goes badly.
 */
static void
select_first(Remainder *items, Size count, Size wanted)
{
	Size		low = 0;
	Size		high = count;

	for (int rounds = 0; high - low > 16 && rounds < 100; rounds++)
	{
		Remainder	a = items[low];
		Remainder	b = items[low + (high - low) / 2];
		Remainder	c = items[high - 1];
		Remainder	pivot = goes_first(&a, &b) ?
			(goes_first(&b, &c) ? b : goes_first(&a, &c) ? c : a) :
			(goes_first(&a, &c) ? a : goes_first(&b, &c) ? c : b);
		Size		i = low;
		Size		j = high - 1;

		CHECK_FOR_INTERRUPTS();
		/* Hoare: [low, i) goes first or is the pivot, [i, high) comes after it or is it */
		for (;;)
		{
			while (goes_first(&items[i], &pivot))
				i++;
			while (goes_first(&pivot, &items[j]))
				j--;
			if (i >= j)
				break;
			a = items[i];
			items[i++] = items[j];
			items[j--] = a;
		}
		if (wanted == i)
			return;
		if (wanted < i)
			high = i;
		else
			low = i;
	}
	qsort(items + low, high - low, sizeof(Remainder), compare_remainders);
}

/*
 * floor(amount · w / total) for every row with a weight, and the units left over
 * to the largest remainders. With amount = q · total + r, amount · w / total is
 * q · w + r · w / total; r · w has up to 155 bits and is divided in two steps of
 * 31 bits of w.
 */
static void
apportion(const Partition *partition, const uint64 *weight, uint128 *share, uint128 amount, uint128 total)
{
	Remainder  *remainders = row_array(partition->scratch, partition->rows, sizeof(Remainder));
	uint128	quotient = amount / total;
	uint128	rest = amount % total;
	uint128	left = amount;
	Size		count = 0;

	for (int64 i = 0; i < partition->rows; i++)
	{
		uint128	high;
		uint128	high_quotient;
		uint128	low;
		uint128	low_quotient;

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (weight[i] == 0)
			continue;

		high = rest * (weight[i] >> 31);
		high_quotient = high / total;
		low = ((high - high_quotient * total) << 31) + rest * (weight[i] & 0x7fffffff);
		low_quotient = low / total;
		share[i] = quotient * weight[i] + (high_quotient << 31) + low_quotient;
		left -= share[i];
		remainders[count].value = low - low_quotient * total;
		remainders[count].row = i;
		count++;
	}

	/* fewer units are left than rows have a remainder, so no row goes above its cap */
	Assert(left <= count);
	if (left > 0)
	{
		select_first(remainders, count, (Size) left);
		for (Size i = 0; i < (Size) left; i++)
			share[remainders[i].row]++;
	}
	pfree(remainders);
}

/* Apportions by integer weights below 2^62, which are used up. */
static uint128 *
allocate_integers(const Partition *partition, uint64 *weight)
{
	uint128  *share = row_array(partition->context, partition->rows, sizeof(uint128));
	uint128	amount = partition->amount;
	uint128	total = 0;

	for (int64 i = 0; i < partition->rows; i++)
	{
		share[i] = 0;
		total += weight[i];
	}
	if (partition->has_caps && total > 0)
		apply_caps(partition, weight, share, &amount, &total);
	if (total > 0)
		apportion(partition, weight, share, amount, total);
	return share;
}

/* ---- scores to weights ---- */

/*
 * The scores times the power of two that takes the largest into [2^61, 2^62),
 * floored; NULL when none is positive.
 */
static uint64 *
read_float8_scores(Partition *partition)
{
	double	   *score = row_array(partition->scratch, partition->rows, sizeof(double));
	uint64	   *weight;
	double		largest = 0;
	bool		backward = begin_pass(partition, partition->rows);
	int			exponent;

	for (int64 i = 0; i < partition->rows; i++)
	{
		int64		row = backward ? partition->rows - 1 - i : i;
		bool		is_null;
		Datum		value;

		next_row(partition, i);
		value = get_argument(partition, SCORE, row, &is_null);
		score[row] = is_null ? 0 : DatumGetFloat8(value);
		CheckScore(score[row]);
		if (score[row] > largest)
			largest = score[row];
	}
	if (largest == 0)
		return NULL;

	/* largest = f · 2^exponent with f in [0.5, 1); scaling is exact above 2^-1022, and below that the floor is 0 */
	frexp(largest, &exponent);
	weight = row_array(partition->scratch, partition->rows, sizeof(uint64));
	for (int64 i = 0; i < partition->rows; i++)
		weight[i] = (uint64) ldexp(score[i], WEIGHT_BITS - exponent);
	pfree(score);
	return weight;
}

/*
 * Reads numeric scores into scores (by row; NULL: zero) and returns them as
 * integers in a common unit, or NULL when they do not fit; any says whether one
 * is positive.
 */
static uint64 *
read_numeric_scores(Partition *partition, Numeric *scores, bool *any)
{
	uint64	   *weight;
	int			scale = PG_INT16_MIN;	/* negative: all are multiples of 10000^-scale */
	bool		backward = begin_pass(partition, partition->rows);

	*any = false;
	for (int64 i = 0; i < partition->rows; i++)
	{
		int64		row = backward ? partition->rows - 1 - i : i;
		bool		is_null;
		Datum		value;
		Digits		digits;
		MemoryContext before;

		next_row(partition, i);
		scores[row] = NULL;
		value = get_argument(partition, SCORE, row, &is_null);
		if (is_null)
			continue;
		digits = CheckNumericScore(DatumGetNumeric(value));
		if (digits.count == 0)
			continue;
		scale = Max(scale, digits.count - digits.weight - 1);
		before = MemoryContextSwitchTo(partition->scratch);
		scores[row] = DatumGetNumericCopy(value);
		MemoryContextSwitchTo(before);
		*any = true;
	}

	weight = row_array(partition->scratch, partition->rows, sizeof(uint64));
	for (int64 i = 0; i < partition->rows; i++)
	{
		uint128	value = 0;

		next_row(partition, i);
		if (scores[i] != NULL)
		{
			Digits		digits = read_digits(scores[i]);

			if (!digits_to_integer(&digits, scale, ((uint128) 1 << WEIGHT_BITS) - 1, &value))
			{
				pfree(weight);
				return NULL;
			}
		}
		weight[i] = (uint64) value;
	}
	return weight;
}

/* ---- the numeric path ---- */

static inline Numeric
numeric_call(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), NumericGetDatum(b)));
}

static inline int
numeric_order(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

/* A row with a cap, or with a remainder. */
typedef struct NumericRow
{
	int64		row;
	Numeric		weight;			/* or remainder */
	Numeric		cap;
} NumericRow;

static int
compare_numeric_capped(const void *a, const void *b)
{
	const NumericRow *x = a;
	const NumericRow *y = b;
	Numeric		left = numeric_call(numeric_mul, x->cap, y->weight);
	Numeric		right = numeric_call(numeric_mul, y->cap, x->weight);
	int			order = numeric_order(left, right);

	pfree(left);
	pfree(right);
	CHECK_FOR_INTERRUPTS();
	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int
compare_numeric_remainders(const void *a, const void *b)
{
	const NumericRow *x = a;
	const NumericRow *y = b;
	int			order = numeric_order(y->weight, x->weight);

	CHECK_FOR_INTERRUPTS();
	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* Moves a numeric into the scratch context. */
static Numeric
keep(const Partition *partition, Numeric value)
{
	MemoryContext before = MemoryContextSwitchTo(partition->scratch);
	Numeric		copy = DatumGetNumericCopy(NumericGetDatum(value));

	MemoryContextSwitchTo(before);
	return copy;
}

/* A numeric known to be a non-negative integer below 2^127. */
static uint128
numeric_to_integer(Numeric value)
{
	Digits		digits = read_digits(value);
	uint128	integer = 0;

	if (!digits_to_integer(&digits, 0, NO_CAP >> 1, &integer))
		elog(ERROR, "share %s is out of range", numeric_text(value));
	return integer;
}

/* The same as apply_caps. */
static void
apply_numeric_caps(Partition *partition, Numeric *weight, uint128 *share, Numeric *amount, Numeric *total)
{
	NumericRow *capped = row_array(partition->scratch, partition->rows, sizeof(NumericRow));
	Size		count = 0;

	for (int64 i = 0; i < partition->rows; i++)
	{
		next_row(partition, i);
		if (weight[i] == NULL || partition->cap[i] >= partition->amount)
			continue;
		capped[count].row = i;
		capped[count].weight = weight[i];
		capped[count].cap = keep(partition, integer_to_numeric(partition->cap[i]));
		count++;
	}
	qsort(capped, count, sizeof(NumericRow), compare_numeric_capped);

	for (Size i = 0; i < count; i++)
	{
		next_row(partition, (int64) i);
		if (numeric_order(numeric_call(numeric_mul, *amount, capped[i].weight),
						  numeric_call(numeric_mul, capped[i].cap, *total)) <= 0)
			break;
		share[capped[i].row] = partition->cap[capped[i].row];
		weight[capped[i].row] = NULL;
		*amount = keep(partition, numeric_call(numeric_sub, *amount, capped[i].cap));
		*total = keep(partition, numeric_call(numeric_sub, *total, capped[i].weight));
	}
}

/* Apportions by exact numerics of any size, which are used up. */
static uint128 *
allocate_numerics(Partition *partition, Numeric *weight)
{
	uint128  *share = row_array(partition->context, partition->rows, sizeof(uint128));
	NumericRow *remainders;
	Numeric		amount = keep(partition, integer_to_numeric(partition->amount));
	Numeric		total = keep(partition, int64_to_numeric(0));
	uint128	left;
	Size		count = 0;

	for (int64 i = 0; i < partition->rows; i++)
	{
		next_row(partition, i);
		share[i] = 0;
		if (weight[i] != NULL)
		{
			Numeric		before = total;

			total = keep(partition, numeric_call(numeric_add, total, weight[i]));
			pfree(before);
		}
	}
	if (partition->has_caps)
		apply_numeric_caps(partition, weight, share, &amount, &total);

	remainders = row_array(partition->scratch, partition->rows, sizeof(NumericRow));
	left = numeric_to_integer(amount);
	for (int64 i = 0; i < partition->rows; i++)
	{
		Numeric		product;
		Numeric		quotient;

		next_row(partition, i);
		if (weight[i] == NULL)
			continue;
		product = numeric_call(numeric_mul, amount, weight[i]);
		quotient = numeric_call(numeric_div_trunc, product, total);
		share[i] = numeric_to_integer(quotient);
		left -= share[i];
		remainders[count].row = i;
		remainders[count].weight =
			keep(partition, numeric_call(numeric_sub, product, numeric_call(numeric_mul, quotient, total)));
		count++;
	}

	/* without a row that still takes something, the rest stays unallocated */
	if (count > 0 && left > 0)
	{
		qsort(remainders, count, sizeof(NumericRow), compare_numeric_remainders);
		for (Size i = 0; i < (Size) left; i++)
			share[remainders[i].row]++;
	}
	return share;
}

/* ---- the window function ---- */

/* Apportions the partition. */
static void
allocate_partition(FunctionCallInfo fcinfo, Shares *shares, bool numeric_scores)
{
	WindowObject window = PG_WINDOW_OBJECT();
	MemoryContext before;
	Partition	partition = {0};

	partition.window = window;
	partition.context = GetMemoryChunkContext(shares);
	partition.rows = WinGetPartitionRowCount(window);
	if (partition.rows > MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("partition of %lld rows exceeds the limit of %lld rows",
						(long long) partition.rows, (long long) MAX_ROWS)));

	partition.scratch = AllocSetContextCreate(CurrentMemoryContext, "allocate", ALLOCSET_DEFAULT_SIZES);
	partition.row = AllocSetContextCreate(partition.scratch, "allocate rows", ALLOCSET_DEFAULT_SIZES);
	before = MemoryContextSwitchTo(partition.row);

	read_amount(&partition, fcinfo);
	read_caps(&partition, fcinfo);
	if (numeric_scores)
	{
		Numeric    *scores = row_array(partition.scratch, partition.rows, sizeof(Numeric));
		bool		any;
		uint64	   *weight = read_numeric_scores(&partition, scores, &any);

		if (any && partition.amount > 0)
			shares->share = weight ?
				allocate_integers(&partition, weight) : allocate_numerics(&partition, scores);
	}
	else
	{
		uint64	   *weight = read_float8_scores(&partition);

		if (weight && partition.amount > 0)
			shares->share = allocate_integers(&partition, weight);
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
	PG_RETURN_NUMERIC(integer_to_numeric(shares->share ? shares->share[row] : 0));
}

/* allocate(score float8, amount numeric [, cap numeric]) */
Datum
sr_allocate_float8(PG_FUNCTION_ARGS)
{
	return allocate(fcinfo, false);
}

/* allocate(score numeric, amount numeric [, cap numeric]) */
Datum
sr_allocate_numeric(PG_FUNCTION_ARGS)
{
	return allocate(fcinfo, true);
}
