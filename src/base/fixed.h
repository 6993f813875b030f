/*
 * fixed.h: exact sums of float8 values. Values are taken as 128-bit fixed-point
 * numbers scaled to the largest of them, so that no order of additions matters;
 * only the final result is rounded to a float8. A value more than 2^42 times
 * smaller than the largest loses bits below 2^-95 of that largest one.
 */
#ifndef SR_FIXED_H
#define SR_FIXED_H

#include "base/port.h"

#include <math.h>

/* The largest value lies below 2^FIXED_BITS; 2^30 cells of it fit 127 bits. */
#define FIXED_BITS 95

/* The scale at which values up to a largest magnitude are added. */
static inline int
fixed_shift(double largest)
{
	int			exponent;

	if (largest == 0)
		return 0;
	(void) frexp(largest, &exponent);	/* largest < 2^exponent */
	return FIXED_BITS - exponent;
}

/* v * 2^shift, rounded to an integer, halves away from zero. */
static inline int128
to_fixed(double v, int shift)
{
	uint64		bits;
	int64		mantissa;
	int			exponent;
	int			s;
	int128		f;

	memcpy(&bits, &v, sizeof(bits));
	mantissa = (int64) (bits & ((UINT64_C(1) << 52) - 1));
	exponent = (int) ((bits >> 52) & 0x7ff);
	if (exponent == 0)
		exponent = 1;
	else
		mantissa |= INT64_C(1) << 52;
	s = exponent - 1075 + shift;
	if (s >= 0)
		f = (int128) mantissa << s;
	else if (s > -55)
		f = (mantissa + (INT64_C(1) << (-s - 1))) >> -s;
	else
		f = 0;
	return (bits >> 63) ? -f : f;
}

#ifndef SR_STANDALONE

/* The float8 nearest to a fixed-point sum. */
static inline double
from_fixed(int128 f, int shift)
{
	double		v = ldexp((double) f, -shift);

	if (isinf(v))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of coverage values out of range")));
	return v;
}

#endif

#endif							/* SR_FIXED_H */
