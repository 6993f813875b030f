/*
 * accumulate.h: the state of the aggregates that make fields.
 */
#ifndef SR_ACCUMULATE_H
#define SR_ACCUMULATE_H

#include "coverage/rows.h"
#include "grid/diff.h"
#include "grid/sweep.h"

/* Packed states that wait at most. */
#define MAX_PACKED 8

typedef struct FieldState
{
	int			order;
	bool		of_fields;		/* fields are summed, not weights */
	double		total;			/* of the weights so far, or the largest magnitudes of the fields; exact */
	Diff	   *diff;
	MemoryContext context;
	WeightedDisc *pending;		/* not in diff yet */
	int64		npending;
	int64		capacity;
	PackedRows	packed[MAX_PACKED];	/* not in diff yet */
	int			npacked;
	const char *received;		/* discs of a serialised state, which may lie at any address */
	int64		nreceived;
} FieldState;

extern FieldState *sr_state_create(int order, bool of_fields);
extern void sr_state_reserve(FieldState *state, int64 more);
extern void sr_state_add_total(FieldState *state, double weight);
extern void sr_state_unpack(FieldState *state);
extern void sr_state_merge(FieldState *into, const FieldState *from);

/* One more disc. */
static inline void
state_add_disc(FieldState *state, const Disc *disc, double weight)
{
	WeightedDisc *last;

	if (unlikely(state->npending == state->capacity))
		sr_state_reserve(state, 1);
	last = &state->pending[state->npending++];
	last->disc = *disc;
	last->weight = weight;
}

#endif							/* SR_ACCUMULATE_H */
