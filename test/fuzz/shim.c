/*
 * shim.c: memory, errors, string buffers and messages as the server has them,
 * small. Every allocation is a malloc of exactly its size, so that
 * AddressSanitizer sees what is read or written beside it.
 *
 * An error jumps to shim_error, like a PG_CATCH. One without an SQLSTATE of its
 * own is for what cannot happen, hence a finding.
 */
#include "shim.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "port/pg_bswap.h"
#include "storage/shmem.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#undef snprintf
#undef vsnprintf
#undef fprintf

sigjmp_buf	shim_error;
volatile sig_atomic_t InterruptPending = 0;
MemoryContext CurrentMemoryContext = NULL;

void
shim_require(bool condition, const char *what)
{
	if (!condition)
	{
		fputs("property broken: ", stderr);
		fputs(what, stderr);
		fputc('\n', stderr);
		abort();
	}
}

void
ProcessInterrupts(void)
{
}

/* ---------- memory ---------- */

static void **chunks;
static size_t nchunks;
static size_t capacity;

static void *
remember(void *p)
{
	shim_require(p != NULL, "malloc");
	if (nchunks == capacity)
	{
		capacity = capacity ? 2 * capacity : 1024;
		chunks = realloc(chunks, capacity * sizeof(void *));
	}
	chunks[nchunks++] = p;
	return p;
}

static size_t
find_chunk(void *p)
{
	for (size_t i = nchunks; i > 0; i--)
		if (chunks[i - 1] == p)
			return i - 1;
	shim_require(false, "free of what was not allocated");
	return 0;
}

void
shim_reset(void)
{
	while (nchunks > 0)
		free(chunks[--nchunks]);
}

void *
palloc(Size size)
{
	if (!AllocSizeIsValid(size))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("invalid memory alloc request size %zu", size)));
	return remember(malloc(size));
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	(void) context;
	return remember(malloc(size));
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	(void) context;
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	(void) context;
	return palloc0(size);
}

void *
repalloc_huge(void *p, Size size)
{
	size_t		i = find_chunk(p);

	/* always elsewhere, so that stale pointers show */
	chunks[i] = malloc(size);
	shim_require(chunks[i] != NULL, "malloc");
	{
		extern size_t __sanitizer_get_allocated_size(const volatile void *);
		size_t		old = __sanitizer_get_allocated_size(p);

		memcpy(chunks[i], p, Min(old, size));
	}
	free(p);
	return chunks[i];
}

void *
repalloc(void *p, Size size)
{
	return repalloc_huge(p, size);
}

void
pfree(void *p)
{
	size_t		i = find_chunk(p);

	free(p);
	chunks[i] = chunks[--nchunks];
}

char *
pstrdup(const char *s)
{
	return strcpy(palloc(strlen(s) + 1), s);
}

Size
add_size(Size a, Size b)
{
	return a + b;
}

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	return datum;
}

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	return datum;
}

struct varlena *
pg_detoast_datum_slice(struct varlena *datum, int32 first, int32 count)
{
	(void) first;
	(void) count;
	return datum;
}

Size
toast_raw_datum_size(Datum value)
{
	return VARSIZE(DatumGetPointer(value));
}

/* Nothing here is stored out of line. */
struct varlena *
detoast_attr_slice(struct varlena *datum, int32 first, int32 count)
{
	return pg_detoast_datum_slice(datum, first, count);
}

/* ---------- errors ---------- */

static int	sqlstate;
static char message[4096];

bool
errstart(int elevel, const char *domain)
{
	(void) domain;
	sqlstate = 0;
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int code)
{
	sqlstate = code;
	return 0;
}

/* Formats as the server would, so that a wrong argument shows. */
#define DEFINE_MESSAGE(name) \
int \
name(const char *fmt,...) \
{ \
	va_list		args; \
	va_start(args, fmt); \
	(void) vsnprintf(message, sizeof(message), fmt, args); \
	va_end(args); \
	return 0; \
}

DEFINE_MESSAGE(errmsg)
DEFINE_MESSAGE(errmsg_internal)
DEFINE_MESSAGE(errdetail)
DEFINE_MESSAGE(errdetail_internal)
DEFINE_MESSAGE(errhint)

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	(void) filename;
	(void) lineno;
	if (sqlstate == 0 || sqlstate == ERRCODE_INTERNAL_ERROR)
	{
		fputs(funcname, stderr);
		fputs(": ", stderr);
		fputs(message, stderr);
		shim_require(false, " internal error");
	}
	siglongjmp(shim_error, 1);
}

#if PG_VERSION_NUM >= 160000
#define SHIM_TYPE
#else
#define SHIM_TYPE const char *type,
#endif

void
ExceptionalCondition(const char *condition, SHIM_TYPE const char *file, int line)
{
	(void) file;
	(void) line;
	shim_require(false, condition);
	abort();
}

/* ---------- string buffers and messages ---------- */

#if PG_VERSION_NUM >= 160000
#define SHIM_BYTES const void
#else
#define SHIM_BYTES const char
#endif

void
initStringInfo(StringInfo s)
{
	s->maxlen = 1024;
	s->data = palloc(s->maxlen);
	s->len = s->cursor = 0;
	s->data[0] = '\0';
}

void
enlargeStringInfo(StringInfo s, int needed)
{
	size_t		want = (size_t) s->len + needed + 1;

	if (want <= (size_t) s->maxlen)
		return;
	if (want > MaxAllocSize)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("out of memory")));
	s->maxlen = (int) Min(2 * want, (size_t) MaxAllocSize);
	s->data = repalloc(s->data, s->maxlen);
}

void
appendStringInfo(StringInfo s, const char *fmt,...)
{
	va_list		args;
	int			n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	enlargeStringInfo(s, n);
	va_start(args, fmt);
	s->len += vsnprintf(s->data + s->len, n + 1, fmt, args);
	va_end(args);
}

void
appendStringInfoChar(StringInfo s, char c)
{
	enlargeStringInfo(s, 1);
	s->data[s->len++] = c;
	s->data[s->len] = '\0';
}

void
appendBinaryStringInfo(StringInfo s, SHIM_BYTES *data, int n)
{
	enlargeStringInfo(s, n);
	memcpy(s->data + s->len, data, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void
appendStringInfoString(StringInfo s, const char *text)
{
	appendBinaryStringInfo(s, text, (int) strlen(text));
}

char *
psprintf(const char *fmt,...)
{
	char	   *text = palloc(1024);
	va_list		args;

	va_start(args, fmt);
	(void) vsnprintf(text, 1024, fmt, args);
	va_end(args);
	return text;
}

void
pq_begintypsend(StringInfo s)
{
	initStringInfo(s);
	appendBinaryStringInfo(s, "\0\0\0\0", VARHDRSZ);
}

void
pq_sendbytes(StringInfo s, SHIM_BYTES *data, int n)
{
	appendBinaryStringInfo(s, data, n);
}

bytea *
pq_endtypsend(StringInfo s)
{
	SET_VARSIZE(s->data, s->len);
	return (bytea *) s->data;
}

int
pq_getmsgbyte(StringInfo s)
{
	return (unsigned char) *pq_getmsgbytes(s, 1);
}

int64
pq_getmsgint64(StringInfo s)
{
	uint64		v;

	memcpy(&v, pq_getmsgbytes(s, sizeof(v)), sizeof(v));
	return (int64) pg_ntoh64(v);
}

const char *
pq_getmsgbytes(StringInfo s, int n)
{
	const char *p = s->data + s->cursor;

	if (n < 0 || n > s->len - s->cursor)
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("insufficient data left in message")));
	s->cursor += n;
	return p;
}

/* Characters of several bytes are cut anywhere: it is for messages. */
int
pg_mbcliplen(const char *text, int length, int limit)
{
	(void) text;
	return Min(length, limit);
}

/* ---------- what needs a catalogue, and is not called here ---------- */

#define DEFINE_ABSENT(type, name, arguments) \
type \
name arguments \
{ \
	shim_require(false, #name " called"); \
	abort(); \
}

#pragma clang diagnostic ignored "-Wunused-parameter"
DEFINE_ABSENT(Oid, get_func_signature, (Oid f, Oid **types, int *n))
DEFINE_ABSENT(char *, get_namespace_name, (Oid n))
DEFINE_ABSENT(HeapTuple, SearchSysCache1, (int cache, Datum key))
DEFINE_ABSENT(void, ReleaseSysCache, (HeapTuple t))
DEFINE_ABSENT(Oid, LookupFuncName, (List *name, int n, const Oid *types, bool missing_ok))
DEFINE_ABSENT(Datum, OidFunctionCall1Coll, (Oid f, Oid collation, Datum a))
DEFINE_ABSENT(Datum, OidFunctionCall2Coll, (Oid f, Oid collation, Datum a, Datum b))
DEFINE_ABSENT(List *, list_make2_impl, (NodeTag t, ListCell a, ListCell b))
DEFINE_ABSENT(String *, makeString, (char *s))
DEFINE_ABSENT(const char *, timestamptz_to_str, (TimestampTz t))

/* ---------- calls and checks ---------- */

/* Whatever is called as a part of an aggregate is one. */
int
AggCheckCallContext(FunctionCallInfo fcinfo, MemoryContext *context)
{
	(void) fcinfo;
	*context = NULL;
	return AGG_CONTEXT_AGGREGATE;
}

Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum argument)
{
	(void) collation;
	return shim_call(function, argument);
}

/* For messages only. */
Datum
interval_out(PG_FUNCTION_ARGS)
{
	return CStringGetDatum(psprintf("%lld us", (long long) PG_GETARG_INTERVAL_P(0)->time));
}

Datum
shim_call(PGFunction function, Datum argument)
{
	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = argument;
	fcinfo->args[0].isnull = false;
	return function(fcinfo);
}

void
shim_check_coverage(const Coverage *c)
{
	const uint32 *starts;

	shim_require(c->flags == 0 && c->order >= 0 && c->order <= SR_MAX_ORDER, "header");
	shim_require(c->nruns > 0 && VARSIZE(c) == COVERAGE_SIZE(c->nruns), "size");
	starts = COVERAGE_STARTS(c);
	shim_require(starts[0] == 0, "first run starts at 0");
	for (uint32 i = 0; i < c->nruns; i++)
	{
		shim_require(isfinite(c->values[i]), "finite values");
		shim_require(c->values[i] != 0 || !signbit(c->values[i]), "no negative zero");
		shim_require((int64) starts[i] < COVERAGE_NCELL(c), "cells of the grid");
		if (i > 0)
			shim_require(starts[i] > starts[i - 1] && c->values[i] != c->values[i - 1], "ascending runs that differ");
	}
}
