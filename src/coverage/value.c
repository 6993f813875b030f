/*
 * value.c: opening a stored field.
 */
#include "coverage/coverage.h"

#include "access/detoast.h"

/* Bytes that are fetched at once. */
#define FETCH_SLICE (4 * 1024 * 1024)

/*
 * The value behind a datum. The server fetches a stored value in one go, which
 * for the largest takes seconds that nothing can interrupt: so, slice by slice.
 */
Coverage *
coverage_detoast(Datum d)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(d);
	struct varatt_external toast;
	char	   *whole;
	int32		size;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return (Coverage *) PG_DETOAST_DATUM(d);
	VARATT_EXTERNAL_GET_POINTER(toast, value);
	size = toast.va_rawsize - VARHDRSZ;
	if (VARATT_EXTERNAL_GET_EXTSIZE(toast) < (Size) size || size <= FETCH_SLICE)
		return (Coverage *) PG_DETOAST_DATUM(d);

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
	return (Coverage *) whole;
}
