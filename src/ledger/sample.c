/*
 * sample.c: reads rows of any table as samples of telemetry.
 *
 * Only output functions of types are called, which superusers make, and no casts,
 * which the owner of a type can define: whoever made the table must not have code
 * of theirs run with the rights of whoever reads it.
 */
#include "postgres.h"

#include "base/compat.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/iso8601.h"
#include "ledger/sample.h"

#define LARGEST_REJECT 200000000	/* bytes of text; a jsonb object holds 2^28, names and all */

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

typedef struct FieldReader
{
	int			attribute;		/* from 0; -1: there is no such column */
	ReadAs		as;
	bool		padded;			/* blanks at the end mean nothing */
} FieldReader;

struct SampleReader
{
	TupleDesc	desc;
	FieldReader fields[FIELDS];
	FmgrInfo   *output;			/* of each column's type */
};

static const struct
{
	const char *name;
	bool		needed;
	const char *kind;
	const char *types;
}			field_info[FIELDS] = {
	[FIELD_NODE] = {"node_id", true, "a whole number", "bigint or text"},
	[FIELD_SERVICE] = {"service_type", false, "a code", "text"},
	[FIELD_TIME] = {"sampled_at", true, "a time", "timestamp with time zone, or text in ISO 8601"},
	[FIELD_LATENCY] = {"latency_ms", false, "a number", "double precision or text"},
	[FIELD_OK] = {"ok", true, "true or false", "boolean or text"},
	[FIELD_WORK] = {"work", false, "a whole number", "bigint or text"},
	[FIELD_ENERGY] = {"energy_mwh", false, "a whole number", "bigint or text"},
};

/* How a field is read from a column of this type; false: not at all. */
static bool
choose_reading(Field field, Oid type, FieldReader *reader)
{
	bool		is_number = field == FIELD_NODE || field == FIELD_LATENCY || field == FIELD_WORK || field == FIELD_ENERGY;

	type = getBaseType(type);
	reader->padded = type == BPCHAROID;
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

/* Matches the columns by name; source names the table in messages. */
SampleReader *
sr_sample_reader(TupleDesc desc, const char *source)
{
	SampleReader *reader = palloc(sizeof(SampleReader));

	reader->desc = desc;
	for (int f = 0; f < FIELDS; f++)
	{
		FieldReader *field = &reader->fields[f];

		field->attribute = -1;
		for (int i = 0; i < desc->natts; i++)
			if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), field_info[f].name) == 0)
				field->attribute = i;
		if (field->attribute < 0)
		{
			if (field_info[f].needed)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_COLUMN),
						 errmsg("%s has no column %s", source, field_info[f].name),
						 errhint("Columns are matched by name: node_id, sampled_at and ok must be there, "
								 "service_type, latency_ms, work and energy_mwh may be.")));
			continue;
		}
		if (!choose_reading(f, TupleDescAttr(desc, field->attribute)->atttypid, field))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %s of %s is of type %s, which cannot be read as %s", field_info[f].name, source,
							format_type_be(TupleDescAttr(desc, field->attribute)->atttypid), field_info[f].kind),
					 errhint("Make it %s.", field_info[f].types)));
	}

	reader->output = palloc(sizeof(FmgrInfo) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &function, &is_varlena);
		fmgr_info(function, &reader->output[i]);
	}
	return reader;
}

/* The text of a value that is read as text. */
static const char *
value_text(SampleReader *reader, const FieldReader *field, Datum value, size_t *length)
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
		text = OutputFunctionCall(&reader->output[field->attribute], value);
		*length = strlen(text);
	}
	while (field->padded && *length > 0 && text[*length - 1] == ' ')
		--*length;
	return text;
}

static Fault
read_number(SampleReader *reader, const FieldReader *field, Datum value, double *number)
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
				const char *text = value_text(reader, field, value, &length);

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

static Fault
read_whole(SampleReader *reader, const FieldReader *field, Datum value, int64 *whole)
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
				Fault		fault = read_number(reader, field, value, &number);

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
				const char *text = value_text(reader, field, value, &length);

				return sr_parse_whole(text, length, whole);
			}
	}
}

static Fault
read_time(SampleReader *reader, const FieldReader *field, Datum value, TimestampTz *at)
{
	if (field->as != READ_TIMESTAMPTZ)
	{
		size_t		length;
		const char *text = value_text(reader, field, value, &length);

		return sr_parse_time(text, length, at);
	}
	*at = DatumGetTimestampTz(value);
	return TIMESTAMP_NOT_FINITE(*at) ? FAULT_INFINITE : FAULT_NONE;
}

static Fault
read_boolean(SampleReader *reader, const FieldReader *field, Datum value, bool *truth)
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
			(void) read_whole(reader, field, value, &whole);
			*truth = whole == 1;
			return whole == 0 || whole == 1 ? FAULT_NONE : FAULT_FORM;
		default:
			{
				size_t		length;
				const char *text = value_text(reader, field, value, &length);

				while (length > 0 && isspace((unsigned char) *text))
				{
					text++;
					length--;
				}
				while (length > 0 && isspace((unsigned char) text[length - 1]))
					length--;
				/* which takes the first character for granted */
				return length > 0 && parse_bool_with_len(text, length, truth) ? FAULT_NONE : FAULT_FORM;
			}
	}
}

/* One more reason, after a semicolon if it is not the first. */
void
sr_add_reason(StringInfo reason, const char *format,...)
{
	int			more;

	if (reason->len > 0)
		appendStringInfoString(reason, "; ");
	do
	{
		va_list		args;

		va_start(args, format);
		more = appendStringInfoVA(reason, format, args);
		va_end(args);
		if (more > 0)
			enlargeStringInfo(reason, more);
	} while (more > 0);
}

static void
add_fault(StringInfo reason, Field field, Fault fault)
{
	const char *name = field_info[field].name;

	switch (fault)
	{
		case FAULT_NONE:
			break;
		case FAULT_FORM:
			if (field == FIELD_TIME)
				sr_add_reason(reason, "%s is not an ISO 8601 time", name);
			else
				sr_add_reason(reason, "%s is not %s", name, field_info[field].kind);
			break;
		case FAULT_RANGE:
			sr_add_reason(reason, "%s is out of range", name);
			break;
		case FAULT_INFINITE:
			sr_add_reason(reason, "%s is infinite", name);
			break;
		case FAULT_NAN:
			sr_add_reason(reason, "%s is NaN", name);
			break;
	}
}

/*
 * Reads a row; what is wrong with it is added to reason. Memory is the current
 * context's, which the caller resets. latest: no clock is further ahead.
 */
void
sr_read_sample(SampleReader *reader, TupleTableSlot *slot, TimestampTz latest, Sample *sample, StringInfo reason)
{
	slot_getallattrs(slot);
	for (int f = 0; f < FIELDS; f++)
	{
		const FieldReader *field = &reader->fields[f];
		Fault		fault = FAULT_NONE;
		Datum		value;

		sample->values[f] = (Datum) 0;
		sample->nulls[f] = field->attribute < 0 || slot->tts_isnull[field->attribute];
		if (sample->nulls[f])
		{
			if (field_info[f].needed)
				sr_add_reason(reason, "%s is missing", field_info[f].name);
			continue;
		}
		value = slot->tts_values[field->attribute];
		switch ((Field) f)
		{
			case FIELD_NODE:
			case FIELD_WORK:
			case FIELD_ENERGY:
				{
					int64		whole = 0;

					fault = read_whole(reader, field, value, &whole);
					if (fault == FAULT_NONE && whole < 0 && f != FIELD_NODE)
						sr_add_reason(reason, "%s is negative", field_info[f].name);
					sample->values[f] = Int64GetDatum(whole);
					break;
				}
			case FIELD_TIME:
				{
					TimestampTz at = 0;

					fault = read_time(reader, field, value, &at);
					if (fault == FAULT_NONE && at > latest)
						sr_add_reason(reason, "%s is in the future", field_info[f].name);
					sample->values[f] = TimestampTzGetDatum(at);
					break;
				}
			case FIELD_LATENCY:
				{
					double		number = 0;

					fault = read_number(reader, field, value, &number);
					if (fault == FAULT_NONE && number < 0)
						sr_add_reason(reason, "%s is negative", field_info[f].name);
					sample->values[f] = Float8GetDatum(number);
					break;
				}
			case FIELD_OK:
				{
					bool		truth = false;

					fault = read_boolean(reader, field, value, &truth);
					sample->values[f] = BoolGetDatum(truth);
					break;
				}
			case FIELD_SERVICE:
				if (field->as == READ_TEXT && !field->padded)
					sample->values[f] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
				else
				{
					size_t		length;
					const char *text = value_text(reader, field, value, &length);

					sample->values[f] = PointerGetDatum(cstring_to_text_with_len(text, length));
				}
				break;
			case FIELDS:
				break;
		}
		add_fault(reason, f, fault);
	}
	if (sample->nulls[FIELD_SERVICE] && !sample->nulls[FIELD_WORK] && DatumGetInt64(sample->values[FIELD_WORK]) > 0)
		sr_add_reason(reason, "work without service_type");
}

/* A row as it is: an object of its columns' text. */
Datum
sr_row_jsonb(SampleReader *reader, TupleTableSlot *slot)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;
	size_t		size = 0;

	slot_getallattrs(slot);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < reader->desc->natts; i++)
	{
		JsonbValue	item;

		item.type = jbvString;
		item.val.string.val = NameStr(TupleDescAttr(reader->desc, i)->attname);
		item.val.string.len = strlen(item.val.string.val);
		pushJsonbValue(&state, WJB_KEY, &item);
		if (slot->tts_isnull[i])
			item.type = jbvNull;
		else
		{
			item.val.string.val = OutputFunctionCall(&reader->output[i], slot->tts_values[i]);
			item.val.string.len = strlen(item.val.string.val);
			size += item.val.string.len;
			if (size > LARGEST_REJECT)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("a row cannot be rejected: its values are longer than %d bytes", LARGEST_REJECT),
						 errdetail("Column %s brings them to %zu.", NameStr(TupleDescAttr(reader->desc, i)->attname), size),
						 errhint("Shorten or delete it in the source; nothing was changed.")));
		}
		pushJsonbValue(&state, WJB_VALUE, &item);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}
