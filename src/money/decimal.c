/*
 * decimal.c: apportionment by decimal weights of any size.
 *
 * In a common unit they are integers. Where these lie below 2^62, as nearly always,
 * sr_apportion does it; otherwise the same is done here with wide numbers.
 */
#include "money/apportion.h"
#include "money/wide.h"

#define DIGITS_OF_LIMB 4

/* ---- decimals to integers ---- */

/* The common unit is 10000^-scale: how many digits the number with most has after the point. */
static int64
common_scale(const Decimals *decimals)
{
	int64		scale = INT32_MIN;	/* negative: all end in zeros */

	for (int64 i = 0; i < decimals->rows.count; i++)
	{
		const Decimal *row = &decimals->rows.items[i];

		sr_check_interrupts_at(i);
		if (row->count > 0)
			scale = Max(scale, (int64) row->count - row->exponent - 1);
	}
	return scale;
}

/* How many digits a decimal has in units of 10000^-scale. */
static inline int64
length_of(const Decimal *row, int64 scale)
{
	return row->count == 0 ? 0 : row->exponent + 1 + scale;
}

/* Digit number i of a decimal, the first being 0; zero beyond the last. */
static inline uint64
digit_of(const Decimals *decimals, const Decimal *row, int64 i)
{
	return i < row->count ? decimals->digits.items[row->start + i] : 0;
}

/* The decimals as weights below 2^62; false if they do not fit. */
static bool
to_integers(const Decimals *decimals, int64 scale, uint64 *weight)
{
	const uint64 largest = (UINT64_C(1) << WEIGHT_BITS) - 1;

	for (int64 i = 0; i < decimals->rows.count; i++)
	{
		const Decimal *row = &decimals->rows.items[i];
		int64		length = length_of(row, scale);
		uint64		value = 0;

		sr_check_interrupts_at(i);
		for (int64 k = 0; k < length; k++)
		{
			uint64		digit = digit_of(decimals, row, k);

			if (value > (largest - digit) / DECIMAL_BASE)
				return false;
			value = value * DECIMAL_BASE + digit;
		}
		weight[i] = value;
	}
	return true;
}

/* A decimal as a wide number, whose limbs are to be written to memory that has room for them. */
static Wide
to_wide(const Decimals *decimals, const Decimal *row, int64 scale, uint64 *limbs)
{
	int64		length = length_of(row, scale);
	Wide		wide = {limbs, (length + DIGITS_OF_LIMB - 1) / DIGITS_OF_LIMB};

	memset(limbs, 0, wide.count * sizeof(uint64));
	for (int64 k = 0; k < length; k++)
	{
		uint64	   *limb = &limbs[(length - 1 - k) / DIGITS_OF_LIMB];

		*limb = *limb * DECIMAL_BASE + digit_of(decimals, row, k);
	}
	return wide;
}

/* All of them; their limbs lie one after the other, from the first row's. */
static Wide *
to_wides(const Decimals *decimals, int64 scale)
{
	int64		rows = decimals->rows.count;
	Wide	   *weight = sr_alloc_array(rows, sizeof(Wide));
	int64		room = 0;
	uint64	   *limbs;

	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		room += (length_of(&decimals->rows.items[i], scale) + DIGITS_OF_LIMB - 1) / DIGITS_OF_LIMB;
	}
	limbs = sr_alloc_array(room, sizeof(uint64));
	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts();
		weight[i] = to_wide(decimals, &decimals->rows.items[i], scale, limbs);
		limbs += weight[i].count;
	}
	return weight;
}

/* ---- caps ---- */

typedef struct CappedRow
{
	int64		row;
	Wide		weight;
	Narrow		cap;
} CappedRow;

/* By cap / weight, of equal ones the earlier row first. */
static int
compare_capped(const void *a, const void *b)
{
	const CappedRow *x = a;
	const CappedRow *y = b;
	int			order;

	sr_check_interrupts();
	order = sr_wide_compare_products(x->cap, y->weight, y->cap, x->weight);
	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* Water-filling as in apportion.c. Capped rows have weight 0 afterwards; amount and total are what the others share. */
static void
apply_caps(int64 rows, Wide *weight, const uint128 *cap, uint128 *share, uint128 *amount, Wide *total)
{
	CappedRow  *capped = sr_alloc_array(rows, sizeof(CappedRow));
	int64		count = 0;

	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		if (weight[i].count > 0 && cap[i] < *amount)
			capped[count++] = (CappedRow) {i, weight[i], sr_narrow(cap[i])};
	}
	qsort(capped, count, sizeof(CappedRow), compare_capped);

	for (int64 i = 0; i < count; i++)
	{
		int64		row = capped[i].row;

		sr_check_interrupts();
		if (sr_wide_compare_products(sr_narrow(*amount), capped[i].weight, capped[i].cap, *total) <= 0)
			break;
		share[row] = cap[row];
		weight[row].count = 0;
		*amount -= cap[row];
		sr_wide_subtract(total, capped[i].weight);
	}
	sr_free(capped);
}

/* ---- remainders ---- */

typedef struct Remainder
{
	int64		row;
	Wide		value;
} Remainder;

/* Larger remainders first, of equal ones the earlier row. */
static int
compare_remainders(const void *a, const void *b)
{
	const Remainder *x = a;
	const Remainder *y = b;
	int			order;

	sr_check_interrupts();
	order = sr_wide_compare(y->value, x->value);
	return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* Shares without caps, as in apportion.c; total, the sum of the weights, is positive and spent. */
static void
share_out(int64 rows, const Wide *weight, uint128 amount, Wide *total, uint128 *share)
{
	Remainder  *remainders = sr_alloc_array(rows, sizeof(Remainder));
	uint64		factor = sr_wide_normalise(total);
	Narrow		narrow_amount = sr_narrow(amount);
	Wide		rest = {sr_alloc_array(total->count + NARROW_LIMBS, sizeof(uint64)), 0};
	uint128		left = amount;
	int64		count = 0;

	for (int64 i = 0; i < rows; i++)
	{
		Wide		kept;

		sr_check_interrupts();
		if (weight[i].count == 0)
			continue;
		share[i] = sr_narrow_value(sr_wide_divide(narrow_amount, factor, weight[i], *total, &rest));
		left -= share[i];
		kept.count = rest.count;
		kept.limb = sr_alloc_array(rest.count, sizeof(uint64));
		memcpy(kept.limb, rest.limb, rest.count * sizeof(uint64));
		remainders[count++] = (Remainder) {i, kept};
	}

	Assert(left < (uint128) count);
	if (left > 0)
	{
		qsort(remainders, count, sizeof(Remainder), compare_remainders);
		for (int64 i = 0; i < (int64) left; i++)
		{
			sr_check_interrupts_at(i);
			share[remainders[i].row]++;
		}
	}
	for (int64 i = 0; i < count; i++)
		sr_free(remainders[i].value.limb);
	sr_free(rest.limb);
	sr_free(remainders);
}

/* ---- the apportionment ---- */

/* The sum of all weights, with room for it alone. */
static Wide
sum_of(int64 rows, const Wide *weight)
{
	int64		longest = 0;
	Wide		sum = {NULL, 0};

	for (int64 i = 0; i < rows; i++)
		longest = Max(longest, weight[i].count);
	/* fewer than 2^31 rows: the sum has a limb more at most */
	sum.limb = sr_alloc_array(longest + 1, sizeof(uint64));
	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts();
		sr_wide_add(&sum, weight[i]);
	}
	return sum;
}

/* Shares by weights of which at least one is beyond 62 bits. */
static void
apportion_wide(const Decimals *decimals, int64 scale, uint128 amount, const uint128 *cap, uint128 *share)
{
	int64		rows = decimals->rows.count;
	Wide	   *weight = to_wides(decimals, scale);
	uint64	   *limbs = weight[0].limb;
	Wide		total = sum_of(rows, weight);

	for (int64 i = 0; i < rows; i++)
	{
		sr_check_interrupts_at(i);
		share[i] = 0;
	}
	if (cap != NULL)
		apply_caps(rows, weight, cap, share, &amount, &total);
	/* without a row that still takes something, the rest stays unallocated */
	if (total.count > 0)
		share_out(rows, weight, amount, &total, share);
	sr_free(total.limb);
	sr_free(limbs);
	sr_free(weight);
}

/* Shares by decimal weights; see apportion.h. */
void
sr_apportion_decimals(const Decimals *weights, uint128 amount, const uint128 *cap, uint128 *share)
{
	uint64	   *integers = sr_alloc_array(weights->rows.count, sizeof(uint64));
	int64		scale = common_scale(weights);
	bool		fit = to_integers(weights, scale, integers);

	if (fit)
		sr_apportion(weights->rows.count, integers, amount, cap, share);
	sr_free(integers);
	if (!fit)
		apportion_wide(weights, scale, amount, cap, share);
}
