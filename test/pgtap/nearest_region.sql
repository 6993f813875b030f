-- The nearest region of a place that none covers, against ST_Distance and against geodesics to many points of a boundary.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
SELECT plan(17);

-- uniform in [0, 1), the same on every machine
CREATE FUNCTION pg_temp.r(what text, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(what || ' ' || i), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
-- regions of many places
CREATE FUNCTION pg_temp.regions_of(regions geography[], places geography[], within_m float8) RETURNS TABLE (place geography, region int) LANGUAGE plpgsql AS
$$ BEGIN RETURN QUERY SELECT p, covering_region(regions, p, within_m) FROM unnest(places) p; END $$;

-- countries
CREATE TEMP TABLE csv (iso2 text, iso3 text, name text, geojson text);
\copy csv FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE country AS
SELECT row_number() OVER (ORDER BY ST_Area(b), name)::int AS n, name, b FROM (SELECT name, ST_Multi(ST_GeomFromGeoJSON(geojson))::geography AS b FROM csv) c;
CREATE TEMP TABLE place AS
SELECT i, ST_Translate(v.geom, (pg_temp.r('e', i) - 0.5) * 4, (pg_temp.r('n', i) - 0.5) * 3)::geography AS place
FROM (SELECT p.geom, row_number() OVER (ORDER BY c.n, p.path) AS i FROM country c, ST_DumpPoints(b::geometry) p WHERE abs(ST_Y(p.geom)) < 85) v WHERE pg_temp.r('pick', i) < 0.06;
CREATE TEMP TABLE answer AS
SELECT a.place, a.region, covering_region(c.all_of_them, a.place) AS covering, o.n AS nearest, o.d AS least, (SELECT ST_Distance(x.b, a.place) FROM country x WHERE x.n = a.region) AS d
FROM (SELECT array_agg(b ORDER BY n) AS all_of_them FROM country) c, (SELECT array_agg(place) AS places FROM place) p,
	pg_temp.regions_of(c.all_of_them, p.places, 60000) a,
	LATERAL (SELECT x.n, ST_Distance(x.b, a.place) AS d FROM country x WHERE ST_DWithin(x.b, a.place, 62000) ORDER BY 2, 1 LIMIT 1) o;
SELECT ok(count(*) FILTER (WHERE covering IS NULL AND region IS NOT NULL) > 60 AND count(*) FILTER (WHERE covering IS NOT NULL) > 60, 'there are places on land and off the coasts') FROM answer;
SELECT is_empty('SELECT ST_AsText(place), covering, region FROM answer WHERE covering IS NOT NULL AND region IS DISTINCT FROM covering', 'what is covered belongs to what covers it');
SELECT is_empty('SELECT ST_AsText(place), region, d, nearest, least FROM answer WHERE d > least * 1.007 + 0.01', 'what is not, to the nearest, as ST_Distance has it to 0.7 %');
SELECT is_empty('SELECT ST_AsText(place), region, least FROM answer WHERE region IS NULL AND least < 60000 * 0.993 OR region IS NOT NULL AND least > 60000 * 1.007', 'within the distance');
SELECT is(count(*) FILTER (WHERE region = nearest) * 100 / count(*) >= 98, true, 'which is nearly always the same one') FROM answer WHERE covering IS NULL AND region IS NOT NULL;

-- how far it is: the least distance at which the region is found, against geodesics to points of the boundary every 100 m
CREATE FUNCTION pg_temp.distance(region geography, place geography) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	regions geography[] := ARRAY[region];
	low float8 := 0;
	high float8 := 1000000;
BEGIN
	FOR i IN 1 .. 32 LOOP
		IF covering_region(regions, place, (low + high) / 2) IS NULL THEN low := (low + high) / 2; ELSE high := (low + high) / 2; END IF;
	END LOOP;
	RETURN high;
END $$;
CREATE TEMP TABLE box AS
SELECT i, ST_MakePoint(lon, lat)::geography AS place, ST_MakeEnvelope(lon + 0.3, lat + 0.2, lon + 0.7, lat + 0.4, 4326)::geography AS box,
	ST_Segmentize(ST_Boundary(ST_MakeEnvelope(lon + 0.3, lat + 0.2, lon + 0.7, lat + 0.4, 4326))::geography, 100) AS line
FROM (SELECT i, 360 * pg_temp.r('lon', i) - 180 AS lon, 170 * pg_temp.r('lat', i) - 85 AS lat FROM generate_series(1, 30) i) x;
SELECT is_empty($$ SELECT i, ST_AsText(place), ours, d FROM (SELECT i, place, pg_temp.distance(box, place) AS ours, (SELECT min(ST_Distance(place, p.geom::geography)) FROM ST_DumpPoints(line::geometry) p) AS d FROM box) x
	WHERE abs(ours - d) > 0.3 + 1e-6 * d $$, 'distances to a corner are geodesics');
SELECT is_empty($$ SELECT i, ST_AsText(m), ours, d FROM (SELECT i, m, pg_temp.distance(box, m) AS ours, (SELECT min(ST_Distance(m, p.geom::geography)) FROM ST_DumpPoints(line::geometry) p) AS d
		FROM box, LATERAL (SELECT ST_Translate(place::geometry, CASE WHEN i % 2 = 0 THEN 0.5 ELSE 0.1 END, CASE WHEN i % 2 = 0 THEN 0.1 ELSE 0.3 END)::geography AS m) o) x
	WHERE ours > d + 0.01 OR ours < d * 0.99999 - 0.3 $$, 'and so are those to the middle of an edge');

-- oceans that are no barrier
SELECT is(covering_region(ARRAY['POLYGON((179 0, 180 0, 180 1, 179 1, 179 0))']::geography[], 'POINT(-179.9 0.5)', 20000), 1, 'across the antimeridian');
SELECT is(covering_region(ARRAY['POLYGON((-179.8 -17, -178 -17, -178 -16, -179.8 -16, -179.8 -17))']::geography[], 'POINT(179.9 -16.5)', 50000), 1, 'and the other way');
SELECT is(covering_region(ARRAY['POLYGON((0 89.9, 90 89.9, 180 89.9, -90 89.9, 0 89.9), (0 89.95, 90 89.95, 180 89.95, -90 89.95, 0 89.95))']::geography[], 'POINT(17 90)', 25000), 1, 'from the pole to the edge of a hole');
SELECT is(covering_region(ARRAY['POLYGON((0 89.9, 90 89.9, 180 89.9, -90 89.9, 0 89.9))']::geography[], 'POINT(45 89.7)', 25000), NULL, 'but not from further than it may be');
SELECT is(covering_region(ARRAY['POLYGON((0 89.9, 90 89.9, 180 89.9, -90 89.9, 0 89.9))']::geography[], 'POINT(45 89.7)', 40000), 1, 'to a cap around the pole');

-- ties, bounds
SELECT is(covering_region(ARRAY['POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))', 'POLYGON((0 0, 1 0, 1 -1, 0 -1, 0 0))']::geography[], 'POINT(-0.1 0)', 25000), 1, 'of equally near ones the first');
SELECT is(covering_region(ARRAY['POLYGON EMPTY', NULL, 'POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))']::geography[], 'POINT(1 1)', 0), 3, 'within nothing only what covers it');
SELECT is(ARRAY[covering_region(NULL, 'POINT(5 5)', 1), covering_region('{}', 'POINT(5 5)', 1), covering_region(ARRAY['POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))'::geography], 'POINT(1 1)', NULL)],
	ARRAY[NULL, NULL, NULL]::int[], 'NULL for NULL, and of no regions');
SELECT throws_ok($$ SELECT covering_region(ARRAY['POLYGON EMPTY'::geography], 'POINT(1 1)', -1) $$, '22023', 'distance -1 m is out of range', 'a negative distance');
SELECT throws_ok($$ SELECT covering_region(ARRAY['POLYGON EMPTY'::geography], 'POINT(1 1)', d) FROM unnest(ARRAY['NaN', 1000001]::float8[]) d $$, '22023', NULL, 'too large a one');

SELECT * FROM finish();
ROLLBACK;
