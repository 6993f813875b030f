/*
 * statement.h: statements of SQL whose rows go to a function, and tuplestores that
 * statements read by a name. All of it through SPI, which is connected.
 */
#ifndef SR_STATEMENT_H
#define SR_STATEMENT_H

#include "postgres.h"

#include "executor/spi.h"
#include "tcop/dest.h"
#include "utils/tuplestore.h"

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

extern RowReceiver sr_row_receiver(MemoryContext context, BeginRows begin, TakeRow take, void *state);
extern ParamListInfo sr_parameters(int count, const Oid *types, const Datum *values);
extern void sr_execute(const char *statement, ParamListInfo params, RowReceiver *receiver, int wanted);
extern void sr_offer(const char *name, TupleDesc desc, Tuplestorestate *store);
extern void sr_withdraw(const char *name);

#endif							/* SR_STATEMENT_H */
