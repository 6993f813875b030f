/*
 * sr_gap_outline.c: outlines of gaps along the sides of their cells.
 */
#include "grid/gap_outline.h"

#include "base/vec3.h"

/*
 * A side of a cell with the gap on its left: south-east, north-east, north-west
 * and south-west are sides 0 to 3.
 */
typedef struct Side
{
	int64		from;			/* sr_hpx_vertex */
	int64		to;				/* -1: used */
	int32		face;
	int32		x;
	int32		y;
	int32		side;
} Side;

/* Corners of a cell in the order of the sides that begin there: south, east, north, west. */
static const int32 corner[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};

typedef SR_ARRAY(Side) Sides;

static void
side_add(Sides *list, int order, int face, int32 x, int32 y, int side)
{
	int64		from = sr_hpx_vertex(order, face, x + corner[side][0], y + corner[side][1]);
	int64		to = sr_hpx_vertex(order, face, x + corner[(side + 1) % 4][0], y + corner[(side + 1) % 4][1]);

	sr_array_push(list, ((Side) {from, to, face, x, y, side}));
}

static int
compare_sides(const void *pa, const void *pb)
{
	const Side *a = pa;
	const Side *b = pb;

	sr_check_interrupts();
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

/*
 * The sides between some segments of a gap and cells that are not in it or, with
 * split, not on the same face.
 */
static void
collect_sides(const GapSet *set, const uint32 *members, int64 n, bool split, Sides *out)
{
	const SegmentTable *t = &set->table;
	Segments	beside = {0};

	out->count = 0;
	for (int64 i = 0; i < n; i++)
	{
		const Segment *s = &t->list.items[members[i]];
		int			face = (int) (set->row[members[i]] / (uint32) t->nrows);
		int32		row = (int32) (set->row[members[i]] % (uint32) t->nrows);
		int32		x;

		sr_check_interrupts();
		/* below lie x - 1, to the south-west, and x, to the south-east */
		sr_segments_read_row(t, face, row - 1, s->lo - 1, s->hi, !split, &beside);
		x = s->lo - 1;
		for (int64 k = 0; k <= beside.count; k++)
		{
			int32		end = k < beside.count ? beside.items[k].lo : s->hi + 1;

			for (; x < end; x++)
			{
				if (x < s->hi)
					side_add(out, t->order, face, x + 1, row - x - 1, 3);
				if (x >= s->lo)
					side_add(out, t->order, face, x, row - x, 0);
			}
			if (k < beside.count)
				x = beside.items[k].hi + 1;
		}
		/* above lie x, to the north-west, and x + 1, to the north-east */
		sr_segments_read_row(t, face, row + 1, s->lo, s->hi + 1, !split, &beside);
		x = s->lo;
		for (int64 k = 0; k <= beside.count; k++)
		{
			int32		end = k < beside.count ? beside.items[k].lo : s->hi + 2;

			for (; x < end; x++)
			{
				if (x <= s->hi)
					side_add(out, t->order, face, x, row - x, 2);
				if (x > s->lo)
					side_add(out, t->order, face, x - 1, row - x + 1, 1);
			}
			if (k < beside.count)
				x = beside.items[k].hi + 1;
		}
	}
	sr_array_free(&beside);
}

/*
 * Corners are moved by so many degrees, a millimetre. PostGIS counts the edges
 * that a line from a point outside of the geocentric box crosses. Centres and
 * corners of cells, and often that point too, share meridians, and where the line
 * runs through a corner PostGIS may count wrong.
 */
#define NUDGE 1e-8

/*
 * Moves a point of a polar face off the meridians and the equator that bound it,
 * so that the face lies in one octant to PostGIS too.
 */
static void
move_into_face(int face, double *lon, double *lat)
{
	double		west = 90.0 * (face % 4);
	double		east_of_it = *lon - west;

	if (east_of_it < -1.0)
		east_of_it += 360.0;
	*lon = west + NUDGE + east_of_it * (1.0 - 3.0 * NUDGE / 90.0);
	if (*lon > 180.0)
		*lon -= 360.0;
	*lat += face < 4 ? NUDGE : -NUDGE;
}

/*
 * Adds where a side begins, and the points on it. Sides are no great circles:
 * long ones bend with the grid, and those near a pole at every order. The number
 * of chords depends on the side alone and is a power of two, so that the cells
 * on both sides of it give the same points to the bit, and each polygon's area
 * is within 0.1 % of its cells'.
 */
static void
add_side_points(GapOutline *out, const HpxGrid *grid, const Side *e, bool split)
{
	int32		nside = (int32) grid->nside;
	int32		a = (int32) (e->from >> 32);
	int32		b = (int32) (e->to >> 32);
	int32		from_pole = Min(Max(a, b), 4 * nside - Min(a, b));
	int32		steps = grid->order < 6 ? 64 >> grid->order : 1;
	const int32 *from = corner[e->side];
	const int32 *to = corner[(e->side + 1) % 4];

	while ((int64) steps * steps * from_pole < 144)
		steps *= 2;
	for (int32 k = 0; k < steps; k++)
	{
		double		t = (double) k / steps;
		double		lon,
					lat;

		sr_hpx_face_position(e->face,
							 (e->x + from[0] + t * (to[0] - from[0])) / nside,
							 (e->y + from[1] + t * (to[1] - from[1])) / nside, &lon, &lat);
		if (k == 0 && a % (4 * nside) == 0)
		{
			/* a pole, to be missed by lines over the pole */
			lon = split ? 90.0 * (e->face % 4) + 17.0 : 17.0;
			lat = a == 0 ? 90.0 - NUDGE : NUDGE - 90.0;
			lon = lon > 180.0 ? lon - 360.0 : lon;
		}
		else if (split && e->face / 4 != 1)
			move_into_face(e->face, &lon, &lat);
		else
			lon -= NUDGE;
		sr_array_push(&out->points, ((LonLat) {lon, lat}));
	}
}

/* The first edge from a vertex, in sorted edges. */
static int64
first_from(const Sides *list, int64 vertex)
{
	int64		lo = 0,
				hi = list->count;

	while (lo < hi)
	{
		int64		mid = lo + (hi - lo) / 2;

		if (list->items[mid].from < vertex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The edge that goes on where one ends. Where two cells of the gap touch by that
 * corner only, it is the other cell's: so the outside stays in two, the rings on
 * either side of the corner are simple, and they have no more than it in common.
 */
static int64
next_side(const Sides *list, const Side *e, int64 to)
{
	int64		i = first_from(list, to);
	const Side *n = &list->items[i];

	Assert(i < list->count && n->from == to);
	if (i + 1 < list->count && n[1].from == to && n->face == e->face && n->x == e->x && n->y == e->y)
		return i + 1;
	return i;
}

/*
 * Twice the area of a ring in the stereographic projection around a point:
 * positive if it runs counter-clockwise as seen from above that point.
 */
static double
projected_area(const GapOutline *out, const OutlineRing *ring, Vec3 middle)
{
	Vec3		axis = {0, 0, 1};
	Vec3		e,
				n;
	double		len;
	double		area = 0;
	double		x0 = 0,
				y0 = 0;

	if (fabs(middle.z) > 0.9)
	{
		axis.x = 1;
		axis.z = 0;
	}
	/* east = axis x middle, north = middle x east */
	e.x = axis.y * middle.z - axis.z * middle.y;
	e.y = axis.z * middle.x - axis.x * middle.z;
	e.z = axis.x * middle.y - axis.y * middle.x;
	len = sqrt(dot(e, e));
	e.x /= len;
	e.y /= len;
	e.z /= len;
	n.x = middle.y * e.z - middle.z * e.y;
	n.y = middle.z * e.x - middle.x * e.z;
	n.z = middle.x * e.y - middle.y * e.x;
	for (int64 i = ring->start; i < ring->start + ring->npoints; i++)
	{
		Vec3		p = unit_vector(out->points.items[i].lon, out->points.items[i].lat);
		double		w = 1.0 + dot(p, middle);
		double		x = dot(p, e) / w;
		double		y = dot(p, n) / w;

		if (i > ring->start)
			area += x0 * y - x * y0;
		x0 = x;
		y0 = y;
	}
	return area;
}

/* Adds the polygon of some segments of a gap, which are connected and lie around a point. */
static void
add_polygon(const HpxGrid *grid, const GapSet *set, const uint32 *members, int64 n, bool split,
			Vec3 middle, Sides *sides, GapOutline *out)
{
	int64		first_ring = out->rings.count;
	int64		shell = first_ring;
	double		most = 0;

	collect_sides(set, members, n, split, sides);
	qsort(sides->items, sides->count, sizeof(Side), compare_sides);
	for (int64 i = 0; i < sides->count; i++)
	{
		OutlineRing *ring;
		LonLat		first;
		int64		at = i;

		if (sides->items[i].to < 0)
			continue;
		ring = sr_array_add(&out->rings);
		ring->start = out->points.count;
		ring->shell = false;
		do
		{
			Side	   *e = &sides->items[at];
			int64		to = e->to;

			sr_check_interrupts();
			add_side_points(out, grid, e, split);
			e->to = -1;
			at = next_side(sides, e, to);
			/* every ring closes; a ring that did not would end where an edge is used up */
		} while (at != i && sides->items[at].to >= 0);
		first = out->points.items[ring->start];
		sr_array_push(&out->points, first);
		ring->npoints = out->points.count - ring->start;
	}

	/* the shell runs counter-clockwise around the middle, holes clockwise */
	for (int64 r = first_ring; out->rings.count > first_ring + 1 && r < out->rings.count; r++)
	{
		double		area = projected_area(out, &out->rings.items[r], middle);

		sr_check_interrupts();
		if (area > most)
		{
			most = area;
			shell = r;
		}
	}
	if (shell != first_ring)
	{
		OutlineRing swap = out->rings.items[shell];

		out->rings.items[shell] = out->rings.items[first_ring];
		out->rings.items[first_ring] = swap;
	}
	out->rings.items[first_ring].shell = true;
	out->npolygons++;
}

static Vec3
cell_vector(const HpxGrid *grid, int64 cell)
{
	double		lon,
				lat;

	sr_hpx_cell_center(grid, cell, &lon, &lat);
	return unit_vector(lon, lat);
}

/* Does a gap lie well within a hemisphere? Sets its middle. */
static bool
is_compact(const HpxGrid *grid, const GapSet *set, const Gap *gap, Vec3 *middle)
{
	Vec3		sum = {0, 0, 0};
	double		s,
				c,
				len;
	CellSpan	spans[2];

	/* neighbours' centres are less than 2.5 / nside radians apart */
	*middle = cell_vector(grid, gap->center);
	if ((double) gap->ncell * 2.5 < (double) grid->nside)
		return true;

	for (int pass = 0; pass < 2; pass++)
	{
		/* 70 degrees, less what a large cell adds */
		sr_sincos_deg(70.0 - 50.0 / (double) grid->nside, &s, &c);
		for (int64 i = 0; i < gap->nsegments; i++)
		{
			int			n = sr_gaps_segment_cells(set, set->members[gap->start + i], spans);

			sr_check_interrupts();
			for (int k = 0; k < n; k++)
				for (int end = 0; end < 2; end++)
				{
					Vec3		v = cell_vector(grid, end ? spans[k].last : spans[k].first);
					double		weight = (double) (spans[k].last - spans[k].first + 1);

					if (pass == 1 && dot(v, *middle) < c)
						return false;
					sum.x += v.x * weight;
					sum.y += v.y * weight;
					sum.z += v.z * weight;
				}
		}
		len = sqrt(dot(sum, sum));
		if (len < 1e-3)
			return false;
		if (pass == 0)
		{
			middle->x = sum.x / len;
			middle->y = sum.y / len;
			middle->z = sum.z / len;
		}
	}
	return true;
}

/*
 * Will PostGIS find a point outside of a polygon? It takes for the inside what is
 * not connected to a corner of the geocentric box, which it widens to the poles
 * of every axis around which the box lies. That may leave no corner: then it
 * guesses.
 */
static bool
has_outside(const GapOutline *out, const OutlineRing *shell)
{
	const double slack = 1e-3;	/* for what edges bulge */
	double		lo[3] = {2, 2, 2};
	double		hi[3] = {-2, -2, -2};

	for (int64 i = shell->start; i < shell->start + shell->npoints; i++)
	{
		Vec3		v = unit_vector(out->points.items[i].lon, out->points.items[i].lat);
		double		c[3] = {v.x, v.y, v.z};

		sr_check_interrupts();
		for (int k = 0; k < 3; k++)
		{
			lo[k] = Min(lo[k], c[k] - slack);
			hi[k] = Max(hi[k], c[k] + slack);
		}
	}
	/* in one direction at least it stays on one side */
	for (int k = 0; k < 3; k++)
		if (lo[k] > 0 || hi[k] < 0)
			return true;
	return false;
}

/* Order of members of one gap: by pieces. */
typedef struct PieceMember
{
	uint32		piece;
	uint32		segment;
} PieceMember;

static int
compare_piece_members(const void *pa, const void *pb)
{
	const PieceMember *a = pa;
	const PieceMember *b = pb;

	sr_check_interrupts();
	if (a->piece != b->piece)
		return a->piece < b->piece ? -1 : 1;
	return a->segment < b->segment ? -1 : a->segment > b->segment;
}

/*
 * The outline of a gap: one polygon, or, for a gap too large for PostGIS to tell
 * its inside, one for each of the parts that the base faces cut it into.
 */
void
sr_gap_outline(const HpxGrid *grid, const GapSet *set, const Gap *gap, GapOutline *out)
{
	const uint32 *members = &set->members[gap->start];
	Sides		sides = {0};
	Vec3		middle;
	bool		whole = false;

	memset(out, 0, sizeof(*out));
	if (is_compact(grid, set, gap, &middle))
	{
		add_polygon(grid, set, members, gap->nsegments, false, middle, &sides, out);
		whole = has_outside(out, &out->rings.items[0]);
		if (!whole)
			out->points.count = out->rings.count = out->npolygons = 0;
	}
	if (!whole)
	{
		PieceMember *sorted = sr_alloc((size_t) gap->nsegments * sizeof(PieceMember));
		uint32	   *part = sr_alloc((size_t) gap->nsegments * sizeof(uint32));

		for (int64 i = 0; i < gap->nsegments; i++)
		{
			sorted[i].segment = members[i];
			sorted[i].piece = set->piece[members[i]];
		}
		qsort(sorted, gap->nsegments, sizeof(PieceMember), compare_piece_members);
		for (int64 i = 0; i < gap->nsegments; i++)
			part[i] = sorted[i].segment;
		for (int64 i = 0, end; i < gap->nsegments; i = end)
		{
			int			face = (int) (set->row[part[i]] / (uint32) set->table.nrows);
			double		lon,
						lat;

			for (end = i + 1; end < gap->nsegments && sorted[end].piece == sorted[i].piece; end++)
				;
			sr_hpx_face_position(face, 0.5, 0.5, &lon, &lat);
			middle = unit_vector(lon, lat);
			add_polygon(grid, set, &part[i], end - i, true, middle, &sides, out);
		}
		sr_free(sorted);
		sr_free(part);
	}
	sr_array_free(&sides);
}
