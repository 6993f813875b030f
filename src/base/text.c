/*
 * text.c: tokens, integers and numbers from text, without errors.
 */
#include "base/text.h"

#include <errno.h>
#include <math.h>

#define LONGEST_NUMBER 1000		/* characters; no double needs more than 800 to be told from its neighbours */

/* Is the rest this word, given in lower case, in any case? */
bool
sr_rest_is(const TextReader *reader, const char *word)
{
	const char *p = reader->at;

	for (; p < reader->end && *word; p++, word++)
		if ((*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p) != *word)
			return false;
	return p == reader->end && *word == '\0';
}

/* Steps over white space, and over a token if that comes next. */
bool
sr_take_token(TextReader *reader, const char *token)
{
	size_t		length = strlen(token);

	sr_skip_space(reader);
	if ((size_t) (reader->end - reader->at) < length || memcmp(reader->at, token, length) != 0)
		return false;
	reader->at += length;
	return true;
}

/* Steps over digits; how many. */
size_t
sr_skip_digits(TextReader *reader)
{
	const char *first = reader->at;

	while (!sr_text_ended(reader) && sr_is_digit(*reader->at))
		reader->at++;
	return reader->at - first;
}

/* Digits, after a - if negative. One that does not fit is stepped over too; otherwise a fault moves nothing. */
Fault
sr_take_integer(TextReader *reader, int64 *value)
{
	const char *first = reader->at;
	bool		negative = sr_take_char(reader, '-');
	bool		fits = true;
	int64		sum = 0;

	if (sr_text_ended(reader) || !sr_is_digit(*reader->at))
	{
		reader->at = first;
		return FAULT_FORM;
	}
	for (; !sr_text_ended(reader) && sr_is_digit(*reader->at); reader->at++)
	{
		int			digit = *reader->at - '0';

		/* downwards: there is one more number below zero than above */
		fits = fits && !__builtin_mul_overflow(sum, 10, &sum) && !__builtin_sub_overflow(sum, digit, &sum);
	}
	if (!fits || (!negative && __builtin_sub_overflow(0, sum, &sum)))
		return FAULT_RANGE;
	*value = sum;
	return FAULT_NONE;
}

/* Steps over a decimal number: a sign, digits with or without a point, an exponent. */
static bool
skip_number(TextReader *reader)
{
	size_t		digits;

	sr_take_sign(reader);
	digits = sr_skip_digits(reader);
	if (sr_take_char(reader, '.'))
		digits += sr_skip_digits(reader);
	if (digits == 0)
		return false;
	if (sr_take_char(reader, 'e') || sr_take_char(reader, 'E'))
	{
		sr_take_sign(reader);
		return sr_skip_digits(reader) > 0;
	}
	return true;
}

/*
 * A finite decimal number. -0 gives 0: which of two equal numbers was read must not
 * show. One out of range is stepped over too; otherwise a fault moves nothing.
 */
Fault
sr_take_number(TextReader *reader, double *value)
{
	const char *first = reader->at;
	char		copy[LONGEST_NUMBER + 1];
	size_t		length;
	char	   *end;

	if (!skip_number(reader) || reader->at - first > LONGEST_NUMBER)
	{
		reader->at = first;
		return FAULT_FORM;
	}

	/* strtod wants an end, and reads the form above correctly rounded */
	length = reader->at - first;
	memcpy(copy, first, length);
	copy[length] = '\0';
	errno = 0;
	*value = strtod(copy, &end);
	if (*end != '\0')
	{
		reader->at = first;
		return FAULT_FORM;
	}
	/* denormal numbers may set errno too, but are numbers */
	if (errno == ERANGE && (*value == 0 || isinf(*value)))
		return FAULT_RANGE;
	if (*value == 0)
		*value = 0;
	return FAULT_NONE;
}

/*
 * A whole number: digits with or without a sign, and with or without a fraction
 * of zeros, which is how other programs write whole numbers that may be missing.
 */
Fault
sr_parse_whole(const char *text, size_t length, int64 *value)
{
	TextReader	reader = sr_trimmed(text, length);
	int64		whole;
	Fault		fault;

	if (sr_take_char(&reader, '+') && !sr_text_ended(&reader) && *reader.at == '-')
		return FAULT_FORM;
	fault = sr_take_integer(&reader, &whole);
	if (fault == FAULT_FORM)
		return FAULT_FORM;
	if (sr_take_char(&reader, '.'))
		while (sr_take_char(&reader, '0'))
			 /* a fraction of nothing */ ;
	if (!sr_text_ended(&reader))
		return FAULT_FORM;
	if (fault == FAULT_NONE)
		*value = whole;
	return fault;
}

/*
 * The digits of a whole number of any size, in any form of sr_parse_whole: without zeros in front, after
 * a - below zero. There are at most so many; the buffer holds two characters more.
 */
Fault
sr_parse_digits(const char *text, size_t length, size_t most, char *digits)
{
	TextReader	reader = sr_trimmed(text, length);
	bool		negative = sr_take_sign(&reader);
	const char *first;
	size_t		count;

	if (sr_text_ended(&reader) || !sr_is_digit(*reader.at))
		return FAULT_FORM;
	while (reader.end - reader.at > 1 && *reader.at == '0' && sr_is_digit(reader.at[1]))
		reader.at++;
	first = reader.at;
	count = sr_skip_digits(&reader);
	if (sr_take_char(&reader, '.'))
		while (sr_take_char(&reader, '0'))
			 /* a fraction of nothing */ ;
	if (!sr_text_ended(&reader))
		return FAULT_FORM;
	if (count > most)
		return FAULT_RANGE;
	if (negative && *first != '0')
		*digits++ = '-';
	memcpy(digits, first, count);
	digits[count] = '\0';
	return FAULT_NONE;
}

/* A decimal number, in any form of sr_take_number; NaN and infinities are told apart. */
Fault
sr_parse_number(const char *text, size_t length, double *value)
{
	TextReader	reader = sr_trimmed(text, length);
	TextReader	unsigned_part = reader;
	double		number;
	Fault		fault;

	sr_take_sign(&unsigned_part);
	if (sr_rest_is(&unsigned_part, "nan"))
		return FAULT_NAN;
	if (sr_rest_is(&unsigned_part, "infinity") || sr_rest_is(&unsigned_part, "inf"))
		return FAULT_INFINITE;
	fault = sr_take_number(&reader, &number);
	if (!sr_text_ended(&reader))
		return FAULT_FORM;
	if (fault == FAULT_NONE)
		*value = number;
	return fault;
}
