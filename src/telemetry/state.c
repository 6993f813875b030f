/*
 * telemetry_state.c: the state of telemetry_agg and rollup: samples, counts, slots,
 * merging, and the way to a summary.
 */
#include "postgres.h"

#include "base/compat.h"

#include <math.h>

#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "telemetry/state.h"

#define CACHE_LINE 64
#define CHUNK_WORDS 8			/* 512 slots: one cache line */
#define CHUNK_BITS 9
#define NO_CHUNK PG_INT64_MIN	/* the number of no chunk */
#define WINDOW_CHUNKS 8			/* 4096 slots: beyond, chunks are found by hash */
#define BUCKET_STEP 64			/* the counts grow by so many at a time */

typedef struct SlotChunk
{
	uint64		words[CHUNK_WORDS];
} SlotChunk;

/* What a group has beside its pending samples. */
struct TelemetryStore
{
	MemoryContext context;		/* of the aggregate */
	int64		slot_us;
	int64		samples;
	int64		errors;
	uint64		zero;			/* latencies below 1 microsecond */
	uint64		overflow;		/* latencies above 1 hour */

	/* counts of the buckets from first_bucket on, as narrow as they can be */
	void	   *counts;
	int32		first_bucket;
	int32		buckets;
	int32		width;			/* bytes of a count: 1, 2, 4 or 8 */

	/*
	 * Slots. As long as they are close to each other, numbers is NULL and chunks are all from
	 * first_number on; then they are found by open addressing. Either way capacity is the length.
	 */
	SlotChunk  *chunks;
	int64	   *numbers;		/* NO_CHUNK where there is none */
	int64		first_number;
	int64		last_number;	/* the chunk last met */
	SlotChunk  *last_chunk;
	uint32		capacity;
	uint32		used;			/* of the hash table */

	TelemetrySummary *unread;	/* NULL, or still to be added to all of the above */
};

/* ---- checks ---- */

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

/* Refuses more slots than memory can hold. */
static void
CheckChunks(uint64 chunks, int64 slot_us)
{
	if (chunks > MaxAllocSize / sizeof(SlotChunk))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("telemetry spans too many slots of %s", sr_slot_text(slot_us)),
				 errhint("Use a longer slot, or summarise shorter periods.")));
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
	const TelemetryStore *store = state->store;

	Assert(state->pending <= PENDING);
	Assert(state->short_slot_us > 0 || store != NULL);
	if (store == NULL)
		return;
	Assert(store->slot_us > 0 && (state->short_slot_us == 0 || state->short_slot_us == store->slot_us));
	Assert(store->samples >= store->errors && store->errors >= 0);
	Assert(store->first_bucket >= 0 && store->first_bucket + store->buckets <= LATENCY_BUCKETS + BUCKET_STEP);
	Assert(store->numbers ? (store->capacity & (store->capacity - 1)) == 0 && store->used < store->capacity :
		   store->capacity <= WINDOW_CHUNKS);
}
#else
#define AssertCheckState(state) ((void) 0)
#endif

/* ---- states ---- */

/* The length of a slot. */
static inline int64
slot_length(const TelemetryState *state)
{
	return state->short_slot_us > 0 ? (int64) state->short_slot_us : state->store->slot_us;
}

/* Gives a state its store. */
static void
make_store(TelemetryState *state, MemoryContext context, int64 slot_us)
{
	TelemetryStore *store = MemoryContextAllocZero(context, sizeof(TelemetryStore));

	store->context = context;
	store->slot_us = slot_us;
	store->width = 1;
	store->last_number = NO_CHUNK;
	state->store = store;
}

static TelemetryStore *
get_store(TelemetryState *state, MemoryContext context)
{
	if (state->store == NULL)
		make_store(state, context, slot_length(state));
	return state->store;
}

/* An empty state. */
TelemetryState *
sr_state_make(MemoryContext context, int64 slot_us)
{
	/* allocated memory is aligned to 8 bytes */
	char	   *memory = MemoryContextAlloc(context, sizeof(TelemetryState) + CACHE_LINE - 8);
	TelemetryState *state = (TelemetryState *) TYPEALIGN(CACHE_LINE, memory);

	StaticAssertStmt(sizeof(TelemetryState) + CACHE_LINE - 8 <= 512, "a state fits into 512 bytes");
	sr_latency_init();
	state->min = HUGE_VAL;
	state->max = -HUGE_VAL;
	state->store = NULL;
	state->base_slot = 0;
	state->pending = 0;
	state->short_slot_us = slot_us <= PG_UINT32_MAX ? (uint32) slot_us : 0;
	if (state->short_slot_us == 0)
		make_store(state, context, slot_us);
	return state;
}

/* Refuses rows with another slot. */
void
sr_state_check_slot(const TelemetryState *state, int64 slot_us)
{
	CheckSameSlot(slot_length(state), slot_us);
}

/* ---- slots ---- */

/* Where a chunk is, or would be, in the hash table. */
static inline uint32
chunk_position(const TelemetryStore *store, int64 number)
{
	uint32		mask = store->capacity - 1;
	uint32		position = (uint32) ((uint64) number * UINT64CONST(0x9E3779B97F4A7C15) >> 32) & mask;

	while (store->numbers[position] != number && store->numbers[position] != NO_CHUNK)
		position = (position + 1) & mask;
	return position;
}

/* The number of the chunk at an index, or NO_CHUNK. */
static inline int64
chunk_number(const TelemetryStore *store, uint32 index)
{
	return store->numbers ? store->numbers[index] : store->first_number + index;
}

/* Widens the window so that it begins with chunk first and has so many. */
static void
grow_window(TelemetryStore *store, int64 first, uint32 capacity)
{
	SlotChunk  *chunks = store->chunks;

	store->chunks = MemoryContextAllocZero(store->context, capacity * sizeof(SlotChunk));
	if (chunks)
	{
		memcpy(store->chunks + (store->first_number - first), chunks, store->capacity * sizeof(SlotChunk));
		pfree(chunks);
	}
	store->first_number = first;
	store->capacity = capacity;
}

/* Makes the window a hash table, or doubles it. */
static void
grow_table(TelemetryStore *store)
{
	TelemetryStore old = *store;

	store->capacity = old.numbers ? old.capacity * 2 : WINDOW_CHUNKS * 2;
	CheckChunks(store->capacity, store->slot_us);
	store->numbers = MemoryContextAlloc(store->context, store->capacity * sizeof(int64));
	store->chunks = MemoryContextAllocZero(store->context, store->capacity * sizeof(SlotChunk));
	for (uint32 i = 0; i < store->capacity; i++)
		store->numbers[i] = NO_CHUNK;

	store->used = 0;
	for (uint32 i = 0; i < old.capacity; i++)
	{
		int64		number = chunk_number(&old, i);
		uint32		position;

		if (number == NO_CHUNK)
			continue;
		position = chunk_position(store, number);
		store->numbers[position] = number;
		store->chunks[position] = old.chunks[i];
		store->used++;
	}
	if (old.numbers)
		pfree(old.numbers);
	pfree(old.chunks);
}

/* The chunk with a number, made if need be, outside the window. */
static pg_noinline SlotChunk *
find_chunk(TelemetryStore *store, int64 number)
{
	uint32		position;

	if (store->numbers == NULL)
	{
		int64		first = store->capacity == 0 ? number : Min(number, store->first_number);
		int64		end = store->capacity == 0 ? number + 1 : Max(number + 1, store->first_number + store->capacity);

		if (end - first <= WINDOW_CHUNKS)
		{
			grow_window(store, first, (uint32) (end - first));
			return &store->chunks[number - first];
		}
		grow_table(store);
	}

	/* at most three quarters full */
	if (store->used >= store->capacity / 4 * 3 && store->numbers[chunk_position(store, number)] != number)
		grow_table(store);
	position = chunk_position(store, number);
	if (store->numbers[position] != number)
	{
		store->numbers[position] = number;
		store->used++;
	}
	store->last_number = number;
	store->last_chunk = &store->chunks[position];
	return store->last_chunk;
}

static inline SlotChunk *
get_chunk(TelemetryStore *store, int64 number)
{
	if (likely(store->numbers == NULL))
	{
		if (likely((uint64) (number - store->first_number) < store->capacity))
			return &store->chunks[number - store->first_number];
	}
	else if (store->last_number == number)
		return store->last_chunk;
	return find_chunk(store, number);
}

/* Marks a slot as up. */
static inline void
add_slot(TelemetryStore *store, int64 slot)
{
	SlotChunk  *chunk = get_chunk(store, slot >> CHUNK_BITS);

	chunk->words[(slot >> 6) & (CHUNK_WORDS - 1)] |= UINT64CONST(1) << (slot & 63);
}

/* ---- latency buckets ---- */

/* The count at an index. */
static inline uint64
get_bucket(const TelemetryStore *store, int index)
{
	switch (store->width)
	{
		case 1:
			return ((const uint8 *) store->counts)[index];
		case 2:
			return ((const uint16 *) store->counts)[index];
		case 4:
			return ((const uint32 *) store->counts)[index];
		default:
			return ((const uint64 *) store->counts)[index];
	}
}

/* Sets the count at an index, which is wide enough. */
static inline void
set_bucket(TelemetryStore *store, int index, uint64 count)
{
	switch (store->width)
	{
		case 1:
			((uint8 *) store->counts)[index] = (uint8) count;
			break;
		case 2:
			((uint16 *) store->counts)[index] = (uint16) count;
			break;
		case 4:
			((uint32 *) store->counts)[index] = (uint32) count;
			break;
		default:
			((uint64 *) store->counts)[index] = count;
			break;
	}
}

static inline bool
fits(const TelemetryStore *store, uint64 count)
{
	return store->width == 8 || count >> (8 * store->width) == 0;
}

/* Makes counts that hold this one too. */
static pg_noinline void
grow_buckets(TelemetryStore *store, int bucket, uint64 count)
{
	TelemetryStore old = *store;
	int			first = bucket / BUCKET_STEP * BUCKET_STEP;
	int			end = first + BUCKET_STEP;

	if (old.buckets > 0)
	{
		first = Min(first, old.first_bucket);
		end = Max(end, old.first_bucket + old.buckets);
	}
	store->first_bucket = first;
	store->buckets = end - first;
	while (!fits(store, count))
		store->width *= 2;
	store->counts = MemoryContextAllocZero(store->context, (Size) store->buckets * store->width);
	for (int i = 0; i < old.buckets; i++)
		set_bucket(store, old.first_bucket + i - first, get_bucket(&old, i));
	if (old.counts)
		pfree(old.counts);
}

/* Adds to the count of a bucket. */
static inline void
add_bucket(TelemetryStore *store, int bucket, uint64 count)
{
	int			index = bucket - store->first_bucket;

	if (unlikely(index < 0 || index >= store->buckets))
		grow_buckets(store, bucket, count);
	else
	{
		count += get_bucket(store, index);
		if (unlikely(!fits(store, count)))
			grow_buckets(store, bucket, count);
	}
	set_bucket(store, bucket - store->first_bucket, count);
}

/* ---- samples ---- */

/* Counts what a sample says beside its slot. */
static inline void
count_kind(TelemetryStore *store, int kind)
{
	if (likely(kind < LATENCY_BUCKETS))
		add_bucket(store, kind, 1);
	else if (kind == SR_LATENCY_OVERFLOW)
		store->overflow++;
	else if (kind == SAMPLE_ZERO)
		store->zero++;
	else if (kind == SAMPLE_ERROR)
		store->errors++;
}

/* Counts the pending samples. */
static void
count_pending(TelemetryState *state)
{
	TelemetryStore *store = state->store;

	add_count(&store->samples, state->pending);
	for (uint32 i = 0; i < state->pending; i++)
	{
		if ((state->samples[i] & SAMPLE_MASK) != SAMPLE_ERROR)
			add_slot(store, state->base_slot + ((int32) state->samples[i] >> SAMPLE_SHIFT));
	}
	for (uint32 i = 0; i < state->pending; i++)
		count_kind(store, state->samples[i] & SAMPLE_MASK);
	state->pending = 0;
}

/* Makes room for a sample of a slot. */
void
sr_state_make_room(TelemetryState *state, MemoryContext context, int64 slot)
{
	get_store(state, context);
	count_pending(state);
	state->base_slot = slot;
}

/* ---- merging ---- */

/* Adds a summary; a damaged one is an error. */
static void
add_summary(TelemetryState *state, const TelemetrySummary *summary)
{
	TelemetryStore *store = state->store;
	SlotReader	slots;
	LatencyReader latencies;

	CheckSameSlot(store->slot_us, summary->slot_us);
	add_count(&store->samples, (uint64) summary->samples);
	add_count(&store->errors, (uint64) summary->errors);

	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
	{
		int64		word = slots.word;

		/* stop before filling memory */
		CheckChunks(slots.full / CHUNK_WORDS, store->slot_us);
		for (uint64 i = 0; i < slots.full + slots.literals; i++, word++)
		{
			SlotChunk  *chunk = get_chunk(store, word >> (CHUNK_BITS - 6));

			chunk->words[word & (CHUNK_WORDS - 1)] |= i < slots.full ? FULL_WORD : bits_get(&slots.bits, 64);
			if (i % 65536 == 65535)
				CHECK_FOR_INTERRUPTS();
		}
	}

	sr_latencies_begin(&latencies, &slots);
	store->zero += latencies.zero;
	store->overflow += latencies.overflow;
	if (latencies.zero > 0 || latencies.overflow > 0 || latencies.buckets > 0)
	{
		state->min = Min(state->min, latencies.min);
		state->max = Max(state->max, latencies.max);
	}
	while (sr_latencies_next(&latencies))
		add_bucket(store, latencies.bucket, latencies.count);
	AssertCheckState(state);
}

/* Counts all that is yet to be counted, in a state with a store. */
static void
settle(TelemetryState *state)
{
	TelemetrySummary *unread = state->store->unread;

	if (unread)
	{
		state->store->unread = NULL;
		add_summary(state, unread);
		pfree(unread);
	}
	count_pending(state);
	AssertCheckState(state);
}

/* Whether a state is all of a summary that it has not read. */
static bool
only_unread(const TelemetryState *state)
{
	return state->store->unread && state->store->samples == 0 && state->pending == 0;
}

/* The state itself, or if it has no store, scratch as a copy that has one for as long as the current context. */
static TelemetryState *
with_store(TelemetryState *state, TelemetryState *scratch)
{
	if (state->store)
		return state;
	*scratch = *state;
	get_store(scratch, CurrentMemoryContext);
	return scratch;
}

/* A copy of a summary. */
static TelemetrySummary *
copy_summary(MemoryContext context, const TelemetrySummary *summary)
{
	return memcpy(MemoryContextAlloc(context, VARSIZE(summary)), summary, VARSIZE(summary));
}

/* A state that is all of a summary, which becomes its own and stays as it is while nothing is added. */
TelemetryState *
sr_state_of(MemoryContext context, TelemetrySummary *summary)
{
	TelemetryState *state = sr_state_make(context, summary->slot_us);

	get_store(state, context)->unread = summary;
	return state;
}

/* Adds a summary; a damaged one is an error. */
void
sr_state_add_summary(TelemetryState *state, MemoryContext context, const TelemetrySummary *summary)
{
	get_store(state, context);
	settle(state);
	add_summary(state, summary);
}

/* Adds another state, which says the same afterwards. */
void
sr_state_add_state(TelemetryState *state, MemoryContext context, TelemetryState *other)
{
	TelemetryStore *store = get_store(state, context);
	TelemetryState scratch;
	TelemetryStore *more;

	CheckSameSlot(store->slot_us, slot_length(other));
	settle(state);
	other = with_store(other, &scratch);
	more = other->store;
	if (only_unread(other))
	{
		add_summary(state, more->unread);
		return;
	}
	settle(other);
	add_count(&store->samples, (uint64) more->samples);
	add_count(&store->errors, (uint64) more->errors);
	store->zero += more->zero;
	store->overflow += more->overflow;
	state->min = Min(state->min, other->min);
	state->max = Max(state->max, other->max);

	for (int i = 0; i < more->buckets; i++)
	{
		uint64		count = get_bucket(more, i);

		if (count > 0)
			add_bucket(store, more->first_bucket + i, count);
	}
	for (uint32 i = 0; i < more->capacity; i++)
	{
		int64		number = chunk_number(more, i);
		SlotChunk  *chunk;

		if (number == NO_CHUNK)
			continue;
		chunk = get_chunk(store, number);
		for (int j = 0; j < CHUNK_WORDS; j++)
			chunk->words[j] |= more->chunks[i].words[j];
		if (i % 65536 == 65535)
			CHECK_FOR_INTERRUPTS();
	}
	AssertCheckState(state);
}

/* A state that says the same as another. */
TelemetryState *
sr_state_copy(MemoryContext context, TelemetryState *other)
{
	TelemetryState *state;

	if (other->store && only_unread(other))
		return sr_state_of(context, copy_summary(context, other->store->unread));
	state = sr_state_make(context, slot_length(other));
	sr_state_add_state(state, context, other);
	return state;
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
write_slots(const TelemetryStore *store, BitWriter *out)
{
	SlotWriter	writer = {0};
	NumberedChunk *sorted = MemoryContextAllocHuge(CurrentMemoryContext, (Size) Max(store->capacity, 1) * sizeof(NumberedChunk));
	uint32		count = 0;

	for (uint32 i = 0; i < store->capacity; i++)
	{
		int64		number = chunk_number(store, i);

		if (number == NO_CHUNK)
			continue;
		sorted[count].number = number;
		sorted[count].chunk = &store->chunks[i];
		count++;
	}
	if (store->numbers)
		qsort(sorted, count, sizeof(NumberedChunk), compare_chunks);
	for (uint32 i = 0; i < count; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < CHUNK_WORDS; j++)
			sr_slots_add(&writer, sorted[i].number * CHUNK_WORDS + j, sorted[i].chunk->words[j]);
	}
	sr_slots_write(&writer, out);
	pfree(sorted);
}

/* Writes the latencies. */
static void
write_latencies(const TelemetryStore *store, double min, double max, BitWriter *out)
{
	uint64		occupied = 0;
	int			before = -1;

	for (int i = 0; i < store->buckets; i++)
		occupied += get_bucket(store, i) > 0;

	bits_put_gamma(out, store->zero + 1);
	bits_put_gamma(out, store->overflow + 1);
	bits_put_gamma(out, occupied + 1);
	if (min <= max)
	{
		bits_put_double(out, min);
		bits_put_double(out, max);
	}
	for (int i = 0; i < store->buckets; i++)
	{
		uint64		count = get_bucket(store, i);

		if (count == 0)
			continue;
		bits_put_gamma(out, (uint64) (store->first_bucket + i - before));
		bits_put_gamma(out, count);
		before = store->first_bucket + i;
	}
}

/* The summary of a state, which says the same afterwards. */
TelemetrySummary *
sr_state_summary(TelemetryState *state)
{
	BitWriter	bits = {0};
	TelemetryState scratch;
	const TelemetryStore *store;

	state = with_store(state, &scratch);
	store = state->store;
	if (only_unread(state))
		return copy_summary(CurrentMemoryContext, store->unread);
	settle(state);
	write_slots(store, &bits);
	write_latencies(store, state->min, state->max, &bits);
	return sr_summary_build(store->slot_us, store->samples, store->errors, &bits);
}
