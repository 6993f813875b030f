/*
 * check.h: what arguments may be.
 */
#ifndef SR_CHECK_H
#define SR_CHECK_H

#include "coverage/coverage.h"
#include "grid/disc.h"

/*
 * Weights are kept to the nearest multiple of 2^-16, and add up to at most 2^37; the
 * largest magnitudes of fields that are summed add up to at most 2^36: see diff.h.
 */
#define WEIGHT_SCALE 65536.0
#define WEIGHT_LIMIT 137438953472.0
#define FIELD_LIMIT 68719476736.0

extern void check_order(int order);
extern double check_weight(double weight);
extern void check_same_order(const Coverage *a, const Coverage *b);
extern double check_scalar(double x);
extern void check_disc(const Disc *disc);
extern int	sr_order_argument(FunctionCallInfo fcinfo, int argno);

#endif							/* SR_CHECK_H */
