/*
 * numeric.c: numerics as plain numbers, checked, and back.
 */
#include "postgres.h"
#include "base/compat.h"

#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "money/numeric.h"

#define NUMERIC_NEGATIVE 0x4000 /* the sign, in binary form */

/* The digits of a finite numeric, as numeric_send gives them. */
typedef struct Digits
{
	int			count;			/* without zeros at the end */
	int			exponent;		/* the first is worth 10000^exponent */
	bool		negative;
	const char *data;			/* of 16 bits each, most significant first */
} Digits;

/* A numeric as people write it, for messages: it may have 147 000 digits, of which the first 60 do. */
char *
sr_numeric_text(Numeric value)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));

	if (strlen(text) > 63)
		strcpy(text + 60, "...");
	return text;
}

/* Digit i to the base 10000. */
static inline uint16
digit_at(const Digits *digits, int i)
{
	uint16		value;

	memcpy(&value, digits->data + 2 * i, sizeof(value));
	return pg_ntoh16(value);
}

/* Takes a finite numeric apart, by its documented binary form. */
static Digits
digits_of(Numeric value)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, NumericGetDatum(value)));
	const char *data = VARDATA_ANY(sent);
	Digits		digits;
	int16		field[3];

	memcpy(field, data, sizeof(field));
	digits.count = (int16) pg_ntoh16(field[0]);
	digits.exponent = (int16) pg_ntoh16(field[1]);
	digits.negative = pg_ntoh16(field[2]) == NUMERIC_NEGATIVE;
	digits.data = data + 4 * sizeof(int16);
	while (digits.count > 0 && digit_at(&digits, digits.count - 1) == 0)
		digits.count--;
	return digits;
}

/* ---- checks ---- */

/* Refuses what is no number, or below zero; the value by its digits. */
static Digits
check_positive(Numeric value, const char *what, const char *hint)
{
	bool		finite = !numeric_is_nan(value) && !numeric_is_inf(value);
	Digits		digits = {0};

	if (finite)
		digits = digits_of(value);
	if (!finite || (digits.negative && digits.count > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s %s is not a finite number of at least 0", what, sr_numeric_text(value)),
				 hint ? errhint("%s", hint) : 0));
	return digits;
}

/* Refuses what is no natural number. */
static Digits
check_natural(Numeric value, const char *what)
{
	Digits		digits = check_positive(value, what, NULL);

	if (digits.count > digits.exponent + 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %s is not an integer", what, sr_numeric_text(value)),
				 errhint("Allocate in base units, which cannot be divided.")));
	return digits;
}

/* ---- from numerics ---- */

/* 10^38 - 1 */
static uint128
largest_amount(void)
{
	uint128		value = 1;

	for (int i = 0; i < AMOUNT_DIGITS; i++)
		value *= 10;
	return value - 1;
}

/* The value of a natural number's digits; false if it is beyond the largest amount. */
static bool
to_integer(const Digits *digits, uint128 *result)
{
	const uint128 largest = largest_amount();
	uint128		value = 0;

	for (int i = 0; digits->count > 0 && i <= digits->exponent; i++)
	{
		int			digit = i < digits->count ? digit_at(digits, i) : 0;

		if (value > (largest - digit) / DECIMAL_BASE)
			return false;
		value = value * DECIMAL_BASE + digit;
	}
	*result = value;
	return true;
}

/* An amount: an integer from 0 to 10^38 - 1. */
uint128
sr_amount_from_numeric(Numeric amount)
{
	Digits		digits = check_natural(amount, "amount");
	uint128		value;

	if (!to_integer(&digits, &value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s exceeds 10^38 - 1", sr_numeric_text(amount))));
	return value;
}

/* A cap: an integer of at least 0; one beyond every amount is none. */
uint128
sr_cap_from_numeric(Numeric cap)
{
	Digits		digits = check_natural(cap, "cap");
	uint128		value;

	return to_integer(&digits, &value) ? value : NO_CAP;
}

/* Sets a row's score, a number of at least 0. */
void
sr_add_score(Decimals *scores, int64 row, Numeric score)
{
	Digits		digits = check_positive(score, "score", "A row with a score of NULL or 0 gets nothing.");

	scores->rows.items[row] = (Decimal) {scores->digits.count, digits.count, digits.exponent};
	for (int i = 0; i < digits.count; i++)
		sr_array_push(&scores->digits, digit_at(&digits, i));
}

/* ---- to numerics ---- */

/* An integer below 2^127 as a numeric. */
Numeric
sr_numeric_from_integer(uint128 value)
{
	char		text[40];
	char	   *at = text + sizeof(text);

	if (value <= PG_INT64_MAX)
		return int64_to_numeric((int64) value);

	*--at = '\0';
	for (; value > 0; value /= 10)
		*--at = '0' + (char) (value % 10);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(at),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}
