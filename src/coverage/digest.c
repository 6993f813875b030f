/*
 * digest.c: telling one field from another without reading either.
 *
 * Every run is multiplied into a chain of 128 bits, to 128 bits, of which both halves
 * go on. Both factors depend on all that came before, and each also goes around the
 * product, so that no value can wipe out what was there, a factor of 0 included. What
 * a changed value does to the upper half of a product, nothing in the next run can
 * take back but its start, which has 30 bits of the 64.
 *
 * Several chains, because a product takes its time and the next one waits for it.
 * This is no cryptography: whoever may run any code for long enough finds two fields
 * with one digest. It is stored, so it is the same everywhere and for good.
 */
#include "coverage/digest.h"

/* Numbers that nobody chose: the first 64 bits of the fractions of square roots of primes from 101 on. */
#define LANES 4
static const uint64 seed[LANES][2] = {
	{UINT64_C(0x0cc4a61194f81760), UINT64_C(0x261dc1f2b8a998c8)},
	{UINT64_C(0x5815a7be0543c11c), UINT64_C(0x70b7ed67fc9b5c42)},
	{UINT64_C(0xa1513c69681ad6d4), UINT64_C(0x44f9363580e83d02)},
	{UINT64_C(0x720dcdfd9dba5b44), UINT64_C(0xb467369e08efd70e)},
};

/* Odd, so that a multiple tells which: of 149. */
#define SPREAD UINT64_C(0x34e0d42e61a33f99)

static inline uint64
rotate(uint64 x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/* Multiplies a number and a smaller one into a chain. */
static inline void
absorb(uint64 chain[2], uint64 number, uint64 smaller)
{
	uint64		x = chain[0] ^ number;
	uint64		y = chain[1] ^ (smaller * SPREAD);
	uint128		product = (uint128) x * y;

	chain[0] = (uint64) product + rotate(y, 29);
	chain[1] = (uint64) (product >> 64) ^ rotate(x, 37);
}

/* 128-bit digest of a grid order and runs. */
void
sr_coverage_digest(int order, uint32 nruns, const double *values, const uint32 *starts, uint64 digest[2])
{
	uint64		chain[LANES][2];
	uint32		i = 0;

	memcpy(chain, seed, sizeof(chain));
	while (i < nruns)
		for (int k = 0; k < LANES && i < nruns; k++, i++)
		{
			uint64		bits;

			memcpy(&bits, &values[i], sizeof(bits));
			absorb(chain[k], bits, starts[i]);
		}
	for (int k = 1; k < LANES; k++)
		absorb(chain[0], chain[k][0], chain[k][1]);
	absorb(chain[0], nruns, (uint64) order);
	/* until every bit of both halves depends on every bit of either */
	for (int k = 0; k < 3; k++)
		absorb(chain[0], seed[k][0], seed[k][1]);
	memcpy(digest, chain[0], 2 * sizeof(uint64));
}
