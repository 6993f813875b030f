/*
 * wide.h: natural numbers of any size, as much of their arithmetic as apportionment
 * needs. Pure C.
 *
 * A number is limbs to the base 10^16, the least significant first: four digits of
 * a numeric each, so that reading one takes no division.
 */
#ifndef SR_WIDE_H
#define SR_WIDE_H

#include "base/port.h"

#define WIDE_BASE UINT64_C(10000000000000000)
#define NARROW_LIMBS 3			/* of a number below 10^48 */

typedef struct Wide
{
	uint64	   *limb;
	int64		count;			/* of limbs; the last one is not 0, and zero has none */
} Wide;

/* A number below 10^48. */
typedef struct Narrow
{
	uint64		limb[NARROW_LIMBS];
} Narrow;

extern Narrow sr_narrow(uint128 value);
extern uint128 sr_narrow_value(Narrow a);
extern int	sr_wide_compare(Wide a, Wide b);
extern int	sr_wide_compare_products(Narrow a, Wide b, Narrow c, Wide d);
extern void sr_wide_add(Wide *sum, Wide a);
extern void sr_wide_subtract(Wide *difference, Wide a);
extern uint64 sr_wide_normalise(Wide *divisor);
extern Narrow sr_wide_divide(Narrow a, uint64 factor, Wide b, Wide divisor, Wide *remainder);

#endif							/* SR_WIDE_H */
