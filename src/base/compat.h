/*
 * compat.h: what differs between PostgreSQL 14 and 18, in one place.
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

/* float8in's worker got an error context in 16. */
#if PG_VERSION_NUM >= 160000
#define sr_float8_in(token, type, whole) \
	float8in_internal(token, NULL, type, whole, NULL)
#else
#define sr_float8_in(token, type, whole) \
	float8in_internal(token, NULL, type, whole)
#endif

/* The length of the digest's room is checked since 15. */
#if PG_VERSION_NUM >= 150000
#define sr_cryptohash_final(context, digest, length) pg_cryptohash_final(context, digest, length)
#else
#define sr_cryptohash_final(context, digest, length) pg_cryptohash_final(context, digest)
#endif

/* Whether a procedure may COMMIT: 14 has no way to ask for its own kind of call. */
#if PG_VERSION_NUM >= 150000
#define sr_inside_nonatomic_context() SPI_inside_nonatomic_context()
#else
#define sr_inside_nonatomic_context() (!IsTransactionBlock() && !IsSubTransaction())
#endif

#endif							/* SR_COMPAT_H */
