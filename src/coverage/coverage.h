/*
 * coverage.h: the type coverage, a piecewise-constant field over all cells.
 */
#ifndef SR_COVERAGE_H
#define SR_COVERAGE_H

#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "grid/diff.h"
#include "grid/disc.h"
#include "coverage/geog.h"
#include "grid/healpix.h"
#include "grid/scan.h"

/*
 * On disk. Run i gives values[i] to the cells from starts[i] up to the next
 * run's start, the last one up to the end of the grid. The first run starts at
 * cell 0, neighbouring runs differ, and -0 does not occur: equal fields are
 * equal bytes. The digest over order and runs lets one field be told from
 * another without reading either.
 */
typedef struct Coverage
{
	int32		vl_len_;		/* varlena header, do not touch */
	uint32		flags;			/* format version, zero; reserved */
	int32		order;
	uint32		nruns;
	uint64		digest[2];
	double		values[FLEXIBLE_ARRAY_MEMBER];
	/* uint32	starts[nruns] */
} Coverage;

#define COVERAGE_STARTS(c) ((uint32 *) ((c)->values + (c)->nruns))
#define COVERAGE_SIZE(n) (offsetof(Coverage, values) + (Size) (n) * (sizeof(double) + sizeof(uint32)))
#define COVERAGE_NCELL(c) (INT64_C(12) << (2 * (c)->order))
#define COVERAGE_MAX_RUNS ((MaxAllocSize - offsetof(Coverage, values)) / (sizeof(double) + sizeof(uint32)))

#define DatumGetCoverage(d) coverage_detoast(d)
#define PG_GETARG_COVERAGE(n) DatumGetCoverage(PG_GETARG_DATUM(n))


/* Weights are kept to the nearest multiple of 2^-16, and add up to at most 2^37. */
#define WEIGHT_SCALE 65536.0
#define WEIGHT_LIMIT 137438953472.0

/*
 * Builds a coverage run by run, in the memory of the finished value: the values
 * where they stay, the starts behind room for all the values there may be.
 */
typedef struct CoverageBuilder
{
	Coverage   *c;
	int			order;
	int64		nruns;
	int64		capacity;
	double	   *values;
	uint32	   *starts;
} CoverageBuilder;

extern Coverage *coverage_detoast(Datum d);

extern void builder_init(CoverageBuilder *b, int order, int64 capacity);
extern void builder_grow(CoverageBuilder *b);
extern Coverage *builder_finish(CoverageBuilder *b);
extern void builder_out_of_range(double value) pg_attribute_noreturn();

/* Appends a run; starts ascend from 0. Equal neighbours become one run. */
static inline void
builder_add(CoverageBuilder *b, int64 start, double value)
{
	value += 0.0;				/* -0 becomes 0 */
	if (unlikely(!(value - value == 0.0)))
		builder_out_of_range(value);
	if (b->nruns > 0 && b->values[b->nruns - 1] == value)
		return;
	if (unlikely(b->nruns == b->capacity))
		builder_grow(b);
	b->values[b->nruns] = value;
	b->starts[b->nruns] = (uint32) start;
	b->nruns++;
}

extern Coverage *coverage_from_spans(int order, const SpanList *spans);

extern void check_order(int order);
extern double check_weight(double weight);
extern void check_same_order(const Coverage *a, const Coverage *b);
extern double check_scalar(double x);
extern void check_disc(const Disc *disc);
extern void scan_region(FunctionCallInfo fcinfo, int argno, int order, SpanList *out);

#endif							/* SR_COVERAGE_H */
