/*
 * sample.c: reads rows of any table as samples of telemetry.
 */
#include "postgres.h"
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "ledger/field.h"

#define LARGEST_REJECT 200000000	/* bytes of text; a jsonb object holds 2^28, names and all */

struct SampleReader
{
	TupleDesc	desc;
	FieldReader fields[FIELDS];
	FmgrInfo   *output;			/* of each column's type */
};

/* What messages say of the fields. */
static const struct
{
	const char *name;
	bool		needed;			/* no sample is without it */
	const char *kind;
	const char *types;			/* that it is best read from */
}			field_info[FIELDS] = {
	[FIELD_NODE] = {"node_id", false, "a whole number", "bigint or text"},
	[FIELD_SERVICE] = {"service_type", false, "a code", "text"},
	[FIELD_TIME] = {"sampled_at", true, "a time", "timestamp with time zone, or text in ISO 8601"},
	[FIELD_LATENCY] = {"latency_ms", false, "a number", "double precision or text"},
	[FIELD_OK] = {"ok", true, "true or false", "boolean or text"},
	[FIELD_WORK] = {"work", false, "a whole number", "bigint or text"},
	[FIELD_FEE] = {"fee", false, "a whole number", "numeric or text"},
	[FIELD_ENERGY] = {"energy_mwh", false, "a whole number", "bigint or text"},
	[FIELD_EXTERNAL] = {"external_id", false, "a key", "text"},
};

/* The column of a field's name, from 0; -1 if there is none. */
static int
find_column(TupleDesc desc, Field field)
{
	for (int i = 0; i < desc->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), field_info[field].name) == 0)
			return i;
	return -1;
}

/* A source lacks what no sample is without. */
pg_noreturn static void
refuse_source(const char *source, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("%s has no column %s", source, column),
			 errhint("Columns are matched by name: node_id or external_id, sampled_at and ok must be there, "
					 "service_type, latency_ms, work, fee and energy_mwh may be.")));
}

/* Matches the columns by name; source names the table in messages. */
SampleReader *
sr_sample_reader(TupleDesc desc, const char *source)
{
	SampleReader *reader = palloc0(sizeof(SampleReader));

	reader->desc = desc;
	reader->output = palloc(sizeof(FmgrInfo) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			function;
		bool		is_varlena;

		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &function, &is_varlena);
		fmgr_info(function, &reader->output[i]);
	}
	for (int f = 0; f < FIELDS; f++)
	{
		FieldReader *field = &reader->fields[f];
		Oid			type;

		field->attribute = find_column(desc, f);
		if (field->attribute < 0)
		{
			if (field_info[f].needed)
				refuse_source(source, field_info[f].name);
			continue;
		}
		field->output = &reader->output[field->attribute];
		type = TupleDescAttr(desc, field->attribute)->atttypid;
		if (!sr_choose_reading(f, type, field))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %s of %s is of type %s, which cannot be read as %s", field_info[f].name, source,
							format_type_be(type), field_info[f].kind),
					 errhint("Make it %s.", field_info[f].types)));
	}
	if (reader->fields[FIELD_NODE].attribute < 0 && reader->fields[FIELD_EXTERNAL].attribute < 0)
		refuse_source(source, "node_id");
	return reader;
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

/* Was a field read? If not, adds why. */
static bool
is_read(StringInfo reason, Field field, Fault fault)
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
	return fault == FAULT_NONE;
}

/* Reads the value of one field; what is wrong with it is added to reason. */
static Datum
read_field(const FieldReader *reader, Field field, Datum value, TimestampTz latest, StringInfo reason)
{
	const char *name = field_info[field].name;
	int64		whole = 0;
	double		number = 0;
	TimestampTz at = 0;
	bool		truth = false;
	char		digits[FEE_DIGITS + 2] = "0";
	const char *text;
	size_t		length;

	switch (field)
	{
		case FIELD_NODE:
		case FIELD_WORK:
		case FIELD_ENERGY:
			if (is_read(reason, field, sr_field_whole(reader, value, &whole)) && whole < 0 && field != FIELD_NODE)
				sr_add_reason(reason, "%s is negative", name);
			if (field == FIELD_WORK && whole > WORK_MAX)
				(void) is_read(reason, field, FAULT_RANGE);
			return Int64GetDatum(whole);
		case FIELD_TIME:
			if (is_read(reason, field, sr_field_time(reader, value, &at)) && at > latest)
				sr_add_reason(reason, "%s is in the future", name);
			return TimestampTzGetDatum(at);
		case FIELD_LATENCY:
			if (is_read(reason, field, sr_field_number(reader, value, &number)) && number < 0)
				sr_add_reason(reason, "%s is negative", name);
			return Float8GetDatum(number);
		case FIELD_OK:
			(void) is_read(reason, field, sr_field_boolean(reader, value, &truth));
			return BoolGetDatum(truth);
		case FIELD_FEE:
			if (is_read(reason, field, sr_field_digits(reader, value, digits)) && digits[0] == '-')
				sr_add_reason(reason, "%s is negative", name);
			return DirectFunctionCall3(numeric_in, CStringGetDatum(digits), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
		case FIELD_SERVICE:
		case FIELD_EXTERNAL:
			if (reader->as == READ_TEXT && !reader->padded)
				return PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
			text = sr_field_text(reader, value, &length);
			return PointerGetDatum(cstring_to_text_with_len(text, length));
		case FIELDS:
			break;
	}
	pg_unreachable();
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

		sample->values[f] = (Datum) 0;
		sample->nulls[f] = field->attribute < 0 || slot->tts_isnull[field->attribute];
		if (!sample->nulls[f])
			sample->values[f] = read_field(field, f, slot->tts_values[field->attribute], latest, reason);
		else if (field_info[f].needed)
			sr_add_reason(reason, "%s is missing", field_info[f].name);
	}
	if (!sample->nulls[FIELD_NODE])
		sample->nulls[FIELD_EXTERNAL] = true;
	else if (sample->nulls[FIELD_EXTERNAL])
		sr_add_reason(reason, reader->fields[FIELD_EXTERNAL].attribute < 0 ? "node_id is missing" : "node_id and external_id are missing");
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
