/*
 * digest.c: what makes a changed bit of a computed epoch visible: SHA-256 of the
 * values of a row, and of a set of rows whatever their order.
 */
#include "postgres.h"
#include "base/compat.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/aggregate.h"
#include "base/array.h"

#define GROUPS 256				/* by the first byte of a hash */

typedef struct Sha256
{
	uint8		bytes[PG_SHA256_DIGEST_LENGTH];
} Sha256;

/* The hashes of a set, in the order in which they came. */
typedef SR_ARRAY(Sha256) Sha256Set;

static pg_cryptohash_ctx *
begin_hash(void)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	if (context == NULL)
		sr_out_of_memory();
	if (pg_cryptohash_init(context) < 0)
		elog(ERROR, "could not begin a SHA-256 hash");
	return context;
}

static void
add_to_hash(pg_cryptohash_ctx *context, const void *data, Size length)
{
	if (pg_cryptohash_update(context, data, length) < 0)
		elog(ERROR, "could not add to a SHA-256 hash");
}

static Sha256
end_hash(pg_cryptohash_ctx *context)
{
	Sha256		hash;

	if (pg_cryptohash_final(context, hash.bytes, sizeof(hash.bytes)) < 0)
		elog(ERROR, "could not end a SHA-256 hash");
	pg_cryptohash_free(context);
	return hash;
}

/* SHA-256 of some bytes. */
static Sha256
sha256_of(const void *data, Size length)
{
	pg_cryptohash_ctx *context = begin_hash();

	add_to_hash(context, data, length);
	return end_hash(context);
}

/* A hash as a bytea of 32 bytes. */
static bytea *
to_bytea(Sha256 hash)
{
	bytea	   *result = palloc(VARHDRSZ + sizeof(Sha256));

	SET_VARSIZE(result, VARHDRSZ + sizeof(Sha256));
	memcpy(VARDATA(result), hash.bytes, sizeof(Sha256));
	return result;
}

/* How values of a call are hashed, kept from row to row. */
typedef struct RowHash
{
	StringInfoData row;			/* what is yet to be hashed of the row */
	FmgrInfo	send[FLEXIBLE_ARRAY_MEMBER];	/* of each argument */
} RowHash;

/* Above this what there is of a row is hashed, so that fields need no copy. */
#define MOST_AT_ONCE 8192

static RowHash *
prepare_row_hash(FunctionCallInfo fcinfo)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	MemoryContext before = MemoryContextSwitchTo(context);
	RowHash    *hash = palloc(offsetof(RowHash, send) + (Size) PG_NARGS() * sizeof(FmgrInfo));

	initStringInfo(&hash->row);
	for (int i = 0; i < PG_NARGS(); i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, i);
		Oid			send;
		bool		is_varlena;

		if (!OidIsValid(type))
			elog(ERROR, "could not determine the type of argument %d", i + 1);
		getTypeBinaryOutputInfo(type, &send, &is_varlena);
		fmgr_info_cxt(send, &hash->send[i], context);
	}
	MemoryContextSwitchTo(before);
	fcinfo->flinfo->fn_extra = hash;
	return hash;
}

/*
 * SHA-256 of values as COPY BINARY writes them in UTF-8: the length of each in
 * four bytes, then what its type sends; NULL is the length -1.
 */
SR_FUNCTION(sr_row_sha256);
Datum
sr_row_sha256(PG_FUNCTION_ARGS)
{
	RowHash    *hash = fcinfo->flinfo->fn_extra;
	pg_cryptohash_ctx *context = begin_hash();

	if (hash == NULL)
		hash = prepare_row_hash(fcinfo);
	resetStringInfo(&hash->row);
	for (int i = 0; i < PG_NARGS(); i++)
	{
		FmgrInfo   *send = &hash->send[i];
		const char *data;
		int			length;

		if (PG_ARGISNULL(i))
		{
			pq_sendint32(&hash->row, (uint32) -1);
			continue;
		}
		/* the commonest types without a call; text without the client's encoding */
		switch (send->fn_oid)
		{
			case F_INT8SEND:
			case F_FLOAT8SEND:
				pq_sendint32(&hash->row, sizeof(int64));
				pq_sendint64(&hash->row, (uint64) DatumGetInt64(PG_GETARG_DATUM(i)));
				continue;
			case F_TEXTSEND:
				{
					text	   *value = PG_GETARG_TEXT_PP(i);

					data = pg_server_to_any(VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value), PG_UTF8);
					length = data == VARDATA_ANY(value) ? (int) VARSIZE_ANY_EXHDR(value) : (int) strlen(data);
					break;
				}
			default:
				{
					bytea	   *value = SendFunctionCall(send, PG_GETARG_DATUM(i));

					data = VARDATA(value);
					length = (int) (VARSIZE(value) - VARHDRSZ);
				}
		}
		pq_sendint32(&hash->row, (uint32) length);
		if (hash->row.len + (Size) length <= MOST_AT_ONCE)
		{
			appendBinaryStringInfo(&hash->row, data, length);
			continue;
		}
		add_to_hash(context, hash->row.data, (Size) hash->row.len);
		resetStringInfo(&hash->row);
		add_to_hash(context, data, (Size) length);
	}
	add_to_hash(context, hash->row.data, (Size) hash->row.len);
	PG_RETURN_BYTEA_P(to_bytea(end_hash(context)));
}

/* An empty set with room for so many hashes, all of it in a memory context. */
static Sha256Set *
new_set(MemoryContext context, int64 room)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	Sha256Set  *set = palloc0(sizeof(Sha256Set));

	sr_array_reserve(set, room);
	MemoryContextSwitchTo(before);
	return set;
}

/* Adds a SHA-256 to a set. */
SR_FUNCTION(sr_sha256_agg_transfn);
Datum
sr_sha256_agg_transfn(PG_FUNCTION_ARGS)
{
	Sha256Set  *set = PG_ARGISNULL(0) ? NULL : (Sha256Set *) PG_GETARG_POINTER(0);
	MemoryContext context = sr_aggregate_context(fcinfo);
	bytea	   *value;

	if (set == NULL)
		set = new_set(context, 1);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(set);

	value = PG_GETARG_BYTEA_PP(1);
	if (VARSIZE_ANY_EXHDR(value) != sizeof(Sha256))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d bytes are not a SHA-256", (int) VARSIZE_ANY_EXHDR(value)),
				 errhint("A SHA-256 has 32 bytes.")));
	memcpy(sr_array_add(set)->bytes, VARDATA_ANY(value), sizeof(Sha256));
	PG_FREE_IF_COPY(value, 1);
	PG_RETURN_POINTER(set);
}

/* Adds the second set to the first. */
SR_FUNCTION(sr_sha256_agg_combine);
Datum
sr_sha256_agg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = sr_aggregate_context(fcinfo);
	Sha256Set  *set = PG_ARGISNULL(0) ? new_set(context, 1) : (Sha256Set *) PG_GETARG_POINTER(0);
	Sha256Set  *other = PG_ARGISNULL(1) ? NULL : (Sha256Set *) PG_GETARG_POINTER(1);

	if (other != NULL)
		sr_array_append(set, other->items, other->count);
	PG_RETURN_POINTER(set);
}

/* The hashes of a set, one after the other. */
SR_FUNCTION(sr_sha256_agg_serialize);
Datum
sr_sha256_agg_serialize(PG_FUNCTION_ARGS)
{
	Sha256Set  *set = (Sha256Set *) PG_GETARG_POINTER(0);
	Size		size;
	bytea	   *result;

	(void) sr_aggregate_context(fcinfo);
	size = (Size) set->count * sizeof(Sha256);
	if (size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %zu rows are too many for a parallel worker", (MaxAllocSize - VARHDRSZ) / sizeof(Sha256)),
				 errhint("SET max_parallel_workers_per_gather = 0.")));
	result = palloc(VARHDRSZ + size);
	SET_VARSIZE(result, VARHDRSZ + size);
	if (size > 0)
		memcpy(VARDATA(result), set->items, size);
	PG_RETURN_BYTEA_P(result);
}

/* The set of which these are the hashes. */
SR_FUNCTION(sr_sha256_agg_deserialize);
Datum
sr_sha256_agg_deserialize(PG_FUNCTION_ARGS)
{
	Sha256Set  *set;
	bytea	   *value;
	int64		count;

	(void) sr_aggregate_context(fcinfo);
	value = PG_GETARG_BYTEA_PP(0);
	if (VARSIZE_ANY_EXHDR(value) % sizeof(Sha256) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid serialized state of sha256_agg: %zu bytes", (size_t) VARSIZE_ANY_EXHDR(value))));
	count = (int64) (VARSIZE_ANY_EXHDR(value) / sizeof(Sha256));
	set = new_set(CurrentMemoryContext, count);
	sr_array_append(set, VARDATA_ANY(value), count);
	PG_RETURN_POINTER(set);
}

/* For qsort. Equal hashes are the same. */
static int
compare_hashes(const void *a, const void *b)
{
	sr_check_interrupts();
	return memcmp(a, b, sizeof(Sha256));
}

/*
 * SHA-256 of a set: its hashes are sorted, those with the same first byte
 * hashed together, and the up to 256 hashes of these hashed again.
 */
SR_FUNCTION(sr_sha256_agg_finalfn);
Datum
sr_sha256_agg_finalfn(PG_FUNCTION_ARGS)
{
	Sha256Set  *set = PG_ARGISNULL(0) ? NULL : (Sha256Set *) PG_GETARG_POINTER(0);
	Size		count = set == NULL ? 0 : (Size) set->count;
	Size		start[GROUPS + 2] = {0};
	Sha256		groups[GROUPS];
	Size		ngroups = 0;
	Sha256	   *sorted;

	/* counted two places on, so that filling moves each start to its place */
	for (Size i = 0; i < count; i++)
	{
		sr_check_interrupts_at((int64) i);
		start[set->items[i].bytes[0] + 2]++;
	}
	for (int g = 2; g <= GROUPS + 1; g++)
		start[g] += start[g - 1];
	sorted = sr_alloc(count * sizeof(Sha256));
	for (Size i = 0; i < count; i++)
	{
		sr_check_interrupts_at((int64) i);
		sorted[start[set->items[i].bytes[0] + 1]++] = set->items[i];
	}
	for (int g = 0; g < GROUPS; g++)
	{
		Size		n = start[g + 1] - start[g];

		CHECK_FOR_INTERRUPTS();
		if (n == 0)
			continue;
		qsort(sorted + start[g], n, sizeof(Sha256), compare_hashes);
		groups[ngroups++] = sha256_of(sorted + start[g], n * sizeof(Sha256));
	}
	pfree(sorted);
	PG_RETURN_BYTEA_P(to_bytea(sha256_of(groups, ngroups * sizeof(Sha256))));
}
