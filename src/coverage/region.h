/*
 * region.h: the cells of a region.
 */
#ifndef SR_REGION_H
#define SR_REGION_H

#include "coverage/coverage.h"
#include "coverage/geog.h"
#include "grid/scan.h"

extern void sr_report_ring_fault(const RingFault *fault, int order);
extern void sr_region_cells(Datum geography, int order, GeogRegion *region, SpanList *out);
extern void sr_scan_region(FunctionCallInfo fcinfo, int argno, int order, SpanList *out);
extern Coverage *sr_coverage_from_spans(int order, const SpanList *spans);

#endif							/* SR_REGION_H */
