/*
 * text.h: reading of text that may be anything. Pure C.
 *
 * Nothing here raises an error: a value that cannot be had is told by its fault, so
 * that one bad row among millions costs no more than a good one, and whoever asked
 * says what it was for. What is accepted means the same whatever the settings of a
 * session are, and nothing is read beyond the end.
 */
#ifndef SR_TEXT_H
#define SR_TEXT_H

#include "base/port.h"

typedef enum Fault
{
	FAULT_NONE = 0,
	FAULT_FORM,					/* is not written like one */
	FAULT_RANGE,				/* is written like one but does not fit */
	FAULT_INFINITE,				/* a time or a number without end */
	FAULT_NAN
} Fault;

/* What is still to be read. */
typedef struct TextReader
{
	const char *start;
	const char *at;
	const char *end;
} TextReader;

/* A whole text as a value, which is set if there is no fault; white space at its ends is skipped. */
extern Fault sr_parse_whole(const char *text, size_t length, int64 *value);
extern Fault sr_parse_digits(const char *text, size_t length, size_t most, char *digits);
extern Fault sr_parse_number(const char *text, size_t length, double *value);

/* Parts of a text, from where the reader is. */
extern bool sr_take_token(TextReader *reader, const char *token);
extern Fault sr_take_integer(TextReader *reader, int64 *value);
extern Fault sr_take_number(TextReader *reader, double *value);
extern size_t sr_skip_digits(TextReader *reader);
extern bool sr_rest_is(const TextReader *reader, const char *word);

/* A reader at the start of a text, which need not end with a zero. */
static inline TextReader
sr_text_reader(const char *text, size_t length)
{
	return (TextReader) {text, text, text + length};
}

/* How many characters have been read. */
static inline size_t
sr_text_position(const TextReader *reader)
{
	return (size_t) (reader->at - reader->start);
}

/* Is there nothing more to be read? */
static inline bool
sr_text_ended(const TextReader *reader)
{
	return reader->at == reader->end;
}

/* Space, tab, newline, vertical tab, form feed, carriage return: as in the C locale. */
static inline bool
sr_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A decimal digit of ASCII. */
static inline bool
sr_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Steps over white space. */
static inline void
sr_skip_space(TextReader *reader)
{
	while (reader->at < reader->end && sr_is_space(*reader->at))
		reader->at++;
}

/* The text without white space at its ends. */
static inline TextReader
sr_trimmed(const char *text, size_t length)
{
	TextReader	reader = sr_text_reader(text, length);

	sr_skip_space(&reader);
	while (reader.end > reader.at && sr_is_space(reader.end[-1]))
		reader.end--;
	return reader;
}

/* Steps over the character if it comes next. */
static inline bool
sr_take_char(TextReader *reader, char c)
{
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* Steps over a + or -; true after a -. */
static inline bool
sr_take_sign(TextReader *reader)
{
	if (sr_take_char(reader, '-'))
		return true;
	sr_take_char(reader, '+');
	return false;
}

#endif							/* SR_TEXT_H */
