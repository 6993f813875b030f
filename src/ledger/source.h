/*
 * source.h: which tables and views may be ingested, and by whom.
 */
#ifndef SR_SOURCE_H
#define SR_SOURCE_H

#include "executor/spi.h"

typedef struct Source
{
	Oid			relation;
	Oid			owner;
	const char *name;			/* with its schema, quoted */
	Oid			extension;		/* whose own tables are no sources */
} Source;

extern Oid	sr_relation_owner(Oid relation);
extern Source sr_lock_source(Oid relation, Oid caller, Oid extension);
extern void sr_check_delete(const Source *source, SPIPlanPtr plan);

#endif							/* SR_SOURCE_H */
