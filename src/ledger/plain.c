/*
 * plain.c: an error without a context. Each function in PL/pgSQL or SQL between a caller and what was wrong adds
 * a line or three of its own statements, which tell the caller nothing about what they gave.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/builtins.h"

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* Raises an error: SQLSTATE, message, detail and hint, of which the last two may be empty. */
SR_FUNCTION(sr_raise_plainly);
Datum
sr_raise_plainly(PG_FUNCTION_ARGS)
{
	char	   *state = text_argument(fcinfo, 0);
	char	   *message = text_argument(fcinfo, 1);
	char	   *detail = text_argument(fcinfo, 2);
	char	   *hint = text_argument(fcinfo, 3);

	/* whoever catches the error has their own list */
	error_context_stack = NULL;
	ereport(ERROR,
			(state && strlen(state) == 5 ? errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])) : errcode(ERRCODE_RAISE_EXCEPTION),
			 errmsg_internal("%s", message ? message : "error"),
			 detail && *detail ? errdetail_internal("%s", detail) : 0,
			 hint && *hint ? errhint("%s", hint) : 0));
	PG_RETURN_VOID();
}
