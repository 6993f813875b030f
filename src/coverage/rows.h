/*
 * rows.h: a difference array as bytes, for another process.
 */
#ifndef SR_ROWS_H
#define SR_ROWS_H

#include "postgres.h"
#include "base/compat.h"

#include "grid/diff.h"

#include "lib/stringinfo.h"

/* Entries to a row: few, so that one far place does not make many wide. */
#define ROW_SIZE 256

/* Rows that were written by sr_rows_write and have been looked through by sr_rows_check. */
typedef struct PackedRows
{
	const char *at;
	const char *end;
	int64		nentries;		/* other than zero */
} PackedRows;

/* What is left of them, and the row at hand. */
typedef struct RowReader
{
	const char *at;
	const char *end;
	int64		start;			/* of the row's next entry */
	int32		count;			/* entries left; 0: no row any more */
	double		entry[ROW_SIZE];
} RowReader;

extern void sr_rows_write(StringInfo buf, const Diff *diff);
extern PackedRows sr_rows_check(const char *at, const char *end, int64 ncell, double most);
extern void sr_rows_add(Diff *diff, PackedRows rows);

extern void sr_reader_open(RowReader *r, PackedRows rows);
extern void sr_reader_take(RowReader *r, double *to, int32 n);

#endif							/* SR_ROWS_H */
