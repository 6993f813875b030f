/*
 * rule.c: a row that breaks a rule of its table is refused with the column, the value, the rule and what to
 * do, where the server's own error would name a constraint and print the whole row. The rules are the table's
 * own CHECK and NOT NULL constraints, looked at by a BEFORE trigger; their words are their comments and
 * those of their columns.
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#define LONGEST_VALUE 100		/* characters of a value that an error shows */

typedef struct Rule
{
	const char *name;			/* of the constraint */
	ExprState  *expression;
	Bitmapset  *columns;		/* numbers of the columns that it looks at */
} Rule;

/* The rules of the table that a trigger is on; lives as long as the statement. */
typedef struct Rules
{
	EState	   *estate;
	TupleTableSlot *slot;
	int			count;
	Rule		rule[FLEXIBLE_ARRAY_MEMBER];
} Rules;

/* Makes the rules of a table ready to be evaluated. */
static Rules *
read_rules(Relation table, MemoryContext context)
{
	TupleDesc	columns = RelationGetDescr(table);
	TupleConstr *constraints = columns->constr;
	int			count = constraints ? constraints->num_check : 0;
	MemoryContext old = MemoryContextSwitchTo(context);
	Rules	   *rules = palloc0(offsetof(Rules, rule) + count * sizeof(Rule));

	rules->estate = CreateExecutorState();
	rules->slot = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(columns), &TTSOpsHeapTuple);
	for (int i = 0; i < count; i++)
	{
		Node	   *expression = stringToNode(constraints->check[i].ccbin);
		Bitmapset  *seen = NULL;
		Rule	   *rule = &rules->rule[rules->count++];
		int			k = -1;

		pull_varattnos(expression, 1, &seen);
		while ((k = bms_next_member(seen, k)) >= 0)
			rule->columns = bms_add_member(rule->columns, k + FirstLowInvalidHeapAttributeNumber);
		rule->name = pstrdup(constraints->check[i].ccname);
		rule->expression = ExecPrepareExpr((Expr *) expression, rules->estate);
	}
	MemoryContextSwitchTo(old);
	return rules;
}

/* The table that a person knows: of a partition the whole, whose comments and constraints are its own. */
static Oid
known_table(Relation table)
{
	List	   *ancestors = table->rd_rel->relispartition ? get_partition_ancestors(RelationGetRelid(table)) : NIL;

	return ancestors ? llast_oid(ancestors) : RelationGetRelid(table);
}

/* A value as text, at most LONGEST_VALUE characters of it. */
static char *
shown(Relation table, TupleTableSlot *slot, int column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), column - 1);
	bool		is_null;
	Datum		value = slot_getattr(slot, column, &is_null);
	Oid			output;
	bool		is_varlena;
	char	   *text;

	if (is_null)
		return pstrdup("NULL");
	getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);
	if (pg_mbstrlen(text) > LONGEST_VALUE)
	{
		text[pg_mbcharcliplen(text, strlen(text), LONGEST_VALUE)] = '\0';
		text = psprintf("%s...", text);
	}
	return text;
}

/* A constraint's comment, or else its definition. */
static char *
words_of(Relation table, const char *name)
{
	Oid			constraint = get_relation_constraint_oid(known_table(table), name, true);
	char	   *comment = OidIsValid(constraint) ? GetComment(constraint, ConstraintRelationId, 0) : NULL;

	if (comment)
		return comment;
	/* one that a partition alone has */
	if (!OidIsValid(constraint))
		constraint = get_relation_constraint_oid(RelationGetRelid(table), name, false);
	return TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef, ObjectIdGetDatum(constraint)));
}

/* What the comments of columns say, a line for each that has one. */
static char *
meaning_of(Relation table, Bitmapset *columns)
{
	StringInfoData all;
	Oid			known = known_table(table);
	int			column = -1;

	initStringInfo(&all);
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		const char *name = NameStr(TupleDescAttr(RelationGetDescr(table), column - 1)->attname);
		char	   *comment = GetComment(known, RelationRelationId, get_attnum(known, name));

		if (comment)
			appendStringInfo(&all, "%s%s: %s.", all.len ? "\n" : "", name, comment);
	}
	return all.len ? all.data : NULL;
}

/* The row with the columns that the trigger names rounded to as many decimals as it says; Infinity and NaN stay. */
static HeapTuple
round_columns(const Trigger *trigger, TupleDesc columns, HeapTuple row)
{
	for (int i = 0; i + 1 < trigger->tgnargs; i += 2)
	{
		int			column = SPI_fnumber(columns, trigger->tgargs[i]);
		bool		is_null;
		Datum		value;
		Datum		rounded;

		if (column <= 0 || TupleDescAttr(columns, column - 1)->atttypid != NUMERICOID)
			elog(ERROR, "check_row() cannot round column %s", trigger->tgargs[i]);
		value = heap_getattr(row, column, columns, &is_null);
		if (is_null)
			continue;
		value = PointerGetDatum(PG_DETOAST_DATUM(value));	/* to be compared by bytes */
		rounded = DirectFunctionCall2(numeric_round, value, Int32GetDatum(pg_strtoint32(trigger->tgargs[i + 1])));
		if (!datumIsEqual(value, rounded, false, -1))
			row = heap_modify_tuple_by_cols(row, columns, 1, &column, &rounded, &is_null);
	}
	return row;
}

/* Refuses a row by a rule. */
static void
refuse(Relation table, TupleTableSlot *slot, Rule *rule)
{
	StringInfoData values;
	int			column = -1;
	char	   *meaning = meaning_of(table, rule->columns);

	initStringInfo(&values);
	while ((column = bms_next_member(rule->columns, column)) >= 0)
		appendStringInfo(&values, "%s%s = %s", values.len ? ", " : "", NameStr(TupleDescAttr(RelationGetDescr(table), column - 1)->attname), shown(table, slot, column));
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("%s cannot have %s", get_rel_name(known_table(table)), values.data),
			 errdetail("%s: %s.", rule->name, words_of(table, rule->name)),
			 meaning ? errhint("%s", meaning) : 0,
			 errtableconstraint(table, rule->name)));
}

/* Refuses a row without a value that it must have. */
static void
refuse_null(Relation table, int column)
{
	char	   *meaning = meaning_of(table, bms_make_singleton(column));

	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("%s needs a value of %s", get_rel_name(known_table(table)), NameStr(TupleDescAttr(RelationGetDescr(table), column - 1)->attname)),
			 meaning ? errhint("%s", meaning) : 0,
			 errtablecol(table, column)));
}

/* trigger: refuses a row that breaks a rule of its table, in words. */
SR_FUNCTION(sr_check_row);
Datum
sr_check_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	table;
	TupleDesc	columns;
	HeapTuple	row;
	Rules	   *rules = fcinfo->flinfo->fn_extra;
	ExprContext *context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("check_row() is a trigger before each row that is inserted or updated")));
	table = trigger->tg_relation;
	columns = RelationGetDescr(table);
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	if (rules == NULL)
		rules = fcinfo->flinfo->fn_extra = read_rules(table, fcinfo->flinfo->fn_mcxt);

	row = round_columns(trigger->tg_trigger, columns, row);
	ExecStoreHeapTuple(row, rules->slot, false);
	for (int column = 1; column <= columns->natts; column++)
	{
		Form_pg_attribute attribute = TupleDescAttr(columns, column - 1);

		/* columns that are generated are so only after this */
		if (attribute->attnotnull && !attribute->attgenerated && slot_attisnull(rules->slot, column))
			refuse_null(table, column);
	}
	context = GetPerTupleExprContext(rules->estate);
	context->ecxt_scantuple = rules->slot;
	for (int i = 0; i < rules->count; i++)
		if (!ExecCheck(rules->rule[i].expression, context))
			refuse(table, rules->slot, &rules->rule[i]);
	ResetExprContext(context);
	ExecClearTuple(rules->slot);
	return PointerGetDatum(row);
}

/* Is a text fit to be a code? Never false: an error that shows it. */
SR_FUNCTION(sr_is_code);
Datum
sr_is_code(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	int			length = VARSIZE_ANY_EXHDR(value);
	int			characters = pg_mbstrlen_with_len(bytes, length);
	const char *why = NULL;

	if (length == 0)
		why = "is empty";
	else if (strchr(" \t\r\n", bytes[0]) || strchr(" \t\r\n", bytes[length - 1]))
		why = "begins or ends with white space";
	else if (characters > 100)
		why = "is longer than 100 characters";
	if (why == NULL)
		PG_RETURN_BOOL(true);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("code \"%.*s\" %s", pg_mbcharcliplen(bytes, length, LONGEST_VALUE), bytes, why),
			 errdetail("A code is a short name used as a key: 1 to 100 characters without white space around them."),
			 errhint("trim() takes white space away.")));
}
