/*
 * focal.c: a field of the sums of another over the discs around its cells.
 */
#include "coverage/coverage.h"

#include "base/fixed.h"
#include "coverage/builder.h"
#include "coverage/check.h"
#include "coverage/runs.h"
#include "grid/focal.h"

/* The field being built, and what its last cell so far has. */
typedef struct FocalField
{
	CoverageBuilder builder;
	int			shift;
	int128		last;
} FocalField;

/* Adds the cells of a ring. Neighbours that differ may still round to one value: the builder sees to it. */
static void
take_sums(void *arg, const HpxRing *ring, int32 from, int32 to, const int128 *sums)
{
	FocalField *f = arg;

	if (from > 0 || to == 0)
		builder_add(&f->builder, ring->start, f->last = 0);
	for (int32 j = from; j < to; j++)
		if (sums[j] != f->last || f->builder.nruns == 0)
		{
			f->last = sums[j];
			builder_add(&f->builder, ring->start + j, from_fixed(f->last, f->shift));
		}
	if (to > 0 && to < ring->ncell)
		builder_add(&f->builder, ring->start + to, f->last = 0);
}

/* coverage_focal_sum(c, radius_m): for every cell the sum over the disc around its centre */
SR_FUNCTION(coverage_focal_sum);
Datum
coverage_focal_sum(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	Disc		disc = {.radius = PG_GETARG_FLOAT8(1)};
	FocalField	f = {0};

	check_disc(&disc);
	f.shift = fixed_shift(coverage_largest(c));
	sr_builder_init(&f.builder, c->order, 2 * (int64) c->nruns);
	sr_focal_sums(sr_hpx_grid(c->order), disc.radius, c->nruns, COVERAGE_STARTS(c), c->values, f.shift, take_sums, &f);
	PG_RETURN_POINTER(sr_builder_finish(&f.builder));
}
