/*
 * wire.h: the state of an aggregate as bytes, for another process.
 */
#ifndef SR_WIRE_H
#define SR_WIRE_H

#include "coverage/accumulate.h"

#include "lib/stringinfo.h"

extern void sr_state_write(StringInfo buf, FieldState *state);
extern FieldState *sr_state_read(const char *at, const char *end);

#endif							/* SR_WIRE_H */
