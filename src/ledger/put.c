/*
 * put.c: the third step of an ingest: new rows go into telemetry, with a plain INSERT. If
 * somebody else puts the same key meanwhile, it is taken back and judged again.
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/xact.h"
#include "executor/spi.h"

#include "ledger/verdict.h"

#define TRIES 5					/* to put rows that somebody else puts too */

/* Puts the new rows; false if that broke a key that must have been put, or a node dropped, meanwhile. */
static bool
put(Ingest *ingest, Verdict *verdict)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	if (verdict->fresh_count == 0)
		return true;
	sr_offer("ingest_fresh", ingest->fresh_desc, verdict->fresh);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		const char *fresh = "ingest_fresh";
		uint64		count;

		if (ingest->distributed)
		{
			/* see fetch_known in judge.c */
			fresh = "pg_temp.swarm_reward_ingest_new";
			sr_execute("CREATE TEMPORARY TABLE swarm_reward_ingest_new ON COMMIT DROP AS SELECT * FROM ingest_fresh", NULL, NULL, SPI_OK_UTILITY);
		}
		sr_execute(psprintf("INSERT INTO %s.telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh) "
							"SELECT f.node_id, f.service_type, f.sampled_at, f.latency_ms, f.ok, f.work, f.fee, f.energy_mwh "
							"FROM %s f", ingest->schema, fresh), NULL, NULL, SPI_OK_INSERT);
		count = SPI_processed;
		if (ingest->distributed)
			sr_execute("DROP TABLE pg_temp.swarm_reward_ingest_new", NULL, NULL, SPI_OK_UTILITY);
		if (count != (uint64) verdict->fresh_count)
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
					 errmsg("%lld of %lld rows were put into telemetry", (long long) count, (long long) verdict->fresh_count),
					 errdetail("A trigger or a rule on telemetry kept rows out, which would be lost."),
					 errhint("Let it raise an error, or reject such rows before they are ingested.")));
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	sr_withdraw("ingest_fresh");
	if (error == NULL)
		return true;
	if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION && error->sqlerrcode != ERRCODE_FOREIGN_KEY_VIOLATION)
		ReThrowError(error);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent changes of telemetry"),
				 errdetail_internal("%s", error->message),
				 errhint("Nothing was changed. Call it again in a new transaction.")));
	ereport(DEBUG1, (errmsg_internal("judged again: %s", error->message)));
	FreeErrorData(error);
	return false;
}

/* A row that was rejected when it was judged. */
static void
copy_late(void *state, TupleTableSlot *slot)
{
	tuplestore_puttupleslot(((Ingest *) state)->late, slot);
}

/* Judges the rows for a partition and puts what is new, until nobody else interferes. */
void
sr_ingest_partition(Ingest *ingest, Span *place)
{
	for (int try = 1;; try++)
	{
		Verdict		verdict = {.ingest = ingest};
		int64		judged;
		bool		done;

		verdict.fresh = sr_new_store(ingest);
		verdict.late = sr_new_store(ingest);
		initStringInfo(&verdict.last_service);
		initStringInfo(&verdict.last_fee);
		sr_judge(ingest, place, &verdict);
		judged = verdict.fresh_count + verdict.late_count + verdict.duplicates;
		if (judged != place->count)
			elog(ERROR, "%lld rows were judged and %lld given", (long long) judged, (long long) place->count);
		done = put(ingest, &verdict);
		if (done && verdict.late_count > 0)
		{
			RowReceiver receiver = sr_row_receiver(ingest->row_context, NULL, copy_late, ingest);

			sr_offer("ingest_late", ingest->late_desc, verdict.late);
			sr_execute("SELECT * FROM ingest_late", NULL, &receiver, SPI_OK_SELECT);
			sr_withdraw("ingest_late");
		}
		tuplestore_end(verdict.fresh);
		tuplestore_end(verdict.late);
		pfree(verdict.last_service.data);
		pfree(verdict.last_fee.data);
		ingest->stores -= 2;
		if (done)
		{
			ingest->moved += verdict.fresh_count;
			ingest->duplicates += verdict.duplicates;
			break;
		}
		if (try == TRIES)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not put rows into telemetry: the same ones are being put by others, again and again"),
					 errhint("Nothing was changed. Call it again.")));
	}
	tuplestore_end(place->rows);
	place->rows = NULL;
	ingest->stores--;
}
