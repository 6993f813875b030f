/*
 * aggregate.h: what functions of aggregates begin with.
 */
#ifndef SR_AGGREGATE_H
#define SR_AGGREGATE_H

#include "postgres.h"
#include "base/compat.h"

#include "fmgr.h"

extern MemoryContext sr_aggregate_context(FunctionCallInfo fcinfo);

#endif							/* SR_AGGREGATE_H */
