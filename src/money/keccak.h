/*
 * keccak.h: the hash of Ethereum. Pure C.
 */
#ifndef SR_KECCAK_H
#define SR_KECCAK_H

#include "base/port.h"

#define KECCAK_BYTES 32

typedef struct KeccakHash
{
	unsigned char bytes[KECCAK_BYTES];
} KeccakHash;

/* What is appended to a message: the two hashes differ in nothing else. */
#define KECCAK_SUBMITTED 0x01	/* as submitted to NIST, and as Ethereum uses it */
#define KECCAK_SHA3 0x06		/* as standardised, FIPS 202 */

extern KeccakHash sr_keccak_sponge(const unsigned char *message, size_t length, unsigned char ending);

/* Keccak-256 of a message. */
static inline KeccakHash
sr_keccak(const void *message, size_t length)
{
	return sr_keccak_sponge(message, length, KECCAK_SUBMITTED);
}

#endif							/* SR_KECCAK_H */
