/*
 * bits.h: a bit stream with Elias gamma codes, lowest bit first, for stored values.
 *
 * The reader never leaves its bytes: a value that ends too soon is an error.
 */
#ifndef SR_BITS_H
#define SR_BITS_H

#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

#include "base/array.h"

typedef struct BitWriter
{
	SR_ARRAY(uint8) bytes;		/* written whole */
	uint64		pending;
	int			pending_bits;	/* < 64 */
} BitWriter;

typedef struct BitReader
{
	const uint8 *data;
	uint64		position;		/* in bits */
	uint64		end;
	int			sqlstate;		/* of the error for bits that make no sense */
} BitReader;

/* Refuses what cannot have been written by us. */
static inline void
sr_bits_fail(const BitReader *reader, const char *detail)
{
	ereport(ERROR,
			(errcode(reader->sqlstate),
			 errmsg("invalid telemetry_summary"),
			 errdetail_internal("%s", detail)));
}

/* A word as it is stored, the lowest byte first, and back. */
static inline uint64
sr_bits_swap(uint64 word)
{
#ifdef WORDS_BIGENDIAN
	return pg_bswap64(word);
#else
	return word;
#endif
}

/* Appends the low count bits (1 to 64) of value; the higher ones are zero. */
static inline void
sr_bits_put(BitWriter *writer, uint64 value, int count)
{
	writer->pending |= value << writer->pending_bits;
	if (writer->pending_bits + count < 64)
	{
		writer->pending_bits += count;
		return;
	}

	writer->pending = sr_bits_swap(writer->pending);
	sr_array_append(&writer->bytes, &writer->pending, sizeof(uint64));
	writer->pending = writer->pending_bits > 0 ? value >> (64 - writer->pending_bits) : 0;
	writer->pending_bits += count - 64;
}

/* Appends value ≥ 1 in 2 log2(value) + 1 bits. */
static inline void
sr_bits_put_gamma(BitWriter *writer, uint64 value)
{
	int			length = pg_leftmost_one_pos64(value);
	uint64		one = UINT64CONST(1) << length;

	if (likely(length < 32))
		sr_bits_put(writer, (value ^ one) << (length + 1) | one, 2 * length + 1);
	else
	{
		sr_bits_put(writer, one, length + 1);
		sr_bits_put(writer, value ^ one, length);
	}
}

/* Appends a float8 bit by bit. */
static inline void
sr_bits_put_double(BitWriter *writer, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	sr_bits_put(writer, bits, 64);
}

/* Appends all that another writer has, and empties that. */
static inline void
sr_bits_move(BitWriter *from, BitWriter *to)
{
	for (int64 i = 0; i < from->bytes.count; i += sizeof(uint64))
	{
		uint64		word;

		if (i % 65536 == 0)
			sr_check_interrupts();
		memcpy(&word, from->bytes.items + i, sizeof(word));
		sr_bits_put(to, sr_bits_swap(word), 64);
	}
	if (from->pending_bits > 0)
		sr_bits_put(to, from->pending, from->pending_bits);
	sr_array_free(&from->bytes);
	from->pending = 0;
	from->pending_bits = 0;
}

/* Pads with zeros to a whole byte and returns the length in bytes. */
static inline Size
sr_bits_finish(BitWriter *writer)
{
	int			rest = (writer->pending_bits + 7) / 8;

	/* makes room by way of a whole word that is then taken back */
	if (rest > 0)
	{
		int64		whole = writer->bytes.count;

		sr_bits_put(writer, 0, 64);
		writer->bytes.count = whole + rest;
		writer->pending_bits = 0;
		writer->pending = 0;
	}
	return (Size) writer->bytes.count;
}

/* The next 64 bits, as zeros where there are none. */
static inline uint64
sr_bits_peek(const BitReader *reader)
{
	uint64		at = reader->position >> 3;
	uint64		size = reader->end >> 3;
	int			shift = reader->position & 7;
	uint64		word = 0;
	uint64		next = 0;

	if (at + 9 <= size)
	{
		memcpy(&word, reader->data + at, sizeof(word));
		word = sr_bits_swap(word);
		next = reader->data[at + 8];
	}
	else
	{
		for (int i = 0; i < 8 && at + i < size; i++)
			word |= (uint64) reader->data[at + i] << (8 * i);
	}
	return shift == 0 ? word : word >> shift | next << (64 - shift);
}

/* Moves on over count bits. */
static inline void
sr_bits_skip(BitReader *reader, uint64 count)
{
	if (count > reader->end - reader->position)
		sr_bits_fail(reader, "The value ends too soon.");
	reader->position += count;
}

/* Reads count bits, 1 to 64. */
static inline uint64
sr_bits_get(BitReader *reader, int count)
{
	uint64		word = sr_bits_peek(reader);

	sr_bits_skip(reader, count);
	return count == 64 ? word : word & ((UINT64CONST(1) << count) - 1);
}

/* The number that bits_put_gamma wrote as the lowest 2 * length + 1 bits of a word. */
static inline uint64
gamma_value(uint64 word, int length)
{
	uint64		one = UINT64CONST(1) << length;

	return (word >> (length + 1) & (one - 1)) | one;
}

/* Reads what bits_put_gamma wrote. */
static inline uint64
sr_bits_get_gamma(BitReader *reader)
{
	uint64		word = sr_bits_peek(reader);
	int			length;

	if (word == 0)
		sr_bits_fail(reader, "The value ends too soon, or a number in it is too large.");
	length = pg_rightmost_one_pos64(word);
	if (likely(length < 32))
	{
		sr_bits_skip(reader, 2 * length + 1);
		return gamma_value(word, length);
	}
	sr_bits_skip(reader, length + 1);
	return sr_bits_get(reader, length) | UINT64CONST(1) << length;
}

/* Reads two numbers that bits_put_gamma wrote; short ones are taken from the same word. */
static inline void
sr_bits_get_two_gammas(BitReader *reader, uint64 *first, uint64 *second)
{
	uint64		word = sr_bits_peek(reader);
	int			length = word == 0 ? 64 : pg_rightmost_one_pos64(word);

	if (likely(length < 16))
	{
		uint64		rest = word >> (2 * length + 1);
		int			rest_length = rest == 0 ? 64 : pg_rightmost_one_pos64(rest);

		if (likely(rest_length < 16))
		{
			sr_bits_skip(reader, 2 * (length + rest_length) + 2);
			*first = gamma_value(word, length);
			*second = gamma_value(rest, rest_length);
			return;
		}
	}
	*first = sr_bits_get_gamma(reader);
	*second = sr_bits_get_gamma(reader);
}

/* Reads what bits_put_double wrote. */
static inline double
sr_bits_get_double(BitReader *reader)
{
	uint64		bits = sr_bits_get(reader, 64);
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

#endif							/* SR_BITS_H */
