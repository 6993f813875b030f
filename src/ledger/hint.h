/*
 * hint.h: hints for errors of the server's.
 */
#ifndef SR_HINT_H
#define SR_HINT_H

extern void sr_hint_init(void);

#endif							/* SR_HINT_H */
