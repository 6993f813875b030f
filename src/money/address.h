/*
 * address.h: Ethereum's addresses.
 */
#ifndef SR_ADDRESS_H
#define SR_ADDRESS_H

#include "postgres.h"

#define ADDRESS_BYTES 20
#define ADDRESS_CHARS (2 + 2 * ADDRESS_BYTES)

typedef struct Address
{
	unsigned char bytes[ADDRESS_BYTES];
	char		text[ADDRESS_CHARS + 1];	/* in the one canonical form, EIP-55 */
} Address;

extern Address sr_address_from_text(const text *value);

#endif							/* SR_ADDRESS_H */
