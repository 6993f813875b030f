/*
 * aggregate.c: what functions of aggregates begin with.
 */
#include "base/aggregate.h"

/* The memory of the aggregate, which a call from elsewhere does not have. */
MemoryContext
sr_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}
