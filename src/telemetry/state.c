/*
 * state.c: the state of telemetry_agg and rollup: samples, merging, and the way to a
 * summary.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/int.h"
#include "utils/memutils.h"

#include "telemetry/bucket_counts.h"
#include "telemetry/slot_set.h"
#include "telemetry/state.h"

#define CACHE_LINE 64

/* What a group has beside its pending samples. */
struct TelemetryStore
{
	int64		slot_us;
	int64		samples;
	int64		errors;
	uint64		zero;			/* latencies below 1 microsecond */
	uint64		overflow;		/* latencies above 1 hour */

	BucketCounts latencies;		/* the others */
	SlotSet		slots;

	TelemetrySummary *unread;	/* NULL, or still to be added to all of the above */
};

/* ---- checks ---- */

/* Refuses to mix slots. */
static void
check_same_slot(int64 a, int64 b)
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
assert_state(const TelemetryState *state)
{
	const TelemetryStore *store = state->store;

	Assert(state->pending <= PENDING);
	Assert(state->short_slot_us > 0 || store != NULL);
	if (store == NULL)
		return;
	Assert(store->slot_us > 0 && (state->short_slot_us == 0 || state->short_slot_us == store->slot_us));
	Assert(store->samples >= store->errors && store->errors >= 0);
	Assert(store->latencies.first_bucket >= 0 &&
		   store->latencies.first_bucket + store->latencies.count <= LATENCY_BUCKETS + BUCKET_STEP);
	Assert(sr_slot_set_is_sound(&store->slots));
}
#else
#define assert_state(state) ((void) 0)
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

	store->slot_us = slot_us;
	store->latencies.context = context;
	store->latencies.width = 1;
	sr_slot_set_init(&store->slots, context, slot_us);
	state->store = store;
}

/* The store of a state, made if need be. */
static TelemetryStore *
get_store(TelemetryState *state, MemoryContext context)
{
	if (state->store == NULL)
		make_store(state, context, slot_length(state));
	return state->store;
}

/* Makes memory an empty state. */
static TelemetryState *
init_state(void *memory, MemoryContext context, int64 slot_us)
{
	TelemetryState *state = memory;

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

/* An empty state. */
TelemetryState *
sr_state_make(MemoryContext context, int64 slot_us)
{
	/* allocated memory is aligned to 8 bytes */
	char	   *memory = MemoryContextAlloc(context, sizeof(TelemetryState) + CACHE_LINE - 8);

	StaticAssertStmt(sizeof(TelemetryState) + CACHE_LINE - 8 <= 512, "a state fits into 512 bytes");
	return init_state((void *) TYPEALIGN(CACHE_LINE, memory), context, slot_us);
}

/* Refuses rows with another slot. */
void
sr_state_check_slot(const TelemetryState *state, int64 slot_us)
{
	check_same_slot(slot_length(state), slot_us);
}

/* ---- samples ---- */

/* Counts what a sample says beside its slot. */
static inline void
count_kind(TelemetryStore *store, int kind)
{
	if (likely(kind < LATENCY_BUCKETS))
		sr_bucket_add(&store->latencies, kind, 1);
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
			sr_slot_set_add(&store->slots, state->base_slot + ((int32) state->samples[i] >> SAMPLE_SHIFT));
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

	check_same_slot(store->slot_us, summary->slot_us);
	add_count(&store->samples, (uint64) summary->samples);
	add_count(&store->errors, (uint64) summary->errors);

	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
		sr_slot_set_add_segment(&store->slots, &slots);

	sr_latencies_begin(&latencies, &slots);
	store->zero += latencies.zero;
	store->overflow += latencies.overflow;
	if (latencies.zero > 0 || latencies.overflow > 0 || latencies.buckets > 0)
	{
		state->min = Min(state->min, latencies.min);
		state->max = Max(state->max, latencies.max);
	}
	while (sr_latencies_next(&latencies))
		sr_bucket_add(&store->latencies, latencies.bucket, latencies.count);
	assert_state(state);
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
	assert_state(state);
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
TelemetrySummary *
sr_summary_copy(MemoryContext context, const TelemetrySummary *summary)
{
	return memcpy(MemoryContextAlloc(context, VARSIZE(summary)), summary, VARSIZE(summary));
}

/*
 * A state that is all of a summary, which becomes its own and stays as it is while nothing is added. It has no room for
 * samples: only summaries and other states are added to it.
 */
TelemetryState *
sr_state_of(MemoryContext context, TelemetrySummary *summary)
{
	TelemetryState *state = init_state(MemoryContextAlloc(context, offsetof(TelemetryState, samples)), context, summary->slot_us);

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

	check_same_slot(store->slot_us, slot_length(other));
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

	sr_bucket_add_all(&store->latencies, &more->latencies);
	sr_slot_set_add_all(&store->slots, &more->slots);
	assert_state(state);
}

/* A state that says the same as another. */
TelemetryState *
sr_state_copy(MemoryContext context, TelemetryState *other)
{
	TelemetryState *state;

	if (other->store && only_unread(other))
		return sr_state_of(context, sr_summary_copy(context, other->store->unread));
	state = sr_state_make(context, slot_length(other));
	sr_state_add_state(state, context, other);
	return state;
}

/* ---- state to summary ---- */

/* Writes the latencies. */
static void
write_latencies(const TelemetryState *state, BitWriter *out)
{
	const TelemetryStore *store = state->store;

	sr_bits_put_gamma(out, store->zero + 1);
	sr_bits_put_gamma(out, store->overflow + 1);
	sr_bits_put_gamma(out, sr_buckets_occupied(&store->latencies) + 1);
	if (state->min <= state->max)
	{
		sr_bits_put_double(out, state->min);
		sr_bits_put_double(out, state->max);
	}
	sr_buckets_write(&store->latencies, out);
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
		return sr_summary_copy(CurrentMemoryContext, store->unread);
	settle(state);
	sr_slot_set_write(&store->slots, &bits);
	write_latencies(state, &bits);
	return sr_summary_build(store->slot_us, store->samples, store->errors, &bits);
}
