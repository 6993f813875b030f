/*
 * formula.c: the formulas of an epoch that are computed for every node. They
 * do what their comments in SQL say and no more.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/multirangetypes.h"
#include "utils/numeric.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* A float8 as people read it, the shortest text that stands for no other. */
static char *
float8_text(double x)
{
	return float8out_internal(x);
}

/*
 * 0 at or before a, 1 at or beyond b, linear between; a > b counts down, a = b
 * is a step up.
 */
SR_FUNCTION(sr_ramp);
Datum
sr_ramp(PG_FUNCTION_ARGS)
{
	double		x = PG_GETARG_FLOAT8(0);
	double		a = PG_GETARG_FLOAT8(1);
	double		b = PG_GETARG_FLOAT8(2);

	if (isnan(x) || isnan(a) || isinf(a) || isnan(b) || isinf(b))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot ramp %s from %s to %s", float8_text(x), float8_text(a), float8_text(b)),
				 errhint("The ends must be finite and nothing may be NaN.")));
	if (a < b ? x <= a : a > b ? x >= a : x < a)
		PG_RETURN_FLOAT8(0);
	if (a < b ? x >= b : a > b ? x <= b : true)
		PG_RETURN_FLOAT8(1);
	/* the same bits, where a difference would be beyond the largest float8 */
	if (isinf(b - a))
	{
		x /= 2;
		a /= 2;
		b /= 2;
	}
	PG_RETURN_FLOAT8(a < b ? (x - a) / (b - a) : (a - x) / (a - b));
}

/* Does a key belong to a share? A C function, as the planner takes one for neither rare nor common. */
SR_FUNCTION(sr_is_share);
Datum
sr_is_share(PG_FUNCTION_ARGS)
{
	int32		share = PG_GETARG_INT32(0);
	int32		shares = PG_GETARG_INT32(1);

	if (shares < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there cannot be %d shares", shares)));
	PG_RETURN_BOOL(DatumGetUInt32(DirectFunctionCall1(hashint8, PG_GETARG_DATUM(2))) % (uint32) shares == (uint32) share);
}

/* The shortest decimal that stands for a float8 and no other, as a numeric. */
SR_FUNCTION(sr_exact_numeric);
Datum
sr_exact_numeric(PG_FUNCTION_ARGS)
{
	double		x = PG_GETARG_FLOAT8(0);
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isnan(x) || isinf(x))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot take %s as a number", float8_text(x))));
	double_to_shortest_decimal_buf(x, text);
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* The length of bounded times in seconds; NULL where a bound is missing. */
SR_FUNCTION(sr_seconds);
Datum
sr_seconds(PG_FUNCTION_ARGS)
{
	MultirangeType *times = PG_GETARG_MULTIRANGE_P(0);
	TypeCacheEntry *type = multirange_get_typcache(fcinfo, MultirangeTypeGetOid(times));
	RangeType **periods;
	int32		n;
	int64		us = 0;

	multirange_deserialize(type->rngtype, times, &n, &periods);
	for (int32 i = 0; i < n; i++)
	{
		RangeBound	lower;
		RangeBound	upper;
		bool		empty;
		int64		length;

		CHECK_FOR_INTERRUPTS();
		range_deserialize(type->rngtype, periods[i], &lower, &upper, &empty);
		if (lower.infinite || upper.infinite ||
			TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(lower.val)) || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(upper.val)))
			PG_RETURN_NULL();
		if (pg_sub_s64_overflow(DatumGetTimestampTz(upper.val), DatumGetTimestampTz(lower.val), &length) ||
			pg_add_s64_overflow(us, length, &us))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("times are too long to be added up")));
	}
	PG_RETURN_NUMERIC(int64_div_fast_to_numeric(us, 6));
}
