/*
 * healpix.h: the grid. HEALPix in RING numbering (Gorski et al. 2005,
 * doi:10.1086/427976) on the authalic latitude of WGS84, so that every cell
 * has the same area on the ellipsoid. Pure C.
 *
 * Rings are numbered from 1 in the north to 4 * nside - 1 in the south.
 */
#ifndef SR_HEALPIX_H
#define SR_HEALPIX_H

#include "base/port.h"

#define SR_MAX_ORDER 13
#define SR_DEFAULT_ORDER 10

/* WGS84 */
#define SR_WGS84_A 6378137.0
#define SR_WGS84_F (1.0 / 298.257223563)
#define SR_WGS84_E2 (SR_WGS84_F * (2.0 - SR_WGS84_F))

/* One ring of cells, all centres on one parallel. */
typedef struct HpxRing
{
	int64		start;			/* number of its first cell */
	int32		ncell;			/* cells on the ring */
	double		shift;			/* first centre's longitude, in cells: 0 or 1/2 */
	double		sinlat;			/* geodetic latitude of the centres */
	double		coslat;
	double		p;				/* distance of the centres from the axis, m */
	double		z;				/* their height over the equatorial plane, m */
} HpxRing;

/* Rows of the columns behind the last ring, for loops that take several at a time. */
#define HPX_PADDING 8

/*
 * What the scan of discs reads of every ring, as columns for vector loops. The
 * padding is out of every disc's reach.
 */
typedef struct HpxColumns
{
	double	   *p;
	double	   *z;
	double	   *over_4p;		/* 1 / (4 p) */
	double	   *ncell;
	double	   *shift;
	double	   *cells_per_radian;	/* of half a turn: ncell / pi */
} HpxColumns;

typedef struct HpxGrid
{
	int			order;
	int64		nside;
	int64		ncell;
	int32		nring;
	HpxColumns	column;			/* column.p[i - 1] is of ring i */
	HpxRing		ring[FLEXIBLE_ARRAY_MEMBER];	/* ring[i - 1] is ring i */
} HpxGrid;

#define HPX_RING(grid, i) (&(grid)->ring[(i) - 1])

/*
 * z = q(lat) / q(90 degrees), the sine of the authalic latitude. q(lat) / (1 - e2) =
 * s / (1 - e2 s2) + atanh(e s) / e, s = sin(lat), is the series sum of
 * (1 + 1 / (2k + 1)) e2^k s^(2k + 1), whose terms fall by e2 = 0.0067 each; z is
 * that over its value at the pole, so these are its terms.
 */
static inline double
hpx_authalic_z(double sinlat)
{
	static const double term[9] = {
		0.9955300884366168, 0.004442971135742469, 2.6768643361100843e-05,
		1.7066616236169782e-07, 1.1107679161331268e-09, 7.300704283971617e-12,
		4.824710292034629e-14, 3.199083980829953e-16, 2.125841405431401e-18
	};
	double		t = sinlat * sinlat;
	double		z = term[8];

	for (int k = 7; k >= 0; k--)
		z = z * t + term[k];
	z *= sinlat;
	return t < 1.0 ? z : sinlat > 0 ? 1.0 : -1.0;
}

extern const HpxGrid *sr_hpx_grid(int order);

extern double sr_hpx_cell_area(int order);
extern double sr_hpx_sinlat(double authalic_z);

extern int32 sr_hpx_ring_above(const HpxGrid *grid, double authalic_z);
extern int64 sr_hpx_cell(int order, double authalic_z, double turn, int32 *ring);
extern int32 sr_hpx_cell_ring(const HpxGrid *grid, int64 cell);
extern double sr_hpx_ring_lon(const HpxRing *ring, int32 j);
extern double sr_hpx_ring_lat(const HpxRing *ring);
extern void sr_hpx_cell_center(const HpxGrid *grid, int64 cell, double *lon, double *lat);
extern void sr_hpx_cell_to_face(int order, int64 cell, int *face, int64 *ix, int64 *iy);
extern int32 sr_hpx_face_ring(int order, int face, int32 row);
extern int64 sr_hpx_face_to_cell(int order, int face, int64 ix, int64 iy);
extern void sr_hpx_enter_face(int order, int *face, int32 *ix, int32 *iy);
extern int64 sr_hpx_vertex(int order, int face, int32 x, int32 y);
extern void sr_hpx_face_position(int face, double x, double y, double *lon, double *lat);

#endif							/* SR_HEALPIX_H */
