/*
 * wire.c: the state of an aggregate as bytes, for another process of this server or of
 * a like one: a head, the discs that wait, and the difference array as rows.
 *
 * What comes back is not trusted: every part of it is checked before it is used.
 */
#include "coverage/wire.h"

#include "coverage/check.h"

#include <float.h>

#define STATE_VERSION 4

typedef struct StateHead
{
	uint8		version;		/* reads as another one in the other byte order */
	uint8		order;
	uint8		of_fields;
	uint8		reserved;		/* 0 */
	uint32		npending;
	double		total;
} StateHead;

#ifdef WORDS_BIGENDIAN
#define STATE_ID (STATE_VERSION | 0x80)
#else
#define STATE_ID STATE_VERSION
#endif

/*
 * Appends a state. Discs that wait travel as they are: they are less than what they
 * cover, and are then swept together with those of others.
 */
void
sr_state_write(StringInfo buf, FieldState *state)
{
	StateHead	head = {.version = STATE_ID};
	Size		size = VARHDRSZ + sizeof(head) + state->npending * sizeof(WeightedDisc) + 1;

	/* what was read has been merged into another */
	Assert(state->nreceived == 0);
	sr_state_unpack(state);
	head.order = (uint8) state->order;
	head.of_fields = state->of_fields;
	head.npending = (uint32) state->npending;
	head.total = state->total;

	if (size > (Size) buf->maxlen)
	{
		buf->data = sr_realloc_large(buf->data, size);
		buf->maxlen = (int) size;
	}
	appendBinaryStringInfo(buf, (char *) &head, sizeof(head));
	if (state->npending > 0)
		appendBinaryStringInfo(buf, (char *) state->pending, (int) (state->npending * sizeof(WeightedDisc)));
	sr_rows_write(buf, state->diff);
}

/* Stops at bytes that sr_state_write does not write. */
static void
bad_state(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid coverage state: %s", what)));
}

/* Steps over so many bytes. */
static const char *
take(const char **at, const char *end, Size size)
{
	const char *p = *at;

	if ((Size) (end - p) < size)
		bad_state("it ends early");
	*at = p + size;
	return p;
}

/* A multiple of 2^-16 from 0 to a limit? Not so if it is no number. */
static bool
is_weight(double weight, double limit)
{
	return weight >= 0 && weight <= limit && rint(weight * WEIGHT_SCALE) == weight * WEIGHT_SCALE;
}

/* Checks the discs of a state; what of its total is not theirs. */
static double
check_received(const FieldState *state)
{
	double		left = state->total;

	for (int64 i = 0; i < state->nreceived; i++)
	{
		WeightedDisc d;

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		memcpy(&d, state->received + i * sizeof(d), sizeof(d));
		if (!(fabs(d.disc.lat) <= 90.0) || !(fabs(d.disc.lon) <= DBL_MAX) ||
			!(d.disc.radius > 0 && d.disc.radius <= SR_MAX_RADIUS) ||
			d.weight == 0 || !is_weight(d.weight, left))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid coverage state: a disc of radius %g m and weight %g at longitude %g, latitude %g",
							d.disc.radius, d.weight, d.disc.lon, d.disc.lat)));
		left -= d.weight;
	}
	return left;
}

/*
 * The state that is in these bytes. Leaves discs and rows where they are: they stay
 * valid until the state is combined with another, which follows at once.
 */
FieldState *
sr_state_read(const char *at, const char *end)
{
	FieldState *state;
	StateHead	head;

	memcpy(&head, take(&at, end, sizeof(head)), sizeof(head));
	if (head.version != STATE_ID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported coverage state version %d", head.version),
				 errhint("All nodes of a cluster must run the same version of swarm_reward, on one kind of processor.")));
	check_order(head.order);
	if (head.of_fields > 1 || head.reserved != 0 || (head.of_fields && head.npending > 0))
		bad_state("a head of no known form");
	if (!is_weight(head.total, head.of_fields ? FIELD_LIMIT : WEIGHT_LIMIT))
		bad_state("a total beyond the limit");
	state = sr_state_create(head.order, head.of_fields);
	state->total = head.total;
	state->nreceived = head.npending;
	state->received = take(&at, end, (Size) head.npending * sizeof(WeightedDisc));
	state->packed[0] = sr_rows_check(at, end, INT64_C(12) << (2 * head.order), check_received(state));
	state->npacked = 1;
	return state;
}
