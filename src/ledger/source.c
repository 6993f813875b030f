/*
 * source.c: which tables and views may be ingested, and by whom.
 */
#include "postgres.h"

#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "parser/parsetree.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "ledger/source.h"

/* The owner of a relation; stops if it is gone. */
Oid
sr_relation_owner(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Refuses a relation whose rows cannot be taken so that nothing of them is lost. */
static void
check_relation(Oid relation, const char *name, bool is_source)
{
	char		kind = get_rel_relkind(relation);
	List	   *family;
	ListCell   *cell;

	if (kind == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot ingest from %s, which is or has a foreign table", name),
				 errdetail("Rows deleted on another server are not put back if this one fails."),
				 errhint("Copy them into a local table and ingest that.")));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && !(is_source && kind == RELKIND_VIEW))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot ingest from %s, which is not a table", name),
				 errhint("Name a table, or a view from which rows can be deleted.")));
	if (IsCatalogRelationOid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot ingest from %s, which is a system catalog", name)));
	if (kind == RELKIND_VIEW)
		return;

	family = find_all_inheritors(relation, RowExclusiveLock, NULL);
	if (kind == RELKIND_RELATION && list_length(family) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot ingest from %s, from which other tables inherit", name),
				 errdetail("Columns that only they have would be lost."),
				 errhint("Ingest them first, end the inheritance, and ingest it then.")));
	foreach(cell, family)
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_FOREIGN_TABLE)
			check_relation(lfirst_oid(cell), name, false);
}

/* Refuses what the extension keeps its own rows in. */
static void
check_not_own(Oid relation, const Source *source)
{
	List	   *line = get_rel_relispartition(relation) ? get_partition_ancestors(relation) : NIL;
	ListCell   *cell;

	line = lcons_oid(relation, line);
	foreach(cell, line)
		if (OidIsValid(source->extension) && getExtensionOfObject(RelationRelationId, lfirst_oid(cell)) == source->extension)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cannot ingest from %s, which belongs to the ledger", source->name),
					 errhint("Only telemetry_reject can be, as a whole, which takes its rows up again.")));
}

/* Refuses a caller who may not select or not delete the rows. */
static void
check_privilege(Oid relation, Oid caller)
{
	AclMode		modes[] = {ACL_SELECT, ACL_DELETE};

	for (size_t i = 0; i < lengthof(modes); i++)
	{
		AclResult	result = pg_class_aclcheck(relation, caller, modes[i]);

		if (result != ACLCHECK_OK)
			aclcheck_error(result, get_relkind_objtype(get_rel_relkind(relation)), get_rel_name(relation));
	}
}

/* Does a view look into its tables with the rights of whoever asks? */
static bool
runs_as_invoker(Oid view)
{
	Relation	relation = RelationIdGetRelation(view);
	bool		invoker;

	if (!RelationIsValid(relation))
		elog(ERROR, "could not open relation with OID %u", view);
	invoker = RelationHasSecurityInvoker(relation);
	RelationClose(relation);
	return invoker;
}

/* What the caller may not do although the owner may. */
static void
check_as_owner(const Source *source, Oid caller)
{
	if (get_rel_relkind(source->relation) == RELKIND_VIEW)
	{
		if (!runs_as_invoker(source->relation))
			return;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot ingest from %s, a view with security_invoker of another owner", source->name),
				 errhint("Let its owner call ingest_telemetry, or ingest from its table.")));
	}
	if (check_enable_rls(source->relation, caller, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot ingest from %s, where row-level security applies to you", source->name),
				 errhint("Let its owner call ingest_telemetry.")));
}

/*
 * Locks a table or view so that one ingest of it goes on at a time, and refuses it if the caller
 * may not take its rows or if they could be lost. extension: whose tables are not for that.
 */
Source
sr_lock_source(Oid relation, Oid caller, Oid extension)
{
	Source		source = {.relation = relation,.extension = extension};

	(void) sr_relation_owner(relation);
	check_privilege(relation, caller);
	LockRelationOid(relation, ShareUpdateExclusiveLock);
	/* it may have been renamed, dropped or given away until then */
	source.owner = sr_relation_owner(relation);
	source.name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
	check_privilege(relation, caller);
	check_not_own(relation, &source);
	check_relation(relation, source.name, true);
	if (source.owner != caller)
		check_as_owner(&source, caller);
	return source;
}

/* Refuses a statement that was rewritten to do anything but to delete from one table. */
void
sr_check_delete(const Source *source, SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	List	   *queries = list_length(sources) == 1 ? ((CachedPlanSource *) linitial(sources))->query_list : NIL;
	Query	   *query = list_length(queries) == 1 ? linitial_node(Query, queries) : NULL;
	RangeTblEntry *target;

	if (query == NULL || query->commandType != CMD_DELETE || query->hasModifyingCTE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot ingest from %s, where a rule changes what DELETE does", source->name),
				 errhint("Drop the rule, or ingest from a table without one.")));
	target = rt_fetch(query->resultRelation, query->rtable);
	if (target->relkind == RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot ingest from %s, where a trigger deletes instead", source->name),
				 errhint("Ingest from a table, or from a view of a single table without such a trigger.")));
	if (target->relid != source->relation)
	{
		/* what a view shows */
		check_not_own(target->relid, source);
		check_relation(target->relid, source->name, false);
	}
}
