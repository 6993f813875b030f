/*
 * bound.c: until when there are partitions, from what the server knows of them anyway: health asks every few seconds,
 * and to print and read the bounds of hundreds of partitions would be most of what it costs.
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/*
 * The end of the last partition of a table that is partitioned by ranges of one timestamptz; infinity where it has
 * none, NULL where there is no partition but perhaps a default one.
 */
SR_FUNCTION(sr_last_bound);
Datum
sr_last_bound(PG_FUNCTION_ARGS)
{
	Relation	table = table_open(PG_GETARG_OID(0), AccessShareLock);
	PartitionBoundInfo bounds = NULL;
	TimestampTz end = 0;
	bool		found = false;

	if (table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		PartitionKey key = RelationGetPartitionKey(table);

		if (key->strategy == PARTITION_STRATEGY_RANGE && key->partnatts == 1 && key->parttypid[0] == TIMESTAMPTZOID)
			bounds = RelationGetPartitionDesc(table, true)->boundinfo;
	}
	if (bounds && bounds->ndatums > 0)
	{
		int			last = bounds->ndatums - 1;

		found = true;
		end = bounds->kind[last][0] == PARTITION_RANGE_DATUM_VALUE ? DatumGetTimestampTz(bounds->datums[last][0]) : DT_NOEND;
	}
	table_close(table, AccessShareLock);
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(end);
}
