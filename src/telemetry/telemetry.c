/*
 * telemetry.c: the stored form of telemetry_summary: building, reading, validation.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "telemetry/latency.h"
#include "telemetry/telemetry.h"

/* ---- slots and time ---- */

/* Microseconds from the last slot boundary (Unix epoch) to 2000-01-01 00:00 UTC. */
int64
sr_slot_phase(int64 slot_us)
{
	return (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY % slot_us;
}

/* A slot length as an interval. */
Interval *
sr_slot_interval(int64 slot_us)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = slot_us;
	return interval;
}

/*
 * The length of an interval in microseconds, a day being 24 hours; false when it is
 * beyond what they can say. A month has no length: an error, which calls the interval what.
 */
bool
sr_interval_us(const Interval *interval, const char *what, int64 *us)
{
	int64		days_us;

	if (interval->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %s has no fixed length", what,
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval)))),
				 errhint("Use days, hours, minutes or seconds.")));
	return !pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &days_us) &&
		!pg_add_s64_overflow(days_us, interval->time, us);
}

/* A slot length for messages. */
char *
sr_slot_text(int64 slot_us)
{
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(sr_slot_interval(slot_us))));
}

/* ---- building ---- */

/* Writes the open segment, if any. */
static void
close_segment(SlotWriter *writer)
{
	if (!writer->open)
		return;

	if (writer->count == 0)
		sr_bits_put(&writer->segments, (uint64) writer->word, 64);
	else
		sr_bits_put_gamma(&writer->segments, (uint64) (writer->word - writer->end) + 1);
	sr_bits_put_gamma(&writer->segments, writer->full + 1);
	sr_bits_put_gamma(&writer->segments, (uint64) writer->literals.count + 1);
	for (int64 i = 0; i < writer->literals.count; i++)
	{
		sr_check_interrupts_at(i);
		sr_bits_put(&writer->segments, writer->literals.items[i], 64);
	}

	writer->end = writer->word + (int64) writer->full + writer->literals.count;
	writer->count++;
	writer->open = false;
}

/* Whether word is the one after the open segment. */
static bool
continues(const SlotWriter *writer, int64 word)
{
	return writer->open && word == writer->word + (int64) writer->full + writer->literals.count;
}

/* Begins a segment with this word. */
static void
open_segment(SlotWriter *writer, int64 word)
{
	close_segment(writer);
	writer->open = true;
	writer->word = word;
	writer->full = 0;
	writer->literals.count = 0;
}

/* Adds count full words; words come in ascending order. */
void
sr_slots_add_full(SlotWriter *writer, int64 word, uint64 count)
{
	if (count == 0)
		return;
	if (!continues(writer, word) || writer->literals.count > 0)
		open_segment(writer, word);
	writer->full += count;
}

/* Adds one word of slots; words come in ascending order. */
void
sr_slots_add(SlotWriter *writer, int64 word, uint64 bits)
{
	if (bits == 0)
		return;
	if (bits == FULL_WORD)
	{
		sr_slots_add_full(writer, word, 1);
		return;
	}

	if (!continues(writer, word))
		open_segment(writer, word);
	sr_array_push(&writer->literals, bits);
}

/* Writes all segments; the writer is spent. */
void
sr_slots_write(SlotWriter *writer, BitWriter *out)
{
	close_segment(writer);
	sr_bits_put_gamma(out, writer->count + 1);
	sr_bits_move(&writer->segments, out);
	sr_array_free(&writer->literals);
}

/* Puts header and bits together. */
TelemetrySummary *
sr_summary_build(int64 slot_us, int64 samples, int64 errors, BitWriter *bits)
{
	Size		length = sr_bits_finish(bits);
	TelemetrySummary *summary;

	if (length > MaxAllocSize - SUMMARY_HEADER)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("telemetry_summary of %zu bytes exceeds the limit of 1 GB", length),
				 errhint("Use a longer slot, or summarise shorter periods.")));

	summary = palloc(SUMMARY_HEADER + length);
	SET_VARSIZE(summary, SUMMARY_HEADER + length);
	summary->flags = 0;
	summary->slot_us = slot_us;
	summary->samples = samples;
	summary->errors = errors;
	if (length > 0)
		memcpy(summary->bits, bits->bytes.items, length);
	sr_array_free(&bits->bytes);
	return summary;
}

/* ---- reading ---- */

/* Detoasts a stored value; one of a later format is refused. */
const TelemetrySummary *
sr_summary_checked(Datum value)
{
	const TelemetrySummary *summary = DatumGetTelemetrySummary(value);

	if (VARSIZE(summary) < SUMMARY_HEADER || summary->flags != 0 || summary->slot_us <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid telemetry_summary"),
				 errdetail("The header is damaged or of a later version.")));
	return summary;
}

/* Starts on the slots; sqlstate is that of the error for bits that make no sense. */
void
sr_slots_begin(SlotReader *reader, const TelemetrySummary *summary, int sqlstate)
{
	memset(reader, 0, sizeof(*reader));
	reader->bits.data = summary->bits;
	reader->bits.end = ((uint64) VARSIZE(summary) - SUMMARY_HEADER) * 8;
	reader->bits.sqlstate = sqlstate;
	reader->segments = sr_bits_get_gamma(&reader->bits) - 1;
	reader->first = true;
}

/* The next segment, or false; the literals of the one before have been read. */
bool
sr_slots_next(SlotReader *reader)
{
	BitReader  *bits = &reader->bits;
	uint64		distance;

	if (reader->segments == 0)
		return false;
	CHECK_FOR_INTERRUPTS();
	reader->segments--;

	if (reader->first)
	{
		reader->first = false;
		reader->word = (int64) sr_bits_get(bits, 64);
		distance = 0;
	}
	else
	{
		reader->word += (int64) (reader->full + reader->literals);
		distance = sr_bits_get_gamma(bits) - 1;
	}

	/* all sums below stay far from the limits of 64 bits */
	if (reader->word < -LAST_WORD || reader->word > LAST_WORD || distance > 2 * (uint64) LAST_WORD)
		sr_bits_fail(bits, "A slot is out of range.");
	reader->word += (int64) distance;
	reader->full = sr_bits_get_gamma(bits) - 1;
	reader->literals = sr_bits_get_gamma(bits) - 1;
	if (reader->full > 2 * (uint64) LAST_WORD || reader->literals > (bits->end - bits->position) / 64 ||
		reader->word + (int64) (reader->full + reader->literals) > LAST_WORD)
		sr_bits_fail(bits, "A slot is out of range.");
	return true;
}

/* Starts on the latencies: slots has just begun or has come to its end. */
void
sr_latencies_begin(LatencyReader *reader, SlotReader *slots)
{
	BitReader  *bits = &reader->bits;

	while (sr_slots_next(slots))
	{
		if (slots->literals > 0)
			sr_bits_skip(&slots->bits, slots->literals * 64);
	}

	memset(reader, 0, sizeof(*reader));
	*bits = slots->bits;
	reader->bucket = -1;
	reader->zero = sr_bits_get_gamma(bits) - 1;
	reader->overflow = sr_bits_get_gamma(bits) - 1;
	reader->buckets = sr_bits_get_gamma(bits) - 1;
	if (reader->zero > 0 || reader->overflow > 0 || reader->buckets > 0)
	{
		reader->min = sr_bits_get_double(bits);
		reader->max = sr_bits_get_double(bits);
	}
}

/* The next bucket and its count, or false. */
bool
sr_latencies_next(LatencyReader *reader)
{
	uint64		distance;

	if (reader->buckets == 0)
		return false;
	reader->buckets--;

	sr_bits_get_two_gammas(&reader->bits, &distance, &reader->count);
	if (distance >= (uint64) (LATENCY_BUCKETS - reader->bucket))
		sr_bits_fail(&reader->bits, "A latency bucket is out of range.");
	reader->bucket += (int) distance;
	return true;
}

/* ---- validation of what comes from outside ---- */

/* Adds what cannot exceed limit to a count that does not. */
static void
add_limited(uint64 *count, uint64 more, uint64 limit, const BitReader *bits, const char *detail)
{
	if (more > limit - *count)
		sr_bits_fail(bits, detail);
	*count += more;
}

/* Checks that the slots are canonical, possible as timestamps and not more than samples. Those of work have none. */
static void
check_slots(SlotReader *reader, int64 slot_us, uint64 ok_samples)
{
	BitReader  *bits = &reader->bits;
	int64		phase = sr_slot_phase(slot_us);
	int64		earliest = sr_slot_of(MIN_TIMESTAMP, slot_us, phase);
	int64		latest = sr_slot_of(END_TIMESTAMP - 1, slot_us, phase);
	const char *too_many = "There are more slots than ok samples.";
	const char *not_canonical = "The slots are not in canonical form.";
	uint64		slots = 0;
	bool		later = false;
	bool		literal_before = false;
	int64		end = 0;

	while (sr_slots_next(reader))
	{
		int64		first = 0;
		int64		last = 0;

		if (reader->full + reader->literals == 0 ||
			(later && reader->word == end && (reader->full == 0 || !literal_before)))
			sr_bits_fail(bits, not_canonical);
		if (reader->full > ok_samples / 64)
			sr_bits_fail(bits, too_many);
		add_limited(&slots, reader->full * 64, ok_samples, bits, too_many);
		last = 63;
		for (uint64 i = 0; i < reader->literals; i++)
		{
			uint64		word = sr_bits_get(bits, 64);

			sr_check_interrupts_at((int64) i);
			if (word == 0 || word == FULL_WORD)
				sr_bits_fail(bits, not_canonical);
			add_limited(&slots, pg_popcount64(word), ok_samples, bits, too_many);
			if (i == 0 && reader->full == 0)
				first = pg_rightmost_one_pos64(word);
			last = pg_leftmost_one_pos64(word);
		}
		end = reader->word + (int64) (reader->full + reader->literals);

		/* compared by words first, which cannot overflow */
		if (reader->word < earliest >> 6 || end - 1 > latest >> 6 ||
			reader->word * 64 + first < earliest || (end - 1) * 64 + last > latest)
			sr_bits_fail(bits, "A slot is out of the range of timestamps.");
		literal_before = reader->literals > 0;
		later = true;
	}
}

/* Checks that the latencies are canonical, consistent and not more than samples. */
static void
check_latencies(LatencyReader *reader, uint64 ok_samples)
{
	const char *too_many = "There are more latencies than ok samples.";
	const char *outside = "The least or the greatest latency is not where the buckets say.";
	const BitReader *bits = &reader->bits;
	uint64		count = 0;
	int			lowest = LATENCY_BUCKETS;
	int			highest = SR_LATENCY_ZERO;

	add_limited(&count, reader->zero, ok_samples, bits, too_many);
	while (sr_latencies_next(reader))
	{
		add_limited(&count, reader->count, ok_samples, bits, too_many);
		lowest = Min(lowest, reader->bucket);
		highest = reader->bucket;
	}
	add_limited(&count, reader->overflow, ok_samples, bits, too_many);
	if (count == 0)
		return;

	if (reader->zero > 0)
		lowest = SR_LATENCY_ZERO;
	if (reader->overflow > 0)
		highest = SR_LATENCY_OVERFLOW;
	if (!isfinite(reader->min) || !isfinite(reader->max) || signbit(reader->min) || signbit(reader->max) || reader->min > reader->max ||
		sr_latency_bucket(reader->min) != lowest || sr_latency_bucket(reader->max) != highest ||
		(count == 1 && reader->min != reader->max))
		sr_bits_fail(bits, outside);
}

/* Accepts exactly the values that telemetry_agg, work_summary and rollup could have made. */
void
sr_summary_check(const TelemetrySummary *summary, int sqlstate)
{
	SlotReader	slots;
	LatencyReader latencies;
	uint64		ok_samples;
	uint64		rest;

	sr_latency_init();
	if (summary->flags != 0)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("invalid telemetry_summary"),
				 errdetail("Its flags are %u, which this version does not know.", summary->flags)));
	if (summary->slot_us <= 0)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("invalid telemetry_summary"),
				 errdetail("The slot of %lld microseconds is not positive.", (long long) summary->slot_us)));
	if (summary->samples <= 0 || summary->errors < 0 || summary->errors > summary->samples)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("invalid telemetry_summary"),
				 errdetail("There are %lld samples and %lld errors.",
						   (long long) summary->samples, (long long) summary->errors)));

	ok_samples = (uint64) (summary->samples - summary->errors);
	sr_slots_begin(&slots, summary, sqlstate);
	check_slots(&slots, summary->slot_us, ok_samples);
	sr_latencies_begin(&latencies, &slots);
	check_latencies(&latencies, ok_samples);

	rest = latencies.bits.end - latencies.bits.position;
	if (rest > 7 || (rest > 0 && sr_bits_get(&latencies.bits, (int) rest) != 0))
		sr_bits_fail(&latencies.bits, "Bytes are left over.");
}
