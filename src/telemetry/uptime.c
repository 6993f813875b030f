/*
 * uptime.c: uptime: which slots of a time have an ok sample, or follow one that has.
 */
#include "postgres.h"
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"

#include "telemetry/slot_set.h"
#include "telemetry/telemetry.h"

SR_FUNCTION(sr_telemetry_uptime);
SR_FUNCTION(sr_telemetry_uptime_timeout);
SR_FUNCTION(sr_telemetry_uptime_within);

/* Refuses a bound that is not there or not finite. */
static int64
checked_bound(const RangeBound *bound, const char *name)
{
	if (bound->infinite || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(bound->val)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period has no finite %s bound", name),
				 errhint("Uptime is a fraction of the slots of a period: give it both bounds.")));
	return DatumGetTimestampTz(bound->val);
}

/* Slots in the part of the segment from first to last. */
static int64
count_slots(SlotReader *reader, int64 first, int64 last)
{
	int64		full_first = reader->word * 64;
	int64		full_last = full_first + (int64) reader->full * 64 - 1;
	int64		count = Max(Min(full_last, last) - Max(full_first, first) + 1, 0);

	for (uint64 i = 0; i < reader->literals; i++)
	{
		int64		start = full_last + 1 + (int64) i * 64;
		uint64		word = sr_bits_get(&reader->bits, 64);

		sr_check_interrupts_at((int64) i);
		if (start > last || start + 63 < first)
			continue;
		if (start < first)
			word &= FULL_WORD << (first - start);
		if (start + 63 > last)
			word &= FULL_WORD >> (63 - (last - start));
		count += pg_popcount64(word);
	}
	return count;
}

/* The slots, first to last, that start in a period; false when there is none. */
static bool
slots_within(const RangeType *period, TypeCacheEntry *type, int64 slot_us, int64 *first, int64 *last)
{
	int64		phase = sr_slot_phase(slot_us);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(type, period, &lower, &upper, &empty);
	if (empty)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period is empty")));

	/*
	 * A slot starts at t or later exactly if it is after the slot of t - 1; the
	 * slot of t starts at t or before.
	 */
	*first = checked_bound(&lower, "lower") - (lower.inclusive ? 1 : 0);
	*last = checked_bound(&upper, "upper") - (upper.inclusive ? 0 : 1);
	*first = sr_slot_of(*first, slot_us, phase) + 1;
	*last = sr_slot_of(*last, slot_us, phase);
	return *first <= *last;
}

/* The slots of a period argument; an error when there is none. */
static void
period_slots(FunctionCallInfo fcinfo, int64 slot_us, int64 *first, int64 *last)
{
	RangeType  *period = PG_GETARG_RANGE_P(1);

	if (!slots_within(period, range_get_typcache(fcinfo, RangeTypeGetOid(period)), slot_us, first, last))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no slot of %s starts in period %s", sr_slot_text(slot_us),
						OidOutputFunctionCall(F_RANGE_OUT, RangeTypePGetDatum(period))),
				 errhint("Use a longer period, or summaries with a shorter slot.")));
}

/* uptime(telemetry_summary, period): fraction of the slots that start in the period */
Datum
sr_telemetry_uptime(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	int64		first;
	int64		last;
	int64		up = 0;
	SlotReader	slots;

	period_slots(fcinfo, summary->slot_us, &first, &last);
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
		up += count_slots(&slots, first, last);
	PG_RETURN_FLOAT8((double) up / (double) (last - first + 1));
}

/* Counts the slots of a period that are up or follow one that is. */
typedef struct Lasting
{
	int64		next;			/* those before are counted, or before the period */
	int64		last;			/* of the period */
	int64		more;			/* slots after one that is up for which it counts */
	int64		up;
} Lasting;

/* Adds slots from .. to, which are up and come after those added before. */
static void
lasting_add(Lasting *lasting, int64 from, int64 to)
{
	/* nothing here is more than the timestamps apart, but their range is more than 2^63 microseconds */
	if (to >= lasting->last || (uint64) lasting->last - (uint64) to <= (uint64) lasting->more)
		to = lasting->last;
	else
		to += lasting->more;
	from = Max(from, lasting->next);
	if (from <= to)
	{
		lasting->up += to - from + 1;
		lasting->next = to + 1;
	}
}

/* Adds the slots of a segment. */
static void
lasting_add_segment(Lasting *lasting, SlotReader *reader)
{
	int64		start = reader->word * 64;

	if (reader->full > 0)
		lasting_add(lasting, start, start + (int64) reader->full * 64 - 1);
	start += (int64) reader->full * 64;
	for (uint64 i = 0; i < reader->literals; i++, start += 64)
	{
		uint64		word = sr_bits_get(&reader->bits, 64);

		sr_check_interrupts_at((int64) i);
		/* run by run: adding its lowest bit clears a run and sets the bit behind it */
		while (word != 0)
		{
			uint64		behind = word + (word & -word);
			int			from = pg_rightmost_one_pos64(word);
			int			to = behind == 0 ? 63 : pg_rightmost_one_pos64(behind) - 1;

			lasting_add(lasting, start + from, start + to);
			word &= behind;
		}
	}
}

/* A timeout argument in microseconds. */
static int64
timeout_argument(FunctionCallInfo fcinfo, int argno)
{
	const Interval *timeout = PG_GETARG_INTERVAL_P(argno);
	int64		us;

	if (!sr_interval_us(timeout, "timeout", &us) || us < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout %s is out of range",
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(timeout)))),
				 errhint("A timeout is a length of time that is not negative, such as '15 minutes'.")));
	return us;
}

/* How many slots, first to last, are up or start less than a timeout after one that is. */
static int64
lasting_slots(const TelemetrySummary *summary, int64 first, int64 last, int64 timeout_us)
{
	Lasting		lasting = {.next = first, .last = last};
	SlotReader	slots;

	/* slot n + k starts less than timeout after slot n if k * slot < timeout */
	if (timeout_us > 0)
		lasting.more = (timeout_us - 1) / summary->slot_us;
	sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
	while (sr_slots_next(&slots))
		lasting_add_segment(&lasting, &slots);
	return lasting.up;
}

/* uptime(telemetry_summary, period, timeout): the same, with slots after one that is up */
Datum
sr_telemetry_uptime_timeout(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = PG_GETARG_SUMMARY(0);
	int64		timeout_us = timeout_argument(fcinfo, 2);
	int64		first;
	int64		last;

	period_slots(fcinfo, summary->slot_us, &first, &last);
	PG_RETURN_FLOAT8((double) lasting_slots(summary, first, last, timeout_us) / (double) (last - first + 1));
}

/* ---- several summaries, several times ---- */

/* A summary with the slots of several, and nothing else; those that are NULL are left out. NULL: there are none. */
static const TelemetrySummary *
union_of_slots(ArrayType *array)
{
	Datum	   *values;
	bool	   *is_null;
	int			n;
	const TelemetrySummary *only = NULL;
	SlotSet		set;
	BitWriter	bits = {0};
	bool		several = false;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &values, &is_null, &n);
	for (int i = 0; i < n; i++)
	{
		const TelemetrySummary *summary;
		SlotReader	slots;

		if (is_null[i])
			continue;
		summary = sr_summary_checked(values[i]);
		if (only == NULL)
		{
			only = summary;
			continue;
		}
		if (summary->slot_us != only->slot_us)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("telemetry with different slots cannot be merged: %s and %s", sr_slot_text(only->slot_us), sr_slot_text(summary->slot_us))));
		if (!several)
		{
			several = true;
			sr_slot_set_init(&set, CurrentMemoryContext, only->slot_us);
			sr_slots_begin(&slots, only, ERRCODE_DATA_CORRUPTED);
			while (sr_slots_next(&slots))
				sr_slot_set_add_segment(&set, &slots);
		}
		sr_slots_begin(&slots, summary, ERRCODE_DATA_CORRUPTED);
		while (sr_slots_next(&slots))
			sr_slot_set_add_segment(&set, &slots);
	}
	if (!several)
		return only;
	sr_slot_set_write(&set, &bits);
	return sr_summary_build(only->slot_us, 0, 0, &bits);
}

/* uptime_within(telemetry_summary[], times, timeout): uptime of all of them over all of the times */
Datum
sr_telemetry_uptime_within(PG_FUNCTION_ARGS)
{
	const TelemetrySummary *summary = union_of_slots(PG_GETARG_ARRAYTYPE_P(0));
	MultirangeType *times = PG_GETARG_MULTIRANGE_P(1);
	int64		timeout_us = timeout_argument(fcinfo, 2);
	TypeCacheEntry *type;
	RangeType **periods;
	int32		n;
	int64		up = 0;
	int64		slots = 0;

	/* who could not be down at any time was not */
	if (MultirangeIsEmpty(times))
		PG_RETURN_FLOAT8(1);
	if (summary == NULL)
		PG_RETURN_FLOAT8(0);
	type = multirange_get_typcache(fcinfo, MultirangeTypeGetOid(times));
	multirange_deserialize(type->rngtype, times, &n, &periods);
	for (int32 i = 0; i < n; i++)
	{
		int64		first;
		int64		last;

		CHECK_FOR_INTERRUPTS();
		if (!slots_within(periods[i], type->rngtype, summary->slot_us, &first, &last))
			continue;
		up += lasting_slots(summary, first, last, timeout_us);
		slots += last - first + 1;
	}
	PG_RETURN_FLOAT8(slots > 0 ? (double) up / (double) slots : 0);
}
