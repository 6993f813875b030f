/*
 * coverage.c: the type: layout, text and binary I/O, equality, argument checks.
 */
#include "coverage/coverage.h"

#include "access/detoast.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"

#define FORMAT_VERSION 0

/* Bytes that are fetched at once. */
#define FETCH_SLICE (4 * 1024 * 1024)

/*
 * The value behind a datum. The server fetches a stored value in one go, which
 * for the largest takes seconds that nothing can interrupt: so, slice by slice.
 */
Coverage *
coverage_detoast(Datum d)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(d);
	struct varatt_external toast;
	char	   *whole;
	int32		size;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return (Coverage *) PG_DETOAST_DATUM(d);
	VARATT_EXTERNAL_GET_POINTER(toast, value);
	size = toast.va_rawsize - VARHDRSZ;
	if (VARATT_EXTERNAL_IS_COMPRESSED(toast) || size <= FETCH_SLICE)
		return (Coverage *) PG_DETOAST_DATUM(d);

	whole = sr_alloc((Size) size + VARHDRSZ);
	SET_VARSIZE(whole, size + VARHDRSZ);
	for (int32 at = 0; at < size; at += FETCH_SLICE)
	{
		int32		n = Min(FETCH_SLICE, size - at);
		struct varlena *slice = detoast_attr_slice(value, at, n);

		CHECK_FOR_INTERRUPTS();
		if (VARSIZE_ANY_EXHDR(slice) != (Size) n)
			elog(ERROR, "stored coverage ends early");
		memcpy(whole + VARHDRSZ + at, VARDATA_ANY(slice), n);
		pfree(slice);
	}
	return (Coverage *) whole;
}

/* ---------- argument checks ---------- */

void
check_order(int order)
{
	if (order < 0 || order > SR_MAX_ORDER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("grid order %d is out of range", order),
				 errhint("A grid order is between 0 and %d.", SR_MAX_ORDER)));
}

/* A weight to the nearest multiple of 2^-16, ties to even. */
double
check_weight(double weight)
{
	if (isnan(weight) || isinf(weight) || weight < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight %.15g is not a finite number of at least 0", weight)));
	if (weight > WEIGHT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight %.15g exceeds 2^37, the most that the weights of one aggregate may add up to", weight),
				 errhint("Use a larger unit.")));
	return rint(weight * WEIGHT_SCALE) / WEIGHT_SCALE;
}

void
check_same_order(const Coverage *a, const Coverage *b)
{
	if (a->order != b->order)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("coverages have different grid orders: %d and %d", a->order, b->order),
				 errhint("Build both at the same grid_order.")));
}

/* A number that stands for a constant field. */
double
check_scalar(double x)
{
	if (isnan(x) || isinf(x))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%.15g is not a finite number", x)));
	return x;
}

void
check_disc(const Disc *disc)
{
	if (isnan(disc->radius) || disc->radius <= 0 || disc->radius > SR_MAX_RADIUS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("radius %.15g m is out of range", disc->radius),
				 errhint("A radius is more than 0 and at most %.0f metres.", SR_MAX_RADIUS)));
}

/*
 * The cells of a region argument: those whose centres it covers, else the one
 * that holds the centroid of its largest part, else none.
 */
void
scan_region(FunctionCallInfo fcinfo, int argno, int order, SpanList *out)
{
	GeogRegion	region;
	double		edge[4];

	geog_read_region(PG_GETARG_DATUM(argno), &region);
	span_list_init(out);
	if (region.largest < 0)
		return;
	switch (scan_polygons(hpx_grid(order), region.polygons, region.npolygons, out, edge))
	{
		case SCAN_OK:
			break;
		case SCAN_ANTIPODAL:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("region has an edge between antipodal points: (%.15g %.15g) and (%.15g %.15g)",
							edge[0], edge[1], edge[2], edge[3]),
					 errdetail("No single great circle joins antipodal points."),
					 errhint("Add a vertex between them.")));
			break;
		case SCAN_TOO_COMPLEX:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("region is too complex for grid order %d", order),
					 errdetail("Its edges meet the parallels of the grid's cells more than " INT64_FORMAT " times.", SCAN_MAX_CROSSINGS),
					 errhint("Use a lower grid_order, or a simpler region.")));
			break;
	}
	if (out->nspans == 0)
	{
		Oid		   *argtypes;
		int			nargs;
		double		lon,
					lat;
		int64		cell;

		(void) get_func_signature(fcinfo->flinfo->fn_oid, &argtypes, &nargs);
		geog_region_centroid(&region, argtypes[argno], &lon, &lat);
		cell = point_cell(order, lon, lat);
		span_list_add(out, cell, cell);
	}
}

/* ---------- building ---------- */

void
builder_out_of_range(double value)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("coverage value out of range: %.15g", value),
			 errdetail("A cell's value is always a finite number.")));
}

/* Points into the builder's memory for its capacity. */
static void
builder_layout(CoverageBuilder *b)
{
	b->values = b->c->values;
	b->starts = (uint32 *) (b->c->values + b->capacity);
}

void
builder_init(CoverageBuilder *b, int order, int64 capacity)
{
	b->order = order;
	b->nruns = 0;
	b->capacity = Max(16, Min(capacity, (int64) COVERAGE_MAX_RUNS));
	b->c = sr_alloc(COVERAGE_SIZE(b->capacity));
	builder_layout(b);
}

void
builder_grow(CoverageBuilder *b)
{
	int64		old = b->capacity;

	CHECK_FOR_INTERRUPTS();
	if ((uint64) b->nruns >= COVERAGE_MAX_RUNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("coverage of order %d needs more than 1 GB", b->order),
				 errhint("Use a lower grid_order, such as %d.", Max(b->order - 1, 0))));
	b->capacity = Min(2 * b->capacity, (int64) COVERAGE_MAX_RUNS);
	b->c = sr_realloc(b->c, COVERAGE_SIZE(b->capacity));
	builder_layout(b);
	memmove(b->starts, b->c->values + old, (Size) b->nruns * sizeof(uint32));
}

/* One step of a multiply-rotate hash. */
static inline uint64
mix(uint64 h, uint64 v, uint64 k)
{
	h = (h ^ v) * k;
	return (h << 29) | (h >> 35);
}

/* 128-bit digest of order and runs. */
static void
set_digest(Coverage *c)
{
	const uint32 *starts = COVERAGE_STARTS(c);
	uint64		a = UINT64_C(0x9e3779b97f4a7c15) + (uint64) c->order;
	uint64		b = UINT64_C(0xc2b2ae3d27d4eb4f) ^ c->nruns;

	for (uint32 i = 0; i < c->nruns; i++)
	{
		uint64		v;

		memcpy(&v, &c->values[i], sizeof(v));
		a = mix(a, v + starts[i], UINT64_C(0xff51afd7ed558ccd));
		b = mix(b, v ^ ((uint64) starts[i] << 32), UINT64_C(0xc4ceb9fe1a85ec53));
	}
	a = mix(a, a >> 32, UINT64_C(0x9fb21c651e98df25));
	b = mix(b, b >> 32, UINT64_C(0xd6e8feb86659fd93));
	c->digest[0] = mix(a ^ (a >> 31), c->nruns, UINT64_C(0xff51afd7ed558ccd));
	c->digest[1] = mix(b ^ (b >> 31), a, UINT64_C(0xc4ceb9fe1a85ec53));
}

/* The finished value; the builder is used up. */
Coverage *
builder_finish(CoverageBuilder *b)
{
	Size		size = COVERAGE_SIZE(b->nruns);
	Coverage   *c = b->c;

	Assert(b->nruns > 0);
	memmove(c->values + b->nruns, b->starts, (Size) b->nruns * sizeof(uint32));
	if (b->nruns < b->capacity)
		c = repalloc_huge(c, size);
	SET_VARSIZE(c, size);
	c->flags = FORMAT_VERSION;
	c->order = b->order;
	c->nruns = (uint32) b->nruns;
	set_digest(c);
	return c;
}

/* 1 in the cells of ordered spans, 0 elsewhere. */
Coverage *
coverage_from_spans(int order, const SpanList *spans)
{
	CoverageBuilder b;

	builder_init(&b, order, 2 * spans->nspans + 1);
	builder_add(&b, 0, 0.0);
	for (int64 i = 0; i < spans->nspans; i++)
	{
		/* a span at cell 0 replaces the run that says 0 there */
		if (spans->spans[i].first == 0)
			b.nruns = 0;
		builder_add(&b, spans->spans[i].first, 1.0);
		if (spans->spans[i].last + 1 < INT64_C(12) << (2 * order))
			builder_add(&b, spans->spans[i].last + 1, 0.0);
	}
	return builder_finish(&b);
}

/* ---------- text ---------- */

/* Where the parser stands. */
typedef struct Parser
{
	const char *start;
	const char *at;
} Parser;

static void syntax_error(const Parser *p, const char *what) pg_attribute_noreturn();

static void
syntax_error(const Parser *p, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type coverage: \"%.60s%s\"",
					p->start, strlen(p->start) > 60 ? "..." : ""),
			 errdetail("%s at character %zu.", what, (size_t) (p->at - p->start) + 1),
			 errhint("The form is order:{[first,end)=value,...}, such as 3:{[0,4)=1.5,[10,11)=2}.")));
}

static void
skip_space(Parser *p)
{
	while (*p->at == ' ' || (*p->at >= '\t' && *p->at <= '\r'))
		p->at++;
}

static bool
accept(Parser *p, char c)
{
	skip_space(p);
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

static void
expect(Parser *p, char c)
{
	char		what[24];

	if (!accept(p, c))
	{
		snprintf(what, sizeof(what), "Expected \"%c\"", c);
		syntax_error(p, what);
	}
}

static int64
parse_integer(Parser *p, int64 limit, const char *too_large)
{
	int64		v = 0;

	skip_space(p);
	if (*p->at < '0' || *p->at > '9')
		syntax_error(p, "Expected a number");
	for (; *p->at >= '0' && *p->at <= '9'; p->at++)
	{
		v = 10 * v + (*p->at - '0');
		if (v > limit)
			syntax_error(p, too_large);
	}
	return v;
}

static double
parse_value(Parser *p)
{
	char		token[64];
	size_t		n;
	double		v;

	skip_space(p);
	n = strspn(p->at, "+-0123456789.eE");
	if (n == 0)
		syntax_error(p, "Expected a finite number");
	if (n >= sizeof(token))
		syntax_error(p, "Number too long");
	memcpy(token, p->at, n);
	token[n] = '\0';
	v = sr_float8_in(token, "coverage", token);
	p->at += n;
	return v;
}

SR_FUNCTION(coverage_in);
Datum
coverage_in(PG_FUNCTION_ARGS)
{
	Parser		p;
	CoverageBuilder b;
	int64		ncell;
	int64		end = 0;
	int			order;

	p.start = p.at = PG_GETARG_CSTRING(0);
	order = (int) parse_integer(&p, SR_MAX_ORDER, "Grid order above 13");
	ncell = INT64_C(12) << (2 * order);
	expect(&p, ':');
	expect(&p, '{');
	builder_init(&b, order, 16);
	if (!accept(&p, '}'))
	{
		do
		{
			int64		first;
			double		value;

			CHECK_FOR_INTERRUPTS();
			expect(&p, '[');
			first = parse_integer(&p, ncell, "Cell beyond the grid");
			if (first < end)
				syntax_error(&p, "Ranges out of order or overlapping");
			if (first > end)
				builder_add(&b, end, 0.0);
			expect(&p, ',');
			end = parse_integer(&p, ncell, "Cell beyond the grid");
			if (end <= first)
				syntax_error(&p, "Empty range");
			expect(&p, ')');
			expect(&p, '=');
			value = parse_value(&p);
			builder_add(&b, first, value);
		} while (accept(&p, ','));
		expect(&p, '}');
	}
	skip_space(&p);
	if (*p.at != '\0')
		syntax_error(&p, "Junk after the closing brace");
	if (end < ncell)
		builder_add(&b, end, 0.0);
	PG_RETURN_POINTER(builder_finish(&b));
}

SR_FUNCTION(coverage_out);
Datum
coverage_out(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	const uint32 *starts = COVERAGE_STARTS(c);
	StringInfoData s;
	const char *separator = "";

	initStringInfo(&s);
	appendStringInfo(&s, "%d:{", c->order);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		int64		end = i + 1 < c->nruns ? (int64) starts[i + 1] : COVERAGE_NCELL(c);
		char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (c->values[i] == 0)
			continue;
		/* the shortest text that reads back as the same bits, whatever the settings */
		double_to_shortest_decimal_buf(c->values[i], number);
		appendStringInfo(&s, "%s[%u," INT64_FORMAT ")=%s", separator, starts[i], end, number);
		separator = ",";
	}
	appendStringInfoChar(&s, '}');
	PG_RETURN_CSTRING(s.data);
}

/* ---------- binary ---------- */

static void
binary_error(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary coverage: %s", what)));
}

SR_FUNCTION(coverage_recv);
Datum
coverage_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buf);
	int			order = pq_getmsgbyte(buf);
	uint32		nruns = pq_getmsgint(buf, 4);
	int64		ncell;
	int64		last = -1;
	CoverageBuilder b;

	if (version != FORMAT_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported coverage version number %d", version)));
	check_order(order);
	ncell = INT64_C(12) << (2 * order);
	if (nruns == 0 || nruns > (uint64) (buf->len - buf->cursor) / (sizeof(uint32) + sizeof(double)))
		binary_error("wrong number of runs");
	builder_init(&b, order, nruns);
	for (uint32 i = 0; i < nruns; i++)
	{
		int64		start = pq_getmsgint(buf, 4);
		double		value = pq_getmsgfloat8(buf);

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (start <= last || start >= ncell || (i == 0 && start != 0))
			binary_error("cells out of order");
		if (value == 0 && signbit(value))
			binary_error("negative zero");
		builder_add(&b, start, value);
		if (b.nruns != (int64) i + 1)
			binary_error("neighbouring runs with one value");
		last = start;
	}
	PG_RETURN_POINTER(builder_finish(&b));
}

SR_FUNCTION(coverage_send);
Datum
coverage_send(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	const uint32 *starts = COVERAGE_STARTS(c);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, FORMAT_VERSION);
	pq_sendbyte(&buf, (uint8) c->order);
	pq_sendint32(&buf, c->nruns);
	for (uint32 i = 0; i < c->nruns; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		pq_sendint32(&buf, starts[i]);
		pq_sendfloat8(&buf, c->values[i]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ---------- equality ---------- */

/* Same order and same bits in every cell; the form is canonical, so same bytes. */
static bool
coverage_equal(const Coverage *a, const Coverage *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

SR_FUNCTION(coverage_eq);
Datum
coverage_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(coverage_equal(PG_GETARG_COVERAGE(0), PG_GETARG_COVERAGE(1)));
}

SR_FUNCTION(coverage_ne);
Datum
coverage_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!coverage_equal(PG_GETARG_COVERAGE(0), PG_GETARG_COVERAGE(1)));
}

SR_FUNCTION(coverage_hash);
Datum
coverage_hash(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);

	PG_RETURN_INT32((int32) (c->digest[0] ^ (c->digest[1] >> 32)));
}

SR_FUNCTION(coverage_hash_extended);
Datum
coverage_hash_extended(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	uint64		seed = (uint64) PG_GETARG_INT64(1);
	uint64		h = c->digest[0] ^ (c->digest[1] >> 32);

	/* the low half must agree with coverage_hash when the seed is 0 */
	if (seed != 0)
		h = mix(h ^ c->digest[1], seed, UINT64_C(0x9fb21c651e98df25));
	PG_RETURN_INT64((int64) h);
}

/* ---------- the grid ---------- */

SR_FUNCTION(coverage_order);
Datum
coverage_order(PG_FUNCTION_ARGS)
{
	/* the header is enough: a large field is not read for it */
	Coverage   *c = (Coverage *) PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0,
														offsetof(Coverage, values) - VARHDRSZ);

	PG_RETURN_INT32(c->order);
}

SR_FUNCTION(coverage_cell);
Datum
coverage_cell(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(1);
	double		lon,
				lat;

	check_order(order);
	geog_read_point(PG_GETARG_DATUM(0), &lon, &lat);
	PG_RETURN_INT64(point_cell(order, lon, lat));
}

SR_FUNCTION(coverage_cell_area);
Datum
coverage_cell_area(PG_FUNCTION_ARGS)
{
	int32		order = PG_GETARG_INT32(0);

	check_order(order);
	PG_RETURN_FLOAT8(hpx_cell_area(order));
}
