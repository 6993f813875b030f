-- Calls of our functions with arguments that nobody should give: for sqlsmith, which runs it as its
-- own role in a loaded ledger. Variables: calls, how many; seed, from 0 to 1. psql's \gexec makes each a
-- statement of its own, so that each has its own statement_timeout and its own error in the log.
SELECT setseed(:seed), current_setting('statement_timeout') AS allowed \gset
SET statement_timeout = 0;
CREATE TEMP TABLE pool AS
SELECT type::regtype, literal FROM (VALUES
	('double precision', ARRAY['0', '-0.0', '1', '-1', '0.5', '1e-300', '5e-324', '1e300', '''NaN''', '''Infinity''', '''-Infinity''', '5000000', '5000001', '1e15', '137438953472', '100000']),
	('integer', ARRAY['0', '1', '-1', '2', '4', '10', '13', '14', '30', '2147483647', '-2147483648']),
	('bigint', ARRAY['0', '1', '-1', '1', '2', '3', '9223372036854775807', '-9223372036854775808']),
	('numeric', ARRAY['0', '1', '-1', '1.5', '1e37', '99999999999999999999999999999999999999', '1e40', '''NaN''', '''Infinity''', '0.000000001', '1000']),
	('boolean', ARRAY['true', 'false']),
	('text', ARRAY['''''', '''new_regions''', '''operator''', '''x''', 'repeat(''ab'', 5000)', '''%s%n''', '''{}''', '''0:{}''', '''a"b''''c''', 'chr(1114111)']),
	('name', ARRAY['''''', '''smith''', '''postgres''']),
	('code', ARRAY['''infer''', '''eu''', '''gpu''']),
	('jsonb', ARRAY['''{}''', '''[]''', '''null''', '''{"gpu": 3}''', '''{"gpu": -1e400}''', '''{"a": {"b": []}}''', '''"x"''']),
	('bytea', ARRAY['''''', '''\x00''', 'decode(repeat(''ff'', 1000), ''hex'')', 'sha256(''x'')']),
	('interval', ARRAY['''0''', '''1 minute''', '''-1 day''', '''1 month''', '''178000000 years''', '''1 microsecond''', '''1 hour''', '''1 day''']),
	('timestamptz', ARRAY['''2024-01-05 00:00+00''', '''infinity''', '''-infinity''', '''4713-01-01 00:00+00 BC''', '''294276-12-31 00:00+00''', '''2024-02-01 00:00+00''']),
	('tstzrange', ARRAY['''empty''', '''(,)''', '''[2024-01-01 00:00+00,2024-02-01 00:00+00)''', '''[infinity,infinity]''', '''[2021-01-01 00:00+00,)''', '''[-infinity,infinity)''']),
	('geography', ARRAY['''POINT(0 0)''', '''POINT EMPTY''', '''POINT(180 90)''', '''POINT(-180 -90)''', '''POINT Z (1 2 3)''', '''LINESTRING(0 0, 1 1)''',
		'''POLYGON((0 0,10 0,10 10,0 10,0 0))''', '''POLYGON EMPTY''', '''MULTIPOLYGON(((170 -80,-170 -80,-170 80,170 80,170 -80)))''', '''GEOMETRYCOLLECTION(POINT(1 1))''',
		'''POLYGON((0 0,10 10,10 0,0 10,0 0))''', 'ST_SetSRID(''POINT(1 1)''::geometry, 4269)::geography', '''POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))''',
		'ST_MakePoint(''NaN'', ''Infinity'')::geography', '''POLYGON((0 0,0 0,0 0,0 0))''', 'ST_Buffer(''POINT(20 20)''::geography, 3000000)']),
	('coverage', ARRAY['''0:{}''', '''13:{}''', '''0:{[0,12)=1}''', '''13:{[0,805306368)=5e-324}''', '''10:{[0,12582912)=1.7e308}''', '''4:{[0,1)=-1,[100,3072)=137438953472}''',
		'(SELECT supply FROM field ORDER BY epoch_id DESC LIMIT 1)', '(SELECT ratio FROM field ORDER BY epoch_id DESC LIMIT 1)', '''4:{[1,2)=0.1}''']),
	('telemetry_summary', ARRAY['(SELECT summary FROM beat ORDER BY node_id LIMIT 1)', '(SELECT telemetry_agg(''2021-01-01'', 3600000, true, ''178000 years''))', '(SELECT telemetry_agg(''294276-01-01'', 0, false, ''1 microsecond''))']),
	('regclass', ARRAY['''pg_class''', '''beat''', '''reward''', '''telemetry''', '0']),
	('bigint[]', ARRAY['''{}''', '''{1,2}''', '''{{1,2},{3,NULL}}''', '''[5:6]={1,2}''']),
	('geography[]', ARRAY['''{}''', 'ARRAY[''POINT(1 1)''::geography, NULL]', 'ARRAY[''POLYGON((0 0,10 0,10 10,0 10,0 0))''::geography]']),
	('code[]', ARRAY['''{}''', '''{x,NULL}''']),
	('text[]', ARRAY['''{}''', '''{x,NULL}'''])
) v (type, literals), unnest(literals) literal
WHERE to_regtype(type) IS NOT NULL;

-- twice as often a value as NULL or what has no pool
CREATE FUNCTION pg_temp.argument(type regtype) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT CASE WHEN random() < 0.08 THEN NULL ELSE (SELECT format('(%s)::%s', p.literal, $1) FROM pool p WHERE p.type = $1 ORDER BY random() LIMIT 1) END $$;

CREATE TEMP TABLE callee AS
SELECT p.oid, p.pronamespace::regnamespace || '.' || quote_ident(p.proname) AS name, p.prokind, p.proargtypes::oid[] AS types FROM pg_proc p
WHERE p.pronamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND p.prokind IN ('f', 'a', 'w') AND p.prorettype <> 'trigger'::regtype
	AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype]::oid[];

CREATE TEMP TABLE call AS
SELECT i, format('SELECT count(x) FROM (SELECT %s(%s)%s AS x%s LIMIT 1000) q', c.name,
	(SELECT coalesce(string_agg(coalesce(pg_temp.argument(t::regtype), format('NULL::%s', t::regtype)), ', ' ORDER BY o), '')
		FROM unnest(c.types) WITH ORDINALITY u (t, o) WHERE i IS NOT NULL),
	CASE c.prokind WHEN 'w' THEN ' OVER ()' ELSE '' END,
	CASE c.prokind WHEN 'f' THEN '' ELSE ' FROM generate_series(1, 3)' END) AS statement
FROM generate_series(1, :calls) i, LATERAL (SELECT * FROM callee WHERE i IS NOT NULL ORDER BY random() LIMIT 1) c;

SET statement_timeout = :'allowed';
SELECT statement FROM call ORDER BY i \gexec
