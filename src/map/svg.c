/*
 * coverage_svg.c: a field as a picture, a standalone SVG map.
 *
 * The projection is Equal Earth (Savric, Patterson, Jenny 2018,
 * doi:10.1080/13658816.2018.1504949) on authalic latitude: parallels are straight
 * lines and areas are true. Field, land and frame are all made of intervals on
 * the parallels of a grid, the "display grid": row r of the picture holds the
 * centres of ring r + 1, and each cell of it is a brick, a piece of its row of
 * the cell's area. Bricks of one class are merged into outlines.
 *
 * The display grid is the field's own, or a coarser one: its order is bounded by
 * what can be seen, and falls until the outlines have at most MAX_POINTS points, so
 * that the size of the picture is bounded whatever the field. Only large cells are
 * drawn on a finer grid, which shows their shape. Coordinates are whole tenths of a unit of the view box.
 * Nothing but + - * / and sqrt goes into them, so they are the same everywhere.
 */
#include "coverage/coverage.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/dmath.h"
#include "grid/outline.h"
#include "coverage/geog.h"
#include "coverage/runs.h"

/* The picture, in units of the view box. */
#define WIDTH 1200
#define MARGIN 10
#define FRAME_WIDTH (WIDTH - 2 * MARGIN)
#define FRAME_MIN_HEIGHT 380
#define FRAME_MAX_HEIGHT 760
#define TITLE_HEIGHT 34
#define LEGEND_HEIGHT 66

/* Coordinates in the map are tenths of a unit. */
#define SUB 10

/* A brick covers at least this many square units. */
#define MIN_BRICK 0.64
#define MAX_POINTS 110000

/* Cells of so many square units are drawn in their true shape. */
#define BIG_CELL 150.0

/* Classes of a field with one sign, and per sign of a field with both. */
#define MAX_CLASSES 7
#define MAX_CLASSES_OF_TWO 5
#define LABEL_SIZE 48

/* The world's cut lies in the Bering Strait. */
#define WORLD_MERIDIAN 11.0

/* The smallest share of the Earth that is drawn as the world. */
#define MAX_FITTED_LON 140.0

#define COLOR_SEA "#e3eaf0"
#define COLOR_LAND "#ffffff"
#define COLOR_LINE "#7b8794"
#define COLOR_TEXT "#1f2933"
#define COLOR_POINT "#14213d"

/* ---------- projection ---------- */

#define EE_A1 1.340264
#define EE_A2 (-0.081106)
#define EE_A3 0.000893
#define EE_A4 0.003796

/*
 * Equal Earth of the unit sphere: x for a longitude of one radian, and y, at an
 * authalic latitude given by its sine.
 */
static void
equal_earth(double z, double *x, double *y)
{
	double		s = sqrt(3.0) / 2.0 * Max(-1.0, Min(1.0, z));
	double		t = sr_asin(s);
	double		t2 = t * t;
	double		t6 = t2 * t2 * t2;

	*x = 2.0 * sqrt(3.0) * sqrt(1.0 - s * s) /
		(3.0 * (t6 * (9.0 * EE_A4 * t2 + 7.0 * EE_A3) + 3.0 * EE_A2 * t2 + EE_A1));
	*y = t * (t6 * (EE_A4 * t2 + EE_A3) + EE_A2 * t2 + EE_A1);
}

/* Where the map lies. */
typedef struct Map
{
	double		meridian;		/* its central one, in turns */
	bool		fitted;			/* a part of the Earth in a rectangular frame */
	double		scale;			/* units per radian */
	double		stretch;		/* of x, and 1 / stretch of y: keeps areas */
	double		left;			/* of the frame, units */
	double		top;
	double		width;
	double		height;
	double		center_y;		/* y in the frame's middle, where x = 0 */
	int			order;			/* the finest display grid */
} Map;

/* Position in units; across is in turns from the map's left edge. */
static void
map_position(const Map *map, double across, double z, double *x, double *y)
{
	double		ex,
				ey;

	equal_earth(z, &ex, &ey);
	*x = map->left + map->width / 2 + map->scale * map->stretch * ex * (across - 0.5) * 2 * SR_PI;
	*y = map->top + map->height / 2 - map->scale / map->stretch * (ey - map->center_y);
}

static int
sub_units(double v)
{
	return (int) rint(Max(-1e6, Min(1e6, v)) * SUB);
}

/* Turns from the map's left edge, in [0, 1). */
static double
map_across(const Map *map, double turn)
{
	double		a = turn - map->meridian + 0.5;

	a -= floor(a);
	return a >= 1.0 ? 0.0 : a;
}

/* ---------- rows of the display grid ---------- */

/* Authalic z of the line below row r (from 1) of an order, r = 0 being the pole. */
static double
row_bound_z(int order, int64 r)
{
	int64		nside = INT64_C(1) << order;

	if (r < nside)
		return 1.0 - (double) (r * (r + 1)) / (3.0 * (double) (nside * nside));
	if (r < 3 * nside)
		return ((double) (2 * nside - r) - 0.5) * 2.0 / (3.0 * (double) nside);
	return -row_bound_z(order, 4 * nside - 1 - r);
}

/* The last ring of a finer grid, by so many orders, whose centres lie in row r or north of it. */
static int64
row_last_ring(int order, int finer, int64 r)
{
	int64		nside = INT64_C(1) << order;

	if (r < nside)
		return (int64) sqrt((double) (r * (r + 1) << (2 * finer)));
	if (r < 3 * nside)
		return ((2 * r + 1) << finer) >> 1;
	return (4 * nside << finer) - 1 - row_last_ring(order, finer, 4 * nside - 1 - r);
}

/* The rows of a display grid on a map. */
typedef struct Rows
{
	const Map  *map;
	const HpxGrid *grid;
	int32		first;			/* rows that the frame shows, from 0 */
	int32		last;
	double	   *y;				/* units, by half rows */
	double	   *x;				/* units per turn, by half rows */
	double	   *from;			/* what the frame shows of a row, across */
	double	   *to;
} Rows;

static void
rows_init(Rows *rows, const Map *map, int order)
{
	int32		nrow;
	const HpxGrid *grid = hpx_grid(order);

	rows->map = map;
	rows->grid = grid;
	nrow = grid->nring;
	rows->y = palloc((2 * nrow + 1) * sizeof(double));
	rows->x = palloc((2 * nrow + 1) * sizeof(double));
	rows->from = palloc(nrow * sizeof(double));
	rows->to = palloc(nrow * sizeof(double));
	rows->first = nrow;
	rows->last = -1;
	for (int32 r = 0; r <= nrow; r++)
	{
		double		x0,
					x1;

		map_position(map, 0.5, row_bound_z(order, r), &x0, &rows->y[2 * r]);
		map_position(map, 1.5, row_bound_z(order, r), &x1, &rows->y[2 * r]);
		rows->x[2 * r] = x1 - x0;
	}
	for (int32 r = 0; r < nrow; r++)
	{
		double		most = Max(rows->x[2 * r], rows->x[2 * r + 2]);
		double		least = Min(rows->x[2 * r], rows->x[2 * r + 2]);
		double		half = (map->width / 2 + 3) / least;

		rows->y[2 * r + 1] = (rows->y[2 * r] + rows->y[2 * r + 2]) / 2;
		rows->x[2 * r + 1] = (most + least) / 2;
		rows->from[r] = map->fitted ? Max(0.0, 0.5 - half) : 0.0;
		rows->to[r] = map->fitted ? Min(1.0, 0.5 + half) : 1.0;
		if (rows->y[2 * r + 2] >= map->top - 3 && rows->y[2 * r] <= map->top + map->height + 3)
		{
			rows->first = Min(rows->first, r);
			rows->last = r;
		}
	}
}

static void
rows_free(Rows *rows)
{
	pfree(rows->y);
	pfree(rows->x);
	pfree(rows->from);
	pfree(rows->to);
}

/* ---------- pieces: bricks of one value side by side ---------- */

typedef struct Piece
{
	RowSpan		span;
	double		value;
} Piece;

typedef struct PieceList
{
	Piece	   *pieces;
	int64		n;
	int64		capacity;
} PieceList;

static void
piece_list_init(PieceList *list)
{
	list->n = 0;
	list->capacity = 1024;
	list->pieces = sr_alloc(list->capacity * sizeof(Piece));
}

/* Adds what the frame shows of a piece. */
static void
add_piece(PieceList *list, const Rows *rows, int32 row, double from, double to, double value)
{
	Piece	   *last = list->n > 0 ? &list->pieces[list->n - 1] : NULL;

	from = Max(from, rows->from[row]);
	to = Min(to, rows->to[row]);
	if (to - from < 1e-10)
		return;
	if (last && last->span.row == row && last->value == value && fabs(from - last->span.to) < 1e-10)
	{
		last->span.to = to;
		return;
	}
	if (list->n == list->capacity)
	{
		list->capacity *= 2;
		list->pieces = sr_realloc(list->pieces, list->capacity * sizeof(Piece));
	}
	list->pieces[list->n].span.row = row;
	list->pieces[list->n].span.from = from;
	list->pieces[list->n].span.to = to;
	list->pieces[list->n].value = value;
	list->n++;
}

/* The brick of a row at the map's left edge, and which part of it lies west of the edge. */
static int64
first_brick(const Rows *rows, int32 row, double *offset)
{
	const HpxRing *ring = HPX_RING(rows->grid, row + 1);
	double		a = rows->map->meridian - 0.5;
	int64		j;

	a = (a - floor(a)) * ring->ncell - ring->shift + 0.5;
	j = (int64) floor(a);
	*offset = a - (double) j;
	return j % ring->ncell;
}

/* Adds the bricks of a row that have a value, west to east. */
static void
add_row(PieceList *list, const Rows *rows, int32 row, const double *value)
{
	int32		ncell = HPX_RING(rows->grid, row + 1)->ncell;
	double		offset;
	int64		first = first_brick(rows, row, &offset);

	for (int64 k = 0; k <= ncell; k++)
	{
		double		v = value[(first + k) % ncell];

		if (v != 0)
			add_piece(list, rows, row, Max(0.0, ((double) k - offset) / ncell),
					  Min(1.0, ((double) k + 1 - offset) / ncell), v);
	}
}

/* ---------- from the field to bricks ---------- */

/* Walks a field's runs in the order of their cells. */
typedef struct Walk
{
	const Coverage *c;
	uint32		run;
} Walk;

/* Moves on to the run that holds a cell, not before the current one. */
static inline void
walk_to(Walk *walk, int64 cell)
{
	while (run_end(walk->c, walk->run) <= cell)
	{
		walk->run++;
		if (unlikely(walk->run % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Adds one ring of the field to the bricks of a row: the values that are not zero.
 * A cell counts in the brick that holds its centre.
 */
static void
add_ring(Walk *walk, const HpxRing *ring, const HpxRing *row, double scale, Mean *means)
{
	int64		nf = ring->ncell;
	int64		nd = row->ncell;
	int			f2 = (int) (2 * ring->shift);
	int			d2 = (int) (2 * row->shift);
	int64		cell = ring->start;
	int64		end = ring->start + nf;

	while (cell < end)
	{
		int64		stop;
		double		v;

		walk_to(walk, cell);
		v = walk->c->values[walk->run];
		stop = Min(end, run_end(walk->c, walk->run));
		while (v != 0 && cell < stop)
		{
			int64		m = cell - ring->start;
			/* brick j begins at (j + (d2 - 1) / 2) / nd turns */
			int64		j = ((2 * m + f2) * nd + (1 - d2) * nf) / (2 * nf);
			/* the first cell of brick j + 1 */
			int64		up = nf * (2 * j + 1 + d2) - f2 * nd;
			int64		next = ring->start + (up + 2 * nd - 1) / (2 * nd);

			next = Min(next, stop);
			mean_add(&means[j % nd], v, next - cell, scale);
			cell = next;
		}
		cell = stop;
	}
}

/*
 * The field on a display grid. A brick has the mean of the cells in it that are
 * not zero; where the field is coarser than the display grid, the value of the
 * cell that holds its centre.
 */
static void
field_pieces(const Coverage *c, const Rows *rows, PieceList *out)
{
	const HpxGrid *fine = hpx_grid(c->order);
	const HpxGrid *grid = rows->grid;
	int			finer = c->order - grid->order;
	Walk		walk = {c, 0};
	double		scale = 1.0;
	Mean	   *means = palloc(4 * grid->nside * sizeof(Mean));
	double	   *value = palloc(4 * grid->nside * sizeof(double));

	piece_list_init(out);
	for (int32 row = rows->first; row <= rows->last; row++)
	{
		const HpxRing *ring = HPX_RING(grid, row + 1);
		bool		any = false;

		CHECK_FOR_INTERRUPTS();
		if (finer >= 0)
		{
			int64		first = row_last_ring(grid->order, finer, row) + 1;
			int64		last = row_last_ring(grid->order, finer, row + 1);

			memset(means, 0, ring->ncell * sizeof(Mean));
			for (int64 i = first; i <= last; i++)
			{
				const HpxRing *from = HPX_RING(fine, i);

				if (walk.run == 0 || run_end(c, walk.run) <= from->start)
					walk.run = Max(walk.run, run_of(c, from->start));
				add_ring(&walk, from, ring, scale, means);
			}
			for (int32 j = 0; j < ring->ncell; j++)
			{
				value[j] = mean_value(&means[j], scale);
				any |= value[j] != 0;
			}
		}
		else
		{
			double		z = hpx_authalic_z(ring->sinlat);

			for (int32 j = 0; j < ring->ncell; j++)
			{
				int32		any_ring;
				int64		cell = hpx_cell(c->order, z, (j + ring->shift) / ring->ncell, &any_ring);

				value[j] = c->values[run_of(c, cell)];
				any |= value[j] != 0;
			}
		}
		if (any)
			add_row(out, rows, row, value);
	}
	pfree(means);
	pfree(value);
}

/* ---------- writing paths ---------- */

/* Writes path data in sub-units, with relative lines. */
typedef struct Path
{
	StringInfo	out;
	const Rows *rows;			/* for outlines */
	bool		open;			/* a subpath has begun */
	int			x;				/* where the pen is */
	int			y;
	int			first_x;
	int			first_y;
	int			dx;				/* a line not yet written */
	int			dy;
	char		command;		/* the last one written */
	int64		npoints;
} Path;

/* A number, after a space where one is needed. */
static void
path_number(Path *p, int v)
{
	char		last = p->out->len > 0 ? p->out->data[p->out->len - 1] : ' ';

	if (v >= 0 && last >= '0' && last <= '9')
		appendStringInfoChar(p->out, ' ');
	appendStringInfo(p->out, "%d", v);
}

static void
path_flush(Path *p)
{
	if (p->dx == 0 && p->dy == 0)
		return;
	if (p->command != 'l')
		appendStringInfoChar(p->out, 'l');
	p->command = 'l';
	path_number(p, p->dx);
	path_number(p, p->dy);
	p->x += p->dx;
	p->y += p->dy;
	p->dx = p->dy = 0;
	p->npoints++;
}

static void
path_move(Path *p, int x, int y)
{
	path_flush(p);
	appendStringInfoChar(p->out, 'M');
	p->command = 'M';
	path_number(p, x);
	path_number(p, y);
	p->x = p->first_x = x;
	p->y = p->first_y = y;
	p->open = true;
	p->npoints++;
}

/* A line; lines that go straight on become one. */
static void
path_line(Path *p, int x, int y)
{
	int			ex = x - p->x - p->dx;
	int			ey = y - p->y - p->dy;

	if ((int64) p->dx * ey != (int64) p->dy * ex || (int64) p->dx * ex + (int64) p->dy * ey < 0)
		path_flush(p);
	p->dx += ex;
	p->dy += ey;
}

static void
outline_point(void *arg, double across, int64 half_rows)
{
	Path	   *p = arg;
	const Map  *map = p->rows->map;
	int			x = sub_units(map->left + map->width / 2 + p->rows->x[half_rows] * (across - 0.5));
	int			y = sub_units(p->rows->y[half_rows]);

	CHECK_FOR_INTERRUPTS();
	if (p->open)
		path_line(p, x, y);
	else
		path_move(p, x, y);
}

static void
outline_close(void *arg)
{
	Path	   *p = arg;

	/* the last line may be what closing draws */
	if (p->x + p->dx == p->first_x && p->y + p->dy == p->first_y)
		p->dx = p->dy = 0;
	path_flush(p);
	appendStringInfoChar(p->out, 'z');
	p->command = 'z';
	p->open = false;
}

/* Writes the outlines of the pieces with at least a value (at most, with sign -1). Returns the number of points. */
static int64
write_outlines(StringInfo out, const Rows *rows, const PieceList *list, int sign, double at_least)
{
	Path		path = {.out = out, .rows = rows, .command = ' '};
	OutlineSink sink = {outline_point, outline_close, &path};
	RowSpan    *spans = sr_alloc((Size) list->n * sizeof(RowSpan));
	int64		n = 0;

	for (int64 i = 0; i < list->n; i++)
	{
		const Piece *piece = &list->pieces[i];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!(sign * piece->value >= at_least))
			continue;
		if (n > 0 && spans[n - 1].row == piece->span.row && piece->span.from - spans[n - 1].to < 1e-10)
			spans[n - 1].to = Max(spans[n - 1].to, piece->span.to);
		else
			spans[n++] = piece->span;
	}
	outline_trace(spans, n, &sink);
	pfree(spans);
	return path.npoints;
}

/* ---------- classes ---------- */

/* Classes of one sign, by magnitude; class i begins at bound[i], the first at the least value. */
typedef struct Classes
{
	int			n;
	bool		single;			/* each class is one value */
	double		bound[MAX_CLASSES];
	char		label[MAX_CLASSES][LABEL_SIZE];
} Classes;

typedef struct Weighted
{
	double		value;
	double		weight;
} Weighted;

static int
compare_weighted(const void *a, const void *b)
{
	double		x = ((const Weighted *) a)->value;
	double		y = ((const Weighted *) b)->value;

	CHECK_FOR_INTERRUPTS();
	return (x > y) - (x < y);
}

/* A number for people: digits in groups of three, at most four digits after them. */
static void
format_number(char *out, size_t size, double v)
{
	char		digits[40];
	size_t		n = 0;
	int			len;

	if (v != 0 && (fabs(v) >= 1e12 || fabs(v) < 1e-4))
	{
		snprintf(out, size, "%.3g", v);
		return;
	}
	if (v != rint(v) || fabs(v) < 10000)
	{
		snprintf(out, size, "%.4g", v);
		if (strchr(out, 'e') == NULL)
			return;
		v = rint(v);
	}
	snprintf(digits, sizeof(digits), "%.0f", v);
	len = (int) strlen(digits);
	for (int i = 0; i < len && n + 9 < size; i++)
	{
		if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			n += snprintf(out + n, size - n, "&#8239;");
		out[n++] = digits[i];
	}
	out[n] = '\0';
}

/* digits * 10^exponent, the float8 nearest to it */
static double
decimal(int64 digits, int exponent)
{
	char		text[40];

	snprintf(text, sizeof(text), INT64_FORMAT "e%d", digits, exponent);
	return strtod(text, NULL);
}

static void
add_bound(Classes *classes, double bound)
{
	classes->bound[classes->n] = bound;
	format_number(classes->label[classes->n], LABEL_SIZE, bound);
	classes->n++;
}

/* floor(log10(v)), v > 0 */
static int
exponent_of(double v)
{
	char		text[40];

	snprintf(text, sizeof(text), "%.0e", v);
	return atoi(strchr(text, 'e') + 1);
}

/* Bounds 1, 2, 5, 10, ... or fewer of them, between lo and hi. */
static void
log_bounds(Classes *classes, double lo, double hi, int most)
{
	static const struct
	{
		int			n;
		int			digits[3];
		int			step;
	}			series[] = {
		{3, {1, 2, 5}, 1}, {2, {1, 3}, 1}, {1, {1}, 1}, {1, {1}, 2}, {1, {1}, 3}, {1, {1}, 5},
		{1, {1}, 10}, {1, {1}, 20}, {1, {1}, 50}, {1, {1}, 100}, {1, {1}, 200}, {1, {1}, 500}
	};
	int			from = Max(exponent_of(lo) - 1, -307);
	int			to = Min(exponent_of(hi) + 1, 308);

	for (int i = 0; i < (int) lengthof(series); i++)
	{
		bool		fits = true;

		classes->n = 0;
		add_bound(classes, 0);
		for (int e = from; e <= to && fits; e++)
		{
			if (e % series[i].step != 0)
				continue;
			for (int k = 0; k < series[i].n && fits; k++)
			{
				double		b = decimal(series[i].digits[k], e);

				if (b <= lo || b > hi)
					continue;
				if (classes->n == most)
					fits = false;
				else
					add_bound(classes, b);
			}
		}
		if (fits)
			return;
	}
}

/* Bounds at equal steps of a round number, between lo and hi. */
static void
linear_bounds(Classes *classes, double lo, double hi, int most)
{
	static const int steps[] = {10, 20, 25, 50};

	for (int e = exponent_of(hi - lo) - 3;; e++)
	{
		for (int i = 0; i < (int) lengthof(steps); i++)
		{
			double		step = decimal(steps[i], e);
			double		first = floor(lo / step) + 1;
			double		last = floor(hi / step);

			if (last - first > most - 2 || first > 1e15)
				continue;
			classes->n = 0;
			add_bound(classes, 0);
			for (double k = first; k <= last; k++)
				add_bound(classes, decimal((int64) k * steps[i], e));
			return;
		}
	}
}

/*
 * Classes of the values of one sign. Few different values are a class each. Else the
 * bounds are round numbers between the 2nd and the 98th percentile of the area:
 * at equal steps, or logarithmic where these lie more than 20 times apart.
 */
static void
make_classes(const PieceList *list, int sign, int most, Classes *classes)
{
	Weighted   *v = sr_alloc((Size) (list->n + 1) * sizeof(Weighted));
	int64		n = 0;
	int			different = 0;
	double		total = 0;
	double		seen = 0;
	double		lo = 0;
	double		hi = 0;

	for (int64 i = 0; i < list->n; i++)
	{
		if (sign * list->pieces[i].value > 0)
		{
			v[n].value = sign * list->pieces[i].value;
			v[n].weight = list->pieces[i].span.to - list->pieces[i].span.from;
			/* rows differ in length but not their bricks in area */
			n++;
		}
	}
	qsort(v, n, sizeof(Weighted), compare_weighted);
	for (int64 i = 0; i < n; i++)
	{
		total += v[i].weight;
		if (i == 0 || v[i].value != v[i - 1].value)
			different++;
	}
	classes->n = 0;
	classes->single = different <= most;
	if (classes->single)
	{
		for (int64 i = 0; i < n; i++)
			if (i == 0 || v[i].value != v[i - 1].value)
				add_bound(classes, v[i].value);
		pfree(v);
		return;
	}
	lo = v[0].value;
	for (int64 i = 0; i < n; i++)
	{
		if (seen <= 0.02 * total)
			lo = v[i].value;
		if (seen <= 0.98 * total)
			hi = v[i].value;
		seen += v[i].weight;
	}
	if (lo == hi)
	{
		/* most are one value: then from the least to the greatest */
		lo = v[0].value;
		hi = v[n - 1].value;
	}
	if (hi > 20 * lo)
		log_bounds(classes, lo, hi, most);
	else
		linear_bounds(classes, lo, hi, most);
	/* a first class without members would only puzzle */
	while (classes->n > 1 && classes->bound[1] <= v[0].value)
	{
		memmove(&classes->bound[0], &classes->bound[1], (classes->n - 1) * sizeof(double));
		memmove(&classes->label[0], &classes->label[1], (classes->n - 1) * LABEL_SIZE);
		classes->n--;
	}
	pfree(v);
}

/* Colour of class i of n, "#rrggbb": light to dark, blue above zero and red below. */
static const char *
class_color(int sign, int i, int n)
{
	static const int ramp[2][4][3] = {
		{{166, 219, 207}, {65, 166, 196}, {34, 94, 168}, {12, 31, 92}},
		{{253, 204, 138}, {252, 141, 89}, {215, 48, 31}, {110, 0, 0}}
	};
	static char color[8];
	/* one class: a middle colour */
	int			at = n == 1 ? 1500 : 3000 * i / (n - 1);
	int			k = Min(at / 1000, 2);
	int			rgb[3];

	for (int j = 0; j < 3; j++)
	{
		const int	(*r)[3] = ramp[sign < 0];

		rgb[j] = (r[k][j] * (1000 - (at - 1000 * k)) + r[k + 1][j] * (at - 1000 * k) + 500) / 1000;
	}
	snprintf(color, sizeof(color), "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
	return color;
}

/* ---------- the frame ---------- */

/* Square units of a cell of an order. */
static double
cell_size(double scale, int order)
{
	return 4 * SR_PI * scale * scale / (double) (INT64_C(12) << (2 * order));
}

/* Order of the finest display grid whose bricks can be seen. */
static int
display_order(double scale)
{
	int			order = 0;

	while (order < SR_MAX_ORDER && cell_size(scale, order + 1) >= MIN_BRICK)
		order++;
	return order;
}

static void
world_map(Map *map)
{
	double		x,
				y,
				pole;

	equal_earth(0, &x, &y);
	equal_earth(1, &pole, &pole);
	map->fitted = false;
	map->meridian = WORLD_MERIDIAN / 360.0;
	map->scale = (FRAME_WIDTH - 2) / (2 * SR_PI * x);
	map->stretch = 1;
	map->center_y = 0;
	map->height = 2 * pole * map->scale + 2;
	map->order = display_order(map->scale);
}

/* One bit per 1/4096 of a turn. */
#define LON_BINS 4096

/*
 * What the field's cells that are not zero span: rings, and the shortest arc of
 * longitude, west to east in turns. Returns false when there are none.
 */
static bool
field_extent(const Coverage *c, int32 *north, int32 *south, double *west, double *width)
{
	const HpxGrid *grid = hpx_grid(c->order);
	bool	   *bins = palloc0(LON_BINS * sizeof(bool));
	int			gap = 0;
	int			gap_end = 0;

	*north = 0;
	for (uint32 i = 0; i < c->nruns; i++)
	{
		int64		cell = COVERAGE_STARTS(c)[i];
		int64		end = run_end(c, i);

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (c->values[i] == 0)
			continue;
		for (int32 r = hpx_cell_ring(grid, cell); cell < end; r++)
		{
			const HpxRing *ring = HPX_RING(grid, r);
			int64		stop = Min(end, ring->start + ring->ncell);
			double		a = ((double) (cell - ring->start) + ring->shift - 0.5) / ring->ncell;
			double		b = ((double) (stop - ring->start) + ring->shift - 0.5) / ring->ncell;

			CHECK_FOR_INTERRUPTS();
			if (*north == 0)
				*north = r;
			*south = r;
			for (int64 k = (int64) floor(a * LON_BINS); k < (int64) ceil(b * LON_BINS); k++)
				bins[(k + LON_BINS) % LON_BINS] = true;
			cell = stop;
		}
	}
	if (*north == 0)
		return false;
	/* the widest run of empty bins, the first of equal ones */
	for (int k = 0, run = 0; k < 2 * LON_BINS; k++)
	{
		run = bins[k % LON_BINS] ? 0 : run + 1;
		if (run > gap && run <= LON_BINS)
		{
			gap = run;
			gap_end = k + 1;
		}
	}
	*west = (double) (gap_end % LON_BINS) / LON_BINS;
	*width = (double) (LON_BINS - gap) / LON_BINS;
	pfree(bins);
	return true;
}

/*
 * A frame around a field that spans a part of the Earth: its shortest arc of longitude
 * and its parallels, with a margin, shapes true on the middle parallel. A field that
 * spans more than MAX_FITTED_LON degrees, or whose frame does not fit on the map of the
 * Earth, gets the world.
 */
static void
make_map(const Coverage *c, Map *map)
{
	int32		north,
				south;
	double		west,
				width;
	double		zn,
				zs;
	double		x,
				y,
				yn,
				ys,
				xn,
				xs;
	double		half_width,
				half_height,
				least;
	double		edge,
				widest;

	map->left = MARGIN;
	map->width = FRAME_WIDTH;
	map->top = 0;
	world_map(map);
	if (!field_extent(c, &north, &south, &west, &width) || width > MAX_FITTED_LON / 360.0)
		return;

	zn = row_bound_z(c->order, north - 1);
	zs = row_bound_z(c->order, south);
	equal_earth(zn, &xn, &yn);
	equal_earth(zs, &xs, &ys);
	/* the middle parallel, by bisection: y ascends with z */
	for (int i = 0; i < 60; i++)
	{
		double		zc = (zn + zs) / 2;
		bool		south_of_it;

		equal_earth(zc, &x, &y);
		south_of_it = y < (yn + ys) / 2;
		zs = south_of_it ? zc : zs;
		zn = south_of_it ? zn : zc;
	}
	equal_earth(zn, &x, &map->center_y);
	map->stretch = sqrt(Max(0.0, 1 - zn * zn)) / x;
	if (map->stretch < 0.2)
		return world_map(map);

	/* a margin, and room for a dozen cells */
	widest = Max(xn, xs);
	if (yn > 0 && ys < 0)
		equal_earth(0, &widest, &y);
	half_width = 1.08 * SR_PI * width * widest * map->stretch;
	half_height = 1.08 * (yn - ys) / 2 / map->stretch;
	least = 6 * sqrt(4 * SR_PI / (double) COVERAGE_NCELL(c));
	half_width = Max(half_width, least);
	half_height = Max(half_height, least);
	map->scale = Min(FRAME_WIDTH / (2 * half_width), FRAME_MAX_HEIGHT / (2 * half_height));
	map->height = rint(Max(FRAME_MIN_HEIGHT, Min(FRAME_MAX_HEIGHT, 2 * half_height * map->scale)));
	map->meridian = west + width / 2;
	map->meridian -= floor(map->meridian);
	map->fitted = true;
	map->order = display_order(map->scale);

	/* does it lie on the Earth? */
	equal_earth(1, &edge, &y);
	half_height = map->height / 2 / map->scale * map->stretch;
	if (map->center_y + half_height >= y || map->center_y - half_height <= -y)
		return world_map(map);
	half_width = map->width / 2 / map->scale / map->stretch;
	/* at the pole's end the map is narrowest */
	if (half_width >= SR_PI * edge)
		return world_map(map);
}

/* ---------- lines ---------- */

/* Writes a line along great circles, cut at the map's edges. */
typedef struct LineWriter
{
	Path		path;
	const Map  *map;
	bool		pen;			/* down */
	double		across;			/* the last position */
	double		z;
	int			last_x;			/* the last point written or put off */
	int			last_y;
	int			written_x;
	int			written_y;
} LineWriter;

/* Is a position in sub-units far outside of the frame? */
static inline bool
outside(const Map *map, int x, int y)
{
	return x < sub_units(map->left) - 200 || x > sub_units(map->left + map->width) + 200 ||
		y < sub_units(map->top) - 200 || y > sub_units(map->top + map->height) + 200;
}

static void
line_up(LineWriter *w)
{
	if (w->pen && w->path.open && (w->last_x != w->written_x || w->last_y != w->written_y))
		path_line(&w->path, w->last_x, w->last_y);
	path_flush(&w->path);
	w->pen = false;
}

/* Goes on to a position; points less than a unit apart are left out. */
static void
line_point(LineWriter *w, double across, double z)
{
	double		x,
				y;
	int			ix,
				iy;

	map_position(w->map, across, z, &x, &y);
	ix = sub_units(x);
	iy = sub_units(y);
	if (!w->pen)
	{
		w->pen = true;
		w->path.open = false;
	}
	else if (w->map->fitted && outside(w->map, ix, iy) && outside(w->map, w->last_x, w->last_y))
	{
		line_up(w);
		w->pen = true;
		w->path.open = false;
	}
	else
	{
		if (!w->path.open)
		{
			path_move(&w->path, w->last_x, w->last_y);
			w->written_x = w->last_x;
			w->written_y = w->last_y;
		}
		if (abs(ix - w->written_x) + abs(iy - w->written_y) >= 8)
		{
			path_line(&w->path, ix, iy);
			w->written_x = ix;
			w->written_y = iy;
		}
	}
	w->last_x = ix;
	w->last_y = iy;
	w->across = across;
	w->z = z;
}

/* Goes on to a position, over the map's edge if that is shorter. */
static void
line_to(LineWriter *w, double across, double z)
{
	if (w->pen && fabs(across - w->across) > 0.5)
	{
		double		out = across < w->across ? 1.0 : 0.0;
		double		dx = (1 - fabs(across - w->across));
		double		part = dx > 0 ? fabs(out - w->across) / dx : 0;
		double		zc = w->z + Min(1.0, part) * (z - w->z);

		line_point(w, out, zc);
		line_up(w);
		w->path.open = false;
		line_point(w, 1.0 - out, zc);
	}
	line_point(w, across, z);
}

/*
 * One edge after the other along the great circle of geodetic longitude and latitude.
 * Edges that run along the antimeridian, or in a pole, are cuts that data have and
 * the Earth has not: the pen is up there.
 */
static void
write_ring(LineWriter *w, const LinearRing *ring)
{
	w->pen = false;
	w->path.open = false;
	for (int32 i = 0; i + 1 < ring->npoints; i++)
	{
		const double *a = &ring->xy[2 * (size_t) i];
		const double *b = a + 2;
		double		sa,
					ca,
					sb,
					cb,
					sl,
					cl,
					so,
					co;
		double		pa[3],
					pb[3];
		double		chord2;
		int			steps;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		if ((fabs(a[0]) == 180.0 && fabs(b[0]) == 180.0) || (fabs(a[1]) == 90.0 && fabs(b[1]) == 90.0))
		{
			line_up(w);
			continue;
		}
		sr_sincos_deg(a[1], &sa, &ca);
		sr_sincos_deg(b[1], &sb, &cb);
		sr_sincos_deg(a[0], &sl, &cl);
		sr_sincos_deg(b[0], &so, &co);
		pa[0] = ca * cl;
		pa[1] = ca * sl;
		pa[2] = sa;
		pb[0] = cb * co;
		pb[1] = cb * so;
		pb[2] = sb;
		chord2 = (pa[0] - pb[0]) * (pa[0] - pb[0]) + (pa[1] - pb[1]) * (pa[1] - pb[1]) +
			(pa[2] - pb[2]) * (pa[2] - pb[2]);
		/* a chord of two degrees, or of ten units */
		steps = (int) ceil(Min(sqrt(chord2) * Max(30.0, w->map->scale / 10), 2000.0));
		if (!w->pen)
			line_to(w, map_across(w->map, sr_lon_turn(a[0])), hpx_authalic_z(sa));
		for (int k = 1; k <= steps; k++)
		{
			double		t = (double) k / steps;
			double		p[3];
			double		len;

			if (k == steps)
			{
				line_to(w, map_across(w->map, sr_lon_turn(b[0])), hpx_authalic_z(sb));
				break;
			}
			for (int d = 0; d < 3; d++)
				p[d] = pa[d] + t * (pb[d] - pa[d]);
			len = sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
			if (len < 1e-9)
				continue;
			line_to(w, map_across(w->map, sr_atan2_turn(p[1], p[0])), hpx_authalic_z(p[2] / len));
		}
	}
	line_up(w);
}

/* ---------- regions ---------- */

/* What the array of regions holds. */
typedef struct Regions
{
	int			nregions;
	GeogRegion *regions;
	int64		npoints;
	double	  **points;			/* lon, lat pairs, by element */
	int32	   *npoint;
	int			npuntal;
} Regions;

static void
read_regions(ArrayType *array, Regions *r)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	memset(r, 0, sizeof(*r));
	/* geography: varlena, double-aligned */
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &values, &nulls, &n);
	r->regions = sr_alloc((Size) n * sizeof(GeogRegion));
	r->points = sr_alloc((Size) n * sizeof(double *));
	r->npoint = sr_alloc((Size) n * sizeof(int32));
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			continue;
		if (geog_is_puntal(values[i]))
		{
			r->npoint[r->npuntal] = geog_read_points(values[i], &r->points[r->npuntal]);
			r->npoints += r->npoint[r->npuntal++];
		}
		else
			geog_read_region(values[i], &r->regions[r->nregions++]);
	}
}

static int
compare_pieces(const void *a, const void *b)
{
	const RowSpan *x = &((const Piece *) a)->span;
	const RowSpan *y = &((const Piece *) b)->span;

	CHECK_FOR_INTERRUPTS();
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

/* Bricks of a row from cell to cell, over the map's edge where they cross it. */
static void
add_cells(PieceList *list, const Rows *rows, int32 row, int64 first, int64 last)
{
	const HpxRing *ring = HPX_RING(rows->grid, row + 1);
	double		offset;
	int64		edge = first_brick(rows, row, &offset);
	int64		k = (first - ring->start - edge + ring->ncell) % ring->ncell;
	double		from = ((double) k - offset) / ring->ncell;
	double		to = from + (double) (last - first + 1) / ring->ncell;

	if (last - first + 1 == ring->ncell)
	{
		from = 0;
		to = 1;
	}
	add_piece(list, rows, row, Max(0.0, from), Min(1.0, to), 1);
	if (from < 0)
		add_piece(list, rows, row, 1 + from, Min(1.0, 1 + to), 1);
	if (to > 1)
		add_piece(list, rows, row, 0, to - 1, 1);
}

/* The regions as an area. */
static void
region_pieces(const Regions *r, const Rows *rows, PieceList *out)
{
	piece_list_init(out);
	for (int i = 0; i < r->nregions; i++)
	{
		const GeogRegion *region = &r->regions[i];
		SpanList	spans;
		double		edge[4];

		CHECK_FOR_INTERRUPTS();
		if (region->largest < 0)
			continue;
		span_list_init(&spans);
		/* where an edge has no direction there is an outline but no area */
		if (scan_polygons(rows->grid, region->polygons, region->npolygons, &spans, edge) != SCAN_OK)
			continue;
		for (int64 k = 0; k < spans.nspans; k++)
		{
			int64		first = spans.spans[k].first;
			int32		row = hpx_cell_ring(rows->grid, first) - 1;

			for (; first <= spans.spans[k].last; row++)
			{
				const HpxRing *ring = HPX_RING(rows->grid, row + 1);
				int64		last = Min(spans.spans[k].last, ring->start + ring->ncell - 1);

				if (row >= rows->first && row <= rows->last)
					add_cells(out, rows, row, first, last);
				first = last + 1;
			}
		}
		span_list_free(&spans);
	}
	qsort(out->pieces, out->n, sizeof(Piece), compare_pieces);
}

static void
write_region_lines(StringInfo out, const Map *map, const Regions *r)
{
	LineWriter	w = {.path = {.out = out, .command = ' '}, .map = map};

	for (int i = 0; i < r->nregions; i++)
		for (int32 j = 0; j < r->regions[i].npolygons; j++)
			for (int32 k = 0; k < r->regions[i].polygons[j].nrings; k++)
				write_ring(&w, &r->regions[i].polygons[j].rings[k]);
}

typedef struct Dot
{
	int			y;
	int			x;
} Dot;

static int
compare_dots(const void *a, const void *b)
{
	const Dot  *p = a;
	const Dot  *q = b;

	CHECK_FOR_INTERRUPTS();
	if (p->y != q->y)
		return p->y < q->y ? -1 : 1;
	return (p->x > q->x) - (p->x < q->x);
}

/* The points as dots, one for those within a unit. */
static void
write_dots(StringInfo out, const Map *map, const Regions *r)
{
	Dot		   *dots = sr_alloc((Size) r->npoints * sizeof(Dot));
	int64		n = 0;
	bool		first = true;

	for (int i = 0; i < r->npuntal; i++)
	{
		for (int32 k = 0; k < r->npoint[i]; k++)
		{
			const double *xy = &r->points[i][2 * (size_t) k];
			double		s,
						c,
						x,
						y;

			if (k % 4096 == 0)
				CHECK_FOR_INTERRUPTS();
			sr_sincos_deg(xy[1], &s, &c);
			map_position(map, map_across(map, sr_lon_turn(xy[0])), hpx_authalic_z(s), &x, &y);
			dots[n].x = SUB * (sub_units(x) / SUB);
			dots[n].y = SUB * (sub_units(y) / SUB);
			if (!outside(map, dots[n].x, dots[n].y))
				n++;
		}
	}
	qsort(dots, n, sizeof(Dot), compare_dots);
	for (int64 i = 0; i < n; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (i > 0 && compare_dots(&dots[i], &dots[i - 1]) == 0)
			continue;
		if (first)
			appendStringInfo(out, "M%d %dh0", dots[i].x, dots[i].y);
		else
			appendStringInfo(out, "m%d%s%dh0", dots[i].x - dots[i - 1].x,
							 dots[i].y - dots[i - 1].y < 0 ? "" : " ", dots[i].y - dots[i - 1].y);
		first = false;
	}
	pfree(dots);
}

/* ---------- the frame's lines ---------- */

/* The Earth's outline on the map of the world. */
static void
write_sphere(StringInfo out, const Map *map)
{
	Path		path = {.out = out, .command = ' '};

	for (int k = 0; k <= 180; k++)
	{
		double		s,
					c,
					x,
					y;

		/* down the left edge and up the right one */
		sr_sincos_deg(k <= 90 ? 90 - 2 * k : 2 * k - 270, &s, &c);
		map_position(map, k <= 90 ? 0 : 1, s, &x, &y);
		if (k == 0)
			path_move(&path, sub_units(x), sub_units(y));
		else
			path_line(&path, sub_units(x), sub_units(y));
	}
	path_flush(&path);
	appendStringInfoChar(out, 'z');
}

/* Meridians and parallels. */
static void
write_graticule(StringInfo out, const Map *map)
{
	static const double steps[] = {30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02};
	LineWriter	w = {.path = {.out = out, .command = ' '}, .map = map};
	double		step = steps[0];
	/* degrees that the frame is high, about */
	double		span = map->height / map->scale * 180 / SR_PI;
	double		lat0 = -90;
	double		lat1 = 90;
	double		west = 0;
	double		east = 1;

	if (map->fitted)
	{
		double		x,
					y,
					edge;

		for (int i = 0; i < (int) lengthof(steps) && span / step < 4; i++)
			step = steps[i];
		/* the frame's parallels, to a tenth of a step */
		for (lat0 = -90; lat0 < 90; lat0 += Max(step / 10, 0.05))
		{
			double		s,
						c;

			sr_sincos_deg(lat0, &s, &c);
			map_position(map, 0.5, hpx_authalic_z(s), &x, &y);
			if (y < map->top + map->height + 10)
				break;
		}
		for (lat1 = lat0; lat1 < 90; lat1 += Max(step / 10, 0.05))
		{
			double		s,
						c;

			sr_sincos_deg(lat1, &s, &c);
			map_position(map, 0.5, hpx_authalic_z(s), &x, &y);
			if (y < map->top - 10)
				break;
		}
		equal_earth(1, &edge, &y);
		x = map->width / 2 / map->scale / map->stretch / edge / (2 * SR_PI);
		west = Max(0.0, 0.5 - x);
		east = Min(1.0, 0.5 + x);
	}
	for (double k = ceil((map->meridian - 0.5 + west) * 360 / step);
		 k <= floor((map->meridian - 0.5 + east) * 360 / step); k++)
	{
		double		across = k * step / 360 - map->meridian + 0.5;

		CHECK_FOR_INTERRUPTS();
		w.pen = w.path.open = false;
		for (int i = 0; i <= 90; i++)
		{
			double		s,
						c;

			sr_sincos_deg(lat0 + (lat1 - lat0) * i / 90, &s, &c);
			line_point(&w, across, hpx_authalic_z(s));
		}
		line_up(&w);
	}
	for (double k = ceil(lat0 / step); k <= floor(lat1 / step); k++)
	{
		double		s,
					c,
					x0,
					x1,
					y;

		CHECK_FOR_INTERRUPTS();
		if (fabs(k * step) >= 90)
			continue;
		sr_sincos_deg(k * step, &s, &c);
		map_position(map, 0, hpx_authalic_z(s), &x0, &y);
		map_position(map, 1, hpx_authalic_z(s), &x1, &y);
		x0 = Max(x0, map->left - 3);
		x1 = Min(x1, map->left + map->width + 3);
		appendStringInfo(out, "M%d %dh%d", sub_units(x0), sub_units(y), sub_units(x1) - sub_units(x0));
	}
}

/* ---------- text and legend ---------- */

/* Text as XML; what XML does not allow becomes a space. */
static void
append_escaped(StringInfo out, const char *s)
{
	for (; *s; s++)
	{
		switch (*s)
		{
			case '&':
				appendStringInfoString(out, "&amp;");
				break;
			case '<':
				appendStringInfoString(out, "&lt;");
				break;
			case '>':
				appendStringInfoString(out, "&gt;");
				break;
			case '"':
				appendStringInfoString(out, "&quot;");
				break;
			default:
				appendStringInfoChar(out, (unsigned char) *s < ' ' || *s == 0x7f ? ' ' : *s);
		}
	}
}

/*
 * One sign's colours with their bounds; returns the width taken, the heading's by a
 * guess. A heading says what the numbers are, so they need no minus sign under one.
 */
static int
write_legend(StringInfo out, const Classes *classes, int sign, const char *heading, int left, int top)
{
	int			swatch = classes->n > 5 ? 76 : 84;
	const char *minus = sign < 0 && *heading == '\0' ? "&#8722;" : "";

	if (classes->n == 0)
		return 0;
	if (*heading)
	{
		appendStringInfo(out, "<text x=\"%d\" y=\"%d\" font-weight=\"600\">", left, top);
		append_escaped(out, heading);
		appendStringInfoString(out, "</text>\n");
	}
	for (int k = 0; k < classes->n; k++)
	{
		/* below zero the legend runs towards it */
		int			i = sign < 0 ? classes->n - 1 - k : k;
		int			x = left + k * swatch;
		/* a bound stands below its line, a single value below its colour */
		int			at = classes->single ? x + swatch / 2 : sign < 0 ? x + swatch : x;

		appendStringInfo(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"14\" fill=\"%s\"/>\n",
						 x, top + 8, swatch, class_color(sign, i, classes->n));
		if (classes->single || i > 0)
			appendStringInfo(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s%s</text>\n",
							 at, top + 38, minus, classes->label[i]);
		else if (classes->bound[0] > 0)
			appendStringInfo(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s%s</text>\n",
							 at, top + 38, sign < 0 ? "end" : "start", minus, classes->label[i]);
	}
	return Max(classes->n * swatch, 8 * pg_mbstrlen(heading));
}

/* ---------- SQL ---------- */

/* The classes' paths; returns their number of points. */
static int64
write_field(StringInfo out, const Rows *rows, const PieceList *pieces, int sign, const Classes *classes)
{
	int64		npoints = 0;

	for (int i = 0; i < classes->n; i++)
	{
		int			start = out->len;
		int64		n;

		/* a class lies on those below it, so that no seams show */
		appendStringInfo(out, "<path fill=\"%s\" d=\"", class_color(sign, i, classes->n));
		n = write_outlines(out, rows, pieces, sign, i == 0 ? 0x1p-1074 : classes->bound[i]);
		if (n == 0)
		{
			out->len = start;
			out->data[start] = '\0';
			continue;
		}
		appendStringInfoString(out, "\"/>\n");
		npoints += n;
		if (npoints > MAX_POINTS)
			break;
	}
	return npoints;
}

static char *
text_argument(FunctionCallInfo fcinfo, int argno, const char *otherwise)
{
	if (PG_ARGISNULL(argno))
		return pstrdup(otherwise);
	return text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

/* coverage_svg(c, regions, title, above, below) */
SR_FUNCTION(coverage_svg);
Datum
coverage_svg(PG_FUNCTION_ARGS)
{
	Coverage   *c;
	Regions		regions;
	Map			map;
	Rows		rows;
	PieceList	pieces;
	Classes		above,
				below;
	StringInfoData field;
	StringInfoData out;
	char	   *title,
			   *label_above,
			   *label_below;
	char		id[12];
	char		number[2][LABEL_SIZE];
	double		least = 0;
	double		greatest = 0;
	int64		nonzero = 0;
	bool		negative = false;
	bool		positive = false;
	int			height,
				top,
				x;
	int			order;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	c = PG_GETARG_COVERAGE(0);
	if (PG_ARGISNULL(1))
		memset(&regions, 0, sizeof(regions));
	else
		read_regions(PG_GETARG_ARRAYTYPE_P(1), &regions);
	title = text_argument(fcinfo, 2, "");
	label_above = text_argument(fcinfo, 3, "");
	label_below = text_argument(fcinfo, 4, "");

	for (uint32 i = 0; i < c->nruns; i++)
	{
		double		v = c->values[i];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		positive |= v > 0;
		negative |= v < 0;
		if (v == 0)
			continue;
		least = nonzero == 0 ? v : Min(least, v);
		greatest = nonzero == 0 ? v : Max(greatest, v);
		nonzero += run_end(c, i) - COVERAGE_STARTS(c)[i];
	}
	make_map(c, &map);
	map.top = *title ? TITLE_HEIGHT + MARGIN : MARGIN;

	/* the finest display grid whose outlines are not too many */
	initStringInfo(&field);
	order = cell_size(map.scale, c->order) < BIG_CELL ? Min(map.order, c->order) : map.order;
	for (;; order--)
	{
		int			most = positive && negative ? MAX_CLASSES_OF_TWO : MAX_CLASSES;
		int64		npoints;

		resetStringInfo(&field);
		rows_init(&rows, &map, order);
		field_pieces(c, &rows, &pieces);
		make_classes(&pieces, 1, most, &above);
		make_classes(&pieces, -1, most, &below);
		npoints = write_field(&field, &rows, &pieces, 1, &above);
		if (npoints <= MAX_POINTS)
			npoints += write_field(&field, &rows, &pieces, -1, &below);
		rows_free(&rows);
		pfree(pieces.pieces);
		if (npoints <= MAX_POINTS || order == 0)
			break;
	}

	top = (int) ceil(map.top + map.height) + 28;
	height = top + LEGEND_HEIGHT - 22;
	snprintf(id, sizeof(id), "c%08x", (uint32) c->digest[0]);
	initStringInfo(&out);
	appendStringInfo(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\""
					 " aria-labelledby=\"%s-title %s-desc\""
					 " font-family=\"system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif\" font-size=\"13\" fill=\"%s\">\n",
					 WIDTH, height, id, id, COLOR_TEXT);
	appendStringInfo(&out, "<title id=\"%s-title\">", id);
	append_escaped(&out, *title ? title : "Map of a coverage field");
	format_number(number[0], LABEL_SIZE, least);
	format_number(number[1], LABEL_SIZE, greatest);
	appendStringInfo(&out, "</title>\n<desc id=\"%s-desc\">A field of grid order %d: " INT64_FORMAT " of "
					 INT64_FORMAT " cells are not zero", id, c->order, nonzero, COVERAGE_NCELL(c));
	if (nonzero > 0)
		appendStringInfo(&out, ", from %s to %s", number[0], number[1]);
	appendStringInfo(&out, ". Equal Earth projection, central meridian %.4g; areas are true. Drawn on a grid of order %d"
					 ": what is finer is drawn as the mean of the cells that are not zero.</desc>\n",
					 (map.meridian > 0.5 ? map.meridian - 1 : map.meridian) * 360, order);
	appendStringInfo(&out, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, height);
	if (*title)
	{
		appendStringInfo(&out, "<text x=\"%d\" y=\"30\" font-size=\"20\" font-weight=\"600\">", MARGIN + 4);
		append_escaped(&out, title);
		appendStringInfoString(&out, "</text>\n");
	}

	/* the map, in tenths */
	if (map.fitted)
		appendStringInfo(&out, "<clipPath id=\"%s-frame\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/></clipPath>\n"
						 "<g clip-path=\"url(#%s-frame)\">\n", id, (int) map.left, (int) map.top, (int) map.width,
						 (int) map.height, id);
	appendStringInfo(&out, "<g transform=\"scale(.1)\" fill-rule=\"evenodd\" stroke-linejoin=\"round\">\n");
	if (map.fitted)
		appendStringInfo(&out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
						 sub_units(map.left), sub_units(map.top), sub_units(map.width), sub_units(map.height), COLOR_SEA);
	else
	{
		appendStringInfo(&out, "<path fill=\"%s\" d=\"", COLOR_SEA);
		write_sphere(&out, &map);
		appendStringInfoString(&out, "\"/>\n");
	}
	if (regions.nregions > 0)
	{
		appendStringInfo(&out, "<path fill=\"%s\" d=\"", COLOR_LAND);
		rows_init(&rows, &map, map.order);
		region_pieces(&regions, &rows, &pieces);
		(void) write_outlines(&out, &rows, &pieces, 1, 1);
		pfree(pieces.pieces);
		rows_free(&rows);
		appendStringInfoString(&out, "\"/>\n");
	}
	appendStringInfo(&out, "<path fill=\"none\" stroke=\"%s\" stroke-opacity=\".3\" stroke-width=\"5\" d=\"", COLOR_LINE);
	write_graticule(&out, &map);
	appendStringInfoString(&out, "\"/>\n");
	appendBinaryStringInfo(&out, field.data, field.len);
	if (regions.nregions > 0)
	{
		appendStringInfo(&out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"5\" d=\"", COLOR_LINE);
		write_region_lines(&out, &map, &regions);
		appendStringInfoString(&out, "\"/>\n");
	}
	if (regions.npoints > 0)
	{
		appendStringInfo(&out, "<path fill=\"none\" stroke=\"#fff\" stroke-width=\"46\" stroke-linecap=\"round\" d=\"");
		write_dots(&out, &map, &regions);
		appendStringInfo(&out, "\"/>\n<path fill=\"none\" stroke=\"%s\" stroke-width=\"30\" stroke-linecap=\"round\" d=\"", COLOR_POINT);
		write_dots(&out, &map, &regions);
		appendStringInfoString(&out, "\"/>\n");
	}
	appendStringInfo(&out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"10\" d=\"", COLOR_LINE);
	if (map.fitted)
		appendStringInfo(&out, "M%d %dh%dv%dh%dz", sub_units(map.left), sub_units(map.top), sub_units(map.width),
						 sub_units(map.height), -sub_units(map.width));
	else
		write_sphere(&out, &map);
	appendStringInfo(&out, "\"/>\n</g>\n%s", map.fitted ? "</g>\n" : "");

	/* the legend */
	x = MARGIN + 4;
	if (nonzero == 0)
		appendStringInfo(&out, "<text x=\"%d\" y=\"%d\">no cell but zero</text>\n", x, top);
	if (below.n > 0)
		x += write_legend(&out, &below, -1, label_below, x, top) + 40;
	(void) write_legend(&out, &above, 1, label_above, x, top);
	appendStringInfoString(&out, "</svg>\n");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
