/*
 * store.c: what all steps of an ingest begin with: a place for rows to wait in, and the name of a day.
 */
#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "ledger/ingest.h"

#define MANY_STORES 8			/* from so many on each is kept small */
#define SMALL_STORE 256			/* kB */

/* A tuplestore of rows. */
Tuplestorestate *
sr_new_store(Ingest *ingest)
{
	/* rows may be of hundreds of days: all together must not take much memory */
	bool		many = ++ingest->stores > MANY_STORES;

	return tuplestore_begin_heap(false, false, many ? Min(work_mem, SMALL_STORE) : work_mem);
}

/* The day of a time, in UTC. */
const char *
sr_day_text(TimestampTz at)
{
	int64		day = at / USECS_PER_DAY - (at % USECS_PER_DAY < 0);

	return DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum((DateADT) day)));
}
