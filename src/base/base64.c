/*
 * base64.c: bytes as text, whole groups of three bytes and four characters.
 */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes groups; where the text ends. */
char *
sr_base64_write(char *to, const uint8 *bytes, size_t ngroups)
{
	for (; ngroups > 0; ngroups--, bytes += 3)
	{
		uint32		group = (uint32) bytes[0] << 16 | (uint32) bytes[1] << 8 | bytes[2];

		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = digits[group >> 6 & 63];
		*to++ = digits[group & 63];
	}
	return to;
}

/* What a character stands for; 64 for one that is no digit. */
static inline uint32
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Reads groups; how many characters are good before the first one that is not. */
size_t
sr_base64_read(uint8 *to, const char *text, size_t ngroups)
{
	for (size_t i = 0; i < 4 * ngroups; i += 4)
	{
		uint32		group = 0;

		for (int j = 0; j < 4; j++)
		{
			uint32		value = digit_value(text[i + j]);

			if (value == 64)
				return i + j;
			group = group << 6 | value;
		}
		*to++ = (uint8) (group >> 16);
		*to++ = (uint8) (group >> 8);
		*to++ = (uint8) group;
	}
	return 4 * ngroups;
}
