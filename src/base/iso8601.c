/*
 * iso8601.c: times from text, without errors.
 */
#include "base/iso8601.h"

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY 86400
#define DAYS_TO_2000 10957		/* from 1970 */

/* Reads exactly so many digits. */
static bool
take_digits(TextReader *reader, int count, int *value)
{
	if (reader->end - reader->at < count)
		return false;
	*value = 0;
	for (int i = 0; i < count; i++)
	{
		char		c = *reader->at++;

		if (!sr_is_digit(c))
			return false;
		*value = *value * 10 + (c - '0');
	}
	return true;
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

/* Days of a month of the Gregorian calendar, which is counted from 1. */
static int
days_in_month(int year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* The digits after the decimal point of seconds, in microseconds; what is beyond is rounded, ties to even. */
static bool
take_fraction(TextReader *reader, int64 *microseconds)
{
	const char *start = reader->at;
	size_t		digits = sr_skip_digits(reader);
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
take_zone(TextReader *reader, int *east)
{
	bool		west;
	int			hour;
	int			minute = 0;

	*east = 0;
	if (sr_text_ended(reader))
		return true;
	sr_take_char(reader, ' ');
	if (sr_rest_is(reader, "z") || sr_rest_is(reader, "utc"))
		return true;
	if (sr_text_ended(reader) || (*reader->at != '+' && *reader->at != '-'))
		return false;
	west = sr_take_sign(reader);
	if (!take_digits(reader, 2, &hour))
		return false;
	if (!sr_text_ended(reader))
	{
		sr_take_char(reader, ':');
		if (!take_digits(reader, 2, &minute))
			return false;
	}
	if (!sr_text_ended(reader) || hour > 15 || minute > 59)
		return false;
	*east = (hour * 60 + minute) * 60 * (west ? -1 : 1);
	return true;
}

/* yyyy-mm-dd */
static bool
take_date(TextReader *reader, int *year, int *month, int *day)
{
	return take_digits(reader, 4, year) && sr_take_char(reader, '-') &&
		take_digits(reader, 2, month) && sr_take_char(reader, '-') && take_digits(reader, 2, day);
}

/* hh:mm[:ss[.fraction]] */
static bool
take_clock(TextReader *reader, int *hour, int *minute, int *second, int64 *fraction)
{
	*second = 0;
	*fraction = 0;
	if (!take_digits(reader, 2, hour) || !sr_take_char(reader, ':') || !take_digits(reader, 2, minute))
		return false;
	if (!sr_take_char(reader, ':'))
		return true;
	return take_digits(reader, 2, second) && (!sr_take_char(reader, '.') || take_fraction(reader, fraction));
}

/* Is there such a day and such a time of day? */
static bool
exists(int year, int month, int day, int hour, int minute, int second, int64 fraction)
{
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	if (hour == 24)
		return minute == 0 && second == 0 && fraction == 0;
	return hour < 24 && minute <= 59 && second <= 60;
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
	TextReader	reader = sr_trimmed(text, length);
	int			year,
				month,
				day,
				hour,
				minute,
				second,
				east;
	int64		fraction;

	if (!sr_text_ended(&reader) && !sr_is_digit(*reader.at))
	{
		sr_take_sign(&reader);
		return sr_rest_is(&reader, "infinity") ? FAULT_INFINITE : FAULT_FORM;
	}
	if (!take_date(&reader, &year, &month, &day) ||
		!(sr_take_char(&reader, 'T') || sr_take_char(&reader, ' ') || sr_take_char(&reader, 't')) ||
		!take_clock(&reader, &hour, &minute, &second, &fraction) ||
		!take_zone(&reader, &east))
		return FAULT_FORM;
	if (!exists(year, month, day, hour, minute, second, fraction))
		return FAULT_RANGE;

	*microseconds = ((int64) (days_from_date(year, month, day) - DAYS_TO_2000) * SECONDS_PER_DAY +
					 (hour * 60 + minute) * 60 + second - east) * US_PER_SECOND + fraction;
	return FAULT_NONE;
}
