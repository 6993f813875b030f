/*
 * Digests of fields: pairs that differ in little must not agree in either half, and the
 * digests of a few fields are what they always were, since they are stored.
 */
#include "coverage/digest.h"

#include <math.h>

#include "tap.h"

#define MAX_RUNS 12

typedef struct Field
{
	int			order;
	uint32		nruns;
	double		values[MAX_RUNS];
	uint32		starts[MAX_RUNS];
} Field;

/* Halves of digests, to be looked through for two of a kind. */
#define MOST (1 << 23)
static uint64 *half[2];
static int64 count;

static void
note(const Field *f)
{
	uint64		digest[2];

	if (count == MOST)
		return;
	sr_coverage_digest(f->order, f->nruns, f->values, f->starts, digest);
	half[0][count] = digest[0];
	half[1][count++] = digest[1];
}

static int
compare(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

/* Fields that all differ: no half occurs twice. */
static void
all_differ(const char *what)
{
	for (int h = 0; h < 2; h++)
	{
		int64		twice = 0;

		qsort(half[h], (size_t) count, sizeof(uint64), compare);
		for (int64 i = 1; i < count; i++)
			twice += half[h][i] == half[h][i - 1];
		ok(twice == 0 && count < MOST, "%s: %lld fields, half %d, %lld times the same", what, (long long) count, h, (long long) twice);
	}
	count = 0;
}

static uint64
random_bits(void)
{
	return (uint64) (tap_random() * 4294967296.0) << 32 | (uint64) (tap_random() * 4294967296.0);
}

static void
flip(Field *f, uint32 run, uint64 bits)
{
	uint64		v;

	memcpy(&v, &f->values[run], sizeof(v));
	v ^= bits;
	memcpy(&f->values[run], &v, sizeof(v));
}

/* A field of so many runs of a kind of values. */
static Field
make_field(uint32 nruns, int kind)
{
	Field		f = {.order = 4, .nruns = nruns};

	for (uint32 i = 0; i < nruns; i++)
	{
		f.values[i] = kind == 0 ? (double) (i % 3)
			: kind == 1 ? rint(tap_random() * 1000) / 4
			: tap_random() * 2 - 1;
		f.starts[i] = i == 0 ? 0 : f.starts[i - 1] + 1 + (uint32) (tap_random() * 100);
	}
	return f;
}

/* Every two bits of two runs, all pairs of runs of fields of several kinds. */
static void
two_bits(void)
{
	for (int kind = 0; kind < 3; kind++)
		for (uint32 nruns = 2; nruns <= 9; nruns++)
		{
			Field		f = make_field(nruns, kind);

			note(&f);
			for (uint32 a = 0; a < nruns; a++)
				for (uint32 b = a; b < nruns; b++)
					for (int i = 0; i < 64; i++)
						for (int j = 0; j < (a == b ? i : 64); j++)
						{
							Field		g = f;

							flip(&g, a, UINT64_C(1) << i);
							flip(&g, b, UINT64_C(1) << j);
							note(&g);
						}
		}
	all_differ("two bits of values flipped");
}

/* A bit of one value, and any small difference of another: of the kind that was found once. */
static void
bit_and_little(void)
{
	for (int kind = 0; kind < 3; kind++)
		for (uint32 b = 1; b < 6; b++)
		{
			Field		f = make_field(6, kind);

			for (int i = 40; i < 64; i++)
				for (int shift = 0; shift < 60; shift += 5)
					for (uint64 little = 1; little < 256; little += 2)
					{
						Field		g = f;

						flip(&g, b - 1, UINT64_C(1) << i);
						flip(&g, b, little << shift);
						note(&g);
					}
		}
	all_differ("a bit of one value and little of the next");
}

/* A bit of one value, and the start of the next or of one in the same chain. */
static void
bit_and_start(void)
{
	for (int kind = 0; kind < 3; kind++)
		for (uint32 step = 1; step <= 5; step++)
		{
			Field		f = make_field(8, kind);

			/* apart from those of the other fields, so that all differ */
			f.order = (int) (5 * kind + step);
			for (uint32 a = 0; a + step < 8; a++)
				for (int i = 0; i < 64; i++)
					for (int j = 0; j < 30; j++)
						for (uint32 little = 1; little < 8; little += 2)
						{
							Field		g = f;

							if ((uint64) little << j >> 30)
								continue;
							flip(&g, a, UINT64_C(1) << i);
							g.starts[a + step] ^= little << j;
							note(&g);
						}
		}
	all_differ("a bit of a value and a later start");
}

/* What numbers there are: counts and where they start, in fields of few runs. */
static void
small_numbers(void)
{
	for (int order = 0; order < 4; order++)
		for (int a = 0; a < 8; a++)
		{
			Field		f = {order, 1, {a}, {0}};

			note(&f);
			for (int b = 0; b < 8; b++)
				for (uint32 i = 1; i < 48; i++)
				{
					f = (Field) {order, 2, {a, b}, {0, i}};
					note(&f);
					for (int c = 0; c < 8; c++)
						for (uint32 j = i + 1; j < 48; j++)
						{
							f = (Field) {order, 3, {a, b, c}, {0, i, j}};
							note(&f);
						}
				}
		}
	all_differ("small numbers");
}

/* Runs of one field in any order: what they say is the same, where they say it is not. */
static void
permute(Field *f, uint32 n)
{
	if (n == f->nruns)
	{
		note(f);
		return;
	}
	for (uint32 i = n; i < f->nruns; i++)
	{
		double		v = f->values[n];

		f->values[n] = f->values[i];
		f->values[i] = v;
		permute(f, n + 1);
		f->values[i] = f->values[n];
		f->values[n] = v;
	}
}

/* What a run takes from one value it gives to another, by any number of last places. */
static void
moved_value(void)
{
	for (uint32 step = 1; step <= 5; step++)
	{
		Field		f = make_field(6, 2);

		for (int shift = 0; shift < 50; shift++)
			for (int64 n = 1; n < 1000; n += 2)
			{
				Field		g = f;
				uint64		v;

				memcpy(&v, &g.values[0], sizeof(v));
				v += (uint64) n << shift;
				memcpy(&g.values[0], &v, sizeof(v));
				memcpy(&v, &g.values[step], sizeof(v));
				v -= (uint64) n << shift;
				memcpy(&g.values[step], &v, sizeof(v));
				note(&g);
			}
	}
	all_differ("what one value loses the other gains");
}

/* Each bit of a run must flip each bit of the digest about half of the time. */
static void
avalanche(void)
{
	static int	flips[64 + 30][128];
	const int	trials = 2000;
	double		least = 1,
				most = 0;

	for (int t = 0; t < trials; t++)
	{
		Field		f = {.order = 7, .nruns = 1 + (uint32) (t % MAX_RUNS)};
		uint64		before[2];

		for (uint32 i = 0; i < f.nruns; i++)
		{
			uint64		v = random_bits();

			memcpy(&f.values[i], &v, sizeof(v));
			f.starts[i] = (uint32) (tap_random() * 1073741824.0);
		}
		sr_coverage_digest(f.order, f.nruns, f.values, f.starts, before);
		for (int bit = 0; bit < 64 + 30; bit++)
		{
			Field		g = f;
			uint64		after[2];

			/* of the last run, which has the least behind it */
			if (bit < 64)
				flip(&g, g.nruns - 1, UINT64_C(1) << bit);
			else
				g.starts[g.nruns - 1] ^= UINT32_C(1) << (bit - 64);
			sr_coverage_digest(g.order, g.nruns, g.values, g.starts, after);
			for (int k = 0; k < 128; k++)
				flips[bit][k] += (before[k / 64] ^ after[k / 64]) >> (k % 64) & 1;
		}
	}
	for (int bit = 0; bit < 64 + 30; bit++)
		for (int k = 0; k < 128; k++)
		{
			double		share = (double) flips[bit][k] / trials;

			least = Min(least, share);
			most = Max(most, share);
		}
	/* 5.5 standard deviations: chance alone goes so far once in 2000 runs of this test */
	ok(least > 0.5 - 5.5 * 0.5 / sqrt(trials) && most < 0.5 + 5.5 * 0.5 / sqrt(trials),
	   "a bit flips every other with a chance of 1/2: %.3f to %.3f", least, most);
}

static void
known(const Field *f, uint64 first, uint64 second)
{
	uint64		digest[2];

	sr_coverage_digest(f->order, f->nruns, f->values, f->starts, digest);
	ok(digest[0] == first && digest[1] == second, "digest of %u runs of order %d: %016llx %016llx",
	   f->nruns, f->order, (unsigned long long) digest[0], (unsigned long long) digest[1]);
}

int
main(void)
{
	Field		a = {0, 2, {1, 2}, {0, 1}};
	Field		b = {0, 2, {-1, 2.0000001192092896}, {0, 1}};
	Field		seven = {10, 7, {0, 1, 0, 2.5, -3, 0x1p-16, 0}, {0, 5, 9, 100, 1000, 12582000, 12582911}};
	Field		p = make_field(8, 2);

	half[0] = sr_alloc(MOST * sizeof(uint64));
	half[1] = sr_alloc(MOST * sizeof(uint64));

	note(&a);
	note(&b);
	all_differ("two that once had the same digest");
	two_bits();
	bit_and_little();
	bit_and_start();
	small_numbers();
	moved_value();
	permute(&p, 0);
	all_differ("values in another order");
	avalanche();

	known(&a, UINT64_C(0xe730cca3dfb10a21), UINT64_C(0xca2a45fd0a6a32b4));
	known(&seven, UINT64_C(0xf71532c716d36eb7), UINT64_C(0x0393fb7e4ecf3dc2));
	known(&(Field) {13, 1, {0}, {0}}, UINT64_C(0x0a3ecf8679a69960), UINT64_C(0x1ee8d0ec8ce94ef1));
	return tap_done();
}
