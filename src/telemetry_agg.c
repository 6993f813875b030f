/*
 * telemetry_agg.c: the aggregates telemetry_agg and rollup.
 *
 * The state counts and collects sets only, and keeps least and greatest values:
 * nothing in it depends on the order of the rows.
 */
#include "postgres.h"

#include "compat.h"

#include <float.h>
#include <math.h>

#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "latency.h"
#include "telemetry.h"

SR_FUNCTION(sr_telemetry_transition);
SR_FUNCTION(sr_telemetry_rollup_transition);
SR_FUNCTION(sr_telemetry_combine);
SR_FUNCTION(sr_telemetry_serialize);
SR_FUNCTION(sr_telemetry_deserialize);
SR_FUNCTION(sr_telemetry_final);

#define STATE_VERSION 1
#define DEFAULT_SLOT_US (60 * USECS_PER_SEC)

#define CACHE_LINE 64
#define CHUNK_WORDS 8			/* 512 slots: one cache line */
#define CHUNK_BITS 9
#define NO_CHUNK PG_INT64_MIN	/* the number of no chunk */
#define FIRST_CHUNKS 4
#define BUCKET_STEP 32			/* the counts grow by so many at a time */
#define PENDING 24				/* samples kept back, see TelemetryState */
#define NO_LATENCY (-2)			/* stands for the bucket of a sample without a latency */

typedef struct SlotChunk
{
	uint64		words[CHUNK_WORDS];
} SlotChunk;

/* An ok sample whose slot and latency are yet to be counted. */
typedef struct PendingSample
{
	int32		slot;			/* from base_slot */
	int32		bucket;			/* also SR_LATENCY_ZERO, SR_LATENCY_OVERFLOW, NO_LATENCY */
} PendingSample;

/*
 * With many groups every access to another part of a state is a cache miss. What
 * each row reads is the first cache line; slots and buckets are collected in pending and
 * counted together, so that their misses overlap.
 */
typedef struct TelemetryState
{
	int64		slot_us;
	int64		samples;
	int64		errors;
	double		min;			/* exact; min > max: no latency */
	double		max;
	int64		base_slot;
	int64		phase;			/* sr_slot_phase(slot_us) */
	int32		npending;
	PendingSample pending[PENDING];

	MemoryContext context;		/* of the aggregate */
	uint64		zero;			/* latencies below 1 microsecond */
	uint64		overflow;		/* latencies above 1 hour */

	/* counts of the buckets from first_bucket on, in units and in 65536s; high may be NULL */
	uint16	   *low;
	uint64	   *high;
	int32		first_bucket;
	int32		buckets;

	/* slots: open addressing by chunk number, and the chunk last met */
	int64	   *numbers;
	SlotChunk  *chunks;
	int64		last_number;
	SlotChunk  *last_chunk;
	uint32		used;
	uint32		capacity;		/* 0 or a power of two */
} TelemetryState;

/* ---- checks ---- */

/* Refuses what is no latency. */
static inline void
CheckLatency(double latency_ms)
{
	if (unlikely(!(latency_ms >= 0 && latency_ms <= DBL_MAX)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("latency of %g ms is not a finite number of at least 0", latency_ms),
				 errhint("Use NULL where no latency was measured.")));
}

/* Refuses infinite timestamps. */
static inline void
CheckSampledAt(TimestampTz sampled_at)
{
	if (unlikely(TIMESTAMP_NOT_FINITE(sampled_at)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("sample at %s is not at a finite time", timestamptz_to_str(sampled_at))));
}

/* The length of a slot in microseconds, a day being 24 hours. */
static int64
CheckSlot(const Interval *slot)
{
	int64		days_us;
	int64		slot_us;

	if (slot->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slot %s has no fixed length",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(slot)))),
				 errhint("Use days, hours, minutes or seconds.")));
	if (pg_mul_s64_overflow(slot->day, USECS_PER_DAY, &days_us) ||
		pg_add_s64_overflow(days_us, slot->time, &slot_us) || slot_us <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slot %s is not a positive length of time",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(slot)))),
				 errhint("A usual slot is '1 minute'.")));
	return slot_us;
}

/* Refuses to mix slots. */
static void
CheckSameSlot(int64 a, int64 b)
{
	if (unlikely(a != b))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("telemetry with different slots cannot be merged: %s and %s", sr_slot_text(a), sr_slot_text(b)),
				 errhint("Use one slot for all rows of a group, or group by slot.")));
}

/* Adds to a counter, which must stay a bigint. */
static void
add_count(int64 *counter, uint64 more)
{
	if (more > PG_INT64_MAX || pg_add_s64_overflow(*counter, (int64) more, counter))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of samples exceeds the range of bigint")));
}

#ifdef USE_ASSERT_CHECKING
/* What every state satisfies. */
static void
AssertCheckState(const TelemetryState *state)
{
	Assert(state->slot_us > 0);
	Assert(state->phase >= 0 && state->phase < state->slot_us);
	Assert(state->samples >= state->errors && state->errors >= 0);
	Assert(state->first_bucket >= 0 && state->first_bucket + state->buckets <= LATENCY_BUCKETS + BUCKET_STEP);
	Assert((state->capacity & (state->capacity - 1)) == 0 && state->used <= state->capacity);
}
#else
#define AssertCheckState(state) ((void) 0)
#endif

/* ---- state ---- */

static TelemetryState *
make_state(MemoryContext context, int64 slot_us)
{
	char	   *memory = MemoryContextAllocZero(context, sizeof(TelemetryState) + CACHE_LINE);
	TelemetryState *state = (TelemetryState *) TYPEALIGN(CACHE_LINE, memory);

	sr_latency_init();
	state->context = context;
	state->slot_us = slot_us;
	state->phase = sr_slot_phase(slot_us);
	state->min = HUGE_VAL;
	state->max = -HUGE_VAL;
	state->last_number = NO_CHUNK;
	return state;
}

/* Makes an empty table of chunks. */
static void
make_chunks(TelemetryState *state, uint32 capacity)
{
	MemoryContext context = state->context;

	state->numbers = MemoryContextAlloc(context, capacity * sizeof(int64));
	state->chunks = MemoryContextAllocZero(context, capacity * sizeof(SlotChunk));
	for (uint32 i = 0; i < capacity; i++)
		state->numbers[i] = NO_CHUNK;
	state->capacity = capacity;
}

/* Where a chunk is, or would be, in the table. */
static inline uint32
chunk_position(const TelemetryState *state, int64 number)
{
	uint32		mask = state->capacity - 1;
	uint32		position = (uint32) ((uint64) number * UINT64CONST(0x9E3779B97F4A7C15) >> 32) & mask;

	while (state->numbers[position] != number && state->numbers[position] != NO_CHUNK)
		position = (position + 1) & mask;
	return position;
}

/* Doubles the table. */
static void
grow_chunks(TelemetryState *state)
{
	int64	   *numbers = state->numbers;
	SlotChunk  *chunks = state->chunks;
	uint32		capacity = state->capacity;

	if (capacity == 0)
	{
		make_chunks(state, FIRST_CHUNKS);
		return;
	}
	if (capacity > MaxAllocSize / sizeof(SlotChunk) / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("telemetry spans too many slots of %s", sr_slot_text(state->slot_us)),
				 errhint("Use a longer slot, or summarise shorter periods.")));

	make_chunks(state, capacity * 2);
	for (uint32 i = 0; i < capacity; i++)
	{
		if (numbers[i] != NO_CHUNK)
		{
			uint32		position = chunk_position(state, numbers[i]);

			state->numbers[position] = numbers[i];
			state->chunks[position] = chunks[i];
		}
	}
	pfree(numbers);
	pfree(chunks);
}

/* The chunk with a number, made if need be, when it is not the one last met. */
static pg_noinline SlotChunk *
find_chunk(TelemetryState *state, int64 number)
{
	uint32		position;

	/* at most three quarters full */
	if (state->used >= state->capacity / 4 * 3)
	{
		if (state->capacity == 0 || state->numbers[chunk_position(state, number)] != number)
			grow_chunks(state);
	}
	position = chunk_position(state, number);
	if (state->numbers[position] != number)
	{
		state->numbers[position] = number;
		state->used++;
	}
	state->last_number = number;
	state->last_chunk = &state->chunks[position];
	return state->last_chunk;
}

static inline SlotChunk *
get_chunk(TelemetryState *state, int64 number)
{
	return state->last_number == number ? state->last_chunk : find_chunk(state, number);
}

/* Marks a slot as up. */
static inline void
add_slot(TelemetryState *state, int64 slot)
{
	SlotChunk  *chunk = get_chunk(state, slot >> CHUNK_BITS);

	chunk->words[(slot >> 6) & (CHUNK_WORDS - 1)] |= UINT64CONST(1) << (slot & 63);
}

/* Widens the counts so that they hold the bucket. */
static pg_noinline void
grow_buckets(TelemetryState *state, int bucket)
{
	MemoryContext context = state->context;
	int			first = bucket / BUCKET_STEP * BUCKET_STEP;
	int			end = first + BUCKET_STEP;
	uint16	   *low;

	if (state->buckets > 0)
	{
		first = Min(first, state->first_bucket);
		end = Max(end, state->first_bucket + state->buckets);
	}
	low = MemoryContextAllocZero(context, (end - first) * sizeof(uint16));
	if (state->buckets > 0)
	{
		memcpy(low + (state->first_bucket - first), state->low, state->buckets * sizeof(uint16));
		pfree(state->low);
	}
	if (state->high)
	{
		uint64	   *high = MemoryContextAllocZero(context, (end - first) * sizeof(uint64));

		memcpy(high + (state->first_bucket - first), state->high, state->buckets * sizeof(uint64));
		pfree(state->high);
		state->high = high;
	}
	state->low = low;
	state->first_bucket = first;
	state->buckets = end - first;
}

/* Adds multiples of 65536 to the count at an index. */
static pg_noinline void
add_high(TelemetryState *state, int index, uint64 multiples)
{
	if (state->high == NULL)
		state->high = MemoryContextAllocZero(state->context, state->buckets * sizeof(uint64));
	state->high[index] += multiples;
}

/* The index of a bucket among the counts. */
static inline int
bucket_index(TelemetryState *state, int bucket)
{
	int			index = bucket - state->first_bucket;

	if (unlikely(index < 0 || index >= state->buckets))
	{
		grow_buckets(state, bucket);
		index = bucket - state->first_bucket;
	}
	return index;
}

/* Counts the samples kept back. */
static pg_noinline void
count_pending(TelemetryState *state)
{
	for (int i = 0; i < state->npending; i++)
		add_slot(state, state->base_slot + state->pending[i].slot);

	for (int i = 0; i < state->npending; i++)
	{
		int			bucket = state->pending[i].bucket;

		if (bucket == NO_LATENCY)
			continue;
		if (unlikely(bucket == SR_LATENCY_ZERO))
			state->zero++;
		else if (unlikely(bucket == SR_LATENCY_OVERFLOW))
			state->overflow++;
		else
		{
			int			index = bucket_index(state, bucket);

			if (unlikely(++state->low[index] == 0))
				add_high(state, index, 1);
		}
	}
	state->npending = 0;
}

/* Takes in an ok sample. */
static inline void
add_sample(TelemetryState *state, int64 slot, int bucket)
{
	PendingSample *sample;

	if (unlikely(state->npending == PENDING || slot - state->base_slot != (int32) (slot - state->base_slot)))
	{
		count_pending(state);
		state->base_slot = slot;
	}
	sample = &state->pending[state->npending++];
	sample->slot = (int32) (slot - state->base_slot);
	sample->bucket = bucket;
}

/* Adds a bucket of another state or summary. */
static void
add_bucket(TelemetryState *state, int bucket, uint64 count)
{
	int			index = bucket_index(state, bucket);

	count += state->low[index];
	state->low[index] = (uint16) count;
	if (count >> 16)
		add_high(state, index, count >> 16);
}

/* The count at an index. */
static inline uint64
bucket_count(const TelemetryState *state, int index)
{
	return state->low[index] + (state->high ? state->high[index] << 16 : 0);
}

/* Adds a summary; a damaged one is an error. */
static void
merge_summary(TelemetryState *state, const TelemetrySummary *summary)
{
	SlotReader	slots;
	LatencyReader latencies;

	CheckSameSlot(state->slot_us, summary->slot_us);
	add_count(&state->samples, (uint64) summary->samples);
	add_count(&state->errors, (uint64) summary->errors);

	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
	{
		int64		word = slots.word;

		/* more full words than memory can hold: stop before filling it */
		if (slots.full / CHUNK_WORDS > MaxAllocSize / sizeof(SlotChunk))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("telemetry spans too many slots of %s", sr_slot_text(state->slot_us)),
					 errhint("Use a longer slot, or summarise shorter periods.")));
		for (uint64 i = 0; i < slots.full + slots.literals; i++, word++)
		{
			SlotChunk  *chunk = get_chunk(state, word >> (CHUNK_BITS - 6));

			chunk->words[word & (CHUNK_WORDS - 1)] |= i < slots.full ? FULL_WORD : bits_get(&slots.bits, 64);
			if (i % 65536 == 65535)
				CHECK_FOR_INTERRUPTS();
		}
	}

	sr_latencies_begin(&latencies, &slots);
	state->zero += latencies.zero;
	state->overflow += latencies.overflow;
	if (latencies.zero > 0 || latencies.overflow > 0 || latencies.buckets > 0)
	{
		state->min = Min(state->min, latencies.min);
		state->max = Max(state->max, latencies.max);
	}
	while (sr_latencies_next(&latencies))
		add_bucket(state, latencies.bucket, latencies.count);
	AssertCheckState(state);
}

/* Adds another state, whose content stays as it is. */
static void
merge_state(TelemetryState *state, TelemetryState *other)
{
	count_pending(other);
	CheckSameSlot(state->slot_us, other->slot_us);
	add_count(&state->samples, (uint64) other->samples);
	add_count(&state->errors, (uint64) other->errors);
	state->zero += other->zero;
	state->overflow += other->overflow;
	state->min = Min(state->min, other->min);
	state->max = Max(state->max, other->max);

	for (int i = 0; i < other->buckets; i++)
	{
		uint64		count = bucket_count(other, i);

		if (count > 0)
			add_bucket(state, other->first_bucket + i, count);
	}
	for (uint32 i = 0; i < other->capacity; i++)
	{
		SlotChunk  *chunk;

		if (other->numbers[i] == NO_CHUNK)
			continue;
		chunk = get_chunk(state, other->numbers[i]);
		for (int j = 0; j < CHUNK_WORDS; j++)
			chunk->words[j] |= other->chunks[i].words[j];
		if (i % 65536 == 65535)
			CHECK_FOR_INTERRUPTS();
	}
	AssertCheckState(state);
}

/* ---- state to summary ---- */

typedef struct NumberedChunk
{
	int64		number;
	const SlotChunk *chunk;
} NumberedChunk;

static int
compare_chunks(const void *a, const void *b)
{
	int64		x = ((const NumberedChunk *) a)->number;
	int64		y = ((const NumberedChunk *) b)->number;

	return (x > y) - (x < y);
}

/* Writes the slots in order. */
static void
write_slots(const TelemetryState *state, BitWriter *out)
{
	SlotWriter	writer = {0};
	NumberedChunk *sorted = MemoryContextAllocHuge(CurrentMemoryContext, (Size) Max(state->used, 1) * sizeof(NumberedChunk));
	uint32		count = 0;
	bool		ascending = true;

	for (uint32 i = 0; i < state->capacity; i++)
	{
		if (state->numbers[i] == NO_CHUNK)
			continue;
		sorted[count].number = state->numbers[i];
		sorted[count].chunk = &state->chunks[i];
		ascending = ascending && (count == 0 || sorted[count - 1].number < sorted[count].number);
		count++;
	}
	if (!ascending)
		qsort(sorted, count, sizeof(NumberedChunk), compare_chunks);
	for (uint32 i = 0; i < count; i++)
	{
		for (int j = 0; j < CHUNK_WORDS; j++)
			sr_slots_add(&writer, sorted[i].number * CHUNK_WORDS + j, sorted[i].chunk->words[j]);
	}
	sr_slots_write(&writer, out);
	pfree(sorted);
}

/* Writes the latencies. */
static void
write_latencies(const TelemetryState *state, BitWriter *out)
{
	uint64		occupied = 0;
	int			before = -1;

	for (int i = 0; i < state->buckets; i++)
		occupied += bucket_count(state, i) > 0;

	bits_put_gamma(out, state->zero + 1);
	bits_put_gamma(out, state->overflow + 1);
	bits_put_gamma(out, occupied + 1);
	if (state->min <= state->max)
	{
		bits_put_double(out, state->min);
		bits_put_double(out, state->max);
	}
	for (int i = 0; i < state->buckets; i++)
	{
		uint64		count = bucket_count(state, i);

		if (count == 0)
			continue;
		bits_put_gamma(out, (uint64) (state->first_bucket + i - before));
		bits_put_gamma(out, count);
		before = state->first_bucket + i;
	}
}

/* The summary of a state, whose content stays as it is. */
static TelemetrySummary *
summarise(TelemetryState *state)
{
	BitWriter	bits = {0};

	count_pending(state);
	AssertCheckState(state);
	write_slots(state, &bits);
	write_latencies(state, &bits);
	return sr_summary_build(state->slot_us, state->samples, state->errors, &bits);
}

/* ---- the aggregates ---- */

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "telemetry aggregate function called in non-aggregate context");
	return context;
}

/* telemetry_transition(state, sampled_at, latency_ms, ok [, slot]) */
Datum
sr_telemetry_transition(PG_FUNCTION_ARGS)
{
	TelemetryState *state = PG_ARGISNULL(0) ? NULL : (TelemetryState *) PG_GETARG_POINTER(0);
	TimestampTz sampled_at;
	int64		slot_us = DEFAULT_SLOT_US;
	int			bucket;

	/* an aggregate context is certain once there is a state */
	if (state == NULL)
		aggregate_context(fcinfo);

	if (PG_ARGISNULL(1) || PG_ARGISNULL(3))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}

	if (PG_NARGS() > 4)
	{
		if (PG_ARGISNULL(4))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("slot must not be null"),
					 errhint("Leave it out for slots of 1 minute.")));
		slot_us = CheckSlot(PG_GETARG_INTERVAL_P(4));
	}
	if (state == NULL)
		state = make_state(aggregate_context(fcinfo), slot_us);
	else
		CheckSameSlot(state->slot_us, slot_us);

	sampled_at = PG_GETARG_TIMESTAMPTZ(1);
	CheckSampledAt(sampled_at);
	if (!PG_ARGISNULL(2))
		CheckLatency(PG_GETARG_FLOAT8(2));

	if (unlikely(state->samples == PG_INT64_MAX))
		add_count(&state->samples, 1);
	state->samples++;
	if (!PG_GETARG_BOOL(3))
	{
		state->errors++;
		PG_RETURN_POINTER(state);
	}

	bucket = NO_LATENCY;
	if (!PG_ARGISNULL(2))
	{
		/* adding zero turns -0 into 0 */
		double		latency_ms = PG_GETARG_FLOAT8(2) + 0.0;

		bucket = sr_latency_bucket(latency_ms);
		if (latency_ms < state->min)
			state->min = latency_ms;
		if (latency_ms > state->max)
			state->max = latency_ms;
	}

	/* dividing by a constant is several times faster */
	if (slot_us == DEFAULT_SLOT_US)
		add_sample(state, sr_slot_of(sampled_at, DEFAULT_SLOT_US, 0), bucket);
	else
		add_sample(state, sr_slot_of(sampled_at, slot_us, state->phase), bucket);
	PG_RETURN_POINTER(state);
}

/* telemetry_rollup_transition(state, telemetry_summary) */
Datum
sr_telemetry_rollup_transition(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	TelemetryState *state = PG_ARGISNULL(0) ? NULL : (TelemetryState *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		const TelemetrySummary *summary = PG_GETARG_SUMMARY(1);

		if (state == NULL)
			state = make_state(context, summary->slot_us);
		merge_summary(state, summary);
		PG_FREE_IF_COPY(unconstify(TelemetrySummary *, summary), 1);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* telemetry_combine(state, state) */
Datum
sr_telemetry_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	TelemetryState *state = PG_ARGISNULL(0) ? NULL : (TelemetryState *) PG_GETARG_POINTER(0);
	TelemetryState *other = PG_ARGISNULL(1) ? NULL : (TelemetryState *) PG_GETARG_POINTER(1);

	if (other != NULL)
	{
		if (state == NULL)
			state = make_state(context, other->slot_us);
		merge_state(state, other);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* telemetry_serialize(state): a version byte and the summary */
Datum
sr_telemetry_serialize(PG_FUNCTION_ARGS)
{
	TelemetrySummary *summary;
	bytea	   *out;

	aggregate_context(fcinfo);
	summary = summarise((TelemetryState *) PG_GETARG_POINTER(0));
	out = palloc(VARHDRSZ + 1 + (Size) VARSIZE(summary));
	SET_VARSIZE(out, VARHDRSZ + 1 + (Size) VARSIZE(summary));
	*VARDATA(out) = STATE_VERSION;
	memcpy(VARDATA(out) + 1, summary, VARSIZE(summary));
	PG_RETURN_BYTEA_P(out);
}

/* telemetry_deserialize(bytea, internal) */
Datum
sr_telemetry_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *in = PG_GETARG_BYTEA_PP(0);
	Size		length = VARSIZE_ANY_EXHDR(in);
	TelemetrySummary *summary;
	TelemetryState *state;

	aggregate_context(fcinfo);
	if (length < 1 + SUMMARY_HEADER || *VARDATA_ANY(in) != STATE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid serialized state of a telemetry aggregate")));

	summary = palloc(length - 1);
	memcpy(summary, VARDATA_ANY(in) + 1, length - 1);
	SET_VARSIZE(summary, length - 1);
	sr_summary_check(summary, ERRCODE_INVALID_BINARY_REPRESENTATION);
	state = make_state(CurrentMemoryContext, summary->slot_us);
	merge_summary(state, summary);
	pfree(summary);
	PG_RETURN_POINTER(state);
}

/* telemetry_final(state) */
Datum
sr_telemetry_final(PG_FUNCTION_ARGS)
{
	aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(summarise((TelemetryState *) PG_GETARG_POINTER(0)));
}
