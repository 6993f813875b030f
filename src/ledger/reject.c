/*
 * reject.c: the last step of an ingest: what was not put goes into telemetry_reject with
 * the reason, in the order in which it was taken.
 */
#include "postgres.h"
#include "base/compat.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ledger/ingest.h"

/* Rejects a row as it came. */
void
sr_put_reject(Ingest *ingest, TupleTableSlot *slot, const char *reason, int length)
{
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	slot_getallattrs(slot);
	if (ingest->again)			/* as it came at first */
	{
		values[0] = slot->tts_values[0];
		values[2] = slot->tts_values[1];
		nulls[2] = slot->tts_isnull[1];
	}
	else
	{
		values[0] = sr_row_jsonb(ingest->reader, slot);
		values[2] = CStringGetTextDatum(ingest->source);
	}
	values[1] = PointerGetDatum(cstring_to_text_with_len(reason, length));
	tuplestore_putvalues(ingest->rejects, ingest->reject_desc, values, nulls);
	ingest->rejected++;
}

/* Where one is in the rows as they came. */
typedef struct RawReader
{
	Ingest	   *ingest;
	TupleTableSlot *slot;
	int64		next;			/* number of the row that comes next */
} RawReader;

/* Rejects a row that was taken. They come in the order of their numbers. */
static void
reject_late(void *state, TupleTableSlot *slot)
{
	RawReader  *raw = state;
	int64		number;
	text	   *reason;
	MemoryContext row_context;

	slot_getallattrs(slot);
	number = DatumGetInt64(slot->tts_values[0]);
	reason = DatumGetTextPP(slot->tts_values[1]);
	/* the slot keeps what it reads from disk until it reads the next one: not in memory that is reset */
	row_context = MemoryContextSwitchTo(GetMemoryChunkContext(raw->ingest));
	while (raw->next <= number)
	{
		CHECK_FOR_INTERRUPTS();
		if (!tuplestore_gettupleslot(raw->ingest->raw, true, false, raw->slot))
			elog(ERROR, "row %lld was not kept", (long long) number);
		raw->next++;
	}
	MemoryContextSwitchTo(row_context);
	sr_put_reject(raw->ingest, raw->slot, VARDATA_ANY(reason), VARSIZE_ANY_EXHDR(reason));
}

/* Puts all rejected rows. */
void
sr_reject_all(Ingest *ingest)
{
	RawReader	raw = {.ingest = ingest};
	RowReceiver receiver = sr_row_receiver(ingest->row_context, NULL, reject_late, &raw);

	if (tuplestore_tuple_count(ingest->late) > 0)
	{
		raw.slot = MakeSingleTupleTableSlot(ingest->raw_desc, &TTSOpsMinimalTuple);
		sr_offer("ingest_late", ingest->late_desc, ingest->late);
		sr_execute("SELECT l.number, l.reason FROM ingest_late l ORDER BY l.number", NULL, &receiver, SPI_OK_SELECT);
		sr_withdraw("ingest_late");
		ExecDropSingleTupleTableSlot(raw.slot);
	}
	if (ingest->rejected == 0)
		return;
	sr_offer("ingest_reject", ingest->reject_desc, ingest->rejects);
	sr_execute(psprintf("INSERT INTO %s.telemetry_reject (source, \"row\", reason) "
						"SELECT r.source, r.\"row\", r.reason FROM ingest_reject r", ingest->schema),
			   NULL, NULL, SPI_OK_INSERT);
	if (SPI_processed != (uint64) ingest->rejected)
		elog(ERROR, "%lld of %lld rows were put into telemetry_reject",
			 (long long) SPI_processed, (long long) ingest->rejected);
}
