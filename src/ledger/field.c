/*
 * field.c: values of columns of any type as numbers, times and booleans.
 *
 * Only output functions of types are called, which superusers make, and no casts,
 * which the owner of a type can define: whoever made the table must not have code
 * of theirs run with the rights of whoever reads it.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/iso8601.h"
#include "ledger/field.h"

/* How a field is read from a column of this type; false: not at all. */
bool
sr_choose_reading(Field field, Oid type, FieldReader *reader)
{
	bool		is_number = field == FIELD_NODE || field == FIELD_LATENCY || field == FIELD_WORK || field == FIELD_FEE || field == FIELD_ENERGY;

	type = getBaseType(type);
	reader->padded = type == BPCHAROID;
	if (field == FIELD_EXTERNAL && type != TEXTOID && type != VARCHAROID && type != BPCHAROID)
	{
		reader->as = READ_OUTPUT;	/* a key of any type, as people write it */
		return true;
	}
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			reader->as = READ_TEXT;
			return true;
		case INT2OID:
			reader->as = READ_INT2;
			return is_number || field == FIELD_OK;
		case INT4OID:
			reader->as = READ_INT4;
			return is_number || field == FIELD_OK;
		case INT8OID:
			reader->as = READ_INT8;
			return is_number || field == FIELD_OK;
		case FLOAT4OID:
			reader->as = READ_FLOAT4;
			return is_number;
		case FLOAT8OID:
			reader->as = READ_FLOAT8;
			return is_number;
		case NUMERICOID:
			reader->as = READ_OUTPUT;
			return is_number;
		case BOOLOID:
			reader->as = READ_BOOL;
			return field == FIELD_OK;
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:		/* taken as UTC, which makes the bits the same */
			reader->as = READ_TIMESTAMPTZ;
			return field == FIELD_TIME;
		default:
			{
				char		category;
				bool		preferred;

				get_type_category_preferred(type, &category, &preferred);
				reader->as = READ_OUTPUT;
				return category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM;
			}
	}
}

/* A value as text, in the server's encoding. */
const char *
sr_field_text(const FieldReader *field, Datum value, size_t *length)
{
	const char *text;

	if (field->as == READ_TEXT)
	{
		const struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);

		text = VARDATA_ANY(packed);
		*length = VARSIZE_ANY_EXHDR(packed);
	}
	else
	{
		text = OutputFunctionCall(field->output, value);
		*length = strlen(text);
	}
	while (field->padded && *length > 0 && text[*length - 1] == ' ')
		--*length;
	return text;
}

/* A finite number; not -0. */
Fault
sr_field_number(const FieldReader *field, Datum value, double *number)
{
	switch (field->as)
	{
		case READ_INT2:
			*number = DatumGetInt16(value);
			return FAULT_NONE;
		case READ_INT4:
			*number = DatumGetInt32(value);
			return FAULT_NONE;
		case READ_INT8:
			*number = DatumGetInt64(value);
			return FAULT_NONE;
		case READ_FLOAT4:
			*number = DatumGetFloat4(value);
			break;
		case READ_FLOAT8:
			*number = DatumGetFloat8(value);
			break;
		default:
			{
				size_t		length;
				const char *text = sr_field_text(field, value, &length);

				return sr_parse_number(text, length, number);
			}
	}
	if (isnan(*number))
		return FAULT_NAN;
	if (isinf(*number))
		return FAULT_INFINITE;
	if (*number == 0)
		*number = 0;			/* not -0 */
	return FAULT_NONE;
}

/* A whole number, also one that is written with a fraction of zeros. */
Fault
sr_field_whole(const FieldReader *field, Datum value, int64 *whole)
{
	switch (field->as)
	{
		case READ_INT2:
			*whole = DatumGetInt16(value);
			return FAULT_NONE;
		case READ_INT4:
			*whole = DatumGetInt32(value);
			return FAULT_NONE;
		case READ_INT8:
			*whole = DatumGetInt64(value);
			return FAULT_NONE;
		case READ_FLOAT4:
		case READ_FLOAT8:
			{
				double		number;
				Fault		fault = sr_field_number(field, value, &number);

				if (fault != FAULT_NONE)
					return fault;
				if (number != floor(number))
					return FAULT_FORM;
				if (number < -0x1p63 || number >= 0x1p63)
					return FAULT_RANGE;
				*whole = (int64) number;
				return FAULT_NONE;
			}
		default:
			{
				size_t		length;
				const char *text = sr_field_text(field, value, &length);

				return sr_parse_whole(text, length, whole);
			}
	}
}

/* The digits of a whole number that may be larger than int64, at most FEE_DIGITS of them; the buffer holds two more. */
Fault
sr_field_digits(const FieldReader *field, Datum value, char *digits)
{
	int64		whole;
	double		number;
	Fault		fault;

	switch (field->as)
	{
		case READ_INT2:
		case READ_INT4:
		case READ_INT8:
			(void) sr_field_whole(field, value, &whole);
			pg_lltoa(whole, digits);
			return FAULT_NONE;
		case READ_FLOAT4:
		case READ_FLOAT8:
			fault = sr_field_number(field, value, &number);
			if (fault != FAULT_NONE)
				return fault;
			if (number != floor(number))
				return FAULT_FORM;
			if (fabs(number) >= 1e38)
				return FAULT_RANGE;
			snprintf(digits, FEE_DIGITS + 2, "%.0f", number);
			return FAULT_NONE;
		default:
			{
				size_t		length;
				const char *text = sr_field_text(field, value, &length);

				return sr_parse_digits(text, length, FEE_DIGITS, digits);
			}
	}
}

/* A finite time; without a zone it is UTC. */
Fault
sr_field_time(const FieldReader *field, Datum value, TimestampTz *at)
{
	if (field->as != READ_TIMESTAMPTZ)
	{
		size_t		length;
		const char *text = sr_field_text(field, value, &length);

		return sr_parse_time(text, length, at);
	}
	*at = DatumGetTimestampTz(value);
	return TIMESTAMP_NOT_FINITE(*at) ? FAULT_INFINITE : FAULT_NONE;
}

/* True or false, also as 1 or 0. */
Fault
sr_field_boolean(const FieldReader *field, Datum value, bool *truth)
{
	int64		whole;

	switch (field->as)
	{
		case READ_BOOL:
			*truth = DatumGetBool(value);
			return FAULT_NONE;
		case READ_INT2:
		case READ_INT4:
		case READ_INT8:
			(void) sr_field_whole(field, value, &whole);
			*truth = whole == 1;
			return whole == 0 || whole == 1 ? FAULT_NONE : FAULT_FORM;
		default:
			{
				size_t		length;
				const char *text = sr_field_text(field, value, &length);
				TextReader	word = sr_trimmed(text, length);

				/* which takes the first character for granted */
				if (sr_text_ended(&word) || !parse_bool_with_len(word.at, word.end - word.at, truth))
					return FAULT_FORM;
				return FAULT_NONE;
			}
	}
}
