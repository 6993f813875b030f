/*
 * binary.c: the type's binary form: a version, the order, the number of runs, and
 * of each run its first cell and its value.
 */
#include "coverage/builder.h"
#include "coverage/check.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"

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

	if (version != COVERAGE_VERSION)
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
	pq_sendbyte(&buf, COVERAGE_VERSION);
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
