/*
 * operate.c: what procedures that commit need to know of the server.
 */
#include "postgres.h"
#include "base/compat.h"

#include "executor/spi.h"

/*
 * True in a procedure that may COMMIT: called by CALL on its own, not in a
 * transaction block, a function or a block with an EXCEPTION clause. PL/pgSQL
 * cannot catch its own failing COMMIT, so it has to ask before.
 */
SR_FUNCTION(sr_can_commit);
Datum
sr_can_commit(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_BOOL(SPI_inside_nonatomic_context());
}
