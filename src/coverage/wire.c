/*
 * wire.c: the state of an aggregate as bytes, for another process of this server
 * or of a like one: version and byte order, grid order, total, the discs that
 * wait, then rows: neighbouring entries of the difference array.
 *
 * Entries are multiples of 2^-16, mostly of more, so they are sent as integers
 * times 2^(shift - 16), of 2, 3, 4 or 8 bytes as the row needs; those of 3 as all
 * the low 2 bytes and then all the high ones.
 */
#include "coverage/wire.h"

#include "coverage/check.h"

#include <float.h>

#include "port/pg_bitutils.h"

#define STATE_VERSION 3

typedef struct StateHead
{
	uint8		version;		/* reads as another one in the other byte order */
	uint8		order;
	bool		of_fields;
	uint8		reserved;
	uint32		reserved2;
	int64		npending;
	double		total;
} StateHead;

typedef struct RowHead
{
	int64		start;			/* position of the first entry */
	int32		count;
	int16		width;			/* bytes per entry: 2, 3, 4 or 8 */
	int16		shift;
} RowHead;

#ifdef WORDS_BIGENDIAN
#define STATE_ID (STATE_VERSION | 0x80)
#else
#define STATE_ID STATE_VERSION
#endif

/* Entries to a row: few, so that one far place does not make many wide or many zeros travel. */
#define ROW_SIZE 256

/* Appends a row of at most ROW_SIZE entries, unless all of it is zero. */
static void
pack_row(StringInfo buf, int64 start, const double *row, int32 count)
{
	RowHead		head = {.start = start, .count = count};
	int64		v[ROW_SIZE];
	uint64		any = 0;
	double		most = 0,
				scale;
	char	   *out;

	for (int32 j = 0; j < count; j++)
	{
		any |= (uint64) (int64) (row[j] * WEIGHT_SCALE);
		most = Max(most, fabs(row[j]));
	}
	if (any == 0)
		return;
	head.shift = (int16) pg_rightmost_one_pos64(any);
	scale = ldexp(WEIGHT_SCALE, -head.shift);
	most *= scale;
	head.width = most < 0x7fff ? 2 : most < 0x7fffff ? 3 : most < 0x7fffffff ? 4 : 8;
	enlargeStringInfo(buf, sizeof(RowHead) + count * head.width);
	out = buf->data + buf->len;
	memcpy(out, &head, sizeof(RowHead));
	out += sizeof(RowHead);

#define PACK(type, expression) \
	for (int32 j = 0; j < count; j++) \
	{ \
		type		entry = (type) (expression); \
		memcpy(out + j * sizeof(type), &entry, sizeof(type)); \
	}
	for (int32 j = 0; j < count; j++)
		v[j] = (int64) (row[j] * scale);
	if (head.width == 2)
		PACK(int16, v[j])
	else if (head.width == 3)
	{
		PACK(uint16, v[j] & 0xffff)
		out += count * sizeof(uint16);
		PACK(int8, v[j] >> 16)
	}
	else if (head.width == 4)
		PACK(int32, v[j])
	else
		PACK(int64, v[j])
	buf->len += sizeof(RowHead) + count * head.width;
}

/* Appends neighbouring entries, as rows. */
static void
pack_rows(StringInfo buf, int64 start, const double *entries, int32 count)
{
	CHECK_FOR_INTERRUPTS();
	for (int32 j = 0; j < count; j += ROW_SIZE)
		pack_row(buf, start + j, entries + j, Min(ROW_SIZE, count - j));
}

/* Takes bytes off a serialised state; a state too short for them is none of ours. */
static const char *
take(const char **at, const char *end, Size size)
{
	const char *p = *at;

	if ((Size) (end - p) < size)
		elog(ERROR, "coverage state ends early");
	*at = p + size;
	return p;
}

/* Goes to the next row. */
void
next_row(RowReader *r, int64 ncell)
{
	RowHead		head;

	r->count = 0;
	while (r->count == 0 && r->rest.at < r->rest.end)
	{
		memcpy(&head, take(&r->rest.at, r->rest.end, sizeof(head)), sizeof(head));
		if (head.start < 0 || head.count < 0 || head.start + head.count > ncell + DIFF_LEAF_SIZE ||
			(head.width != 2 && head.width != 3 && head.width != 4 && head.width != 8))
			elog(ERROR, "coverage state has " INT64_FORMAT " entries of %d bytes up to position " INT64_FORMAT " of " INT64_FORMAT,
				 (int64) head.count, head.width, head.start + head.count, ncell);
		r->start = head.start;
		r->count = head.count;
		r->width = head.width;
		r->unit = ldexp(1.0 / WEIGHT_SCALE, head.shift);
		r->in = take(&r->rest.at, r->rest.end, head.count * (Size) head.width);
		r->high = r->in + head.count * sizeof(uint16);
	}
}

/* Adds the next n entries of a row to an array. */
void
add_entries(RowReader *r, int64 ncell, double *to, int32 n)
{
#define UNPACK(type) \
	for (int32 j = 0; j < n; j++) \
	{ \
		type		v; \
		memcpy(&v, r->in + j * sizeof(type), sizeof(type)); \
		to[j] += (double) v * r->unit; \
	}
	if (r->width == 2)
		UNPACK(int16)
	else if (r->width == 3)
		for (int32 j = 0; j < n; j++)
		{
			uint16		low;

			memcpy(&low, r->in + j * sizeof(low), sizeof(low));
			to[j] += (double) (((int32) (int8) r->high[j]) * 65536 + low) * r->unit;
		}
	else if (r->width == 4)
		UNPACK(int32)
	else
		UNPACK(int64)
	r->in += n * (r->width == 3 ? sizeof(uint16) : (Size) r->width);
	r->high += n;
	r->start += n;
	r->count -= n;
	if (r->count == 0)
		next_row(r, ncell);
}

/* Adds packed rows to a difference array. */
void
unpack_rows(Diff *diff, int64 ncell, Packed packed)
{
	RowReader	r = {.rest = packed};

	for (next_row(&r, ncell); r.count > 0;)
	{
		int32		at = (int32) (r.start & (DIFF_LEAF_SIZE - 1));

		CHECK_FOR_INTERRUPTS();
		add_entries(&r, ncell, diff_leaf(diff, r.start >> DIFF_LEAF_BITS) + at, Min(r.count, DIFF_LEAF_SIZE - at));
	}
}

/*
 * Appends a state. Discs that wait travel as they are: they are less than what they
 * cover, and are then swept together with those of others.
 */
void
state_write(StringInfo buf, FieldState *state)
{
	StateHead	head = {.version = STATE_ID};
	Size		size = VARHDRSZ + sizeof(head) + state->npending * sizeof(WeightedDisc) + 1;

	head.order = (uint8) state->order;
	head.of_fields = state->of_fields;
	head.npending = state->npending;
	head.total = state->total;

	if (size > (Size) buf->maxlen)
	{
		buf->data = sr_realloc_large(buf->data, size);
		buf->maxlen = (int) size;
	}
	appendBinaryStringInfo(buf, (char *) &head, sizeof(head));
	if (head.npending > 0)
		appendBinaryStringInfo(buf, (char *) state->pending, (int) (state->npending * sizeof(WeightedDisc)));
	for (int i = 0; i < state->npacked; i++)
		appendBinaryStringInfo(buf, state->packed[i].at, (int) (state->packed[i].end - state->packed[i].at));
	if (state->diff->nleaves > 0)
	{
		int64		nleaves = state->diff->nbranches << DIFF_BRANCH_BITS;

		for (int64 i = 0; i < nleaves; i++)
		{
			const double *leaf = diff_leaf_if(state->diff, i);

			if (leaf != NULL)
				pack_rows(buf, i << DIFF_LEAF_BITS, leaf, DIFF_LEAF_SIZE);
		}
	}
}

/* Checks discs that came from somewhere else. */
static void
check_received(const FieldState *state)
{
	for (int64 i = 0; i < state->nreceived; i++)
	{
		WeightedDisc d;

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		memcpy(&d, state->received + i * sizeof(d), sizeof(d));
		if (!(fabs(d.disc.lat) <= 90.0) || !(fabs(d.disc.lon) <= DBL_MAX) ||
			!(d.disc.radius > 0 && d.disc.radius <= SR_MAX_RADIUS) ||
			!(d.weight > 0 && d.weight <= WEIGHT_LIMIT) || rint(d.weight * WEIGHT_SCALE) != d.weight * WEIGHT_SCALE)
			elog(ERROR, "coverage state has a disc of radius %g and weight %g at longitude %g, latitude %g",
				 d.disc.radius, d.weight, d.disc.lon, d.disc.lat);
	}
}

/*
 * The state that is in these bytes. Leaves discs and rows where they are: they stay
 * valid until the state is combined with another, which follows at once.
 */
FieldState *
state_read(const char *at, const char *end)
{
	FieldState *state;
	StateHead	head;

	memcpy(&head, take(&at, end, sizeof(head)), sizeof(head));
	if (head.version != STATE_ID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported coverage state version %d", head.version),
				 errhint("All nodes of a cluster must run the same version of swarm_reward, on one kind of processor.")));
	check_order(head.order);
	state = state_create(head.order, head.of_fields);
	state->total = head.total;
	if (head.npending < 0 || head.npending > (end - at) / (int64) sizeof(WeightedDisc))
		elog(ERROR, "coverage state ends early");
	state->nreceived = head.npending;
	state->received = take(&at, end, (Size) head.npending * sizeof(WeightedDisc));
	check_received(state);
	state->packed[0].at = at;
	state->packed[0].end = end;
	state->npacked = 1;
	return state;
}
