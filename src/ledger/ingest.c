/*
 * ingest.c: ingest_telemetry: rows of any table move into telemetry, or with the reason into
 * telemetry_reject, in one transaction; those of telemetry_reject are taken up again.
 *
 *   take    DELETE … RETURNING: each row that left the source, and no other, is read as a sample.
 *           What cannot be read is rejected; the rest waits by partition.
 *   judge   for each partition one query: which stay of the node is it, is the service known, is there
 *           a row of the same key? In an order of its own, so that rows of one key meet, and that the index grows in order.
 *   put     what is new, with a plain INSERT. If somebody else puts the same key meanwhile, it is taken
 *           back and judged again.
 *   reject  in the order in which the rows were taken.
 *
 * The rows are taken with the rights of the owner of the source, all else is done with those of the
 * owner of telemetry. Nothing that the one part did to settings is left for the other.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/result.h"
#include "ledger/ingest.h"
#include "ledger/source.h"

/* Adds the fields of telemetry from this column on. */
static void
describe_fields(TupleDesc desc, AttrNumber column)
{
	TupleDescInitEntry(desc, column + FIELD_NODE, "node_id", INT8OID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_SERVICE, "service_type", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, column + FIELD_SERVICE, C_COLLATION_OID);
	TupleDescInitEntry(desc, column + FIELD_TIME, "sampled_at", TIMESTAMPTZOID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_LATENCY, "latency_ms", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_OK, "ok", BOOLOID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_WORK, "work", INT8OID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_FEE, "fee", NUMERICOID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_ENERGY, "energy_mwh", INT8OID, -1, 0);
	TupleDescInitEntry(desc, column + FIELD_EXTERNAL, "external_id", TEXTOID, -1, 0);
}

/* The columns of all tuplestores. */
static void
describe_stores(Ingest *ingest)
{
	ingest->row_desc = CreateTemplateTupleDesc(ROW_FIELDS + FIELDS);
	TupleDescInitEntry(ingest->row_desc, ROW_NUMBER + 1, "number", INT8OID, -1, 0);
	TupleDescInitEntry(ingest->row_desc, ROW_CLUMP + 1, "clump", INT8OID, -1, 0);
	describe_fields(ingest->row_desc, ROW_FIELDS + 1);

	ingest->fresh_desc = CreateTemplateTupleDesc(FIELDS);
	describe_fields(ingest->fresh_desc, 1);

	ingest->late_desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(ingest->late_desc, 1, "number", INT8OID, -1, 0);
	TupleDescInitEntry(ingest->late_desc, 2, "reason", TEXTOID, -1, 0);

	ingest->reject_desc = CreateTemplateTupleDesc(3);
	TupleDescInitEntry(ingest->reject_desc, 1, "row", JSONBOID, -1, 0);
	TupleDescInitEntry(ingest->reject_desc, 2, "reason", TEXTOID, -1, 0);
	TupleDescInitEntry(ingest->reject_desc, 3, "source", TEXTOID, -1, 0);
}

/* The most frequent reasons, each with its count. */
static char *
reasons(void)
{
	sr_execute("SELECT string_agg(format('%s: %s', s.reason, s.count), ', ' ORDER BY s.count DESC, s.reason COLLATE \"C\") "
			   "FROM (SELECT r.reason, count(*) FROM ingest_reject r GROUP BY r.reason "
			   "ORDER BY count(*) DESC, r.reason COLLATE \"C\" LIMIT 5) s", NULL, NULL, SPI_OK_SELECT);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Tells the caller what was done, and what is to be done. */
static void
tell(Ingest *ingest)
{
	const char *schema = ingest->schema;
	const char *why = ingest->rejected ? reasons() : NULL;

	ereport(NOTICE,
			(errmsg("ingested %s: %lld moved, %lld duplicates, %lld rejected", ingest->source,
					(long long) ingest->moved, (long long) ingest->duplicates, (long long) ingest->rejected),
			 why ? errdetail("Most frequent reasons: %s.", why) : 0,
			 why ? errhint("They are in %s.telemetry_reject.", schema) : 0));
	if (ingest->homeless > 0)
		ereport(WARNING,
				(errmsg("no partition for %lld of the rows, from %s to %s: they were rejected",
						(long long) ingest->homeless,
						sr_day_text(ingest->homeless_first), sr_day_text(ingest->homeless_last)),
				 errhint("SELECT %1$s.make_telemetry_partitions(%2$s, %3$s) for the days that are right, "
						 "then SELECT * FROM %1$s.ingest_telemetry('%1$s.telemetry_reject').",
						 schema, quote_literal_cstr(sr_day_text(ingest->homeless_first)),
						 quote_literal_cstr(sr_day_text(ingest->homeless_last + USECS_PER_DAY)))));
}

/* A table of the ledger. */
static Oid
own_table(Oid schema, const char *name)
{
	Oid			relation = get_relname_relid(name, schema);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s.%s does not exist", quote_identifier(get_namespace_name(schema)), name)));
	return relation;
}

/* Refuses a NULL where there is nothing to be done with it. */
static void
check_not_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* An ingest that is yet to begin, with the rights of the owner of telemetry from here on. */
static Ingest *
begin_ingest(Oid function, Interval *tolerance)
{
	Ingest	   *ingest = palloc0(sizeof(Ingest));
	Oid			schema = get_func_namespace(function);

	ingest->function = function;
	ingest->schema = quote_identifier(get_namespace_name(schema));
	ingest->telemetry = own_table(schema, "telemetry");
	ingest->node = own_table(schema, "node");
	ingest->tolerance = tolerance;
	ingest->row_context = AllocSetContextCreate(CurrentMemoryContext, "ingest row", ALLOCSET_DEFAULT_SIZES);
	describe_stores(ingest);
	ingest->raw = sr_new_store(ingest);
	ingest->late = sr_new_store(ingest);
	ingest->rejects = sr_new_store(ingest);
	GetUserIdAndSecContext(&ingest->caller, &ingest->caller_context);
	SetUserIdAndSecContext(sr_relation_owner(ingest->telemetry), ingest->caller_context | SECURITY_LOCAL_USERID_CHANGE);
	return ingest;
}

/* Does telemetry lie on the workers of Citus? */
static bool
is_distributed(void)
{
	sr_execute("SELECT WHERE swarm_reward_internal.telemetry_is_distributed()", NULL, NULL, SPI_OK_SELECT);
	return SPI_processed > 0;
}

/* Ingests what was taken. */
static void
ingest_taken(Ingest *ingest)
{
	for (int64 i = 0; i < ingest->partitions.in_order.count; i++)
		if (ingest->partitions.in_order.items[i].count > 0)
			sr_ingest_partition(ingest, &ingest->partitions.in_order.items[i]);
	if (ingest->rest != NULL && ingest->rest->count > 0)
		sr_ingest_partition(ingest, ingest->rest);
	sr_reject_all(ingest);
	if (ingest->moved + ingest->duplicates + ingest->rejected != ingest->taken)
		elog(ERROR, "%lld rows were taken, %lld moved, %lld duplicates, %lld rejected",
			 (long long) ingest->taken, (long long) ingest->moved,
			 (long long) ingest->duplicates, (long long) ingest->rejected);
}

/* Gives the caller their rights back, and the memory of the rows. */
static void
end_ingest(Ingest *ingest)
{
	SetUserIdAndSecContext(ingest->caller, ingest->caller_context);
	tuplestore_end(ingest->raw);
	tuplestore_end(ingest->late);
	tuplestore_end(ingest->rejects);
}

/* ingest_telemetry(source regclass, clock_tolerance interval): returns (moved, duplicates, rejected). */
SR_FUNCTION(sr_ingest_telemetry);
Datum
sr_ingest_telemetry(PG_FUNCTION_ARGS)
{
	MemoryContext caller_memory = CurrentMemoryContext;
	Ingest	   *ingest;
	Oid			source;
	TupleDesc	result_desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	check_not_null(fcinfo, 0, "source");
	check_not_null(fcinfo, 1, "clock_tolerance");
	source = PG_GETARG_OID(0);
	result_desc = sr_result_row(fcinfo);

	SPI_connect();
	ingest = begin_ingest(fcinfo->flinfo->fn_oid, PG_GETARG_INTERVAL_P(1));
	ingest->distributed = is_distributed();
	if (source == own_table(get_func_namespace(ingest->function), "telemetry_reject"))
		sr_take_rejects(ingest, source);
	else
		sr_take_source(ingest, source);
	ingest_taken(ingest);
	tell(ingest);
	values[0] = Int64GetDatum(ingest->moved);
	values[1] = Int64GetDatum(ingest->duplicates);
	values[2] = Int64GetDatum(ingest->rejected);
	end_ingest(ingest);
	SPI_finish();
	MemoryContextSwitchTo(caller_memory);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_desc, values, nulls)));
}
