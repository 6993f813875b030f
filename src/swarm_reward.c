/*
 * swarm_reward.c: the module's magic and nothing else.
 */
#include "postgres.h"

#include "base/compat.h"

PG_MODULE_MAGIC;
