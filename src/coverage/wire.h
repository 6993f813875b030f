/*
 * wire.h: the state of an aggregate as bytes, for another process.
 */
#ifndef SR_WIRE_H
#define SR_WIRE_H

#include "coverage/accumulate.h"

#include "lib/stringinfo.h"

/* What is left of packed rows, and of the row at hand. */
typedef struct RowReader
{
	Packed		rest;
	int64		start;			/* of the row's next entry */
	int32		count;			/* entries left; 0: no row any more */
	int16		width;
	double		unit;			/* what 1 stands for */
	const char *in;
	const char *high;			/* of 3 bytes, the high ones */
	int64		entries;		/* in all rows, where they were counted */
} RowReader;

extern void state_write(StringInfo buf, FieldState *state);
extern FieldState *state_read(const char *at, const char *end);

extern void next_row(RowReader *r, int64 ncell);
extern void add_entries(RowReader *r, int64 ncell, double *to, int32 n);
extern void unpack_rows(Diff *diff, int64 ncell, Packed packed);

#endif							/* SR_WIRE_H */
