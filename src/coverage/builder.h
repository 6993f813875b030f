/*
 * builder.h: making a field run by run, in its one form.
 */
#ifndef SR_BUILDER_H
#define SR_BUILDER_H

#include "coverage/coverage.h"

/*
 * Builds a coverage run by run, in the memory of the finished value: the values
 * where they stay, the starts behind room for all the values there may be.
 */
typedef struct CoverageBuilder
{
	Coverage   *c;
	int			order;
	int64		nruns;
	int64		capacity;
	double	   *values;
	uint32	   *starts;
} CoverageBuilder;

extern void sr_builder_init(CoverageBuilder *b, int order, int64 capacity);
extern void sr_builder_grow(CoverageBuilder *b);
extern Coverage *sr_builder_finish(CoverageBuilder *b);
pg_noreturn extern void sr_builder_out_of_range(double value);

/* Appends a run; starts ascend from 0. Equal neighbours become one run. */
static inline void
builder_add(CoverageBuilder *b, int64 start, double value)
{
	value += 0.0;				/* -0 becomes 0 */
	if (unlikely(!(value - value == 0.0)))
		sr_builder_out_of_range(value);
	if (b->nruns > 0 && b->values[b->nruns - 1] == value)
		return;
	if (unlikely(b->nruns == b->capacity))
		sr_builder_grow(b);
	b->values[b->nruns] = value;
	b->starts[b->nruns] = (uint32) start;
	b->nruns++;
}

#endif							/* SR_BUILDER_H */
