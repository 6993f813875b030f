/*
 * address.c: Ethereum's addresses, 0x and 40 hexadecimal digits.
 */
#include "postgres.h"
#include "base/compat.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "money/address.h"
#include "money/keccak.h"

/* The value of a hexadecimal digit, or -1. */
static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Writes the canonical form: the case of the letters is a checksum. A letter is a
 * capital where the hash of the digits in lower case has a digit of 8 or more.
 */
static void
write_canonical(Address *address)
{
	char	   *digit = address->text + 2;
	KeccakHash	hash;

	address->text[0] = '0';
	address->text[1] = 'x';
	for (int i = 0; i < 2 * ADDRESS_BYTES; i++)
		digit[i] = "0123456789abcdef"[i % 2 == 0 ? address->bytes[i / 2] >> 4 : address->bytes[i / 2] & 15];
	hash = sr_keccak(digit, 2 * ADDRESS_BYTES);
	for (int i = 0; i < 2 * ADDRESS_BYTES; i++)
	{
		int			of_hash = i % 2 == 0 ? hash.bytes[i / 2] >> 4 : hash.bytes[i / 2] & 15;

		if (digit[i] >= 'a' && of_hash >= 8)
			digit[i] += 'A' - 'a';
	}
	address->text[ADDRESS_CHARS] = '\0';
}

/* Reads an address; what is wrong with it, or NULL. */
static const char *
read_address(const text *value, Address *address)
{
	const char *given = VARDATA_ANY(value);
	bool		has_capital = false;
	bool		has_small = false;

	if (VARSIZE_ANY_EXHDR(value) != ADDRESS_CHARS || given[0] != '0' || given[1] != 'x')
		return "An address is 0x and 40 hexadecimal digits.";
	for (int i = 0; i < 2 * ADDRESS_BYTES; i++)
	{
		char		c = given[2 + i];
		int			digit = hex_value(c);

		if (digit < 0)
			return "An address is 0x and 40 hexadecimal digits.";
		address->bytes[i / 2] = (unsigned char) (i % 2 == 0 ? digit << 4 : address->bytes[i / 2] | digit);
		has_capital |= c >= 'A' && c <= 'F';
		has_small |= c >= 'a';
	}
	write_canonical(address);
	if (has_capital && has_small && memcmp(address->text, given, ADDRESS_CHARS) != 0)
		return "Its capital and small letters are a checksum (EIP-55), and that is wrong: a digit may have been mistyped.";
	return NULL;
}

/* The address that a text is; any other text is an error. */
Address
sr_address_from_text(const text *value)
{
	Address		address;
	const char *wrong = read_address(value, &address);

	if (wrong != NULL)
	{
		char	   *shown = text_to_cstring(value);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid address \"%.*s\"", pg_mbcliplen(shown, strlen(shown), 100), shown),
				 errdetail("%s", wrong)));
	}
	return address;
}

/* checksum_address(address text): its canonical form */
SR_FUNCTION(sr_checksum_address);
Datum
sr_checksum_address(PG_FUNCTION_ARGS)
{
	Address		address = sr_address_from_text(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(address.text));
}

/* is_payout_address(address text): is it one that somebody can have, well-formed, checksum right, and not zero? */
SR_FUNCTION(sr_is_payout_address);
Datum
sr_is_payout_address(PG_FUNCTION_ARGS)
{
	static const unsigned char zero[ADDRESS_BYTES] = {0};
	Address		address;

	PG_RETURN_BOOL(read_address(PG_GETARG_TEXT_PP(0), &address) == NULL &&
				   memcmp(address.bytes, zero, ADDRESS_BYTES) != 0);
}
