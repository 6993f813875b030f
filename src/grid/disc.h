/*
 * disc.h: discs as intervals of cells on rings. Pure C.
 */
#ifndef SR_DISC_H
#define SR_DISC_H

#include "grid/healpix.h"
#include "grid/interval.h"
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

/* Rings per call of sr_disc_intervals, and discs of sr_discs_prepare. */
#define DISC_BLOCK 64
_Static_assert(DISC_BLOCK % HPX_PADDING == 0, "whole vectors fit");

extern void sr_disc_prepare(const HpxGrid *grid, const Disc *disc, DiscScan *scan);
extern void sr_discs_prepare(const HpxGrid *grid, const Disc *const *discs, int32 count, DiscScan *scans);
extern void sr_disc_halves(const HpxGrid *grid, const DiscScan *scan, double *half);
extern void sr_disc_intervals(const HpxGrid *grid, const DiscScan *scan, int32 first_ring, int32 count,
							  int32 *lo, int32 *hi);
extern void sr_scan_disc(const HpxGrid *grid, const Disc *disc, SpanList *out);

#endif							/* SR_DISC_H */
