/*
 * rows.c: a difference array as bytes, for another process.
 *
 * Rows of 256 neighbouring entries, in the order of their places; those of zeros are
 * left out. Entries are multiples of 2^-16, mostly of more, so they are written as
 * integers times 2^(shift - 16), of 2, 3, 4 or 8 bytes as the row needs; those of 3 as
 * all the low 2 bytes and then all the high ones. Where only few are not zero, only
 * these are written, behind a byte for the place of each. So an entry takes at most 9
 * bytes, and 8 more if it is alone in its row: less than a field has room for.
 */
#include "coverage/rows.h"

#include "coverage/check.h"

#include "port/pg_bitutils.h"

typedef struct RowHead
{
	uint32		number;			/* starts at entry number * ROW_SIZE */
	uint8		last;			/* entries written, less 1 */
	uint8		width;			/* bytes of each: 2, 3, 4 or 8 */
	uint8		shift;
	uint8		sparse;			/* 1: a byte for the place of each comes first; 0: all are written */
} RowHead;

_Static_assert(ROW_SIZE == UINT8_MAX + 1, "a byte tells the place in a row");
_Static_assert(DIFF_LEAF_SIZE % ROW_SIZE == 0, "a leaf is whole rows");

/* ---------- writing ---------- */

/* Makes room for so many more bytes. */
static void
reserve(StringInfo buf, int32 size)
{
	if ((Size) buf->len + size >= MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("partial result of the aggregate needs more than 1 GB"),
				 errhint("Use a lower grid_order, or SET max_parallel_workers_per_gather = 0.")));
	enlargeStringInfo(buf, size);
}

/* Writes n integers of a width. */
static char *
write_entries(char *out, int width, const int64 *v, int32 n)
{
#define WRITE(type, expression) \
	for (int32 j = 0; j < n; j++) \
	{ \
		type		entry = (type) (expression); \
		memcpy(out, &entry, sizeof(type)); \
		out += sizeof(type); \
	}
	if (width == 2)
		WRITE(int16, v[j])
	else if (width == 3)
	{
		WRITE(uint16, v[j] & 0xffff)
		WRITE(int8, v[j] >> 16)
	}
	else if (width == 4)
		WRITE(int32, v[j])
	else
		WRITE(int64, v[j])
	return out;
}

/* Appends a row, unless all of it is zero. */
static void
write_row(StringInfo buf, int64 number, const double *row)
{
	RowHead		head = {.number = (uint32) number};
	int64		v[ROW_SIZE];
	uint8		place[ROW_SIZE];
	uint64		any = 0;
	int64		most = 0;
	int32		n = 0;
	char	   *out;

	for (int32 j = 0; j < ROW_SIZE; j++)
	{
		v[j] = (int64) (row[j] * WEIGHT_SCALE);
		any |= (uint64) v[j];
	}
	if (any == 0)
		return;
	head.shift = (uint8) pg_rightmost_one_pos64(any);
	for (int32 j = 0; j < ROW_SIZE; j++)
	{
		/* exact: all are multiples of 2^shift */
		v[j] >>= head.shift;
		most = Max(most, v[j] < 0 ? -v[j] : v[j]);
		place[n] = (uint8) j;
		n += v[j] != 0;
	}
	head.width = most <= INT16_MAX ? 2 : most < 1 << 23 ? 3 : most <= INT32_MAX ? 4 : 8;
	head.sparse = n * (1 + head.width) < ROW_SIZE * head.width;
	if (head.sparse)
		for (int32 j = 0; j < n; j++)
			v[j] = v[place[j]];
	else
		n = ROW_SIZE;
	head.last = (uint8) (n - 1);

	reserve(buf, sizeof(RowHead) + n * (1 + head.width));
	out = buf->data + buf->len;
	memcpy(out, &head, sizeof(RowHead));
	out += sizeof(RowHead);
	if (head.sparse)
	{
		memcpy(out, place, n);
		out += n;
	}
	out = write_entries(out, head.width, v, n);
	buf->len = (int) (out - buf->data);
}

/* Appends all of a difference array. */
void
sr_rows_write(StringInfo buf, const Diff *diff)
{
	int64		nleaves = diff->nbranches << DIFF_BRANCH_BITS;

	if (diff->nleaves == 0)
		return;
	for (int64 i = 0; i < nleaves; i++)
	{
		const double *leaf = diff_leaf_if(diff, i);

		if (leaf == NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < DIFF_LEAF_SIZE / ROW_SIZE; j++)
			write_row(buf, i * (DIFF_LEAF_SIZE / ROW_SIZE) + j, leaf + j * ROW_SIZE);
	}
}

/* ---------- reading ---------- */

/* A row as it was written: of integers, not yet where they belong. */
typedef struct WrittenRow
{
	RowHead		head;
	int32		n;
	const uint8 *place;			/* of each, where the row is sparse */
	const char *values;
} WrittenRow;

/* Stops at bytes that sr_rows_write does not write. */
static void
bad_rows(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid coverage state: %s", what)));
}

/* Steps over a row; false at the end. */
static bool
next_row(const char **at, const char *end, WrittenRow *row)
{
	int32		size;

	if (*at == end)
		return false;
	if (end - *at < (ptrdiff_t) sizeof(RowHead))
		bad_rows("it ends early");
	memcpy(&row->head, *at, sizeof(RowHead));
	*at += sizeof(RowHead);
	row->n = row->head.last + 1;
	size = row->n * ((row->head.sparse ? 1 : 0) + row->head.width);
	if (end - *at < size)
		bad_rows("it ends early");
	row->place = (const uint8 *) *at;
	row->values = *at + (row->head.sparse ? row->n : 0);
	*at += size;
	return true;
}

/* The entries of a row, those that were written. */
static void
read_entries(const WrittenRow *row, double *entry)
{
	const char *in = row->values;
	double		unit = ldexp(1.0 / WEIGHT_SCALE, row->head.shift);
	int32		n = row->n;

#define READ(type) \
	for (int32 j = 0; j < n; j++) \
	{ \
		type		v; \
		memcpy(&v, in + j * sizeof(type), sizeof(type)); \
		entry[j] = (double) v * unit; \
	}
	if (row->head.width == 2)
		READ(int16)
	else if (row->head.width == 3)
	{
		const int8 *high = (const int8 *) in + n * sizeof(uint16);

		for (int32 j = 0; j < n; j++)
		{
			uint16		low;

			memcpy(&low, in + j * sizeof(low), sizeof(low));
			entry[j] = (double) ((int32) high[j] * 65536 + low) * unit;
		}
	}
	else if (row->head.width == 4)
		READ(int32)
	else
		READ(int64)
}

/* Adds a row to ROW_SIZE entries of an array. */
static void
add_row(const WrittenRow *row, double *to)
{
	double		entry[ROW_SIZE];

	read_entries(row, entry);
	if (row->head.sparse)
		for (int32 j = 0; j < row->n; j++)
			to[row->place[j]] += entry[j];
	else
		for (int32 j = 0; j < ROW_SIZE; j++)
			to[j] += entry[j];
}

/*
 * Looks through rows from outside: they are ones that a field of so many cells has, with
 * values from -most to most. An error if not.
 */
PackedRows
sr_rows_check(const char *at, const char *end, int64 ncell, double most)
{
	PackedRows	rows = {.at = at,.end = end};
	int64		before = -1;	/* place of the entry before */
	int64		row_before = -1;
	double		value = 0;
	WrittenRow	row;

	while (next_row(&at, end, &row))
	{
		int64		start = (int64) row.head.number * ROW_SIZE;
		double		entry[ROW_SIZE];

		CHECK_FOR_INTERRUPTS();
		if ((row.head.width != 2 && row.head.width != 3 && row.head.width != 4 && row.head.width != 8) ||
			row.head.shift > 53 || row.head.sparse > 1 || (!row.head.sparse && row.n != ROW_SIZE))
			bad_rows("a row of no known form");
		if ((int64) row.head.number <= row_before || start > ncell)
			bad_rows("rows out of order");
		row_before = row.head.number;
		read_entries(&row, entry);
		for (int32 j = 0; j < row.n; j++)
		{
			int64		place = start + (row.head.sparse ? row.place[j] : j);

			if (entry[j] == 0 && !row.head.sparse)
				continue;
			if (entry[j] == 0 || place <= before || place > ncell)
				bad_rows("entries out of order");
			before = place;
			value += entry[j];
			if (!(fabs(entry[j]) <= 2 * most) || !(fabs(value) <= most))
				bad_rows("values beyond their total");
			rows.nentries++;
		}
	}
	/* behind the last cell there is nothing */
	if (value != 0)
		bad_rows("values that do not end");
	return rows;
}

/* Adds rows to a difference array. */
void
sr_rows_add(Diff *diff, PackedRows rows)
{
	WrittenRow	row;

	while (next_row(&rows.at, rows.end, &row))
	{
		int64		start = (int64) row.head.number * ROW_SIZE;

		CHECK_FOR_INTERRUPTS();
		add_row(&row, sr_diff_leaf(diff, start >> DIFF_LEAF_BITS) + (start & (DIFF_LEAF_SIZE - 1)));
	}
}

/* Unpacks the next row. */
static void
reader_next(RowReader *r)
{
	WrittenRow	row;

	r->count = 0;
	if (!next_row(&r->at, r->end, &row))
		return;
	r->start = (int64) row.head.number * ROW_SIZE;
	r->count = ROW_SIZE;
	memset(r->entry, 0, sizeof(r->entry));
	add_row(&row, r->entry);
}

void
sr_reader_open(RowReader *r, PackedRows rows)
{
	r->at = rows.at;
	r->end = rows.end;
	reader_next(r);
}

/* Adds the next n entries of the row at hand to an array. */
void
sr_reader_take(RowReader *r, double *to, int32 n)
{
	const double *from = r->entry + (ROW_SIZE - r->count);

	for (int32 j = 0; j < n; j++)
		to[j] += from[j];
	r->start += n;
	r->count -= n;
	if (r->count == 0)
		reader_next(r);
}
