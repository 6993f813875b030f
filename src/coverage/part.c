/*
 * part.c: some of a stored field's cells.
 *
 * A large field lies uncompressed in pieces of some 2 kB, so that its runs are searched
 * and read where they lie.
 */
#include "coverage/part.h"

#include "access/detoast.h"

#include "coverage/runs.h"

/* Fields up to this size are read whole: a search would take longer. */
#define WHOLE (256 * 1024)

/* Bytes of a stored value from a place in it on. */
static const void *
read_bytes(Datum field, Size at, Size size)
{
	struct varlena *slice;

	Assert(at >= VARHDRSZ && size <= MaxAllocSize);
	slice = detoast_attr_slice((struct varlena *) DatumGetPointer(field), (int32) (at - VARHDRSZ), (int32) size);
	if (VARSIZE_ANY_EXHDR(slice) != size)
		elog(ERROR, "stored coverage ends early");
	return VARDATA_ANY(slice);
}

/* Is it large and stored so that parts of it can be read? */
static bool
is_large(Datum field)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(field);
	struct varatt_external toast;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return false;
	VARATT_EXTERNAL_GET_POINTER(toast, value);
	/* VARATT_EXTERNAL_IS_COMPRESSED says it too, but compares numbers with and without a sign, of which compilers warn */
	return toast.va_rawsize > WHOLE && (int32) VARATT_EXTERNAL_GET_EXTSIZE(toast) >= toast.va_rawsize - VARHDRSZ;
}

/* The first bytes of a field that is large, into a field without values. */
static void
read_head(Datum field, Coverage *head)
{
	memcpy((char *) head + VARHDRSZ, read_bytes(field, VARHDRSZ, offsetof(Coverage, values) - VARHDRSZ),
		   offsetof(Coverage, values) - VARHDRSZ);
	sr_coverage_check_header(head, toast_raw_datum_size(field));
}

/* The last run that starts at a cell or before it. */
static uint32
find_run(Datum field, uint32 nruns, int64 cell)
{
	Size		starts = COVERAGE_SIZE(0) + (Size) nruns * sizeof(double);
	uint32		lo = 0;
	uint32		hi = nruns - 1;

	while (lo < hi)
	{
		uint32		mid = lo + (hi - lo + 1) / 2;
		uint32		start;

		memcpy(&start, read_bytes(field, starts + (Size) mid * sizeof(uint32), sizeof(uint32)), sizeof(uint32));
		if ((int64) start <= cell)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

/* Numbers of a field, aligned. */
static void *
read_array(Datum field, Size at, uint32 count, Size item)
{
	void	   *array = sr_alloc_array(count, item);

	memcpy(array, read_bytes(field, at, count * item), count * item);
	return array;
}

/* The cells first .. end - 1 of a field, at least one; in memory of the current context. */
void
sr_part_read(Datum field, int64 first, int64 end, CoveragePart *part)
{
	part->first = first;
	part->end = end;
	if (is_large(field))
	{
		Coverage	head;
		uint32		from,
					to;

		read_head(field, &head);
		from = find_run(field, head.nruns, first);
		to = find_run(field, head.nruns, end - 1);
		part->order = head.order;
		part->nruns = to - from + 1;
		part->values = read_array(field, offsetof(Coverage, values) + (Size) from * sizeof(double), part->nruns, sizeof(double));
		part->starts = read_array(field, COVERAGE_SIZE(0) + (Size) head.nruns * sizeof(double) + (Size) from * sizeof(uint32),
								  part->nruns, sizeof(uint32));
	}
	else
	{
		const Coverage *c = DatumGetCoverage(field);
		uint32		from = run_of(c, first);

		part->order = c->order;
		part->nruns = run_of(c, end - 1) - from + 1;
		part->values = c->values + from;
		part->starts = COVERAGE_STARTS(c) + from;
	}
	Assert(end <= INT64_C(12) << (2 * part->order));
}
