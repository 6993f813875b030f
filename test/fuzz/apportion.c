/*
 * Apportionment by weights, caps and amounts of every kind: the shares are those of the
 * definition. No server: the files under test are pure C.
 */
#include <stddef.h>
#include <stdint.h>

#include "../c/apportion_oracle.h"

#define MOST_ROWS 24

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input
{
	const uint8_t *at;
	const uint8_t *end;
} Input;

/* The next bytes as a number; zeros when there are no more. */
static uint128
next(Input *input, int bytes)
{
	uint128		value = 0;

	for (; bytes > 0; bytes--)
		value = value << 8 | (input->at < input->end ? *input->at++ : 0);
	return value;
}

static uint128
next_amount(Input *input)
{
	uint128		limit = 1;

	for (int i = 0; i < AMOUNT_DIGITS; i++)
		limit *= 10;
	return next(input, 1 + (int) (next(input, 1) % 16)) % limit;
}

/* Up to 8 digits to the base 10000, from 10000^-20 to 10000^20. */
static Big
next_decimal(Input *input, Decimals *decimals)
{
	Decimal		row = {decimals->digits.count, 0, (int32) next(input, 1) % 21 - 10};
	int			count = (int) (next(input, 1) % 9);
	Big			value = {.count = 0};

	for (int i = 0; i < count; i++)
	{
		uint16		digit = (uint16) (next(input, 2) % DECIMAL_BASE);

		if (row.count == 0 && digit == 0)
			continue;
		sr_array_push(&decimals->digits, digit);
		row.count++;
	}
	while (row.count > 0 && decimals->digits.items[row.start + row.count - 1] == 0)
	{
		row.count--;
		decimals->digits.count--;
	}
	sr_array_push(&decimals->rows, row);

	/* in units of 10000^-20 */
	for (int i = 0; row.count > 0 && i <= row.exponent + 20; i++)
		big_multiply_small(&value, DECIMAL_BASE, i < row.count ? decimals->digits.items[row.start + i] : 0);
	return value;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, data + size};
	int			flags = (int) next(&input, 1);
	int			rows = 1 + (int) (next(&input, 1) % MOST_ROWS);
	uint128		amount = next_amount(&input);
	Decimals	decimals = {0};
	uint64		weight[MOST_ROWS];
	Big			exact[MOST_ROWS];
	uint128		cap[MOST_ROWS];
	uint128		share[MOST_ROWS];
	const char *fault;

	for (int i = 0; i < rows; i++)
	{
		if (flags & 1)
			exact[i] = next_decimal(&input, &decimals);
		else
		{
			weight[i] = (uint64) next(&input, 8) >> (64 - WEIGHT_BITS);
			exact[i] = big_of(weight[i]);
		}
		cap[i] = flags & 2 && next(&input, 1) % 4 ? next_amount(&input) : NO_CAP;
	}
	if (flags & 1)
		sr_apportion_decimals(&decimals, amount, flags & 2 ? cap : NULL, share);
	else
		sr_apportion(rows, weight, amount, flags & 2 ? cap : NULL, share);
	fault = apportion_fault(rows, exact, amount, flags & 2 ? cap : NULL, share);
	if (fault != NULL)
	{
		fprintf(stderr, "property broken: %s\n", fault);
		abort();
	}
	sr_array_free(&decimals.rows);
	sr_array_free(&decimals.digits);
	return 0;
}
