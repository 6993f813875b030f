/*
 * verdict.h: what is new among the rows for a partition, what is there already, and
 * what is to be rejected.
 */
#ifndef SR_VERDICT_H
#define SR_VERDICT_H

#include "lib/stringinfo.h"

#include "ledger/ingest.h"

/* What came of the rows of one partition; started afresh with each try. */
typedef struct Verdict
{
	Ingest	   *ingest;
	Tuplestorestate *fresh;		/* rows to put */
	Tuplestorestate *late;		/* rejects */
	int64		fresh_count;
	int64		late_count;
	int64		duplicates;
	/* the last fresh row, with which others of its key are compared */
	Sample		last;
	StringInfoData last_service;
	StringInfoData last_fee;	/* as a datum */
} Verdict;

extern void sr_judge(Ingest *ingest, Span *place, Verdict *verdict);

#endif							/* SR_VERDICT_H */
