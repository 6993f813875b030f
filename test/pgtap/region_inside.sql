-- What is inside of a region: region_coverage, covering_region, coverage_sum and region_of say the same of every
-- place, on small regions what ST_Covers says, and on large ones take the side that ST_Area measures.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
SELECT plan(40);

-- uniform in [0, 1), the same on every machine
CREATE FUNCTION pg_temp.r(what text, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(what || ' ' || i), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
-- a star of n corners around a place, between two distances in degrees
CREATE FUNCTION pg_temp.star(lon float8, lat float8, n int, nearest float8, farthest float8, seed text) RETURNS geometry LANGUAGE sql IMMUTABLE AS
$$ SELECT ST_MakeLine(p || p[1]) FROM (SELECT array_agg(ST_Project(ST_MakePoint(lon, lat)::geography, 111195 * (nearest + (farthest - nearest) * pg_temp.r(seed, i)), radians(360.0 * i / n))::geometry ORDER BY i) AS p
	FROM generate_series(0, n - 1) i) s $$;

-- three regions of more than 45 degrees
\set kite '''MULTIPOLYGON(((45 55,100 0,45 -55,-10 0,45 55)))'''
\set box '''POLYGON((-10 -11,179.9 -11,179.9 78,-10 78,-10 -11))'''
\set equator '''POLYGON((0 0,90 0,180 0,-90 0,0 0))'''
CREATE FUNCTION pg_temp.says(region geography, place geography) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN bool_and(x) THEN 'inside' WHEN bool_or(x) THEN 'inside and outside' ELSE 'outside' END FROM unnest(ARRAY[coverage_value(region_coverage(region, 7), place) = 1,
		(SELECT coverage_sum(coverage_agg(place, 1, 1, 7), region)) = 1, coalesce(covering_region(ARRAY[region], place) = 1, false)]) x $$;
SELECT is(pg_temp.says(:kite, 'POINT(45 5)'), 'inside', 'the middle of a kite is inside');
SELECT is(pg_temp.says(:kite, 'POINT(-135 -5)'), 'outside', 'the other side of the Earth is not');
SELECT ok(abs(region_area(:kite) / ST_Area(:kite::geography) - 1) < 0.001 AND abs(coverage_area(region_coverage(:kite)) / region_area(:kite) - 1) < 1e-4, 'which is the side that ST_Area measures');
-- an edge goes the shorter way: this box is 170.1 degrees wide, over the Pacific and the Americas
SELECT is(pg_temp.says(:box, 'POINT(-77 -12)'), 'inside', 'Lima is in the box whose edges go that way');
SELECT is(pg_temp.says(:box, 'POINT(77.2 28.6)'), 'outside', 'Delhi is not');
SELECT ok(abs(region_area(:box) / ST_Area(:box::geography) - 1) < 0.005 AND abs(coverage_area(region_coverage(:box)) / region_area(:box) - 1) < 1e-4, 'as ST_Area has it');
SELECT is(pg_temp.says(ST_Segmentize(:box::geometry, 10)::geography, 'POINT(77.2 28.6)') || ', ' || pg_temp.says(ST_Segmentize(:box::geometry, 10)::geography, 'POINT(-77 -12)'), 'inside, outside', 'with vertices on the way the box is as drawn on a flat map');
SELECT throws_ok(format('SELECT %s', f), '22023', 'region has a ring whose two sides have the same area, at (0 0)', 'the equator has no smaller side: ' || split_part(f, '(', 1))
FROM unnest(ARRAY['region_coverage(' || quote_literal(:equator) || ')', 'region_area(' || quote_literal(:equator) || ')', 'covering_region(ARRAY[' || quote_literal(:equator) || ']::geography[], ''POINT(1 1)'')',
	'coverage_sum(coverage_agg(''POINT(1 1)'', 1), ' || quote_literal(:equator) || ')']) f;
SELECT throws_ok(format('SELECT %s', f), '22023', 'region has an edge of 180 degrees, from (10 20) to (-170.00000002 -20)', 'nor is it known which way half a circle goes: ' || split_part(f, '(', 1))
FROM unnest(ARRAY['region_coverage(''POLYGON((10 20, -170.00000002 -20, 50 50, 10 20))'')', 'region_area(''POLYGON((10 20, -170.00000002 -20, 50 50, 10 20))'')',
	'covering_region(ARRAY[''POLYGON((10 20, -170.00000002 -20, 50 50, 10 20))'']::geography[], ''POINT(1 1)'')']) f;
SELECT is(pg_temp.says(ST_Collect(ARRAY['POLYGON((0 0,90 0,0 90,0 0))', 'POLYGON((90 0,180 0,0 90,90 0))', 'POLYGON((180 0,-90 0,0 90,180 0))', 'POLYGON((-90 0,0 0,0 90,-90 0))']::geometry[])::geography, p::geography), s, 'cut in four, the northern hemisphere has ' || p || ' ' || s)
FROM (VALUES ('POINT(12 34)', 'inside'), ('POINT(-110 0)', 'inside'), ('POINT(55 90)', 'inside'), ('POINT(12 -1)', 'outside')) v (p, s);

-- generated regions: small to hemispheres, with and without holes, several parts, at poles and the antimeridian
CREATE TEMP TABLE place (i int, lon float8, lat float8);
INSERT INTO place SELECT i, 360 * pg_temp.r('lon', i) - 180, degrees(asin(2 * pg_temp.r('lat', i) - 1)) FROM generate_series(1, 20) i;
INSERT INTO place VALUES (21, 0, 90), (22, 50, -90), (23, 180, 0), (24, -179.99, 30), (25, 180, -66.5), (26, 12, 89.9), (27, 0, 0), (28, 45, 41.81);
CREATE TEMP TABLE generated AS
SELECT row_number() OVER () AS id, size, shell, ST_MakePolygon(shell, holes)::geography AS region FROM (
	SELECT size, pg_temp.star(lon, lat, 5 + i % 9 * 4, size * 0.6, size, 'shell' || i || size) AS shell,
		CASE WHEN i % 2 = 0 THEN ARRAY[]::geometry[] ELSE ARRAY[pg_temp.star(lon, lat, 11, 0.1 * size, 0.5 * size, 'hole' || i || size)] END AS holes
	FROM place, unnest(ARRAY[2, 10, 30, 44, 60, 75, 88, 100]) size) s;
INSERT INTO generated
SELECT 1000 + a.id, a.size, NULL, ST_Collect(a.region::geometry, b.region::geometry)::geography FROM generated a JOIN generated b ON b.id = a.id + 11 WHERE a.id % 8 = 0;
CREATE TEMP TABLE grid AS SELECT k, c.cell, c.center FROM generate_series(2, 4) k, LATERAL coverage_cells(1 + region_coverage('POLYGON EMPTY', k)) c;
CREATE TEMP TABLE field AS SELECT id, size, shell, region, k, region_coverage(region, k) AS f FROM generated, generate_series(2, 4) k WHERE k < 4 OR id % 3 = 0;
-- a region that covers no centre has one cell all the same
CREATE TEMP TABLE answer AS
SELECT id, size, region, k, cell, center, coverage_value(f, center) = 1 AS as_cell, covering_region(ARRAY[region], center) IS NOT NULL AS as_place FROM field, LATERAL (SELECT cell, center FROM grid WHERE grid.k = field.k OFFSET 0) g;
DELETE FROM answer a USING (SELECT id, k FROM answer GROUP BY id, k HAVING NOT bool_or(as_place)) none WHERE (none.id, none.k) = (a.id, a.k);
SELECT cmp_ok(count(*) FILTER (WHERE as_cell), '>', 50000::bigint, 'generated regions cover many cells') FROM answer;
SELECT is_empty('SELECT id, k, cell, ST_AsText(center), as_cell FROM answer WHERE as_cell <> as_place', 'a place is in a region when its cell''s centre is: covering_region and region_coverage');
SELECT is_empty($$ SELECT id, k FROM field WHERE coverage_sum(f) <> coverage_sum(1 + 0 * f, region) OR coverage_sum(f) <> coverage_sum(f, region) OR coverage_area(f) <> coverage_area(1 + 0 * f, region) $$, 'and so has coverage_sum');
SELECT is_empty($$ SELECT id, k, cell, ST_AsText(center), as_place FROM answer WHERE size <= 30 AND k <= 3 AND as_place <> ST_Covers(region, center) AND ST_Distance(ST_Boundary(region::geometry)::geography, center, false) > 1e-4 $$,
	'small ones cover what ST_Covers says');
-- which side: ST_Area of the shell, on regions that are not as good as hemispheres
SELECT is_empty($$ SELECT id, size, ST_Area(g), coverage_area(region_coverage(g, 7)) FROM generated, LATERAL (SELECT ST_MakePolygon(shell)::geography AS g OFFSET 0) s
	WHERE shell IS NOT NULL AND ST_Area(g) < 2.52e14 AND abs(coverage_area(region_coverage(g, 7)) - ST_Area(g)) > 0.01 * ST_Area(g) + 1e11 $$, 'large ones are on the side that ST_Area measures');
SELECT ok(count(*) FILTER (WHERE covering_region(ARRAY[g], c) IS NULL) > 10 AND count(*) FILTER (WHERE covering_region(ARRAY[g], c) IS NOT NULL) > 10, 'which is not always the one with the middle')
FROM generated, LATERAL (SELECT ST_MakePolygon(shell)::geography AS g, ST_MakePoint(lon, lat)::geography AS c FROM place WHERE i = (id - 1) / 8 + 1 OFFSET 0) s WHERE shell IS NOT NULL AND size = 100;
SELECT is_empty($$ SELECT id, size, region_area(region), coverage_area(region_coverage(region, 8)) FROM generated WHERE id < 1000 AND abs(region_area(region) - coverage_area(region_coverage(region, 8))) > 0.01 * region_area(region) + 1e10 $$,
	'region_area is the area of region_coverage');

-- areas of countries, by ST_Area with vertices every five kilometres, so that its geodesics are great circles
CREATE TEMP TABLE country (iso2 text, iso3 text, name text, geojson text);
\copy country FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
SELECT is_empty($$ SELECT name, region_area(g), ST_Area(ST_Segmentize(g, 5000)) FROM country, LATERAL (SELECT ST_GeomFromGeoJSON(geojson)::geography AS g OFFSET 0) s
	WHERE name <> 'Antarctica' AND abs(region_area(g) / ST_Area(ST_Segmentize(g, 5000)) - 1) > 1e-7 $$, 'areas of countries');
SELECT ok(abs(region_area(g) / coverage_area(region_coverage(g)) - 1) < 1e-3, 'of Antarctica too, which has vertices at the pole') FROM country, LATERAL (SELECT ST_GeomFromGeoJSON(geojson)::geography AS g) s WHERE name = 'Antarctica';
SELECT ok(abs(region_area(g) / coverage_area(region_coverage(g)) - 1) < 1e-3, 'and of a land around a pole with a hole')
FROM (SELECT 'POLYGON((-180 -80, -90 -70, 0 -70, 90 -75, 180 -80, -180 -80), (10 -85, 20 -85, 20 -80, 10 -80, 10 -85))'::geography AS g) s;
SELECT is(ARRAY[region_area('POLYGON EMPTY'), region_area('POLYGON((5 5,5 5,5 5,5 5))'), region_area(NULL)], ARRAY[0, 0, NULL]::float8[], 'nothing has no area, NULL has none known');

-- in parallel workers, where no subtransaction may begin
CREATE TABLE public.many AS SELECT region FROM generated, generate_series(1, 5);
ALTER TABLE public.many SET (parallel_workers = 2);
ANALYZE public.many;
CREATE TEMP TABLE serial AS SELECT max(region_area(region)), sum(region_area(region)::numeric) FROM many;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE FUNCTION pg_temp.plan() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN SELECT max(region_area(region)) FROM many'; END $$;
SELECT ok(bool_or(p LIKE '%Parallel Seq Scan%'), 'a plan with workers') FROM pg_temp.plan() p;
SELECT results_eq('SELECT max(region_area(region)), sum(region_area(region)::numeric) FROM many', 'SELECT * FROM serial', 'region_area says the same in them');

-- the ledger: the region of a node, on boundaries and far away
INSERT INTO region (code, name, boundary) SELECT 'R' || id, 'generated', ST_Multi(region::geometry)::geography FROM generated WHERE id % 5 = 0 AND id < 1000;
INSERT INTO region (code, name, boundary) VALUES ('KITE', 'kite', ST_Multi(:kite::geometry)::geography), ('BOX', 'box', ST_Multi(:box::geometry)::geography);
CREATE TEMP TABLE spot AS SELECT center AS p FROM grid WHERE k = 2 UNION ALL SELECT v.geom::geography FROM region, ST_DumpPoints(boundary::geometry) v WHERE code IN ('KITE', 'BOX', 'R20', 'R40')
UNION ALL SELECT p::geography FROM unnest(ARRAY['POINT(45 5)', 'POINT(-77 -12)', 'POINT(77.2 28.6)']) p;
SELECT is_empty($$ SELECT ST_AsText(p), region_of(p) FROM spot WHERE region_of(p) IS DISTINCT FROM
	(SELECT code FROM region WHERE covering_region(ARRAY[boundary], p) = 1 ORDER BY region_area(boundary), code LIMIT 1) $$, 'region_of is the smallest region that covers the place');
-- regions are read once for a query, and again whenever they may have changed
SET LOCAL track_functions = 'all';
SELECT is(count(region_of(ST_MakePoint(i % 360 - 180, i / 360 * 3 - 80)::geography, '2024-01-01')), count(*), 'thousands of places')
FROM generate_series(1, 10000) i WHERE region_of(ST_MakePoint(i % 360 - 180, i / 360 * 3 - 80)::geography, '2024-01-01') IS NOT NULL;
SELECT cmp_ok(sum(calls)::int, '<=', 2, 'and regions are read once') FROM pg_stat_xact_user_functions WHERE funcname = 'region_codes';
CREATE FUNCTION pg_temp.regions_of_change() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	place geography := 'POINT(150.005 -30.005)';
	time timestamptz := now();
	seen text[];
BEGIN
	FOR i IN 0 .. 5 LOOP
		IF i = 1 THEN
			INSERT INTO region (code, name, boundary) VALUES ('SPECK', 'small', 'MULTIPOLYGON(((150 -30,150.01 -30,150.01 -30.01,150 -30.01,150 -30)))');
		ELSIF i = 2 THEN
			BEGIN
				INSERT INTO region (code, name, boundary) VALUES ('DOT', 'smaller', 'MULTIPOLYGON(((150 -30,150.009 -30,150.009 -30.009,150 -30.009,150 -30)))');
				seen := seen || coalesce(region_of(place, time), '');
				RAISE EXCEPTION 'undone';
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		ELSIF i = 4 THEN
			UPDATE region SET valid = tstzrange(NULL, now() - interval '1 hour') WHERE code = 'SPECK';
		ELSIF i = 5 THEN
			time := now() - interval '2 hours';
		END IF;
		seen := seen || coalesce(region_of(place, time), '');
	END LOOP;
	RETURN seen;
END $$;
SELECT is(pg_temp.regions_of_change(), '{R85,SPECK,DOT,SPECK,SPECK,R85,SPECK}', 'a region that comes, goes or is undone within a function');

-- columns of tables and views that a map may show
SELECT is_empty($$ SELECT f_table_schema, f_table_name, f_geography_column, type, srid FROM geography_columns WHERE f_table_schema LIKE 'swarm\_reward%' AND (type = 'Geometry' OR srid <> 4326) $$,
	'every geography column says its type and reference system');
SELECT set_has($$ SELECT f_table_name::text, f_geography_column::text, type FROM geography_columns WHERE f_table_schema LIKE 'swarm\_reward%' $$,
	$$ VALUES ('coverage_gap', 'center', 'Point'), ('coverage_gap', 'boundary', 'MultiPolygon'), ('node', 'location', 'Point'), ('region', 'boundary', 'MultiPolygon') $$, 'also of views');
-- slivers on the equator, from a millimetre to what no number can square: all cells of orders 0 to 3, as cells and as places
SELECT is_empty($$
	SELECT s.width, o, c.cell FROM (VALUES (1e-8::float8), (1e-12), (1e-16), (1e-90), (1e-110), (1e-150), (1e-300), (3.85e-322)) s (width), generate_series(0, 3) o,
		LATERAL (SELECT ST_MakePolygon(ST_MakeLine(ARRAY[ST_Point(0, 0), ST_Point(60, 0), ST_Point(0, s.width), ST_Point(0, 0)]))::geography AS region) g,
		LATERAL (SELECT region_coverage(g.region, o) AS field) f, coverage_cells(f.field * 0 + 1) c
	WHERE (coverage_value(f.field, c.center) = 1) <> (covering_region(ARRAY[g.region], c.center) IS NOT NULL) OR (coverage_value(f.field, c.center) = 1 AND NOT ST_X(c.center::geometry) BETWEEN 0 AND 60) $$,
	'a sliver has the same cells as places');
-- some versions of PostGIS take a ring that is not closed from GeoJSON
CREATE FUNCTION pg_temp.open_ring() RETURNS geography LANGUAGE plpgsql AS $$
BEGIN
	RETURN ST_GeomFromGeoJSON('{"type":"Polygon","coordinates":[[[0,60],[0,0],[40,0],[35,55]]]}')::geography;
EXCEPTION WHEN OTHERS THEN
	RETURN 'POLYGON((0 60,0 0,40 0,35 55,0 60))';
END $$;
SELECT ok(region_coverage(pg_temp.open_ring(), 6) = region_coverage('POLYGON((0 60,0 0,40 0,35 55,0 60))', 6), 'an open ring is closed');
SELECT is_empty($$ SELECT c.cell FROM (SELECT pg_temp.open_ring() AS region) g, LATERAL (SELECT region_coverage(g.region, 5) AS field) f, coverage_cells(f.field * 0 + 1) c
	WHERE (coverage_value(f.field, c.center) = 1) <> (covering_region(ARRAY[g.region], c.center) IS NOT NULL) $$, 'for cells and for places');
SELECT * FROM finish();
ROLLBACK;
