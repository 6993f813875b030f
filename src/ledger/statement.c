/*
 * statement.c: statements of SQL whose rows go to a function, and tuplestores that
 * statements read by a name.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/memutils.h"

#include "ledger/statement.h"

/* A row of the result, for the executor. */
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

/* Before the first row. */
static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	RowReceiver *receiver = (RowReceiver *) self;

	(void) operation;
	if (receiver->begin)
		receiver->begin(receiver->state, desc);
}

/* Afterwards there is nothing to be done. */
static void
receive_nothing(DestReceiver *self)
{
	(void) self;
}

/* Begin, which may be NULL, is called once with the columns, take with each row, in a context that is reset after it. */
RowReceiver
sr_row_receiver(MemoryContext context, BeginRows begin, TakeRow take, void *state)
{
	RowReceiver receiver = {
		{receive_row, receive_startup, receive_nothing, receive_nothing, DestTuplestore},
		begin, take, state, context
	};

	return receiver;
}

/* The parameters of a statement, none of them null. */
ParamListInfo
sr_parameters(int count, const Oid *types, const Datum *values)
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
void
sr_execute(const char *statement, ParamListInfo params, RowReceiver *receiver, int wanted)
{
	SPIExecuteOptions options = {.params = params,.dest = receiver ? &receiver->pub : NULL};
	int			result = SPI_execute_extended(statement, &options);

	if (result != wanted)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), statement);
}

/* Lets statements read a tuplestore by a name. */
void
sr_offer(const char *name, TupleDesc desc, Tuplestorestate *store)
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

/* No longer. */
void
sr_withdraw(const char *name)
{
	int			result = SPI_unregister_relation(name);

	if (result != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "%s: %s", SPI_result_code_string(result), name);
}
