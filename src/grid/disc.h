/*
 * disc.h: discs as intervals of cells on rings. Pure C.
 */
#ifndef SR_DISC_H
#define SR_DISC_H

#include "grid/diff.h"
#include "grid/healpix.h"
#include "grid/scan.h"

#define SR_MAX_RADIUS 5000000.0

/* A disc of geodesic radius around a point. */
typedef struct Disc
{
	double		lon;			/* degrees */
	double		lat;
	double		radius;			/* m */
} Disc;

/* A disc with what every ring needs of it. */
typedef struct DiscScan
{
	double		p;				/* distance of the centre from the axis, m */
	double		z;				/* height over the equatorial plane, m */
	double		chord2;			/* square of the chord of the radius, m2 */
	double		turn;			/* longitude */
	int32		first_ring;		/* rings it may meet */
	int32		last_ring;
	int32		home_ring;		/* where the cell that holds the centre lies; 0: surely in the disc */
	int32		home;			/* that cell's number in its ring */
	bool		narrow;			/* no ring's half-width is above 20 degrees */
} DiscScan;

/* A disc that a field is to have, with its weight: one cache line. */
typedef struct WeightedDisc
{
	DiscScan	scan;
	double		weight;
} WeightedDisc;

/* Rings per call of disc_intervals. */
#define DISC_BLOCK 64
_Static_assert(DISC_BLOCK % HPX_PADDING == 0, "whole vectors fit");

extern void disc_prepare(const HpxGrid *grid, const Disc *disc, DiscScan *scan);
extern void disc_halves(const HpxGrid *grid, const DiscScan *scan, double *half);
extern void disc_intervals(const HpxGrid *grid, const DiscScan *scan, int32 first_ring, int32 count,
						   int32 *lo, int32 *hi);
extern void scan_disc(const HpxGrid *grid, const Disc *disc, SpanList *out);

/*
 * Takes the differences of one ring's cells, and of the position behind them:
 * ncell + 1 numbers, from the ring's first cell on.
 */
typedef void (*TakeRow) (void *arg, const HpxRing *ring, const double *row);

extern void sweep_discs(const HpxGrid *grid, const WeightedDisc *discs, int64 ndiscs, Diff *diff,
						TakeRow take_row, void *arg);

/* Floor and ceiling of numbers that fit an int32, without a library call. */
static inline int32
floor32(double x)
{
	int32		i = (int32) x;

	return i - (x < (double) i);
}

static inline int32
ceil32(double x)
{
	int32		i = (int32) x;

	return i + (x > (double) i);
}

/*
 * The cells lo .. hi of a ring whose centres lie within half cells of a longitude; lo
 * may be negative and hi beyond the ring's end, by less than one turn; hi < lo when
 * there is none. At least ncell of them is the whole ring.
 */
static inline __attribute__((always_inline)) void
interval_ends(double turn, double ncell, double shift, double half, int32 *lo, int32 *hi)
{
	double		mid = turn * ncell - shift;

	*lo = ceil32(mid - half);
	*hi = floor32(mid + half);
}

/* A cell of a ring, given up to one turn before its first or behind its last. */
static inline int32
wrap_cell(int32 j, int32 ncell)
{
	return j < 0 ? j + ncell : j >= ncell ? j - ncell : j;
}

/*
 * Does an interval of a ring's cells, lo .. hi modulo its length, miss a cell?
 * For the cell that holds a disc's centre, which the disc has in any case.
 */
static inline bool
interval_misses(int32 lo, int32 hi, int32 ncell, int32 j)
{
	int64		at = ((int64) j - lo) % ncell;

	if (at < 0)
		at += ncell;
	return lo > hi || at > (int64) hi - lo;
}

#endif							/* SR_DISC_H */
