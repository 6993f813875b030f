/*
 * runs.h: finding one's way in the runs of a stored field.
 */
#ifndef SR_RUNS_H
#define SR_RUNS_H

#include "coverage/coverage.h"

/* The cell behind a run's last one. */
static inline int64
run_end(const Coverage *c, uint32 run)
{
	return run + 1 < c->nruns ? (int64) COVERAGE_STARTS(c)[run + 1] : COVERAGE_NCELL(c);
}

/* How many cells a run has. */
static inline int64
run_length(const Coverage *c, uint32 run)
{
	return run_end(c, run) - COVERAGE_STARTS(c)[run];
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

/* The largest magnitude of its values. */
static inline double
coverage_largest(const Coverage *c)
{
	double		largest = 0;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		largest = Max(largest, fabs(c->values[i]));
	}
	return largest;
}

/*
 * The mean of the cells that are not zero, for what is drawn at a lower order. Exact
 * where all are the same, so that a constant field stays one.
 */
typedef struct Mean
{
	double		sum;			/* scaled */
	double		least;
	double		most;
	int64		count;
} Mean;

/* Sums of the largest values must not overflow: they are taken times this. */
static inline double
mean_scale(const Coverage *c)
{
	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (fabs(c->values[i]) > 1e290)
			return 0x1p-64;
	}
	return 1.0;
}

/* Adds n cells of a value other than zero. */
static inline void
mean_add(Mean *mean, double value, int64 n, double scale)
{
	mean->sum += value * scale * (double) n;
	mean->least = mean->count == 0 ? value : Min(mean->least, value);
	mean->most = mean->count == 0 ? value : Max(mean->most, value);
	mean->count += n;
}

/*
 * Adds the cells first .. end - 1 of a field that are not zero. run is the run of the first one
 * or one before it, and moves on to the last one's.
 */
static inline void
mean_add_cells(Mean *mean, const Coverage *c, uint32 *run, int64 first, int64 end, double scale)
{
	while (first < end)
	{
		int64		stop = Min(end, run_end(c, *run));

		if (stop <= first)
		{
			++*run;
			continue;
		}
		if (c->values[*run] != 0)
			mean_add(mean, c->values[*run], stop - first, scale);
		first = stop;
	}
}

/* 0 where nothing was added. */
static inline double
mean_value(const Mean *mean, double scale)
{
	if (mean->least == mean->most)
		return mean->least;
	return Max(mean->least, Min(mean->most, mean->sum / (double) mean->count / scale));
}

#endif							/* SR_RUNS_H */
