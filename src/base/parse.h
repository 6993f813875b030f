/*
 * parse.h: whole numbers, numbers and times from text that may be anything. Pure C.
 *
 * Nothing here raises an error: a value that cannot be had is told by its fault,
 * so that one bad row among millions costs no more than a good one. What is
 * accepted means the same whatever the settings of a session are.
 */
#ifndef SR_PARSE_H
#define SR_PARSE_H

#include "base/port.h"

typedef enum Fault
{
	FAULT_NONE = 0,
	FAULT_FORM,					/* is not written like one */
	FAULT_RANGE,				/* is written like one but does not fit */
	FAULT_INFINITE,				/* a time or a number without end */
	FAULT_NAN
} Fault;

extern Fault sr_parse_whole(const char *text, size_t length, int64 *value);
extern Fault sr_parse_number(const char *text, size_t length, double *value);
extern Fault sr_parse_time(const char *text, size_t length, int64 *microseconds);

#endif							/* SR_PARSE_H */
