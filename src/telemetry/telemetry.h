/*
 * telemetry.h: the stored form of telemetry_summary, how to read and to build it.
 *
 * After the header comes a bit stream of gamma codes (counts that may be zero are
 * stored plus one), in one canonical form:
 *
 *   segments of slots: how many; for each the first 64-slot word (64 bits, the
 *     later ones: words since the end of the one before), the number of full
 *     words, the number of literal words, the literal words. A literal word is
 *     neither empty nor full, and segments are as long as they can be.
 *   latencies of ok samples: how many below 1 microsecond, how many above 1 hour,
 *     number of buckets; unless all are zero, the least and the greatest latency;
 *     for each bucket the distance from the one before (the first: from -1) and
 *     its count.
 *
 * Slot n starts at n · slot after the last slot boundary, counted from the Unix
 * epoch, at or before 2000-01-01 00:00 UTC: so that no timestamp overflows.
 */
#ifndef SR_TELEMETRY_H
#define SR_TELEMETRY_H

#include "telemetry/bits.h"
#include "datatype/timestamp.h"

typedef struct TelemetrySummary
{
	int32		vl_len_;		/* varlena header, do not touch directly */
	uint32		flags;			/* zero, for the future */
	int64		slot_us;
	int64		samples;
	int64		errors;
	uint8		bits[FLEXIBLE_ARRAY_MEMBER];
} TelemetrySummary;

#define SUMMARY_HEADER offsetof(TelemetrySummary, bits)

#define DatumGetTelemetrySummary(d) ((const TelemetrySummary *) PG_DETOAST_DATUM(d))
#define PG_GETARG_SUMMARY(n) sr_summary_checked(PG_GETARG_DATUM(n))

#define FULL_WORD PG_UINT64_MAX
#define LAST_WORD (INT64CONST(1) << 57) /* no word lies outside ± this */

/* Walks over the segments of slots. */
typedef struct SlotReader
{
	BitReader	bits;
	uint64		segments;		/* still to come */
	bool		first;
	int64		word;			/* where the segment starts */
	uint64		full;			/* full words, then */
	uint64		literals;		/* literal words, which the caller reads or skips */
} SlotReader;

/* Walks over the latency buckets. */
typedef struct LatencyReader
{
	BitReader	bits;
	uint64		zero;
	uint64		overflow;
	uint64		buckets;		/* still to come */
	double		min;			/* exact; no meaning when there is no latency */
	double		max;
	int			bucket;
	uint64		count;
} LatencyReader;

/* Takes slots in ascending order and writes the canonical segments. */
typedef struct SlotWriter
{
	BitWriter	segments;
	uint64		count;			/* finished segments */
	int64		end;			/* the word after them */
	bool		open;
	int64		word;			/* of the open segment */
	uint64		full;
	SR_ARRAY(uint64) literals;
} SlotWriter;

extern const TelemetrySummary *sr_summary_checked(Datum value);

extern void sr_slots_begin(SlotReader *reader, const TelemetrySummary *summary, int sqlstate);
extern bool sr_slots_next(SlotReader *reader);
extern void sr_latencies_begin(LatencyReader *reader, SlotReader *slots);
extern bool sr_latencies_next(LatencyReader *reader);

extern void sr_slots_add(SlotWriter *writer, int64 word, uint64 bits);
extern void sr_slots_add_full(SlotWriter *writer, int64 word, uint64 count);
extern void sr_slots_write(SlotWriter *writer, BitWriter *out);
extern TelemetrySummary *sr_summary_build(int64 slot_us, int64 samples, int64 errors, BitWriter *bits);
extern void sr_summary_check(const TelemetrySummary *summary, int sqlstate);

extern int64 sr_slot_phase(int64 slot_us);
extern Interval *sr_slot_interval(int64 slot_us);
extern bool sr_interval_us(const Interval *interval, const char *what, int64 *us);
extern char *sr_slot_text(int64 slot_us);

/* The slot of a finite timestamp; phase is sr_slot_phase(slot_us). */
static inline int64
sr_slot_of(TimestampTz at, int64 slot_us, int64 phase)
{
	int64		quotient = at / slot_us;
	int64		rest = at % slot_us;

	if (rest < 0)
	{
		rest += slot_us;
		quotient--;
	}
	return quotient + (rest >= slot_us - phase);
}

#endif							/* SR_TELEMETRY_H */
