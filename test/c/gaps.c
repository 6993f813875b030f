/*
 * Faces and gaps against what is known of every cell by other ways: positions of
 * corners, and flooding cell by cell.
 */
#include "grid/gaps.h"

#include <math.h>

#include "tap.h"

/* The four neighbours of a cell. */
static void
neighbors(int order, int64 cell, int64 out[4])
{
	static const int step[4][2] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};
	int64		nside = INT64_C(1) << order;

	for (int k = 0; k < 4; k++)
	{
		int			face;
		int64		ix,
					iy;
		int32		x,
					y;

		sr_hpx_cell_to_face(order, cell, &face, &ix, &iy);
		x = (int32) ix + step[k][0];
		y = (int32) iy + step[k][1];
		if (x < 0 || y < 0 || x >= nside || y >= nside)
			sr_hpx_enter_face(order, &face, &x, &y);
		out[k] = sr_hpx_face_to_cell(order, face, x, y);
	}
}

/* Do two cells have exactly two corners in common, by their positions? */
static bool
share_side(int order, int64 a, int64 b)
{
	double		nside = (double) (INT64_C(1) << order);
	double		lon[8],
				lat[8];
	int			common = 0;

	for (int k = 0; k < 8; k++)
	{
		int			face;
		int64		ix,
					iy;

		sr_hpx_cell_to_face(order, k < 4 ? a : b, &face, &ix, &iy);
		sr_hpx_face_position(face, ((double) ix + (k & 1)) / nside, ((double) iy + (k >> 1 & 1)) / nside, &lon[k], &lat[k]);
		if (fabs(lat[k]) > 90 - 1e-9)
			lon[k] = 0;
	}
	for (int i = 0; i < 4; i++)
		for (int j = 4; j < 8; j++)
			common += lon[i] == lon[j] && lat[i] == lat[j];
	return common == 2;
}

static void
flood(int order, const bool *in, int64 *label, int64 cell, int64 with)
{
	static int64 stack[1 << 20];
	int64		n = 0;

	stack[n++] = cell;
	label[cell] = with;
	while (n > 0)
	{
		int64		next[4];

		neighbors(order, stack[--n], next);
		for (int k = 0; k < 4; k++)
			if (in[next[k]] && label[next[k]] < 0)
			{
				label[next[k]] = with;
				stack[n++] = next[k];
			}
	}
}

int
main(void)
{
	for (int order = 0; order <= 5; order++)
	{
		int64		ncell = sr_hpx_grid(order)->ncell;
		int64		there_and_back = 0,
					rings = 0,
					sides = 0,
					vertices = 0;

		for (int64 cell = 0; cell < ncell; cell++)
		{
			int			face;
			int64		ix,
						iy;
			int64		next[4];

			sr_hpx_cell_to_face(order, cell, &face, &ix, &iy);
			there_and_back += sr_hpx_face_to_cell(order, face, ix, iy) != cell;
			rings += sr_hpx_face_ring(order, face, (int32) (ix + iy)) != sr_hpx_cell_ring(sr_hpx_grid(order), cell);
			neighbors(order, cell, next);
			for (int k = 0; k < 4; k++)
				sides += !share_side(order, cell, next[k]);
			/* corners have equal numbers where they have equal positions */
			for (int k = 0; k < 4; k++)
				for (int c = 0; c < 16; c++)
				{
					int			f;
					int64		jx,
								jy;
					double		lon,
								lat,
								lon2,
								lat2;
					double		nside = (double) (INT64_C(1) << order);

					sr_hpx_cell_to_face(order, next[k], &f, &jx, &jy);
					sr_hpx_face_position(face, (ix + (c & 1)) / nside, (iy + (c >> 1 & 1)) / nside, &lon, &lat);
					sr_hpx_face_position(f, (jx + (c >> 2 & 1)) / nside, (jy + (c >> 3)) / nside, &lon2, &lat2);
					vertices += (lon == lon2 && lat == lat2) !=
						(sr_hpx_vertex(order, face, (int32) ix + (c & 1), (int32) iy + (c >> 1 & 1)) ==
						 sr_hpx_vertex(order, f, (int32) jx + (c >> 2 & 1), (int32) jy + (c >> 3)));
				}
		}
		ok(there_and_back == 0, "order %d: every cell is found again from its face", order);
		ok(rings == 0, "order %d: and on its ring", order);
		ok(sides == 0, "order %d: neighbours have a side in common", order);
		ok(vertices == 0, "order %d: corners have one number each", order);
	}

	for (int order = 0; order <= 7; order++)
	{
		const HpxGrid *grid = sr_hpx_grid(order);
		int64		wrong = 0,
					ngaps = 0;

		for (int percent = 5; percent <= 100; percent += 5)
		{
			bool	   *in = sr_alloc(grid->ncell * sizeof(bool));
			int64	   *label = sr_alloc(grid->ncell * sizeof(int64));
			int64	   *number = sr_alloc(grid->ncell * sizeof(int64));
			SpanList	cells;
			GapSet		set;

			sr_span_list_init(&cells);
			for (int64 c = 0; c < grid->ncell; c++)
			{
				in[c] = tap_random() * 100 < percent;
				label[c] = number[c] = -1;
				if (in[c] && c > 0 && in[c - 1])
					cells.spans[cells.nspans - 1].last = c;
				else if (in[c])
					span_list_add(&cells, c, c);
			}
			for (int64 c = 0; c < grid->ncell; c++)
				if (in[c] && label[c] < 0)
					flood(order, in, label, c, c);
			wrong += !sr_gaps_find(grid, &cells, &set);
			sr_gaps_find_centers(&set);
			ngaps += set.ngaps;
			for (int64 i = 0; i < set.table.list.count; i++)
			{
				CellSpan	spans[2];
				int			n = sr_gaps_segment_cells(&set, (uint32) i, spans);

				for (int k = 0; k < n; k++)
					for (int64 c = spans[k].first; c <= spans[k].last; c++)
					{
						wrong += number[c] >= 0;	/* twice */
						number[c] = set.gaps[set.table.list.items[i].label].first;
					}
			}
			for (int64 c = 0; c < grid->ncell; c++)
				wrong += number[c] != label[c];
			for (int64 g = 0; g < set.ngaps; g++)
				wrong += label[set.gaps[g].center] != set.gaps[g].first;
			sr_span_list_free(&cells);
			sr_free(in);
			sr_free(label);
			sr_free(number);
		}
		ok(wrong == 0, "order %d: %lld gaps are those that flooding finds, their centres inside", order, (long long) ngaps);
	}
	return tap_done();
}
