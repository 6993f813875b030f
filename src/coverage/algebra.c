/*
 * algebra.c: the algebra, cell by cell. A number stands for the field that
 * has it everywhere.
 *
 * Each operation is one loop over merged runs, instantiated per operator so that
 * the compiler sees the arithmetic inside the loop.
 */
#include "coverage/builder.h"
#include "coverage/check.h"

#include "common/shortest_dec.h"

/* One side of an operation: runs, or a single one for a number. */
typedef struct Operand
{
	uint32		nruns;
	const double *values;
	const uint32 *starts;
	double		scalar;
} Operand;

static const uint32 zero_start = 0;

static Operand
field_operand(const Coverage *c)
{
	Operand		o = {c->nruns, c->values, COVERAGE_STARTS(c), 0};

	return o;
}

/* The operand points into itself, so it is filled in where it stays. */
static void
scalar_operand(Operand *o, double x)
{
	o->scalar = check_scalar(x);
	o->nruns = 1;
	o->values = &o->scalar;
	o->starts = &zero_start;
}

/* Runs per check for interrupts. */
#define INTERRUPT_MASK 0xffff

/* The last run from i on that starts before a cell; run i does. */
static uint32
last_before(const Operand *o, uint32 i, int64 cell)
{
	uint32		step = 1;
	uint32		end;			/* starts at the cell or behind it */

	while (step < o->nruns - i && o->starts[i + step] < cell)
	{
		i += step;
		step *= 2;
	}
	end = step < o->nruns - i ? i + step : o->nruns;
	while (end - i > 1)
	{
		uint32		middle = i + (end - i) / 2;

		if (o->starts[middle] < cell)
			i = middle;
		else
			end = middle;
	}
	return i;
}

/*
 * Walks the runs of both sides at once. at is the start of the current stretch,
 * which ends where the next run of either side begins; where zero_absorbs, what
 * the other side has over a run of zeros does not matter and is jumped over.
 */
#define DEFINE_COMBINE(name, zero_absorbs, expression) \
static Coverage * \
name(int order, const Operand *l, const Operand *r) \
{ \
	CoverageBuilder builder; \
	uint32		i = 0, \
				j = 0, \
				steps = 0; \
	int64		at = 0; \
	sr_builder_init(&builder, order, Max((int64) l->nruns, (int64) r->nruns)); \
	for (;;) \
	{ \
		double		a = l->values[i]; \
		double		b = r->values[j]; \
		int64		next_l = i + 1 < l->nruns ? (int64) l->starts[i + 1] : INT64_MAX; \
		int64		next_r = j + 1 < r->nruns ? (int64) r->starts[j + 1] : INT64_MAX; \
		builder_add(&builder, at, (expression)); \
		if ((zero_absorbs) && a == 0 && next_r < next_l) \
		{ \
			j = last_before(r, j + 1, next_l); \
			next_r = j + 1 < r->nruns ? (int64) r->starts[j + 1] : INT64_MAX; \
		} \
		else if ((zero_absorbs) && b == 0 && next_l < next_r) \
		{ \
			i = last_before(l, i + 1, next_r); \
			next_l = i + 1 < l->nruns ? (int64) l->starts[i + 1] : INT64_MAX; \
		} \
		at = Min(next_l, next_r); \
		if (at == INT64_MAX) \
			break; \
		i += next_l == at; \
		j += next_r == at; \
		if (unlikely((++steps & INTERRUPT_MASK) == 0)) \
			CHECK_FOR_INTERRUPTS(); \
	} \
	return sr_builder_finish(&builder); \
}

DEFINE_COMBINE(combine_add, false, a + b)
DEFINE_COMBINE(combine_sub, false, a - b)
DEFINE_COMBINE(combine_mul, true, a * b)
DEFINE_COMBINE(combine_div, true, b == 0 ? 0 : a / b)
DEFINE_COMBINE(combine_least, false, a < b ? a : b)
DEFINE_COMBINE(combine_greatest, false, a > b ? a : b)
DEFINE_COMBINE(combine_mask, false, a >= b ? 1 : 0)

/* coverage, coverage */
#define DEFINE_CC(sqlname, combine) \
SR_FUNCTION(sqlname); \
Datum \
sqlname(PG_FUNCTION_ARGS) \
{ \
	Coverage   *a = PG_GETARG_COVERAGE(0); \
	Coverage   *b = PG_GETARG_COVERAGE(1); \
	Operand		l = field_operand(a); \
	Operand		r = field_operand(b); \
	check_same_order(a, b); \
	PG_RETURN_POINTER(combine(a->order, &l, &r)); \
}

/* coverage, number */
#define DEFINE_CS(sqlname, combine) \
SR_FUNCTION(sqlname); \
Datum \
sqlname(PG_FUNCTION_ARGS) \
{ \
	Coverage   *a = PG_GETARG_COVERAGE(0); \
	Operand		l = field_operand(a); \
	Operand		r; \
	scalar_operand(&r, PG_GETARG_FLOAT8(1)); \
	PG_RETURN_POINTER(combine(a->order, &l, &r)); \
}

/* number, coverage */
#define DEFINE_SC(sqlname, combine) \
SR_FUNCTION(sqlname); \
Datum \
sqlname(PG_FUNCTION_ARGS) \
{ \
	Coverage   *b = PG_GETARG_COVERAGE(1); \
	Operand		l; \
	Operand		r = field_operand(b); \
	scalar_operand(&l, PG_GETARG_FLOAT8(0)); \
	PG_RETURN_POINTER(combine(b->order, &l, &r)); \
}

DEFINE_CC(coverage_add, combine_add)
DEFINE_CS(coverage_add_scalar, combine_add)
DEFINE_SC(scalar_add_coverage, combine_add)
DEFINE_CC(coverage_sub, combine_sub)
DEFINE_CS(coverage_sub_scalar, combine_sub)
DEFINE_SC(scalar_sub_coverage, combine_sub)
DEFINE_CC(coverage_mul, combine_mul)
DEFINE_CS(coverage_mul_scalar, combine_mul)
DEFINE_SC(scalar_mul_coverage, combine_mul)
DEFINE_CC(coverage_div, combine_div)
DEFINE_CS(coverage_div_scalar, combine_div)
DEFINE_SC(scalar_div_coverage, combine_div)
DEFINE_CC(coverage_least, combine_least)
DEFINE_CS(coverage_least_scalar, combine_least)
DEFINE_CC(coverage_greatest, combine_greatest)
DEFINE_CS(coverage_greatest_scalar, combine_greatest)

/* 1 where the value is at least a positive threshold. */
SR_FUNCTION(coverage_mask);
Datum
coverage_mask(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	double		at_least = PG_GETARG_FLOAT8(1);
	Operand		l = field_operand(c);
	Operand		r;

	if (!(at_least > 0) || isinf(at_least))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("threshold %s is not a finite number above 0", double_to_shortest_decimal(at_least))));
	scalar_operand(&r, at_least);
	PG_RETURN_POINTER(combine_mask(c->order, &l, &r));
}

/* Rounds to the nearest multiple of 2^-16, ties to even. */
SR_FUNCTION(coverage_round);
Datum
coverage_round(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	const uint32 *starts = COVERAGE_STARTS(c);
	CoverageBuilder b;

	sr_builder_init(&b, c->order, c->nruns);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		double		v = c->values[i];

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		/* from 2^37 on every float8 is such a multiple */
		if (fabs(v) < WEIGHT_LIMIT)
			v = rint(v * WEIGHT_SCALE) / WEIGHT_SCALE;
		builder_add(&b, starts[i], v);
	}
	PG_RETURN_POINTER(sr_builder_finish(&b));
}
