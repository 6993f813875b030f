/*
 * numeric.h: numerics as plain numbers, checked, and back.
 */
#ifndef SR_NUMERIC_H
#define SR_NUMERIC_H

#include "postgres.h"

#include "utils/numeric.h"

#include "money/apportion.h"

extern char *sr_numeric_text(Numeric value);
extern uint128 sr_amount_from_numeric(Numeric amount);
extern uint128 sr_cap_from_numeric(Numeric cap);
extern void sr_add_score(Decimals *scores, int64 row, Numeric score);
extern Numeric sr_numeric_from_integer(uint128 value);

#endif							/* SR_NUMERIC_H */
