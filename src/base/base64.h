/*
 * base64.h: bytes as text, RFC 4648: of three bytes four characters. Pure C.
 *
 * Whole groups only: whoever needs padding does not need this.
 */
#ifndef SR_BASE64_H
#define SR_BASE64_H

#include "base/port.h"

extern char *sr_base64_write(char *to, const uint8 *bytes, size_t ngroups);
extern size_t sr_base64_read(uint8 *to, const char *text, size_t ngroups);

#endif							/* SR_BASE64_H */
