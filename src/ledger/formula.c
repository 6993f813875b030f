/*
 * formula.c: the formulas of an epoch that are computed for every node. They
 * do what their comments in SQL say and no more.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/float.h"
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

/* Seconds that two ranges of time have in common; NULL where that has no bound. */
SR_FUNCTION(sr_overlap_seconds);
Datum
sr_overlap_seconds(PG_FUNCTION_ARGS)
{
	RangeType  *ranges[2] = {PG_GETARG_RANGE_P(0), PG_GETARG_RANGE_P(1)};
	TypeCacheEntry *type = range_get_typcache(fcinfo, RangeTypeGetOid(ranges[0]));
	RangeBound	lower[2];
	RangeBound	upper[2];
	bool		empty[2];
	const RangeBound *from;
	const RangeBound *to;
	Timestamp	from_time;
	Timestamp	to_time;
	int64		common;

	for (int i = 0; i < 2; i++)
		range_deserialize(type, ranges[i], &lower[i], &upper[i], &empty[i]);
	if (empty[0] || empty[1])
		PG_RETURN_NUMERIC(int64_to_numeric(0));

	from = range_cmp_bounds(type, &lower[0], &lower[1]) >= 0 ? &lower[0] : &lower[1];
	to = range_cmp_bounds(type, &upper[0], &upper[1]) <= 0 ? &upper[0] : &upper[1];
	if (range_cmp_bounds(type, from, to) > 0)
		PG_RETURN_NUMERIC(int64_to_numeric(0));
	if (from->infinite || to->infinite)
		PG_RETURN_NULL();

	/* a range that holds one moment, or none, lasts no time */
	from_time = DatumGetTimestamp(from->val);
	to_time = DatumGetTimestamp(to->val);
	if (TIMESTAMP_NOT_FINITE(from_time) || TIMESTAMP_NOT_FINITE(to_time))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a time that begins or ends at infinity has no length"),
				 errhint("Leave the bound out instead.")));
	if (pg_sub_s64_overflow(to_time, from_time, &common))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("interval out of range")));
	PG_RETURN_NUMERIC(int64_div_fast_to_numeric(common, 6));
}
