/*
 * equal.c: equality and hashes of fields.
 */
#include "coverage/coverage.h"

/* Same order and same bits in every cell; the form is canonical, so same bytes. */
static bool
coverage_equal(const Coverage *a, const Coverage *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

SR_FUNCTION(coverage_eq);
Datum
coverage_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(coverage_equal(PG_GETARG_COVERAGE(0), PG_GETARG_COVERAGE(1)));
}

SR_FUNCTION(coverage_ne);
Datum
coverage_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!coverage_equal(PG_GETARG_COVERAGE(0), PG_GETARG_COVERAGE(1)));
}

SR_FUNCTION(coverage_hash);
Datum
coverage_hash(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);

	PG_RETURN_INT32((int32) (c->digest[0] ^ (c->digest[1] >> 32)));
}

SR_FUNCTION(coverage_hash_extended);
Datum
coverage_hash_extended(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	uint64		seed = (uint64) PG_GETARG_INT64(1);
	uint64		h = c->digest[0] ^ (c->digest[1] >> 32);

	/* the low half must agree with coverage_hash when the seed is 0 */
	if (seed != 0)
		{
		h = (h ^ c->digest[1] ^ seed) * UINT64_C(0x9fb21c651e98df25);
		h = (h << 29) | (h >> 35);
	}
	PG_RETURN_INT64((int64) h);
}
