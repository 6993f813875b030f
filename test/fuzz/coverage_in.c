/*
 * Text input: whatever is accepted is canonical, and its text and its binary form
 * read back as the same bytes.
 */
#include "shim.h"

#include "lib/stringinfo.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);
	Coverage   *volatile c = NULL;

	memcpy(text, data, size);
	text[size] = '\0';
	if (sigsetjmp(shim_error, 0) == 0)
	{
		char	   *out;
		bytea	   *sent;
		StringInfoData message;
		Coverage   *again;

		c = (Coverage *) DatumGetPointer(shim_call(coverage_in, CStringGetDatum(text)));
		shim_check_coverage(c);
		out = DatumGetCString(shim_call(coverage_out, PointerGetDatum(c)));
		again = (Coverage *) DatumGetPointer(shim_call(coverage_in, CStringGetDatum(out)));
		shim_require(memcmp(c, again, VARSIZE(c)) == 0, "in(out(c)) = c");
		sent = DatumGetByteaPP(shim_call(coverage_send, PointerGetDatum(c)));
		message.data = VARDATA(sent);
		message.len = message.maxlen = VARSIZE(sent) - VARHDRSZ;
		message.cursor = 0;
		again = (Coverage *) DatumGetPointer(shim_call(coverage_recv, PointerGetDatum(&message)));
		shim_require(memcmp(c, again, VARSIZE(c)) == 0, "recv(send(c)) = c");
	}
	else
		shim_require(c == NULL, "what was read once is read again");
	shim_reset();
	free(text);
	return 0;
}
