/*
 * swarm_reward.c: the module's magic, and what is done when it is loaded.
 */
#include "postgres.h"

#include "base/compat.h"

#include "coverage/plan.h"
#include "ledger/hint.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	sr_plan_init();
	sr_hint_init();
}
