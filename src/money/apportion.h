/*
 * apportion.h: shares of an amount in proportion to weights, by largest remainders
 * (Hamilton), exactly. Pure C.
 *
 * With Σ the sum of the weights, a row's quota is amount · weight / Σ. Each row gets
 * its quota rounded down; the units left over go one each to the rows with the
 * largest remainders, of equal ones to the earlier row. So the shares add up to the
 * amount, if some weight is positive, and are all 0 if none is.
 *
 * A row whose quota exceeds its cap gets the cap; what is left is shared among the
 * others, again and again until no quota exceeds. No remainder lifts a row above its
 * cap. What nobody may take is not given to anybody.
 */
#ifndef SR_APPORTION_H
#define SR_APPORTION_H

#include "base/array.h"

#define NO_CAP (~(uint128) 0)
#define AMOUNT_DIGITS 38		/* amounts lie below 10^38 */
#define WEIGHT_BITS 62			/* integer weights lie below 2^62 */
#define MAX_ROWS INT64_C(0x7fffffff)	/* so that their sum lies below 2^93 */
#define DECIMAL_BASE 10000

/* A row's weight as a decimal number ≥ 0 with digits to the base 10000. */
typedef struct Decimal
{
	int64		start;			/* of its digits, most significant first, the last one not 0 */
	int32		count;			/* of them; 0: the number is zero */
	int32		exponent;		/* the first is worth 10000^exponent */
} Decimal;

/* The weights of all rows, and their digits one after the other. */
typedef struct Decimals
{
	SR_ARRAY(Decimal) rows;
	SR_ARRAY(uint16) digits;
} Decimals;

/*
 * Both write the share of each row. cap is by row, or NULL for no caps; one that is no
 * less than the amount is none. Integer weights are used up.
 */
extern void sr_apportion(int64 rows, uint64 *weight, uint128 amount, const uint128 *cap, uint128 *share);
extern void sr_apportion_decimals(const Decimals *weights, uint128 amount, const uint128 *cap, uint128 *share);

/* Scores as weights; false if none is positive. */
extern bool sr_score_weights(int64 rows, const double *score, uint64 *weight);

#endif							/* SR_APPORTION_H */
