/*
 * span.h: spans of time: the partitions of telemetry with the rows for each, and days
 * that were dropped.
 */
#ifndef SR_SPAN_H
#define SR_SPAN_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/tuplestore.h"

#include "base/array.h"

typedef struct Span
{
	TimestampTz from;
	TimestampTz to;				/* exclusive */
	/* of a partition: which, and the rows for it */
	Oid			relation;
	Tuplestorestate *rows;
	int64		count;
	int64		named;			/* of them those whose node is told by its external_id */
	TimestampTz first;
	TimestampTz last;
} Span;

typedef struct Spans
{
	SR_ARRAY(Span) in_order;
	int64		last;			/* the one found last */
} Spans;

extern Spans sr_read_spans(MemoryContext row_context, const char *statement);
extern Span *sr_find_span(Spans *spans, TimestampTz at);

#endif							/* SR_SPAN_H */
