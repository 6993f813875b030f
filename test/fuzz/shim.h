/*
 * shim.h: as much of a server as the types and geog.c need, for fuzzing them in
 * a plain process.
 */
#ifndef SR_FUZZ_SHIM_H
#define SR_FUZZ_SHIM_H

#include "coverage/coverage.h"

#include <setjmp.h>

extern Datum coverage_in(PG_FUNCTION_ARGS);
extern Datum coverage_out(PG_FUNCTION_ARGS);
extern Datum coverage_recv(PG_FUNCTION_ARGS);
extern Datum coverage_send(PG_FUNCTION_ARGS);

/* Where an error of the code under test jumps to. */
extern sigjmp_buf shim_error;

/* Frees all that was allocated since the last call. */
extern void shim_reset(void);

extern Datum shim_call(PGFunction function, Datum argument);

/* Aborts with a message unless the condition holds. */
extern void shim_require(bool condition, const char *what);

/* Aborts unless a coverage is of the one canonical form. */
extern void shim_check_coverage(const Coverage *c);

#endif							/* SR_FUZZ_SHIM_H */
