/*
 * Keccak against the examples of NIST and against hashes that everybody who uses Ethereum knows;
 * and messages of every length around the ends of blocks, of which the hashes of other programs
 * (Python's hashlib for SHA3-256, LibTomCrypt 1.18 for Keccak-256) were hashed once more.
 */
#include "money/keccak.h"

#include "tap.h"

#define LENGTHS 700

static const char *
hex(KeccakHash hash)
{
	static char text[2 * KECCAK_BYTES + 1];

	for (int i = 0; i < KECCAK_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", hash.bytes[i]);
	return text;
}

static void
is_hash(const char *message, size_t repeat, unsigned char ending, const char *expected, const char *name)
{
	size_t		length = strlen(message);
	unsigned char *bytes = malloc(length * repeat + 1);
	KeccakHash	hash;

	for (size_t i = 0; i < repeat; i++)
		memcpy(bytes + i * length, message, length);
	hash = sr_keccak_sponge(bytes, length * repeat, ending);
	ok(strcmp(hex(hash), expected) == 0, "%s", name);
	free(bytes);
}

/* The hash of the hashes of messages of 0 to LENGTHS - 1 bytes. */
static void
is_chain(unsigned char ending, const char *expected, const char *name)
{
	static KeccakHash hash[LENGTHS];

	for (int n = 0; n < LENGTHS; n++)
	{
		/* of just this size, so that a byte read beyond it is found */
		unsigned char *message = malloc(n ? n : 1);

		for (int i = 0; i < n; i++)
			message[i] = (unsigned char) ((i * i + n) % 251);
		hash[n] = sr_keccak_sponge(message, n, ending);
		free(message);
	}
	ok(strcmp(hex(sr_keccak_sponge(hash[0].bytes, sizeof(hash), ending)), expected) == 0, "%s", name);
}

int
main(void)
{
	/* FIPS 202's examples, at csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values */
	is_hash("", 1, KECCAK_SHA3, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a", "NIST: SHA3-256 of nothing");
	is_hash("\xa3", 200, KECCAK_SHA3, "79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787", "NIST: SHA3-256 of 1600 bits");
	is_hash("abc", 1, KECCAK_SHA3, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", "NIST: SHA3-256 of abc");
	is_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, KECCAK_SHA3,
			"41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376", "NIST: SHA3-256 of 448 bits");
	is_hash("a", 1000000, KECCAK_SHA3, "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1", "NIST: SHA3-256 of a million a");
	is_chain(KECCAK_SHA3, "3142dc22e22659cbeb048450ec38f94cc9901432ea2df77ccd5f4af681c6df8f", "SHA3-256 of 0 to 699 bytes");

	is_hash("", 1, KECCAK_SUBMITTED, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", "Ethereum: the hash of an account without code");
	is_hash("abc", 1, KECCAK_SUBMITTED, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45", "Keccak-256 of abc");
	is_hash("transfer(address,uint256)", 1, KECCAK_SUBMITTED, "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b",
			"Ethereum: the selector a9059cbb of ERC-20's transfer");
	is_hash("Transfer(address,address,uint256)", 1, KECCAK_SUBMITTED, "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
			"Ethereum: the topic of ERC-20's event Transfer");
	is_hash("\x80", 1, KECCAK_SUBMITTED, "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421", "Ethereum: the root of an empty trie");
	is_hash("a", 1000000, KECCAK_SUBMITTED, "fadae6b49f129bbb812be8407b7b2894f34aecf6dbd1f9b0f0c7e9853098fc96", "Keccak-256 of a million a");
	is_chain(KECCAK_SUBMITTED, "06a890bb1479a027a67560cc2575e9bd6591d8c1b376218c13672880a619debf", "Keccak-256 of 0 to 699 bytes");
	return tap_done();
}
