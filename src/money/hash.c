/*
 * hash.c: Keccak-256 of a bytea, and hashes as values of that type.
 */
#include "postgres.h"
#include "base/compat.h"

#include "money/hash.h"

/* A hash as a bytea of 32 bytes. */
bytea *
sr_hash_to_bytea(const KeccakHash *hash)
{
	bytea	   *result = palloc(VARHDRSZ + KECCAK_BYTES);

	SET_VARSIZE(result, VARHDRSZ + KECCAK_BYTES);
	memcpy(VARDATA(result), hash->bytes, KECCAK_BYTES);
	return result;
}

/* The hash that a bytea is; name says in errors what it is for. */
KeccakHash
sr_hash_from_bytea(Datum value, const char *name)
{
	bytea	   *data = DatumGetByteaPP(value);
	KeccakHash	hash;

	if (VARSIZE_ANY_EXHDR(data) != KECCAK_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has %zu bytes, not %d", name, (size_t) VARSIZE_ANY_EXHDR(data), KECCAK_BYTES),
				 errhint("Hashes come from keccak256() or merkle_leaf().")));
	memcpy(hash.bytes, VARDATA_ANY(data), KECCAK_BYTES);
	return hash;
}

/* keccak256(message bytea) */
SR_FUNCTION(sr_keccak256);
Datum
sr_keccak256(PG_FUNCTION_ARGS)
{
	bytea	   *message = PG_GETARG_BYTEA_PP(0);
	KeccakHash	hash = sr_keccak((unsigned char *) VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message));

	PG_RETURN_BYTEA_P(sr_hash_to_bytea(&hash));
}
