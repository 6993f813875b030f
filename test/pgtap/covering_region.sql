-- covering_region against ST_Covers: the countries of the demo, tiles, hostile shapes. A boundary belongs to what
-- it bounds, which ST_Covers finds where rounding lets it.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
SELECT plan(22);

-- uniform in [0, 1), the same on every machine
CREATE FUNCTION pg_temp.r(what text, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(what || ' ' || i), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
-- the first region that ST_Covers says covers the point
CREATE FUNCTION pg_temp.slowly(regions geography[], location geography) RETURNS int LANGUAGE sql AS
$$ SELECT min(i)::int FROM unnest(regions) WITH ORDINALITY r (region, i) WHERE ST_Covers(region, location) $$;
CREATE FUNCTION pg_temp.on_boundary(region geography, location geography) RETURNS boolean LANGUAGE sql AS
$$ SELECT ST_Distance(ST_Boundary(region::geometry)::geography, location, false) < 1e-4 $$;
CREATE FUNCTION pg_temp.differ(regions geography[], places geography[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT concat_ws(' ', ST_AsText(p), ours, 'not', theirs) FROM unnest(places) p, covering_region(regions, p) ours, pg_temp.slowly(regions, p) theirs
	WHERE ours IS DISTINCT FROM theirs AND NOT coalesce(ours < coalesce(theirs, ours + 1) AND pg_temp.on_boundary(regions[ours], p), false);
END $$;
CREATE TEMP TABLE country (iso2 text, iso3 text, name text, geojson text);
\copy country FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE shape AS
SELECT array_agg(b ORDER BY name) AS countries FROM (SELECT name, ST_Multi(ST_GeomFromGeoJSON(geojson))::geography AS b FROM country) c;

SELECT is_empty($$ SELECT pg_temp.differ(countries, array_agg(ST_MakePoint(360 * pg_temp.r('lon', i) - 180, degrees(asin(2 * pg_temp.r('lat', i) - 1)))::geography))
	FROM shape, generate_series(1, 200) i GROUP BY countries $$, 'countries: places all over the Earth');
SELECT ok((SELECT count(*) FILTER (WHERE covering_region(countries, p) IS NOT NULL) BETWEEN 40 AND 80 FROM shape, LATERAL (
	SELECT ST_MakePoint(360 * pg_temp.r('lon', i) - 180, degrees(asin(2 * pg_temp.r('lat', i) - 1)))::geography AS p FROM generate_series(1, 200) i) x), 'of which a third is land');
SELECT is_empty($$ SELECT pg_temp.differ(countries, array_agg(v.geom::geography)) FROM shape,
	(SELECT p.geom FROM country c, ST_DumpPoints(ST_GeomFromGeoJSON(geojson)) p WHERE pg_temp.r(c.name, p.path[cardinality(p.path)]) < 0.01) v GROUP BY countries $$,
	'places that are corners of the boundaries');
SELECT is_empty($$ SELECT c.name, ST_AsText(p.geom) FROM country c, ST_DumpPoints(ST_GeomFromGeoJSON(geojson)) p
	WHERE p.path[cardinality(p.path) - 1] = 1 AND covering_region(ARRAY[ST_GeomFromGeoJSON(geojson)::geography], p.geom::geography) IS NULL $$, 'which are covered by what they bound');
SELECT is_empty($$ SELECT pg_temp.differ(countries, array_agg(ST_Translate(v.geom, (pg_temp.r('e', v.n) - 0.5) * v.by, (pg_temp.r('n', v.n) - 0.5) * v.by)::geography)) FROM shape,
	(SELECT p.geom, row_number() OVER () AS n, by FROM country c, ST_DumpPoints(ST_GeomFromGeoJSON(geojson)) p, unnest(ARRAY[1e-10, 1e-8, 1e-6, 1e-3]) by
		WHERE pg_temp.r(c.name, p.path[cardinality(p.path)]) < 0.004 AND abs(ST_Y(p.geom)) < 89) v GROUP BY countries $$,
	'and places a hair, a millimetre, a decimetre and a hundred metres from them');
SELECT is_empty($$ SELECT pg_temp.differ(countries, array_agg(ST_LineInterpolatePoint(ST_MakeLine(v.a, v.b), pg_temp.r('f', v.n))::geography)) FROM shape,
	(SELECT p.geom AS a, lead(p.geom) OVER (PARTITION BY c.name, p.path[1 : cardinality(p.path) - 1] ORDER BY p.path) AS b, row_number() OVER () AS n
		FROM country c, ST_DumpPoints(ST_GeomFromGeoJSON(geojson)) p) v WHERE b IS NOT NULL AND pg_temp.r('edge', v.n) < 0.01 GROUP BY countries $$,
	'and places on the chords of their edges in longitude and latitude');
SELECT is_empty($$ SELECT pg_temp.differ(countries, ARRAY['POINT(0 90)', 'POINT(0 -90)', 'POINT(77 -89.9999999)', 'POINT(180 0)', 'POINT(-180 66)', 'POINT(180 66)', 'POINT(179.9999999 68)', 'POINT(0 0)']::geography[]) FROM shape $$,
	'at the poles and on the antimeridian');

-- tiles share edges, corners, meridians, parallels and poles
CREATE TEMP TABLE tile AS
SELECT array_agg(ST_Multi(ST_MakeEnvelope(-180 + i * 60, -90 + j * 45, -120 + i * 60, -45 + j * 45, 4326))::geography ORDER BY i, j) AS tiles
FROM generate_series(0, 5) i, generate_series(0, 3) j;
SELECT is_empty($$ SELECT pg_temp.differ(tiles, array_agg(ST_MakePoint(lon, lat)::geography)) FROM tile, generate_series(-180, 180, 15) lon, generate_series(-90, 90, 15) lat GROUP BY tiles $$,
	'tiles: every place is on an edge, a corner or a meridian of some');
SELECT is_empty($$ SELECT pg_temp.differ(tiles, array_agg(ST_MakePoint(360 * pg_temp.r('lon', i) - 180, 180 * pg_temp.r('lat', i) - 90)::geography)) FROM tile, generate_series(1, 500) i GROUP BY tiles $$,
	'tiles: places anywhere');

-- shapes: holes, islands in holes, several parts, an octant, a cap around the pole, a bow tie, a sliver
CREATE TEMP TABLE odd AS SELECT ARRAY[
	'POLYGON((0 0, 40 0, 40 40, 0 40, 0 0), (10 10, 30 10, 30 30, 10 30, 10 10))',
	'MULTIPOLYGON(((15 15, 25 15, 25 25, 15 25, 15 15)), ((-60 -10, -40 -10, -40 10, -60 10, -60 -10), (-55 -5, -45 -5, -45 5, -55 5, -55 -5)))',
	'POLYGON((90 0, 180 0, 90 90, 90 0))',
	'POLYGON((0 70, 90 70, 180 70, -90 70, 0 70))',
	'POLYGON((-120 -60, -100 -40, -100 -60, -120 -40, -120 -60))',
	'POLYGON((-170 -20, 170 -20, 170 20, -170 20, -170 -20))',
	'POLYGON((50 -50, 60 -50, 60 -50.0000000001, 50 -50))',
	'MULTIPOLYGON(((-20 -70, 20 -70, 20 -50, -20 -50, -20 -70)), ((0 -60, 40 -60, 40 -40, 0 -40, 0 -60)))']::geography[] AS shapes;
SELECT is_empty($$ SELECT pg_temp.differ(shapes[k : k], array_agg(ST_MakePoint(360 * pg_temp.r('olon', i) - 180, degrees(asin(2 * pg_temp.r('olat', i) - 1)))::geography))
	FROM odd, generate_series(1, 8) k, generate_series(1, 400) i GROUP BY shapes, k $$, 'odd shapes, one by one');
SELECT is_empty($$ SELECT pg_temp.differ(shapes[k : k], array_agg(ST_MakePoint(lon, lat)::geography))
	FROM odd, generate_series(1, 8) k, generate_series(-180, 180, 30) lon, generate_series(-90, 90, 10) lat GROUP BY shapes, k $$, 'odd shapes, round places');
SELECT is(covering_region(ARRAY['POLYGON((0 0, 10 0, 10 10, 0 10, 0 0))', 'POLYGON((-5 -5, 15 -5, 15 15, -5 15, -5 -5))']::geography[], p::geography), n, p || ': the first of those that cover it')
FROM (VALUES ('POINT(5 5)', 1), ('POINT(12 12)', 2), ('POINT(20 20)', NULL)) v (p, n);

-- NULL, empty, errors
SELECT is(covering_region(ARRAY[NULL, 'MULTIPOLYGON EMPTY', 'POLYGON EMPTY', 'POLYGON((0 0, 10 0, 10 10, 0 10, 0 0))']::geography[], 'POINT(5 5)'), 4, 'NULL and empty regions cover nothing');
SELECT is(ARRAY[covering_region(NULL, 'POINT(5 5)'), covering_region('{}', 'POINT(5 5)'), covering_region(ARRAY[NULL::geography], 'POINT(5 5)'), covering_region(ARRAY['POLYGON EMPTY'::geography], NULL)],
	ARRAY[NULL, NULL, NULL, NULL]::int[], 'NULL for NULL, of no regions, and of none that covers it');
SELECT throws_ok($$ SELECT covering_region(ARRAY['POINT(1 1)'::geography], 'POINT(5 5)') $$, '22023', NULL, 'a point is no region');
SELECT throws_ok($$ SELECT covering_region(ARRAY['POLYGON EMPTY'::geography], 'POINT EMPTY') $$, '22023', NULL, 'no place at all');
SELECT throws_ok($$ SELECT covering_region(ARRAY['POLYGON EMPTY'::geography], 'LINESTRING(1 1, 2 2)') $$, '22023', NULL, 'a line is no place');
SELECT throws_ok($$ SELECT covering_region(ARRAY[ARRAY['POLYGON EMPTY'::geography]], 'POINT(5 5)') $$, '2202E', NULL, 'an array of arrays');

-- arrays that change from row to row, and come back
SELECT results_eq($$ SELECT covering_region(CASE WHEN i % 3 = 0 THEN ARRAY['POLYGON((0 0, 10 0, 10 10, 0 10, 0 0))'::geography] WHEN i % 3 = 1 THEN ARRAY[NULL, 'POLYGON((0 0, 10 0, 10 10, 0 10, 0 0))'::geography] END, 'POINT(5 5)')
	FROM generate_series(1, 9) i ORDER BY i $$, $$ SELECT CASE i % 3 WHEN 0 THEN 1 WHEN 1 THEN 2 END FROM generate_series(1, 9) i ORDER BY i $$, 'another array in each row');

-- many regions make the bins wider
CREATE FUNCTION pg_temp.find(regions geography[], places geography[]) RETURNS int[] LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT array_agg(covering_region(regions, p) ORDER BY o) FROM unnest(places) WITH ORDINALITY u (p, o)); END $$;
SELECT is(pg_temp.find(array_agg(ST_MakeEnvelope(-100 + 0.01 * i, -89, -10 + 0.01 * i, 89, 4326)::geography ORDER BY i), ARRAY['POINT(-99.995 1)', 'POINT(-97.495 -30)', 'POINT(-9.995 60)', 'POINT(0 1)', 'POINT(-10.005 88)']::geography[]),
	ARRAY[1, 1, 2, NULL, 1], 'six hundred regions of a quarter of the Earth each') FROM generate_series(0, 599) i;

SELECT * FROM finish();
ROLLBACK;
