/*
 * state.h: what telemetry_agg and rollup know of a group while they run.
 *
 * The state counts and collects sets only, and keeps least and greatest values:
 * nothing in it depends on the order of the rows.
 */
#ifndef SR_TELEMETRY_STATE_H
#define SR_TELEMETRY_STATE_H

#include "telemetry/latency.h"
#include "telemetry/telemetry.h"

typedef struct TelemetryStore TelemetryStore;

#define PENDING 102				/* makes the state, once aligned, an allocation of 512 bytes */

/*
 * With many groups every access to another part of memory is a cache miss, and so is
 * every branch that cannot be predicted before one is over. So a row reads and
 * writes the first cache line and appends a sample; when there is no more room, all
 * of them are counted together, so that the cache misses of that overlap.
 */
typedef struct TelemetryState
{
	double		min;			/* exact; min > max: no latency */
	double		max;
	TelemetryStore *store;		/* NULL as long as the samples are everything */
	int64		base_slot;		/* slots of samples are counted from here */
	uint32		short_slot_us;	/* 0: too long, see the store */
	uint32		pending;		/* samples, which are yet to be counted */
	uint32		samples[PENDING];
} TelemetryState;

/*
 * A sample is its slot, from base_slot, in the upper 21 bits, and what became of it in the lower
 * 11: a latency bucket, SR_LATENCY_OVERFLOW, or one of these.
 */
#define SAMPLE_SHIFT 11
#define SAMPLE_MASK ((1U << SAMPLE_SHIFT) - 1)
#define SAMPLE_ZERO 2045		/* a latency below 1 microsecond */
#define SAMPLE_NO_LATENCY 2046
#define SAMPLE_ERROR 2047		/* not ok: without a slot */

extern TelemetryState *sr_state_make(MemoryContext context, int64 slot_us);
extern TelemetryState *sr_state_of(MemoryContext context, TelemetrySummary *summary);
extern TelemetrySummary *sr_summary_copy(MemoryContext context, const TelemetrySummary *summary);
extern TelemetryState *sr_state_copy(MemoryContext context, TelemetryState *other);
extern void sr_state_check_slot(const TelemetryState *state, int64 slot_us);
extern void sr_state_make_room(TelemetryState *state, MemoryContext context, int64 slot);
extern void sr_state_add_summary(TelemetryState *state, MemoryContext context, const TelemetrySummary *summary);
extern void sr_state_add_state(TelemetryState *state, MemoryContext context, TelemetryState *other);
extern TelemetrySummary *sr_state_summary(TelemetryState *state);

#endif							/* SR_TELEMETRY_STATE_H */
