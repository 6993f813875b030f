/*
 * coverage_measure.c: numbers out of fields: sums and areas, in all, in a
 * region or in a disc, and the value at a point.
 *
 * Sums are exact: values are taken as 128-bit fixed-point numbers scaled to the
 * largest of them, so a prefix sum answers any interval of cells with one
 * subtraction, no order of additions matters, and only the final result is
 * rounded to a float8. A value more than 2^42 times smaller than the largest
 * loses bits below 2^-95 of that largest one.
 *
 * A query usually asks one field many questions. The unpacked field and its
 * prefix sums are therefore kept for the life of the calling expression and
 * recognised by the TOAST pointer, or by the digest in the value's header.
 */
#include "coverage.h"

#include "access/detoast.h"

#include "fixed.h"

/* What a prefix sum adds up. */
typedef enum FieldKind
{
	FIELD_VALUES,
	FIELD_NONZERO				/* 1 for every cell that is not zero */
} FieldKind;

typedef struct Field
{
	MemoryContext context;		/* all that depends on the current coverage */
	Coverage   *c;				/* NULL: nothing cached */
	bool		external;
	struct varatt_external toast;
	int			shift;			/* a value v counts as v * 2^shift */
	int128	   *prefix;			/* sum over the cells before run i; NULL until asked for */
	int			bucket_shift;
	uint32	   *bucket;			/* the run that holds cell b << bucket_shift */
	SpanList	scratch;
} Field;

/* ---------- the cache ---------- */

/* Does the cached field equal this datum? Reads the datum's header at most. */
static bool
is_cached(const Field *field, struct varlena *value)
{
	if (field->c == NULL)
		return false;
	if (VARATT_IS_EXTERNAL_ONDISK(value))
	{
		struct varatt_external toast;

		VARATT_EXTERNAL_GET_POINTER(toast, value);
		return field->external && memcmp(&toast, &field->toast, sizeof(toast)) == 0;
	}
	if (VARATT_IS_4B_U(value))
	{
		const Coverage *c = (const Coverage *) value;

		return c->digest[0] == field->c->digest[0] && c->digest[1] == field->c->digest[1] &&
			VARSIZE(c) == VARSIZE(field->c) && c->order == field->c->order;
	}
	return false;
}

/* The coverage argument, unpacked once for a run of equal values. */
static Field *
field_argument(FunctionCallInfo fcinfo, int argno)
{
	Field	   *field = fcinfo->flinfo->fn_extra;
	struct varlena *value = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(argno));
	struct varlena *plain;
	MemoryContext old;

	if (field == NULL)
	{
		field = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Field));
		field->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											   "coverage field", ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = field;
	}
	if (is_cached(field, value))
		return field;

	plain = PG_DETOAST_DATUM(PG_GETARG_DATUM(argno));
	if (plain != value && is_cached(field, plain))
	{
		pfree(plain);
		return field;
	}
	field->c = NULL;			/* stays so if we fail below */
	MemoryContextReset(field->context);
	field->prefix = NULL;
	field->bucket = NULL;
	span_list_init(&field->scratch);
	field->external = VARATT_IS_EXTERNAL_ONDISK(value);
	if (field->external)
		VARATT_EXTERNAL_GET_POINTER(field->toast, value);
	old = MemoryContextSwitchTo(field->context);
	field->c = sr_alloc(VARSIZE(plain));
	memcpy(field->c, plain, VARSIZE(plain));
	MemoryContextSwitchTo(old);
	if (plain != value)
		pfree(plain);
	return field;
}

/* ---------- fixed point ---------- */

static inline double
measured(double v, FieldKind kind)
{
	return kind == FIELD_NONZERO ? (v != 0 ? 1.0 : 0.0) : v;
}

/* Scale for a whole coverage. */
static int
coverage_shift(const Coverage *c, FieldKind kind)
{
	double		largest = 0;

	for (uint32 i = 0; i < c->nruns; i++)
		largest = Max(largest, fabs(c->values[i]));
	return fixed_shift(measured(largest, kind));
}

/* Cells of run i. */
static inline int64
run_length(const Coverage *c, uint32 i)
{
	const uint32 *starts = COVERAGE_STARTS(c);

	return (i + 1 < c->nruns ? (int64) starts[i + 1] : COVERAGE_NCELL(c)) - starts[i];
}

/* Sum over all cells. */
static double
total(const Coverage *c, FieldKind kind)
{
	int			shift = coverage_shift(c, kind);
	int128		sum = 0;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		sum += to_fixed(measured(c->values[i], kind), shift) * run_length(c, i);
	}
	return from_fixed(sum, shift);
}

/* ---------- intervals ---------- */

/* Makes an index from cells to runs with about one entry per run. */
static void
build_bucket(Field *field)
{
	const Coverage *c = field->c;
	const uint32 *starts = COVERAGE_STARTS(c);
	int64		ncell = COVERAGE_NCELL(c);
	int64		nbuckets;
	uint32		run = 0;
	MemoryContext old;

	if (field->bucket != NULL)
		return;
	field->bucket_shift = 0;
	while ((ncell >> field->bucket_shift) > 2 * (int64) c->nruns)
		field->bucket_shift++;
	nbuckets = (ncell >> field->bucket_shift) + 2;
	old = MemoryContextSwitchTo(field->context);
	field->bucket = sr_alloc((Size) nbuckets * sizeof(uint32));
	MemoryContextSwitchTo(old);
	for (int64 b = 0; b < nbuckets; b++)
	{
		int64		cell = b << field->bucket_shift;

		while (run + 1 < c->nruns && (int64) starts[run + 1] <= cell)
			run++;
		field->bucket[b] = run;
	}
}

/* The run that holds a cell. */
static inline uint32
find_run(const Field *field, int64 cell)
{
	const uint32 *starts = COVERAGE_STARTS(field->c);
	int64		b = cell >> field->bucket_shift;
	uint32		lo = field->bucket[b];
	uint32		hi = field->bucket[b + 1];

	while (lo < hi)
	{
		uint32		mid = lo + (hi - lo + 1) / 2;

		if ((int64) starts[mid] <= cell)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static void
build_prefix(Field *field, FieldKind kind)
{
	const Coverage *c = field->c;
	int128		sum = 0;
	MemoryContext old;

	if (field->prefix != NULL)
		return;
	build_bucket(field);
	field->shift = coverage_shift(c, kind);
	old = MemoryContextSwitchTo(field->context);
	field->prefix = sr_alloc((Size) c->nruns * sizeof(int128));
	MemoryContextSwitchTo(old);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (unlikely(i % 65536 == 0))
			CHECK_FOR_INTERRUPTS();
		field->prefix[i] = sum;
		sum += to_fixed(measured(c->values[i], kind), field->shift) * run_length(c, i);
	}
}

/* Sum over the cells before one. */
static inline int128
sum_before(const Field *field, FieldKind kind, int64 cell)
{
	const Coverage *c = field->c;
	uint32		run = find_run(field, cell);

	return field->prefix[run] + to_fixed(measured(c->values[run], kind), field->shift) *
		(cell - COVERAGE_STARTS(c)[run]);
}

/* Sum over the cells of disjoint spans. */
static double
sum_spans(Field *field, FieldKind kind, const SpanList *spans)
{
	int128		sum = 0;

	build_prefix(field, kind);
	for (int64 i = 0; i < spans->nspans; i++)
		sum += sum_before(field, kind, spans->spans[i].last + 1) -
			sum_before(field, kind, spans->spans[i].first);
	return from_fixed(sum, field->shift);
}

/* Sum over the cells of a region argument. */
static double
sum_region(FunctionCallInfo fcinfo, FieldKind kind)
{
	Field	   *field = field_argument(fcinfo, 0);
	SpanList	spans;

	scan_region(fcinfo, 1, field->c->order, &spans);
	return sum_spans(field, kind, &spans);
}

/* ---------- SQL ---------- */

SR_FUNCTION(coverage_sum);
Datum
coverage_sum(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(total(PG_GETARG_COVERAGE(0), FIELD_VALUES));
}

SR_FUNCTION(coverage_sum_region);
Datum
coverage_sum_region(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(sum_region(fcinfo, FIELD_VALUES));
}

SR_FUNCTION(coverage_sum_disc);
Datum
coverage_sum_disc(PG_FUNCTION_ARGS)
{
	Field	   *field = field_argument(fcinfo, 0);
	Disc		disc;
	MemoryContext old;

	geog_read_point(PG_GETARG_DATUM(1), &disc.lon, &disc.lat);
	disc.radius = PG_GETARG_FLOAT8(2);
	check_disc(&disc);
	old = MemoryContextSwitchTo(field->context);
	field->scratch.nspans = 0;
	scan_disc(hpx_grid(field->c->order), &disc, &field->scratch);
	MemoryContextSwitchTo(old);
	PG_RETURN_FLOAT8(sum_spans(field, FIELD_VALUES, &field->scratch));
}

SR_FUNCTION(coverage_area);
Datum
coverage_area(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);

	PG_RETURN_FLOAT8(total(c, FIELD_NONZERO) * hpx_cell_area(c->order));
}

SR_FUNCTION(coverage_area_region);
Datum
coverage_area_region(PG_FUNCTION_ARGS)
{
	double		cells = sum_region(fcinfo, FIELD_NONZERO);
	Field	   *field = fcinfo->flinfo->fn_extra;

	PG_RETURN_FLOAT8(cells * hpx_cell_area(field->c->order));
}

SR_FUNCTION(coverage_value);
Datum
coverage_value(PG_FUNCTION_ARGS)
{
	Field	   *field = field_argument(fcinfo, 0);
	double		lon,
				lat;

	geog_read_point(PG_GETARG_DATUM(1), &lon, &lat);
	build_bucket(field);
	PG_RETURN_FLOAT8(field->c->values[find_run(field, point_cell(field->c->order, lon, lat))]);
}
