/*
 * cell.c: outlines of cells, counter-clockwise from their southern corner.
 */
#include "grid/cell.h"

#include "base/dmath.h"

/*
 * Chords per side of a cell's boundary. The sides are not great circles: large
 * cells bend with the grid, and those near a pole at every order. So many chords
 * keep the polygon's area within 0.1 % of the cell's.
 */
int
sr_cell_smooth_steps(const HpxGrid *grid, int64 cell)
{
	int32		ring = sr_hpx_cell_ring(grid, cell);
	int32		from_pole = Min(ring, grid->nring + 1 - ring);
	int			by_order = grid->order < 6 ? CELL_MAX_STEPS >> grid->order : 1;
	int			by_pole = (int) ceil(12.0 / sqrt(from_pole));

	return Max(by_order, by_pole);
}

/* The outline of a cell with so many chords a side: CELL_POINTS(steps) positions in degrees. */
void
sr_cell_outline(const HpxGrid *grid, int64 cell, int steps, double *xy)
{
	/* south, east, north, west on the face */
	static const int corner[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
	double		nside = (double) grid->nside;
	int			face;
	int64		ix,
				iy;

	sr_hpx_cell_to_face(grid->order, cell, &face, &ix, &iy);
	for (int i = 0; i < 4 * steps; i++)
	{
		const int  *from = corner[i / steps];
		const int  *to = corner[(i / steps + 1) % 4];
		double		t = (double) (i % steps) / steps;

		sr_hpx_face_position(face, ((double) ix + from[0] + t * (to[0] - from[0])) / nside,
							 ((double) iy + from[1] + t * (to[1] - from[1])) / nside, &xy[2 * i], &xy[2 * i + 1]);
	}
	xy[8 * steps] = xy[0];
	xy[8 * steps + 1] = xy[1];
}

/*
 * The same as it lies on a flat map: longitudes in turns, all within half a turn of
 * the cell's centre, which is so many turns east of Greenwich and may be more than half
 * a turn away; a pole is a line, and longitude at its ends is what it is beside them.
 * Returns how many points, at most CELL_FLAT_POINTS(steps).
 */
int
sr_cell_flat_outline(const HpxGrid *grid, int64 cell, double center_turn, int steps, double *xy)
{
	double		round[2 * CELL_POINTS(CELL_MAX_STEPS)];
	int			n = 4 * steps;
	int			out = 0;

	Assert(steps <= CELL_MAX_STEPS);
	sr_cell_outline(grid, cell, steps, round);
	for (int i = 0; i < n; i++)
	{
		round[2 * i] /= 360.0;
		round[2 * i] -= rint(round[2 * i] - center_turn);
	}
	for (int i = 0; i < n; i++)
	{
		if (fabs(round[2 * i + 1]) >= 90.0)
		{
			xy[2 * out] = round[2 * ((i + n - 1) % n)];
			xy[2 * out++ + 1] = round[2 * i + 1];
			xy[2 * out] = round[2 * ((i + 1) % n)];
		}
		else
			xy[2 * out] = round[2 * i];
		xy[2 * out++ + 1] = round[2 * i + 1];
	}
	xy[2 * out] = xy[0];
	xy[2 * out + 1] = xy[1];
	return out + 1;
}
