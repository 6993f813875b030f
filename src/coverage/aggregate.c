/*
 * coverage_agg.c: the aggregates that make fields: coverage_agg of discs,
 * density_agg of points and sum of coverages.
 *
 * All three add to one difference array. Every number that enters is a multiple
 * of 2^-16 and their sum is at most 2^37, so each addition is exact: the result
 * does not depend on the order of rows, nor on how workers shared them.
 *
 * Discs wait in a buffer until there are many, and are then swept together.
 */
#include "coverage/coverage.h"

#include "libpq/pqformat.h"
#include "port/pg_bitutils.h"

#define STATE_VERSION 2

/* Discs that wait at most: 64 MB of them. */
#define MAX_PENDING (1024 * 1024)

/* So few discs travel between processes as they are: less than what they cover. */
#define SEND_PENDING (8 * 1024)

/* Packed states that wait at most, and the part of one that is at hand at the end. */
#define MAX_PACKED 8
#define WINDOW 4096

/* Room that is made for packed rows before there are any. */
#define MAX_EXPECTED (64 * 1024 * 1024)

/* Rows of a serialised state, see StateHead. */
typedef struct Packed
{
	const char *at;
	const char *end;
} Packed;

typedef struct FieldState
{
	int			order;
	double		total;			/* of the weights so far; exact */
	Diff	   *diff;
	MemoryContext context;
	WeightedDisc *pending;		/* not in diff yet */
	int64		npending;
	int64		capacity;
	Packed		packed[MAX_PACKED];	/* not in diff yet */
	int			npacked;
} FieldState;

/* An empty state in the current context. */
static FieldState *
state_create(int order)
{
	FieldState *state = palloc(sizeof(FieldState));

	state->order = order;
	state->total = 0;
	state->diff = diff_create(INT64_C(12) << (2 * order));
	state->context = CurrentMemoryContext;
	state->pending = NULL;
	state->npending = state->capacity = 0;
	state->npacked = 0;
	return state;
}

/* Adds the waiting discs to the difference array; what the state means stays the same. */
static void
flush_pending(FieldState *state)
{
	MemoryContext old;

	if (state->npending == 0)
		return;
	old = MemoryContextSwitchTo(state->context);
	sweep_discs(hpx_grid(state->order), state->pending, state->npending, state->diff, NULL, NULL);
	state->npending = 0;
	MemoryContextSwitchTo(old);
}

/* Room for one more disc. */
static inline WeightedDisc *
next_disc(FieldState *state)
{
	if (state->npending == state->capacity)
	{
		if (state->npending >= MAX_PENDING)
			flush_pending(state);
		else
		{
			MemoryContext old = MemoryContextSwitchTo(state->context);

			state->capacity = state->capacity ? 4 * state->capacity : 16;
			state->pending = state->pending == NULL
				? sr_alloc(state->capacity * sizeof(WeightedDisc))
				: sr_realloc(state->pending, state->capacity * sizeof(WeightedDisc));
			MemoryContextSwitchTo(old);
		}
	}
	return &state->pending[state->npending++];
}

/* Counts weights towards the limit that keeps sums exact. */
static void
add_to_total(FieldState *state, double weight)
{
	state->total += weight;
	if (state->total > WEIGHT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights add up to more than 2^37"),
				 errdetail("Sums are exact up to this limit only."),
				 errhint("Use a larger unit.")));
}

/* The context aggregate state lives in; an error outside an aggregate. */
static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/* The grid order argument, when there is one. */
static int
order_argument(FunctionCallInfo fcinfo, int argno)
{
	int32		order;

	if (PG_NARGS() <= argno)
		return SR_DEFAULT_ORDER;
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("grid order must not be null")));
	order = PG_GETARG_INT32(argno);
	check_order(order);
	return order;
}

/* The state of this group, made at its first row; every row must name one order. */
static FieldState *
state_for(FunctionCallInfo fcinfo, int order)
{
	FieldState *state = PG_ARGISNULL(0) ? NULL : (FieldState *) PG_GETARG_POINTER(0);

	if (state == NULL)
		return state_create(order);
	if (state->order != order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order varies within the aggregate: %d and %d", state->order, order)));
	return state;
}

/* What a skipped row returns: the state as it was, which may be none yet. */
#define RETURN_STATE_UNCHANGED() \
	do { \
		if (PG_ARGISNULL(0)) \
			PG_RETURN_NULL(); \
		PG_RETURN_DATUM(PG_GETARG_DATUM(0)); \
	} while (0)

SR_FUNCTION(coverage_agg_transfn);
Datum
coverage_agg_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	Disc		disc;
	double		weight = 1.0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_NARGS() > 3 && PG_ARGISNULL(3)))
		RETURN_STATE_UNCHANGED();

	geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	disc.radius = PG_GETARG_FLOAT8(2);
	check_disc(&disc);
	if (PG_NARGS() > 3)
		weight = check_weight(PG_GETARG_FLOAT8(3));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, order_argument(fcinfo, 4));
	add_to_total(state, weight);
	if (weight > 0)
	{
		WeightedDisc *last = next_disc(state);

		disc_prepare(hpx_grid(state->order), &disc, &last->scan);
		last->weight = weight;
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

SR_FUNCTION(density_agg_transfn);
Datum
density_agg_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	double		lon,
				lat,
				weight;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		RETURN_STATE_UNCHANGED();

	geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	weight = check_weight(PG_GETARG_FLOAT8(2));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, order_argument(fcinfo, 3));
	add_to_total(state, weight);
	if (weight > 0)
	{
		int64		cell = point_cell(state->order, lon, lat);

		diff_add(state->diff, cell, cell, weight);
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(state);
}

/* Checks a value that sum() is to add. */
static void
check_summand(double value)
{
	if (fabs(value) > WEIGHT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("coverage value %.15g is beyond 2^37, the most that can be summed exactly", value)));
	if (rint(value * WEIGHT_SCALE) != value * WEIGHT_SCALE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverage value %.17g is not a multiple of 2^-16", value),
				 errdetail("Other values cannot be summed exactly, hence not in any order."),
				 errhint("Round the field first: sum(coverage_round(c)).")));
}

SR_FUNCTION(coverage_sum_transfn);
Datum
coverage_sum_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *state;
	Coverage   *c;
	const uint32 *starts;
	double		before = 0,
				most = 0;

	if (PG_ARGISNULL(1))
		RETURN_STATE_UNCHANGED();

	c = PG_GETARG_COVERAGE(1);
	starts = COVERAGE_STARTS(c);
	if (!PG_ARGISNULL(0) && ((FieldState *) PG_GETARG_POINTER(0))->order != c->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverages have different grid orders: %d and %d",
						((FieldState *) PG_GETARG_POINTER(0))->order, c->order),
				 errhint("Build both at the same grid_order.")));

	old = MemoryContextSwitchTo(context);
	state = state_for(fcinfo, c->order);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		check_summand(c->values[i]);
		most = Max(most, fabs(c->values[i]));
		if (c->values[i] != before)
			diff_add_at(state->diff, starts[i], c->values[i] - before);
		before = c->values[i];
	}
	if (before != 0)
		diff_add_at(state->diff, COVERAGE_NCELL(c), -before);
	add_to_total(state, most);
	MemoryContextSwitchTo(old);
	PG_FREE_IF_COPY(c, 1);
	PG_RETURN_POINTER(state);
}

/*
 * A state as bytes, for another process of this server or of a like one: version
 * and byte order, grid order, total, the discs that wait, then rows: neighbouring
 * entries of the difference array. Entries are multiples of 2^-16, mostly of more,
 * so they are sent as integers times 2^(shift - 16), of 2, 3, 4 or 8 bytes as the
 * row needs; those of 3 as all the low 2 bytes and then all the high ones.
 */
typedef struct StateHead
{
	uint8		version;		/* reads as another one in the other byte order */
	uint8		order;
	uint16		reserved;
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

static void
pack_ring(void *arg, const HpxRing *ring, const double *row)
{
	pack_rows((StringInfo) arg, ring->start, row, ring->ncell + 1);
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

/* What is left of packed rows, and of the row at hand. */
typedef struct RowReader
{
	Packed		rest;
	int64		start;			/* of the row's next entry */
	int32		count;			/* entries left; 0: no row any more */
	int16		width;
	double		unit;			/* what 1 stands for */
	const char *in;
	const char *high;			/* of 3 bytes, the high ones */
	int64		entries;		/* in all rows, where they were counted */
} RowReader;

/* Goes to the next row. */
static void
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
static void
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
static void
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

/* Keeps packed rows, in memory of the state's own; when they are many, adds them up. */
static void
keep_packed(FieldState *state, Packed packed)
{
	MemoryContext old;
	char	   *copy;

	if (packed.at == packed.end)
		return;
	old = MemoryContextSwitchTo(state->context);
	if (state->npacked == MAX_PACKED)
	{
		for (int i = 0; i < MAX_PACKED; i++)
		{
			unpack_rows(state->diff, INT64_C(12) << (2 * state->order), state->packed[i]);
			pfree((char *) state->packed[i].at);
		}
		state->npacked = 0;
	}
	copy = sr_alloc(packed.end - packed.at);
	memcpy(copy, packed.at, packed.end - packed.at);
	state->packed[state->npacked].at = copy;
	state->packed[state->npacked].end = copy + (packed.end - packed.at);
	state->npacked++;
	MemoryContextSwitchTo(old);
}

/* Makes room at once for what many discs come to. */
static void
expect_rows(StringInfo buf, const FieldState *state)
{
	Size		size = Min(state->npending * 256, (INT64_C(12) << (2 * state->order)) * 3);

	size = Min(size, MAX_EXPECTED);
	if (size <= (Size) buf->maxlen)
		return;
	buf->data = sr_realloc(buf->data, size);
	buf->maxlen = (int) size;
}

SR_FUNCTION(coverage_serialize);
Datum
coverage_serialize(PG_FUNCTION_ARGS)
{
	FieldState *state;
	StringInfoData buf;
	StateHead	head = {.version = STATE_ID};

	(void) aggregate_context(fcinfo);
	state = (FieldState *) PG_GETARG_POINTER(0);
	head.order = (uint8) state->order;
	head.npending = state->npending > SEND_PENDING ? 0 : state->npending;
	head.total = state->total;

	pq_begintypsend(&buf);
	if (state->npending > SEND_PENDING)
		expect_rows(&buf, state);
	appendBinaryStringInfo(&buf, (char *) &head, sizeof(head));
	if (head.npending > 0)
		appendBinaryStringInfo(&buf, (char *) state->pending, (int) (state->npending * sizeof(WeightedDisc)));
	else if (state->npending > 0)
	{
		/* swept into the buffer, not into the array: a state is serialised once, at its end */
		sweep_discs(hpx_grid(state->order), state->pending, state->npending, state->diff, pack_ring, &buf);
		state->npending = 0;
	}
	for (int i = 0; i < state->npacked; i++)
		appendBinaryStringInfo(&buf, state->packed[i].at, (int) (state->packed[i].end - state->packed[i].at));
	if (state->diff->nleaves > 0)
	{
		int64		nleaves = state->diff->nbranches << DIFF_BRANCH_BITS;

		for (int64 i = 0; i < nleaves; i++)
		{
			const double *leaf = diff_leaf_if(state->diff, i);

			if (leaf != NULL)
				pack_rows(&buf, i << DIFF_LEAF_BITS, leaf, DIFF_LEAF_SIZE);
		}
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * Leaves the rows where they are: they stay valid until the state is combined
 * with another, which follows at once.
 */
SR_FUNCTION(coverage_deserialize);
Datum
coverage_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	const char *at,
			   *end;
	FieldState *state;
	StateHead	head;

	(void) aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	at = VARDATA_ANY(bytes);
	end = at + VARSIZE_ANY_EXHDR(bytes);

	memcpy(&head, take(&at, end, sizeof(head)), sizeof(head));
	if (head.version != STATE_ID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported coverage state version %d", head.version),
				 errhint("All nodes of a cluster must run the same version of swarm_reward, on one kind of processor.")));
	check_order(head.order);
	state = state_create(head.order);
	state->total = head.total;
	for (int64 i = 0; i < head.npending; i++)
		memcpy(next_disc(state), take(&at, end, sizeof(WeightedDisc)), sizeof(WeightedDisc));
	state->packed[0].at = at;
	state->packed[0].end = end;
	state->npacked = 1;
	PG_RETURN_POINTER(state);
}

/* Adds what one state holds to another of the same order. */
static void
state_merge(FieldState *into, const FieldState *from)
{
	int64		nleaves = from->diff->nbranches << DIFF_BRANCH_BITS;

	if (into->order != from->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order varies within the aggregate: %d and %d",
						into->order, from->order)));
	add_to_total(into, from->total);
	for (int64 i = 0; i < from->npending; i++)
		*next_disc(into) = from->pending[i];
	for (int i = 0; i < from->npacked; i++)
		keep_packed(into, from->packed[i]);
	for (int64 i = 0; i < nleaves && from->diff->nleaves > 0; i++)
	{
		const double *src = diff_leaf_if(from->diff, i);
		double	   *dst;

		if (src == NULL)
			continue;
		CHECK_FOR_INTERRUPTS();
		dst = diff_leaf(into->diff, i);
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
			dst[j] += src[j];
	}
}

SR_FUNCTION(coverage_combine);
Datum
coverage_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	MemoryContext old;
	FieldState *into = PG_ARGISNULL(0) ? NULL : (FieldState *) PG_GETARG_POINTER(0);
	FieldState *from = PG_ARGISNULL(1) ? NULL : (FieldState *) PG_GETARG_POINTER(1);

	if (from == NULL)
		RETURN_STATE_UNCHANGED();
	old = MemoryContextSwitchTo(context);
	if (into == NULL)
		into = state_create(from->order);
	state_merge(into, from);
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(into);
}

/* Readers of all packed rows of a state, each of rows in the order of their places. */
static RowReader *
make_readers(const FieldState *state, int64 ncell, int *nreaders)
{
	int			capacity = 2 * MAX_PACKED;
	RowReader  *readers = palloc(capacity * sizeof(RowReader));
	int			n = 0;

	for (int i = 0; i < state->npacked; i++)
	{
		RowReader	scan = {.rest = state->packed[i]};
		const char *at = scan.rest.at;
		int64		last = PG_INT64_MAX;

		for (next_row(&scan, ncell); scan.count > 0; next_row(&scan, ncell))
		{
			/* the rows of rings come before those of the array */
			if (scan.start < last)
			{
				if (n == capacity)
					readers = repalloc(readers, (capacity *= 2) * sizeof(RowReader));
				memset(&readers[n], 0, sizeof(RowReader));
				readers[n].rest.at = at;
				n++;
			}
			last = scan.start;
			at = scan.rest.at;
			readers[n - 1].rest.end = at;
			readers[n - 1].entries += scan.count;
		}
	}
	for (int i = 0; i < n; i++)
		next_row(&readers[i], ncell);
	*nreaders = n;
	return readers;
}

/* Adds what the array has for a window to it; false when it has nothing. */
static bool
add_leaves(const Diff *diff, int64 window, double *row)
{
	bool		any = false;
	int64		nleaves = diff->nleaves > 0 ? diff->nbranches << DIFF_BRANCH_BITS : 0;

	for (int k = 0; k < WINDOW / DIFF_LEAF_SIZE; k++)
	{
		int64		i = window * (WINDOW / DIFF_LEAF_SIZE) + k;
		const double *leaf = i < nleaves ? diff_leaf_if(diff, i) : NULL;

		if (leaf == NULL)
			continue;
		any = true;
		for (int j = 0; j < DIFF_LEAF_SIZE; j++)
			row[k * DIFF_LEAF_SIZE + j] += leaf[j];
	}
	return any;
}

/*
 * Prefix sum of the differences, window by window, so that those of several
 * processes meet in the processor's first cache. Where nobody has any, the value
 * stays that before.
 */
SR_FUNCTION(coverage_finalfn);
Datum
coverage_finalfn(PG_FUNCTION_ARGS)
{
	FieldState *state;
	CoverageBuilder b;
	RowReader  *readers;
	int			nreaders;
	double		row[WINDOW] = {0};
	int64		ncell;
	int64		expected;
	double		value = 0;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (FieldState *) PG_GETARG_POINTER(0);
	flush_pending(state);
	ncell = INT64_C(12) << (2 * state->order);
	readers = make_readers(state, ncell, &nreaders);

	expected = state->diff->nleaves * DIFF_LEAF_SIZE / 8;
	for (int i = 0; i < nreaders; i++)
		expected = Max(expected, readers[i].entries);
	builder_init(&b, state->order, Min(expected, ncell));
	builder_add(&b, 0, 0.0);
	for (int64 window = 0; window * WINDOW < ncell; window++)
	{
		int64		start = window * WINDOW;
		int32		count = (int32) Min(WINDOW, ncell - start);
		bool		any = add_leaves(state->diff, window, row);

		for (int i = 0; i < nreaders; i++)
			while (readers[i].count > 0 && readers[i].start < start + WINDOW)
			{
				add_entries(&readers[i], ncell, row + (readers[i].start - start),
							(int32) Min(readers[i].count, start + WINDOW - readers[i].start));
				any = true;
			}
		if (!any)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int32 j = 0; j < count; j++)
		{
			if (row[j] == 0)
				continue;
			value += row[j];
			if (start + j == 0)
				b.nruns = 0;
			builder_add(&b, start + j, value);
		}
		memset(row, 0, sizeof(row));
	}
	pfree(readers);
	PG_RETURN_POINTER(builder_finish(&b));
}

/* Rounds to the nearest multiple of 2^-16, ties to even. */
SR_FUNCTION(coverage_round);
Datum
coverage_round(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	const uint32 *starts = COVERAGE_STARTS(c);
	CoverageBuilder b;

	builder_init(&b, c->order, c->nruns);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		double		v = c->values[i];

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		/* from 2^37 on every float8 is such a multiple */
		if (fabs(v) < WEIGHT_LIMIT)
			v = rint(v * WEIGHT_SCALE) / WEIGHT_SCALE;
		builder_add(&b, starts[i], v);
	}
	PG_RETURN_POINTER(builder_finish(&b));
}

/* 1 inside a region. */
SR_FUNCTION(region_coverage);
Datum
region_coverage(PG_FUNCTION_ARGS)
{
	int			order = order_argument(fcinfo, 1);
	SpanList	spans;

	scan_region(fcinfo, 0, order, &spans);
	PG_RETURN_POINTER(coverage_from_spans(order, &spans));
}
