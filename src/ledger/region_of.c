/*
 * region_of.c: the region that a place belongs to, for many places: regions are read once for a run of calls.
 */
#include "postgres.h"
#include "base/compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "coverage/covering_region.h"
#include "coverage/geog.h"

/* The regions of a time, as a snapshot saw them; kept from call to call. */
typedef struct RegionsAt
{
	MemoryContext context;		/* of all that follows */
	Snapshot	snapshot;		/* of it, what tells it from others; NULL: nothing is known */
	SubTransactionId level;		/* where it was used: what is undone is no longer seen, by the same snapshot */
	TimestampTz at;
	Datum	   *codes;
	Locator    *locator;
	double		snap_m;			/* how far from a place the nearest region may be */
} RegionsAt;

/* Lists of no transactions are no lists. */
static bool
same_ids(const TransactionId *a, const TransactionId *b, uint32 count)
{
	return count == 0 || memcmp(a, b, count * sizeof(TransactionId)) == 0;
}

static TransactionId *
copy_ids(const TransactionId *from, uint32 count)
{
	TransactionId *copy = NULL;

	if (count > 0)
	{
		copy = palloc(count * sizeof(TransactionId));
		memcpy(copy, from, count * sizeof(TransactionId));
	}
	return copy;
}

/* How many subtransactions a snapshot lists: it may count some and, where others were too many, have no list. */
static uint32
listed(const SnapshotData *snapshot)
{
	return snapshot->subxip ? snapshot->subxcnt : 0;
}

/*
 * Do two snapshots see the same rows? An expression of PL/pgSQL is kept from one statement to the next, and what is
 * kept with it must not outlive what it was read from.
 */
static bool
sees_the_same(const SnapshotData *a, const SnapshotData *b)
{
	return a->snapshot_type == SNAPSHOT_MVCC && b->snapshot_type == SNAPSHOT_MVCC &&
		a->xmin == b->xmin && a->xmax == b->xmax && a->curcid == b->curcid && a->takenDuringRecovery == b->takenDuringRecovery &&
		a->xcnt == b->xcnt && same_ids(a->xip, b->xip, a->xcnt) &&
		a->suboverflowed == b->suboverflowed && listed(a) == listed(b) && same_ids(a->subxip, b->subxip, listed(a));
}

/* A snapshot's copy in the current memory context, to compare others with. */
static Snapshot
copy_snapshot(const SnapshotData *from)
{
	Snapshot	copy = palloc(sizeof(SnapshotData));

	*copy = *from;
	copy->xip = copy_ids(from->xip, from->xcnt);
	copy->subxip = copy_ids(from->subxip, listed(from));
	return copy;
}

/* Reads the regions of a time. */
static void
read_regions(RegionsAt *r, TimestampTz at)
{
	Oid			type = TIMESTAMPTZOID;
	Datum		value = TimestampTzGetDatum(at);
	Datum		columns[3];
	bool		is_null;
	ArrayType  *codes;
	int			count;
	MemoryContext old;

	r->snapshot = NULL;			/* stays so if we fail below */
	MemoryContextReset(r->context);
	SPI_connect();
	if (SPI_execute_with_args("SELECT swarm_reward_internal.region_codes($1), swarm_reward_internal.region_boundaries($1), swarm_reward_internal.region_snap($1)",
							  1, &type, &value, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "the regions cannot be read");
	for (int i = 0; i < 3; i++)
		columns[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &is_null);
	old = MemoryContextSwitchTo(r->context);
	codes = DatumGetArrayTypePCopy(columns[0]);
	deconstruct_array(codes, ARR_ELEMTYPE(codes), -1, false, TYPALIGN_INT, &r->codes, NULL, &count);
	r->locator = sr_read_regions(DatumGetArrayTypePCopy(columns[1]));
	r->snap_m = DatumGetFloat8(columns[2]);
	r->at = at;
	r->level = GetCurrentSubTransactionId();
	r->snapshot = copy_snapshot(GetActiveSnapshot());
	MemoryContextSwitchTo(old);
	SPI_finish();
}

/* The region that a place belongs to at a time; NULL where there is none. */
SR_FUNCTION(sr_region_of);
Datum
sr_region_of(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	RegionsAt  *r = fcinfo->flinfo->fn_extra;
	double		lon,
				lat;
	int32		found;

	sr_geog_read_point(PG_GETARG_DATUM(0), &lon, &lat);
	if (r == NULL)
	{
		r = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(RegionsAt));
		r->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "regions", ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = r;
	}
	if (r->snapshot == NULL || r->at != at || r->level != GetCurrentSubTransactionId() || !sees_the_same(r->snapshot, GetActiveSnapshot()))
		read_regions(r, at);
	found = sr_find_region(r->locator, lon, lat, r->snap_m);
	if (found < 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PointerGetDatum(PG_DETOAST_DATUM_COPY(r->codes[found])));
}
