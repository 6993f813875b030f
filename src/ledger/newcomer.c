/*
 * newcomer.c: what one more node would change of the fields of an epoch.
 *
 * What a disc gives is no sum that could be taken over all cells once, as supply rises
 * by another amount wherever the disc lies. So each disc is walked over, but only where
 * somebody wants something, and many cells at a time.
 */
#include "ledger/newcomer.h"

#include <math.h>

/* ---------- demand ---------- */

/* Begins with the cells of spans, which ascend, at least one. */
void
sr_newcomer_demand_init(NewcomerDemand *d, const HpxGrid *grid, const SpanList *spans)
{
	int64		first = spans->spans[0].first;
	int64		end = spans->spans[spans->nspans - 1].last + 1;

	memset(d, 0, sizeof(NewcomerDemand));
	d->grid = grid;
	d->first = first;
	d->end = end;
	d->spans = spans;
	/* entries are counted two places on, so that putting them moves each start to its place */
	d->before = sr_alloc_array(end - first + 2, sizeof(uint32));
	memset(d->before, 0, ((size_t) (end - first) + 2) * sizeof(uint32));
}

/* Cells of a run that are asked for: from .. to - 1, as numbers from the first one on. */
static inline void
clip_run(const NewcomerDemand *d, const NewcomerField *field, uint32 run, int64 *from, int64 *to)
{
	int64		start = (int64) field->starts[run];
	int64		end = run + 1 < field->nruns ? (int64) field->starts[run + 1] : d->end;

	*from = Max(start, d->first) - d->first;
	*to = Min(end, d->end) - d->first;
}

/*
 * The next cells of a run, from .. to - 1, that are asked for: on from where *from is, in
 * the span *span or behind it, which both ascend from run to run. False when there are none.
 */
static inline bool
next_cells(const NewcomerDemand *d, int64 *span, int64 *from, int64 *to, int64 end)
{
	const CellSpan *s = d->spans->spans;

	while (*span < d->spans->nspans && s[*span].last - d->first < *from)
		++*span;
	if (*span == d->spans->nspans)
		return false;
	*from = Max(*from, s[*span].first - d->first);
	*to = Min(end, s[*span].last - d->first + 1);
	return *from < *to;
}

/* Counts the cells of a region's demand: those of all regions, before any is put. */
void
sr_newcomer_demand_count(NewcomerDemand *d, const NewcomerField *field)
{
	int64		span = 0;

	for (uint32 run = 0; run < field->nruns; run++)
	{
		int64		from,
					to,
					end;

		sr_check_interrupts_at(run);
		if (field->values[run] == 0)
			continue;
		clip_run(d, field, run, &from, &end);
		for (; next_cells(d, &span, &from, &to, end); from = to)
		{
			for (int64 c = from; c < to; c++)
				d->before[c + 2]++;
			d->count += to - from;
		}
	}
}

/* Memory for a number of each entry. */
static double *
new_column(const NewcomerDemand *d)
{
	double	   *column = sr_alloc_array(d->count + NEWCOMER_LANES, sizeof(double));

	for (int k = 0; k < NEWCOMER_LANES; k++)
		column[d->count + k] = 0;
	return column;
}

/* All are counted. False if they are too many. */
bool
sr_newcomer_demand_counted(NewcomerDemand *d)
{
	if (d->count > UINT32_MAX)
		return false;
	for (int64 c = 1; c <= d->end - d->first; c++)
	{
		sr_check_interrupts_at(c);
		d->before[c + 1] += d->before[c];
	}
	d->region = sr_alloc_array(d->count, sizeof(int32));
	d->until = sr_alloc_array(d->count, sizeof(uint32));
	d->demand = new_column(d);
	d->sum = new_column(d);
	d->supply = new_column(d);
	d->mature = new_column(d);
	d->reference = new_column(d);
	d->mean = new_column(d);
	d->paid = new_column(d);
	return true;
}

/* Puts the cells of a region's demand; regions come in the same order as always. */
void
sr_newcomer_demand_put(NewcomerDemand *d, int32 region, const NewcomerField *field)
{
	int64		span = 0;

	for (uint32 run = 0; run < field->nruns; run++)
	{
		int64		from,
					to,
					end;

		sr_check_interrupts_at(run);
		if (field->values[run] == 0)
			continue;
		clip_run(d, field, run, &from, &end);
		for (; next_cells(d, &span, &from, &to, end); from = to)
			for (int64 c = from; c < to; c++)
			{
				uint32		at = d->before[c + 1]++;

				d->region[at] = region;
				d->demand[at] = field->values[run];
			}
	}
}

/* What a field has in the cells where there is demand. */
void
sr_newcomer_fill(const NewcomerDemand *d, double *column, const NewcomerField *field)
{
	for (uint32 run = 0; run < field->nruns; run++)
	{
		int64		from,
					to;

		sr_check_interrupts_at(run);
		clip_run(d, field, run, &from, &to);
		if (from < to)
			for (uint32 at = d->before[from]; at < d->before[to]; at++)
				column[at] = field->values[run];
	}
}

/* ---------- formulas ---------- */

/* min(1, S / T): to which degree a cell is served. */
static inline double
served(double supply, double target)
{
	double		c = supply / target;

	return c < 1.0 ? c : 1.0;
}

/* D * kappa * max(0, c - G) / S: newly served demand per unit of supply. */
static inline double
gap_value(double demand, double supply, double c, double reference, double kept)
{
	double		above = c - reference;

	return demand * (above > 0.0 ? above : 0.0) * kept / supply;
}

/* The mean over the epoch of a reference as it follows what is there. */
static inline double
follow(double reference, double c, double kept, double faded)
{
	return c + (reference - c) * (c > reference ? kept : faded);
}

/* What a region's nodes share for being new there. */
static double
region_pot(const NewcomerRules *rules, const NewcomerRegion *r, double given, double fresh)
{
	double		multiplier = 1.0;
	double		short_of = r->target_fraction * r->demand - given;
	double		need = rules->target * Max(0.0, short_of);

	if (!(fresh > 0))
		return 0;
	if (r->demand > 0)
		multiplier = 1.0 + (rules->multiplier_max - 1.0) * Max(0.0, 1.0 - given / r->demand / r->target_fraction);
	return (multiplier - 1.0) * Min(fresh, need) * rules->days;
}

/* All is filled in: what does not depend on the newcomer. */
void
sr_newcomer_prepare(NewcomerDemand *d, const NewcomerRules *rules)
{
	for (int64 i = d->count - 1; i >= 0; i--)
	{
		double		c = served(d->supply[i], rules->target);

		sr_check_interrupts_at(i);
		d->until[i] = i + 1 < d->count && d->region[i + 1] == d->region[i] ? d->until[i + 1] : (uint32) (i + 1);
		d->mean[i] = follow(d->reference[i], c, rules->kept, rules->faded);
		/* where nothing is supplied nobody is paid */
		d->paid[i] = d->supply[i] > 0 ? d->mature[i] * gap_value(d->demand[i], d->supply[i], c, d->reference[i], rules->kept) : 0;
	}
	/* exact: multiples of 2^-16 that add up to 2^37 at most */
	d->sum[0] = 0;
	for (int64 i = 0; i < d->count; i++)
		d->sum[i + 1] = d->sum[i] + d->demand[i];
}

/* ---------- discs ---------- */

void
sr_newcomer_work_init(NewcomerWork *work, const HpxGrid *grid, int32 nregions)
{
	/* a ring may be met in two intervals, and the ring of the centre in a cell more */
	work->spans = sr_alloc_array(2 * (int64) grid->nring + 1, sizeof(EntrySpan));
	work->rise = sr_alloc_array(nregions, sizeof(double));
	work->touched = sr_alloc_array(nregions, sizeof(int32));
	work->is_touched = sr_alloc_array(nregions, sizeof(bool));
	memset(work->rise, 0, (size_t) nregions * sizeof(double));
	memset(work->is_touched, 0, (size_t) nregions * sizeof(bool));
}

/* Adds the entries of cells first .. last of a ring. */
static inline int32
add_span(const NewcomerDemand *d, const HpxRing *ring, int32 first, int32 last, EntrySpan *spans, int32 count)
{
	int64		cell = ring->start - d->first;

	spans[count].from = d->before[cell + first];
	spans[count].to = d->before[cell + last + 1];
	return count + (spans[count].from < spans[count].to);
}

/* The entries of a disc; how many spans of them there are. */
static int32
disc_spans(const NewcomerDemand *d, const DiscScan *scan, EntrySpan *spans)
{
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];
	int32		count = 0;

	for (int32 first = scan->first_ring; first <= scan->last_ring; first += DISC_BLOCK)
	{
		int32		rings = Min(DISC_BLOCK, scan->last_ring - first + 1);

		sr_disc_intervals(d->grid, scan, first, rings, lo, hi);
		for (int32 k = 0; k < rings; k++)
		{
			const HpxRing *ring = HPX_RING(d->grid, first + k);
			int32		n = ring->ncell;
			int32		from = lo[k];
			int32		to = hi[k];

			if (first + k == scan->home_ring && interval_misses(from, to, n, scan->home))
				count = add_span(d, ring, scan->home, scan->home, spans, count);
			if (from > to)
				continue;
			if (to - from + 1 >= n)
			{
				count = add_span(d, ring, 0, n - 1, spans, count);
				continue;
			}
			from = wrap_cell(from, n);
			to = wrap_cell(to, n);
			if (from <= to)
				count = add_span(d, ring, from, to, spans, count);
			else
			{
				count = add_span(d, ring, 0, to, spans, count);
				count = add_span(d, ring, from, n - 1, spans, count);
			}
		}
	}
	return count;
}

/* Sums over the entries of a disc, of every eighth entry each. */
typedef struct LaneSums
{
	double		gap[NEWCOMER_LANES];	/* newly served demand per unit of supply */
	double		more[NEWCOMER_LANES];	/* what others are paid for it more than before */
} LaneSums;

static inline double
lanes_total(const double *lane)
{
	double		sum = 0;

	for (int l = 0; l < NEWCOMER_LANES; l++)
		sum += lane[l];
	return sum;
}

/* The sums over entries from .. to - 1, of one region; returns the rise of what is given there. */
static inline __attribute__((always_inline)) double
sum_entries(const NewcomerDemand *d, const NewcomerRules *rules, bool baseline, double more_supply, int64 from, int64 to, LaneSums *sums)
{
	const double *restrict demand = d->demand;
	const double *restrict supply = d->supply;
	const double *restrict mature = d->mature;
	const double *restrict reference = d->reference;
	const double *restrict mean = d->mean;
	const double *restrict paid = d->paid;
	double		target = rules->target;
	double		kept = rules->kept;
	double		faded = rules->faded;
	double		rise[NEWCOMER_LANES] = {0};

	for (int64 k = from; k < to; k += NEWCOMER_LANES)
	{
		int64		rest = to - k;

		for (int l = 0; l < NEWCOMER_LANES; l++)
		{
			double		weight = l < rest ? 1.0 : 0.0;
			double		dd = demand[k + l] * weight;
			double		s = supply[k + l] + more_supply;
			double		c = served(s, target);
			double		g = baseline ? c : reference[k + l];
			double		h = gap_value(dd, s, c, g, kept);

			sums->gap[l] += h;
			sums->more[l] += mature[k + l] * h - paid[k + l] * weight;
			rise[l] += dd * (follow(g, c, kept, faded) - mean[k + l]);
		}
	}
	return lanes_total(rise);
}

/* The sums over all spans; rises go to work->rise, the number of regions is returned. */
static inline __attribute__((always_inline)) int32
sum_spans(const NewcomerDemand *d, const NewcomerRules *rules, bool baseline, double more_supply, int32 count, LaneSums *sums, NewcomerWork *work)
{
	int32		touched = 0;

	for (int32 i = 0; i < count; i++)
	{
		int64		to;

		for (int64 from = work->spans[i].from; from < work->spans[i].to; from = to)
		{
			int32		region = d->region[from];
			double		rise;

			to = Min(d->until[from], work->spans[i].to);
			rise = sum_entries(d, rules, baseline, more_supply, from, to, sums);
			if (region < 0)
				continue;
			if (!work->is_touched[region])
			{
				work->is_touched[region] = true;
				work->touched[touched++] = region;
			}
			work->rise[region] += rise;
		}
	}
	return touched;
}

SR_VECTOR_CLONES static int32
sum_disc(const NewcomerDemand *d, const NewcomerRules *rules, double more_supply, int32 count, LaneSums *sums, NewcomerWork *work)
{
	if (rules->baseline)
		return sum_spans(d, rules, true, more_supply, count, sums, work);
	return sum_spans(d, rules, false, more_supply, count, sums, work);
}

/* Demand in spans of entries. */
static double
demand_in(const NewcomerDemand *d, const EntrySpan *spans, int32 count)
{
	double		sum = 0;

	for (int32 i = 0; i < count; i++)
		sum += d->sum[spans[i].to] - d->sum[spans[i].from];
	return sum;
}

/*
 * What a node at a place, in a region (-1: none), would score, and by how much the
 * scores of all would rise. Its disc lies in the cells that were read.
 */
NewcomerScores
sr_score_newcomer(const NewcomerDemand *d, const NewcomerRules *rules, const NewcomerRegion *regions,
				  const Newcomer *node, double lon, double lat, int32 own_region, NewcomerWork *work)
{
	Disc		disc = {lon, lat, node->reach};
	DiscScan	scan;
	LaneSums	sums = {0};
	NewcomerScores scores = {0};
	double		fresh = node->contribution * node->tenure * node->freshness;
	double		supply;
	double		gap;
	int32		count;
	int32		touched = 0;

	sr_disc_prepare(d->grid, &disc, &scan);
	count = disc_spans(d, &scan, work->spans);
	scores.in_reach = demand_in(d, work->spans, count);
	if (scores.in_reach > 0)
	{
		supply = node->contribution / scores.in_reach;
		if (supply > 0)
		{
			touched = sum_disc(d, rules, supply, count, &sums, work);
			gap = lanes_total(sums.gap);
			scores.gap = rules->days * node->tenure * supply * gap;
			scores.gap_more = rules->days * lanes_total(sums.more) + scores.gap;
		}
	}
	if (own_region >= 0 && !work->is_touched[own_region])
	{
		work->is_touched[own_region] = true;
		work->touched[touched++] = own_region;
	}
	for (int32 i = 0; i < touched; i++)
	{
		int32		r = work->touched[i];
		bool		own = r == own_region;
		double		all_fresh = regions[r].fresh + (own ? fresh : 0);
		double		pot = region_pot(rules, &regions[r], regions[r].given + work->rise[r], all_fresh);

		scores.region_more += pot - regions[r].pot;
		if (own && all_fresh > 0)
			scores.region = pot * (fresh / all_fresh);
		work->rise[r] = 0;
		work->is_touched[r] = false;
	}
	return scores;
}

/* ---------- pools ---------- */

/*
 * What of a pool goes to a score of its own beside others, rounded down to a base unit.
 * Under a cap for each provider the others share in the proportions in which they did.
 */
double
sr_newcomer_amount(const NewcomerPool *pool, double own, double more)
{
	double		total = Max(0.0, pool->score + more);
	double		payable = Min(pool->available, floor(pool->price_max * total));
	double		cap;
	double		others;
	int32		lo = 0;
	int32		hi = pool->nproviders;

	if (!(own > 0 && total > 0))
		return 0;
	total = Max(total, own);
	if (pool->cap_bps <= 0)
		return floor(payable * own / total);

	/* the largest of the others are at the cap, as many as would else be above it; the rest shares what is left */
	cap = floor(payable * pool->cap_bps / 10000);
	others = pool->score > 0 ? (total - own) / pool->score : 0;
	while (lo < hi)
	{
		int32		k = lo + (hi - lo) / 2;
		double		left = (payable - k * cap) / (total - others * pool->largest_sum[k]);

		if (left * others * pool->largest[k] > cap)
			lo = k + 1;
		else
			hi = k;
	}
	return Min(cap, floor((payable - lo * cap) * (own / (total - others * pool->largest_sum[lo]))));
}
