/*
 * Apportionment against its definition in rational arithmetic, for weights of every size; and the
 * arithmetic of wide numbers.
 */
#include "money/apportion.h"
#include "money/wide.h"

#include <math.h>

#include "apportion_oracle.h"
#include "tap.h"

#define MOST_ROWS 24
#define CASES 10000

static uint128 max_amount;

static int64
random_below(int64 n)
{
	return (int64) (tap_random() * (double) n);
}

/* Of any size up to a limit. */
static uint128
random_up_to(uint128 limit)
{
	uint128		value = (uint128) (tap_random() * 0x1p62) << 64 | (uint64) (tap_random() * 0x1p53) << 11 | (uint64) random_below(2048);

	value >>= random_below(127);
	return limit == 0 ? 0 : value % limit + random_below(2);
}

/* Caps around what the rows would get; NULL now and then. */
static const uint128 *
random_caps(int rows, uint128 amount, uint128 *cap)
{
	for (int i = 0; i < rows; i++)
		switch (random_below(6))
		{
			case 0:
				cap[i] = NO_CAP;
				break;
			case 1:
				cap[i] = 0;
				break;
			case 2:
				cap[i] = random_up_to(amount);
				break;
			case 3:
				/* as near to an equal part as the quotas of nearly equal weights are to each other */
				cap[i] = amount / rows + (uint64) random_below(INT64_C(1) << random_below(50));
				break;
			default:
				cap[i] = random_up_to(amount / rows * 2);
		}
	return random_below(3) == 0 ? NULL : cap;
}

static uint64
random_weight(int kind)
{
	switch (kind)
	{
		case 0:
			return 1 + random_below(3);
		case 1:
			return (uint64) (tap_random() * 0x1p62);
		case 2:
			return UINT64_C(1) << random_below(62);
		case 3:
			return (UINT64_C(1) << 62) - 1 - random_below(4);
		case 4:
			return random_below(3) ? random_below(1000000) : 0;
		default:
			return 7;
	}
}

static uint128
random_amount(void)
{
	switch (random_below(4))
	{
		case 0:
			return random_below(50);
		case 1:
			return max_amount - random_below(3);
		default:
			return random_up_to(max_amount);
	}
}

static void
test_integers(void)
{
	const char *fault = NULL;
	int			capped = 0;
	int			tied = 0;

	for (int c = 0; c < CASES; c++)
	{
		int			rows = 1 + random_below(MOST_ROWS);
		int			kind = random_below(6);
		uint128		amount = random_amount();
		uint64		weight[MOST_ROWS];
		Big			exact[MOST_ROWS];
		uint128		cap[MOST_ROWS];
		uint128		share[MOST_ROWS];
		const uint128 *caps = random_caps(rows, amount, cap);
		const char *found;

		for (int i = 0; i < rows; i++)
		{
			weight[i] = random_weight(kind);
			exact[i] = big_of(weight[i]);
		}
		sr_apportion(rows, weight, amount, caps, share);
		found = apportion_fault(rows, exact, amount, caps, share);
		fault = found ? found : fault;
		for (int i = 0; caps && i < rows; i++)
			capped += exact[i].count > 0 && share[i] == cap[i];
		tied += kind == 5;
	}
	ok(fault == NULL, "%d apportionments by integers: %s", CASES, fault ? fault : "as the definition has them");
	ok(capped > CASES && tied > CASES / 10, "%d rows have their cap, %d cases are all ties", capped, tied);
}

/* Digits of a number, with or without a point, with runs of zeros and nines, which carry. */
static void
random_decimal(char *text, int kind)
{
	static const int longest[5] = {6, 20, 60, 300, 40};
	int			length = 1 + random_below(longest[kind]);
	int			point = random_below(3) ? random_below(length + 1) : length;
	int			run = 0;
	char		digit = '0';

	for (int i = 0; i < length; i++)
	{
		if (i == point)
			*text++ = '.';
		if (run-- <= 0)
		{
			run = random_below(4) ? 0 : random_below(40);
			digit = "0099"[random_below(4)];
		}
		*text++ = run > 0 ? digit : (char) ('0' + random_below(10));
	}
	*text = '\0';
}

static void
test_decimals(void)
{
	const char *fault = NULL;
	int			capped = 0;
	int			wide = 0;

	for (int c = 0; c < CASES; c++)
	{
		int			rows = 1 + random_below(MOST_ROWS);
		int			kind = random_below(5);
		uint128		amount = random_amount();
		char		text[MOST_ROWS][400];
		Decimals	decimals = {0};
		Big			exact[MOST_ROWS];
		uint128		cap[MOST_ROWS];
		uint128		share[MOST_ROWS];
		const uint128 *caps = random_caps(rows, amount, cap);
		const char *found;

		for (int i = 0; i < rows; i++)
		{
			/* the same number as another row now and then: ties */
			if (i > 0 && random_below(3) == 0)
				strcpy(text[i], text[random_below(i)]);
			else
				random_decimal(text[i], kind);
			add_decimal(&decimals, text[i]);
			exact[i] = big_from_text(text[i], 300);
			wide += exact[i].count > 33;
		}
		sr_apportion_decimals(&decimals, amount, caps, share);
		found = apportion_fault(rows, exact, amount, caps, share);
		fault = found ? found : fault;
		for (int i = 0; caps && i < rows; i++)
			capped += exact[i].count > 0 && share[i] == cap[i];
		sr_array_free(&decimals.rows);
		sr_array_free(&decimals.digits);
	}
	ok(fault == NULL, "%d apportionments by decimals: %s", CASES, fault ? fault : "as the definition has them");
	ok(capped > CASES && wide > CASES, "%d rows have their cap, %d weights are beyond 64 bits", capped, wide);
}

/* A row that takes nothing and whose weight needs many digits makes all others wide; nothing changes. */
static void
test_both_ways(void)
{
	int			different = 0;

	for (int c = 0; c < CASES; c++)
	{
		int			rows = 2 + random_below(MOST_ROWS - 1);
		uint128		amount = random_amount();
		Decimals	narrow = {0};
		Decimals	wide = {0};
		uint128		cap[MOST_ROWS + 1];
		uint128		share[MOST_ROWS + 1];
		uint128		other[MOST_ROWS + 1];

		(void) random_caps(rows, amount, cap);
		cap[rows - 1] = 0;
		for (int i = 0; i < rows; i++)
		{
			char		text[400];

			random_decimal(text, 0);
			if (i == rows - 1)
				strcpy(text, "0");
			add_decimal(&narrow, text);
			if (i == rows - 1)
				snprintf(text, sizeof(text), ".%0200d1", 0);
			add_decimal(&wide, text);
		}
		sr_apportion_decimals(&narrow, amount, cap, share);
		sr_apportion_decimals(&wide, amount, cap, other);
		different += memcmp(share, other, rows * sizeof(uint128)) != 0 && wide.digits.count > narrow.digits.count;
		sr_array_free(&narrow.rows);
		sr_array_free(&narrow.digits);
		sr_array_free(&wide.rows);
		sr_array_free(&wide.digits);
	}
	/* a weight of 10^-201 can break a tie of caps, or move a quota off its cap: never a share of these amounts */
	ok(different == 0, "integers and wide numbers give the same shares, %d times not", different);
}

/* Many rows: the selection of the largest remainders goes several rounds, in all kinds of order. */
static void
test_many_rows(void)
{
	enum
	{
		ROWS = 2000
	};
	static uint64 weight[ROWS];
	static Big	exact[ROWS];
	static uint128 share[ROWS];

	for (int kind = 0; kind < 6; kind++)
	{
		const char *fault;

		for (int i = 0; i < ROWS; i++)
		{
			weight[i] = kind == 0 ? 7 : kind == 1 ? (uint64) i : kind == 2 ? (uint64) (ROWS - i) : kind == 3 ? (uint64) (i % 5) :
				kind == 4 ? (uint64) random_below(1000) : (uint64) (i % 2 ? i : ROWS - i);
			exact[i] = big_of(weight[i]);
		}
		sr_apportion(ROWS, weight, 1000000, NULL, share);
		fault = apportion_fault(ROWS, exact, 1000000, NULL, share);
		ok(fault == NULL, "%d rows of kind %d: %s", ROWS, kind, fault ? fault : "right");
	}
}

static void
test_scores(void)
{
	int			wrong = 0;
	int			beyond = 0;
	double		none[2] = {0, -0.0};
	uint64		weight[MOST_ROWS];

	ok(!sr_score_weights(2, none, weight), "no positive score, no weights");
	for (int c = 0; c < CASES; c++)
	{
		int			rows = 1 + random_below(MOST_ROWS);
		double		score[MOST_ROWS];
		double		largest = 0;
		int			range = random_below(3);

		for (int i = 0; i < rows; i++)
		{
			score[i] = ldexp(tap_random(), range == 0 ? 0 : range == 1 ? (int) random_below(2080) - 1060 : -1060 + (int) random_below(60));
			largest = fmax(largest, score[i]);
		}
		if (largest == 0)
			continue;
		if (!sr_score_weights(rows, score, weight))
			wrong++;
		for (int i = 0; i < rows; i++)
		{
			int			exponent;
			int			top;
			uint64		mantissa = (uint64) (frexp(score[i], &exponent) * 0x1p53);
			int			shift;

			/* score = mantissa · 2^(exponent - 53), and the largest is below 2^top */
			(void) frexp(largest, &top);
			shift = exponent - 53 + 62 - top;
			wrong += weight[i] != (shift >= 0 ? mantissa << shift : shift > -64 ? mantissa >> -shift : 0);
			beyond += score[i] == largest && (weight[i] < UINT64_C(1) << 61 || weight[i] >= UINT64_C(1) << 62);
		}
	}
	ok(wrong == 0 && beyond == 0, "scores times a power of two, floored: %d wrong, %d largest ones out of range", wrong, beyond);
}

static Big
big_of_wide(const uint64 *limb, int64 count)
{
	Big			value = {.count = 0};

	for (int64 i = count - 1; i >= 0; i--)
	{
		big_multiply_small(&value, 100000000, (uint32) (limb[i] / 100000000));
		big_multiply_small(&value, 100000000, (uint32) (limb[i] % 100000000));
	}
	return value;
}

/* a · b · factor = quotient · divisor + remainder, for limbs at the ends of their range, where quotients are guessed wrong. */
static void
test_division(void)
{
	int			wrong = 0;

	for (int c = 0; c < 5 * CASES; c++)
	{
		uint64		b_limb[6];
		uint64		divisor_limb[7] = {0};
		uint64		remainder_limb[6 + NARROW_LIMBS + 1];
		Wide		b = {b_limb, 1 + random_below(6)};
		Wide		divisor = {divisor_limb, b.count};
		Wide		remainder = {remainder_limb, 0};
		Narrow		a = sr_narrow(random_amount());
		Narrow		quotient;
		Big			left;
		Big			right;
		Big			rest;
		uint64		factor;

		for (int64 i = 0; i < b.count; i++)
		{
			static const uint64 edge[6] = {0, 1, WIDE_BASE / 2, WIDE_BASE / 2 - 1, WIDE_BASE - 1, WIDE_BASE - 2};

			b_limb[i] = random_below(3) ? edge[random_below(6)] : (uint64) random_below(WIDE_BASE);
			divisor_limb[i] = random_below(3) ? edge[random_below(6)] : (uint64) random_below(WIDE_BASE);
		}
		b_limb[b.count - 1] += b_limb[b.count - 1] == 0;
		/* the divisor is a sum of which b is a part */
		while (divisor.count > 0 && divisor_limb[divisor.count - 1] == 0)
			divisor.count--;
		sr_wide_add(&divisor, b);
		factor = sr_wide_normalise(&divisor);
		if (divisor_limb[divisor.count - 1] < WIDE_BASE / 2)
			wrong++;
		quotient = sr_wide_divide(a, factor, b, divisor, &remainder);
		left = big_of_wide(b.limb, b.count);
		left = big_product(&left, sr_narrow_value(a));
		left = big_product(&left, factor);
		right = big_of_wide(divisor.limb, divisor.count);
		rest = big_of_wide(remainder.limb, remainder.count);
		if (big_compare(&rest, &right) >= 0)
			wrong++;
		right = big_product(&right, sr_narrow_value(quotient));
		big_add(&right, &rest, false);
		if (big_compare(&left, &right) != 0)
			wrong++;
	}
	ok(wrong == 0, "%d divisions of wide numbers, %d wrong", 5 * CASES, wrong);
}

int
main(void)
{
	max_amount = 1;
	for (int i = 0; i < AMOUNT_DIGITS; i++)
		max_amount *= 10;
	max_amount--;
	test_division();
	test_scores();
	test_integers();
	test_decimals();
	test_both_ways();
	test_many_rows();
	return tap_done();
}
