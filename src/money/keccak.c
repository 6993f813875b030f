/*
 * keccak.c: Keccak-256 as Ethereum uses it, on LibTomCrypt's Keccak sponge.
 *
 * Ethereum's hash is Keccak as it was submitted to NIST: what FIPS 202 made of
 * it, SHA3-256, is the same sponge with other bits appended to the message. The
 * released versions of LibTomCrypt end a message only in the ways of FIPS 202,
 * so the ending of the submission is appended here, which fills the last block,
 * and the hash is read from the state that the library has then permuted.
 */
#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"

#include "money/keccak.h"

#if defined(__has_include)
#if !__has_include(<tomcrypt.h>)
#error "LibTomCrypt's header tomcrypt.h is missing: install libtomcrypt-dev (make setup does it on Debian)"
#endif
#endif
#include <tomcrypt.h>

#ifndef LTC_SHA3
#error "this LibTomCrypt was built without SHA-3"
#endif

/* A message goes to the library in blocks: bytes of state less twice those of the hash. */
#define RATE (200 - 2 * KECCAK_BYTES)

/* How much is hashed between two looks at interrupts. */
#define PIECE ((size_t) RATE * 8192)

static void
check(bool good)
{
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("the Keccak sponge of LibTomCrypt %s does not work as expected", SCRYPT)));
}

static void
hash(const unsigned char *message, size_t length, unsigned char result[KECCAK_BYTES])
{
	hash_state	state;
	unsigned char end[RATE] = {0};
	size_t		missing = RATE - length % RATE;

	check(sha3_256_init(&state) == CRYPT_OK);
	while (length > 0)
	{
		size_t		piece = Min(length, PIECE);

		CHECK_FOR_INTERRUPTS();
		check(sha3_process(&state, message, piece) == CRYPT_OK);
		message += piece;
		length -= piece;
	}

	/* a one bit, zeros, and a one bit at the end of the block */
	end[0] = 0x01;
	end[missing - 1] |= 0x80;
	check(sha3_process(&state, end, missing) == CRYPT_OK);
	for (int i = 0; i < KECCAK_BYTES; i++)
		result[i] = (unsigned char) (state.sha3.s[i / 8] >> (8 * (i % 8)));
}

/* Keccak-256 of a message. */
void
sr_keccak256(const unsigned char *message, size_t length, unsigned char result[KECCAK_BYTES])
{
	static bool tried = false;

	/* The state of another version of the library could look otherwise: never a wrong hash. */
	if (!tried)
	{
		static const unsigned char of_nothing[KECCAK_BYTES] = {
			0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
			0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70
		};

		hash(NULL, 0, result);
		check(memcmp(result, of_nothing, KECCAK_BYTES) == 0);
		tried = true;
	}
	hash(message, length, result);
}
