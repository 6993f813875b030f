/*
 * Numbers and times from text against the C library, and text of all kinds that
 * must be refused without a byte read beyond its end.
 */
#define _GNU_SOURCE
#include "base/iso8601.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "tap.h"

#define NRANDOM 200000

/* The parsers see memory of just this size. */
static char *
exact(const char *text)
{
	size_t		length = strlen(text);
	char	   *copy = malloc(length ? length : 1);

	memcpy(copy, text, length);
	return copy;
}

static Fault
whole(const char *text, int64 *value)
{
	char	   *copy = exact(text);
	Fault		fault = sr_parse_whole(copy, strlen(text), value);

	free(copy);
	return fault;
}

static Fault
number(const char *text, double *value)
{
	char	   *copy = exact(text);
	Fault		fault = sr_parse_number(copy, strlen(text), value);

	free(copy);
	return fault;
}

static Fault
at(const char *text, int64 *value)
{
	char	   *copy = exact(text);
	Fault		fault = sr_parse_time(copy, strlen(text), value);

	free(copy);
	return fault;
}

static int64
random_below(int64 n)
{
	return (int64) (tap_random() * (double) n);
}

/* Text of characters that numbers and times are made of, mostly. */
static void
random_text(char *text, int most)
{
	static const char letters[] = "0123456789012345678901234567890123456789--::..++eEtTzZ  uUcCnNaAiIfF\t,x/";
	int			length = random_below(most);

	for (int i = 0; i < length; i++)
		text[i] = tap_random() < 0.02 ? (char) (1 + random_below(255)) : letters[random_below(sizeof(letters) - 1)];
	text[length] = '\0';
}

static void
test_wholes(void)
{
	int64		value = 0;
	int			wrong = 0,
				read = 0;
	char		text[64];

	ok(whole("-9223372036854775808", &value) == FAULT_NONE && value == INT64_MIN, "the least whole number");
	ok(whole(" +9223372036854775807.000\n", &value) == FAULT_NONE && value == INT64_MAX, "the greatest, with a sign, zeros and white space");
	ok(whole("9223372036854775808", &value) == FAULT_RANGE && whole("-9223372036854775809", &value) == FAULT_RANGE &&
	   whole("100000000000000000000000000000000", &value) == FAULT_RANGE, "one more is out of range");
	value = 1;
	ok(whole("5x", &value) == FAULT_FORM && whole("99999999999999999999", &value) == FAULT_RANGE && value == 1, "a fault leaves the value alone");
	ok(whole("", &value) == FAULT_FORM && whole("-", &value) == FAULT_FORM && whole(".0", &value) == FAULT_FORM && whole("1.5", &value) == FAULT_FORM &&
	   whole("1e3", &value) == FAULT_FORM && whole("0x10", &value) == FAULT_FORM && whole("1 2", &value) == FAULT_FORM && whole("--1", &value) == FAULT_FORM &&
	   whole("9223372036854775808x", &value) == FAULT_FORM, "what is no whole number");
	for (int i = 0; i < NRANDOM; i++)
	{
		Fault		fault;
		char	   *end;
		long long	expected;

		random_text(text, 24);
		if (i % 2)
			snprintf(text, sizeof(text), "%.0f", (tap_random() - 0.5) * pow(10, tap_random() * 22));
		fault = whole(text, &value);
		errno = 0;
		expected = strtoll(text, &end, 10);
		if (fault == FAULT_NONE)
			read++;
		/* what was read is what strtoll reads, which stops at a point */
		if ((fault == FAULT_NONE && (errno != 0 || end == text || expected != value)) || (fault == FAULT_RANGE && errno != ERANGE) ||
			(fault == FAULT_FORM && end != text && end[strspn(end, " \t")] == '\0'))
			wrong++;
	}
	ok(wrong == 0 && read > NRANDOM / 4, "%d whole numbers as strtoll reads them, %d otherwise", read, wrong);
}

static Fault
digits(const char *text, size_t most, char *buffer)
{
	char	   *copy = exact(text);
	Fault		fault = sr_parse_digits(copy, strlen(text), most, buffer);

	free(copy);
	return fault;
}

static void
test_digits(void)
{
	char	   *read = malloc(40);	/* just what 38 digits take */
	char		text[64];
	char		expected[32];
	int			wrong = 0;

	ok(digits(" -00123456789012345678901234567890123456789.00 ", 38, read) == FAULT_RANGE && digits(" -0012345678901234567890123456789012345678.00 ", 38, read) == FAULT_NONE &&
	   strcmp(read, "-12345678901234567890123456789012345678") == 0, "zeros around digits, and one digit too many");
	ok(digits("99999999999999999999999999999999999999", 38, read) == FAULT_NONE && strlen(read) == 38 && digits("-000.0", 38, read) == FAULT_NONE && strcmp(read, "0") == 0,
	   "the greatest, and no negative zero");
	for (int i = 0; i < NRANDOM; i++)
	{
		int64		value = 0;
		Fault		fault,
					digits_fault;

		random_text(text, 24);
		if (i % 2)
			snprintf(text, sizeof(text), "%.0f", (tap_random() - 0.5) * pow(10, tap_random() * 22));
		fault = whole(text, &value);
		digits_fault = digits(text, 38, read);
		snprintf(expected, sizeof(expected), "%lld", (long long) value);
		if (fault == FAULT_NONE ? digits_fault != FAULT_NONE || strcmp(read, expected) != 0 :
			fault == FAULT_FORM ? digits_fault != FAULT_FORM : digits_fault == FAULT_FORM)
			wrong++;
	}
	ok(wrong == 0, "digits are those of whole numbers, %d otherwise", wrong);
	free(read);
}

static void
test_numbers(void)
{
	double		value = 1;
	int			wrong = 0,
				read = 0;
	char		text[2000];

	ok(number("-0", &value) == FAULT_NONE && value == 0 && !signbit(value), "no negative zero");
	ok(number("1e400", &value) == FAULT_RANGE && number("-1e400", &value) == FAULT_RANGE && number("1e-400", &value) == FAULT_RANGE, "too large, too small");
	ok(number("4.9e-324", &value) == FAULT_NONE && value > 0, "the least number");
	ok(number(" nAn ", &value) == FAULT_NAN && number("-Infinity", &value) == FAULT_INFINITE && number("+inf", &value) == FAULT_INFINITE, "what is not finite");
	ok(number("", &value) == FAULT_FORM && number(".", &value) == FAULT_FORM && number("e5", &value) == FAULT_FORM && number("1e", &value) == FAULT_FORM &&
	   number("0x10", &value) == FAULT_FORM && number("1,5", &value) == FAULT_FORM && number("nan(1)", &value) == FAULT_FORM && number("infinit", &value) == FAULT_FORM &&
	   number("1 2", &value) == FAULT_FORM, "what is no number");
	memset(text, '0', sizeof(text));
	text[1500] = '\0';
	ok(number(text, &value) == FAULT_FORM, "nor is what is longer than any");
	text[999] = '1';
	text[1000] = '\0';
	ok(number(text, &value) == FAULT_NONE && value == 1, "a long one");
	for (int i = 0; i < NRANDOM; i++)
	{
		Fault		fault;
		char	   *end;
		double		expected;

		random_text(text, 30);
		if (i % 2)
			snprintf(text, sizeof(text), "%.*g", (int) random_below(20), (tap_random() - 0.5) * pow(10, tap_random() * 600 - 300));
		fault = number(text, &value);
		expected = strtod(text, &end);
		if (fault == FAULT_NONE)
			read++;
		if (fault == FAULT_NONE && (end == text || end[strspn(end, " \t\n")] != '\0' || expected != value))
			wrong++;
	}
	ok(wrong == 0 && read > NRANDOM / 4, "%d numbers as strtod reads them, %d otherwise", read, wrong);
}

static void
test_times(void)
{
	int64		value;
	int			wrong = 0,
				accepted = 0;
	char		text[100];

	ok(at("2000-01-01T00:00:00Z", &value) == FAULT_NONE && value == 0, "where it begins");
	ok(at("2000-01-01 05:30:00.000001+05:30", &value) == FAULT_NONE && value == 1, "a zone and a microsecond");
	ok(at("1999-12-31 23:59:60", &value) == FAULT_NONE && value == 0 && at("1999-12-31 24:00", &value) == FAULT_NONE && value == 0, "a leap second, the end of a day");
	ok(at("2000-01-01 00:00:00.0000005", &value) == FAULT_NONE && value == 0 && at("2000-01-01 00:00:00.0000015", &value) == FAULT_NONE && value == 2 &&
	   at("2000-01-01 00:00:00.00000050000000000000000000001", &value) == FAULT_NONE && value == 1 &&
	   at("1999-12-31 23:59:59.9999999", &value) == FAULT_NONE && value == 0, "halves of microseconds");
	ok(at("-infinity", &value) == FAULT_INFINITE && at("Infinity", &value) == FAULT_INFINITE, "times without end");
	ok(at("1900-02-29 00:00Z", &value) == FAULT_RANGE && at("2000-02-29 00:00Z", &value) == FAULT_NONE && at("2023-02-29 00:00Z", &value) == FAULT_RANGE &&
	   at("0000-01-01 00:00Z", &value) == FAULT_RANGE && at("2000-00-01 00:00Z", &value) == FAULT_RANGE && at("2000-04-31 00:00Z", &value) == FAULT_RANGE &&
	   at("2000-01-01 24:00:00.1Z", &value) == FAULT_RANGE && at("2000-01-01 00:60Z", &value) == FAULT_RANGE && at("2000-01-01 00:00:61Z", &value) == FAULT_RANGE,
	   "days and times that do not exist");
	ok(at("", &value) == FAULT_FORM && at("2000-01-01", &value) == FAULT_FORM && at("2000-01-01T", &value) == FAULT_FORM && at("20000101T000000Z", &value) == FAULT_FORM &&
	   at("2000-1-1 00:00", &value) == FAULT_FORM && at("2000-01-01 00:00:00.", &value) == FAULT_FORM && at("2000-01-01 00:00+5", &value) == FAULT_FORM &&
	   at("2000-01-01 00:00+16", &value) == FAULT_FORM && at("2000-01-01 00:00 CET", &value) == FAULT_FORM && at("2000-01-01 00:00+05:30:00", &value) == FAULT_FORM &&
	   at("12000-01-01 00:00", &value) == FAULT_FORM && at("+2000-01-01 00:00", &value) == FAULT_FORM, "what is no time");

	/* the whole calendar, by the C library */
	for (int i = 0; i < NRANDOM; i++)
	{
		time_t		seconds = -INT64_C(62135596800) + random_below(INT64_C(315537897600));
		int			minutes = i % 3 ? (int) random_below(2 * 959) - 959 : 0;
		time_t		local = seconds + minutes * 60;
		struct tm	tm;

		gmtime_r(&local, &tm);
		if (tm.tm_year + 1900 < 1 || tm.tm_year + 1900 > 9999)
			continue;
		snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06d%c%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
				 tm.tm_hour, tm.tm_min, tm.tm_sec, i, minutes < 0 ? '-' : '+', abs(minutes) / 60, abs(minutes) % 60);
		if (at(text, &value) != FAULT_NONE || value != ((int64) seconds - 946684800) * 1000000 + i)
			wrong++;
	}
	ok(wrong == 0, "times from year 1 to 9999 as the C library has them, %d otherwise", wrong);
	for (int i = 0; i < 5 * NRANDOM; i++)
	{
		snprintf(text, sizeof(text), "2024-02-28T23:59:59.5+01:00");
		for (int k = random_below(4); k >= 0; k--)
			text[random_below(strlen(text))] = "0123456789-:.+TZ "[random_below(17)];
		if (i % 3 == 0)
			text[random_below(strlen(text) + 1)] = '\0';
		accepted += at(text, &value) == FAULT_NONE;
		random_text(text, 40);
		accepted += at(text, &value) == FAULT_NONE;
	}
	ok(accepted > NRANDOM / 10 && accepted < 5 * NRANDOM, "of changed times some are times, %d", accepted);
}

/* What is read of a structured text, and where that ends. */
static void
test_parts(void)
{
	const char *text = " { \"a\" :-12,3.5e2]1e,99999999999999999999x.e1";
	char	   *copy = exact(text);
	TextReader	reader = sr_text_reader(copy, strlen(text));
	int64		whole_value = 0;
	double		value = 0;

	ok(sr_take_token(&reader, "{") && !sr_take_token(&reader, "\"b\"") && sr_take_token(&reader, "\"a\"") && sr_take_token(&reader, ":") &&
	   sr_text_position(&reader) == 8, "tokens, with white space before them");
	ok(sr_take_integer(&reader, &whole_value) == FAULT_NONE && whole_value == -12 && sr_take_char(&reader, ','), "an integer ends where the digits do");
	ok(sr_take_integer(&reader, &whole_value) == FAULT_NONE && whole_value == 3, "also before a point");
	reader.at--;
	ok(sr_take_number(&reader, &value) == FAULT_NONE && value == 350 && sr_take_token(&reader, "]"), "a number with its exponent");
	ok(sr_take_number(&reader, &value) == FAULT_FORM && *reader.at == '1', "an exponent without digits moves nothing");
	reader.at += 3;
	ok(sr_take_integer(&reader, &whole_value) == FAULT_RANGE && whole_value == 3 && *reader.at == 'x', "what does not fit is stepped over");
	ok(sr_take_integer(&reader, &whole_value) == FAULT_FORM && *reader.at == 'x', "what is no integer is not");
	reader.at++;
	ok(sr_take_number(&reader, &value) == FAULT_FORM && *reader.at == '.' && value == 350, "a point without digits is no number");
	reader.at = reader.end - 1;
	ok(!sr_take_token(&reader, "12") && sr_take_number(&reader, &value) == FAULT_NONE && value == 1 && sr_text_ended(&reader), "nothing is read beyond the end");
	ok(sr_take_integer(&reader, &whole_value) == FAULT_FORM && sr_take_number(&reader, &value) == FAULT_FORM && !sr_take_char(&reader, '1') &&
	   sr_take_token(&reader, "") && sr_rest_is(&reader, ""), "at the end there is nothing");
	free(copy);
}

int
main(void)
{
	test_parts();
	test_wholes();
	test_digits();
	test_numbers();
	test_times();
	return tap_done();
}
