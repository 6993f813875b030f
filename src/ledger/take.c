/*
 * take.c: the first step of an ingest: rows leave the source, are read, and wait by
 * partition; what cannot be read is rejected.
 *
 * Whose rights: the rows are taken with those of the owner of the source, restricted as VACUUM is, after
 * a check that the caller may select and delete them, so that no trigger or function there gets more than
 * its maker has.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/dependency.h"
#include "catalog/partition.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "ledger/ingest.h"
#include "ledger/source.h"

/* The latest time that a clock may show now. */
static TimestampTz
latest_time(Interval *tolerance)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz latest = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now),
																 IntervalPGetDatum(tolerance)));

	if (latest < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("clock_tolerance %s is negative",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(tolerance))))));
	return latest;
}

/* Reads where rows can go. The lock keeps it so, and lets others insert. */
static void
read_partitions(Ingest *ingest)
{
	Oid			rest;

	LockRelationOid(ingest->telemetry, RowExclusiveLock);
	ingest->latest = latest_time(ingest->tolerance);
	ingest->partitions =
		sr_read_spans(ingest->row_context,
					  psprintf("SELECT lower(p.period), upper(p.period), p.partition::oid "
							   "FROM swarm_reward_internal.telemetry_partition(%u) p ORDER BY p.period",
							   ingest->telemetry));
	rest = get_default_partition_oid(ingest->telemetry);
	if (OidIsValid(rest))
	{
		ingest->rest = palloc0(sizeof(Span));
		ingest->rest->relation = rest;
	}
	ingest->dropped =
		sr_read_spans(ingest->row_context,
					  "SELECT lower(d), upper(d), NULL::oid FROM unnest((SELECT range_agg(p.period) "
					  "FROM swarm_reward_internal.telemetry_dropped p WHERE p.relation = 'telemetry')) d ORDER BY d");
}

/* The partition a sample goes to; NULL: none, for the reason that is added. */
static Span *
find_place(Ingest *ingest, TimestampTz at, StringInfo reason)
{
	Span	   *place = sr_find_span(&ingest->partitions, at);

	if (place == NULL)
		place = ingest->rest;
	if (place != NULL)
		return place;
	if (sr_find_span(&ingest->dropped, at) != NULL)
	{
		sr_add_reason(reason, "out of retention");
		return NULL;
	}
	sr_add_reason(reason, "no partition for %s", sr_day_text(at));
	if (ingest->homeless == 0 || at < ingest->homeless_first)
		ingest->homeless_first = at;
	if (ingest->homeless == 0 || at > ingest->homeless_last)
		ingest->homeless_last = at;
	ingest->homeless++;
	return NULL;
}

/*
 * What rows of a partition are sorted by first. By hour, then by node: the index grows in runs,
 * what is read together lies together, and sessions that put the same rows meet in one order. It
 * need not tell all nodes and hours apart.
 */
static int64
clump(TimestampTz at, int64 node_id)
{
	uint64		hour = (uint64) (at / USECS_PER_HOUR - (at % USECS_PER_HOUR < 0));

	return (int64) ((hour << 40) | ((uint64) node_id & ((UINT64CONST(1) << 40) - 1)));
}

/* Once the columns of the source are known. */
static void
begin_take(void *state, TupleDesc desc)
{
	Ingest	   *ingest = state;
	MemoryContext row_context = MemoryContextSwitchTo(GetMemoryChunkContext(ingest));

	ingest->raw_desc = CreateTupleDescCopy(desc);
	ingest->reader = sr_sample_reader(ingest->raw_desc, ingest->source);
	MemoryContextSwitchTo(row_context);
}

/* Reads a row that left the source; it waits with those of its partition, or is rejected. */
static void
take_row(void *state, TupleTableSlot *slot)
{
	Ingest	   *ingest = state;
	Sample		sample;
	Span	   *place = NULL;
	StringInfoData reason;
	TimestampTz at;
	Datum		values[ROW_FIELDS + FIELDS];
	bool		nulls[ROW_FIELDS + FIELDS] = {false, false};

	initStringInfo(&reason);
	ingest->taken++;
	sr_read_sample(ingest->reader, slot, ingest->latest, &sample, &reason);
	at = DatumGetTimestampTz(sample.values[FIELD_TIME]);
	if (reason.len == 0)
		place = find_place(ingest, at, &reason);
	if (place == NULL)
	{
		sr_put_reject(ingest, slot, reason.data, reason.len);
		return;
	}

	if (place->rows == NULL)
	{
		MemoryContext row_context = MemoryContextSwitchTo(GetMemoryChunkContext(ingest));

		place->rows = sr_new_store(ingest);
		MemoryContextSwitchTo(row_context);
	}
	if (place->count == 0 || at < place->first)
		place->first = at;
	if (place->count == 0 || at > place->last)
		place->last = at;
	place->count++;
	if (sample.nulls[FIELD_NODE])
		place->named++;
	values[ROW_NUMBER] = Int64GetDatum(ingest->raw_count++);
	values[ROW_CLUMP] = Int64GetDatum(clump(at, sample.nulls[FIELD_NODE] ? 0 : DatumGetInt64(sample.values[FIELD_NODE])));
	memcpy(values + ROW_FIELDS, sample.values, sizeof(sample.values));
	memcpy(nulls + ROW_FIELDS, sample.nulls, sizeof(sample.nulls));
	tuplestore_putvalues(place->rows, ingest->row_desc, values, nulls);
	tuplestore_puttupleslot(ingest->raw, slot);
}

/* Deletes the rows with the rights of this role and reads them. */
static void
take(Ingest *ingest, const Source *source, Oid role, int context, const char *statement)
{
	RowReceiver receiver = sr_row_receiver(ingest->row_context, begin_take, take_row, ingest);
	SPIExecuteOptions options = {.dest = &receiver.pub};
	Oid			outer_role;
	int			outer_context;
	int			nest_level;
	int			result;
	SPIPlanPtr	plan;

	GetUserIdAndSecContext(&outer_role, &outer_context);
	SetUserIdAndSecContext(role, context);
	nest_level = NewGUCNestLevel();
	plan = SPI_prepare(statement, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "%s: %s", SPI_result_code_string(SPI_result), statement);
	sr_check_delete(source, plan);
	result = SPI_execute_plan_extended(plan, &options);
	if (result != SPI_OK_DELETE_RETURNING)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), statement);
	SPI_freeplan(plan);
	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(outer_role, outer_context);
}

/* Takes the rows of a table or view. */
void
sr_take_source(Ingest *ingest, Oid relation)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, ingest->function);
	Source		source = sr_lock_source(relation, ingest->caller, extension);
	int			restriction = source.owner == ingest->caller ? 0 : SECURITY_RESTRICTED_OPERATION;

	ingest->source = source.name;
	read_partitions(ingest);
	take(ingest, &source, source.owner,
		 ingest->caller_context | SECURITY_LOCAL_USERID_CHANGE | restriction,
		 psprintf("DELETE FROM %s RETURNING *", source.name));
}

/* Takes rejected rows up again: as the columns that they came with. */
void
sr_take_rejects(Ingest *ingest, Oid relation)
{
	Source		source = sr_lock_source(relation, ingest->caller, InvalidOid);

	ingest->source = source.name;
	ingest->again = true;
	read_partitions(ingest);
	take(ingest, &source, source.owner, ingest->caller_context | SECURITY_LOCAL_USERID_CHANGE,
		 psprintf("DELETE FROM %s r RETURNING r.\"row\", r.source, "
				  "r.\"row\" ->> 'node_id' AS node_id, r.\"row\" ->> 'external_id' AS external_id, "
				  "r.\"row\" ->> 'service_type' AS service_type, r.\"row\" ->> 'sampled_at' AS sampled_at, "
				  "r.\"row\" ->> 'latency_ms' AS latency_ms, r.\"row\" ->> 'ok' AS ok, r.\"row\" ->> 'work' AS work, "
				  "r.\"row\" ->> 'fee' AS fee, r.\"row\" ->> 'energy_mwh' AS energy_mwh", source.name));
}
