/*
 * wilson.h: how bad an error rate may be, given few samples. Pure C.
 */
#ifndef SR_WILSON_H
#define SR_WILSON_H

#include <stdint.h>

extern double sr_normal_quantile(double probability);
extern double sr_wilson_upper(int64_t errors, int64_t samples, double confidence);

#endif							/* SR_WILSON_H */
