/*
 * compat.h: what differs between PostgreSQL 15 and 18, in one place.
 *
 * Include it right after postgres.h and before every other server header.
 */
#ifndef SR_COMPAT_H
#define SR_COMPAT_H

/*
 * The module is compiled with hidden visibility. Before 16 PGDLLEXPORT was
 * empty outside Windows, which would hide the entry points too.
 */
#if PG_VERSION_NUM < 160000 && !defined(WIN32)
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

#include "fmgr.h"

/* Varlena declarations moved out of postgres.h in 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* Declares one SQL-callable function: exported, with its info record. */
#define SR_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/*
 * add_size() and mul_size() are in utils/palloc.h, which postgres.h brings, or,
 * in older minor releases of each version, here.
 */
#include "storage/shmem.h"

/* Stands before a function that does not return; the server has its own since 18. */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

#endif							/* SR_COMPAT_H */
