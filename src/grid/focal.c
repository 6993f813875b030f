/*
 * focal.c: the sum over a disc around every cell at once.
 *
 * The centres of a ring's cells lie on one parallel, so their discs meet another ring
 * in intervals of one half-width: one arcsine for each pair of rings. The interval
 * slides from cell to cell, and prefix sums of the other ring give the sum over it as
 * one of them less another.
 *
 * The result is to be that of a disc by itself, also for cells that lie on the edge of
 * a disc to the last bit. So the ends of intervals are computed from the longitude of
 * each centre as for any disc, with one exception: where both rings have as many
 * cells, the ends move by one from centre to centre, unless they are so near to a
 * whole number that the rounding of a longitude could decide.
 */
#include "grid/focal.h"

#include "base/array.h"
#include "base/dmath.h"
#include "base/fixed.h"

/* Rings that are worked on together: prefix sums that are read serve all of them. */
#define BLOCK_RINGS 8

/* Centres whose intervals are computed together. */
#define BLOCK_CENTRES 256

/* Zeros between two stretches. */
#define STRETCH_GAP 8

/*
 * The position of a centre in cells of another ring, as interval_ends has it, is off
 * by five roundings of numbers up to 2^15: by less than 2^-35.
 */
#define NEAR_WHOLE 0x1p-30

/* Cells of a ring with hardly a zero among them. */
typedef struct Stretch
{
	int32		first;
	int32		last;
} Stretch;

/* Prefix sums of a ring that is not zero. */
typedef struct Row
{
	int128	   *memory;
	int128	   *before;			/* before[j]: sum over the cells before j, in memory; the ring is
								 * unrolled by half a turn in both directions */
	int128		total;
	SR_ARRAY(Stretch) stretches;	/* hold all that is not zero */
} Row;

/* A ring whose sums are being made. */
typedef struct Target
{
	const HpxRing *ring;
	DiscScan	scan;			/* of the disc around its first centre */
	double	   *half;			/* half-widths from ring scan.first_ring on */
	double	   *turn;			/* longitudes of its centres */
	int128	   *sums;			/* zero outside of from .. to - 1 */
	int32		from;
	int32		to;
} Target;

typedef struct Focal
{
	const HpxGrid *grid;
	const uint32 *starts;
	const double *values;
	int64		nruns;
	int			shift;
	uint32	   *first_run;		/* by ring: the run that holds its first cell */
	Row		  **row;			/* by ring: NULL when there is none */
	Row		  **spare;			/* rows that are free */
	int32		nspare;
	Target		target[BLOCK_RINGS];
} Focal;

/* How the ends of intervals are found. */
typedef enum Step
{
	STEP_WHOLE,					/* every interval is the whole ring */
	STEP_ONE,					/* they are j + lo and j + end */
	STEP_EACH,					/* they are computed for each centre */
	STEP_HOME					/* the same, on the ring of the centres, which discs so small might miss */
} Step;

/* What a target's discs take of another ring. */
typedef struct Window
{
	Step		step;
	const HpxRing *ring;
	const Row  *row;
	double		half;
	int32		lo;
	int32		end;
} Window;

/* The cell behind a run. */
static inline int64
run_end(const Focal *f, uint32 run)
{
	return run + 1 < f->nruns ? (int64) f->starts[run + 1] : f->grid->ncell;
}

static void
find_first_runs(Focal *f)
{
	uint32		run = 0;

	for (int32 i = 1; i <= f->grid->nring; i++)
	{
		int64		start = HPX_RING(f->grid, i)->start;

		if (i % 1024 == 0)
			sr_check_interrupts();
		while (run_end(f, run) <= start)
			run++;
		f->first_run[i - 1] = run;
	}
}

/* Is a ring zero all around? */
static bool
ring_is_zero(const Focal *f, int32 i)
{
	const HpxRing *ring = HPX_RING(f->grid, i);
	uint32		run = f->first_run[i - 1];

	return f->values[run] == 0 && run_end(f, run) >= ring->start + ring->ncell;
}

/* ---------- prefix sums ---------- */

/* Adds cells first .. last, which lie behind those before, to the stretches. */
static void
add_stretch(Row *row, int32 first, int32 last)
{
	Stretch    *stretch;

	if (row->stretches.count > 0)
	{
		stretch = &row->stretches.items[row->stretches.count - 1];
		if (first - stretch->last <= STRETCH_GAP)
		{
			stretch->last = last;
			return;
		}
	}
	stretch = sr_array_add(&row->stretches);
	stretch->first = first;
	stretch->last = last;
}

/* Intervals reach beyond the ends of a ring by less than this. */
static inline int32
unrolled(int32 ncell)
{
	return ncell / 2 + 2;
}

/* A row with room for any ring. */
static Row *
new_row(const HpxGrid *grid)
{
	int32		n = (int32) (4 * grid->nside);
	Row		   *row = sr_alloc(sizeof(Row));

	memset(row, 0, sizeof(Row));
	row->memory = sr_alloc(((size_t) n + 2 * (size_t) unrolled(n) + 1) * sizeof(int128));
	return row;
}

static void
free_row(Row *row)
{
	sr_array_free(&row->stretches);
	sr_free(row->memory);
	sr_free(row);
}

/* Makes the prefix sums of a ring that is not zero, if they are not there yet. */
static void
make_row(Focal *f, int32 i)
{
	const HpxRing *ring = HPX_RING(f->grid, i);
	int32		n = ring->ncell;
	int32		pad = unrolled(n);
	uint32		run = f->first_run[i - 1];
	int128		sum = 0;
	Row		   *row;

	if (f->row[i - 1] != NULL)
		return;
	row = f->nspare > 0 ? f->spare[--f->nspare] : new_row(f->grid);
	f->row[i - 1] = row;
	row->before = row->memory + pad;
	row->stretches.count = 0;
	row->before[0] = 0;
	for (int32 j = 0; j < n; run++)
	{
		int32		end = (int32) (Min(run_end(f, run), ring->start + n) - ring->start);
		int128		value = to_fixed(f->values[run], f->shift);

		if (f->values[run] != 0)
			add_stretch(row, j, end - 1);
		while (j < end)
			row->before[++j] = sum += value;
	}
	row->total = sum;
	for (int32 j = 1; j <= pad; j++)
	{
		row->before[-j] = row->before[n - j] - sum;
		row->before[n + j] = row->before[j] + sum;
	}
}

/* ---------- windows ---------- */

/* Adds the sums over intervals of half-width half around count centres. */
SR_VECTOR_CLONES static void
add_each(const double *restrict turn, int32 count, double ncell, double shift, double half,
		 const int128 *restrict before, int128 *restrict sums)
{
	int32		lo[BLOCK_CENTRES];
	int32		hi[BLOCK_CENTRES];

	for (int32 j = 0; j < count; j++)
		interval_ends(turn[j], ncell, shift, half, &lo[j], &hi[j]);
	for (int32 j = 0; j < count; j++)
		sums[j] += before[hi[j] + 1] - before[lo[j]];
}

/* The sum over the interval around the centre of cell j, at least over that cell. */
static int128
home_sum(const Window *w, double turn, int32 j)
{
	const int128 *before = w->row->before;
	int32		n = w->ring->ncell;
	int128		sum = 0;
	int32		lo,
				hi;

	interval_ends(turn, n, w->ring->shift, w->half, &lo, &hi);
	if (interval_misses(lo, hi, n, j))
		sum = before[j + 1] - before[j];
	if (lo <= hi)
		sum += before[hi + 1] - before[lo];
	return sum;
}

/* Adds what a window gives to the target's cells from .. to - 1. */
static void
add_window(Target *t, const Window *w, int32 from, int32 to)
{
	int128	   *restrict sums = t->sums;
	const int128 *restrict before = w->row->before;

	if (from >= to)
		return;
	t->from = Min(t->from, from);
	t->to = Max(t->to, to);
	switch (w->step)
	{
		case STEP_WHOLE:
			for (int32 j = from; j < to; j++)
				sums[j] += w->row->total;
			break;
		case STEP_ONE:
			for (int32 j = from; j < to; j++)
				sums[j] += before[j + w->end] - before[j + w->lo];
			break;
		case STEP_EACH:
			for (int32 j = from; j < to; j += BLOCK_CENTRES)
				add_each(t->turn + j, Min(BLOCK_CENTRES, to - j), w->ring->ncell, w->ring->shift, w->half, before, sums + j);
			break;
		case STEP_HOME:
			for (int32 j = from; j < to; j++)
				sums[j] += home_sum(w, t->turn[j], j);
			break;
	}
}

/* May the rounding of a longitude decide on which side of a whole number x is? */
static inline bool
near_whole(double x)
{
	double		d = x - floor(x);

	return d < NEAR_WHOLE || d > 1.0 - NEAR_WHOLE;
}

/* What a target's discs take of ring i, which has a row; false when that is nothing. */
static bool
make_window(const Focal *f, const Target *t, int32 i, Window *w)
{
	const HpxRing *ring = HPX_RING(f->grid, i);
	double		from = t->ring->shift - ring->shift;
	bool		home;

	w->ring = ring;
	w->row = f->row[i - 1];
	w->half = t->half[i - t->scan.first_ring];
	home = t->scan.home_ring == i;
	if (w->half < 0 && !home)
		return false;
	/* an arcsine that is not half a turn is less than that by more than its rounding: no interval has more than ncell cells */
	if (w->half >= ring->ncell / 2)
		w->step = STEP_WHOLE;
	else if (ring->ncell == t->ring->ncell && !near_whole(from - w->half) && !near_whole(from + w->half))
	{
		/* on the ring of the centres half is more than 0, so that they are in their discs */
		w->step = STEP_ONE;
		w->lo = ceil32(from - w->half);
		w->end = floor32(from + w->half) + 1;
	}
	else
		w->step = home ? STEP_HOME : STEP_EACH;
	return true;
}

/*
 * Adds to a target what its discs hold of ring i. Only the centres that are near
 * enough to a stretch: the sums of others do not change, so it does not matter that a
 * few more are looked at.
 */
static void
add_ring(const Focal *f, Target *t, int32 i)
{
	int32		n = t->ring->ncell;
	Window		w;
	double		ratio;
	const Stretch *stretch;
	int64		last;
	int32		tail;
	int32		from,
				to;

	if (!make_window(f, t, i, &w))
		return;
	stretch = w.row->stretches.items;
	last = w.row->stretches.count - 1;
	ratio = (double) n / w.ring->ncell;
#define FROM(s) (floor32(((s).first - w.half - 1.0) * ratio) - 1)
#define TO(s) (ceil32(((s).last + w.half + 2.0) * ratio) + 2)
	if (w.step == STEP_WHOLE || Min(n, w.ring->ncell) < 64)
	{
		add_window(t, &w, 0, n);
		return;
	}
	/* what the last stretch reaches beyond the end comes first, and so the other way round */
	from = 0;
	to = Min(n, Max(0, TO(stretch[last]) - n));
	tail = Max(to, Min(n, n + FROM(stretch[0])));
	for (int64 k = 0; k <= last; k++)
	{
		int32		next_from = Min(FROM(stretch[k]), tail);
		int32		next_to = Min(TO(stretch[k]), tail);

		if (next_from > to)
		{
			add_window(t, &w, from, to);
			from = next_from;
		}
		to = Max(to, next_to);
	}
	if (tail > to)
	{
		add_window(t, &w, from, to);
		from = tail;
	}
	add_window(t, &w, from, n);
}

/* ---------- the sweep ---------- */

/* Gets ready for the sums of a ring; turn, half and sums are memory for it. */
static void
start_target(const HpxGrid *grid, Target *t, int32 i, double radius)
{
	const HpxRing *ring = HPX_RING(grid, i);
	Disc		disc = {sr_hpx_ring_lon(ring, 0), sr_hpx_ring_lat(ring), radius};

	t->ring = ring;
	sr_disc_prepare(grid, &disc, &t->scan);
	sr_disc_halves(grid, &t->scan, t->half);
	for (int32 j = 0; j < ring->ncell; j++)
		t->turn[j] = sr_lon_turn(sr_hpx_ring_lon(ring, j));
	t->from = ring->ncell;
	t->to = 0;
}

/* Makes the sums of a block of rings. */
static void
add_block(Focal *f, int32 count)
{
	int32		first = f->target[0].scan.first_ring;
	int32		last = f->target[0].scan.last_ring;

	for (int32 b = 1; b < count; b++)
	{
		first = Min(first, f->target[b].scan.first_ring);
		last = Max(last, f->target[b].scan.last_ring);
	}
	for (int32 i = 1; i < first; i++)
		if (f->row[i - 1] != NULL)
		{
			f->spare[f->nspare++] = f->row[i - 1];
			f->row[i - 1] = NULL;
		}
	for (int32 i = first; i <= last; i++)
	{
		if (ring_is_zero(f, i))
			continue;
		sr_check_interrupts();
		make_row(f, i);
		for (int32 b = 0; b < count; b++)
			if (i >= f->target[b].scan.first_ring && i <= f->target[b].scan.last_ring)
				add_ring(f, &f->target[b], i);
	}
}

/*
 * For every cell the sum over the disc of radius metres around its centre, of a field
 * given by its runs: values[i] from cell starts[i] on, the first at 0. Values count as
 * v * 2^shift, and so do the sums.
 */
void
sr_focal_sums(const HpxGrid *grid, double radius, int64 nruns, const uint32 *starts, const double *values, int shift,
			  TakeSums take_sums, void *arg)
{
	Focal		f = {.grid = grid, .starts = starts, .values = values, .nruns = nruns, .shift = shift};
	size_t		most = 4 * (size_t) grid->nside;

	f.first_run = sr_alloc((size_t) grid->nring * sizeof(uint32));
	f.row = sr_alloc((size_t) grid->nring * sizeof(Row *));
	f.spare = sr_alloc((size_t) grid->nring * sizeof(Row *));
	memset(f.row, 0, (size_t) grid->nring * sizeof(Row *));
	for (int32 b = 0; b < BLOCK_RINGS; b++)
	{
		f.target[b].half = sr_alloc((size_t) grid->nring * sizeof(double));
		f.target[b].turn = sr_alloc(most * sizeof(double));
		f.target[b].sums = sr_alloc(most * sizeof(int128));
		memset(f.target[b].sums, 0, most * sizeof(int128));
	}
	find_first_runs(&f);

	for (int32 i = 1; i <= grid->nring; i += BLOCK_RINGS)
	{
		int32		count = Min(BLOCK_RINGS, grid->nring - i + 1);

		for (int32 b = 0; b < count; b++)
			start_target(grid, &f.target[b], i + b, radius);
		add_block(&f, count);
		for (int32 b = 0; b < count; b++)
		{
			Target	   *t = &f.target[b];
			int32		from = Min(t->from, t->to);

			take_sums(arg, t->ring, from, t->to, t->sums);
			memset(t->sums + from, 0, (size_t) (t->to - from) * sizeof(int128));
		}
	}

	for (int32 i = 0; i < grid->nring; i++)
		if (f.row[i] != NULL)
			free_row(f.row[i]);
	for (int32 k = 0; k < f.nspare; k++)
		free_row(f.spare[k]);
	for (int32 b = 0; b < BLOCK_RINGS; b++)
	{
		sr_free(f.target[b].half);
		sr_free(f.target[b].turn);
		sr_free(f.target[b].sums);
	}
	sr_free(f.spare);
	sr_free(f.row);
	sr_free(f.first_run);
}
