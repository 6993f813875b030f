/*
 * merkle.c: Merkle trees as smart contracts verify them.
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
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "money/hash.h"

StaticAssertDecl(sizeof(KeccakHash) == KECCAK_BYTES, "hashes lie next to each other");

/* Space of one hash as an element of an array of bytea. */
#define ELEMENT INTALIGN(VARHDRSZ + KECCAK_BYTES)

/* For qsort: as the bytes are ordered, which is how a contract compares them. */
static int
compare_hashes(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return memcmp(a, b, sizeof(KeccakHash));
}

/* The node above two nodes, in whichever order they are given. */
static KeccakHash
parent(const KeccakHash *a, const KeccakHash *b)
{
	KeccakHash	pair[2];
	bool		swap = memcmp(a, b, sizeof(KeccakHash)) > 0;

	pair[swap] = *a;
	pair[!swap] = *b;
	return sr_keccak(pair, sizeof(pair));
}

/* The hashes of an array of bytea, in its order. */
static KeccakHash *
hashes_from(ArrayType *array, const char *name, int *count)
{
	Datum	   *values;
	bool	   *nulls;
	KeccakHash *hashes;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s array has %d dimensions, not one", name, ARR_NDIM(array))));
	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &values, &nulls, count);
	hashes = sr_alloc((Size) *count * sizeof(KeccakHash));
	for (int i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s %d is NULL", name, i + 1)));
		hashes[i] = sr_hash_from_bytea(values[i], name);
	}
	pfree(values);
	pfree(nulls);
	return hashes;
}

/* The tree over the leaves, with 2 * leaves - 1 nodes, the root first. */
static KeccakHash *
tree_over(ArrayType *array, int *leaves)
{
	KeccakHash *leaf = hashes_from(array, "leaf", leaves);
	int64		nodes = 2 * (int64) *leaves - 1;
	KeccakHash *tree;

	if (*leaves == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a Merkle tree needs at least one leaf")));
	qsort(leaf, *leaves, sizeof(KeccakHash), compare_hashes);
	tree = sr_alloc(nodes * sizeof(KeccakHash));
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
array_of(const KeccakHash *hashes, int64 count)
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
	values = sr_alloc(count * sizeof(Datum));
	elements = sr_alloc(count * ELEMENT);
	for (int64 i = 0; i < count; i++)
	{
		char	   *element = elements + i * ELEMENT;

		CHECK_FOR_INTERRUPTS();
		SET_VARSIZE(element, VARHDRSZ + KECCAK_BYTES);
		memcpy(VARDATA(element), &hashes[i], sizeof(KeccakHash));
		values[i] = PointerGetDatum(element);
	}
	result = construct_md_array(values, NULL, 1, dims, lower, BYTEAOID, -1, false, TYPALIGN_INT);
	pfree(values);
	pfree(elements);
	return result;
}

/* merkle_tree(leaves bytea[]): all nodes, the root first */
SR_FUNCTION(sr_merkle_tree);
Datum
sr_merkle_tree(PG_FUNCTION_ARGS)
{
	int			leaves;
	KeccakHash *tree = tree_over(PG_GETARG_ARRAYTYPE_P(0), &leaves);

	PG_RETURN_ARRAYTYPE_P(array_of(tree, 2 * (int64) leaves - 1));
}

/* merkle_root(leaves bytea[]) */
SR_FUNCTION(sr_merkle_root);
Datum
sr_merkle_root(PG_FUNCTION_ARGS)
{
	int			leaves;
	KeccakHash *tree = tree_over(PG_GETARG_ARRAYTYPE_P(0), &leaves);

	PG_RETURN_BYTEA_P(sr_hash_to_bytea(tree));
}

/* merkle_proof(leaves bytea[], leaf bytea): the hashes beside its way to the root */
SR_FUNCTION(sr_merkle_proof);
Datum
sr_merkle_proof(PG_FUNCTION_ARGS)
{
	int			leaves;
	KeccakHash	wanted = sr_hash_from_bytea(PG_GETARG_DATUM(1), "leaf");
	KeccakHash *tree = tree_over(PG_GETARG_ARRAYTYPE_P(0), &leaves);
	int64		low = leaves - 1;	/* the leaves lie in tree[leaves - 1 ..], largest first */
	int64		high = 2 * (int64) leaves - 2;
	KeccakHash	proof[64];
	int			length = 0;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		if (memcmp(&tree[middle], &wanted, sizeof(KeccakHash)) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (memcmp(&tree[low], &wanted, sizeof(KeccakHash)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("leaf is not one of the %d leaves of the tree", leaves)));
	for (int64 i = low; i > 0; i = (i - 1) / 2)
		proof[length++] = tree[i % 2 == 0 ? i - 1 : i + 1];
	PG_RETURN_ARRAYTYPE_P(array_of(proof, length));
}

/* merkle_verify(root bytea, leaf bytea, proof bytea[]) */
SR_FUNCTION(sr_merkle_verify);
Datum
sr_merkle_verify(PG_FUNCTION_ARGS)
{
	KeccakHash	root = sr_hash_from_bytea(PG_GETARG_DATUM(0), "root");
	KeccakHash	node = sr_hash_from_bytea(PG_GETARG_DATUM(1), "leaf");
	int			length;
	KeccakHash *proof = hashes_from(PG_GETARG_ARRAYTYPE_P(2), "proof element", &length);

	for (int i = 0; i < length; i++)
	{
		CHECK_FOR_INTERRUPTS();
		node = parent(&node, &proof[i]);
	}
	PG_RETURN_BOOL(memcmp(&node, &root, sizeof(KeccakHash)) == 0);
}
