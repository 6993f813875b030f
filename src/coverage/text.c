/*
 * text.c: the type's text form.
 */
#include "coverage/builder.h"

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/float.h"

/* Where the parser stands. */
typedef struct Parser
{
	const char *start;
	const char *at;
} Parser;

pg_noreturn static void syntax_error(const Parser *p, const char *what);

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
