-- The bounds that doc/accuracy.md states, on a sample: areas of geodesic discs, of their union and of
-- countries against an equal-area map, and distances at the rim against GeographicLib.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(12);

-- z = sine of the authalic latitude (Snyder 1987, 3-12)
CREATE FUNCTION pg_temp.authalic_z(lat float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT (s / (1 - e2 * s * s) - ln((1 - e * s) / (1 + e * s)) / (2 * e)) / (1 / (1 - e2) - ln((1 - e) / (1 + e)) / (2 * e))
    FROM (SELECT sin(radians(lat)) AS s, (2 - f) * f AS e2, sqrt((2 - f) * f) AS e FROM (VALUES (1 / 298.257223563::float8)) v(f)) w
$$;
-- A geodesic disc on the map of longitude and z: 360 corners, as far out as gives it the disc's area. Not over a pole or longitude 180.
CREATE FUNCTION pg_temp.on_map(location geography, radius_m float8) RETURNS geometry LANGUAGE sql IMMUTABLE AS $$
    SELECT ST_MakePolygon(ST_MakeLine(ST_Point(radians(ST_X(p::geometry)), pg_temp.authalic_z(ST_Y(p::geometry))) ORDER BY i))
    FROM generate_series(0, 360) i, LATERAL (SELECT ST_Project(location, radius_m * (1 + (2 * pi() / 360) ^ 2 / 12), radians(i % 360)) AS p) q
$$;
CREATE FUNCTION pg_temp.map_m2(map geometry) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ST_Area(map) * 510065621724088.4::float8 / (4 * pi()) $$;
CREATE FUNCTION pg_temp.disc(l geography, r float8, k integer) RETURNS coverage LANGUAGE sql AS
$$ SELECT coverage_agg(v.l, v.r, 1, k) FROM (VALUES (l, r)) v(l, r) $$;

CREATE TEMP TABLE centre AS
SELECT ST_Point(mod(i * 137.50776405, 300) - 150, degrees(asin(0.85 * (1 - (2 * i + 1) / 40.0))))::geography AS location
FROM generate_series(0, 39) i;

-- single discs
CREATE TEMP TABLE disc AS
SELECT location, km * 1000 AS r, pg_temp.map_m2(pg_temp.on_map(location, km * 1000)) AS exact
FROM centre, unnest(ARRAY[10, 50, 100, 300, 1000]::float8[]) km;
CREATE TEMP TABLE disc_error AS
SELECT k, r, error, error / h_r ^ 1.5 AS u
FROM (SELECT k, r, coverage_area(pg_temp.disc(location, r, k)) / exact - 1 AS error, sqrt(coverage_cell_area(k)) / r AS h_r
      FROM disc, generate_series(7, 12) k WHERE exact > 2 * coverage_cell_area(k)) e;
SELECT cmp_ok(count(*), '>', 900::bigint, 'many discs') FROM disc_error;
SELECT cmp_ok(max(abs(u)), '<', 1.2::float8, 'the error of a disc''s area is below 1.2 (h/r)^1.5') FROM disc_error;
SELECT cmp_ok(sqrt(avg(u ^ 2)), '<', 0.26::float8, 'and 0.26 (h/r)^1.5 at most in root mean square') FROM disc_error;
SELECT cmp_ok(sqrt(avg(u ^ 2)), '>', 0.15::float8, 'which is not for want of discs at all') FROM disc_error;
SELECT cmp_ok(abs(avg(u)), '<', 0.03::float8, 'without a preferred sign') FROM disc_error;
SELECT cmp_ok(max(abs(error)), '<', 0.012::float8, 'order 10: a disc of 100 km to 1.2 %') FROM disc_error WHERE k = 10 AND r = 100000;
SELECT cmp_ok(max(abs(error)), '<', 0.0005::float8, 'order 10: a disc of 1 000 km to 0.05 %') FROM disc_error WHERE k = 10 AND r = 1000000;

-- a union
CREATE TEMP TABLE network AS
SELECT ST_Point(-10 + 45 * mod(i * 0.7548776662466927, 1), 30 + 32 * mod(i * 0.5698402909980532, 1))::geography AS location,
       50000 + 100000 * mod(i * 0.6180339887498949, 1) AS radius_m
FROM generate_series(1, 200) i;
CREATE TEMP TABLE union_error AS
SELECT k, coverage_area(coverage_agg(location, radius_m, 1, k)) / (SELECT pg_temp.map_m2(ST_Union(pg_temp.on_map(location, radius_m))) FROM network) - 1 AS error
FROM network, generate_series(8, 11) k GROUP BY k;
SELECT ok(bool_and(abs(error) < CASE k WHEN 8 THEN 1e-2 WHEN 9 THEN 3e-3 WHEN 10 THEN 1e-3 ELSE 3e-4 END), 'the area of a union, by order') FROM union_error;

-- the rim: which cells the discs get wrong, by how much
CREATE FUNCTION pg_temp.tolerance(r float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT greatest(1, CASE WHEN r <= 2e6 THEN 4e-5 ELSE 3e-4 END * r) $$;
CREATE TEMP TABLE rim AS
WITH f AS MATERIALIZED (
    SELECT location, r, k, pg_temp.disc(location, r, k) AS inside, pg_temp.disc(location, r + 1.5 * t, k) - pg_temp.disc(location, r - 1.5 * t, k) AS band
    FROM centre, (VALUES (100000, 13), (250000, 13), (500000, 13), (1000000, 12), (1990000, 10), (3000000, 8), (4990000, 8)) v(r, k),
         LATERAL (SELECT pg_temp.tolerance(r) AS t) t)
SELECT r, ST_Distance(location, center, true) - r AS beyond, coverage_value(inside, center) = 1 AS is_in
FROM f, LATERAL (SELECT ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(k, v.cell)) AS center FROM swarm_reward_internal.coverage_cell_values(band) v) c;
SELECT cmp_ok(count(*), '>', 20000::bigint, 'many cells near a rim') FROM rim;
SELECT is(count(*) FILTER (WHERE is_in <> (beyond <= 0) AND abs(beyond) > pg_temp.tolerance(r)), 0::bigint, 'none is wrong beyond the tolerance') FROM rim;
SELECT cmp_ok(max(abs(beyond) / r) FILTER (WHERE is_in <> (beyond <= 0) AND r <= 500000), '<', 2e-6::float8, 'up to 500 km none by more than 2e-6 of the radius') FROM rim;

-- a region, its edges cut into pieces of 5 km along great circles
CREATE TEMP TABLE region AS
SELECT ST_GeogFromText('POLYGON((2 48,9 47,14 52,11 56,3 53,2 48),(6 50,8 50,7 52,6 50))') AS region;
SELECT ok(bool_and(abs(coverage_area(region_coverage(region, k)) / exact - 1) < CASE k WHEN 8 THEN 1e-2 WHEN 10 THEN 1e-3 ELSE 2e-4 END), 'the area of a region, by order')
FROM region, generate_series(8, 12, 2) k,
     LATERAL (SELECT sum(CASE n WHEN 0 THEN 1 ELSE -1 END * pg_temp.map_m2(ST_MakePolygon(line))) AS exact
              FROM (SELECT d.path[1] - 1 AS n, ST_MakeLine(ST_Point(radians(ST_X(d.geom)), pg_temp.authalic_z(ST_Y(d.geom))) ORDER BY d.path[2]) AS line
                    FROM ST_DumpPoints(ST_Segmentize(region, 5000)::geometry) d GROUP BY 1) r) e;

SELECT * FROM finish();
ROLLBACK;
