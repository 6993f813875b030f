/*
 * keccak.h: the hash of Ethereum.
 */
#ifndef SR_KECCAK_H
#define SR_KECCAK_H

#include <stddef.h>

#define KECCAK_BYTES 32

extern void sr_keccak256(const unsigned char *message, size_t length, unsigned char hash[KECCAK_BYTES]);

#endif							/* SR_KECCAK_H */
