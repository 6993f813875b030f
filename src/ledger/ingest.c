/*
 * ingest.c: ingest_telemetry and retry_telemetry_reject: rows of any table move into telemetry, or with
 * the reason into telemetry_reject, in one transaction.
 *
 *   take    DELETE … RETURNING: each row that left the source, and no other, is read as a sample.
 *           What cannot be read is rejected; the rest waits by partition.
 *   judge   for each partition one query: is the node known, the service, is there a row of the same
 *           key? In an order of its own, so that rows of one key meet, and that the index grows in order.
 *   put     what is new, with a plain INSERT. If somebody else puts the same key meanwhile, it is taken
 *           back and judged again.
 *   reject  in the order in which the rows were taken.
 *
 * Whose rights: the rows are taken with those of the owner of the source, restricted as VACUUM is, after
 * a check that the caller may select and delete them, so that no trigger or function there gets more than
 * its maker has. All else is done with those of the owner of telemetry. Nothing that the one part did to
 * settings is left for the other.
 */
#include "postgres.h"

#include "base/compat.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/partition.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/array.h"
#include "ledger/sample.h"
#include "ledger/source.h"

SR_FUNCTION(sr_ingest_telemetry);
SR_FUNCTION(sr_retry_telemetry_reject);

#define TRIES 5					/* to put rows that somebody else puts too */
#define MANY_STORES 8			/* from so many on each is kept small */
#define SMALL_STORE 256			/* kB */

/* A span of time: a partition, or days that were dropped. */
typedef struct Span
{
	TimestampTz from;
	TimestampTz to;				/* exclusive */
	/* of a partition: which, and the rows for it */
	Oid			relation;
	Tuplestorestate *rows;
	int64		count;
	TimestampTz first;
	TimestampTz last;
} Span;

typedef struct Spans
{
	SR_ARRAY(Span) in_order;
	int64		last;			/* the one found last */
} Spans;

typedef struct Ingest
{
	Oid			function;
	Oid			telemetry;
	Oid			node;
	const char *schema;			/* quoted */
	const char *source;			/* name of the source, quoted */
	bool		again;			/* the source is telemetry_reject */
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

/* Columns of a judged row. */
#define JUDGED_NUMBER 0
#define JUDGED_FIELDS 1
#define JUDGED_NODE_KNOWN (JUDGED_FIELDS + FIELDS)
#define JUDGED_SERVICE_KNOWN (JUDGED_NODE_KNOWN + 1)
#define JUDGED_EXISTS (JUDGED_NODE_KNOWN + 2)
#define JUDGED_SAME (JUDGED_NODE_KNOWN + 3)

#define REASON_CONFLICT "another row of the same node, time and service says something else"

/* ---- statements and their rows ---- */

typedef void (*TakeRow) (void *state, TupleTableSlot *slot);
typedef void (*BeginRows) (void *state, TupleDesc desc);

/* Hands each row of a result to a function, in a memory context that is reset after it. */
typedef struct RowReceiver
{
	DestReceiver pub;
	BeginRows	begin;			/* may be NULL */
	TakeRow		take;
	void	   *state;
	MemoryContext context;
} RowReceiver;

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	MemoryContext outer = MemoryContextSwitchTo(receiver->context);

	receiver->take(receiver->state, slot);
	MemoryContextSwitchTo(outer);
	MemoryContextReset(receiver->context);
	return true;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	RowReceiver *receiver = (RowReceiver *) self;

	(void) operation;
	if (receiver->begin)
		receiver->begin(receiver->state, desc);
}

static void
receive_nothing(DestReceiver *self)
{
	(void) self;
}

static RowReceiver
row_receiver(Ingest *ingest, BeginRows begin, TakeRow take, void *state)
{
	RowReceiver receiver = {
		{receive_row, receive_startup, receive_nothing, receive_nothing, DestTuplestore},
		begin, take, state, ingest->row_context
	};

	return receiver;
}

static ParamListInfo
parameters(int count, const Oid *types, const Datum *values)
{
	ParamListInfo list = makeParamList(count);

	for (int i = 0; i < count; i++)
	{
		list->params[i].value = values[i];
		list->params[i].isnull = false;
		list->params[i].pflags = PARAM_FLAG_CONST;
		list->params[i].ptype = types[i];
	}
	return list;
}

/* Executes a statement; rows go to the receiver, or are left with SPI. */
static void
execute(const char *statement, ParamListInfo params, RowReceiver *receiver, int wanted)
{
	SPIExecuteOptions options = {.params = params,.dest = receiver ? &receiver->pub : NULL};
	int			result = SPI_execute_extended(statement, &options);

	if (result != wanted)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), statement);
}

/* Lets statements read a tuplestore by a name. */
static void
offer(const char *name, TupleDesc desc, Tuplestorestate *store)
{
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));
	int			result;

	relation->md.name = pstrdup(name);
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = desc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = tuplestore_tuple_count(store);
	relation->reldata = store;
	result = SPI_register_relation(relation);
	if (result != SPI_OK_REL_REGISTER)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), name);
}

static void
withdraw(const char *name)
{
	int			result = SPI_unregister_relation(name);

	if (result != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), name);
}

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
	TupleDescInitEntry(desc, column + FIELD_ENERGY, "energy_mwh", INT8OID, -1, 0);
}

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

/* ---- spans of time ---- */

/* The span that holds a time, or NULL. */
static Span *
find_span(Spans *spans, TimestampTz at)
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

static void
read_spans(Ingest *ingest, Spans *spans, const char *statement)
{
	RowReceiver receiver = row_receiver(ingest, NULL, add_span, spans);

	memset(spans, 0, sizeof(Spans));
	sr_array_reserve(&spans->in_order, 1);	/* here, not in the memory of a row */
	execute(statement, NULL, &receiver, SPI_OK_SELECT);
}

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
				 errmsg("clock_tolerance %s is negative", DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(tolerance))))));
	return latest;
}

/* Reads where rows can go. The lock keeps it so, and lets others insert. */
static void
read_partitions(Ingest *ingest)
{
	Oid			rest;

	LockRelationOid(ingest->telemetry, RowExclusiveLock);
	ingest->latest = latest_time(ingest->tolerance);
	read_spans(ingest, &ingest->partitions,
			   psprintf("SELECT lower(p.period), upper(p.period), p.partition::oid FROM %s.telemetry_partition(%u) p ORDER BY p.period",
						ingest->schema, ingest->telemetry));
	rest = get_default_partition_oid(ingest->telemetry);
	if (OidIsValid(rest))
	{
		ingest->rest = palloc0(sizeof(Span));
		ingest->rest->relation = rest;
	}
	read_spans(ingest, &ingest->dropped,
			   psprintf("SELECT lower(d), upper(d), NULL::oid FROM unnest((SELECT range_agg(p.period) FROM %s.telemetry_dropped p "
						"WHERE p.relation = 'telemetry')) d ORDER BY d", ingest->schema));
}

/* ---- take ---- */

static Tuplestorestate *
new_store(Ingest *ingest)
{
	/* rows may be of hundreds of days: all together must not take much memory */
	bool		many = ++ingest->stores > MANY_STORES;

	return tuplestore_begin_heap(false, false, many ? Min(work_mem, SMALL_STORE) : work_mem);
}

static void
put_reject(Ingest *ingest, TupleTableSlot *slot, const char *reason, int length)
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

/* The day of a time, in UTC. */
static const char *
day_text(TimestampTz at)
{
	int64		day = at / USECS_PER_DAY - (at % USECS_PER_DAY < 0);

	return DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum((DateADT) day)));
}

/* The partition a sample goes to; NULL: none, for the reason that is added. */
static Span *
find_place(Ingest *ingest, TimestampTz at, StringInfo reason)
{
	Span	   *place = find_span(&ingest->partitions, at);

	if (place == NULL)
		place = ingest->rest;
	if (place != NULL)
		return place;
	if (find_span(&ingest->dropped, at) != NULL)
	{
		sr_add_reason(reason, "out of retention");
		return NULL;
	}
	sr_add_reason(reason, "no partition for %s", day_text(at));
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

static void
begin_take(void *state, TupleDesc desc)
{
	Ingest	   *ingest = state;
	MemoryContext row_context = MemoryContextSwitchTo(GetMemoryChunkContext(ingest));

	ingest->raw_desc = CreateTupleDescCopy(desc);
	ingest->reader = sr_sample_reader(ingest->raw_desc, ingest->source);
	MemoryContextSwitchTo(row_context);
}

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
		put_reject(ingest, slot, reason.data, reason.len);
		return;
	}

	if (place->rows == NULL)
	{
		MemoryContext row_context = MemoryContextSwitchTo(GetMemoryChunkContext(ingest));

		place->rows = new_store(ingest);
		MemoryContextSwitchTo(row_context);
	}
	if (place->count == 0 || at < place->first)
		place->first = at;
	if (place->count == 0 || at > place->last)
		place->last = at;
	place->count++;
	values[ROW_NUMBER] = Int64GetDatum(ingest->raw_count++);
	values[ROW_CLUMP] = Int64GetDatum(clump(at, DatumGetInt64(sample.values[FIELD_NODE])));
	memcpy(values + ROW_FIELDS, sample.values, sizeof(sample.values));
	memcpy(nulls + ROW_FIELDS, sample.nulls, sizeof(sample.nulls));
	tuplestore_putvalues(place->rows, ingest->row_desc, values, nulls);
	tuplestore_puttupleslot(ingest->raw, slot);
}

/* Deletes the rows with the rights of this role and reads them. */
static void
take(Ingest *ingest, const Source *source, Oid role, int context, const char *statement, int nparams, Oid *types, Datum *values)
{
	RowReceiver receiver = row_receiver(ingest, begin_take, take_row, ingest);
	SPIExecuteOptions options = {.params = parameters(nparams, types, values),.dest = &receiver.pub};
	Oid			outer_role;
	int			outer_context;
	int			nest_level;
	int			result;
	SPIPlanPtr	plan;

	GetUserIdAndSecContext(&outer_role, &outer_context);
	SetUserIdAndSecContext(role, context);
	nest_level = NewGUCNestLevel();
	plan = SPI_prepare(statement, nparams, types);
	if (plan == NULL)
		elog(ERROR, "%s: %s", SPI_result_code_string(SPI_result), statement);
	if (source != NULL)
		sr_check_delete(source, plan);
	result = SPI_execute_plan_extended(plan, &options);
	if (result != SPI_OK_DELETE_RETURNING)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), statement);
	SPI_freeplan(plan);
	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(outer_role, outer_context);
}

/* Takes the rows of a table or view. */
static void
take_source(Ingest *ingest, Oid relation)
{
	Source		source = sr_lock_source(relation, ingest->caller, getExtensionOfObject(ProcedureRelationId, ingest->function));

	ingest->source = source.name;
	read_partitions(ingest);
	take(ingest, &source, source.owner,
		 ingest->caller_context | SECURITY_LOCAL_USERID_CHANGE | (source.owner == ingest->caller ? 0 : SECURITY_RESTRICTED_OPERATION),
		 psprintf("DELETE FROM %s RETURNING *", source.name), 0, NULL, NULL);
}

/* Takes rejected rows up again. */
static void
take_rejects(Ingest *ingest, Datum reason_like)
{
	Oid			types[] = {TEXTOID};
	Oid			role;
	int			context;

	ingest->source = psprintf("%s.telemetry_reject", ingest->schema);
	ingest->again = true;
	read_partitions(ingest);
	GetUserIdAndSecContext(&role, &context);
	take(ingest, NULL, role, context,
		 psprintf("DELETE FROM %s.telemetry_reject r WHERE r.reason LIKE $1 RETURNING r.\"row\", r.source, "
				  "r.\"row\" ->> 'node_id' AS node_id, r.\"row\" ->> 'service_type' AS service_type, "
				  "r.\"row\" ->> 'sampled_at' AS sampled_at, r.\"row\" ->> 'latency_ms' AS latency_ms, "
				  "r.\"row\" ->> 'ok' AS ok, r.\"row\" ->> 'work' AS work, r.\"row\" ->> 'energy_mwh' AS energy_mwh",
				  ingest->schema), 1, types, &reason_like);
}

/* ---- judge ---- */

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
} Verdict;

static void
put_late(Verdict *verdict, Datum number, const char *reason)
{
	Datum		values[2] = {number, CStringGetTextDatum(reason)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(verdict->late, verdict->ingest->late_desc, values, nulls);
	verdict->late_count++;
}

/* Is the key that of the last fresh row? */
static bool
has_last_key(const Verdict *verdict, const Datum *values, const bool *nulls)
{
	if (verdict->fresh_count == 0 || values[FIELD_NODE] != verdict->last.values[FIELD_NODE] ||
		values[FIELD_TIME] != verdict->last.values[FIELD_TIME] || nulls[FIELD_SERVICE] != verdict->last.nulls[FIELD_SERVICE])
		return false;
	if (nulls[FIELD_SERVICE])
		return true;
	return verdict->last_service.len == (int) VARSIZE_ANY_EXHDR(DatumGetPointer(values[FIELD_SERVICE])) &&
		memcmp(verdict->last_service.data, VARDATA_ANY(DatumGetPointer(values[FIELD_SERVICE])), verdict->last_service.len) == 0;
}

/* Does the row say what the last fresh one does? No work is work 0; -0 was never read. */
static bool
says_the_same(const Verdict *verdict, const Datum *values, const bool *nulls)
{
	const Sample *last = &verdict->last;

	return DatumGetBool(values[FIELD_OK]) == DatumGetBool(last->values[FIELD_OK]) &&
		nulls[FIELD_LATENCY] == last->nulls[FIELD_LATENCY] &&
		(nulls[FIELD_LATENCY] || DatumGetFloat8(values[FIELD_LATENCY]) == DatumGetFloat8(last->values[FIELD_LATENCY])) &&
		(nulls[FIELD_WORK] ? 0 : DatumGetInt64(values[FIELD_WORK])) == (last->nulls[FIELD_WORK] ? 0 : DatumGetInt64(last->values[FIELD_WORK])) &&
		nulls[FIELD_ENERGY] == last->nulls[FIELD_ENERGY] &&
		(nulls[FIELD_ENERGY] || DatumGetInt64(values[FIELD_ENERGY]) == DatumGetInt64(last->values[FIELD_ENERGY]));
}

static void
remember(Verdict *verdict, const Datum *values, const bool *nulls)
{
	memcpy(verdict->last.values, values, sizeof(verdict->last.values));
	memcpy(verdict->last.nulls, nulls, sizeof(verdict->last.nulls));
	resetStringInfo(&verdict->last_service);
	if (!nulls[FIELD_SERVICE])
		appendBinaryStringInfo(&verdict->last_service, VARDATA_ANY(DatumGetPointer(values[FIELD_SERVICE])),
							   VARSIZE_ANY_EXHDR(DatumGetPointer(values[FIELD_SERVICE])));
}

static void
judge_row(void *state, TupleTableSlot *slot)
{
	Verdict    *verdict = state;
	Datum	   *values = slot->tts_values + JUDGED_FIELDS;
	bool	   *nulls = slot->tts_isnull + JUDGED_FIELDS;
	Datum		number;
	bool		node_known,
				service_known;

	slot_getallattrs(slot);
	number = slot->tts_values[JUDGED_NUMBER];
	node_known = DatumGetBool(slot->tts_values[JUDGED_NODE_KNOWN]);
	service_known = DatumGetBool(slot->tts_values[JUDGED_SERVICE_KNOWN]);
	if (!node_known || !service_known)
		put_late(verdict, number, node_known ? "unknown service type" : service_known ? "unknown node" : "unknown node; unknown service type");
	else if (DatumGetBool(slot->tts_values[JUDGED_EXISTS]) || has_last_key(verdict, values, nulls))
	{
		if (DatumGetBool(slot->tts_values[JUDGED_EXISTS]) ? DatumGetBool(slot->tts_values[JUDGED_SAME]) : says_the_same(verdict, values, nulls))
			verdict->duplicates++;
		else
			put_late(verdict, number, REASON_CONFLICT);
	}
	else
	{
		tuplestore_putvalues(verdict->fresh, verdict->ingest->fresh_desc, values, nulls);
		verdict->fresh_count++;
		remember(verdict, values, nulls);
	}
}

/* Are so many rows better looked up one by one than by reading the whole table? */
static bool
is_few(int64 rows, Oid relation)
{
	return rows * BLCKSZ < DatumGetInt64(DirectFunctionCall2(pg_relation_size, ObjectIdGetDatum(relation), CStringGetTextDatum("main")));
}

/* A join to at most one row of a table; few: by an index whatever the planner thinks. */
static const char *
join_text(bool few, const char *schema, const char *table, const char *alias, const char *condition)
{
	if (few)
		return psprintf(" LEFT JOIN LATERAL (SELECT * FROM %s.%s %s WHERE %s OFFSET 0) %s ON true", schema, table, alias, condition, alias);
	return psprintf(" LEFT JOIN %s.%s %s ON %s", schema, table, alias, condition);
}

/*
 * Judges the rows of a partition. Of new rows of one key the one that is worst for the node is
 * the first, and stays: whoever says two things gains nothing, in whatever order they came.
 *
 * How the tables are joined is not left to the planner alone, because a partition that is being filled
 * has no statistics or old ones: from the guess of one row it would make loops over millions.
 */
static void
judge(Ingest *ingest, Span *place, Verdict *verdict)
{
	RowReceiver receiver = row_receiver(ingest, NULL, judge_row, verdict);
	Oid			types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[] = {TimestampTzGetDatum(place->first), TimestampTzGetDatum(place->last)};
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	/* what a plan without nested loops costs would otherwise ask for a compiler */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	offer("ingest_row", ingest->row_desc, place->rows);
	execute(psprintf("SELECT r.number, r.node_id, r.service_type, r.sampled_at, r.latency_ms, r.ok, r.work, r.energy_mwh, "
					 "n.node_id IS NOT NULL, r.service_type IS NULL OR s.code IS NOT NULL, t.node_id IS NOT NULL, "
					 "t.ok = r.ok AND t.latency_ms IS NOT DISTINCT FROM r.latency_ms "
					 "AND coalesce(t.work, 0) = coalesce(r.work, 0) AND t.energy_mwh IS NOT DISTINCT FROM r.energy_mwh "
					 "FROM ingest_row r%s%s%s "
					 "ORDER BY r.clump, r.node_id, r.sampled_at, r.service_type, "
					 "r.ok, r.latency_ms DESC NULLS LAST, coalesce(r.work, 0), r.energy_mwh DESC NULLS LAST, r.work NULLS FIRST, r.number",
					 join_text(is_few(place->count, ingest->node), ingest->schema, "node", "n", "n.node_id = r.node_id"),
					 join_text(false, ingest->schema, "service_type", "s", "s.code = r.service_type"),
					 join_text(is_few(place->count, place->relation), ingest->schema, "telemetry", "t",
							   "t.node_id = r.node_id AND t.sampled_at = r.sampled_at AND t.service_key = coalesce(r.service_type, '') "
							   "AND t.sampled_at BETWEEN $1 AND $2")),
			parameters(2, types, values), &receiver, SPI_OK_SELECT);
	withdraw("ingest_row");
	AtEOXact_GUC(true, nest_level);
}

/* ---- put ---- */

/* Puts the new rows; false if that broke a key that must have been put, or a node dropped, meanwhile. */
static bool
put(Ingest *ingest, Verdict *verdict)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	if (verdict->fresh_count == 0)
		return true;
	offer("ingest_fresh", ingest->fresh_desc, verdict->fresh);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		execute(psprintf("INSERT INTO %s.telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh) "
						 "SELECT f.node_id, f.service_type, f.sampled_at, f.latency_ms, f.ok, f.work, f.energy_mwh "
						 "FROM ingest_fresh f", ingest->schema), NULL, NULL, SPI_OK_INSERT);
		if (SPI_processed != (uint64) verdict->fresh_count)
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
					 errmsg("%lld of %lld rows were put into telemetry", (long long) SPI_processed, (long long) verdict->fresh_count),
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
	withdraw("ingest_fresh");
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

static void
copy_late(void *state, TupleTableSlot *slot)
{
	tuplestore_puttupleslot(((Ingest *) state)->late, slot);
}

static void
ingest_partition(Ingest *ingest, Span *place)
{
	for (int try = 1;; try++)
	{
		Verdict		verdict = {.ingest = ingest};
		bool		done;

		verdict.fresh = new_store(ingest);
		verdict.late = new_store(ingest);
		initStringInfo(&verdict.last_service);
		judge(ingest, place, &verdict);
		if (verdict.fresh_count + verdict.late_count + verdict.duplicates != place->count)
			elog(ERROR, "%lld rows were judged and %lld given", (long long) (verdict.fresh_count + verdict.late_count + verdict.duplicates),
				 (long long) place->count);
		done = put(ingest, &verdict);
		if (done && verdict.late_count > 0)
		{
			RowReceiver receiver = row_receiver(ingest, NULL, copy_late, ingest);

			offer("ingest_late", ingest->late_desc, verdict.late);
			execute("SELECT * FROM ingest_late", NULL, &receiver, SPI_OK_SELECT);
			withdraw("ingest_late");
		}
		tuplestore_end(verdict.fresh);
		tuplestore_end(verdict.late);
		pfree(verdict.last_service.data);
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

/* ---- reject ---- */

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
	put_reject(raw->ingest, raw->slot, VARDATA_ANY(reason), VARSIZE_ANY_EXHDR(reason));
}

static void
reject_all(Ingest *ingest)
{
	RawReader	raw = {.ingest = ingest};
	RowReceiver receiver = row_receiver(ingest, NULL, reject_late, &raw);

	if (tuplestore_tuple_count(ingest->late) > 0)
	{
		raw.slot = MakeSingleTupleTableSlot(ingest->raw_desc, &TTSOpsMinimalTuple);
		offer("ingest_late", ingest->late_desc, ingest->late);
		execute("SELECT l.number, l.reason FROM ingest_late l ORDER BY l.number", NULL, &receiver, SPI_OK_SELECT);
		withdraw("ingest_late");
		ExecDropSingleTupleTableSlot(raw.slot);
	}
	if (ingest->rejected == 0)
		return;
	offer("ingest_reject", ingest->reject_desc, ingest->rejects);
	execute(psprintf("INSERT INTO %s.telemetry_reject (source, \"row\", reason) "
					 "SELECT r.source, r.\"row\", r.reason FROM ingest_reject r", ingest->schema), NULL, NULL, SPI_OK_INSERT);
	if (SPI_processed != (uint64) ingest->rejected)
		elog(ERROR, "%lld of %lld rows were put into telemetry_reject", (long long) SPI_processed, (long long) ingest->rejected);
}

/* The most frequent reasons, each with its count. */
static char *
reasons(void)
{
	execute("SELECT string_agg(format('%s: %s', s.reason, s.count), ', ' ORDER BY s.count DESC, s.reason COLLATE \"C\") "
			"FROM (SELECT r.reason, count(*) FROM ingest_reject r GROUP BY r.reason "
			"ORDER BY count(*) DESC, r.reason COLLATE \"C\" LIMIT 5) s", NULL, NULL, SPI_OK_SELECT);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

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
				(errmsg("no partition for %lld of the rows, from %s to %s: they were rejected", (long long) ingest->homeless,
						day_text(ingest->homeless_first), day_text(ingest->homeless_last)),
				 errhint("SELECT %s.make_telemetry_partitions(%s, %s) for the days that are right, then SELECT * FROM %s.retry_telemetry_reject('no partition%%').",
						 schema, quote_literal_cstr(day_text(ingest->homeless_first)),
						 quote_literal_cstr(day_text(ingest->homeless_last + USECS_PER_DAY)), schema)));
}

/* ---- the two functions ---- */

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

static Datum
ingest_rows(FunctionCallInfo fcinfo, bool again)
{
	MemoryContext caller_memory = CurrentMemoryContext;
	Ingest	   *ingest;
	Oid			schema_oid;
	TupleDesc	result_desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", again ? "reason_like" : "source")));
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("clock_tolerance must not be null")));
	if (get_call_result_type(fcinfo, NULL, &result_desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result_desc = BlessTupleDesc(result_desc);

	SPI_connect();
	ingest = palloc0(sizeof(Ingest));
	ingest->function = fcinfo->flinfo->fn_oid;
	schema_oid = get_func_namespace(ingest->function);
	ingest->schema = quote_identifier(get_namespace_name(schema_oid));
	ingest->telemetry = own_table(schema_oid, "telemetry");
	ingest->node = own_table(schema_oid, "node");
	ingest->tolerance = PG_GETARG_INTERVAL_P(1);
	GetUserIdAndSecContext(&ingest->caller, &ingest->caller_context);
	ingest->row_context = AllocSetContextCreate(CurrentMemoryContext, "ingest row", ALLOCSET_DEFAULT_SIZES);
	describe_stores(ingest);
	ingest->raw = new_store(ingest);
	ingest->late = new_store(ingest);
	ingest->rejects = new_store(ingest);

	SetUserIdAndSecContext(sr_relation_owner(ingest->telemetry), ingest->caller_context | SECURITY_LOCAL_USERID_CHANGE);
	if (again)
		take_rejects(ingest, PG_GETARG_DATUM(0));
	else
		take_source(ingest, PG_GETARG_OID(0));
	for (int64 i = 0; i < ingest->partitions.in_order.count; i++)
		if (ingest->partitions.in_order.items[i].count > 0)
			ingest_partition(ingest, &ingest->partitions.in_order.items[i]);
	if (ingest->rest != NULL && ingest->rest->count > 0)
		ingest_partition(ingest, ingest->rest);
	reject_all(ingest);
	if (ingest->moved + ingest->duplicates + ingest->rejected != ingest->taken)
		elog(ERROR, "%lld rows were taken, %lld moved, %lld duplicates, %lld rejected", (long long) ingest->taken,
			 (long long) ingest->moved, (long long) ingest->duplicates, (long long) ingest->rejected);
	tell(ingest);
	SetUserIdAndSecContext(ingest->caller, ingest->caller_context);

	values[0] = Int64GetDatum(ingest->moved);
	values[1] = Int64GetDatum(ingest->duplicates);
	values[2] = Int64GetDatum(ingest->rejected);
	tuplestore_end(ingest->raw);
	tuplestore_end(ingest->late);
	tuplestore_end(ingest->rejects);
	SPI_finish();
	MemoryContextSwitchTo(caller_memory);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_desc, values, nulls)));
}

Datum
sr_ingest_telemetry(PG_FUNCTION_ARGS)
{
	return ingest_rows(fcinfo, false);
}

Datum
sr_retry_telemetry_reject(PG_FUNCTION_ARGS)
{
	return ingest_rows(fcinfo, true);
}
