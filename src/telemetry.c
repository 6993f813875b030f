/*
 * telemetry.c: the type telemetry_summary: stored form, input, output, measures.
 */
#include "postgres.h"

#include "compat.h"

#include <ctype.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"

#include "latency.h"
#include "telemetry.h"
#include "wilson.h"

SR_FUNCTION(sr_telemetry_in);
SR_FUNCTION(sr_telemetry_out);
SR_FUNCTION(sr_telemetry_recv);
SR_FUNCTION(sr_telemetry_send);
SR_FUNCTION(sr_telemetry_eq);
SR_FUNCTION(sr_telemetry_ne);
SR_FUNCTION(sr_telemetry_hash);
SR_FUNCTION(sr_telemetry_hash_extended);
SR_FUNCTION(sr_telemetry_slot);
SR_FUNCTION(sr_telemetry_samples);
SR_FUNCTION(sr_telemetry_errors);
SR_FUNCTION(sr_telemetry_error_rate);
SR_FUNCTION(sr_telemetry_error_rate_upper);
SR_FUNCTION(sr_telemetry_uptime);
SR_FUNCTION(sr_telemetry_response_time);

#define BINARY_VERSION 1

/* ---- slots and time ---- */

/* Microseconds from the last slot boundary (Unix epoch) to 2000-01-01 00:00 UTC. */
int64
sr_slot_phase(int64 slot_us)
{
	return (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY % slot_us;
}

/* A slot length as an interval. */
static Interval *
slot_interval(int64 slot_us)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = slot_us;
	return interval;
}

/* A slot length for messages. */
char *
sr_slot_text(int64 slot_us)
{
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(slot_interval(slot_us))));
}

/* ---- building ---- */

/* Writes the open segment, if any. */
static void
close_segment(SlotWriter *writer)
{
	if (!writer->open)
		return;

	if (writer->count == 0)
		bits_put(&writer->segments, (uint64) writer->word, 64);
	else
		bits_put_gamma(&writer->segments, (uint64) (writer->word - writer->end) + 1);
	bits_put_gamma(&writer->segments, writer->full + 1);
	bits_put_gamma(&writer->segments, writer->nliterals + 1);
	for (uint64 i = 0; i < writer->nliterals; i++)
		bits_put(&writer->segments, writer->literals[i], 64);

	writer->end = writer->word + (int64) (writer->full + writer->nliterals);
	writer->count++;
	writer->open = false;
}

/* Whether word is the one after the open segment. */
static bool
continues(const SlotWriter *writer, int64 word)
{
	return writer->open && word == writer->word + (int64) (writer->full + writer->nliterals);
}

static void
open_segment(SlotWriter *writer, int64 word)
{
	close_segment(writer);
	writer->open = true;
	writer->word = word;
	writer->full = 0;
	writer->nliterals = 0;
}

/* Adds count full words; words come in ascending order. */
void
sr_slots_add_full(SlotWriter *writer, int64 word, uint64 count)
{
	if (count == 0)
		return;
	if (!continues(writer, word) || writer->nliterals > 0)
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
	if (writer->nliterals == writer->capacity)
	{
		writer->capacity = Max(writer->capacity * 2, 16);
		writer->literals = writer->literals ?
			repalloc_huge(writer->literals, writer->capacity * sizeof(uint64)) :
			palloc(writer->capacity * sizeof(uint64));
	}
	writer->literals[writer->nliterals++] = bits;
}

/* Writes all segments; the writer is spent. */
void
sr_slots_write(SlotWriter *writer, BitWriter *out)
{
	BitWriter  *segments = &writer->segments;

	close_segment(writer);
	bits_put_gamma(out, writer->count + 1);
	for (Size i = 0; i < segments->size; i += sizeof(uint64))
	{
		uint64		word;

		memcpy(&word, segments->data + i, sizeof(word));
		bits_put(out, bits_swap(word), 64);
	}
	if (segments->pending_bits > 0)
		bits_put(out, segments->pending, segments->pending_bits);

	if (segments->data)
		pfree(segments->data);
	if (writer->literals)
		pfree(writer->literals);
}

/* Puts header and bits together. */
TelemetrySummary *
sr_summary_build(int64 slot_us, int64 samples, int64 errors, BitWriter *bits)
{
	Size		length = bits_finish(bits);
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
		memcpy(summary->bits, bits->data, length);
	if (bits->data)
		pfree(bits->data);
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

void
sr_slots_begin(SlotReader *reader, const TelemetrySummary *summary, int sqlstate)
{
	memset(reader, 0, sizeof(*reader));
	reader->bits.data = summary->bits;
	reader->bits.end = ((uint64) VARSIZE(summary) - SUMMARY_HEADER) * 8;
	reader->bits.sqlstate = sqlstate;
	reader->segments = bits_get_gamma(&reader->bits) - 1;
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
		reader->word = (int64) bits_get(bits, 64);
		distance = 0;
	}
	else
	{
		reader->word += (int64) (reader->full + reader->literals);
		distance = bits_get_gamma(bits) - 1;
	}

	/* all sums below stay far from the limits of 64 bits */
	if (reader->word < -LAST_WORD || reader->word > LAST_WORD || distance > 2 * (uint64) LAST_WORD)
		bits_fail(bits, "A slot is out of range.");
	reader->word += (int64) distance;
	reader->full = bits_get_gamma(bits) - 1;
	reader->literals = bits_get_gamma(bits) - 1;
	if (reader->full > 2 * (uint64) LAST_WORD || reader->literals > (bits->end - bits->position) / 64 ||
		reader->word + (int64) (reader->full + reader->literals) > LAST_WORD)
		bits_fail(bits, "A slot is out of range.");
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
			bits_skip(&slots->bits, slots->literals * 64);
	}

	memset(reader, 0, sizeof(*reader));
	*bits = slots->bits;
	reader->bucket = -1;
	reader->zero = bits_get_gamma(bits) - 1;
	reader->overflow = bits_get_gamma(bits) - 1;
	reader->buckets = bits_get_gamma(bits) - 1;
	if (reader->zero > 0 || reader->overflow > 0 || reader->buckets > 0)
	{
		reader->min = bits_get_double(bits);
		reader->max = bits_get_double(bits);
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

	distance = bits_get_gamma(&reader->bits);
	if (distance >= (uint64) (LATENCY_BUCKETS - reader->bucket))
		bits_fail(&reader->bits, "A latency bucket is out of range.");
	reader->bucket += (int) distance;
	reader->count = bits_get_gamma(&reader->bits);
	return true;
}

/* ---- validation of what comes from outside ---- */

/* Adds what cannot exceed limit to a count that does not. */
static void
add_limited(uint64 *count, uint64 more, uint64 limit, const BitReader *bits, const char *detail)
{
	if (more > limit - *count)
		bits_fail(bits, detail);
	*count += more;
}

/* Checks that the slots are canonical, possible as timestamps and not more than samples. */
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
			bits_fail(bits, not_canonical);
		if (reader->full > ok_samples / 64)
			bits_fail(bits, too_many);
		add_limited(&slots, reader->full * 64, ok_samples, bits, too_many);
		last = 63;
		for (uint64 i = 0; i < reader->literals; i++)
		{
			uint64		word = bits_get(bits, 64);

			if (word == 0 || word == FULL_WORD)
				bits_fail(bits, not_canonical);
			add_limited(&slots, pg_popcount64(word), ok_samples, bits, too_many);
			if (i == 0 && reader->full == 0)
				first = pg_rightmost_one_pos64(word);
			last = pg_leftmost_one_pos64(word);
		}
		end = reader->word + (int64) (reader->full + reader->literals);

		/* compared by words first, which cannot overflow */
		if (reader->word < earliest >> 6 || end - 1 > latest >> 6 ||
			reader->word * 64 + first < earliest || (end - 1) * 64 + last > latest)
			bits_fail(bits, "A slot is out of the range of timestamps.");
		literal_before = reader->literals > 0;
		later = true;
	}
	if ((slots == 0) != (ok_samples == 0))
		bits_fail(bits, "There are ok samples without a slot.");
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
	if (!isfinite(reader->min) || !isfinite(reader->max) || signbit(reader->min) || reader->min > reader->max ||
		sr_latency_bucket(reader->min) != lowest || sr_latency_bucket(reader->max) != highest ||
		(count == 1 && reader->min != reader->max))
		bits_fail(bits, outside);
}

/* Accepts exactly the values that telemetry_agg could have made. */
void
sr_summary_check(const TelemetrySummary *summary, int sqlstate)
{
	SlotReader	slots;
	LatencyReader latencies;
	uint64		ok_samples;
	uint64		rest;

	sr_latency_init();
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
	if (rest > 7 || (rest > 0 && bits_get(&latencies.bits, (int) rest) != 0))
		bits_fail(&latencies.bits, "Bytes are left over.");
}

/* ---- text ---- */

typedef struct TextReader
{
	const char *text;
	const char *at;
} TextReader;

static void
text_fail(const TextReader *reader, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s at character %zu", "telemetry_summary",
					(size_t) (reader->at - reader->text) + 1),
			 errdetail("Expected %s.", expected)));
}

static void
skip_space(TextReader *reader)
{
	while (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r')
		reader->at++;
}

/* Steps over a token if it comes next. */
static bool
accept(TextReader *reader, const char *token)
{
	size_t		length = strlen(token);

	skip_space(reader);
	if (strncmp(reader->at, token, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static void
expect(TextReader *reader, const char *token)
{
	if (!accept(reader, token))
		text_fail(reader, token);
}

/* Steps over "name": */
static void
expect_key(TextReader *reader, const char *name)
{
	expect(reader, name);
	expect(reader, ":");
}

/* An integer of 64 bits. */
static int64
expect_integer(TextReader *reader)
{
	char	   *end;
	long long	value;

	skip_space(reader);
	errno = 0;
	value = strtoll(reader->at, &end, 10);
	if (end == reader->at || errno != 0 || *reader->at == '+')
		text_fail(reader, "an integer of 64 bits");
	reader->at = end;
	return value;
}

/* An integer ≥ least. */
static int64
expect_at_least(TextReader *reader, int64 least)
{
	const char *before = reader->at;
	int64		value = expect_integer(reader);

	if (value < least)
	{
		reader->at = before;
		text_fail(reader, psprintf("an integer of at least %lld", (long long) least));
	}
	return value;
}

/* A finite number ≥ 0. */
static double
expect_number(TextReader *reader)
{
	char	   *end;
	double		value;

	skip_space(reader);
	value = strtod(reader->at, &end);
	if (end == reader->at || !isdigit((unsigned char) *reader->at) || !isfinite(value))
		text_fail(reader, "a finite number of at least 0");
	reader->at = end;
	return value;
}

/* Adds the slots from first to last, which come after those before, to the writer and the word being filled. */
static void
add_range(SlotWriter *writer, int64 first, int64 last, int64 *word, uint64 *bits)
{
	int64		first_word = first >> 6;
	int64		last_word = last >> 6;
	uint64		head = FULL_WORD << (first & 63);
	uint64		tail = FULL_WORD >> (63 - (last & 63));

	if (first_word != *word)
	{
		sr_slots_add(writer, *word, *bits);
		*word = first_word;
		*bits = 0;
	}
	if (first_word == last_word)
	{
		*bits |= head & tail;
		return;
	}
	sr_slots_add(writer, first_word, *bits | head);
	sr_slots_add_full(writer, first_word + 1, (uint64) (last_word - first_word - 1));
	*word = last_word;
	*bits = tail;
}

/* [[first, count], …]: slots in ascending order. */
static void
read_slots(TextReader *reader, BitWriter *out)
{
	SlotWriter	writer = {0};
	int64		next = PG_INT64_MIN;
	int64		word = 0;
	uint64		bits = 0;

	expect(reader, "[");
	if (!accept(reader, "]"))
	{
		do
		{
			int64		first;
			int64		count;

			CHECK_FOR_INTERRUPTS();
			expect(reader, "[");
			first = expect_at_least(reader, next);
			expect(reader, ",");
			count = expect_at_least(reader, 1);
			expect(reader, "]");
			if (first > 0 && count > PG_INT64_MAX - first)
				text_fail(reader, "a slot in the range of timestamps");
			add_range(&writer, first, first + count - 1, &word, &bits);
			next = first + count;
		} while (accept(reader, ","));
		expect(reader, "]");
	}
	sr_slots_add(&writer, word, bits);
	sr_slots_write(&writer, out);
}

/* null, or the counts, extremes and buckets of the latencies. */
static void
read_latencies(TextReader *reader, BitWriter *out)
{
	BitWriter	buckets = {0};
	uint64		count = 0;
	int64		zero;
	int64		overflow;
	int64		before = -1;
	double		min;
	double		max;

	if (accept(reader, "null"))
	{
		for (int i = 0; i < 3; i++)
			bits_put_gamma(out, 1);
		return;
	}

	expect(reader, "{");
	expect_key(reader, "\"zero\"");
	zero = expect_at_least(reader, 0);
	expect(reader, ",");
	expect_key(reader, "\"overflow\"");
	overflow = expect_at_least(reader, 0);
	expect(reader, ",");
	expect_key(reader, "\"min\"");
	min = expect_number(reader);
	expect(reader, ",");
	expect_key(reader, "\"max\"");
	max = expect_number(reader);
	expect(reader, ",");
	expect_key(reader, "\"buckets\"");
	expect(reader, "[");
	if (!accept(reader, "]"))
	{
		do
		{
			int64		bucket;

			expect(reader, "[");
			bucket = expect_at_least(reader, before + 1);
			if (bucket >= LATENCY_BUCKETS)
				text_fail(reader, psprintf("a bucket below %d", LATENCY_BUCKETS));
			expect(reader, ",");
			bits_put_gamma(&buckets, (uint64) (bucket - before));
			bits_put_gamma(&buckets, (uint64) expect_at_least(reader, 1));
			expect(reader, "]");
			before = bucket;
			count++;
		} while (accept(reader, ","));
		expect(reader, "]");
	}
	expect(reader, "}");
	if (zero == 0 && overflow == 0 && count == 0)
		text_fail(reader, "a latency, or null");

	bits_put_gamma(out, (uint64) zero + 1);
	bits_put_gamma(out, (uint64) overflow + 1);
	bits_put_gamma(out, count + 1);
	bits_put_double(out, min);
	bits_put_double(out, max);
	for (Size i = 0; i < buckets.size; i += sizeof(uint64))
	{
		uint64		word;

		memcpy(&word, buckets.data + i, sizeof(word));
		bits_put(out, bits_swap(word), 64);
	}
	if (buckets.pending_bits > 0)
		bits_put(out, buckets.pending, buckets.pending_bits);
}

/* telemetry_summary_in(cstring): the JSON that telemetry_summary_out writes. */
Datum
sr_telemetry_in(PG_FUNCTION_ARGS)
{
	TextReader	reader;
	BitWriter	bits = {0};
	TelemetrySummary *summary;
	int64		slot_us;
	int64		samples;
	int64		errors;

	reader.text = PG_GETARG_CSTRING(0);
	reader.at = reader.text;
	expect(&reader, "{");
	expect_key(&reader, "\"slot_us\"");
	slot_us = expect_at_least(&reader, 1);
	expect(&reader, ",");
	expect_key(&reader, "\"samples\"");
	samples = expect_at_least(&reader, 1);
	expect(&reader, ",");
	expect_key(&reader, "\"errors\"");
	errors = expect_at_least(&reader, 0);
	expect(&reader, ",");
	expect_key(&reader, "\"up\"");
	read_slots(&reader, &bits);
	expect(&reader, ",");
	expect_key(&reader, "\"latency\"");
	read_latencies(&reader, &bits);
	expect(&reader, "}");
	skip_space(&reader);
	if (*reader.at != '\0')
		text_fail(&reader, "the end");

	summary = sr_summary_build(slot_us, samples, errors, &bits);
	sr_summary_check(summary, ERRCODE_INVALID_TEXT_REPRESENTATION);
	PG_RETURN_POINTER(summary);
}

/* Slots from first on that have not been written yet, because they may go on. */
typedef struct PendingSlots
{
	int64		first;
	int64		count;
	const char *separator;
} PendingSlots;

static void
write_pending(PendingSlots *pending, StringInfo out)
{
	if (pending->count == 0)
		return;
	appendStringInfo(out, "%s[%lld,%lld]", pending->separator,
					 (long long) pending->first, (long long) pending->count);
	pending->separator = ",";
	pending->count = 0;
}

static void
write_slots(PendingSlots *pending, StringInfo out, int64 first, int64 count)
{
	if (pending->count > 0 && first == pending->first + pending->count)
	{
		pending->count += count;
		return;
	}
	write_pending(pending, out);
	pending->first = first;
	pending->count = count;
}

/* The shortest decimal that reads back as the same float8. */
static void
append_number(StringInfo out, double value)
{
	char		buffer[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, buffer);
	appendStringInfoString(out, buffer);
}

/* telemetry_summary_out(telemetry_summary): JSON; slots as [first, count], buckets as [bucket, count]. */
Datum
sr_telemetry_out(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	PendingSlots pending = {0, 0, ""};
	SlotReader	slots;
	LatencyReader latencies;
	StringInfoData out;
	const char *separator = "";

	initStringInfo(&out);
	appendStringInfo(&out, "{\"slot_us\":%lld,\"samples\":%lld,\"errors\":%lld,\"up\":[",
					 (long long) summary->slot_us, (long long) summary->samples, (long long) summary->errors);
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
	{
		if (slots.full > 0)
			write_slots(&pending, &out, slots.word * 64, (int64) slots.full * 64);
		for (uint64 i = 0; i < slots.literals; i++)
		{
			int64		start = (slots.word + (int64) (slots.full + i)) * 64;
			uint64		word = bits_get(&slots.bits, 64);

			while (word != 0)
			{
				int			from = pg_rightmost_one_pos64(word);
				uint64		clear = ~(word >> from);
				int			count = clear == 0 ? 64 : pg_rightmost_one_pos64(clear);

				write_slots(&pending, &out, start + from, count);
				if (from + count >= 64)
					break;
				word &= FULL_WORD << (from + count);
			}
		}
	}
	write_pending(&pending, &out);
	appendStringInfoString(&out, "],\"latency\":");

	sr_latencies_begin(&latencies, &slots);
	if (latencies.zero == 0 && latencies.overflow == 0 && latencies.buckets == 0)
		appendStringInfoString(&out, "null");
	else
	{
		appendStringInfo(&out, "{\"zero\":%llu,\"overflow\":%llu,\"min\":",
						 (unsigned long long) latencies.zero, (unsigned long long) latencies.overflow);
		append_number(&out, latencies.min);
		appendStringInfoString(&out, ",\"max\":");
		append_number(&out, latencies.max);
		appendStringInfoString(&out, ",\"buckets\":[");
		while (sr_latencies_next(&latencies))
		{
			appendStringInfo(&out, "%s[%d,%llu]", separator, latencies.bucket, (unsigned long long) latencies.count);
			separator = ",";
		}
		appendStringInfoString(&out, "]}");
	}
	appendStringInfoChar(&out, '}');
	PG_RETURN_CSTRING(out.data);
}

/* ---- binary ---- */

/* telemetry_summary_recv(internal): version, slot, samples, errors, bits; fully validated. */
Datum
sr_telemetry_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(in);
	TelemetrySummary *summary;
	BitWriter	none = {0};
	int64		slot_us;
	int64		samples;
	int64		errors;
	int			length;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid version %d of a binary telemetry_summary", version),
				 errdetail("This server reads version %d.", BINARY_VERSION)));
	slot_us = pq_getmsgint64(in);
	samples = pq_getmsgint64(in);
	errors = pq_getmsgint64(in);
	length = in->len - in->cursor;
	none.data = palloc(length + 1);
	none.size = (Size) length;
	memcpy(none.data, pq_getmsgbytes(in, length), length);
	summary = sr_summary_build(slot_us, samples, errors, &none);
	sr_summary_check(summary, ERRCODE_INVALID_BINARY_REPRESENTATION);
	PG_RETURN_POINTER(summary);
}

/* telemetry_summary_send(telemetry_summary) */
Datum
sr_telemetry_send(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendbyte(&out, BINARY_VERSION);
	pq_sendint64(&out, summary->slot_us);
	pq_sendint64(&out, summary->samples);
	pq_sendint64(&out, summary->errors);
	pq_sendbytes(&out, (const char *) summary->bits, (int) (VARSIZE(summary) - SUMMARY_HEADER));
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

/* ---- equality ---- */

/* Equal content is equal bytes. */
static bool
same(const TelemetrySummary *a, const TelemetrySummary *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) == 0;
}

/* telemetry_summary = telemetry_summary */
Datum
sr_telemetry_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(same(PG_GETARG_SUMMARY(0), PG_GETARG_SUMMARY(1)));
}

/* telemetry_summary <> telemetry_summary */
Datum
sr_telemetry_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!same(PG_GETARG_SUMMARY(0), PG_GETARG_SUMMARY(1)));
}

/* telemetry_summary_hash(telemetry_summary) */
Datum
sr_telemetry_hash(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);

	return hash_any((const unsigned char *) VARDATA(summary), (int) (VARSIZE(summary) - VARHDRSZ));
}

/* telemetry_summary_hash_extended(telemetry_summary, seed bigint) */
Datum
sr_telemetry_hash_extended(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);

	return hash_any_extended((const unsigned char *) VARDATA(summary), (int) (VARSIZE(summary) - VARHDRSZ),
							 (uint64) PG_GETARG_INT64(1));
}

/* ---- measures ---- */

/* slot(telemetry_summary): its length */
Datum
sr_telemetry_slot(PG_FUNCTION_ARGS)
{
	PG_RETURN_INTERVAL_P(slot_interval(PG_GETARG_SUMMARY(0)->slot_us));
}

/* samples(telemetry_summary): how many were counted */
Datum
sr_telemetry_samples(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_SUMMARY(0)->samples);
}

/* errors(telemetry_summary): how many of the samples were not ok */
Datum
sr_telemetry_errors(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_SUMMARY(0)->errors);
}

/* error_rate(telemetry_summary): errors / samples */
Datum
sr_telemetry_error_rate(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);

	PG_RETURN_FLOAT8((double) summary->errors / (double) summary->samples);
}

/* error_rate_upper(telemetry_summary, confidence): one-sided Wilson bound */
Datum
sr_telemetry_error_rate_upper(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	double		confidence = PG_GETARG_FLOAT8(1);

	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence %g is not between 0 and 1", confidence),
				 errhint("A usual confidence is 0.95.")));
	PG_RETURN_FLOAT8(sr_wilson_upper(summary->errors, summary->samples, confidence));
}

/* Refuses a bound that is not there or not finite. */
static int64
checked_bound(const RangeBound *bound, const char *name)
{
	if (bound->infinite || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(bound->val)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period has no finite %s bound", name),
				 errhint("Uptime is a fraction of the slots of a period: give it both bounds.")));
	return DatumGetTimestampTz(bound->val);
}

/* Slots in the part of the segment from first to last. */
static int64
count_slots(SlotReader *reader, int64 first, int64 last)
{
	int64		full_first = reader->word * 64;
	int64		full_last = full_first + (int64) reader->full * 64 - 1;
	int64		count = Max(Min(full_last, last) - Max(full_first, first) + 1, 0);

	for (uint64 i = 0; i < reader->literals; i++)
	{
		int64		start = full_last + 1 + (int64) i * 64;
		uint64		word = bits_get(&reader->bits, 64);

		if (start > last || start + 63 < first)
			continue;
		if (start < first)
			word &= FULL_WORD << (first - start);
		if (start + 63 > last)
			word &= FULL_WORD >> (63 - (last - start));
		count += pg_popcount64(word);
	}
	return count;
}

/* uptime(telemetry_summary, period): fraction of the slots that start in the period */
Datum
sr_telemetry_uptime(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	RangeType  *period = PG_GETARG_RANGE_P(1);
	TypeCacheEntry *type = range_get_typcache(fcinfo, RangeTypeGetOid(period));
	int64		slot_us = summary->slot_us;
	int64		phase = sr_slot_phase(slot_us);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;
	int64		first;
	int64		last;
	int64		up = 0;
	SlotReader	slots;

	range_deserialize(type, period, &lower, &upper, &empty);
	if (empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period is empty")));

	/*
	 * A slot starts at t or later exactly if it is after the slot of t - 1; the
	 * slot of t starts at t or before.
	 */
	first = checked_bound(&lower, "lower") - (lower.inclusive ? 1 : 0);
	last = checked_bound(&upper, "upper") - (upper.inclusive ? 0 : 1);
	first = sr_slot_of(first, slot_us, phase) + 1;
	last = sr_slot_of(last, slot_us, phase);
	if (last < first)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no slot of %s starts in period %s", sr_slot_text(slot_us),
						OidOutputFunctionCall(F_RANGE_OUT, RangeTypePGetDatum(period))),
				 errhint("Use a longer period, or summaries with a shorter slot.")));

	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
		up += count_slots(&slots, first, last);
	PG_RETURN_FLOAT8((double) up / (double) (last - first + 1));
}

/* response_time(telemetry_summary, quantile): nearest rank in ms, NULL without a latency */
Datum
sr_telemetry_response_time(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	double		quantile = PG_GETARG_FLOAT8(1);
	SlotReader	slots;
	LatencyReader latencies;
	LatencyReader scan;
	uint64		total;
	uint64		below;
	double		target;
	double		value;

	if (!(quantile >= 0 && quantile <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantile %g is not between 0 and 1", quantile)));

	sr_latency_init();
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	sr_latencies_begin(&latencies, &slots);
	total = latencies.zero + latencies.overflow;
	scan = latencies;
	while (sr_latencies_next(&scan))
		total += scan.count;
	if (total == 0)
		PG_RETURN_NULL();

	/* the smallest value with at least target values at or below it, as percentile_disc has it */
	target = Max(ceil(quantile * (double) total), 1);
	below = latencies.zero;
	value = 0;
	if ((double) below < target)
	{
		value = latencies.max;
		while (sr_latencies_next(&latencies))
		{
			below += latencies.count;
			if ((double) below >= target)
			{
				value = sr_latency_value(latencies.bucket);
				break;
			}
		}
	}
	PG_RETURN_FLOAT8(Max(latencies.min, Min(value, latencies.max)));
}
