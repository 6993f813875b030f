/*
 * leaf.c: payments as the leaves of Merkle trees, encoded as Solidity's ABI does.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "money/address.h"
#include "money/hash.h"

#define WORD 32					/* of the ABI: everything takes so many bytes */

/* Writes an amount as the ABI does: 32 bytes, the most significant first. */
static void
write_uint256(Numeric amount, unsigned char word[WORD])
{
	char	   *shown = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(amount)));
	char	   *p = shown;
	bool		fits = true;

	memset(word, 0, WORD);
	for (; fits && *p >= '0' && *p <= '9'; p++)
	{
		unsigned	carry = (unsigned) (*p - '0');

		for (int i = WORD - 1; i >= 0; i--)
		{
			carry += word[i] * 10u;
			word[i] = (unsigned char) carry;
			carry >>= 8;
		}
		fits = carry == 0;
	}
	if (fits && *p == '.')
		p += 1 + strspn(p + 1, "0");
	if (!fits || *p != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %.100s is not a whole number from 0 to 2^256 - 1", shown)));
	pfree(shown);
}

/* merkle_leaf(address text, amount numeric) */
SR_FUNCTION(sr_merkle_leaf);
Datum
sr_merkle_leaf(PG_FUNCTION_ARGS)
{
	Address		address = sr_address_from_text(PG_GETARG_TEXT_PP(0));
	unsigned char encoded[2 * WORD] = {0};
	KeccakHash	hash;

	memcpy(encoded + WORD - ADDRESS_BYTES, address.bytes, ADDRESS_BYTES);
	write_uint256(PG_GETARG_NUMERIC(1), encoded + WORD);
	/* twice, so that a leaf can never be taken for a pair of nodes, which is as long */
	hash = sr_keccak(encoded, sizeof(encoded));
	hash = sr_keccak(hash.bytes, sizeof(hash));
	PG_RETURN_BYTEA_P(sr_hash_to_bytea(&hash));
}
