/*
 * keccak.c: the sponge Keccak[512] over the permutation Keccak-f[1600], FIPS 202.
 *
 * A message is absorbed in blocks of 136 bytes, the last one filled up with an
 * ending and a one bit; the hash is the first 32 bytes of the state.
 */
#include "money/keccak.h"

#define LANES 25				/* of 64 bits: lane (x, y) is number x + 5 y */
#define ROUNDS 24
#define RATE (8 * LANES - 2 * KECCAK_BYTES) /* bytes of a block */
#define BLOCKS_AT_ONCE 8192		/* between two looks at interrupts */

/* FIPS 202, 3.2.5: added to lane (0, 0), one in each round. */
static const uint64 round_constant[ROUNDS] = {
	UINT64_C(0x0000000000000001), UINT64_C(0x0000000000008082), UINT64_C(0x800000000000808a), UINT64_C(0x8000000080008000),
	UINT64_C(0x000000000000808b), UINT64_C(0x0000000080000001), UINT64_C(0x8000000080008081), UINT64_C(0x8000000000008009),
	UINT64_C(0x000000000000008a), UINT64_C(0x0000000000000088), UINT64_C(0x0000000080008009), UINT64_C(0x000000008000000a),
	UINT64_C(0x000000008000808b), UINT64_C(0x800000000000008b), UINT64_C(0x8000000000008089), UINT64_C(0x8000000000008003),
	UINT64_C(0x8000000000008002), UINT64_C(0x8000000000000080), UINT64_C(0x000000000000800a), UINT64_C(0x800000008000000a),
	UINT64_C(0x8000000080008081), UINT64_C(0x8000000000008080), UINT64_C(0x0000000080000001), UINT64_C(0x8000000080008008)
};

/* Steps ρ and π on the way from lane to lane: where the lane before goes, and how far it is turned. */
static const struct
{
	unsigned char lane;
	unsigned char turn;
}			path[LANES - 1] = {
	{10, 1}, {7, 3}, {11, 6}, {17, 10}, {18, 15}, {3, 21}, {5, 28}, {16, 36}, {8, 45}, {21, 55}, {24, 2}, {4, 14},
	{15, 27}, {23, 41}, {19, 56}, {13, 8}, {12, 25}, {2, 43}, {20, 62}, {14, 18}, {22, 39}, {9, 61}, {6, 20}, {1, 44}
};

/* A lane turned towards its most significant bit, by 1 to 63 bits. */
static inline uint64
turned(uint64 lane, int bits)
{
	return lane << bits | lane >> (64 - bits);
}

/* Keccak-f[1600]. */
static void
permute(uint64 lane[LANES])
{
	for (int round = 0; round < ROUNDS; round++)
	{
		uint64		column[5];
		uint64		moving;

		/* θ */
		for (int x = 0; x < 5; x++)
			column[x] = lane[x] ^ lane[x + 5] ^ lane[x + 10] ^ lane[x + 15] ^ lane[x + 20];
		for (int x = 0; x < 5; x++)
		{
			uint64		parity = column[(x + 4) % 5] ^ turned(column[(x + 1) % 5], 1);

			for (int y = 0; y < LANES; y += 5)
				lane[x + y] ^= parity;
		}

		/* ρ and π */
		moving = lane[1];
		for (int i = 0; i < LANES - 1; i++)
		{
			uint64		next = lane[path[i].lane];

			lane[path[i].lane] = turned(moving, path[i].turn);
			moving = next;
		}

		/* χ and ι */
		for (int y = 0; y < LANES; y += 5)
		{
			memcpy(column, lane + y, sizeof(column));
			for (int x = 0; x < 5; x++)
				lane[x + y] = column[x] ^ (~column[(x + 1) % 5] & column[(x + 2) % 5]);
		}
		lane[0] ^= round_constant[round];
	}
}

/* Eight bytes, the least significant first; compilers make one load of it where that is the machine's order. */
static inline uint64
lane_of(const unsigned char *b)
{
	return (uint64) b[0] | (uint64) b[1] << 8 | (uint64) b[2] << 16 | (uint64) b[3] << 24 |
		(uint64) b[4] << 32 | (uint64) b[5] << 40 | (uint64) b[6] << 48 | (uint64) b[7] << 56;
}

/* Adds a block to the state and mixes. */
static void
absorb(uint64 lane[LANES], const unsigned char *block)
{
	for (int i = 0; i < RATE / 8; i++)
		lane[i] ^= lane_of(block + 8 * i);
	permute(lane);
}

/* The first 256 bits of what the sponge gives for a message with an ending. */
KeccakHash
sr_keccak_sponge(const unsigned char *message, size_t length, unsigned char ending)
{
	uint64		lane[LANES] = {0};
	unsigned char last[RATE] = {0};
	KeccakHash	hash;

	for (size_t block = 0; length >= RATE; block++, message += RATE, length -= RATE)
	{
		if (block % BLOCKS_AT_ONCE == 0)
			sr_check_interrupts();
		absorb(lane, message);
	}
	if (length > 0)
		memcpy(last, message, length);
	last[length] = ending;
	last[RATE - 1] |= 0x80;
	absorb(lane, last);

	for (int i = 0; i < KECCAK_BYTES; i++)
		hash.bytes[i] = (unsigned char) (lane[i / 8] >> (8 * (i % 8)));
	return hash;
}
