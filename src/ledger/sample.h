/*
 * sample.h: reads rows of any table as samples of telemetry, or says what is wrong with them.
 */
#ifndef SR_SAMPLE_H
#define SR_SAMPLE_H

#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"

/* What a sample says, in the order in which it is held. */
typedef enum Field
{
	FIELD_NODE,
	FIELD_SERVICE,
	FIELD_TIME,
	FIELD_LATENCY,
	FIELD_OK,
	FIELD_WORK,
	FIELD_FEE,
	FIELD_ENERGY,
	FIELD_EXTERNAL,				/* names the node where FIELD_NODE is null; no column of telemetry */
	FIELDS
} Field;

typedef struct Sample
{
	Datum		values[FIELDS];
	bool		nulls[FIELDS];
} Sample;

typedef struct SampleReader SampleReader;

extern SampleReader *sr_sample_reader(TupleDesc desc, const char *source);
extern void sr_read_sample(SampleReader *reader, TupleTableSlot *slot, TimestampTz latest, Sample *sample, StringInfo reason);
extern void sr_add_reason(StringInfo reason, const char *format,...) __attribute__((format(printf, 2, 3)));
extern Datum sr_row_jsonb(SampleReader *reader, TupleTableSlot *slot);

#endif							/* SR_SAMPLE_H */
