/*
 * apportion_oracle.h: is an apportionment the one that the definition asks for? In rational
 * arithmetic, by multiplication and comparison of large integers alone. For the unit
 * test and the fuzz target.
 */
#ifndef APPORTION_ORACLE_H
#define APPORTION_ORACLE_H

#include "money/apportion.h"

/* A natural number below 2^(32 · LIMBS). */
#define LIMBS 320

typedef struct Big
{
	uint32		limb[LIMBS];
	int			count;
} Big;

static inline void
big_trim(Big *a)
{
	while (a->count > 0 && a->limb[a->count - 1] == 0)
		a->count--;
}

static inline Big
big_of(uint128 value)
{
	Big			a = {.count = 0};

	for (; value > 0; value >>= 32)
		a.limb[a.count++] = (uint32) value;
	return a;
}

/* a = a · by + more */
static inline void
big_multiply_small(Big *a, uint32 by, uint32 more)
{
	uint64		carry = more;

	for (int i = 0; i < a->count; i++)
	{
		carry += (uint64) a->limb[i] * by;
		a->limb[i] = (uint32) carry;
		carry >>= 32;
	}
	if (carry > 0)
	{
		Assert(a->count < LIMBS);
		a->limb[a->count++] = (uint32) carry;
	}
}

static inline Big
big_product(const Big *a, uint128 by)
{
	Big			factor = big_of(by);
	Big			product = {.count = a->count + factor.count};

	Assert(product.count <= LIMBS);
	memset(product.limb, 0, product.count * sizeof(uint32));
	for (int i = 0; i < factor.count; i++)
	{
		uint64		carry = 0;

		for (int k = 0; k < a->count; k++)
		{
			carry += product.limb[i + k] + (uint64) a->limb[k] * factor.limb[i];
			product.limb[i + k] = (uint32) carry;
			carry >>= 32;
		}
		product.limb[i + a->count] = (uint32) carry;
	}
	big_trim(&product);
	return product;
}

static inline int
big_compare(const Big *a, const Big *b)
{
	if (a->count != b->count)
		return a->count > b->count ? 1 : -1;
	for (int i = a->count - 1; i >= 0; i--)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] > b->limb[i] ? 1 : -1;
	return 0;
}

/* a = a + b, or a - b, which is not negative */
static inline void
big_add(Big *a, const Big *b, bool subtract)
{
	int64		carry = 0;

	for (int i = 0; i < b->count || carry != 0; i++)
	{
		if (i == a->count)
			a->limb[a->count++] = 0;
		carry += a->limb[i];
		if (i < b->count)
			carry += subtract ? -(int64) b->limb[i] : (int64) b->limb[i];
		a->limb[i] = (uint32) carry;
		carry = carry < 0 ? -1 : carry >> 32;
	}
	big_trim(a);
}

/* A row of a checked apportionment. */
typedef struct OracleRow
{
	bool		is_free;
	bool		has_unit;		/* of the units left over */
	Big			remainder;
} OracleRow;

/* What is wrong with the shares, or NULL. */
static inline const char *
apportion_fault(int rows, const Big *weight, uint128 amount, const uint128 *cap, const uint128 *share)
{
	OracleRow  *row = sr_alloc_array(rows, sizeof(OracleRow));
	Big			total = {.count = 0};
	const char *fault = NULL;
	bool		again = true;
	uint128		sum = 0;
	uint128		left;

	for (int i = 0; i < rows; i++)
	{
		row[i].is_free = weight[i].count > 0;
		big_add(&total, &weight[i], false);
		sum += share[i];
		if (sum > amount)
			fault = "more than the amount is given";
		if (cap && share[i] > cap[i])
			fault = "a share is above its cap";
		if (weight[i].count == 0 && share[i] != 0)
			fault = "a row without weight gets something";
	}

	/* all rows that exceed their caps get them, at once; and again */
	while (again)
	{
		uint128		next_amount = amount;
		Big			next_total = total;

		again = false;
		for (int i = 0; cap && i < rows; i++)
		{
			Big			quota = big_product(&weight[i], amount);
			Big			limit = big_product(&total, Min(cap[i], amount));

			if (!row[i].is_free || big_compare(&quota, &limit) <= 0)
				continue;
			if (share[i] != cap[i])
				fault = "a row whose quota exceeds its cap does not have the cap";
			row[i].is_free = false;
			next_amount -= cap[i];
			big_add(&next_total, &weight[i], true);
			again = true;
		}
		amount = next_amount;
		total = next_total;
	}

	/* each other row has its quota rounded down, or a unit more */
	left = amount;
	for (int i = 0; i < rows; i++)
	{
		Big			quota;
		Big			limit;
		uint128		down = share[i];

		if (!row[i].is_free)
			continue;
		quota = big_product(&weight[i], amount);
		limit = big_product(&total, share[i]);
		row[i].has_unit = big_compare(&limit, &quota) > 0;
		if (row[i].has_unit)
		{
			down--;
			limit = big_product(&total, down);
		}
		row[i].remainder = quota;
		if (big_compare(&limit, &quota) > 0)
			fault = "a share is above its quota rounded up";
		else
			big_add(&row[i].remainder, &limit, true);
		if (big_compare(&row[i].remainder, &total) >= 0)
			fault = "a share is below its quota rounded down";
		left -= share[i];
	}
	if (total.count > 0 && left != 0)
		fault = "something is left over";

	/* the units left over went to the largest remainders, of equal ones to the earlier rows */
	for (int i = 0; i < rows; i++)
		for (int k = 0; k < rows; k++)
			if (row[i].is_free && row[k].is_free && row[i].has_unit && !row[k].has_unit)
			{
				int			order = big_compare(&row[i].remainder, &row[k].remainder);

				if (order < 0 || (order == 0 && i > k))
					fault = "a unit went to the wrong row";
			}
	sr_free(row);
	return fault;
}

/* ---- decimals ---- */

/* Adds a row whose weight is written as digits with or without a point. */
static inline void
add_decimal(Decimals *decimals, const char *text)
{
	const char *point = strchr(text, '.');
	int64		length = strlen(text);
	int64		whole = point ? point - text : length;
	Decimal		row = {decimals->digits.count, 0, 0};
	int64		first = -((whole + 3) / 4);

	/* groups of four digits, counted from the point */
	for (int64 group = first; whole + 4 * group < length; group++)
	{
		uint16		digit = 0;

		for (int64 k = whole + 4 * group; k < whole + 4 * group + 4; k++)
		{
			int64		at = group >= 0 ? k + 1 : k;

			digit = digit * 10 + (at >= 0 && at < length ? text[at] - '0' : 0);
		}
		if (row.count == 0 && digit == 0)
			continue;
		if (row.count == 0)
			row.exponent = (int32) (-group - 1);
		sr_array_push(&decimals->digits, digit);
		row.count++;
	}
	while (row.count > 0 && decimals->digits.items[decimals->digits.count - 1] == 0)
	{
		decimals->digits.count--;
		row.count--;
	}
	sr_array_push(&decimals->rows, row);
}

/* The same weight times 10^places. */
static inline Big
big_from_text(const char *text, int places)
{
	const char *point = strchr(text, '.');
	Big			value = {.count = 0};

	for (const char *p = text; *p; p++)
		if (*p != '.')
			big_multiply_small(&value, 10, *p - '0');
	places -= point ? (int) strlen(point + 1) : 0;
	for (; places > 0; places--)
		big_multiply_small(&value, 10, 0);
	return value;
}

#endif							/* APPORTION_ORACLE_H */
