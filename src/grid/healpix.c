/*
 * healpix.c: rings, cells and authalic latitude.
 */
#include "grid/healpix.h"

#include "base/dmath.h"

/* Grids are built once and kept for the life of the process. */
static HpxGrid *grid_cache[SR_MAX_ORDER + 1];

/* Ring and longitude of the faces' southern corners, in units of nside. */
static const int corner_ring[12] = {2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4};
static const int corner_lon[12] = {1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7};

/* Cells at an order. */
static inline int64
ncell_at(int order)
{
	return INT64_C(12) << (2 * order);
}

/* Half of q(90 degrees) / (1 - e2). */
#define AUTHALIC_POLE 1.0044899813830868

/* The inverse: sine of the geodetic latitude, by Newton's method. */
double
sr_hpx_sinlat(double authalic_z)
{
	double		s = authalic_z;

	if (authalic_z >= 1.0 || authalic_z <= -1.0)
		return authalic_z > 0 ? 1.0 : -1.0;
	/* dz/ds = 1 / (1 - e2 s2)^2 / pole; quadratic convergence from an error < 0.005 */
	for (int i = 0; i < 5; i++)
	{
		double		t = 1.0 - SR_WGS84_E2 * s * s;

		s -= (hpx_authalic_z(s) - authalic_z) * AUTHALIC_POLE * t * t;
		s = Max(-1.0, Min(1.0, s));
	}
	return s;
}

/* Area of one cell in square metres: the ellipsoid's over the number of cells. */
double
sr_hpx_cell_area(int order)
{
	double		ellipsoid = 4.0 * SR_PI * SR_WGS84_A * SR_WGS84_A *
		(1.0 - SR_WGS84_E2) * AUTHALIC_POLE;

	return ellipsoid / (double) ncell_at(order);
}

/* Fills in where one ring lies. */
static void
ring_init(HpxRing *ring, int64 nside, int64 i)
{
	int64		ncell = 12 * nside * nside;
	int64		fromPole = Min(i, 4 * nside - i);
	double		authalic;
	double		n;

	if (fromPole < nside)
	{
		ring->ncell = (int32) (4 * fromPole);
		ring->shift = 0.5;
		ring->start = i < nside ? 2 * i * (i - 1)
			: ncell - 2 * fromPole * (fromPole + 1);
		authalic = 1.0 - (double) (fromPole * fromPole) / (3.0 * (double) (nside * nside));
		if (i > nside)
			authalic = -authalic;
	}
	else
	{
		ring->ncell = (int32) (4 * nside);
		ring->shift = ((i - nside) & 1) ? 0.0 : 0.5;
		ring->start = 2 * nside * (nside - 1) + (i - nside) * 4 * nside;
		authalic = (double) (2 * nside - i) * 2.0 / (3.0 * (double) nside);
	}
	ring->sinlat = sr_hpx_sinlat(authalic);
	ring->coslat = sqrt((1.0 - ring->sinlat) * (1.0 + ring->sinlat));
	n = SR_WGS84_A / sqrt(1.0 - SR_WGS84_E2 * ring->sinlat * ring->sinlat);
	ring->p = n * ring->coslat;
	ring->z = n * (1.0 - SR_WGS84_E2) * ring->sinlat;
}

/* The grid of an order in 0 .. SR_MAX_ORDER, shared and read-only. */
const HpxGrid *
sr_hpx_grid(int order)
{
	HpxGrid    *grid;
	double	   *columns;
	int32		rows;
	int32		nring;

	Assert(order >= 0 && order <= SR_MAX_ORDER);
	if (grid_cache[order] != NULL)
		return grid_cache[order];

	nring = (4 << order) - 1;
	/* plain malloc: it lives as long as the process, in or out of a backend */
	grid = malloc(offsetof(HpxGrid, ring) + (size_t) nring * sizeof(HpxRing));
	rows = nring + HPX_PADDING;
	columns = malloc((size_t) rows * 6 * sizeof(double));
	if (grid == NULL || columns == NULL)
	{
		free(grid);
		free(columns);
		sr_out_of_memory();
	}
	grid->column.p = columns;
	grid->column.z = columns + rows;
	grid->column.over_4p = columns + 2 * rows;
	grid->column.ncell = columns + 3 * rows;
	grid->column.shift = columns + 4 * rows;
	grid->column.cells_per_radian = columns + 5 * rows;
	grid->order = order;
	grid->nside = INT64_C(1) << order;
	grid->ncell = ncell_at(order);
	grid->nring = nring;
	for (int32 i = 1; i <= nring; i++)
	{
		HpxRing    *ring = HPX_RING(grid, i);

		ring_init(ring, grid->nside, i);
		grid->column.p[i - 1] = ring->p;
		grid->column.z[i - 1] = ring->z;
		grid->column.over_4p[i - 1] = 1.0 / (4.0 * ring->p);
		grid->column.ncell[i - 1] = ring->ncell;
		grid->column.shift[i - 1] = ring->shift;
		grid->column.cells_per_radian[i - 1] = ring->ncell / SR_PI;
	}
	for (int32 i = nring; i < rows; i++)
	{
		grid->column.p[i] = grid->column.over_4p[i] = 1.0;
		grid->column.z[i] = -1e9;
		grid->column.ncell[i] = grid->column.shift[i] = grid->column.cells_per_radian[i] = 0.0;
	}
	grid_cache[order] = grid;
	return grid;
}

/* Integer square root, exact. */
static int64
isqrt(int64 v)
{
	int64		r = (int64) sqrt((double) v + 0.5);

	while (r * r > v)
		r--;
	while ((r + 1) * (r + 1) <= v)
		r++;
	return r;
}

/*
 * The ring whose parallel lies at or north of an authalic z, nearest to it; 0
 * when z is north of the first ring.
 */
int32
sr_hpx_ring_above(const HpxGrid *grid, double authalic_z)
{
	double		nside = (double) grid->nside;
	double		az = fabs(authalic_z);
	double		i;

	if (az <= 2.0 / 3.0)
		i = nside * (2.0 - 1.5 * authalic_z);
	else
	{
		i = nside * sqrt(3.0 * (1.0 - az));
		if (authalic_z < 0)
			i = 4.0 * nside - i;
	}
	return (int32) Min(floor(i), (double) grid->nring);
}

/*
 * The cell that holds the position (authalic z, longitude in turns in [0, 1)),
 * and the ring it lies on.
 */
int64
sr_hpx_cell(int order, double authalic_z, double turn, int32 *ring)
{
	int64		nside = INT64_C(1) << order;
	double		az = fabs(authalic_z);
	double		tt = turn * 4.0;

	/*
	 * Longitude 0 on the equator is a corner of four cells. Reference libraries
	 * arrive there with z = cos(pi / 2), a hair north of it; so do we.
	 */
	if (authalic_z == 0)
		authalic_z = 6.123233995736766e-17;
	if (az <= 2.0 / 3.0)
	{
		/* equatorial belt: the lines of constant jp and jm bound the cells */
		double		t1 = (double) nside * (0.5 + tt);
		double		t2 = (double) nside * authalic_z * 0.75;
		int64		jp = (int64) (t1 - t2);
		int64		jm = (int64) (t1 + t2);
		int64		ir = nside + 1 + jp - jm;
		int64		shift = 1 - (ir & 1);
		int64		ip = ((jp + jm - nside + shift + 1 + 8 * nside) >> 1) & (4 * nside - 1);

		*ring = (int32) (nside + ir - 1);
		return 2 * nside * (nside - 1) + (ir - 1) * 4 * nside + ip;
	}
	else
	{
		double		tp = tt - floor(tt);
		double		t = (double) nside * sqrt(3.0 * (1.0 - az));
		int64		jp = (int64) (tp * t);
		int64		jm = (int64) ((1.0 - tp) * t);
		int64		ir = jp + jm + 1;
		int64		ip = (int64) (tt * (double) ir);

		ip = Min(ip, 4 * ir - 1);
		*ring = (int32) (authalic_z > 0 ? ir : 4 * nside - ir);
		if (authalic_z > 0)
			return 2 * ir * (ir - 1) + ip;
		return 12 * nside * nside - 2 * ir * (ir + 1) + ip;
	}
}

/* The ring a cell lies on. */
int32
sr_hpx_cell_ring(const HpxGrid *grid, int64 cell)
{
	int64		nside = grid->nside;
	int64		ncap = 2 * nside * (nside - 1);

	if (cell < ncap)
		return (int32) ((1 + isqrt(1 + 2 * cell)) >> 1);
	if (cell < grid->ncell - ncap)
		return (int32) ((cell - ncap) / (4 * nside) + nside);
	return (int32) (4 * nside - ((1 + isqrt(2 * (grid->ncell - cell) - 1)) >> 1));
}

/* Longitude of the centre of cell j of a ring, geodetic degrees. */
double
sr_hpx_ring_lon(const HpxRing *ring, int32 j)
{
	return sr_turn_lon(((double) j + ring->shift) / (double) ring->ncell);
}

/* Latitude of the centres of a ring, geodetic degrees. */
double
sr_hpx_ring_lat(const HpxRing *ring)
{
	return sr_asin(ring->sinlat) / SR_DEGREE;
}

/* Centre of a cell, geodetic degrees. */
void
sr_hpx_cell_center(const HpxGrid *grid, int64 cell, double *lon, double *lat)
{
	const HpxRing *ring = HPX_RING(grid, sr_hpx_cell_ring(grid, cell));

	*lon = sr_hpx_ring_lon(ring, (int32) (cell - ring->start));
	*lat = sr_hpx_ring_lat(ring);
}

/*
 * Base face (0 .. 11) of a cell and its place on it: ix counts north-east, iy
 * north-west from the face's southern corner.
 */
void
sr_hpx_cell_to_face(int order, int64 cell, int *face, int64 *ix, int64 *iy)
{
	int64		nside = INT64_C(1) << order;
	int64		ncap = 2 * nside * (nside - 1);
	int64		ncell = ncell_at(order);
	int64		ring,
				iphi,			/* from 1 */
				nr,				/* cells in a quarter of the ring */
				odd;			/* 1 when the first centre lies on longitude 0 */
	int64		irt,
				ipt;

	if (cell < ncap)
	{
		ring = (1 + isqrt(1 + 2 * cell)) >> 1;
		iphi = cell + 1 - 2 * ring * (ring - 1);
		nr = ring;
		odd = 0;
		*face = (int) ((iphi - 1) / nr);
	}
	else if (cell < ncell - ncap)
	{
		int64		ip = cell - ncap;
		int64		up,
					down;

		ring = ip / (4 * nside) + nside;
		iphi = ip % (4 * nside) + 1;
		nr = nside;
		odd = (ring + nside) & 1;
		/* which side of the two diagonals of the belt */
		up = (iphi - (ring - nside + 1) / 2 + nside - 1) / nside;
		down = (iphi - (3 * nside - ring + 1) / 2 + nside - 1) / nside;
		if (up == down)
			*face = (int) ((up & 3) + 4);
		else
			*face = (int) (down < up ? down : up + 8);
	}
	else
	{
		int64		ip = ncell - cell;
		int64		south = (1 + isqrt(2 * ip - 1)) >> 1;

		iphi = 4 * south + 1 - (ip - 2 * south * (south - 1));
		nr = south;
		odd = 0;
		ring = 4 * nside - south;
		*face = (int) ((iphi - 1) / nr) + 8;
	}
	irt = ring - corner_ring[*face] * nside + 1;
	ipt = 2 * iphi - corner_lon[*face] * nr - odd - 1;
	if (ipt >= 2 * nside)
		ipt -= 8 * nside;
	*ix = (ipt - irt) >> 1;
	*iy = (-ipt - irt) >> 1;
}

/* The ring on which the cells of a face with ix + iy = row lie. */
int32
sr_hpx_face_ring(int order, int face, int32 row)
{
	return (int32) (((int64) corner_ring[face] << order) - row - 1);
}

/* The number of the cell at (ix, iy) of a base face. */
int64
sr_hpx_face_to_cell(int order, int face, int64 ix, int64 iy)
{
	int64		nside = INT64_C(1) << order;
	int64		ring = corner_ring[face] * nside - ix - iy - 1;
	int64		nr = Min(nside, Min(ring, 4 * nside - ring));
	int64		odd = nr == nside ? (ring + nside) & 1 : 0;
	int64		start;
	int64		iphi;			/* from 1 */

	if (ring < nside)
		start = 2 * ring * (ring - 1);
	else if (ring <= 3 * nside)
		start = 2 * nside * (nside - 1) + (ring - nside) * 4 * nside;
	else
		start = ncell_at(order) - 2 * nr * (nr + 1);
	iphi = (ix - iy + corner_lon[face] * nr + odd + 1) >> 1;
	if (iphi < 1)
		iphi += 4 * nr;
	return start + iphi - 1;
}

/*
 * A cell that is one step outside of its base face, at ix or iy = -1 or nside
 * but not both, named as the cell of the face next to it. Cells that differ by
 * one in ix or in iy share a side, and these are all that do.
 */
void
sr_hpx_enter_face(int order, int *face, int32 *ix, int32 *iy)
{
	int32		last = (INT32_C(1) << order) - 1;
	int			band = *face / 4;	/* north, equator, south */
	int			k = *face % 4;
	int			east = (k + 1) % 4;
	int			west = (k + 3) % 4;
	int32		x = *ix;
	int32		y = *iy;

	if (x < 0)					/* south-west */
	{
		*face = band == 0 ? 4 + k : 8 + west;
		*ix = band == 2 ? y : last;
		*iy = band == 2 ? 0 : y;
	}
	else if (y < 0)				/* south-east */
	{
		*face = band == 0 ? 4 + east : band == 1 ? 8 + k : 8 + east;
		*ix = band == 2 ? 0 : x;
		*iy = band == 2 ? x : last;
	}
	else if (x > last)			/* north-east */
	{
		*face = band == 0 ? east : band == 1 ? k : 4 + east;
		*ix = band == 0 ? y : 0;
		*iy = band == 0 ? last : y;
	}
	else if (y > last)			/* north-west */
	{
		*face = band == 0 ? west : band == 1 ? west : 4 + k;
		*ix = band == 0 ? last : x;
		*iy = band == 0 ? x : 0;
	}
}

/*
 * A number for a corner of cells, the same from every face it lies on: corner
 * (x, y) in 0 .. nside of a face. Ascending from north to south, then eastward.
 */
int64
sr_hpx_vertex(int order, int face, int32 x, int32 y)
{
	int64		nside = INT64_C(1) << order;
	int64		parallel = corner_ring[face] * nside - x - y;
	int64		nr = Min(nside, Min(parallel, 4 * nside - parallel));
	int64		t = corner_lon[face] * nr + x - y;

	if (t < 0)
		t += 8 * nr;
	if (t >= 8 * nr)
		t -= 8 * nr;
	return parallel << 32 | t >> 1;
}

/*
 * Geodetic degrees of the point (x, y) in [0, 1]^2 of a base face, x to the
 * north-east and y to the north-west of its southern corner.
 */
void
sr_hpx_face_position(int face, double x, double y, double *lon, double *lat)
{
	double		jr = corner_ring[face] - x - y;
	double		nr,
				z,
				t;

	if (jr < 1.0)
	{
		nr = jr;
		z = 1.0 - nr * nr / 3.0;
	}
	else if (jr > 3.0)
	{
		nr = 4.0 - jr;
		z = nr * nr / 3.0 - 1.0;
	}
	else
	{
		nr = 1.0;
		z = (2.0 - jr) * 2.0 / 3.0;
	}
	t = corner_lon[face] * nr + x - y;
	if (t < 0.0)
		t += 8.0;
	if (t >= 8.0)
		t -= 8.0;
	*lon = nr < 1e-15 ? 0.0 : sr_turn_lon(t / (8.0 * nr));
	*lat = sr_asin(sr_hpx_sinlat(z)) / SR_DEGREE;
}
