/*
 * remainder.h: what is left of a field from which discs are taken, with sums that are exact.
 */
#ifndef SR_REMAINDER_H
#define SR_REMAINDER_H

#include "base/array.h"
#include "base/fixed.h"
#include "coverage/coverage.h"
#include "grid/disc.h"

/* Cells of one value on one ring. */
typedef struct RemainderPiece
{
	int128		before;			/* sum over the cells before it on its ring */
	double		value;
	int32		first;			/* counted from the ring's first cell */
	int32		last;
} RemainderPiece;

typedef struct RemainderRing
{
	SR_ARRAY(RemainderPiece) pieces;
	int128		total;
} RemainderRing;

typedef struct Remainder
{
	const HpxGrid *grid;
	int			shift;			/* of sums, as base/fixed.h has it */
	RemainderRing *rings;		/* rings[i] is ring i */
	int128		total;
	SpanList	spans;			/* of the disc that was taken last */
} Remainder;

extern void sr_remainder_init(Remainder *left, const Coverage *c);
extern int128 sr_remainder_sum(const Remainder *left, const Disc *disc);
extern void sr_remainder_take(Remainder *left, const Disc *disc);

#endif							/* SR_REMAINDER_H */
