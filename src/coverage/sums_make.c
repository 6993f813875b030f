/*
 * sums_make.c: the prefix sums of a field, made once for the many questions of a query.
 *
 * They are kept for the life of the calling expression, and the field is recognised by
 * its TOAST pointer, or by its first bytes: all of a small one, and the digest of a large
 * one.
 */
#include "coverage/sums.h"

/* A ring with at most so many runs is looked through from one end to the other. */
#define FEW_RUNS_PER_RING 48

/* The form by cells: where runs have at most so many on average, and up to this much memory. */
#define SHORT_RUN 6
#define BY_CELLS_MAX_BYTES (256 * 1024 * 1024)

/* Is this datum the cached field? Reads the datum's header at most. */
static bool
is_cached(const Field *field, struct varlena *value)
{
	if (!field->valid)
		return false;
	if (VARATT_IS_EXTERNAL_ONDISK(value))
	{
		struct varatt_external toast;

		VARATT_EXTERNAL_GET_POINTER(toast, value);
		return field->external && memcmp(&toast, &field->toast, sizeof(toast)) == 0;
	}
	if (VARATT_IS_4B_U(value))
		return VARSIZE(value) == VARSIZE(field->head) &&
			memcmp(value, field->head, Min(VARSIZE(value), HEAD_SIZE)) == 0;
	return false;
}

/* Sums for runs, and the bits that find them. */
static void
build_by_runs(Field *field, const Coverage *c)
{
	const uint32 *starts = COVERAGE_STARTS(c);
	int64		nchunks = (COVERAGE_NCELL(c) >> CHUNK_BITS) + 1;
	Size		chunk_size = sizeof(Block) << (CHUNK_BITS - BLOCK_BITS);
	uint32		run = 0;
	int128		sum = 0;

	field->before = sr_alloc_large((Size) c->nruns * sizeof(int128));
	field->value = sr_alloc_large((Size) c->nruns * sizeof(double));
	field->start = sr_alloc_large((Size) c->nruns * sizeof(uint32));
	memcpy(field->start, starts, (Size) c->nruns * sizeof(uint32));
	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		field->before[i] = sum;
		field->value[i] = measured(c->values[i], field->kind);
		sum += to_fixed(field->value[i], field->shift) * run_length(c, i);
	}

	field->chunk = sr_alloc((Size) nchunks * sizeof(Chunk));
	for (int64 k = 0; k < nchunks; k++)
	{
		int64		end = (k + 1) << CHUNK_BITS;
		Block	   *blocks;

		CHECK_FOR_INTERRUPTS();
		field->chunk[k].rank = run;
		field->chunk[k].blocks = NULL;
		if (run == c->nruns || starts[run] >= end)
			continue;
		field->chunk[k].blocks = blocks = sr_alloc(chunk_size);
		for (int64 b = k << (CHUNK_BITS - BLOCK_BITS); b < end >> BLOCK_BITS; b++, blocks++)
		{
			blocks->bits = 0;
			blocks->rank = run;
			for (; run < c->nruns && starts[run] >> BLOCK_BITS == b; run++)
				blocks->bits |= UINT64_C(1) << (starts[run] & 63);
		}
	}
}

/* The runs of each ring, where none has many. */
static bool
build_ring_runs(Field *field, const Coverage *c)
{
	const HpxGrid *grid = sr_hpx_grid(c->order);
	const uint32 *starts = COVERAGE_STARTS(c);
	uint32		run = 0;

	field->ring_run = NULL;
	if (c->nruns / 16 > (uint32) grid->nring)
		return false;
	field->ring_run = sr_alloc(((Size) grid->nring + 1) * sizeof(uint32));
	for (int32 i = 0; i < grid->nring; i++)
	{
		uint32		first = run;

		CHECK_FOR_INTERRUPTS();
		field->ring_run[i] = run;
		while (run < c->nruns && starts[run] < grid->ring[i].start + grid->ring[i].ncell)
			run++;
		if (run - first > FEW_RUNS_PER_RING)
		{
			pfree(field->ring_run);
			field->ring_run = NULL;
			return false;
		}
	}
	field->ring_run[grid->nring] = run;
	return true;
}

/* Cells that are not zero. */
static int64
nonzero_cells(const Coverage *c)
{
	int64		n = 0;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		if (c->values[i] != 0)
			n += run_length(c, i);
	}
	return n;
}

/* Sums for cells, if the field is one for them. */
static bool
build_by_cells(Field *field, const Coverage *c)
{
	if (nonzero_cells(c) / SHORT_RUN > c->nruns)
		return false;
	sr_tiles_layout(&field->tiles, sr_hpx_grid(c->order), c->nruns, COVERAGE_STARTS(c), c->values);
	if (tiles_size(&field->tiles) > BY_CELLS_MAX_BYTES)
	{
		sr_tiles_free(&field->tiles);
		return false;
	}
	sr_tiles_fill(&field->tiles, c->nruns, COVERAGE_STARTS(c), c->values, field->kind == FIELD_NONZERO, field->shift);
	return true;
}

/* The coverage argument with its prefix sums, made once for a run of equal values. */
Field *
sr_field_argument(FunctionCallInfo fcinfo, int argno, FieldKind kind)
{
	Field	   *field = fcinfo->flinfo->fn_extra;
	struct varlena *value = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(argno));
	Coverage   *c;
	MemoryContext old;

	if (field == NULL)
	{
		field = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Field));
		field->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											   "coverage field", ALLOCSET_DEFAULT_SIZES);
		field->kind = kind;
		fcinfo->flinfo->fn_extra = field;
	}
	if (is_cached(field, value))
		return field;

	/* make room before the new value is unpacked */
	if (!VARATT_IS_4B_U(value) && VARATT_IS_EXTERNAL(value))
	{
		field->valid = false;
		MemoryContextReset(field->context);
	}
	c = PG_GETARG_COVERAGE(argno);
	if ((struct varlena *) c != value && is_cached(field, (struct varlena *) c))
	{
		pfree(c);
		return field;
	}
	field->valid = false;		/* stays so if we fail below */
	MemoryContextReset(field->context);
	field->chunk = NULL;
	field->ring_run = NULL;
	field->by_cells = false;
	field->order = c->order;
	memcpy(field->head, c, Min(VARSIZE(c), HEAD_SIZE));
	field->external = VARATT_IS_EXTERNAL_ONDISK(value);
	if (field->external)
		VARATT_EXTERNAL_GET_POINTER(field->toast, value);
	field->shift = coverage_shift(c, kind);
	old = MemoryContextSwitchTo(field->context);
	if (kind != FIELD_SINGLE && !build_ring_runs(field, c))
		field->by_cells = build_by_cells(field, c);
	if (!field->by_cells)
		build_by_runs(field, c);
	MemoryContextSwitchTo(old);
	field->valid = true;
	if ((struct varlena *) c != value)
		pfree(c);
	return field;
}
