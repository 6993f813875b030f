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

/* 2^-x for x at least 0, of + - * / only, to a few units in the last place. */
static double
half_to_the(double x)
{
	double		k,
				r,
				sum = 1;

	if (x > 1100)
		return 0;
	k = floor(x + 0.5);
	r = (k - x) * 0.69314718055994530942;
	for (int i = 16; i > 0; i--)
		sum = 1 + sum * r / i;
	return ldexp(sum, -(int) k);
}

/* Mean of 2^-x, and of x / to times it, while x goes from 0 to to. */
static void
mean_decay(double to, double *plain, double *rising)
{
	double		u = to * 0.69314718055994530942;

	if (u < 1)
	{
		/* sums of (-u)^n / (n + 1)! and (-u)^n / (n! (n + 2)) */
		double		term = 1;

		*plain = 0;
		*rising = 0;
		for (int n = 0; n < 20; n++)
		{
			*plain += term / (n + 1);
			*rising += term / (n + 2);
			term *= -u / (n + 1);
		}
	}
	else
	{
		double		left = half_to_the(to);

		*plain = (1 - left) / u;
		*rising = (1 - left * (1 + u)) / (u * u);
	}
}

/*
 * Tenure: the mean of min(1, age / maturity) over a time within an epoch, each moment weighted by
 * 2^(-t / half_life), t being the time since the growth came or the epoch began, over the mean of that
 * weight over the epoch. All in days. 1 for what is mature for a whole epoch.
 */
SR_FUNCTION(sr_mean_tenure);
Datum
sr_mean_tenure(PG_FUNCTION_ARGS)
{
	double		age = PG_GETARG_FLOAT8(0);
	double		since = PG_GETARG_FLOAT8(1);
	double		length = PG_GETARG_FLOAT8(2);
	double		epoch = PG_GETARG_FLOAT8(3);
	double		maturity = PG_GETARG_FLOAT8(4);
	double		half_life = PG_GETARG_FLOAT8(5);
	double		rising = Min(length, Max(0.0, maturity - age));
	double		plain,
				growing,
				all,
				ignored,
				sum = 0;

	if (!(age >= 0 && since >= 0 && length > 0 && epoch > 0 && maturity > 0 && half_life > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no tenure from age %s, %s days after it came, over %s of %s days, maturity %s, half-life %s",
						float8_text(age), float8_text(since), float8_text(length), float8_text(epoch),
						float8_text(maturity), float8_text(half_life)),
				 errhint("Ages are at least 0, lengths above 0.")));
	mean_decay(epoch / half_life, &all, &ignored);
	if (rising > 0)
	{
		mean_decay(rising / half_life, &plain, &growing);
		sum = (age / maturity * plain + rising / maturity * growing) * (rising / length) * half_to_the(since / half_life);
	}
	if (rising < length)
	{
		mean_decay((length - rising) / half_life, &plain, &growing);
		sum += plain * ((length - rising) / length) * half_to_the((since + rising) / half_life);
	}
	PG_RETURN_FLOAT8(sum / all);
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
