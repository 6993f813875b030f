/*
 * binary.c: the type's binary form: a version, the order, the number of runs, and of
 * each run its first cell and its value, in network byte order.
 */
#include "coverage/binary.h"

#include "coverage/check.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"

/* Runs between two checks for interrupts. */
#define BLOCK 4096

/* ---------- pieces ---------- */

void
sr_binary_write_head(const Coverage *c, uint8 *to)
{
	uint32		nruns = pg_hton32(c->nruns);

	to[0] = COVERAGE_VERSION;
	to[1] = (uint8) c->order;
	memcpy(to + 2, &nruns, sizeof(nruns));
}

/*
 * Writes n runs. Their starts and values come one by one, not as the field that has both:
 * of one base gcc 12 makes one induction variable, takes the other array for one at NULL,
 * and then this function for one that writes nothing.
 */
void
sr_binary_write_runs(const uint32 *starts, const double *values, uint32 n, uint8 *to)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32		start = pg_hton32(starts[i]);
		uint64		bits;

		memcpy(&bits, &values[i], sizeof(bits));
		bits = pg_hton64(bits);
		memcpy(to, &start, sizeof(start));
		memcpy(to + sizeof(start), &bits, sizeof(bits));
		to += BINARY_RUN;
	}
}

static void
binary_error(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary coverage: %s", what)));
}

/* Begins a field; how many runs it says there are is in nruns, and not yet believed. */
void
sr_binary_read_head(BinaryReader *r, const uint8 *from)
{
	uint32		nruns;

	if (from[0] != COVERAGE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported coverage version number %d", from[0])));
	check_order(from[1]);
	memcpy(&nruns, from + 2, sizeof(nruns));
	r->nruns = pg_ntoh32(nruns);
	r->last = -1;
	if (r->nruns == 0)
		binary_error("wrong number of runs");
	sr_builder_init(&r->builder, from[1], 16);
}

/* Adds n runs. */
void
sr_binary_read_runs(BinaryReader *r, uint32 n, const uint8 *from)
{
	int64		ncell = INT64_C(12) << (2 * r->builder.order);

	CHECK_FOR_INTERRUPTS();
	for (uint32 i = 0; i < n; i++, from += BINARY_RUN)
	{
		int64		before = r->builder.nruns;
		uint32		start;
		uint64		bits;
		double		value;

		memcpy(&start, from, sizeof(start));
		memcpy(&bits, from + sizeof(start), sizeof(bits));
		start = pg_ntoh32(start);
		bits = pg_ntoh64(bits);
		memcpy(&value, &bits, sizeof(value));
		if ((int64) start <= r->last || (int64) start >= ncell || (r->last < 0 && start != 0))
			binary_error("cells out of order");
		if (value == 0 && signbit(value))
			binary_error("negative zero");
		builder_add(&r->builder, start, value);
		if (r->builder.nruns == before)
			binary_error("neighbouring runs with one value");
		r->last = start;
	}
}

/* The field, when all its runs have been added. */
Coverage *
sr_binary_finish(BinaryReader *r)
{
	Assert(r->builder.nruns == r->nruns);
	return sr_builder_finish(&r->builder);
}

/* ---------- SQL ---------- */

SR_FUNCTION(coverage_recv);
Datum
coverage_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	BinaryReader r;

	sr_binary_read_head(&r, (const uint8 *) pq_getmsgbytes(buf, BINARY_HEAD));
	if (r.nruns > (uint32) (buf->len - buf->cursor) / BINARY_RUN)
		binary_error("wrong number of runs");
	for (uint32 i = 0; i < r.nruns; i += BLOCK)
	{
		uint32		n = Min(BLOCK, r.nruns - i);

		sr_binary_read_runs(&r, n, (const uint8 *) pq_getmsgbytes(buf, n * BINARY_RUN));
	}
	PG_RETURN_POINTER(sr_binary_finish(&r));
}

SR_FUNCTION(coverage_send);
Datum
coverage_send(PG_FUNCTION_ARGS)
{
	Coverage   *c = PG_GETARG_COVERAGE(0);
	Size		size = VARHDRSZ + BINARY_HEAD + (Size) c->nruns * BINARY_RUN;
	bytea	   *result = palloc(size);
	uint8	   *to = (uint8 *) VARDATA(result);

	SET_VARSIZE(result, size);
	sr_binary_write_head(c, to);
	to += BINARY_HEAD;
	for (uint32 i = 0; i < c->nruns; i += BLOCK)
	{
		uint32		n = Min(BLOCK, c->nruns - i);

		CHECK_FOR_INTERRUPTS();
		sr_binary_write_runs(COVERAGE_STARTS(c) + i, c->values + i, n, to);
		to += n * BINARY_RUN;
	}
	PG_RETURN_BYTEA_P(result);
}
