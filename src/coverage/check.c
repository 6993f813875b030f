/*
 * check.c: what arguments may be.
 */
#include "coverage/check.h"

#include "common/shortest_dec.h"

void
check_order(int order)
{
	if (order < 0 || order > SR_MAX_ORDER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order %d is out of range", order),
				 errhint("A grid order is between 0 and %d.", SR_MAX_ORDER)));
}

/* A weight to the nearest multiple of 2^-16, ties to even. */
double
check_weight(double weight)
{
	if (isnan(weight) || isinf(weight) || weight < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight %s is not a finite number of at least 0", double_to_shortest_decimal(weight))));
	if (weight > WEIGHT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight %s exceeds 2^37, the most that the weights of one aggregate may add up to", double_to_shortest_decimal(weight)),
				 errhint("Use a larger unit.")));
	return rint(weight * WEIGHT_SCALE) / WEIGHT_SCALE;
}

void
check_same_order(const Coverage *a, const Coverage *b)
{
	if (a->order != b->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverages have different grid orders: %d and %d", a->order, b->order),
				 errhint("Build both at the same grid_order.")));
}

/* A number that stands for a constant field. */
double
check_scalar(double x)
{
	if (isnan(x) || isinf(x))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not a finite number", double_to_shortest_decimal(x))));
	return x;
}

void
check_disc(const Disc *disc)
{
	if (isnan(disc->radius) || disc->radius <= 0 || disc->radius > SR_MAX_RADIUS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("radius %s m is out of range", double_to_shortest_decimal(disc->radius)),
				 errhint("A radius is more than 0 and at most %.0f metres.", SR_MAX_RADIUS)));
}

/* The grid order argument, when there is one. */
int
sr_order_argument(FunctionCallInfo fcinfo, int argno)
{
	int32		order;

	if (PG_NARGS() <= argno)
		return SR_DEFAULT_ORDER;
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("grid order must not be null")));
	order = PG_GETARG_INT32(argno);
	check_order(order);
	return order;
}
