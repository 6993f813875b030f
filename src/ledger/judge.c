/*
 * judge.c: the second step of an ingest: for each partition one query tells which of
 * the rows for it are new.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "ledger/verdict.h"

/* Columns of a judged row. */
#define JUDGED_NUMBER 0
#define JUDGED_FIELDS 1
#define JUDGED_NODE_KNOWN (JUDGED_FIELDS + FIELDS)
#define JUDGED_JOINED (JUDGED_NODE_KNOWN + 1)
#define JUDGED_STAYED (JUDGED_NODE_KNOWN + 2)
#define JUDGED_SERVICE_KNOWN (JUDGED_NODE_KNOWN + 3)
#define JUDGED_EXISTS (JUDGED_NODE_KNOWN + 4)
#define JUDGED_SAME (JUDGED_NODE_KNOWN + 5)

/* Rejects a row by its number. */
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

/* The fee of a row; none is 0. */
static Datum
fee_of(const Datum *values, const bool *nulls)
{
	return nulls[FIELD_FEE] ? NumericGetDatum(int64_to_numeric(0)) : values[FIELD_FEE];
}

/* Does the row say what the last fresh one does? No work is work 0, and so with fees; -0 was never read. */
static bool
says_the_same(const Verdict *verdict, const Datum *values, const bool *nulls)
{
	const Sample *last = &verdict->last;
	int64		work = nulls[FIELD_WORK] ? 0 : DatumGetInt64(values[FIELD_WORK]);
	int64		last_work = last->nulls[FIELD_WORK] ? 0 : DatumGetInt64(last->values[FIELD_WORK]);

	return DatumGetBool(values[FIELD_OK]) == DatumGetBool(last->values[FIELD_OK]) &&
		nulls[FIELD_LATENCY] == last->nulls[FIELD_LATENCY] &&
		(nulls[FIELD_LATENCY] || DatumGetFloat8(values[FIELD_LATENCY]) == DatumGetFloat8(last->values[FIELD_LATENCY])) &&
		work == last_work &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, fee_of(values, nulls), fee_of(last->values, last->nulls))) &&
		nulls[FIELD_ENERGY] == last->nulls[FIELD_ENERGY] &&
		(nulls[FIELD_ENERGY] || DatumGetInt64(values[FIELD_ENERGY]) == DatumGetInt64(last->values[FIELD_ENERGY]));
}

/* Keeps what others of its key are compared with; what is not a plain value would go with the row. */
static void
remember(Verdict *verdict, const Datum *values, const bool *nulls)
{
	memcpy(verdict->last.values, values, sizeof(verdict->last.values));
	memcpy(verdict->last.nulls, nulls, sizeof(verdict->last.nulls));
	resetStringInfo(&verdict->last_fee);
	if (!nulls[FIELD_FEE])
	{
		appendBinaryStringInfo(&verdict->last_fee, DatumGetPointer(values[FIELD_FEE]), VARSIZE_ANY(DatumGetPointer(values[FIELD_FEE])));
		verdict->last.values[FIELD_FEE] = PointerGetDatum(verdict->last_fee.data);
	}
	resetStringInfo(&verdict->last_service);
	if (!nulls[FIELD_SERVICE])
		appendBinaryStringInfo(&verdict->last_service, VARDATA_ANY(DatumGetPointer(values[FIELD_SERVICE])),
							   VARSIZE_ANY_EXHDR(DatumGetPointer(values[FIELD_SERVICE])));
}

/* Why nothing can be done with a row; NULL: something can. */
static const char *
fault_of(TupleTableSlot *slot)
{
	bool		service_known = DatumGetBool(slot->tts_values[JUDGED_SERVICE_KNOWN]);

	if (!DatumGetBool(slot->tts_values[JUDGED_NODE_KNOWN]))
		return service_known ? "unknown node" : "unknown node; unknown service type";
	if (!service_known)
		return "unknown service type";
	if (!DatumGetBool(slot->tts_values[JUDGED_JOINED]))
		return "before the node joined";
	if (!DatumGetBool(slot->tts_values[JUDGED_STAYED]))
		return "after the node left";
	return NULL;
}

/* Tells what becomes of a row: it is rejected, there already, or to be put. */
static void
judge_row(void *state, TupleTableSlot *slot)
{
	Verdict    *verdict = state;
	Datum	   *values = slot->tts_values + JUDGED_FIELDS;
	bool	   *nulls = slot->tts_isnull + JUDGED_FIELDS;
	const char *fault;
	Datum		number;
	bool		exists;

	slot_getallattrs(slot);
	number = slot->tts_values[JUDGED_NUMBER];
	exists = DatumGetBool(slot->tts_values[JUDGED_EXISTS]);
	fault = fault_of(slot);
	if (fault != NULL)
		put_late(verdict, number, fault);
	else if (exists || has_last_key(verdict, values, nulls))
	{
		if (exists ? DatumGetBool(slot->tts_values[JUDGED_SAME]) : says_the_same(verdict, values, nulls))
			verdict->duplicates++;
		else
			put_late(verdict, number, "another row of the same node, time and service says something else");
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
	Datum		size = DirectFunctionCall2(pg_relation_size, ObjectIdGetDatum(relation), CStringGetTextDatum("main"));

	return rows * BLCKSZ < DatumGetInt64(size);
}

/* A join to at most one row of a table; few: by an index whatever the planner thinks. */
static const char *
join_text(bool few, const char *schema, const char *table, const char *alias, const char *condition)
{
	if (few)
		return psprintf(" LEFT JOIN LATERAL (SELECT * FROM %s.%s %s WHERE %s OFFSET 0) %s ON true",
						schema, table, alias, condition, alias);
	return psprintf(" LEFT JOIN %s.%s %s ON %s", schema, table, alias, condition);
}

/*
 * The rows of a partition, with the stay that an external_id means: what replaced it has taken the
 * external_id over, so that the stay of then is among its predecessors.
 */
static const char *
named_rows(const Ingest *ingest, bool few)
{
	const char *schema = ingest->schema;
	const char *holder = join_text(few, schema, "node", "n", "n.external_id = e.external_id");

	return psprintf("(WITH RECURSIVE stay AS ("
					"SELECT n.external_id, n.node_id, n.joined_at, n.predecessor_id, timestamptz 'infinity' AS until "
					"FROM (SELECT DISTINCT i.external_id FROM ingest_row i) e%s WHERE n.node_id IS NOT NULL "
					"UNION ALL "
					"SELECT s.external_id, p.node_id, p.joined_at, p.predecessor_id, s.joined_at FROM stay s CROSS JOIN LATERAL "
					"(SELECT * FROM %s.node o WHERE o.node_id = s.predecessor_id OFFSET 0) p) "
					"SELECT i.number, i.clump, coalesce(i.node_id, s.node_id) AS node_id, i.service_type, i.sampled_at, i.latency_ms, "
					"i.ok, i.work, i.fee, i.energy_mwh, i.external_id "
					"FROM ingest_row i LEFT JOIN stay s ON s.external_id = i.external_id AND i.sampled_at < s.until "
					"AND (i.sampled_at >= s.joined_at OR s.predecessor_id IS NULL))", holder, schema);
}

/*
 * What is asked of the rows of a partition. Of new rows of one key the one that is worst for
 * the node is the first, and stays: whoever says two things gains nothing, in whatever order
 * they came. What was not measured counts as slow, and as having no known energy: it comes first.
 */
static const char *
judge_text(const Ingest *ingest, const Span *place, const char *rows, bool few_nodes)
{
	const char *node = join_text(few_nodes, ingest->schema, "node", "n", "n.node_id = r.node_id");
	const char *service = join_text(false, ingest->schema, "service_type", "s", "s.code = r.service_type");
	const char *telemetry = join_text(!ingest->distributed && is_few(place->count, place->relation),
									  ingest->distributed ? "pg_temp" : ingest->schema, ingest->distributed ? "swarm_reward_ingest_known" : "telemetry", "t",
									  "t.node_id = r.node_id AND t.sampled_at = r.sampled_at "
									  "AND t.service_key = coalesce(r.service_type, '') "
									  "AND t.sampled_at BETWEEN $1 AND $2");

	return psprintf("SELECT r.number, r.node_id, r.service_type, r.sampled_at, r.latency_ms, r.ok, r.work, r.fee, r.energy_mwh, r.external_id, "
					"n.node_id IS NOT NULL, r.sampled_at >= n.joined_at, n.left_at IS NULL OR r.sampled_at < n.left_at, "
					"r.service_type IS NULL OR s.code IS NOT NULL, t.node_id IS NOT NULL, "
					"t.ok = r.ok AND t.latency_ms IS NOT DISTINCT FROM r.latency_ms AND coalesce(t.work, 0) = coalesce(r.work, 0) "
					"AND coalesce(t.fee, 0) = coalesce(r.fee, 0) AND t.energy_mwh IS NOT DISTINCT FROM r.energy_mwh "
					"FROM %s r%s%s%s "
					"ORDER BY r.clump, r.node_id, r.sampled_at, r.service_type, r.ok, r.latency_ms DESC, coalesce(r.work, 0), "
					"coalesce(r.fee, 0), r.energy_mwh DESC, r.work NULLS FIRST, r.fee NULLS FIRST, r.number",
					rows, node, service, telemetry);
}

/*
 * The rows of workers that have the keys of these, in a table of this session. Citus plans no statement that
 * reads rows out of memory, and from an outer join it would make one that fetches all rows of these days: so
 * the keys are sent there, and what comes back is what was found.
 */
static void
fetch_known(const Ingest *ingest, const char *rows, ParamListInfo bounds)
{
	sr_execute(psprintf("CREATE TEMPORARY TABLE swarm_reward_ingest_key ON COMMIT DROP AS "
						"SELECT DISTINCT r.node_id, r.sampled_at, coalesce(r.service_type, '') AS service_key FROM %s r", rows), NULL, NULL, SPI_OK_UTILITY);
	sr_execute(psprintf("CREATE TEMPORARY TABLE swarm_reward_ingest_known ON COMMIT DROP AS "
						"SELECT t.node_id, t.sampled_at, t.service_key, t.ok, t.latency_ms, t.work, t.fee, t.energy_mwh "
						"FROM %s.telemetry t JOIN pg_temp.swarm_reward_ingest_key k ON t.node_id = k.node_id AND t.sampled_at = k.sampled_at AND t.service_key = k.service_key "
						"WHERE t.sampled_at BETWEEN $1 AND $2", ingest->schema), bounds, NULL, SPI_OK_UTILITY);
	sr_execute("DROP TABLE pg_temp.swarm_reward_ingest_key", NULL, NULL, SPI_OK_UTILITY);
}

/* A setting for as long as the level of settings. */
static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Judges the rows of a partition. How the tables are joined is not left to the planner
 * alone, because a partition that is being filled has no statistics or old ones: from the
 * guess of one row it would make loops over millions.
 */
void
sr_judge(Ingest *ingest, Span *place, Verdict *verdict)
{
	RowReceiver receiver = sr_row_receiver(ingest->row_context, NULL, judge_row, verdict);
	Oid			types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[] = {TimestampTzGetDatum(place->first), TimestampTzGetDatum(place->last)};
	ParamListInfo bounds = sr_parameters(2, types, values);
	bool		few_nodes = is_few(place->count, ingest->node);
	const char *rows = place->named > 0 ? named_rows(ingest, few_nodes) : "ingest_row";
	int			nest_level = NewGUCNestLevel();

	set_locally("enable_nestloop", "off");
	/* what a plan without nested loops costs would otherwise ask for a compiler */
	set_locally("jit", "off");
	sr_offer("ingest_row", ingest->row_desc, place->rows);
	if (ingest->distributed)
		fetch_known(ingest, rows, bounds);
	sr_execute(judge_text(ingest, place, rows, few_nodes), bounds, &receiver, SPI_OK_SELECT);
	if (ingest->distributed)
		sr_execute("DROP TABLE pg_temp.swarm_reward_ingest_known", NULL, NULL, SPI_OK_UTILITY);
	sr_withdraw("ingest_row");
	AtEOXact_GUC(true, nest_level);
}
