/*
 * builder.c: making a field run by run, in its one form.
 */
#include "coverage/builder.h"

#include "coverage/digest.h"

#include "common/shortest_dec.h"

void
sr_builder_out_of_range(double value)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("coverage value out of range: %s", double_to_shortest_decimal(value)),
			 errdetail("A cell's value is always a finite number.")));
}

/* Points into the builder's memory for its capacity. */
static void
builder_layout(CoverageBuilder *b)
{
	b->values = b->c->values;
	b->starts = (uint32 *) (b->c->values + b->capacity);
}

void
sr_builder_init(CoverageBuilder *b, int order, int64 capacity)
{
	b->order = order;
	b->nruns = 0;
	b->capacity = Max(16, Min(capacity, COVERAGE_MAX_RUNS));
	b->c = sr_alloc_large(COVERAGE_SIZE(b->capacity));
	builder_layout(b);
}

void
sr_builder_grow(CoverageBuilder *b)
{
	int64		old = b->capacity;

	CHECK_FOR_INTERRUPTS();
	if (b->nruns >= COVERAGE_MAX_RUNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("coverage of order %d has more than " INT64_FORMAT " runs of equal values", b->order, COVERAGE_MAX_RUNS),
				 errdetail("Its text form would be larger than 1 GB, and could not be dumped."),
				 errhint("Use a lower grid_order, such as %d.", Max(b->order - 1, 0))));
	b->capacity = Min(2 * b->capacity, COVERAGE_MAX_RUNS);
	b->c = sr_realloc_large(b->c, COVERAGE_SIZE(b->capacity));
	builder_layout(b);
	memmove(b->starts, b->c->values + old, (Size) b->nruns * sizeof(uint32));
}

Coverage *
sr_builder_finish(CoverageBuilder *b)
{
	Size		size = COVERAGE_SIZE(b->nruns);
	Coverage   *c = b->c;

	Assert(b->nruns > 0);
	memmove(c->values + b->nruns, b->starts, (Size) b->nruns * sizeof(uint32));
	if (b->nruns < b->capacity)
		c = repalloc_huge(c, size);
	SET_VARSIZE(c, size);
	c->flags = COVERAGE_VERSION;
	c->order = b->order;
	c->nruns = (uint32) b->nruns;
	sr_coverage_digest(c->order, c->nruns, c->values, COVERAGE_STARTS(c), c->digest);
	return c;
}
