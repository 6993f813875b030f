/*
 * part.h: some of a stored field's cells, without a look at the rest of it.
 */
#ifndef SR_PART_H
#define SR_PART_H

#include "coverage/coverage.h"

/* The runs that hold the cells first .. end - 1; the first may begin before, the last end behind. */
typedef struct CoveragePart
{
	int			order;
	int64		first;
	int64		end;
	uint32		nruns;
	const double *values;
	const uint32 *starts;
} CoveragePart;

extern void sr_part_read(Datum field, int64 first, int64 end, CoveragePart *part);

/* The cell behind a run of a part, or behind the part. */
static inline int64
part_run_end(const CoveragePart *part, uint32 run)
{
	return run + 1 < part->nruns ? (int64) part->starts[run + 1] : part->end;
}

#endif							/* SR_PART_H */
