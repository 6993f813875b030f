/*
 * merkle.c: addresses, leaves and Merkle trees as smart contracts verify them.
 *
 * The tree is OpenZeppelin's StandardMerkleTree: a complete binary tree in an
 * array (the children of node i are nodes 2i + 1 and 2i + 2), the leaves sorted
 * by their hash from the end of the array backwards, every other node the hash
 * of its two children, the smaller first. So a proof is a list of siblings, and
 * whoever checks it need not know which is left and which is right.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "money/keccak.h"

#define ADDRESS_BYTES 20
#define ADDRESS_CHARS (2 + 2 * ADDRESS_BYTES)
#define WORD 32					/* of the ABI: everything takes so many bytes */

typedef struct Hash
{
	unsigned char byte[KECCAK_BYTES];
} Hash;

StaticAssertDecl(sizeof(Hash) == KECCAK_BYTES, "hashes lie next to each other");

/* Space of one hash as an element of an array of bytea. */
#define ELEMENT INTALIGN(VARHDRSZ + KECCAK_BYTES)

/* ---- hashes ---- */

static bytea *
bytes_of(const void *data, size_t size)
{
	bytea	   *result = palloc(VARHDRSZ + size);

	SET_VARSIZE(result, VARHDRSZ + size);
	memcpy(VARDATA(result), data, size);
	return result;
}

SR_FUNCTION(keccak256);
Datum
keccak256(PG_FUNCTION_ARGS)
{
	bytea	   *message = PG_GETARG_BYTEA_PP(0);
	Hash		hash;

	sr_keccak256((unsigned char *) VARDATA_ANY(message), VARSIZE_ANY_EXHDR(message), hash.byte);
	PG_RETURN_BYTEA_P(bytes_of(&hash, sizeof(hash)));
}

/* The 32 bytes of a bytea; name says in errors what it is. */
static Hash
hash_from(Datum value, const char *name)
{
	bytea	   *data = DatumGetByteaPP(value);
	Hash		hash;

	if (VARSIZE_ANY_EXHDR(data) != KECCAK_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has %zu bytes, not %d", name, (size_t) VARSIZE_ANY_EXHDR(data), KECCAK_BYTES),
				 errhint("Hashes come from keccak256() or merkle_leaf().")));
	memcpy(&hash, VARDATA_ANY(data), sizeof(hash));
	return hash;
}

static int
compare_hashes(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return memcmp(a, b, sizeof(Hash));
}

/* The node above two nodes, in whichever order they are given. */
static Hash
parent(const Hash *a, const Hash *b)
{
	Hash		pair[2];
	Hash		result;
	bool		swap = memcmp(a, b, sizeof(Hash)) > 0;

	pair[swap] = *a;
	pair[!swap] = *b;
	sr_keccak256(pair[0].byte, sizeof(pair), result.byte);
	return result;
}

/* The hashes of an array of bytea, in its order. */
static Hash *
hashes_from(ArrayType *array, const char *name, int *count)
{
	Datum	   *values;
	bool	   *nulls;
	Hash	   *hashes;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s array has %d dimensions, not one", name, ARR_NDIM(array))));
	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &values, &nulls, count);
	hashes = MemoryContextAllocHuge(CurrentMemoryContext, Max(*count, 1) * sizeof(Hash));
	for (int i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s %d is NULL", name, i + 1)));
		hashes[i] = hash_from(values[i], name);
	}
	pfree(values);
	pfree(nulls);
	return hashes;
}

/* ---- trees ---- */

/* The tree over the leaves, with 2 * leaves - 1 nodes, the root first. */
static Hash *
tree_over(ArrayType *array, int *leaves)
{
	Hash	   *leaf = hashes_from(array, "leaf", leaves);
	int64		nodes = 2 * (int64) *leaves - 1;
	Hash	   *tree;

	if (*leaves == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a Merkle tree needs at least one leaf")));
	qsort(leaf, *leaves, sizeof(Hash), compare_hashes);
	tree = MemoryContextAllocHuge(CurrentMemoryContext, nodes * sizeof(Hash));
	for (int64 i = 0; i < *leaves; i++)
		tree[nodes - 1 - i] = leaf[i];
	for (int64 i = *leaves - 2; i >= 0; i--)
	{
		CHECK_FOR_INTERRUPTS();
		tree[i] = parent(&tree[2 * i + 1], &tree[2 * i + 2]);
	}
	pfree(leaf);
	return tree;
}

/* Hashes as an array of bytea. */
static ArrayType *
array_of(const Hash *hashes, int64 count)
{
	int			dims[1] = {(int) count};
	int			lower[1] = {1};
	Datum	   *values;
	char	   *elements;
	ArrayType  *result;

	if (count == 0)
		return construct_empty_array(BYTEAOID);
	if ((Size) count > (MaxAllocSize - ARR_OVERHEAD_NONULLS(1)) / ELEMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a Merkle tree of " INT64_FORMAT " nodes does not fit into an array", count),
				 errhint("Make several trees of fewer leaves.")));
	values = MemoryContextAllocHuge(CurrentMemoryContext, count * sizeof(Datum));
	elements = MemoryContextAllocHuge(CurrentMemoryContext, count * ELEMENT);
	for (int64 i = 0; i < count; i++)
	{
		char	   *element = elements + i * ELEMENT;

		CHECK_FOR_INTERRUPTS();
		SET_VARSIZE(element, VARHDRSZ + KECCAK_BYTES);
		memcpy(VARDATA(element), &hashes[i], sizeof(Hash));
		values[i] = PointerGetDatum(element);
	}
	result = construct_md_array(values, NULL, 1, dims, lower, BYTEAOID, -1, false, TYPALIGN_INT);
	pfree(values);
	pfree(elements);
	return result;
}

SR_FUNCTION(merkle_tree);
Datum
merkle_tree(PG_FUNCTION_ARGS)
{
	int			leaves;
	Hash	   *tree = tree_over(PG_GETARG_ARRAYTYPE_P(0), &leaves);

	PG_RETURN_ARRAYTYPE_P(array_of(tree, 2 * (int64) leaves - 1));
}

SR_FUNCTION(merkle_root);
Datum
merkle_root(PG_FUNCTION_ARGS)
{
	int			leaves;
	Hash	   *tree = tree_over(PG_GETARG_ARRAYTYPE_P(0), &leaves);

	PG_RETURN_BYTEA_P(bytes_of(tree, sizeof(Hash)));
}

SR_FUNCTION(merkle_proof);
Datum
merkle_proof(PG_FUNCTION_ARGS)
{
	int			leaves;
	Hash		wanted = hash_from(PG_GETARG_DATUM(1), "leaf");
	Hash	   *tree = tree_over(PG_GETARG_ARRAYTYPE_P(0), &leaves);
	int64		low = leaves - 1;	/* the leaves lie in tree[leaves - 1 ..], largest first */
	int64		high = 2 * (int64) leaves - 2;
	Hash		proof[64];
	int			length = 0;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		if (memcmp(&tree[middle], &wanted, sizeof(Hash)) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (memcmp(&tree[low], &wanted, sizeof(Hash)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("leaf is not one of the %d leaves of the tree", leaves)));
	for (int64 i = low; i > 0; i = (i - 1) / 2)
		proof[length++] = tree[i % 2 == 0 ? i - 1 : i + 1];
	PG_RETURN_ARRAYTYPE_P(array_of(proof, length));
}

SR_FUNCTION(merkle_verify);
Datum
merkle_verify(PG_FUNCTION_ARGS)
{
	Hash		root = hash_from(PG_GETARG_DATUM(0), "root");
	Hash		node = hash_from(PG_GETARG_DATUM(1), "leaf");
	int			length;
	Hash	   *proof = hashes_from(PG_GETARG_ARRAYTYPE_P(2), "proof element", &length);

	for (int i = 0; i < length; i++)
	{
		CHECK_FOR_INTERRUPTS();
		node = parent(&node, &proof[i]);
	}
	PG_RETURN_BOOL(memcmp(&node, &root, sizeof(Hash)) == 0);
}

/* ---- addresses and leaves ---- */

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
 * Reads an address; canonical becomes its EIP-55 form, in which the case of the
 * letters is a checksum: a letter is a capital where the hash of the lower-case
 * digits has a digit of 8 or more. Returns what is wrong with it, or NULL.
 */
static const char *
read_address(const char *address, size_t length, unsigned char bytes[ADDRESS_BYTES], char canonical[ADDRESS_CHARS + 1])
{
	unsigned char lower[2 * ADDRESS_BYTES];
	bool		has_capital = false,
				has_small = false;
	Hash		hash;

	if (length != ADDRESS_CHARS || address[0] != '0' || address[1] != 'x')
		return "An address is 0x and 40 hexadecimal digits.";
	for (int i = 0; i < 2 * ADDRESS_BYTES; i++)
	{
		char		c = address[2 + i];
		int			value = hex_value(c);

		if (value < 0)
			return "An address is 0x and 40 hexadecimal digits.";
		bytes[i / 2] = i % 2 == 0 ? (unsigned char) (value << 4) : bytes[i / 2] | (unsigned char) value;
		lower[i] = "0123456789abcdef"[value];
		has_capital |= c >= 'A' && c <= 'F';
		has_small |= c >= 'a';
	}
	sr_keccak256(lower, sizeof(lower), hash.byte);
	canonical[0] = '0';
	canonical[1] = 'x';
	for (int i = 0; i < 2 * ADDRESS_BYTES; i++)
	{
		int			digit = i % 2 == 0 ? hash.byte[i / 2] >> 4 : hash.byte[i / 2] & 15;

		canonical[2 + i] = (char) (lower[i] >= 'a' && digit >= 8 ? lower[i] - 'a' + 'A' : lower[i]);
	}
	canonical[ADDRESS_CHARS] = '\0';
	if (has_capital && has_small && memcmp(canonical, address, ADDRESS_CHARS) != 0)
		return "Its capital and small letters are a checksum (EIP-55), and that is wrong: a digit may have been mistyped.";
	return NULL;
}

static void
need_address(text *address, unsigned char bytes[ADDRESS_BYTES], char canonical[ADDRESS_CHARS + 1])
{
	const char *wrong = read_address(VARDATA_ANY(address), VARSIZE_ANY_EXHDR(address), bytes, canonical);

	if (wrong != NULL)
	{
		char	   *shown = text_to_cstring(address);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid address \"%.*s\"", pg_mbcliplen(shown, strlen(shown), 100), shown),
				 errdetail("%s", wrong)));
	}
}

SR_FUNCTION(checksum_address);
Datum
checksum_address(PG_FUNCTION_ARGS)
{
	unsigned char bytes[ADDRESS_BYTES];
	char		canonical[ADDRESS_CHARS + 1];

	need_address(PG_GETARG_TEXT_PP(0), bytes, canonical);
	PG_RETURN_TEXT_P(cstring_to_text(canonical));
}

/* Is it an address that somebody can have: well-formed, checksum right, and not zero? */
SR_FUNCTION(is_payout_address);
Datum
is_payout_address(PG_FUNCTION_ARGS)
{
	text	   *address = PG_GETARG_TEXT_PP(0);
	unsigned char bytes[ADDRESS_BYTES];
	char		canonical[ADDRESS_CHARS + 1];
	static const unsigned char zero[ADDRESS_BYTES] = {0};

	PG_RETURN_BOOL(read_address(VARDATA_ANY(address), VARSIZE_ANY_EXHDR(address), bytes, canonical) == NULL &&
				   memcmp(bytes, zero, ADDRESS_BYTES) != 0);
}

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

SR_FUNCTION(merkle_leaf);
Datum
merkle_leaf(PG_FUNCTION_ARGS)
{
	unsigned char encoded[2 * WORD] = {0};
	unsigned char bytes[ADDRESS_BYTES];
	char		canonical[ADDRESS_CHARS + 1];
	Hash		inner,
				outer;

	need_address(PG_GETARG_TEXT_PP(0), bytes, canonical);
	memcpy(encoded + WORD - ADDRESS_BYTES, bytes, ADDRESS_BYTES);
	write_uint256(PG_GETARG_NUMERIC(1), encoded + WORD);
	/* twice, so that a leaf can never be taken for a pair of nodes, which is as long */
	sr_keccak256(encoded, sizeof(encoded), inner.byte);
	sr_keccak256(inner.byte, sizeof(inner), outer.byte);
	PG_RETURN_BYTEA_P(bytes_of(&outer, sizeof(outer)));
}
