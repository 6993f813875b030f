/*
 * hash.h: Keccak hashes as values of type bytea.
 */
#ifndef SR_HASH_H
#define SR_HASH_H

#include "postgres.h"

#include "money/keccak.h"

extern bytea *sr_hash_to_bytea(const KeccakHash *hash);
extern KeccakHash sr_hash_from_bytea(Datum value, const char *name);

#endif							/* SR_HASH_H */
