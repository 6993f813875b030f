/*
 * foreign.c: telemetry in foreign partitions is read here and written elsewhere.
 *
 * Triggers with transition tables mark the hours whose rows change, and foreign
 * tables have none. The server refuses to route a row past them only in its
 * newest minor releases: older ones do it and say nothing, and a computed epoch
 * would never learn of the row.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

pg_noreturn static void
refuse(const char *partition)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot change rows of foreign partition \"%s\" from here", partition),
			 errdetail("Nothing would mark the hours that have changed, so that no computed epoch would learn of it."),
			 errhint("Change them on their own server; an epoch that was computed takes it in when run_epoch is called again.")));
}

/*
 * Trigger: before each row of telemetry, which every partition inherits, and
 * before TRUNCATE of telemetry, which all of them suffer.
 */
SR_FUNCTION(sr_refuse_foreign_rows);
Datum
sr_refuse_foreign_rows(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	relation;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("refuse_foreign_rows can only be called as a trigger")));
	relation = trigger->tg_relation;
	if (relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		refuse(RelationGetRelationName(relation));
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		/* TRUNCATE has locked them already */
		List	   *partitions = find_all_inheritors(RelationGetRelid(relation), NoLock, NULL);
		ListCell   *cell;

		foreach(cell, partitions)
		{
			if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_FOREIGN_TABLE)
				refuse(get_rel_name(lfirst_oid(cell)));
		}
	}
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple);
}
