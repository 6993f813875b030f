/*
 * digest.h: telling one field from another without reading either. Pure C.
 */
#ifndef SR_COVERAGE_DIGEST_H
#define SR_COVERAGE_DIGEST_H

#include "base/port.h"

extern void sr_coverage_digest(int order, uint32 nruns, const double *values, const uint32 *starts, uint64 digest[2]);

#endif							/* SR_COVERAGE_DIGEST_H */
