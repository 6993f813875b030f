/*
 * fill.c: a table filled from a query, many rows at a time: CREATE TABLE AS puts, and logs, each
 * row by itself, which the one process that puts them has no time for while workers make them.
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "ledger/statement.h"

#define BATCH 256				/* rows put together, at most */
#define BATCH_SIZE (64 * 1024)	/* and bytes */

typedef struct Filler
{
	Relation	table;
	BulkInsertState state;
	CommandId	command;
	MemoryContext context;		/* for the rows that wait */
	TupleTableSlot *rows[BATCH];
	int			count;
	Size		size;
} Filler;

/* Its columns are those of the table. */
static void
begin_filling(void *state, TupleDesc desc)
{
	Filler	   *filler = state;
	TupleDesc	wanted = RelationGetDescr(filler->table);

	for (int i = 0; i < Max(desc->natts, wanted->natts); i++)
		if (i >= desc->natts || i >= wanted->natts || TupleDescAttr(wanted, i)->atttypid != TupleDescAttr(desc, i)->atttypid)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %d of the query is not that of table \"%s\"", i + 1, RelationGetRelationName(filler->table))));
	/* before workers begin, after which neither a transaction nor a command has a number given */
	(void) GetCurrentTransactionId();
	filler->command = GetCurrentCommandId(true);
}

/* Puts the rows that wait. */
static void
put_rows(Filler *filler)
{
	if (filler->count == 0)
		return;
	table_multi_insert(filler->table, filler->rows, filler->count, filler->command, TABLE_INSERT_SKIP_FSM, filler->state);
	for (int i = 0; i < filler->count; i++)
		ExecClearTuple(filler->rows[i]);
	filler->count = 0;
	filler->size = 0;
}

/* A row waits, until there are many. */
static void
take_row(void *state, TupleTableSlot *slot)
{
	Filler	   *filler = state;
	TupleTableSlot **row = &filler->rows[filler->count];

	if (*row == NULL)
	{
		MemoryContext outer = MemoryContextSwitchTo(filler->context);

		*row = MakeSingleTupleTableSlot(RelationGetDescr(filler->table), table_slot_callbacks(filler->table));
		MemoryContextSwitchTo(outer);
	}
	ExecCopySlot(*row, slot);
	filler->count++;
	filler->size += ExecFetchSlotHeapTuple(*row, false, NULL)->t_len;
	if (filler->count == BATCH || filler->size >= BATCH_SIZE)
		put_rows(filler);
}

/* fill_table(target regclass, query text, regions region_list): how many rows came. */
SR_FUNCTION(sr_fill_table);
Datum
sr_fill_table(PG_FUNCTION_ARGS)
{
	Oid			target;
	char	   *query;
	ParamListInfo params = NULL;
	RowReceiver receiver;
	Filler		filler = {.context = CurrentMemoryContext};
	Form_pg_class class;
	AclResult	allowed;
	uint64		rows;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	target = PG_GETARG_OID(0);
	query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 2);
		Datum		value = PG_GETARG_DATUM(2);

		params = sr_parameters(1, &type, &value);
	}
	filler.table = table_open(target, RowExclusiveLock);
	allowed = pg_class_aclcheck(target, GetUserId(), ACL_INSERT);
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_TABLE, RelationGetRelationName(filler.table));
	/* nothing is checked, indexed or fired for a row, and nobody else sees them before the end */
	class = filler.table->rd_rel;
	if (class->relkind != RELKIND_RELATION || filler.table->rd_createSubid == InvalidSubTransactionId || class->relispartition ||
		class->relhasindex || class->relhastriggers || class->relhasrules || class->relrowsecurity || RelationGetDescr(filler.table)->constr != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is no plain table that this transaction has just made", RelationGetRelationName(filler.table)),
				 errdetail("It may be no partition, and have no index, constraint, trigger, rule or policy.")));
	receiver = sr_row_receiver(AllocSetContextCreate(CurrentMemoryContext, "rows to put", ALLOCSET_DEFAULT_SIZES),
							   begin_filling, take_row, &filler);
	filler.state = GetBulkInsertState();
	SPI_connect();
	sr_execute(query, params, &receiver, SPI_OK_SELECT);
	rows = SPI_processed;
	put_rows(&filler);
	for (int i = 0; i < BATCH; i++)
		if (filler.rows[i] != NULL)
			ExecDropSingleTupleTableSlot(filler.rows[i]);
	FreeBulkInsertState(filler.state);
	table_finish_bulk_insert(filler.table, TABLE_INSERT_SKIP_FSM);
	SPI_finish();
	table_close(filler.table, NoLock);
	PG_RETURN_INT64((int64) rows);
}
