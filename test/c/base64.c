/*
 * Base64 against the vectors of RFC 4648, and every byte in every place.
 */
#include "base/base64.h"

#include "tap.h"

static void
both_ways(const char *bytes, const char *text)
{
	size_t		ngroups = strlen(bytes) / 3;
	char		out[64] = {0};
	uint8		in[64] = {0};

	ok(sr_base64_write(out, (const uint8 *) bytes, ngroups) == out + 4 * ngroups && strcmp(out, text) == 0, "\"%s\" is \"%s\"", bytes, text);
	ok(sr_base64_read(in, text, ngroups) == 4 * ngroups && memcmp(in, bytes, 3 * ngroups) == 0, "and back");
}

int
main(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int			wrong = 0;
	uint8		in[6];

	both_ways("", "");
	both_ways("foo", "Zm9v");
	both_ways("foobar", "Zm9vYmFy");
	both_ways("\xff\xff\xff\xfb\xf0\x3f", "////+/A/");

	for (int place = 0; place < 3; place++)
		for (int byte = 0; byte < 256; byte++)
		{
			uint8		group[3] = {0};
			char		text[4];

			group[place] = (uint8) byte;
			sr_base64_write(text, group, 1);
			wrong += sr_base64_read(in, text, 1) != 4 || memcmp(in, group, 3) != 0;
		}
	ok(wrong == 0, "every byte in every place");

	for (int place = 0; place < 8; place++)
		for (int c = 0; c < 256; c++)
		{
			char		text[] = "AAAAAAAA";
			bool		good = c != 0 && strchr(digits, c) != NULL;

			text[place] = (char) c;
			wrong += sr_base64_read(in, text, 2) != (size_t) (good ? 8 : place);
		}
	ok(wrong == 0, "what is no digit is found where it stands");
	return tap_done();
}
