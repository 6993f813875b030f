/*
 * locate.c: which of many regions covers a point or is nearest to it, for many points.
 *
 * What is inside is decided as everywhere, by sr_ring_covers. Parts of regions are
 * sorted into bins of the sphere, so that few are looked at.
 */
#include "grid/locate.h"

#include "grid/nearness.h"

#define LON_SLACK 1e-3			/* turns; more than rounding, or ON_EDGE, is within 6 m of a pole */
#define NEAR_POLE 1e-6			/* cosine of latitude there */

/* Bins: rows of equal height, each with as many columns of longitude. */
#define NROW 256
#define NCOLUMN 512
#define MAX_BIN_ITEMS (INT64_C(1) << 23)	/* else the bins become wider */

/* Edges between two checks for interrupts. */
#define INTERRUPT_EDGES 65536

/* One polygon of a region. */
typedef struct Part
{
	int32		region;
	int32		nrings;			/* the first is the shell */
	Ring	   *rings;
	double		zlo;			/* of what it covers */
	double		zhi;
	uint64		columns[NCOLUMN / 64];	/* which it reaches, a bit each */
} Part;

struct Locator
{
	SR_ARRAY(Part) parts;
	int32		nregions;
	int			shift;			/* bins are 2^shift rows high and columns wide */
	int64	   *bin_start;		/* number of bins + 1 */
	int32	   *bin_part;
};

/* ---- building ---- */

Locator *
sr_locator_new(void)
{
	Locator    *locator = sr_alloc(sizeof(Locator));

	memset(locator, 0, sizeof(Locator));
	return locator;
}

/* The columns that a shell reaches. */
static void
mark_columns(Part *part)
{
	const Ring *shell = &part->rings[0];
	/* what holds a pole reaches all, and near a pole longitudes mean little */
	bool		all = part->zlo <= NEAR_POLE * NEAR_POLE - 1 || part->zhi >= 1 - NEAR_POLE * NEAR_POLE;

	for (int64 i = 0; i < shell->edges.count && !all; i++)
	{
		const Edge *e = &shell->edges.items[i];
		double		west = e->dlon < 0 ? e->turn2 : e->turn1;
		int32		first = (int32) floor((west - LON_SLACK) * NCOLUMN);
		int32		last = (int32) floor((west + fabs(e->dlon) + LON_SLACK) * NCOLUMN);

		if (i % INTERRUPT_EDGES == 0)
			sr_check_interrupts();
		for (int32 c = first; c <= last; c++)
			part->columns[(c & (NCOLUMN - 1)) / 64] |= UINT64_C(1) << (c & 63);
	}
	if (all)
		memset(part->columns, 0xff, sizeof(part->columns));
}

/* Adds the next region; false, with what is wrong, if one of its rings says nothing. */
bool
sr_locator_add(Locator *locator, const Polygon *polygons, int32 npolygons, RingFault *fault)
{
	fault->error = RING_OK;
	for (int32 p = 0; p < npolygons; p++)
	{
		const Polygon *polygon = &polygons[p];
		Part		part = {locator->nregions, polygon->nrings, NULL, 0, 0, {0}};
		const Ring *shell;

		if (polygon->nrings == 0 || polygon->rings[0].npoints == 0)
			continue;
		part.rings = sr_alloc((size_t) polygon->nrings * sizeof(Ring));
		for (int32 r = 0; r < polygon->nrings; r++)
		{
			if (!sr_ring_make(&part.rings[r], &polygon->rings[r], fault))
				return false;
			sr_ring_index(&part.rings[r]);
		}
		shell = &part.rings[0];
		part.zlo = ring_south_inside(shell) ? -1.0 : Max(-1.0, shell->zlo - RING_Z_SLACK);
		part.zhi = shell->north_inside ? 1.0 : Min(1.0, shell->zhi + RING_Z_SLACK);
		mark_columns(&part);
		sr_array_push(&locator->parts, part);
	}
	locator->nregions++;
	return true;
}

/* The row of bins of a height, at full resolution. */
static inline int32
row_of(double z)
{
	int32		row = (int32) floor((z + 1) * (NROW / 2));

	return row < 0 ? 0 : row >= NROW ? NROW - 1 : row;
}

/* Does a part reach a column that is 2^shift wide? */
static inline bool
reaches(const Part *part, int32 column, int shift)
{
	for (int32 c = column << shift; c < (column + 1) << shift; c++)
		if (part->columns[c / 64] >> (c & 63) & 1)
			return true;
	return false;
}

/* Sorts the parts into bins. To be called once, after the last region. */
void
sr_locator_finish(Locator *locator)
{
	for (;; locator->shift++)
	{
		int32		columns = NCOLUMN >> locator->shift;
		int32		bins = (NROW >> locator->shift) * columns;
		int64	   *start = sr_alloc(((size_t) bins + 2) * sizeof(int64));
		int64		total = 0;

		memset(start, 0, ((size_t) bins + 2) * sizeof(int64));
		for (int pass = 0; pass < 2; pass++)
		{
			for (int32 p = 0; p < (int32) locator->parts.count; p++)
			{
				const Part *part = &locator->parts.items[p];
				int32		last = row_of(part->zhi) >> locator->shift;

				sr_check_interrupts();
				if (part->zlo > part->zhi)
					continue;
				for (int32 c = 0; c < columns; c++)
				{
					if (!reaches(part, c, locator->shift))
						continue;
					for (int32 row = row_of(part->zlo) >> locator->shift; row <= last; row++)
						if (pass == 0)
						{
							start[row * columns + c + 2]++;
							total++;
						}
						else
							locator->bin_part[start[row * columns + c + 1]++] = p;
				}
			}
			if (pass == 0)
			{
				if (total > MAX_BIN_ITEMS && columns > 1 && NROW >> locator->shift > 1)
					break;
				for (int32 b = 2; b <= bins + 1; b++)
					start[b] += start[b - 1];
				locator->bin_part = sr_alloc((size_t) total * sizeof(int32));
			}
		}
		if (locator->bin_part != NULL)
		{
			locator->bin_start = start;
			return;
		}
		sr_free(start);
	}
}

/* ---- asking ---- */

/* Does a part cover a place: with its shell, and not with an odd number of holes? */
static bool
part_covers(const Part *part, const Place *place)
{
	bool		in_hole = false;

	if (!sr_ring_covers(&part->rings[0], place))
		return false;
	for (int32 r = 1; r < part->nrings; r++)
		in_hole ^= sr_ring_covers(&part->rings[r], place);
	return !in_hole;
}

/* The first region that covers a point, -1 if none does. */
int32
sr_locator_find(const Locator *locator, double lon, double lat)
{
	Place		place = sr_place_at(lon, lat);
	int32		bin = (row_of(place.v.z) >> locator->shift) * (NCOLUMN >> locator->shift) +
		((int32) (place.turn * NCOLUMN) >> locator->shift);

	sr_check_interrupts();
	for (int64 k = locator->bin_start[bin]; k < locator->bin_start[bin + 1]; k++)
	{
		const Part *part = &locator->parts.items[locator->bin_part[k]];

		if (part_covers(part, &place))
			return part->region;
	}
	return -1;
}

/* Does a part's shell come into the longitudes of a vicinity? */
static bool
is_in_columns(const Part *part, const Vicinity *v)
{
	int32		first,
				last;

	if (v->turns >= 0.5)
		return true;
	first = (int32) floor((v->place.turn - v->turns) * NCOLUMN);
	last = (int32) floor((v->place.turn + v->turns) * NCOLUMN);
	for (int32 c = first; c <= last; c++)
		if (part->columns[(c & (NCOLUMN - 1)) / 64] >> (c & 63) & 1)
			return true;
	return false;
}

/* Does no part come into the bins of a vicinity? So it is far out at sea. */
static bool
is_empty_around(const Locator *locator, const Vicinity *v)
{
	int32		ncolumn = NCOLUMN >> locator->shift;
	int32		first = (int32) floor((v->place.turn - v->turns) * ncolumn);
	int32		last = (int32) floor((v->place.turn + v->turns) * ncolumn);

	/* all around, each column once */
	if (last - first >= ncolumn)
		last = first + ncolumn - 1;
	for (int32 row = row_of(v->zlo) >> locator->shift; row <= row_of(v->zhi) >> locator->shift; row++)
		for (int32 c = first; c <= last; c++)
		{
			int32		bin = row * ncolumn + (c & (ncolumn - 1));

			if (locator->bin_start[bin] < locator->bin_start[bin + 1])
				return false;
		}
	return true;
}

/*
 * The region whose boundary is nearest to a point, within so many metres, to the
 * millimetre; the first of equals, -1 if there is none. For a point that no region covers.
 */
int32
sr_locator_nearest(const Locator *locator, double lon, double lat, double within)
{
	Vicinity	vicinity = sr_vicinity_of(lon, lat, within);
	double		nearest = INFINITY;
	int32		region = -1;

	sr_check_interrupts();
	if (is_empty_around(locator, &vicinity))
		return -1;
	for (int64 p = 0; p < locator->parts.count; p++)
	{
		const Part *part = &locator->parts.items[p];

		if (part->zlo > vicinity.zhi || part->zhi < vicinity.zlo || !is_in_columns(part, &vicinity))
			continue;
		for (int32 r = 0; r < part->nrings; r++)
		{
			double		d = floor(sr_ring_nearness(&part->rings[r], &vicinity) * 1000.0);

			if (d < nearest)
			{
				nearest = d;
				region = part->region;
			}
		}
	}
	return region;
}
