/*
 * remainder.c: what is left of a field: for each ring its pieces, runs of one value above
 * zero, with sums over those before each. A disc has one interval on a ring, so its sum is
 * two searches a ring; taking it out makes the pieces of its rings anew.
 */
#include "coverage/remainder.h"

#include "common/shortest_dec.h"
#include "miscadmin.h"

#include "coverage/runs.h"

/* More pieces than this are refused: a gigabyte. */
#define MAX_PIECES (INT64_C(1) << 25)

static void
add_piece(RemainderRing *ring, int32 first, int32 last, double value)
{
	sr_array_push(&ring->pieces, ((RemainderPiece) {.value = value, .first = first, .last = last}));
}

static void
add_up(RemainderRing *ring, int shift)
{
	int128		sum = 0;

	for (int64 i = 0; i < ring->pieces.count; i++)
	{
		RemainderPiece *p = &ring->pieces.items[i];

		p->before = sum;
		sum += to_fixed(p->value, shift) * (p->last - p->first + 1);
	}
	ring->total = sum;
}

static void
check_deficit(double value, uint32 cell)
{
	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("deficit has a negative value: %s in cell %u", double_to_shortest_decimal(value), cell),
				 errdetail("With it, more sites could be worth less."),
				 errhint("Use coverage_greatest(deficit, 0).")));
}

static void
check_piece_count(int64 npieces, int order)
{
	if (npieces > MAX_PIECES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("deficit of order %d has more than " INT64_FORMAT " runs of equal cells", order, MAX_PIECES),
				 errhint("Use a lower grid_order, such as %d.", Max(order - 1, 0))));
}

/* Begins with a field, which has no value below zero. */
void
sr_remainder_init(Remainder *left, const Coverage *c)
{
	const HpxGrid *grid = sr_hpx_grid(c->order);
	int32		ring = 1;
	int64		npieces = 0;
	double		largest = 0;
	Size		size = ((Size) grid->nring + 1) * sizeof(RemainderRing);

	left->grid = grid;
	left->rings = sr_alloc(size);
	memset(left->rings, 0, size);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		int64		cell = COVERAGE_STARTS(c)[i];
		int64		end = run_end(c, i);

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		check_deficit(c->values[i], (uint32) cell);
		largest = Max(largest, c->values[i]);
		while (c->values[i] > 0 && cell < end)
		{
			const HpxRing *r;
			int64		stop;

			while (ring < grid->nring && HPX_RING(grid, ring + 1)->start <= cell)
				ring++;
			r = HPX_RING(grid, ring);
			stop = Min(end, r->start + r->ncell);
			add_piece(&left->rings[ring], (int32) (cell - r->start), (int32) (stop - 1 - r->start), c->values[i]);
			check_piece_count(++npieces, c->order);
			cell = stop;
		}
	}
	left->shift = fixed_shift(largest);
	left->total = 0;
	for (int32 i = 1; i <= grid->nring; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_up(&left->rings[i], left->shift);
		left->total += left->rings[i].total;
	}
	sr_span_list_init(&left->spans);
}

/* Sum over the cells of a ring before one. */
static inline int128
sum_before(const RemainderRing *ring, int32 cell, int shift)
{
	int64		lo = 0,
				hi = ring->pieces.count;
	const RemainderPiece *p;

	while (lo < hi)
	{
		int64		mid = (lo + hi) / 2;

		if (ring->pieces.items[mid].first < cell)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return 0;
	p = &ring->pieces.items[lo - 1];
	if (cell > p->last)
		return lo < ring->pieces.count ? ring->pieces.items[lo].before : ring->total;
	return p->before + to_fixed(p->value, shift) * (cell - p->first);
}

/* Sum over cells lo .. hi of a ring, as sr_disc_intervals has them. */
static inline int128
sum_interval(const RemainderRing *ring, int32 ncell, int32 lo, int32 hi, int shift)
{
	if (lo > hi)
		return 0;
	if (hi - lo + 1 >= ncell)
		return ring->total;
	if (lo < 0)
	{
		lo += ncell;
		hi += ncell;
	}
	else if (lo >= ncell)
	{
		lo -= ncell;
		hi -= ncell;
	}
	if (hi < ncell)
		return sum_before(ring, hi + 1, shift) - sum_before(ring, lo, shift);
	return ring->total - sum_before(ring, lo, shift) + sum_before(ring, hi + 1 - ncell, shift);
}

/* What is left in a disc: the cells that sr_scan_disc has. */
int128
sr_remainder_sum(const Remainder *left, const Disc *disc)
{
	const HpxGrid *grid = left->grid;
	DiscScan	scan;
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];
	int128		sum = 0;

	CHECK_FOR_INTERRUPTS();
	sr_disc_prepare(grid, disc, &scan);
	for (int32 first = scan.first_ring; first <= scan.last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan.last_ring - first + 1);

		sr_disc_intervals(grid, &scan, first, count, lo, hi);
		for (int32 k = 0; k < count; k++)
		{
			const RemainderRing *ring = &left->rings[first + k];
			int32		ncell = HPX_RING(grid, first + k)->ncell;

			if (ring->pieces.count == 0)
				continue;
			/* the cell that holds the centre belongs to the disc in any case */
			if (first + k == scan.home_ring && interval_misses(lo[k], hi[k], ncell, scan.home))
				sum += sum_interval(ring, ncell, scan.home, scan.home, left->shift);
			sum += sum_interval(ring, ncell, lo[k], hi[k], left->shift);
		}
	}
	return sum;
}

/* Takes cells of one ring out. */
static void
take_cells(RemainderRing *ring, int32 first, int32 last, int shift)
{
	RemainderRing kept = {.total = 0};

	for (int64 i = 0; i < ring->pieces.count; i++)
	{
		const RemainderPiece *p = &ring->pieces.items[i];

		if (p->first < first)
			add_piece(&kept, p->first, Min(p->last, first - 1), p->value);
		if (p->last > last)
			add_piece(&kept, Max(p->first, last + 1), p->last, p->value);
	}
	sr_array_free(&ring->pieces);
	*ring = kept;
	add_up(ring, shift);
}

/* Takes a disc out. */
void
sr_remainder_take(Remainder *left, const Disc *disc)
{
	left->spans.nspans = 0;
	sr_scan_disc(left->grid, disc, &left->spans);
	for (int64 i = 0; i < left->spans.nspans; i++)
	{
		const CellSpan *s = &left->spans.spans[i];
		int32		r = sr_hpx_cell_ring(left->grid, s->first);
		int64		start = HPX_RING(left->grid, r)->start;
		RemainderRing *ring = &left->rings[r];

		CHECK_FOR_INTERRUPTS();
		left->total -= ring->total;
		take_cells(ring, (int32) (s->first - start), (int32) (s->last - start), left->shift);
		left->total += ring->total;
	}
}
