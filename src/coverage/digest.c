/*
 * digest.c: telling one field from another without reading either.
 */
#include "coverage/digest.h"

/* One step of a multiply-rotate hash. */
static inline uint64
mix(uint64 h, uint64 v, uint64 k)
{
	h = (h ^ v) * k;
	return (h << 29) | (h >> 35);
}

/* 128-bit digest of order and runs. */
void
coverage_digest(int order, uint32 nruns, const double *values, const uint32 *starts, uint64 digest[2])
{
	uint64		a = UINT64_C(0x9e3779b97f4a7c15) + (uint64) order;
	uint64		b = UINT64_C(0xc2b2ae3d27d4eb4f) ^ nruns;

	for (uint32 i = 0; i < nruns; i++)
	{
		uint64		v;

		memcpy(&v, &values[i], sizeof(v));
		a = mix(a, v + starts[i], UINT64_C(0xff51afd7ed558ccd));
		b = mix(b, v ^ ((uint64) starts[i] << 32), UINT64_C(0xc4ceb9fe1a85ec53));
	}
	a = mix(a, a >> 32, UINT64_C(0x9fb21c651e98df25));
	b = mix(b, b >> 32, UINT64_C(0xd6e8feb86659fd93));
	digest[0] = mix(a ^ (a >> 31), nruns, UINT64_C(0xff51afd7ed558ccd));
	digest[1] = mix(b ^ (b >> 31), a, UINT64_C(0xc4ceb9fe1a85ec53));
}
