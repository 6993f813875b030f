/*
 * finish.h: the field that an aggregate has added up.
 */
#ifndef SR_FINISH_H
#define SR_FINISH_H

#include "coverage/accumulate.h"
#include "coverage/coverage.h"

extern Coverage *sr_state_finish(FieldState *state);

#endif							/* SR_FINISH_H */
