/*
 * iso8601.h: times from text. Pure C.
 */
#ifndef SR_ISO8601_H
#define SR_ISO8601_H

#include "base/text.h"

extern Fault sr_parse_time(const char *text, size_t length, int64 *microseconds);

#endif							/* SR_ISO8601_H */
