/*
 * apportion.c: apportionment by integer weights below 2^62.
 *
 * Amounts lie below 2^127, so that nothing needs more than divisions of 128 bits.
 */
#include "money/apportion.h"

#include <math.h>

/* ---- caps ---- */

/* A row with a cap, in the order in which rising water reaches the caps. */
typedef struct CappedRow
{
	double		level;			/* cap / weight to within 1e-15 */
	int64		row;
	uint64		weight;
	uint128		cap;
} CappedRow;

/* a · b in 256 bits. */
static inline void
multiply_wide(uint128 a, uint128 b, uint128 *high, uint128 *low)
{
	uint128		a0 = (uint64) a;
	uint128		a1 = a >> 64;
	uint128		b0 = (uint64) b;
	uint128		b1 = b >> 64;
	uint128		middle = a1 * b0 + ((a0 * b0) >> 64);
	uint128		other = a0 * b1 + (uint64) middle;

	*low = other << 64 | (uint64) (a0 * b0);
	*high = a1 * b1 + (middle >> 64) + (other >> 64);
}

/* The sign of a · b - c · d. */
static inline int
compare_products(uint128 a, uint128 b, uint128 c, uint128 d)
{
	uint128		high1;
	uint128		low1;
	uint128		high2;
	uint128		low2;

	multiply_wide(a, b, &high1, &low1);
	multiply_wide(c, d, &high2, &low2);
	if (high1 != high2)
		return high1 > high2 ? 1 : -1;
	return (low1 > low2) - (low1 < low2);
}

/* By cap / weight, of equal ones the earlier row first. Exact: what is too close to tell apart by level is multiplied out. */
static int
compare_capped(const void *a, const void *b)
{
	const CappedRow *x = a;
	const CappedRow *y = b;
	int			order;

	sr_check_interrupts();
	if (x->level < y->level * (1 - 1e-14))
		return -1;
	if (y->level < x->level * (1 - 1e-14))
		return 1;
	order = compare_products(x->cap, y->weight, y->cap, x->weight);
	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/*
 * Water-filling: rows in ascending order of cap / weight get their cap while their
 * quota of what is left exceeds it. Capping a row raises the quotas of the others,
 * never lowers them, so this ends where capping all rows that exceed, round after
 * round, does. Capped rows have weight 0 afterwards; amount and total are what the
 * others share.
 */
static void
apply_caps(int64 rows, uint64 *weight, const uint128 *cap, uint128 *share, uint128 *amount, uint128 *total)
{
	CappedRow  *capped = sr_alloc_array(rows, sizeof(CappedRow));
	int64		count = 0;

	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		if (weight[i] == 0 || cap[i] >= *amount)
			continue;
		capped[count].row = i;
		capped[count].weight = weight[i];
		capped[count].cap = cap[i];
		capped[count].level = (double) cap[i] / (double) weight[i];
		count++;
	}
	qsort(capped, count, sizeof(CappedRow), compare_capped);

	for (int64 i = 0; i < count; i++)
	{
		sr_check_interrupts_at(i);
		if (compare_products(*amount, capped[i].weight, capped[i].cap, *total) <= 0)
			break;
		share[capped[i].row] = capped[i].cap;
		weight[capped[i].row] = 0;
		*amount -= capped[i].cap;
		*total -= capped[i].weight;
	}
	sr_free(capped);
}

/* ---- remainders ---- */

/* A row that may get one of the leftover units. */
typedef struct Remainder
{
	uint128		value;
	int64		row;
} Remainder;

/* Does a leftover unit go to a before b? */
static inline bool
goes_first(const Remainder *a, const Remainder *b)
{
	return a->value != b->value ? a->value > b->value : a->row < b->row;
}

/* For qsort: the first to get a leftover unit first. No two are equal. */
static int
compare_remainders(const void *a, const void *b)
{
	sr_check_interrupts();
	return goes_first(a, b) ? -1 : 1;
}

/* The middle one of three, none of which equals another. */
static inline Remainder
middle_of(Remainder a, Remainder b, Remainder c)
{
	if (goes_first(&a, &b))
		return goes_first(&b, &c) ? b : goes_first(&a, &c) ? c : a;
	return goes_first(&a, &c) ? a : goes_first(&b, &c) ? c : b;
}

/*
 * Hoare's partition of items[low .. high - 1], several: where its second part begins,
 * of which nothing goes before anything of the first. Neither part is empty.
 */
static int64
partition(Remainder *items, int64 low, int64 high)
{
	Remainder	pivot = middle_of(items[low], items[low + (high - low) / 2], items[high - 1]);
	int64		i = low;
	int64		j = high - 1;

	for (;;)
	{
		Remainder	swapped;

		while (goes_first(&items[i], &pivot))
			sr_check_interrupts_at(i++);
		while (goes_first(&pivot, &items[j]))
			sr_check_interrupts_at(j--);
		if (i >= j)
			return i;
		swapped = items[i];
		items[i++] = items[j];
		items[j--] = swapped;
	}
}

/*
 * Moves the first so many in the order of goes_first to the front, in no particular
 * order among themselves. Quickselect, and a sort if that goes badly.
 */
static void
select_first(Remainder *items, int64 count, int64 wanted)
{
	int64		low = 0;
	int64		high = count;

	for (int rounds = 0; high - low > 16 && rounds < 100; rounds++)
	{
		int64		second = partition(items, low, high);

		if (wanted == second)
			return;
		if (wanted < second)
			high = second;
		else
			low = second;
	}
	qsort(items + low, high - low, sizeof(Remainder), compare_remainders);
}

/*
 * floor(amount · w / total), and what remains of that division. With
 * amount = q · total + r it is q · w + r · w / total; r · w has up to 155 bits and is
 * divided in two steps of 31 bits of w.
 */
static inline uint128
rounded_down(uint64 w, uint128 q, uint128 r, uint128 total, uint128 *remainder)
{
	uint128		high = r * (w >> 31);
	uint128		high_quotient = high / total;
	uint128		low = ((high - high_quotient * total) << 31) + r * (w & 0x7fffffff);
	uint128		low_quotient = low / total;

	*remainder = low - low_quotient * total;
	return q * w + (high_quotient << 31) + low_quotient;
}

/* Shares without caps; the sum of the weights is positive. Rows without a weight are left alone. */
static void
share_out(int64 rows, const uint64 *weight, uint128 amount, uint128 total, uint128 *share)
{
	Remainder  *remainders = sr_alloc_array(rows, sizeof(Remainder));
	uint128		quotient = amount / total;
	uint128		rest = amount % total;
	uint128		left = amount;
	int64		count = 0;

	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		if (weight[i] == 0)
			continue;
		share[i] = rounded_down(weight[i], quotient, rest, total, &remainders[count].value);
		remainders[count++].row = i;
		left -= share[i];
	}

	/* fewer units are left than rows have a remainder, so no row goes above its cap */
	Assert(left < (uint128) count);
	if (left > 0)
	{
		select_first(remainders, count, (int64) left);
		for (int64 i = 0; i < (int64) left; i++)
		{
			sr_check_interrupts_at(i);
			share[remainders[i].row]++;
		}
	}
	sr_free(remainders);
}

/* ---- the apportionment ---- */

/* Shares by integer weights below 2^62; see apportion.h. */
void
sr_apportion(int64 rows, uint64 *weight, uint128 amount, const uint128 *cap, uint128 *share)
{
	uint128		total = 0;

	Assert(rows <= MAX_ROWS);
	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		share[i] = 0;
		total += weight[i];
	}
	if (cap != NULL && total > 0)
		apply_caps(rows, weight, cap, share, &amount, &total);
	if (total > 0)
		share_out(rows, weight, amount, total, share);
}

/* The scores times the power of two that takes the largest into [2^61, 2^62), floored. */
bool
sr_score_weights(int64 rows, const double *score, uint64 *weight)
{
	double		largest = 0;
	int			exponent;

	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		largest = Max(largest, score[i]);
	}
	if (largest == 0)
		return false;

	/* largest = f · 2^exponent with f in [0.5, 1); scaling is exact above 2^-1022, and below that the floor is 0 */
	(void) frexp(largest, &exponent);
	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		weight[i] = (uint64) ldexp(score[i], WEIGHT_BITS - exponent);
	}
	return true;
}
