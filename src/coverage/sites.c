/*
 * sites.c: where the next nodes do most good: greedy maximum coverage.
 *
 * A candidate is the centre of any cell, and its gain the sum of what is left in
 * its disc. What is left only shrinks, so a gain once computed bounds all later
 * ones, and the largest in a heap is the next site as soon as it is up to date.
 * Most candidates are never looked at: the heap begins with blocks of cells, the
 * base faces, each with the sum in a disc around its middle that holds the discs
 * of all its cells, and a block that comes to the top is replaced by its quarters.
 *
 * Sums are fixed-point numbers, so gains are exact and comparisons of them too.
 */
#include "coverage/coverage.h"

#include "coverage/check.h"
#include "coverage/geog.h"

#include "funcapi.h"
#include "miscadmin.h"

#include "grid/disc.h"
#include "base/dmath.h"
#include "base/fixed.h"
#include "base/wkb.h"

/* More candidates or pieces than this at one time are refused: half a gigabyte, and one. */
#define MAX_CANDIDATES (INT64_C(1) << 24)
#define MAX_PIECES (INT64_C(1) << 25)

/* Cells of one value on one ring of what is left. */
typedef struct Piece
{
	int128		before;			/* sum over the cells before it on its ring */
	double		value;
	int32		first;			/* counted from the ring's first cell */
	int32		last;
} Piece;

typedef struct RingPieces
{
	Piece	   *pieces;
	int32		npieces;
	int32		capacity;
	int128		total;
} RingPieces;

/* A cell of the field's order, or a block: a cell of a lower order. */
typedef struct Candidate
{
	int128		bound;			/* no cell of it gains more */
	uint32		cell;			/* its lowest cell of the field's order */
	uint32		place;			/* face, x, y at its own order */
	int32		round;			/* sites that were known */
	int32		order;
} Candidate;

typedef struct Position
{
	double		x,
				y,
				z;
} Position;

typedef struct SiteSearch
{
	const HpxGrid *grid;
	double		radius;
	int			shift;			/* of sums */
	RingPieces *rings;
	int128		remaining;
	Candidate  *heap;
	int64		ncandidates;
	int64		capacity;
	/* by order of blocks */
	double		reach[SR_MAX_ORDER + 1];	/* radius of a disc with the discs of all cells; 0: all the Earth */
	double		apart[SR_MAX_ORDER + 1];	/* sites this far, in space, do not matter to it */
	int			max_sites;
	int			nsites;
	Position   *sites;
	int			site_capacity;
	SpanList	spans;
	TupleDesc	tupdesc;
} SiteSearch;

/* ---------- what is left ---------- */

static void
ring_add(RingPieces *r, int32 first, int32 last, double value)
{
	Piece	   *p;

	if (r->npieces == r->capacity)
	{
		r->capacity = r->capacity ? 2 * r->capacity : 4;
		r->pieces = r->pieces == NULL ? sr_alloc((Size) r->capacity * sizeof(Piece))
			: sr_realloc(r->pieces, (Size) r->capacity * sizeof(Piece));
	}
	p = &r->pieces[r->npieces++];
	p->first = first;
	p->last = last;
	p->value = value;
}

static void
ring_add_up(RingPieces *r, int shift)
{
	int128		sum = 0;

	for (int32 i = 0; i < r->npieces; i++)
	{
		Piece	   *p = &r->pieces[i];

		p->before = sum;
		sum += to_fixed(p->value, shift) * (p->last - p->first + 1);
	}
	r->total = sum;
}

/* Spreads a field over its rings. */
static void
load_field(SiteSearch *search, const Coverage *c)
{
	const uint32 *starts = COVERAGE_STARTS(c);
	const HpxGrid *grid = search->grid;
	int32		ring = 1;
	int64		npieces = 0;
	double		largest = 0;

	search->rings = sr_alloc(((Size) grid->nring + 1) * sizeof(RingPieces));
	memset(search->rings, 0, ((Size) grid->nring + 1) * sizeof(RingPieces));
	for (uint32 i = 0; i < c->nruns; i++)
	{
		int64		cell = starts[i];
		int64		end = i + 1 < c->nruns ? (int64) starts[i + 1] : COVERAGE_NCELL(c);

		if (c->values[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("deficit has a negative value: %.15g in cell %u", c->values[i], starts[i]),
					 errdetail("With it, more sites could be worth less."),
					 errhint("Use coverage_greatest(deficit, 0).")));
		largest = Max(largest, c->values[i]);
		while (c->values[i] > 0 && cell < end)
		{
			const HpxRing *r;
			int64		stop;

			while (ring < grid->nring && HPX_RING(grid, ring + 1)->start <= cell)
				ring++;
			r = HPX_RING(grid, ring);
			stop = Min(end, r->start + r->ncell);
			ring_add(&search->rings[ring], (int32) (cell - r->start), (int32) (stop - 1 - r->start),
					 c->values[i]);
			if (++npieces > MAX_PIECES)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("deficit of order %d has more than " INT64_FORMAT " runs of equal cells",
								c->order, MAX_PIECES),
						 errhint("Use a lower grid_order, such as %d.", Max(c->order - 1, 0))));
			cell = stop;
		}
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	search->shift = fixed_shift(largest);
	search->remaining = 0;
	for (int32 i = 1; i <= grid->nring; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ring_add_up(&search->rings[i], search->shift);
		search->remaining += search->rings[i].total;
	}
}

/* Sum over the cells of a ring before one. */
static inline int128
ring_before(const RingPieces *r, int32 cell, int shift)
{
	int32		lo = 0,
				hi = r->npieces;
	const Piece *p;

	while (lo < hi)
	{
		int32		mid = (lo + hi) / 2;

		if (r->pieces[mid].first < cell)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return 0;
	p = &r->pieces[lo - 1];
	if (cell > p->last)
		return lo < r->npieces ? r->pieces[lo].before : r->total;
	return p->before + to_fixed(p->value, shift) * (cell - p->first);
}

/* Sum over cells lo .. hi of a ring, as disc_intervals has them. */
static inline int128
ring_sum(const RingPieces *r, int32 ncell, int32 lo, int32 hi, int shift)
{
	if (lo > hi)
		return 0;
	if (hi - lo + 1 >= ncell)
		return r->total;
	if (lo < 0)
	{
		lo += ncell;
		hi += ncell;
	}
	else if (lo >= ncell)
	{
		lo -= ncell;
		hi -= ncell;
	}
	if (hi < ncell)
		return ring_before(r, hi + 1, shift) - ring_before(r, lo, shift);
	return r->total - ring_before(r, lo, shift) + ring_before(r, hi + 1 - ncell, shift);
}

/* What is left in a disc: the cells that scan_disc has. */
static int128
disc_sum(const SiteSearch *search, const Disc *disc)
{
	const HpxGrid *grid = search->grid;
	DiscScan	scan;
	int32		lo[DISC_BLOCK];
	int32		hi[DISC_BLOCK];
	int128		sum = 0;

	CHECK_FOR_INTERRUPTS();
	disc_prepare(grid, disc, &scan);
	for (int32 first = scan.first_ring; first <= scan.last_ring; first += DISC_BLOCK)
	{
		int32		count = Min(DISC_BLOCK, scan.last_ring - first + 1);

		disc_intervals(grid, &scan, first, count, lo, hi);
		for (int32 k = 0; k < count; k++)
		{
			const RingPieces *r = &search->rings[first + k];
			const HpxRing *ring = HPX_RING(grid, first + k);

			if (r->npieces == 0)
				continue;
			if (first + k == scan.home_ring)
			{
				int32		home = scan.home;

				if (interval_misses(lo[k], hi[k], ring->ncell, home))
					sum += ring_sum(r, ring->ncell, home, home, search->shift);
			}
			sum += ring_sum(r, ring->ncell, lo[k], hi[k], search->shift);
		}
	}
	return sum;
}

/* Takes cells of one ring out of what is left. */
static void
ring_remove(RingPieces *r, int32 first, int32 last, int shift)
{
	RingPieces	left = {NULL, 0, 0, 0};

	if (r->npieces == 0)
		return;
	for (int32 i = 0; i < r->npieces; i++)
	{
		const Piece *p = &r->pieces[i];

		if (p->first < first)
			ring_add(&left, p->first, Min(p->last, first - 1), p->value);
		if (p->last > last)
			ring_add(&left, Max(p->first, last + 1), p->last, p->value);
	}
	pfree(r->pieces);
	*r = left;
	ring_add_up(r, shift);
}

static void
remove_disc(SiteSearch *search, const Disc *disc)
{
	search->spans.nspans = 0;
	scan_disc(search->grid, disc, &search->spans);
	for (int64 i = 0; i < search->spans.nspans; i++)
	{
		const CellSpan *s = &search->spans.spans[i];
		int32		ring = hpx_cell_ring(search->grid, s->first);
		int64		start = HPX_RING(search->grid, ring)->start;

		CHECK_FOR_INTERRUPTS();
		ring_remove(&search->rings[ring], (int32) (s->first - start), (int32) (s->last - start),
					search->shift);
	}
}

/* ---------- candidates ---------- */

#define PLACE(face, x, y) ((uint32) (face) << 26 | (uint32) (x) << 13 | (uint32) (y))
#define PLACE_FACE(p) ((int) ((p) >> 26))
#define PLACE_X(p) ((int32) ((p) >> 13 & 8191))
#define PLACE_Y(p) ((int32) ((p) & 8191))

/* Largest gain first, and the lowest cell of equals. */
static inline bool
goes_before(const Candidate *a, const Candidate *b)
{
	if (a->bound != b->bound)
		return a->bound > b->bound;
	if (a->cell != b->cell)
		return a->cell < b->cell;
	return a->order < b->order;
}

static void
sift_down(SiteSearch *search, int64 i)
{
	Candidate	c = search->heap[i];

	for (;;)
	{
		int64		child = 2 * i + 1;

		if (child >= search->ncandidates)
			break;
		if (child + 1 < search->ncandidates &&
			goes_before(&search->heap[child + 1], &search->heap[child]))
			child++;
		if (!goes_before(&search->heap[child], &c))
			break;
		search->heap[i] = search->heap[child];
		i = child;
	}
	search->heap[i] = c;
}

static void
push(SiteSearch *search, const Candidate *c)
{
	int64		i;

	if (search->ncandidates == search->capacity)
	{
		if (search->capacity >= MAX_CANDIDATES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("more than " INT64_FORMAT " places of order %d gain about the same",
							MAX_CANDIDATES, search->grid->order),
					 errhint("Use a lower grid_order, such as %d.", Max(search->grid->order - 1, 0))));
		search->capacity *= 2;
		search->heap = sr_realloc(search->heap, (Size) search->capacity * sizeof(Candidate));
	}
	i = search->ncandidates++;
	while (i > 0 && goes_before(c, &search->heap[(i - 1) / 2]))
	{
		search->heap[i] = search->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	search->heap[i] = *c;
}

static void
pop(SiteSearch *search)
{
	search->heap[0] = search->heap[--search->ncandidates];
	if (search->ncandidates > 0)
		sift_down(search, 0);
}

/* The disc whose sum bounds a candidate: a cell's own, or one around a block. */
static void
candidate_disc(const SiteSearch *search, const Candidate *c, Disc *disc)
{
	if (c->order == search->grid->order)
	{
		hpx_cell_center(search->grid, c->cell, &disc->lon, &disc->lat);
		disc->radius = search->radius;
	}
	else
	{
		double		n = (double) (INT64_C(1) << c->order);

		hpx_face_position(PLACE_FACE(c->place), (PLACE_X(c->place) + 0.5) / n,
						  (PLACE_Y(c->place) + 0.5) / n, &disc->lon, &disc->lat);
		disc->radius = search->reach[c->order];
	}
}

static void
evaluate(const SiteSearch *search, Candidate *c)
{
	Disc		disc;

	candidate_disc(search, c, &disc);
	if (disc.radius > 0)
		c->bound = Min(c->bound, disc_sum(search, &disc));
	c->round = search->nsites;
}

/* Where a point of the Earth's surface lies in space, in metres. */
static Position
position(double lon, double lat)
{
	double		s,
				c,
				sl,
				cl,
				n;
	Position	p;

	sr_sincos_deg(lat, &s, &c);
	sr_sincos_deg(lon, &sl, &cl);
	n = SR_WGS84_A / sqrt(1.0 - SR_WGS84_E2 * s * s);
	p.x = n * c * cl;
	p.y = n * c * sl;
	p.z = n * (1.0 - SR_WGS84_E2) * s;
	return p;
}

/* May a site found since a candidate was evaluated have taken from it? */
static bool
is_stale(const SiteSearch *search, const Candidate *c)
{
	Disc		disc;
	Position	at;
	double		apart = search->apart[c->order];

	if (c->round == search->nsites)
		return false;
	/* by then it is as cheap to evaluate */
	if (search->nsites - c->round > 256)
		return true;
	candidate_disc(search, c, &disc);
	at = position(disc.lon, disc.lat);
	for (int i = c->round; i < search->nsites; i++)
	{
		double		dx = search->sites[i].x - at.x;
		double		dy = search->sites[i].y - at.y;
		double		dz = search->sites[i].z - at.z;

		if (dx * dx + dy * dy + dz * dz < apart * apart)
			return true;
	}
	return false;
}

/* Replaces the block at the top of the heap by its quarters. */
static void
split_top(SiteSearch *search)
{
	Candidate	block = search->heap[0];
	int			order = search->grid->order;

	pop(search);
	for (int k = 0; k < 4; k++)
	{
		Candidate	c = block;
		int			face = PLACE_FACE(block.place);
		int32		x = 2 * PLACE_X(block.place) + (k & 1);
		int32		y = 2 * PLACE_Y(block.place) + (k >> 1);
		int64		north;

		c.order = block.order + 1;
		c.place = PLACE(face, x, y);
		/* its northern corner is alone on its ring */
		north = INT64_C(1) << (order - c.order);
		c.cell = (uint32) hpx_face_to_cell(order, face, (x + 1) * north - 1, (y + 1) * north - 1);
		evaluate(search, &c);
		if (c.bound > 0)
			push(search, &c);
	}
}

/*
 * The next site; false when nothing is left to gain, or enough sites are found.
 */
static bool
next_site(SiteSearch *search, double *lon, double *lat, int128 *gain)
{
	while (search->nsites < search->max_sites && search->ncandidates > 0)
	{
		Candidate  *top = &search->heap[0];
		Disc		disc;

		CHECK_FOR_INTERRUPTS();
		if (is_stale(search, top))
		{
			evaluate(search, top);
			if (top->bound > 0)
				sift_down(search, 0);
			else
				pop(search);
			continue;
		}
		if (top->order < search->grid->order)
		{
			split_top(search);
			continue;
		}

		candidate_disc(search, top, &disc);
		*lon = disc.lon;
		*lat = disc.lat;
		*gain = top->bound;
		pop(search);
		remove_disc(search, &disc);
		search->remaining -= *gain;
		if (search->nsites == search->site_capacity)
		{
			search->site_capacity *= 2;
			search->sites = sr_realloc(search->sites, (Size) search->site_capacity * sizeof(Position));
		}
		search->sites[search->nsites++] = position(disc.lon, disc.lat);
		return true;
	}
	return false;
}

/* Works out how far blocks of each order reach, and begins with the base faces. */
static void
start_search(SiteSearch *search)
{
	/* the largest Gaussian radius of curvature, at the poles, gives the longest chord */
	const double gauss = SR_WGS84_A / sqrt(1.0 - SR_WGS84_E2);
	double		s,
				c,
				chord;

	sr_sincos_deg(search->radius / (2.0 * gauss) / SR_DEGREE, &s, &c);
	chord = 2.0 * gauss * s;
	for (int order = 0; order <= search->grid->order; order++)
	{
		/* from a cell's centre to its farthest corner: largest where the belt ends (at z = 2/3) */
		double		nside = (double) (INT64_C(1) << order);
		double		t = 1.0 - 1.0 / nside;
		double		z = 1.0 - t * t / 3.0;
		double		cosine = z * 2.0 / 3.0 + sqrt((1.0 - z * z) * 5.0 / 9.0) * cos(SR_PI / (4.0 * nside));
		double		corner = order == search->grid->order ? 0.0 :
			2.0 * SR_WGS84_A * sqrt((1.0 - cosine) / 2.0) * 1.03;
		double		with_discs = 1.005 * (chord + corner);

		search->reach[order] = with_discs > 1.2 * SR_WGS84_A ? 0.0 :
			2.0 * gauss * sr_asin(with_discs / (2.0 * gauss));
		search->apart[order] = with_discs + 1.005 * chord;
	}

	search->capacity = 1024;
	search->heap = sr_alloc((Size) search->capacity * sizeof(Candidate));
	for (int face = 0; face < 12; face++)
	{
		int64		last = search->grid->nside - 1;
		Candidate	block = {
			.bound = search->remaining,
			.cell = (uint32) hpx_face_to_cell(search->grid->order, face, last, last),
			.place = PLACE(face, 0, 0),
		};

		evaluate(search, &block);
		if (block.bound > 0)
			push(search, &block);
	}
	search->site_capacity = 64;
	search->sites = sr_alloc((Size) search->site_capacity * sizeof(Position));
	span_list_init(&search->spans);
}

/* ---------- SQL ---------- */

static int
check_sites(int sites)
{
	if (sites < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of sites %d is out of range", sites),
				 errhint("Ask for at least 1.")));
	return sites;
}

/* The sites with their places as EWKB. */
SR_FUNCTION(coverage_site_rows);
Datum
coverage_site_rows(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	SiteSearch *search;
	MemoryContext old;
	double		lon,
				lat;
	int128		gain;
	bool		found;

	if (SRF_IS_FIRSTCALL())
	{
		Disc		disc = {.radius = PG_GETARG_FLOAT8(1)};
		Coverage   *c;

		check_disc(&disc);
		(void) check_sites(PG_GETARG_INT32(2));
		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		search = palloc0(sizeof(SiteSearch));
		c = PG_GETARG_COVERAGE(0);
		search->grid = hpx_grid(c->order);
		search->radius = disc.radius;
		search->max_sites = PG_GETARG_INT32(2);
		load_field(search, c);
		start_search(search);
		if (get_call_result_type(fcinfo, NULL, &search->tupdesc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		search->tupdesc = BlessTupleDesc(search->tupdesc);
		funcctx->user_fctx = search;
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	search = funcctx->user_fctx;

	old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
	found = next_site(search, &lon, &lat, &gain);
	MemoryContextSwitchTo(old);
	if (found)
	{
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		values[0] = Int32GetDatum(search->nsites);
		values[1] = PointerGetDatum(wkb_point(lon, lat, SRID_WGS84));
		values[2] = Float8GetDatum(from_fixed(gain, search->shift));
		values[3] = Float8GetDatum(from_fixed(search->remaining, search->shift));
		SRF_RETURN_NEXT(funcctx, HeapTupleGetDatum(heap_form_tuple(search->tupdesc, values, nulls)));
	}
	SRF_RETURN_DONE(funcctx);
}
