/*
 * coverage.h: the type coverage, a piecewise-constant field over all cells.
 */
#ifndef SR_COVERAGE_H
#define SR_COVERAGE_H

#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "grid/healpix.h"

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

#define COVERAGE_VERSION 0

#define COVERAGE_STARTS(c) ((uint32 *) ((c)->values + (c)->nruns))
#define COVERAGE_SIZE(n) (offsetof(Coverage, values) + (Size) (n) * (sizeof(double) + sizeof(uint32)))
#define COVERAGE_NCELL(c) (INT64_C(12) << (2 * (c)->order))

/*
 * The most runs that a field may have: its text form, 16 characters a run, is then
 * 1 000 000 000 characters, which leaves some of the 1 GB that the server can read and
 * write at once to the rest of a row. So whatever can be stored can be dumped.
 */
#define COVERAGE_MAX_RUNS INT64_C(62499999)

#define DatumGetCoverage(d) sr_coverage_detoast(d)
#define PG_GETARG_COVERAGE(n) DatumGetCoverage(PG_GETARG_DATUM(n))

extern Coverage *sr_coverage_detoast(Datum d);
extern int	sr_coverage_order_of(Datum d);
extern void sr_coverage_check_header(const Coverage *c, Size size);

#endif							/* SR_COVERAGE_H */
