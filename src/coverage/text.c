/*
 * text.c: the type's text form: order:{[first,end)=value,...} for fields of few runs,
 * order: and base64 of the binary form for those of many, which then take 16 characters
 * a run, so that whatever can be stored can be dumped. Input takes both at any size.
 */
#include "coverage/binary.h"

#include "base/base64.h"
#include "base/text.h"
#include "coverage/runs.h"

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

/* Up to so many runs can be read by a person. */
#define MOST_READABLE 65536

/* Runs that are turned into base64 at once. */
#define BLOCK 1024

/* Characters of base64. */
#define BASE64(nbytes) ((nbytes) / 3 * 4)

_Static_assert(BINARY_HEAD % 3 == 0 && BINARY_RUN % 3 == 0, "whole groups of base64");

/* ---------- input ---------- */

/* Stops where the reader is. */
static void
fail(const TextReader *r, const char *what, const char *hint)
{
	int			shown = pg_mbcliplen(r->start, (int) (r->end - r->start), 60);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type coverage: \"%.*s%s\"", shown, r->start, r->start + shown < r->end ? "..." : ""),
			 errdetail("%s at character %zu.", what, sr_text_position(r) + 1),
			 errhint("%s", hint)));
}

static void
syntax_error(const TextReader *r, const char *what)
{
	fail(r, what, "The form is order:{[first,end)=value,...}, such as 3:{[0,4)=1.5,[10,11)=2}.");
}

static void
base64_error(const TextReader *r, const char *what)
{
	fail(r, what, "The form of large fields is order: and base64 of the binary form.");
}

static void
expect(TextReader *r, const char *token)
{
	char		what[24];

	if (!sr_take_token(r, token))
	{
		snprintf(what, sizeof(what), "Expected \"%s\"", token);
		syntax_error(r, what);
	}
}

/* An integer from 0 to a limit. */
static int64
expect_integer(TextReader *r, int64 limit, const char *too_large)
{
	TextReader	first;
	int64		value = 0;
	Fault		fault;

	sr_skip_space(r);
	first = *r;
	if (sr_text_ended(r) || !sr_is_digit(*r->at))
		syntax_error(r, "Expected a number");
	fault = sr_take_integer(r, &value);
	if (fault != FAULT_NONE || value > limit)
		syntax_error(&first, too_large);
	return value;
}

static double
expect_value(TextReader *r)
{
	const char *first;
	double		value = 0;
	Fault		fault;

	sr_skip_space(r);
	first = r->at;
	fault = sr_take_number(r, &value);
	if (fault == FAULT_RANGE)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("coverage value out of range: %.*s", (int) (r->at - first), first),
				 errdetail("A cell's value is always a finite number.")));
	if (fault != FAULT_NONE)
		syntax_error(r, "Expected a finite number");
	return value;
}

/* The rest of {[first,end)=value,...}. */
static Coverage *
read_ranges(TextReader *r, int order)
{
	CoverageBuilder b;
	int64		ncell = INT64_C(12) << (2 * order);
	int64		end = 0;

	sr_builder_init(&b, order, 16);
	if (!sr_take_token(r, "}"))
	{
		do
		{
			int64		first;

			CHECK_FOR_INTERRUPTS();
			expect(r, "[");
			first = expect_integer(r, ncell, "Cell beyond the grid");
			if (first < end)
				syntax_error(r, "Ranges out of order or overlapping");
			if (first > end)
				builder_add(&b, end, 0.0);
			expect(r, ",");
			end = expect_integer(r, ncell, "Cell beyond the grid");
			if (end <= first)
				syntax_error(r, "Empty range");
			expect(r, ")");
			expect(r, "=");
			builder_add(&b, first, expect_value(r));
		} while (sr_take_token(r, ","));
		expect(r, "}");
	}
	if (!sr_text_ended(r))
		syntax_error(r, "Junk after the closing brace");
	if (end < ncell)
		builder_add(&b, end, 0.0);
	return sr_builder_finish(&b);
}

/* Reads so many bytes, whole groups. */
static void
take_base64(TextReader *r, uint8 *to, size_t nbytes)
{
	size_t		length = BASE64(nbytes);

	if ((size_t) (r->end - r->at) < length)
		base64_error(r, "Base64 ends early");
	length = sr_base64_read(to, r->at, nbytes / 3);
	r->at += length;
	if (length < BASE64(nbytes))
		base64_error(r, "Expected a digit of base64");
}

/* The binary form in base64, to the end. */
static Coverage *
read_base64(TextReader *r, int order)
{
	BinaryReader binary;
	uint8		bytes[BLOCK * BINARY_RUN];

	take_base64(r, bytes, BINARY_HEAD);
	sr_binary_read_head(&binary, bytes);
	if (binary.builder.order != order)
		base64_error(r, "Another grid order in the binary form");
	if ((uint64) (r->end - r->at) != (uint64) binary.nruns * BASE64(BINARY_RUN))
		base64_error(r, "Wrong number of runs");
	for (uint32 i = 0; i < binary.nruns; i += BLOCK)
	{
		uint32		n = Min(BLOCK, binary.nruns - i);

		take_base64(r, bytes, n * BINARY_RUN);
		sr_binary_read_runs(&binary, n, bytes);
	}
	return sr_binary_finish(&binary);
}

SR_FUNCTION(coverage_in);
Datum
coverage_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	TextReader	r = sr_trimmed(text, strlen(text));
	int			order;

	r.start = text;
	order = (int) expect_integer(&r, SR_MAX_ORDER, "Grid order above 13");
	expect(&r, ":");
	if (sr_take_token(&r, "{"))
		PG_RETURN_POINTER(read_ranges(&r, order));
	if (r.end - r.at < BASE64(BINARY_HEAD))
		syntax_error(&r, "Expected \"{\"");
	PG_RETURN_POINTER(read_base64(&r, order));
}

/* ---------- output ---------- */

/* The shortest text that reads back as the same bits, whatever the settings. */
static char *
write_ranges(const Coverage *c)
{
	const uint32 *starts = COVERAGE_STARTS(c);
	StringInfoData s;
	const char *separator = "";

	initStringInfo(&s);
	appendStringInfo(&s, "%d:{", c->order);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		int64		end = run_end(c, i);
		char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (c->values[i] == 0)
			continue;
		double_to_shortest_decimal_buf(c->values[i], number);
		appendStringInfo(&s, "%s[%u," INT64_FORMAT ")=%s", separator, starts[i], end, number);
		separator = ",";
	}
	appendStringInfoChar(&s, '}');
	return s.data;
}

static char *
write_base64(const Coverage *c)
{
	uint8		bytes[BLOCK * BINARY_RUN];
	char	   *text = palloc(8 + BASE64(BINARY_HEAD) + (Size) c->nruns * BASE64(BINARY_RUN));
	char	   *at = text + sprintf(text, "%d:", c->order);

	sr_binary_write_head(c, bytes);
	at = sr_base64_write(at, bytes, BINARY_HEAD / 3);
	for (uint32 i = 0; i < c->nruns; i += BLOCK)
	{
		uint32		n = Min(BLOCK, c->nruns - i);

		CHECK_FOR_INTERRUPTS();
		sr_binary_write_runs(COVERAGE_STARTS(c) + i, c->values + i, n, bytes);
		at = sr_base64_write(at, bytes, n * BINARY_RUN / 3);
	}
	*at = '\0';
	return text;
}

SR_FUNCTION(coverage_out);
Datum
coverage_out(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);

	PG_RETURN_CSTRING(c->nruns <= MOST_READABLE ? write_ranges(c) : write_base64(c));
}
