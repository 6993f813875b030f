/*
 * result.h: the rows that a function returns.
 */
#ifndef SR_RESULT_H
#define SR_RESULT_H

#include "postgres.h"
#include "base/compat.h"

#include "access/tupdesc.h"
#include "fmgr.h"

extern TupleDesc sr_result_row(FunctionCallInfo fcinfo);

#endif							/* SR_RESULT_H */
