-- What is labelled parallel safe is. A worker cannot begin a subtransaction before PostgreSQL 17, and a block
-- with EXCEPTION is one.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SELECT plan(6);

-- our functions, and what each one's body says, without its comments and texts
CREATE TEMP TABLE routine AS
SELECT p.oid, p.proname, p.proparallel, p.oid::regprocedure AS signature,
	CASE WHEN l.lanname IN ('c', 'internal') OR p.prokind = 'a' THEN ''
		ELSE regexp_replace(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), $re$--[^\n]*|'[^']*'$re$, '', 'g') END AS body
FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid AND x.extname = 'swarm_reward'
	JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid JOIN pg_language l ON l.oid = p.prolang
WHERE d.deptype = 'e';
-- a function of the kind that is looked for, and one that calls it
INSERT INTO routine VALUES (0, 'calls_probe', 's', NULL, 'SELECT probe(1)'), (0, 'probe', 's', NULL, 'BEGIN RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 2; END');

CREATE TEMP VIEW subtransaction AS
WITH RECURSIVE found AS (
	SELECT r.* FROM routine r WHERE r.body ~* '\mEXCEPTION\s+WHEN\M'
	UNION
	SELECT r.* FROM found f, routine r WHERE r.body ~ ('\m' || f.proname || '\s*\(')
)
SELECT * FROM found;
SELECT cmp_ok(count(*), '>', 5::bigint, 'there are functions with a block that catches errors') FROM subtransaction WHERE signature IS NOT NULL;
SELECT set_eq($$ SELECT proname::text FROM subtransaction WHERE proparallel = 's' AND signature IS NULL $$, ARRAY['probe', 'calls_probe'], 'one labelled parallel safe would be found, and whoever calls it');
SELECT is_empty($$ SELECT signature FROM subtransaction WHERE proparallel = 's' AND signature IS NOT NULL $$, 'none is labelled parallel safe, nor is a function that calls one');

-- and in workers
CREATE TEMP TABLE place AS SELECT n AS id, ST_MakePoint(n * 7 % 360 - 180, n * 3 % 170 - 85)::geography AS location FROM generate_series(1, 200) n;
INSERT INTO region (code, name, boundary) SELECT 'parallel_' || id, id::text, ST_Multi(ST_Buffer(location, 300000)::geometry)::geography(MultiPolygon,4326) FROM place WHERE id <= 20;
CREATE TABLE public.parallel_place AS SELECT * FROM place;
CREATE TEMP TABLE alone AS SELECT (SELECT max(region_area(boundary)) FROM region) AS area, (SELECT count(region_of(location)) FROM public.parallel_place) AS covered;
ANALYZE region;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
CREATE FUNCTION pg_temp.has_workers(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off) ' || query LOOP
		IF line ~ 'Workers Launched: [1-9]' THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END $$;
SELECT ok(pg_temp.has_workers('SELECT max(region_area(boundary)) FROM region'), 'the plan has workers');
SELECT is((SELECT max(region_area(boundary)) FROM region), (SELECT area FROM alone), 'region_area in workers');
SELECT is((SELECT count(region_of(location)) FROM public.parallel_place), (SELECT covered FROM alone), 'region_of in workers');
SELECT * FROM finish();
ROLLBACK;
