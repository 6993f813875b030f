/*
 * field.h: values of columns of any type as numbers, times and booleans.
 */
#ifndef SR_FIELD_H
#define SR_FIELD_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "base/text.h"
#include "ledger/sample.h"

typedef enum ReadAs
{
	READ_TEXT,
	READ_OUTPUT,				/* as text, through the type's output function */
	READ_INT2,
	READ_INT4,
	READ_INT8,
	READ_FLOAT4,
	READ_FLOAT8,
	READ_BOOL,
	READ_TIMESTAMPTZ
} ReadAs;

#define FEE_DIGITS 38			/* of the column's type */
#define WORK_MAX INT64CONST(1000000000000000)	/* as the column's constraint has it */

typedef struct FieldReader
{
	int			attribute;		/* from 0; -1: there is no such column */
	ReadAs		as;
	bool		padded;			/* blanks at the end mean nothing */
	FmgrInfo   *output;			/* of the column's type */
} FieldReader;

extern bool sr_choose_reading(Field field, Oid type, FieldReader *reader);
extern const char *sr_field_text(const FieldReader *field, Datum value, size_t *length);
extern Fault sr_field_number(const FieldReader *field, Datum value, double *number);
extern Fault sr_field_whole(const FieldReader *field, Datum value, int64 *whole);
extern Fault sr_field_digits(const FieldReader *field, Datum value, char *digits);
extern Fault sr_field_time(const FieldReader *field, Datum value, TimestampTz *at);
extern Fault sr_field_boolean(const FieldReader *field, Datum value, bool *truth);

#endif							/* SR_FIELD_H */
