/*
 * spread.c: a whole number of units over the cells of a disc, as evenly as units allow
 * at the price of a few intervals per ring.
 *
 * Of u units over n cells each cell gets q = u / n, rounded down, and u - n q cells get
 * one more. Which ones is settled ring by ring. When c cells have had their turn, all of
 * them together have had c u / n units, to the nearest: so each ring is within one unit of
 * its share, and no direction north or south is preferred. The m cells of a ring are
 * taken in a circle, and those that get one more lie side by side in it, from position
 * m * (i * golden ratio mod 1) on for ring i. From ring to ring this runs through the
 * circle as evenly as any sequence can, so that no direction east or west is
 * preferred either, not even where there are fewer units than cells.
 *
 * The finer rule, c u / n to the nearest after every single cell, would need an interval for
 * almost each of them, in memory, in time and in the stored field.
 */
#include "grid/spread.h"

/* 2^64 over the golden ratio */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

/* The spans of a disc, ascending. */
static void
disc_spans(const HpxGrid *grid, const Disc *disc, SpanList *list)
{
	CellSpan   *s;

	sr_scan_disc(grid, disc, list);
	s = list->spans;
	/* only a cell that was added because it holds the centre may be out of order, by two places */
	for (int64 k = 1; k < list->nspans; k++)
		for (int64 j = k; j > 0 && s[j - 1].first > s[j].first; j--)
		{
			CellSpan	swap = s[j];

			s[j] = s[j - 1];
			s[j - 1] = swap;
		}
}

/* Adds a value to the cells at positions first .. last of some spans put end to end. */
static void
add_positions(const CellSpan *spans, int64 nspans, int64 first, int64 last, double value, Diff *diff)
{
	for (int64 k = 0; k < nspans && first <= last; k++)
	{
		int64		n = spans[k].last - spans[k].first + 1;

		if (first < n)
			diff_add(diff, spans[k].first + first, spans[k].first + Min(last, n - 1), value);
		first = Max(first - n, 0);
		last -= n;
	}
}

/* Spreads so many units over a disc; what one unit is worth is added to a difference array. */
void
sr_spread_disc(const HpxGrid *grid, const Disc *disc, int64 units, double unit, Diff *diff)
{
	SpanList	list;
	int64		ncell = 0;
	int64		each;
	int64		rest;
	int64		had = 0;		/* cells before this ring */

	sr_span_list_init(&list);
	disc_spans(grid, disc, &list);
	for (int64 k = 0; k < list.nspans; k++)
		ncell += list.spans[k].last - list.spans[k].first + 1;
	each = units / ncell;
	rest = units % ncell;

	for (int64 k = 0; k < list.nspans;)
	{
		const CellSpan *spans = &list.spans[k];
		int32		i = sr_hpx_cell_ring(grid, spans->first);
		int64		end = HPX_RING(grid, i)->start + HPX_RING(grid, i)->ncell;
		int64		nspans = 0;
		int64		m = 0;
		int64		more;
		int64		from;

		for (; k < list.nspans && list.spans[k].first < end; k++, nspans++)
			m += list.spans[k].last - list.spans[k].first + 1;
		/* rest < ncell <= 2^30: the products fit */
		more = ((had + m) * rest + ncell / 2) / ncell - (had * rest + ncell / 2) / ncell;
		had += m;
		from = (int64) ((uint128) ((uint64) i * GOLDEN) * (uint64) m >> 64);
		if (each > 0)
			add_positions(spans, nspans, 0, m - 1, (double) each * unit, diff);
		add_positions(spans, nspans, from, Min(from + more, m) - 1, unit, diff);
		add_positions(spans, nspans, 0, from + more - m - 1, unit, diff);
	}
	sr_span_list_free(&list);
}
