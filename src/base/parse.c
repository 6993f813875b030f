/*
 * parse.c: whole numbers, numbers and times from text, without errors.
 */
#include "base/parse.h"

#include <errno.h>
#include <math.h>

#define LONGEST_NUMBER 1000		/* characters; no double needs more than 800 to be told from its neighbours */
#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY 86400

/* What is still to be read. */
typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The text without white space at its ends. */
static Reader
trimmed(const char *text, size_t length)
{
	Reader		r = {text, text + length};

	while (r.at < r.end && is_space(*r.at))
		r.at++;
	while (r.end > r.at && is_space(r.end[-1]))
		r.end--;
	return r;
}

static inline bool
at_end(const Reader *r)
{
	return r->at == r->end;
}

/* Steps over the character if it comes next. */
static inline bool
take(Reader *r, char c)
{
	if (at_end(r) || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* Steps over a + or -; true after a -. */
static inline bool
take_sign(Reader *r)
{
	if (take(r, '-'))
		return true;
	take(r, '+');
	return false;
}

/* Is the rest this word, given in lower case, in any case? */
static bool
rest_is(const Reader *r, const char *word)
{
	const char *p = r->at;

	for (; p < r->end && *word; p++, word++)
		if ((*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p) != *word)
			return false;
	return p == r->end && *word == '\0';
}

/* Steps over digits; how many. */
static size_t
skip_digits(Reader *r)
{
	const char *start = r->at;

	while (!at_end(r) && is_digit(*r->at))
		r->at++;
	return r->at - start;
}

/* Reads exactly so many digits. */
static bool
take_digits(Reader *r, int count, int *value)
{
	if (r->end - r->at < count)
		return false;
	*value = 0;
	for (int i = 0; i < count; i++)
	{
		char		c = *r->at++;

		if (!is_digit(c))
			return false;
		*value = *value * 10 + (c - '0');
	}
	return true;
}

/*
 * A whole number: digits with or without a sign, and with or without a fraction
 * of zeros, which is how other programs write whole numbers that may be missing.
 */
Fault
sr_parse_whole(const char *text, size_t length, int64 *value)
{
	Reader		r = trimmed(text, length);
	bool		negative = take_sign(&r);
	bool		fits = true;
	int64		sum = 0;

	if (at_end(&r) || !is_digit(*r.at))
		return FAULT_FORM;
	for (; !at_end(&r) && is_digit(*r.at); r.at++)
	{
		int			digit = *r.at - '0';

		/* downwards: there is one more number below zero than above */
		fits = fits && !__builtin_mul_overflow(sum, 10, &sum) && !__builtin_sub_overflow(sum, digit, &sum);
	}
	if (take(&r, '.'))
		while (take(&r, '0'))
			 /* a fraction of nothing */ ;
	if (!at_end(&r))
		return FAULT_FORM;
	if (!fits || (!negative && __builtin_sub_overflow(0, sum, &sum)))
		return FAULT_RANGE;
	*value = sum;
	return FAULT_NONE;
}

/* A decimal number. -0 gives 0: which of two equal numbers was read must not show. */
Fault
sr_parse_number(const char *text, size_t length, double *value)
{
	Reader		r = trimmed(text, length);
	char		copy[LONGEST_NUMBER + 1];
	const char *start = r.at;
	size_t		digits;
	char	   *end;

	take_sign(&r);
	if (rest_is(&r, "nan"))
		return FAULT_NAN;
	if (rest_is(&r, "infinity") || rest_is(&r, "inf"))
		return FAULT_INFINITE;
	digits = skip_digits(&r);
	if (take(&r, '.'))
		digits += skip_digits(&r);
	if (digits == 0)
		return FAULT_FORM;
	if (take(&r, 'e') || take(&r, 'E'))
	{
		take_sign(&r);
		if (skip_digits(&r) == 0)
			return FAULT_FORM;
	}
	if (!at_end(&r) || r.end - start > LONGEST_NUMBER)
		return FAULT_FORM;

	/* strtod wants an end, and reads the form above correctly rounded */
	memcpy(copy, start, r.end - start);
	copy[r.end - start] = '\0';
	errno = 0;
	*value = strtod(copy, &end);
	if (*end != '\0')
		return FAULT_FORM;
	/* denormal numbers may set errno too, but are numbers */
	if (errno == ERANGE && (*value == 0 || isinf(*value)))
		return FAULT_RANGE;
	if (*value == 0)
		*value = 0;
	return FAULT_NONE;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, years 1 to 9999. */
static int
days_from_date(int year, int month, int day)
{
	/* years that begin in March: the leap day is the last */
	int			y = year - (month <= 2);
	int			m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int
days_in_month(int year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* The digits after the decimal point of seconds, in microseconds; what is beyond is rounded, ties to even. */
static bool
take_fraction(Reader *r, int64 *microseconds)
{
	const char *start = r->at;
	size_t		digits = skip_digits(r);
	int64		sum = 0;
	bool		more = false;

	if (digits == 0)
		return false;
	for (size_t i = 0; i < 6; i++)
		sum = sum * 10 + (i < digits ? start[i] - '0' : 0);
	for (size_t i = 7; i < digits; i++)
		more = more || start[i] != '0';
	if (digits > 6 && (start[6] > '5' || (start[6] == '5' && (more || sum % 2 == 1))))
		sum++;
	*microseconds = sum;
	return true;
}

/* Z, UTC, ±hh, ±hhmm or ±hh:mm to the end: seconds east of Greenwich. Nothing is UTC. */
static bool
take_zone(Reader *r, int *east)
{
	bool		west;
	int			hour;
	int			minute = 0;

	*east = 0;
	if (at_end(r))
		return true;
	take(r, ' ');
	if (rest_is(r, "z") || rest_is(r, "utc"))
		return true;
	if (at_end(r) || (*r->at != '+' && *r->at != '-'))
		return false;
	west = take_sign(r);
	if (!take_digits(r, 2, &hour))
		return false;
	if (!at_end(r))
	{
		take(r, ':');
		if (!take_digits(r, 2, &minute))
			return false;
	}
	if (!at_end(r) || hour > 15 || minute > 59)
		return false;
	*east = (hour * 60 + minute) * 60 * (west ? -1 : 1);
	return true;
}

/*
 * A time as ISO 8601 and RFC 3339 write it, years 1 to 9999:
 * yyyy-mm-dd, T or a space, hh:mm[:ss[.fraction]], a zone; without a zone it is
 * UTC. As in PostgreSQL, second 60 is the next minute's first and 24:00 the
 * next day's. Microseconds since 2000-01-01 00:00 UTC.
 */
Fault
sr_parse_time(const char *text, size_t length, int64 *microseconds)
{
	Reader		r = trimmed(text, length);
	int			year,
				month,
				day,
				hour,
				minute,
				second = 0,
				east;
	int64		fraction = 0;

	if (!at_end(&r) && !is_digit(*r.at))
	{
		take_sign(&r);
		return rest_is(&r, "infinity") ? FAULT_INFINITE : FAULT_FORM;
	}
	if (!take_digits(&r, 4, &year) || !take(&r, '-') || !take_digits(&r, 2, &month) || !take(&r, '-') || !take_digits(&r, 2, &day) ||
		!(take(&r, 'T') || take(&r, ' ') || take(&r, 't')) || !take_digits(&r, 2, &hour) || !take(&r, ':') || !take_digits(&r, 2, &minute))
		return FAULT_FORM;
	if (take(&r, ':') && (!take_digits(&r, 2, &second) || (take(&r, '.') && !take_fraction(&r, &fraction))))
		return FAULT_FORM;
	if (!take_zone(&r, &east))
		return FAULT_FORM;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || minute > 59 || second > 60 ||
		hour > 24 || (hour == 24 && (minute > 0 || second > 0 || fraction > 0)))
		return FAULT_RANGE;

	/* 10957 days from 1970 to 2000 */
	*microseconds = ((int64) (days_from_date(year, month, day) - 10957) * SECONDS_PER_DAY +
					 (hour * 60 + minute) * 60 + second - east) * US_PER_SECOND + fraction;
	return FAULT_NONE;
}
