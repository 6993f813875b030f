/*
 * result.c: the rows that a function returns.
 */
#include "base/result.h"

#include "funcapi.h"

/* What a row of the result of a function that is declared to return rows has, in the current memory context. */
TupleDesc
sr_result_row(FunctionCallInfo fcinfo)
{
	TupleDesc	row;

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(row);
}
