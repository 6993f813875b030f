/*
 * span.c: spans of time, and which of them holds a time.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/timestamp.h"

#include "ledger/span.h"
#include "ledger/statement.h"

/* The span that holds a time, or NULL. */
Span *
sr_find_span(Spans *spans, TimestampTz at)
{
	Span	   *span = spans->in_order.items;
	int64		low = 0;
	int64		high = spans->in_order.count - 1;

	if (spans->last <= high && at >= span[spans->last].from && at < span[spans->last].to)
		return &span[spans->last];
	while (low <= high)
	{
		int64		middle = (low + high) / 2;

		if (at < span[middle].from)
			high = middle - 1;
		else if (at >= span[middle].to)
			low = middle + 1;
		else
		{
			spans->last = middle;
			return &span[middle];
		}
	}
	return NULL;
}

/* Adds a row of a statement: from, to, relation. */
static void
add_span(void *state, TupleTableSlot *slot)
{
	Spans	   *spans = state;
	Span	   *span;

	slot_getallattrs(slot);
	span = sr_array_add(&spans->in_order);
	memset(span, 0, sizeof(Span));
	span->from = slot->tts_isnull[0] ? DT_NOBEGIN : DatumGetTimestampTz(slot->tts_values[0]);
	span->to = slot->tts_isnull[1] ? DT_NOEND : DatumGetTimestampTz(slot->tts_values[1]);
	span->relation = slot->tts_isnull[2] ? InvalidOid : DatumGetObjectId(slot->tts_values[2]);
}

/* Reads spans, in order of time, from a statement that gives from, to and relation; NULL: without end, none. */
Spans
sr_read_spans(MemoryContext row_context, const char *statement)
{
	Spans		spans = {.last = 0};
	RowReceiver receiver = sr_row_receiver(row_context, NULL, add_span, &spans);

	sr_array_reserve(&spans.in_order, 1);	/* here, not in the memory of a row */
	sr_execute(statement, NULL, &receiver, SPI_OK_SELECT);
	return spans;
}
