/*
 * interval.h: the cells of one ring that lie in a disc. Pure C.
 *
 * A ring is a parallel, so a disc meets it in one interval of longitude. The
 * squared chord from a point to a cell's centre is
 *     (p - p0)^2 + (z - z0)^2 + 4 p p0 sin^2(dlon / 2),
 * so the half-width of the interval is one arcsine, without the cancellation
 * that 1 - cos would bring to small discs.
 *
 * The same arithmetic runs over many rings of one disc or many discs of one
 * ring, in loops without branches that a compiler turns into vector code. Every
 * operation in them is one that IEEE 754 rounds correctly, element by element,
 * so the width of the vectors does not show in the result.
 */
#ifndef SR_INTERVAL_H
#define SR_INTERVAL_H

#include "base/dmath.h"
#include "base/port.h"

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
 * The half-width, in cells, of the part of a ring that lies in a disc: -1 when there
 * is none, ncell when it is the whole ring. It does not depend on the longitude of
 * the disc. Whether a disc is narrow is known when it is prepared, so that its cells
 * do not depend on how it is scanned.
 */
static inline __attribute__((always_inline)) double
ring_half(bool narrow, double ring_p, double ring_z, double ring_over_4p, double ncell, double cells_per_radian,
		  double p0, double z0, double over_p0, double chord2)
{
	double		dp = ring_p - p0;
	double		dz = ring_z - z0;
	double		rest = chord2 - dp * dp - dz * dz;
	double		t = rest * (ring_over_4p * over_p0);
	double		half;

	if (narrow)
	{
		double		u = t < 0.0 ? 0.0 : t;

		half = sqrt(u) * sr_asin_kernel_narrow(u) * cells_per_radian;
		half = t < 0.0 ? -1.0 : half;
	}
	else
	{
		double		clamped = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
		bool		near = clamped <= 0.5;
		double		u = near ? clamped : 1.0 - clamped;
		double		angle = sqrt(u) * sr_asin_kernel(u);

		half = (near ? angle : SR_PI / 2 - angle) * cells_per_radian;
		half = t >= 1.0 ? ncell : t < 0.0 ? -1.0 : half;
	}
	return half;
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

/* The cells lo .. hi of a ring that lie in a disc, as interval_ends has them. */
static inline __attribute__((always_inline)) void
ring_interval(bool narrow, double ring_p, double ring_z, double ring_over_4p, double ncell, double shift, double cells_per_radian,
			  double p0, double z0, double over_p0, double chord2, double turn, int32 *lo, int32 *hi)
{
	double		half = ring_half(narrow, ring_p, ring_z, ring_over_4p, ncell, cells_per_radian, p0, z0, over_p0, chord2);

	interval_ends(turn, ncell, shift, half, lo, hi);
}

/* 1 / p; a point on the axis is equally far from all of a ring. */
static inline double
over_p(double p)
{
	return 1.0 / Max(p, 1e-100);
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

#endif							/* SR_INTERVAL_H */
