/*
 * Summaries from outside: as text if the input begins with a brace, as a state of the aggregates
 * if it begins with 255, else one or two in binary form. What is accepted is canonical: sent and
 * written it is the same value again, and so it is after a way through the aggregates, in
 * which two may be merged in either order.
 */
#include "shim.h"

#include "telemetry/state.h"

#include "lib/stringinfo.h"

extern Datum sr_telemetry_in(PG_FUNCTION_ARGS);
extern Datum sr_telemetry_out(PG_FUNCTION_ARGS);
extern Datum sr_telemetry_recv(PG_FUNCTION_ARGS);
extern Datum sr_telemetry_send(PG_FUNCTION_ARGS);
extern Datum sr_telemetry_serialize(PG_FUNCTION_ARGS);
extern Datum sr_telemetry_deserialize(PG_FUNCTION_ARGS);

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A first byte that says that a state follows. */
#define STATE 255

/* Sets of more words of slots only take memory. */
#define MOST_WORDS 100000

static bool
same(const TelemetrySummary *a, const TelemetrySummary *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) == 0;
}

/* Reads a binary summary, of which there is just this much. */
static TelemetrySummary *
receive(const uint8_t *data, size_t size)
{
	StringInfoData message;

	message.data = palloc(size);
	memcpy(message.data, data, size);
	message.len = message.maxlen = (int) size;
	message.cursor = 0;
	return (TelemetrySummary *) DatumGetPointer(shim_call(sr_telemetry_recv, PointerGetDatum(&message)));
}

static int64
words_of_slots(const TelemetrySummary *summary)
{
	SlotReader	slots;
	int64		n = 0;

	sr_slots_begin(&slots, summary, ERRCODE_INTERNAL_ERROR);
	while (n <= MOST_WORDS && sr_slots_next(&slots))
	{
		n += Min((int64) (slots.full + slots.literals), MOST_WORDS + 1);
		if (slots.literals > 0)
			sr_bits_skip(&slots.bits, slots.literals * 64);
	}
	return n;
}

/* A state as another process sends it. */
static TelemetryState *
receive_state(const bytea *sent)
{
	LOCAL_FCINFO(fcinfo, 2);

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = PointerGetDatum(sent);
	fcinfo->args[0].isnull = false;
	return (TelemetryState *) DatumGetPointer(sr_telemetry_deserialize(fcinfo));
}

/* Both in one state, of which the second comes from another process. */
static TelemetrySummary *
merged(const TelemetrySummary *a, const TelemetrySummary *b)
{
	TelemetryState *state = sr_state_make(NULL, a->slot_us);
	TelemetryState *other = sr_state_make(NULL, b->slot_us);
	bytea	   *sent;

	sr_state_add_summary(state, NULL, a);
	sr_state_add_summary(other, NULL, b);
	sent = DatumGetByteaPP(shim_call(sr_telemetry_serialize, PointerGetDatum(other)));
	sr_state_add_state(state, NULL, receive_state(sent));
	return sr_state_summary(state);
}

/* What holds for a value that was accepted. */
static void
check(const TelemetrySummary *summary)
{
	bytea	   *sent = DatumGetByteaPP(shim_call(sr_telemetry_send, PointerGetDatum(summary)));
	char	   *out = DatumGetCString(shim_call(sr_telemetry_out, PointerGetDatum(summary)));
	TelemetryState *state;

	shim_require(same(summary, receive((uint8_t *) VARDATA(sent), VARSIZE(sent) - VARHDRSZ)), "recv(send(s)) = s");
	shim_require(same(summary, (TelemetrySummary *) DatumGetPointer(shim_call(sr_telemetry_in, CStringGetDatum(out)))), "in(out(s)) = s");
	if (words_of_slots(summary) > MOST_WORDS)
		return;
	state = sr_state_make(NULL, summary->slot_us);
	sr_state_add_summary(state, NULL, summary);
	shim_require(same(summary, sr_state_summary(state)), "a rollup of one is that one");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TelemetrySummary *volatile a = NULL;
	TelemetrySummary *volatile b = NULL;
	volatile bool merging = false;

	if (size == 0)
		return 0;
	if (sigsetjmp(shim_error, 0) == 0)
	{
		/* the first byte says how long the first one is, if there are two */
		size_t		first = data[0] == 0 || data[0] >= size ? size - 1 : data[0];

		if (data[0] == '{')
		{
			char	   *text = palloc(size + 1);

			memcpy(text, data, size);
			text[size] = '\0';
			a = (TelemetrySummary *) DatumGetPointer(shim_call(sr_telemetry_in, CStringGetDatum(text)));
		}
		else if (data[0] == STATE)
		{
			bytea	   *sent = palloc(VARHDRSZ + size - 1);

			SET_VARSIZE(sent, VARHDRSZ + size - 1);
			memcpy(VARDATA(sent), data + 1, size - 1);
			a = sr_state_summary(receive_state(sent));
		}
		else
		{
			a = receive(data + 1, first);
			check(a);
			if (first + 1 < size)
				b = receive(data + 1 + first, size - 1 - first);
		}
		if (b == NULL)
			check(a);
		else if (words_of_slots(a) <= MOST_WORDS && words_of_slots(b) <= MOST_WORDS)
		{
			TelemetrySummary *ab;

			check(b);
			merging = true;		/* other slots, or too many samples */
			ab = merged(a, b);
			merging = false;
			check(ab);
			shim_require(same(ab, merged(b, a)), "a and b merged are b and a merged");
		}
	}
	else
		shim_require(merging || a == NULL || (data[0] != '{' && data[0] != STATE && b == NULL && data[0] < size), "what was accepted can be used");
	shim_reset();
	return 0;
}
