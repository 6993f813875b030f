/*
 * exact_sum.c: the sum of float8s, each taken for the shortest decimal that stands for it and no
 * other: sum(exact(x)), without a numeric for each row. Decimals with the same exponent are added up
 * as integers, which no order of rows and no number of workers changes.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/aggregate.h"
#include "base/array.h"

#define HEADER_SIZE (sizeof(int64) + sizeof(double))	/* of a serialized state */
#define MAX_EXPONENT 400		/* beyond that of every float8 */

/* What has the same exponent. A decimal has at most 17 digits: 10^21 rows fit. */
typedef struct Part
{
	int128		sum;
	int64		exponent;		/* of ten */
} Part;

typedef struct ExactSum
{
	int64		rows;			/* of which zeros count only where there is nothing else */
	double		first;			/* row, which is not among the parts while it is the only one */
	SR_ARRAY(Part) parts;		/* in no order */
} ExactSum;

/* A state without a row, in a memory context. */
static ExactSum *
new_state(MemoryContext context)
{
	return MemoryContextAllocZero(context, sizeof(ExactSum));
}

/* Adds so many times a power of ten. */
static void
add(ExactSum *state, int128 value, int64 exponent)
{
	Part	   *part;

	for (int64 i = 0; i < state->parts.count; i++)
		if (state->parts.items[i].exponent == exponent)
		{
			state->parts.items[i].sum += value;
			return;
		}
	part = sr_array_add(&state->parts);
	part->sum = value;
	part->exponent = exponent;
}

/* Adds a float8 as its shortest decimal: digits, a point among them or none, e and an exponent or none. */
static void
add_decimal(ExactSum *state, double x)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];
	int			length;
	int64		digits = 0;
	int64		exponent = 0;
	bool		negative = false;
	bool		point = false;
	int			i = 0;

	length = double_to_shortest_decimal_bufn(x, text);
	if (text[i] == '-')
	{
		negative = true;
		i++;
	}
	for (; i < length && text[i] != 'e'; i++)
	{
		if (text[i] == '.')
		{
			point = true;
			continue;
		}
		digits = digits * 10 + (text[i] - '0');
		exponent -= point;
	}
	if (i < length)
	{
		bool		down = text[i + 1] == '-';
		int			e = 0;

		for (i += 2; i < length; i++)
			e = e * 10 + (text[i] - '0');
		exponent += down ? -e : e;
	}
	add(state, negative ? -digits : digits, exponent);
}

/* Is there no row but zeros? */
static bool
is_nothing(const ExactSum *state)
{
	return state->rows == 0 || (state->rows == 1 && state->first == 0);
}

/* Puts the first row among the parts; in the memory of the aggregate. */
static void
add_first(ExactSum *state)
{
	if (state->rows > 0 && state->parts.count == 0)
		add_decimal(state, state->first);
}

/* Adds a row; NULL is skipped. */
SR_FUNCTION(sr_exact_sum_transfn);
Datum
sr_exact_sum_transfn(PG_FUNCTION_ARGS)
{
	ExactSum   *state = PG_ARGISNULL(0) ? NULL : (ExactSum *) PG_GETARG_POINTER(0);
	MemoryContext context = sr_aggregate_context(fcinfo);
	double		x;

	if (state == NULL)
		state = new_state(context);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	x = PG_GETARG_FLOAT8(1);
	if (isnan(x) || isinf(x))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot take %s as a number", float8out_internal(x))));
	if (is_nothing(state))
	{
		state->first = x;
		state->rows = 1;
	}
	else if (x != 0)
	{
		MemoryContext before = MemoryContextSwitchTo(context);

		add_first(state);
		add_decimal(state, x);
		MemoryContextSwitchTo(before);
		state->rows++;
	}
	PG_RETURN_POINTER(state);
}

/* Adds the second state to the first. */
SR_FUNCTION(sr_exact_sum_combine);
Datum
sr_exact_sum_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	ExactSum   *state = PG_ARGISNULL(0) ? new_state(context) : (ExactSum *) PG_GETARG_POINTER(0);
	ExactSum   *other = PG_ARGISNULL(1) ? NULL : (ExactSum *) PG_GETARG_POINTER(1);
	MemoryContext before;

	if (other == NULL || other->rows == 0 || (is_nothing(other) && state->rows > 0))
		PG_RETURN_POINTER(state);
	if (is_nothing(state))
		state->rows = 0;
	before = MemoryContextSwitchTo(context);
	if (state->rows == 0 && other->rows == 1)
		state->first = other->first;
	else
	{
		add_first(state);
		add_first(other);
		for (int64 i = 0; i < other->parts.count; i++)
			add(state, other->parts.items[i].sum, other->parts.items[i].exponent);
	}
	MemoryContextSwitchTo(before);
	state->rows += other->rows;
	PG_RETURN_POINTER(state);
}

/* A state as it is in memory: rows, the first of them, the parts. */
SR_FUNCTION(sr_exact_sum_serialize);
Datum
sr_exact_sum_serialize(PG_FUNCTION_ARGS)
{
	ExactSum   *state = (ExactSum *) PG_GETARG_POINTER(0);
	Size		size;
	bytea	   *result;
	char	   *at;

	(void) sr_aggregate_context(fcinfo);
	size = HEADER_SIZE + (Size) state->parts.count * sizeof(Part);
	result = palloc(VARHDRSZ + size);
	SET_VARSIZE(result, VARHDRSZ + size);
	at = VARDATA(result);
	memcpy(at, &state->rows, sizeof(state->rows));
	memcpy(at + sizeof(state->rows), &state->first, sizeof(state->first));
	if (state->parts.count > 0)
		memcpy(at + HEADER_SIZE, state->parts.items, size - HEADER_SIZE);
	PG_RETURN_BYTEA_P(result);
}

/* The state that was written so. */
SR_FUNCTION(sr_exact_sum_deserialize);
Datum
sr_exact_sum_deserialize(PG_FUNCTION_ARGS)
{
	ExactSum   *state;
	bytea	   *value;
	const char *at;
	Size		size;
	bool		valid;

	(void) sr_aggregate_context(fcinfo);
	value = PG_GETARG_BYTEA_PP(0);
	size = VARSIZE_ANY_EXHDR(value);
	at = VARDATA_ANY(value);
	state = new_state(CurrentMemoryContext);
	valid = size >= HEADER_SIZE && (size - HEADER_SIZE) % sizeof(Part) == 0;
	if (valid)
	{
		memcpy(&state->rows, at, sizeof(state->rows));
		memcpy(&state->first, at + sizeof(state->rows), sizeof(state->first));
		valid = state->rows >= 0 && (state->rows > 1) == (size > HEADER_SIZE) && !isnan(state->first) && !isinf(state->first);
	}
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid serialized state of exact_sum: %zu bytes", (size_t) size)));
	sr_array_append(&state->parts, at + HEADER_SIZE, (int64) ((size - HEADER_SIZE) / sizeof(Part)));
	for (int64 i = 0; i < state->parts.count; i++)
		if (state->parts.items[i].exponent < -MAX_EXPONENT || state->parts.items[i].exponent > MAX_EXPONENT)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid serialized state of exact_sum: an exponent of %lld", (long long) state->parts.items[i].exponent)));
	PG_RETURN_POINTER(state);
}

/* A part as a numeric. */
static Numeric
to_numeric(Part part)
{
	char		text[64];
	char	   *at = text + sizeof(text) - 8;
	uint128		value = part.sum < 0 ? -(uint128) part.sum : (uint128) part.sum;

	snprintf(at, 8, "e%d", (int) part.exponent);
	do
	{
		*--at = '0' + (char) (value % 10);
		value /= 10;
	} while (value > 0);
	if (part.sum < 0)
		*--at = '-';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(at), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* The sum of one or more rows. */
static Numeric
sum_of(const ExactSum *state)
{
	Numeric		sum = NULL;
	ExactSum	one = {0};

	if (state->parts.count == 0)
	{
		add_decimal(&one, state->first);
		state = &one;
	}
	for (int64 i = 0; i < state->parts.count; i++)
	{
		Numeric		part = to_numeric(state->parts.items[i]);

		sum = sum == NULL ? part : numeric_add_opt_error(sum, part, NULL);
	}
	return sum;
}

/* The sum; NULL without a row. */
SR_FUNCTION(sr_exact_sum_finalfn);
Datum
sr_exact_sum_finalfn(PG_FUNCTION_ARGS)
{
	ExactSum   *state = PG_ARGISNULL(0) ? NULL : (ExactSum *) PG_GETARG_POINTER(0);

	(void) sr_aggregate_context(fcinfo);
	if (state == NULL || state->rows == 0)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(sum_of(state));
}

/* The sum as the nearest float8: of one row the row. */
SR_FUNCTION(sr_exact_total_finalfn);
Datum
sr_exact_total_finalfn(PG_FUNCTION_ARGS)
{
	ExactSum   *state = PG_ARGISNULL(0) ? NULL : (ExactSum *) PG_GETARG_POINTER(0);

	(void) sr_aggregate_context(fcinfo);
	if (state == NULL || state->rows == 0)
		PG_RETURN_NULL();
	if (state->rows == 1)
		PG_RETURN_FLOAT8(state->first == 0 ? 0 : state->first);
	PG_RETURN_DATUM(DirectFunctionCall1(numeric_float8, NumericGetDatum(sum_of(state))));
}
