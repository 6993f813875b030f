/*
 * ingest.h: what the steps of an ingest share. See ingest.c.
 */
#ifndef SR_INGEST_H
#define SR_INGEST_H

#include "postgres.h"

#include "ledger/sample.h"
#include "ledger/span.h"
#include "ledger/statement.h"

typedef struct Ingest
{
	Oid			function;
	Oid			telemetry;
	Oid			node;
	const char *schema;			/* quoted */
	const char *source;			/* name of the source, quoted */
	bool		again;			/* it is telemetry_reject */
	bool		distributed;	/* telemetry lies on the workers of Citus */
	Oid			caller;
	int			caller_context;
	Interval   *tolerance;
	TimestampTz latest;			/* that a clock may show */
	MemoryContext row_context;	/* reset with each row */

	Spans		partitions;
	Span	   *rest;			/* the default partition; NULL: none */
	Spans		dropped;
	int			stores;

	/* rows as they came, in order; those that are not in it were rejected when they were taken */
	SampleReader *reader;
	TupleDesc	raw_desc;
	Tuplestorestate *raw;
	int64		raw_count;
	TupleDesc	row_desc;
	TupleDesc	fresh_desc;
	TupleDesc	late_desc;
	TupleDesc	reject_desc;
	Tuplestorestate *late;		/* rejected after they were taken */
	Tuplestorestate *rejects;

	/* those without a partition */
	int64		homeless;
	TimestampTz homeless_first;
	TimestampTz homeless_last;

	int64		taken;
	int64		moved;
	int64		duplicates;
	int64		rejected;
} Ingest;

/* Columns of a row that waits to be judged: a number, what to sort by first, the fields. */
#define ROW_NUMBER 0
#define ROW_CLUMP 1
#define ROW_FIELDS 2

extern Tuplestorestate *sr_new_store(Ingest *ingest);
extern const char *sr_day_text(TimestampTz at);

extern void sr_take_source(Ingest *ingest, Oid relation);
extern void sr_take_rejects(Ingest *ingest, Oid relation);
extern void sr_ingest_partition(Ingest *ingest, Span *place);
extern void sr_put_reject(Ingest *ingest, TupleTableSlot *slot, const char *reason, int length);
extern void sr_reject_all(Ingest *ingest);

#endif							/* SR_INGEST_H */
