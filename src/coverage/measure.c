/*
 * measure.c: numbers out of fields: sums and areas, in all, in a
 * region or in a disc, and the value at a point.
 *
 * Sums are exact: values are taken as 128-bit fixed-point numbers scaled to the
 * largest of them, so a prefix sum answers any interval of cells with one
 * subtraction, no order of additions matters, and only the final result is
 * rounded to a float8. A value more than 2^42 times smaller than the largest
 * loses bits below 2^-95 of that largest one.
 *
 * A query usually asks one field many questions. Its prefix sums are therefore
 * kept for the life of the calling expression, and the field is recognised by
 * its TOAST pointer, or by its first bytes: all of a small one, and the digest of
 * a large one. There are two forms:
 * one sum for each run, and a bit for each cell where a run starts, so that
 * counting bits finds the run; or, for fields of mostly short runs, sums for
 * cells (tiles.c).
 */
#include "coverage/coverage.h"

#include "coverage/check.h"
#include "coverage/geog.h"
#include "coverage/region.h"
#include "coverage/runs.h"

#include "access/detoast.h"

#include "base/fixed.h"
#include "grid/tiles.h"

/* What a prefix sum adds up. */
typedef enum FieldKind
{
	FIELD_VALUES,
	FIELD_NONZERO,				/* 1 for every cell that is not zero */
	FIELD_SINGLE				/* values, of which single cells' will be asked */
} FieldKind;

/* Where runs start among 64 cells. */
typedef struct Block
{
	uint64		bits;			/* bit i: a run starts at cell i of the block */
	uint32		rank;			/* runs that start before the block */
} Block;

/* Blocks per chunk: 65 536 cells. Chunks without a start are not stored. */
#define BLOCK_BITS 6
#define CHUNK_BITS 16

typedef struct Chunk
{
	Block	   *blocks;			/* NULL: no run starts in it */
	uint32		rank;			/* runs that start before it */
} Chunk;

/* First bytes of a field that are compared: fields of 80 runs and less are compared whole. */
#define HEAD_SIZE 1024

typedef struct Field
{
	MemoryContext context;		/* all that depends on the current coverage */
	bool		valid;			/* something is cached */
	int			order;
	char		head[HEAD_SIZE];	/* its first bytes, to tell it from others */
	bool		external;
	struct varatt_external toast;
	FieldKind	kind;
	int			shift;			/* a value v counts as v * 2^shift */

	/* by runs */
	Chunk	   *chunk;
	int128	   *before;			/* sum over the cells before run i */
	double	   *value;			/* what each of its cells counts */
	uint32	   *start;
	uint32	   *ring_run;		/* runs that start before ring i + 1; NULL where rings have many */

	/* by cells */
	bool		by_cells;
	Tiles		tiles;
} Field;

/* A ring with at most so many runs is looked through from one end to the other. */
#define FEW_RUNS_PER_RING 48

/* The form by cells: where runs have at most so many on average, and up to this much memory. */
#define SHORT_RUN 6
#define BY_CELLS_MAX_BYTES (256 * 1024 * 1024)

/* ---------- fixed point ---------- */

static inline double
measured(double v, FieldKind kind)
{
	return kind == FIELD_NONZERO ? (v != 0 ? 1.0 : 0.0) : v;
}

/* Scale for a whole coverage. */
static int
coverage_shift(const Coverage *c, FieldKind kind)
{
	return fixed_shift(measured(coverage_largest(c), kind));
}

/* Cells of run i. */
static inline int64
run_length(const Coverage *c, uint32 i)
{
	const uint32 *starts = COVERAGE_STARTS(c);

	return (i + 1 < c->nruns ? (int64) starts[i + 1] : COVERAGE_NCELL(c)) - starts[i];
}

/* Sum over all cells. */
static double
total(const Coverage *c, FieldKind kind)
{
	int			shift = coverage_shift(c, kind);
	int128		sum = 0;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		sum += to_fixed(measured(c->values[i], kind), shift) * run_length(c, i);
	}
	return from_fixed(sum, shift);
}

/* ---------- the cache ---------- */

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
	const HpxGrid *grid = hpx_grid(c->order);
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
	tiles_layout(&field->tiles, hpx_grid(c->order), c->nruns, COVERAGE_STARTS(c), c->values);
	if (tiles_size(&field->tiles) > BY_CELLS_MAX_BYTES)
	{
		tiles_free(&field->tiles);
		return false;
	}
	tiles_fill(&field->tiles, c->nruns, COVERAGE_STARTS(c), c->values, field->kind == FIELD_NONZERO, field->shift);
	return true;
}

/* The coverage argument with its prefix sums, made once for a run of equal values. */
static Field *
field_argument(FunctionCallInfo fcinfo, int argno, FieldKind kind)
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

/* ---------- intervals ---------- */

/* The block a cell is in; NULL when no run starts in all of its chunk. */
static inline const Block *
find_block(const Field *field, int64 cell)
{
	const Block *blocks = field->chunk[cell >> CHUNK_BITS].blocks;

	return blocks == NULL ? NULL : &blocks[(cell >> BLOCK_BITS) & ((1 << (CHUNK_BITS - BLOCK_BITS)) - 1)];
}

/* The run that holds a cell, or the last for the position behind all cells. */
static inline uint32
find_run(const Field *field, int64 cell)
{
	const Block *block = find_block(field, cell);

	if (block == NULL)
		return field->chunk[cell >> CHUNK_BITS].rank - 1;
	/* starts up to and including this cell */
	return block->rank + __builtin_popcountll(block->bits << (63 - (cell & 63))) - 1;
}

/* Sum over the cells before one that a run holds. */
static inline int128
sum_in_run(const Field *field, uint32 run, int64 cell)
{
	/* most of a sparse field is zero */
	if (field->value[run] == 0)
		return field->before[run];
	return field->before[run] + to_fixed(field->value[run], field->shift) * (cell - field->start[run]);
}

/* Sum over the cells first .. last of the grid. */
static int128
sum_span(const Field *field, int64 first, int64 last)
{
	const HpxGrid *grid = hpx_grid(field->order);
	int128		sum = 0;

	if (!field->by_cells)
		return sum_in_run(field, find_run(field, last + 1), last + 1) - sum_in_run(field, find_run(field, first), first);
	for (int32 i = hpx_cell_ring(grid, first); first <= last; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		int64		end = Min(last, ring->start + ring->ncell - 1);

		sum += tiles_sum(&field->tiles, i, (int32) (first - ring->start), (int32) (end - ring->start));
		first = end + 1;
	}
	return sum;
}

/* Sum over the cells first .. last of one ring that has few runs. */
static inline int128
sum_on_ring(const Field *field, int32 ring, uint32 first, uint32 last)
{
	uint32		base = field->ring_run[ring - 1];
	uint32		nruns = field->ring_run[ring] - base;
	const uint32 *start = field->start + base;
	uint32		from = base - 1;
	uint32		to = base - 1;

	for (uint32 j = 0; j < nruns; j++)
	{
		from += start[j] <= first;
		to += start[j] <= last;
	}
	if (from != to)
		return sum_in_run(field, to, (int64) last + 1) - sum_in_run(field, from, first);
	if (field->value[from] == 0)
		return 0;
	return to_fixed(field->value[from], field->shift) * ((int64) last + 1 - first);
}

/* Sum over the cells lo .. hi of a ring, which may wrap around, as disc_intervals has them. */
static inline int128
sum_ring_interval(const Field *field, int32 i, const HpxRing *ring, int32 lo, int32 hi)
{
	uint32		start = (uint32) ring->start;
	int32		n = ring->ncell;

	if (lo > hi)
		return 0;
	if (unlikely(hi - lo + 1 >= n))
		return sum_on_ring(field, i, start, start + n - 1);
	lo = wrap_cell(lo, n);
	hi = wrap_cell(hi, n);
	if (likely(lo <= hi))
		return sum_on_ring(field, i, start + lo, start + hi);
	return sum_on_ring(field, i, start, start + hi) + sum_on_ring(field, i, start + lo, start + n - 1);
}

/* Intervals whose sum is asked for: from each start up to before its end. */
typedef struct Ends
{
	int			count;
	int64		starts[2 * DISC_BLOCK + 1];
	int64		ends[2 * DISC_BLOCK + 1];
} Ends;

/* Adds the cells first .. last of a ring. */
static inline void
ends_add(Ends *e, int64 ring_start, int32 first, int32 last)
{
	e->starts[e->count] = ring_start + first;
	e->ends[e->count] = ring_start + last + 1;
	e->count++;
}

/* Adds the cells lo .. hi of a ring, which may wrap around, as disc_intervals has them. */
static inline void
ends_add_interval(Ends *e, const HpxRing *ring, int32 lo, int32 hi)
{
	int32		n = ring->ncell;

	if (lo > hi)
		return;
	if (unlikely(hi - lo + 1 >= n))
	{
		ends_add(e, ring->start, 0, n - 1);
		return;
	}
	lo = wrap_cell(lo, n);
	hi = wrap_cell(hi, n);
	if (likely(lo <= hi))
		ends_add(e, ring->start, lo, hi);
	else
	{
		ends_add(e, ring->start, 0, hi);
		ends_add(e, ring->start, lo, n - 1);
	}
}

/*
 * Sum over listed intervals. What is read lies far apart in memory, so everything
 * of one kind is asked for before the first of it is needed.
 */
SR_COUNT_CLONES static int128
sum_ends(const Field *field, const Ends *e)
{
	uint32		start_run[2 * DISC_BLOCK + 1];
	uint32		end_run[2 * DISC_BLOCK + 1];
	int128		sum = 0;

	for (int i = 0; i < e->count; i++)
	{
		sr_prefetch(find_block(field, e->starts[i]));
		sr_prefetch(find_block(field, e->ends[i]));
	}
	for (int i = 0; i < e->count; i++)
	{
		start_run[i] = find_run(field, e->starts[i]);
		end_run[i] = find_run(field, e->ends[i]);
		sr_prefetch(&field->before[start_run[i]]);
		sr_prefetch(&field->before[end_run[i]]);
		sr_prefetch(&field->value[start_run[i]]);
		sr_prefetch(&field->value[end_run[i]]);
	}
	for (int i = 0; i < e->count; i++)
		if (start_run[i] != end_run[i] || field->value[start_run[i]] != 0)
			sum += sum_in_run(field, end_run[i], e->ends[i]) - sum_in_run(field, start_run[i], e->starts[i]);
	return sum;
}

/* Sum over the cells of a region argument. */
static double
sum_region(FunctionCallInfo fcinfo, FieldKind kind)
{
	Field	   *field = field_argument(fcinfo, 0, kind);
	SpanList	spans;
	int128		sum = 0;

	scan_region(fcinfo, 1, field->order, &spans);
	for (int64 i = 0; i < spans.nspans; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		sum += sum_span(field, spans.spans[i].first, spans.spans[i].last);
	}
	span_list_free(&spans);
	return from_fixed(sum, field->shift);
}

/* What the cell that holds a disc's centre adds, if it is on these rings and not in the intervals found there. */
static inline int128
sum_home(const Field *field, const DiscScan *scan, int32 first, int32 count, const int32 *lo, const int32 *hi)
{
	int32		k = scan->home_ring - first;
	const HpxRing *ring;

	if (k < 0 || k >= count)
		return 0;
	ring = HPX_RING(hpx_grid(field->order), scan->home_ring);
	if (!interval_misses(lo[k], hi[k], ring->ncell, scan->home))
		return 0;
	return sum_span(field, ring->start + scan->home, ring->start + scan->home);
}

/* Sum over the cells of a disc, of sums for cells. */
static int128
sum_disc_by_cells(const Field *field, const DiscScan *scan)
{
	const HpxGrid *grid = hpx_grid(field->order);
	int32		lo[TILE_BLOCK];
	int32		hi[TILE_BLOCK];
	TileAsk		ask;
	int128		sum = 0;

	ask.count = 0;
	for (int32 first = scan->first_ring; first <= scan->last_ring; first += TILE_BLOCK)
	{
		int32		count = Min(TILE_BLOCK, scan->last_ring - first + 1);

		disc_intervals(grid, scan, first, count, lo, hi);
		sum += sum_home(field, scan, first, count, lo, hi);
		if (TILE_ASK_FULL(&ask))
			sum += tiles_take(&ask);
		tiles_ask(&field->tiles, first, count, lo, hi, &ask);
	}
	return sum + tiles_take(&ask);
}

/* The same of sums for runs. */
static int128
sum_disc_by_runs(const Field *field, const DiscScan *scan)
{
	const HpxGrid *grid = hpx_grid(field->order);
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];
	Ends		ends;
	int128		sum = 0;

	for (int32 first = scan->first_ring; first <= scan->last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan->last_ring - first + 1);

		disc_intervals(grid, scan, first, count, lo, hi);
		sum += sum_home(field, scan, first, count, lo, hi);
		if (field->ring_run != NULL)
		{
			for (int32 k = 0; k < count; k++)
				sum += sum_ring_interval(field, first + k, HPX_RING(grid, first + k), lo[k], hi[k]);
			continue;
		}
		ends.count = 0;
		for (int32 k = 0; k < count; k++)
			ends_add_interval(&ends, HPX_RING(grid, first + k), lo[k], hi[k]);
		sum += sum_ends(field, &ends);
	}
	return sum;
}

/* Sum over the cells of a disc. */
static double
sum_disc(const Field *field, const Disc *disc)
{
	DiscScan	scan;

	disc_prepare(hpx_grid(field->order), disc, &scan);
	return from_fixed(field->by_cells ? sum_disc_by_cells(field, &scan) : sum_disc_by_runs(field, &scan), field->shift);
}

/* ---------- SQL ---------- */

SR_FUNCTION(coverage_sum);
Datum
coverage_sum(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total(PG_GETARG_COVERAGE(0), FIELD_VALUES));
}

SR_FUNCTION(coverage_sum_region);
Datum
coverage_sum_region(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(sum_region(fcinfo, FIELD_VALUES));
}

SR_FUNCTION(coverage_sum_disc);
Datum
coverage_sum_disc(PG_FUNCTION_ARGS)
{
	Field	   *field = field_argument(fcinfo, 0, FIELD_VALUES);
	Disc		disc;

	prefetch_rows(PG_GETARG_DATUM(1));
	geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	disc.radius = PG_GETARG_FLOAT8(2);
	check_disc(&disc);
	PG_RETURN_FLOAT8(sum_disc(field, &disc));
}

SR_FUNCTION(coverage_area);
Datum
coverage_area(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);

	PG_RETURN_FLOAT8(total(c, FIELD_NONZERO) * hpx_cell_area(c->order));
}

SR_FUNCTION(coverage_area_region);
Datum
coverage_area_region(PG_FUNCTION_ARGS)
{
	double		cells = sum_region(fcinfo, FIELD_NONZERO);
	Field	   *field = fcinfo->flinfo->fn_extra;

	PG_RETURN_FLOAT8(cells * hpx_cell_area(field->order));
}

SR_FUNCTION(coverage_value);
Datum
coverage_value(PG_FUNCTION_ARGS)
{
	Field	   *field = field_argument(fcinfo, 0, FIELD_SINGLE);
	double		lon,
				lat;
	int64		cell;

	geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	cell = point_cell(field->order, lon, lat);
	PG_RETURN_FLOAT8(field->value[find_run(field, cell)]);
}
