/*
 * coverage_measure.c: numbers out of fields: sums and areas, in all, in a
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
 * its TOAST pointer, or by the digest in the value's header. There are two forms:
 * one sum for each run, and a bit for each cell where a run starts, so that
 * counting bits finds the run; or, for fields of mostly short runs, one sum for
 * each cell and nothing else.
 */
#include "coverage.h"

#include "access/detoast.h"

#include "fixed.h"

/* Counting bits is one instruction on any processor of the last fifteen years. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define COUNT_CLONES __attribute__((target_clones("popcnt", "default")))
#else
#define COUNT_CLONES
#endif

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

/*
 * Sums by cells are laid out in tiles of four neighbouring rings by one column,
 * a cache line each: the edge of a disc moves by less than a cell from one ring
 * to the next on most of its way, so that neighbouring rings find their sums
 * together. Columns count from the start of each quarter of a ring, where the
 * cells of neighbouring rings lie one below the other even where the rings grow.
 */
#define TILE_RINGS 4

typedef struct Tiles
{
	int64		base;			/* of the ring's group of rings, with the ring's place in it */
	int32		quarter;		/* cells in a quarter of the ring */
	int32		columns;		/* columns per quarter in the group */
} Tiles;

typedef struct Field
{
	MemoryContext context;		/* all that depends on the current coverage */
	bool		valid;			/* something is cached */
	int			order;
	char		head[offsetof(Coverage, values)];	/* its header, to tell it from others */
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
	int128	   *cell_sum;		/* sums over the cells before a cell, in tiles */
	Tiles	   *tiles;			/* where each ring's are */
} Field;

/* A ring with at most so many runs is looked through from one end to the other. */
#define FEW_RUNS_PER_RING 48

/* The form by cells: from one run per so many cells on, and up to this much memory. */
#define DENSE_CELLS_PER_RUN 6
#define DENSE_MAX_BYTES (256 * 1024 * 1024)

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
	double		largest = 0;

	for (uint32 i = 0; i < c->nruns; i++)
		largest = Max(largest, fabs(c->values[i]));
	return fixed_shift(measured(largest, kind));
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
		return memcmp(value, field->head, sizeof(field->head)) == 0;
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

	field->before = sr_alloc((Size) c->nruns * sizeof(int128));
	field->value = sr_alloc((Size) c->nruns * sizeof(double));
	field->start = sr_alloc((Size) c->nruns * sizeof(uint32));
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
static void
build_ring_runs(Field *field, const Coverage *c)
{
	const HpxGrid *grid = hpx_grid(c->order);
	const uint32 *starts = COVERAGE_STARTS(c);
	uint32		run = 0;

	field->ring_run = NULL;
	if (c->nruns / 16 > (uint32) grid->nring)
		return;
	field->ring_run = sr_alloc(((Size) grid->nring + 1) * sizeof(uint32));
	for (int32 i = 0; i < grid->nring; i++)
	{
		uint32		first = run;

		field->ring_run[i] = run;
		while (run < c->nruns && starts[run] < grid->ring[i].start + grid->ring[i].ncell)
			run++;
		if (run - first > FEW_RUNS_PER_RING)
		{
			pfree(field->ring_run);
			field->ring_run = NULL;
			return;
		}
	}
	field->ring_run[grid->nring] = run;
}

/* Where the sum before cell j of a ring is kept; j may be the ring's length. */
static inline int64
tile_index(const Tiles *t, int32 j)
{
	int32		q = (j >= t->quarter) + (j >= 2 * t->quarter) + (j >= 3 * t->quarter);

	return t->base + TILE_RINGS * ((int64) q * t->columns + j - q * t->quarter);
}

/* Lays out the rings; returns the number of sums there is room for. */
static int64
build_tiles(Field *field, const HpxGrid *grid)
{
	int64		base = 0;

	field->tiles = sr_alloc((Size) grid->nring * sizeof(Tiles));
	for (int32 first = 0; first < grid->nring; first += TILE_RINGS)
	{
		int32		end = Min(first + TILE_RINGS, grid->nring);
		int32		columns = 0;

		for (int32 i = first; i < end; i++)
			columns = Max(columns, grid->ring[i].ncell / 4 + 1);
		for (int32 i = first; i < end; i++)
		{
			field->tiles[i].base = base + (i - first);
			field->tiles[i].quarter = grid->ring[i].ncell / 4;
			field->tiles[i].columns = columns;
		}
		base += 4 * (int64) columns * TILE_RINGS;
	}
	return base;
}

/* Sums for cells. */
static void
build_by_cells(Field *field, const Coverage *c)
{
	const HpxGrid *grid = hpx_grid(c->order);
	int64		nsums = build_tiles(field, grid);
	int64		run_end = 0;
	uint32		run = 0;
	int128		value = 0;
	int128		sum = 0;

	field->cell_sum = sr_alloc((Size) nsums * sizeof(int128));
	for (int32 i = 0; i < grid->nring; i++)
	{
		const Tiles *t = &field->tiles[i];
		int64		cell = grid->ring[i].start;

		CHECK_FOR_INTERRUPTS();
		for (int q = 0; q < 4; q++)
		{
			int128	   *out = field->cell_sum + tile_index(t, q * t->quarter);

			for (int32 j = 0; j < t->quarter; j++, cell++)
			{
				if (cell == run_end)
				{
					value = to_fixed(measured(c->values[run], field->kind), field->shift);
					run_end += run_length(c, run);
					run++;
				}
				out[TILE_RINGS * (int64) j] = sum;
				sum += value;
			}
		}
		/* the sum behind the ring, in the column behind the last quarter */
		field->cell_sum[tile_index(t, 4 * t->quarter)] = sum;
	}
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
	c = (Coverage *) PG_DETOAST_DATUM(PG_GETARG_DATUM(argno));
	if ((struct varlena *) c != value && is_cached(field, (struct varlena *) c))
	{
		pfree(c);
		return field;
	}
	field->valid = false;		/* stays so if we fail below */
	MemoryContextReset(field->context);
	field->chunk = NULL;
	field->ring_run = NULL;
	field->cell_sum = NULL;
	field->order = c->order;
	memcpy(field->head, c, sizeof(field->head));
	field->external = VARATT_IS_EXTERNAL_ONDISK(value);
	if (field->external)
		VARATT_EXTERNAL_GET_POINTER(field->toast, value);
	field->shift = coverage_shift(c, kind);
	old = MemoryContextSwitchTo(field->context);
	if (kind != FIELD_SINGLE && COVERAGE_NCELL(c) / DENSE_CELLS_PER_RUN <= c->nruns &&
		(Size) COVERAGE_NCELL(c) * sizeof(int128) <= DENSE_MAX_BYTES)
		build_by_cells(field, c);
	else
	{
		build_by_runs(field, c);
		build_ring_runs(field, c);
	}
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

/* Sum over the cells before one. */
static inline int128
sum_before(const Field *field, int64 cell)
{
	if (field->cell_sum != NULL)
	{
		const HpxGrid *grid = hpx_grid(field->order);
		int32		ring = hpx_cell_ring(grid, Min(cell, grid->ncell - 1));

		return field->cell_sum[tile_index(&field->tiles[ring - 1], (int32) (cell - HPX_RING(grid, ring)->start))];
	}
	return sum_in_run(field, find_run(field, cell), cell);
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

/*
 * Where the sums of intervals are, as two lists: what is summed is all at ends[i]
 * less all at starts[i]. They are places in cell_sum or, by runs, cells.
 */
typedef struct Ends
{
	int			count;
	int64		starts[2 * DISC_BLOCK + 1];
	int64		ends[2 * DISC_BLOCK + 1];
} Ends;

/* Adds the cells first .. last of a ring. */
static inline void
ends_add(Ends *e, const Field *field, int32 ring, int64 ring_start, int32 first, int32 last)
{
	if (field->cell_sum != NULL)
	{
		const Tiles *t = &field->tiles[ring - 1];

		e->starts[e->count] = tile_index(t, first);
		e->ends[e->count] = tile_index(t, last + 1);
	}
	else
	{
		e->starts[e->count] = ring_start + first;
		e->ends[e->count] = ring_start + last + 1;
	}
	e->count++;
}

/* Adds the cells lo .. hi of a ring, which may wrap around, as disc_intervals has them. */
static inline void
ends_add_interval(Ends *e, const Field *field, int32 i, const HpxRing *ring, int32 lo, int32 hi)
{
	int32		n = ring->ncell;

	if (lo > hi)
		return;
	if (unlikely(hi - lo + 1 >= n))
	{
		ends_add(e, field, i, ring->start, 0, n - 1);
		return;
	}
	lo = wrap_cell(lo, n);
	hi = wrap_cell(hi, n);
	if (likely(lo <= hi))
		ends_add(e, field, i, ring->start, lo, hi);
	else
	{
		ends_add(e, field, i, ring->start, 0, hi);
		ends_add(e, field, i, ring->start, lo, n - 1);
	}
}

/*
 * Sum over listed intervals. What is read lies far apart in memory, so everything
 * of one kind is asked for before the first of it is needed.
 */
COUNT_CLONES static int128
sum_ends(const Field *field, const Ends *e)
{
	uint32		start_run[2 * DISC_BLOCK + 1];
	uint32		end_run[2 * DISC_BLOCK + 1];
	int128		sum = 0;

	if (field->cell_sum != NULL)
	{
		for (int i = 0; i < e->count; i++)
		{
			sr_prefetch(&field->cell_sum[e->starts[i]]);
			sr_prefetch(&field->cell_sum[e->ends[i]]);
		}
		for (int i = 0; i < e->count; i++)
			sum += field->cell_sum[e->ends[i]] - field->cell_sum[e->starts[i]];
		return sum;
	}

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
		sum += sum_before(field, spans.spans[i].last + 1) - sum_before(field, spans.spans[i].first);
	span_list_free(&spans);
	return from_fixed(sum, field->shift);
}

/* Sum over the cells of a disc. */
static double
sum_disc(const Field *field, const Disc *disc)
{
	const HpxGrid *grid = hpx_grid(field->order);
	DiscScan	scan;
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];
	Ends		ends;
	int128		sum = 0;

	disc_prepare(grid, disc, &scan);
	for (int32 first = scan.first_ring; first <= scan.last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan.last_ring - first + 1);

		disc_intervals(grid, &scan, first, count, lo, hi);
		if (field->ring_run != NULL)
		{
			for (int32 k = 0; k < count; k++)
				sum += sum_ring_interval(field, first + k, HPX_RING(grid, first + k), lo[k], hi[k]);
			if (scan.home_ring >= first && scan.home_ring < first + count &&
				interval_misses(lo[scan.home_ring - first], hi[scan.home_ring - first],
								HPX_RING(grid, scan.home_ring)->ncell,
								scan.home - HPX_RING(grid, scan.home_ring)->start))
				sum += sum_on_ring(field, scan.home_ring, (uint32) scan.home, (uint32) scan.home);
			continue;
		}
		ends.count = 0;
		for (int32 k = 0; k < count; k++)
		{
			const HpxRing *ring = HPX_RING(grid, first + k);

			ends_add_interval(&ends, field, first + k, ring, lo[k], hi[k]);
			if (unlikely(first + k == scan.home_ring) &&
				interval_misses(lo[k], hi[k], ring->ncell, scan.home - ring->start))
			{
				int32		j = (int32) (scan.home - ring->start);

				ends_add(&ends, field, first + k, ring->start, j, j);
			}
		}
		sum += sum_ends(field, &ends);
	}
	return from_fixed(sum, field->shift);
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
