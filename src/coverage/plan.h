/*
 * plan.h: parallel plans for queries that ask a field about every row of a table.
 */
#ifndef SR_PLAN_H
#define SR_PLAN_H

#include "postgres.h"
#include "base/compat.h"

extern void sr_plan_init(void);

#endif							/* SR_PLAN_H */
