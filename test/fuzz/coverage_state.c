/*
 * States of the aggregates that make fields, as another process would send them. Whatever
 * is accepted can be finished, written and read again, and is then the same field. With a
 * first byte of 1 the rest are additions to a state instead: what is written is accepted,
 * and is the same field on the other side.
 */
#include "shim.h"

#include "coverage/accumulate.h"
#include "coverage/finish.h"
#include "coverage/wire.h"

#include "lib/stringinfo.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Finer grids only take longer. */
#define MOST_ORDER 6

/* A copy of just this size, so that what is read beside it shows. */
static FieldState *
read_copy(const char *at, size_t size)
{
	char	   *copy = sr_alloc(size);

	memcpy(copy, at, size);
	return sr_state_read(copy, copy + size);
}

/* Goes through bytes and back, and into an empty state, as in a plan with workers. */
static Coverage *
through_wire(FieldState *state)
{
	StringInfoData buf;
	FieldState *into = sr_state_create(state->order, state->of_fields);

	initStringInfo(&buf);
	sr_state_write(&buf, state);
	sr_state_merge(into, read_copy(buf.data, buf.len));
	return sr_state_finish(into);
}

/* A state made of additions: a cell, how many of them or a radius, and a value in some unit. */
static FieldState *
make_state(const uint8_t *data, size_t size)
{
	int			order = data[0] % (MOST_ORDER + 1);
	int64		ncell = INT64_C(12) << (2 * order);
	bool		of_fields = data[0] & 0x80;
	bool		with_discs = !of_fields && (data[0] & 0x40);
	FieldState *state = sr_state_create(order, of_fields);

	for (size_t i = 1; i + 12 <= size; i += 12)
	{
		uint32		first,
					length;
		int32		v;
		double		value;

		memcpy(&first, data + i, sizeof(first));
		memcpy(&length, data + i + 4, sizeof(length));
		memcpy(&v, data + i + 8, sizeof(v));
		first %= ncell;
		length %= ncell - first;
		/* 24 bits of value, and of the rest a shift */
		value = ldexp((double) (v >> 8), (v & 31) - 16);
		if (!of_fields)
			value = fabs(value);
		sr_state_add_total(state, fabs(value));
		if (with_discs && value > 0)
		{
			Disc		disc = {360.0 * first / ncell - 180, 180.0 * length / ncell - 90, 1 + (double) (v >> 8 & 0xffff) * 50};

			state_add_disc(state, &disc, value);
		}
		else
			diff_add(state->diff, first, first + length, value);
	}
	return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool		made = size > 0 && data[0] == 1;
	FieldState *volatile state = NULL;

	if (size < 2 || (!made && data[1] > MOST_ORDER && data[1] <= SR_MAX_ORDER))
		return 0;
	if (sigsetjmp(shim_error, 0) == 0)
	{
		FieldState *into;
		Coverage   *c;

		state = made ? make_state(data + 1, size - 1) : read_copy((const char *) data, size);
		into = sr_state_create(state->order, state->of_fields);
		sr_state_merge(into, state);
		c = sr_state_finish(into);
		shim_check_coverage(c);
		shim_require(memcmp(c, through_wire(into), VARSIZE(c)) == 0, "a state through bytes and back is the same field");
	}
	else
		shim_require(state == NULL, "what was accepted can be finished and sent");
	shim_reset();
	return 0;
}
