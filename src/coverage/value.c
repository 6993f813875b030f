/*
 * value.c: opening a stored field.
 */
#include "coverage/coverage.h"

#include "access/detoast.h"

/* Bytes that are fetched at once. */
#define FETCH_SLICE (4 * 1024 * 1024)

/* Is this the header of a field in so many bytes? An error if not. */
void
sr_coverage_check_header(const Coverage *c, Size size)
{
	if (size >= offsetof(Coverage, values) && c->flags != COVERAGE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unsupported coverage format version %u", c->flags),
				 errhint("It was stored by another version of swarm_reward.")));
	if (size < offsetof(Coverage, values) || c->order < 0 || c->order > SR_MAX_ORDER ||
		c->nruns == 0 || c->nruns > COVERAGE_MAX_RUNS || c->nruns > COVERAGE_NCELL(c) || size != COVERAGE_SIZE(c->nruns))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored coverage is damaged"),
				 size < offsetof(Coverage, values) ? errdetail("It has %zu bytes.", size) :
				 errdetail("It has %zu bytes, grid order %d and %u runs.", size, c->order, c->nruns)));
}

/* Checks what a few reads can tell of a field. */
static Coverage *
checked(Coverage *c)
{
	const uint32 *starts;

	sr_coverage_check_header(c, VARSIZE(c));
	starts = COVERAGE_STARTS(c);
	if (starts[0] != 0 || starts[c->nruns - 1] >= COVERAGE_NCELL(c))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored coverage is damaged"),
				 errdetail("Its runs start at cell %u, the last one at %u.", starts[0], starts[c->nruns - 1])));
	return c;
}

/*
 * The value behind a datum. The server fetches a stored value in one go, which
 * for the largest takes seconds that nothing can interrupt: so, slice by slice.
 */
Coverage *
sr_coverage_detoast(Datum d)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(d);
	struct varatt_external toast;
	char	   *whole;
	int32		size;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return checked((Coverage *) PG_DETOAST_DATUM(d));
	VARATT_EXTERNAL_GET_POINTER(toast, value);
	size = toast.va_rawsize - VARHDRSZ;
	if (VARATT_EXTERNAL_GET_EXTSIZE(toast) < (Size) size || size <= FETCH_SLICE)
		return checked((Coverage *) PG_DETOAST_DATUM(d));

	whole = sr_alloc_large((Size) size + VARHDRSZ);
	SET_VARSIZE(whole, size + VARHDRSZ);
	for (int32 at = 0; at < size; at += FETCH_SLICE)
	{
		int32		n = Min(FETCH_SLICE, size - at);
		struct varlena *slice = detoast_attr_slice(value, at, n);

		CHECK_FOR_INTERRUPTS();
		if (VARSIZE_ANY_EXHDR(slice) != (Size) n)
			elog(ERROR, "stored coverage ends early");
		memcpy(whole + VARHDRSZ + at, VARDATA_ANY(slice), n);
		pfree(slice);
	}
	return checked((Coverage *) whole);
}

/* The grid order. The header is enough: a large field is not read for it. */
int
sr_coverage_order_of(Datum d)
{
	Coverage   *c = (Coverage *) PG_DETOAST_DATUM_SLICE(d, 0, offsetof(Coverage, values) - VARHDRSZ);

	sr_coverage_check_header(c, toast_raw_datum_size(d));
	return c->order;
}
