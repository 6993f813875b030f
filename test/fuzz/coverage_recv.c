/*
 * Binary input: whatever is accepted is canonical, was read to its end, and is sent as
 * the same bytes again; its text reads back as it too.
 */
#include "shim.h"

#include "base/base64.h"

#include "lib/stringinfo.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text form that large fields have. */
static char *
base64_text(const Coverage *c, const uint8 *sent)
{
	size_t		ngroups = (VARSIZE(sent - VARHDRSZ) - VARHDRSZ) / 3;
	char	   *text = palloc(4 * ngroups + 4);
	char	   *at = text + sprintf(text, "%d:", c->order);

	*sr_base64_write(at, sent, ngroups) = '\0';
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	StringInfoData message;
	Coverage   *volatile c = NULL;

	/* a copy of just this size: a message is followed by a null byte, which nobody may read */
	message.data = malloc(size ? size : 1);
	memcpy(message.data, data, size);
	message.len = message.maxlen = (int) size;
	message.cursor = 0;
	if (sigsetjmp(shim_error, 0) == 0)
	{
		bytea	   *sent;
		char	   *out;
		Coverage   *again;

		c = (Coverage *) DatumGetPointer(shim_call(coverage_recv, PointerGetDatum(&message)));
		shim_check_coverage(c);
		sent = DatumGetByteaPP(shim_call(coverage_send, PointerGetDatum(c)));
		/* the server itself refuses what is left over */
		shim_require((int) (VARSIZE(sent) - VARHDRSZ) == message.cursor, "send gives what recv took, in size");
		shim_require(memcmp(VARDATA(sent), data, message.cursor) == 0, "send gives what recv took");
		out = DatumGetCString(shim_call(coverage_out, PointerGetDatum(c)));
		again = (Coverage *) DatumGetPointer(shim_call(coverage_in, CStringGetDatum(out)));
		shim_require(memcmp(c, again, VARSIZE(c)) == 0, "in(out(c)) = c");
		again = (Coverage *) DatumGetPointer(shim_call(coverage_in, CStringGetDatum(base64_text(c, (const uint8 *) VARDATA(sent)))));
		shim_require(memcmp(c, again, VARSIZE(c)) == 0, "what base64 of the binary form says is c");
	}
	else
		shim_require(c == NULL, "what was read once is read again");
	shim_reset();
	free(message.data);
	return 0;
}
