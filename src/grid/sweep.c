/*
 * sweep.c: adding up many discs, ring by ring from north to south.
 *
 * What is written to is the row of one ring, which stays in the processor's first
 * cache whatever the order in which the discs came; and what all discs of a ring
 * have in common is worked out once, for many discs at a time. Discs are prepared
 * where the sweep comes to them, so that one that waits is no more than its four
 * numbers.
 */
#include "grid/sweep.h"

/* Discs per block of a ring's. */
#define SWEEP_BLOCK 256

/* So often discs that have ended are looked for: on the rings until then they have no cell. */
#define END_EVERY 4

/* The discs that meet the ring the sweep has come to, as columns. */
typedef struct Active
{
	int64		count;
	int64		capacity;
	int64		homes;			/* of how many the home matters */
	double	   *p;
	double	   *z;
	double	   *over_p;
	double	   *chord2;
	double	   *turn;
	double	   *weight;
	int32	   *home;
	int32	   *home_ring;
	int32	   *last_ring;
} Active;

#define ACTIVE_ROW (6 * sizeof(double) + 3 * sizeof(int32))

struct Sweep
{
	const HpxGrid *grid;
	const WeightedDisc *discs;
	int64		ndiscs;
	int64		nends;			/* how many differences they make at most */
	int32	   *order;			/* the discs in the order of their first rings */
	int64	   *begin;			/* begin[i]: where those that begin on ring i + 1 lie */
	Active		active[2];		/* wide discs and narrow ones */
};

/* ---------- rows ---------- */

/* A row for any ring of a grid, all zero. */
void
sr_row_init(Row *row, const HpxGrid *grid)
{
	size_t		size = (size_t) (4 * grid->nside + 1) * sizeof(double);

	row->entry = sr_alloc(size);
	memset(row->entry, 0, size);
	row->nwords = (int32) (4 * grid->nside / (ROW_BLOCK * 64) + 1);
	row->touched = sr_alloc((size_t) row->nwords * sizeof(uint64));
	memset(row->touched, 0, (size_t) row->nwords * sizeof(uint64));
}

void
sr_row_free(Row *row)
{
	sr_free(row->entry);
	sr_free(row->touched);
}

/* ---------- active discs ---------- */

/* Points the columns into memory for the capacity. */
static void
active_layout(Active *a, char *memory)
{
	a->p = (double *) memory;
	a->z = a->p + a->capacity;
	a->over_p = a->z + a->capacity;
	a->chord2 = a->over_p + a->capacity;
	a->turn = a->chord2 + a->capacity;
	a->weight = a->turn + a->capacity;
	a->home = (int32 *) (a->weight + a->capacity);
	a->home_ring = a->home + a->capacity;
	a->last_ring = a->home_ring + a->capacity;
}

/* Makes room for more. */
static void
active_reserve(Active *a, int64 more)
{
	Active		old = *a;

	if (a->count + more <= a->capacity)
		return;
	a->capacity = Max(a->count + more, 2 * a->capacity);
	active_layout(a, sr_alloc((size_t) a->capacity * ACTIVE_ROW));
	if (old.capacity == 0)
		return;
#define MOVE(column) memcpy(a->column, old.column, (size_t) a->count * sizeof(*a->column))
	MOVE(p);
	MOVE(z);
	MOVE(over_p);
	MOVE(chord2);
	MOVE(turn);
	MOVE(weight);
	MOVE(home);
	MOVE(home_ring);
	MOVE(last_ring);
#undef MOVE
	sr_free(old.p);
}

static inline void
active_add(Active *a, const DiscScan *scan, double weight)
{
	int64		to = a->count++;

	a->p[to] = scan->p;
	a->z[to] = scan->z;
	a->over_p[to] = over_p(scan->p);
	a->chord2[to] = scan->chord2;
	a->turn[to] = scan->turn;
	a->weight[to] = weight;
	a->home[to] = scan->home;
	a->home_ring[to] = scan->home_ring;
	a->last_ring[to] = scan->last_ring;
	a->homes += scan->home_ring > 0;
}

/* Takes one disc out; the last takes its place. Their order does not matter. */
static inline void
active_remove(Active *a, int64 at)
{
	int64		last = --a->count;

	a->homes -= a->home_ring[at] > 0;
	a->p[at] = a->p[last];
	a->z[at] = a->z[last];
	a->over_p[at] = a->over_p[last];
	a->chord2[at] = a->chord2[last];
	a->turn[at] = a->turn[last];
	a->weight[at] = a->weight[last];
	a->home[at] = a->home[last];
	a->home_ring[at] = a->home_ring[last];
	a->last_ring[at] = a->last_ring[last];
}

/* Takes in the discs that begin on a ring. */
static void
begin_discs(Sweep *s, int32 ring)
{
	for (int64 k = s->begin[ring - 1]; k < s->begin[ring]; k += DISC_BLOCK)
	{
		int32		count = (int32) Min(DISC_BLOCK, s->begin[ring] - k);
		const Disc *disc[DISC_BLOCK];
		DiscScan	scan[DISC_BLOCK];

		for (int32 j = 0; j < count; j++)
			disc[j] = &s->discs[s->order[k + j]].disc;
		/* they lie in the order in which they came */
		for (int64 j = k + count; j < Min(k + count + DISC_BLOCK, s->ndiscs); j++)
			sr_prefetch(&s->discs[s->order[j]]);
		sr_discs_prepare(s->grid, disc, count, scan);
		active_reserve(&s->active[0], count);
		active_reserve(&s->active[1], count);
		for (int32 j = 0; j < count; j++)
			active_add(&s->active[scan[j].narrow], &scan[j], s->discs[s->order[k + j]].weight);
	}
}

/* Lets those go that end on a ring, from the last on, as removal moves the last. */
static void
end_discs(Active *a, int32 ring)
{
	for (int64 k = a->count - 1; k >= 0; k--)
		if (a->last_ring[k] <= ring)
			active_remove(a, k);
}

/* ---------- one ring ---------- */

/* Intervals of one ring for count discs. */
SR_VECTOR_CLONES static void
sweep_block(bool narrow, const HpxRing *ring, double over_4p, double cells_per_radian, const double *restrict p, const double *restrict z,
			const double *restrict over_p,
			const double *restrict chord2, const double *restrict turn, int64 count,
			int32 *restrict lo, int32 *restrict hi)
{
	double		ring_p = ring->p;
	double		ring_z = ring->z;
	double		ncell = ring->ncell;
	double		shift = ring->shift;

	if (narrow)
		for (int64 i = 0; i < count; i++)
			ring_interval(true, ring_p, ring_z, over_4p, ncell, shift, cells_per_radian,
						  p[i], z[i], over_p[i], chord2[i], turn[i], &lo[i], &hi[i]);
	else
		for (int64 i = 0; i < count; i++)
			ring_interval(false, ring_p, ring_z, over_4p, ncell, shift, cells_per_radian,
						  p[i], z[i], over_p[i], chord2[i], turn[i], &lo[i], &hi[i]);
}

/* Adds to an entry of a row, of which all is looked at later or only what is marked. */
static inline __attribute__((always_inline)) void
add_entry(double *entry, Row *mark, int32 at, double delta)
{
	entry[at] += delta;
	if (mark)
		row_touch(mark, at);
}

/* Adds an interval of a ring's n cells, as ring_interval has it. */
static inline __attribute__((always_inline)) void
add_interval(double *entry, Row *mark, int32 n, int32 lo, int32 hi, double weight)
{
	if (lo > hi)
		return;
	if (unlikely(lo < 0 || hi >= n))
	{
		if (hi - lo + 1 >= n)
		{
			lo = 0;
			hi = n - 1;
		}
		else
		{
			lo = wrap_cell(lo, n);
			hi = wrap_cell(hi, n);
			if (lo > hi)
			{
				add_entry(entry, mark, 0, weight);
				add_entry(entry, mark, n, -weight);
			}
		}
	}
	add_entry(entry, mark, lo, weight);
	add_entry(entry, mark, hi + 1, -weight);
}

/* Adds one ring's part of the active discs of a kind to its row. */
static inline __attribute__((always_inline)) void
add_active(const HpxGrid *grid, int32 i, bool narrow, const Active *active, double *entry, Row *mark)
{
	const HpxRing *ring = HPX_RING(grid, i);
	int32		n = ring->ncell;
	int32		lo[SWEEP_BLOCK];
	int32		hi[SWEEP_BLOCK];

	for (int64 from = 0; from < active->count; from += SWEEP_BLOCK)
	{
		int64		count = Min(SWEEP_BLOCK, active->count - from);
		const double *weight = active->weight + from;

		sweep_block(narrow, ring, grid->column.over_4p[i - 1], grid->column.cells_per_radian[i - 1], active->p + from, active->z + from,
					active->over_p + from,
					active->chord2 + from, active->turn + from, count, lo, hi);
		for (int64 k = 0; k < count; k++)
			add_interval(entry, mark, n, lo[k], hi[k], weight[k]);
		if (active->homes == 0)
			continue;
		for (int64 k = 0; k < count; k++)
		{
			int32		home = active->home[from + k];

			if (unlikely(active->home_ring[from + k] == i) && interval_misses(lo[k], hi[k], n, home))
				add_interval(entry, mark, n, home, home, weight[k]);
		}
	}
}

/* ---------- the sweep ---------- */

/* Begins to add up discs, which stay where they are until the end. */
Sweep *
sr_sweep_begin(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs)
{
	Sweep	   *s = sr_alloc(sizeof(Sweep));
	uint16	   *first = sr_alloc((size_t) ndiscs * sizeof(uint16));
	int64		at = 0;

	memset(s, 0, sizeof(Sweep));
	s->grid = grid;
	s->discs = discs;
	s->ndiscs = ndiscs;
	s->order = sr_alloc((size_t) ndiscs * sizeof(int32));
	s->begin = sr_alloc((size_t) (grid->nring + 1) * sizeof(int64));
	memset(s->begin, 0, (size_t) (grid->nring + 1) * sizeof(int64));

	/* counting sort by first ring */
	for (int64 k = 0; k < ndiscs; k += DISC_BLOCK)
	{
		int32		count = (int32) Min(DISC_BLOCK, ndiscs - k);
		const Disc *disc[DISC_BLOCK];
		DiscScan	scan[DISC_BLOCK];

		if (k % (1024 * DISC_BLOCK) == 0)
			sr_check_interrupts();
		for (int32 j = 0; j < count; j++)
			disc[j] = &discs[k + j].disc;
		sr_discs_prepare(grid, disc, count, scan);
		for (int32 j = 0; j < count; j++)
		{
			first[k + j] = (uint16) scan[j].first_ring;
			s->begin[scan[j].first_ring]++;
			s->nends += 2 * (scan[j].last_ring - scan[j].first_ring + 1);
		}
	}
	for (int32 i = 0; i <= grid->nring; i++)
	{
		int64		count = s->begin[i];

		s->begin[i] = at;
		at += count;
	}
	for (int64 k = 0; k < ndiscs; k++)
		s->order[s->begin[first[k]]++] = (int32) k;
	/* begin[i] is now where ring i's discs end, hence where those of the next begin */
	sr_free(first);
	return s;
}

/* How many entries of all rows are not zero, at most, but for those of discs that wrap around. */
int64
sr_sweep_ends(const Sweep *s)
{
	return s->nends;
}

/*
 * Adds what the discs have on a ring to its row; false when there is none. Rings
 * come one after the other, from 1 on.
 */
bool
sr_sweep_ring(Sweep *s, int32 ring, Row *row)
{
	int64		count;
	int32		n = HPX_RING(s->grid, ring)->ncell;

	begin_discs(s, ring);
	count = s->active[0].count + s->active[1].count;
	if (count == 0)
		return false;
	sr_check_interrupts();
	if (count >= n / 16)
	{
		for (int narrow = 0; narrow <= 1; narrow++)
			add_active(s->grid, ring, narrow, &s->active[narrow], row->entry, NULL);
		row_touch_range(row, 0, n + 1);
	}
	else
		for (int narrow = 0; narrow <= 1; narrow++)
			add_active(s->grid, ring, narrow, &s->active[narrow], row->entry, row);
	if (ring % END_EVERY == 0)
		for (int narrow = 0; narrow <= 1; narrow++)
			end_discs(&s->active[narrow], ring);
	return true;
}

void
sr_sweep_end(Sweep *s)
{
	for (int narrow = 0; narrow <= 1; narrow++)
		if (s->active[narrow].capacity > 0)
			sr_free(s->active[narrow].p);
	sr_free(s->begin);
	sr_free(s->order);
	sr_free(s);
}

/* Adds the row of a ring to a difference array and makes it zero again. */
static void
add_row(Diff *diff, const HpxRing *ring, Row *row)
{
	for (int32 w = 0; w < row->nwords; w++)
	{
		for (uint64 bits = row->touched[w]; bits != 0; bits &= bits - 1)
		{
			int32		from = (w * 64 + __builtin_ctzll(bits)) * ROW_BLOCK;
			int32		count = Min(ROW_BLOCK, ring->ncell + 1 - from);
			bool		any = false;

			for (int32 j = from; j < from + count; j++)
				any |= row->entry[j] != 0;
			if (any)
				sr_diff_add_row(diff, ring->start + from, row->entry + from, count);
			memset(row->entry + from, 0, (size_t) count * sizeof(double));
		}
		row->touched[w] = 0;
	}
}

/* Adds discs to a difference array. */
void
sr_sweep_discs(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs, Diff *diff)
{
	Sweep	   *s = sr_sweep_begin(grid, discs, ndiscs);
	Row			row;

	sr_row_init(&row, grid);
	for (int32 i = 1; i <= grid->nring; i++)
		if (sr_sweep_ring(s, i, &row))
			add_row(diff, HPX_RING(grid, i), &row);
	sr_row_free(&row);
	sr_sweep_end(s);
}
