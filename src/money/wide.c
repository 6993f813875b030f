/*
 * wide.c: natural numbers of any size. Products are of a narrow number by a wide one.
 */
#include "money/wide.h"

/* Splits a sum of products into a limb and the carry to the next one. */
static inline uint64
split(uint128 *carry)
{
	uint128		quotient = *carry / WIDE_BASE;
	uint64		limb = (uint64) (*carry - quotient * WIDE_BASE);

	*carry = quotient;
	return limb;
}

/* Drops zeros at the top, so that the number of limbs says how large a number is. */
static inline void
trim(Wide *a)
{
	while (a->count > 0 && a->limb[a->count - 1] == 0)
		a->count--;
}

/* An integer below 10^48 in limbs. */
Narrow
sr_narrow(uint128 value)
{
	Narrow		a;

	for (int i = 0; i < NARROW_LIMBS; i++)
		a.limb[i] = split(&value);
	return a;
}

/* The value of a narrow number below 2^127. */
uint128
sr_narrow_value(Narrow a)
{
	return ((uint128) a.limb[2] * WIDE_BASE + a.limb[1]) * WIDE_BASE + a.limb[0];
}

/* The sign of a - b. */
int
sr_wide_compare(Wide a, Wide b)
{
	if (a.count != b.count)
		return a.count > b.count ? 1 : -1;
	for (int64 i = a.count - 1; i >= 0; i--)
		if (a.limb[i] != b.limb[i])
			return a.limb[i] > b.limb[i] ? 1 : -1;
	return 0;
}

/* Limb k of a · b before carrying: at most three products, below 2^128. */
static inline uint128
column(const Narrow *a, const Wide *b, int64 k)
{
	uint128		sum = 0;

	for (int i = 0; i < NARROW_LIMBS; i++)
		if (k - i >= 0 && k - i < b->count)
			sum += (uint128) a->limb[i] * b->limb[k - i];
	return sum;
}

/* The sign of a · b - c · d, limb by limb from the least significant: the last difference decides. */
int
sr_wide_compare_products(Narrow a, Wide b, Narrow c, Wide d)
{
	int64		columns = Max(b.count, d.count) + NARROW_LIMBS;
	uint128		left = 0;
	uint128		right = 0;
	int			order = 0;

	for (int64 k = 0; k < columns; k++)
	{
		uint64		left_limb;
		uint64		right_limb;

		left += column(&a, &b, k);
		right += column(&c, &d, k);
		left_limb = split(&left);
		right_limb = split(&right);
		if (left_limb != right_limb)
			order = left_limb > right_limb ? 1 : -1;
	}
	return order;
}

/* Adds to a sum, which has room for the result. */
void
sr_wide_add(Wide *sum, Wide a)
{
	uint64		carry = 0;

	for (int64 i = 0; i < a.count || carry > 0; i++)
	{
		if (i == sum->count)
			sum->limb[sum->count++] = 0;
		carry += sum->limb[i] + (i < a.count ? a.limb[i] : 0);
		sum->limb[i] = carry >= WIDE_BASE ? carry - WIDE_BASE : carry;
		carry = carry >= WIDE_BASE;
	}
}

/* Subtracts from a difference, which is no less. */
void
sr_wide_subtract(Wide *difference, Wide a)
{
	uint64		borrow = 0;

	for (int64 i = 0; i < a.count || borrow > 0; i++)
	{
		uint64		less = (i < a.count ? a.limb[i] : 0) + borrow;

		borrow = difference->limb[i] < less;
		difference->limb[i] += (borrow ? WIDE_BASE : 0) - less;
	}
	trim(difference);
}

/* Multiplies a divisor, not 0, so that its first limb is at least half the base; by what. */
uint64
sr_wide_normalise(Wide *divisor)
{
	uint64		factor = WIDE_BASE / (divisor->limb[divisor->count - 1] + 1);
	uint128		carry = 0;

	for (int64 i = 0; i < divisor->count; i++)
	{
		carry += (uint128) divisor->limb[i] * factor;
		divisor->limb[i] = split(&carry);
	}
	return factor;
}

/*
 * One limb of a quotient: of u, with one limb more than v and a quotient below the base, by a
 * normalised v of n limbs. u becomes the remainder. Knuth, The Art of Computer
 * Programming, volume 2, 4.3.1, algorithm D, steps D3 to D6.
 */
static uint64
divide_step(uint64 *u, const uint64 *v, int64 n)
{
	uint128		first = (uint128) u[n] * WIDE_BASE + u[n - 1];
	uint128		quotient = first / v[n - 1];
	uint128		rest = first - quotient * v[n - 1];
	uint128		carry = 0;
	uint64		borrow = 0;

	/* from its first two limbs the quotient is too large by two at most, by one after this */
	while (quotient >= WIDE_BASE || (n > 1 && quotient * v[n - 2] > rest * WIDE_BASE + u[n - 2]))
	{
		quotient--;
		rest += v[n - 1];
		if (rest >= WIDE_BASE)
			break;
	}
	for (int64 i = 0; i <= n; i++)
	{
		uint64		less;

		carry += i < n ? quotient * v[i] : 0;
		less = split(&carry) + borrow;
		borrow = u[i] < less;
		u[i] += (borrow ? WIDE_BASE : 0) - less;
	}
	if (borrow)
	{
		uint64		over = 0;

		quotient--;
		for (int64 i = 0; i <= n; i++)
		{
			over += u[i] + (i < n ? v[i] : 0);
			u[i] = over >= WIDE_BASE ? over - WIDE_BASE : over;
			over = over >= WIDE_BASE;
		}
	}
	return (uint64) quotient;
}

/*
 * a · b · factor by a divisor that was normalised with that factor and is no less than
 * b · factor: the quotient, which is at most a. The remainder has the factor in it; it
 * comes with room for NARROW_LIMBS limbs more than the divisor has.
 */
Narrow
sr_wide_divide(Narrow a, uint64 factor, Wide b, Wide divisor, Wide *remainder)
{
	int64		columns = divisor.count + NARROW_LIMBS;
	uint64	   *u = remainder->limb;
	uint128		carry = 0;
	uint128		scaled = 0;
	Narrow		quotient;

	/* first a · b, then, a limb later, times the factor */
	for (int64 k = 0; k < columns; k++)
	{
		carry += column(&a, &b, k);
		scaled += (uint128) split(&carry) * factor;
		u[k] = split(&scaled);
	}
	Assert(carry == 0 && scaled == 0);
	for (int j = NARROW_LIMBS - 1; j >= 0; j--)
		quotient.limb[j] = divide_step(u + j, divisor.limb, divisor.count);
	remainder->count = divisor.count;
	trim(remainder);
	return quotient;
}
