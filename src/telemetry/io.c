/*
 * io.c: the type telemetry_summary: text, binary, equality.
 */
#include "postgres.h"
#include "base/compat.h"

#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/text.h"
#include "telemetry/latency.h"
#include "telemetry/telemetry.h"

SR_FUNCTION(sr_telemetry_in);
SR_FUNCTION(sr_telemetry_out);
SR_FUNCTION(sr_telemetry_recv);
SR_FUNCTION(sr_telemetry_send);
SR_FUNCTION(sr_telemetry_eq);
SR_FUNCTION(sr_telemetry_ne);
SR_FUNCTION(sr_telemetry_hash);
SR_FUNCTION(sr_telemetry_hash_extended);

#define BINARY_VERSION 1

/* ---- text ---- */

/* Stops where the reader is, which expected something else. */
pg_noreturn static void
text_fail(const TextReader *reader, const char *expected)
{
	int			shown = pg_mbcliplen(reader->start, (int) (reader->end - reader->start), 60);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%.*s%s\"", "telemetry_summary", shown, reader->start,
					reader->start + shown < reader->end ? "..." : ""),
			 errdetail("Expected %s at character %zu.", expected, sr_text_position(reader) + 1),
			 errhint("The form is what the type itself writes: make summaries with telemetry_agg.")));
}

/* Steps over a token, which must come next. */
static void
expect(TextReader *reader, const char *token)
{
	if (!sr_take_token(reader, token))
		text_fail(reader, token);
}

/* Steps over "name": */
static void
expect_key(TextReader *reader, const char *name)
{
	expect(reader, name);
	expect(reader, ":");
}

/* An integer ≥ least. */
static int64
expect_at_least(TextReader *reader, int64 least)
{
	TextReader	before;
	int64		value;

	sr_skip_space(reader);
	before = *reader;
	if (sr_take_integer(reader, &value) != FAULT_NONE)
		text_fail(&before, "an integer of 64 bits");
	if (value < least)
		text_fail(&before, psprintf("an integer of at least %lld", (long long) least));
	return value;
}

/* A finite number ≥ 0. */
static double
expect_number(TextReader *reader)
{
	TextReader	before;
	double		value;

	sr_skip_space(reader);
	before = *reader;
	if (sr_text_ended(reader) || !sr_is_digit(*reader->at) || sr_take_number(reader, &value) != FAULT_NONE)
		text_fail(&before, "a finite number of at least 0");
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
	if (!sr_take_token(reader, "]"))
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
		} while (sr_take_token(reader, ","));
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

	if (sr_take_token(reader, "null"))
	{
		for (int i = 0; i < 3; i++)
			sr_bits_put_gamma(out, 1);
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
	if (!sr_take_token(reader, "]"))
	{
		do
		{
			int64		bucket;

			expect(reader, "[");
			bucket = expect_at_least(reader, before + 1);
			if (bucket >= LATENCY_BUCKETS)
				text_fail(reader, psprintf("a bucket below %d", LATENCY_BUCKETS));
			expect(reader, ",");
			sr_bits_put_gamma(&buckets, (uint64) (bucket - before));
			sr_bits_put_gamma(&buckets, (uint64) expect_at_least(reader, 1));
			expect(reader, "]");
			before = bucket;
			count++;
		} while (sr_take_token(reader, ","));
		expect(reader, "]");
	}
	expect(reader, "}");
	if (zero == 0 && overflow == 0 && count == 0)
		text_fail(reader, "a latency, or null");

	sr_bits_put_gamma(out, (uint64) zero + 1);
	sr_bits_put_gamma(out, (uint64) overflow + 1);
	sr_bits_put_gamma(out, count + 1);
	sr_bits_put_double(out, min);
	sr_bits_put_double(out, max);
	sr_bits_move(&buckets, out);
}

/* telemetry_summary_in(cstring): the JSON that telemetry_summary_out writes. */
Datum
sr_telemetry_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	TextReader	reader = sr_text_reader(text, strlen(text));
	BitWriter	bits = {0};
	TelemetrySummary *summary;
	int64		slot_us;
	int64		samples;
	int64		errors;

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
	sr_skip_space(&reader);
	if (!sr_text_ended(&reader))
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

/* Writes them, if there are any. */
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

/* Adds slots, which come in ascending order. */
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
			uint64		word = sr_bits_get(&slots.bits, 64);

			sr_check_interrupts_at((int64) i);
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
	BitWriter	bits = {0};
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
	sr_array_append(&bits.bytes, pq_getmsgbytes(in, length), length);
	summary = sr_summary_build(slot_us, samples, errors, &bits);
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
