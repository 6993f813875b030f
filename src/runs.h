/*
 * runs.h: finding one's way in the runs of a stored field.
 */
#ifndef SR_RUNS_H
#define SR_RUNS_H

#include "coverage.h"

/* The cell behind a run's last one. */
static inline int64
run_end(const Coverage *c, uint32 run)
{
	return run + 1 < c->nruns ? (int64) COVERAGE_STARTS(c)[run + 1] : COVERAGE_NCELL(c);
}

/* The run that holds a cell. */
static inline uint32
run_of(const Coverage *c, int64 cell)
{
	const uint32 *starts = COVERAGE_STARTS(c);
	uint32		lo = 0;
	uint32		hi = c->nruns - 1;

	while (lo < hi)
	{
		uint32		mid = lo + (hi - lo + 1) / 2;

		if ((int64) starts[mid] <= cell)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

#endif							/* SR_RUNS_H */
