-- Discs and regions against PostGIS, cell by cell: who is inside by the geodesic
-- distance on the spheroid, and by ST_Covers(geography, geography).
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(13);

CREATE TEMP TABLE grid AS
SELECT k, cell, center FROM generate_series(5, 6) k, coverage_cells((k || ':{}')::coverage + 1);

CREATE TEMP TABLE disc AS
SELECT row_number() OVER () AS id, location, radius_m
FROM (
    SELECT ST_GeogFromText(p), r
    FROM unnest(ARRAY['POINT(0 0)', 'POINT(179.9 65)', 'POINT(13 90)', 'POINT(77 -90)', 'POINT(-70 -89.5)',
                      'POINT(-180 0)', 'POINT(45 41.81)', 'POINT(178 -17.8)', 'POINT(100 -41.9)']) p,
         unnest(ARRAY[10, 800000, 1999999, 4900000]) r
    UNION ALL
    SELECT ST_Point(mod(i * 137.508, 360) - 180, degrees(asin(mod(i * 0.618034, 2) - 1)))::geography, 50000 + i * 37000
    FROM generate_series(1, 20) i
) v(location, radius_m);

-- distance ties: within max(1 m, 4e-5 r), or 3e-4 r beyond 2 000 km
CREATE FUNCTION pg_temp.tolerance(r float8) RETURNS float8 LANGUAGE sql AS
$$ SELECT greatest(1, CASE WHEN r <= 2e6 THEN 4e-5 ELSE 3e-4 END * r) $$;

CREATE FUNCTION pg_temp.disc(l geography, r float8, k integer) RETURNS coverage LANGUAGE sql AS
$$ SELECT coverage_agg(v.l, v.r, 1, k) FROM (VALUES (l, r)) v(l, r) $$;

CREATE TEMP TABLE disc_compare AS
WITH inside AS MATERIALIZED (
    SELECT id, k, c.cell
    FROM disc, generate_series(5, 6) k,
         swarm_reward_internal.coverage_cell_values(pg_temp.disc(location, radius_m, k)) c)
SELECT k, d.id, cell, inside.id IS NOT NULL AS is_in, cell = coverage_cell(location, k) AS is_home,
       ST_Distance(center, location, true) - radius_m AS beyond, pg_temp.tolerance(radius_m) AS tolerance
FROM disc d JOIN grid ON k = 5 OR d.id % 4 = 0
LEFT JOIN inside USING (id, k, cell);

SELECT cmp_ok(count(*), '>', 40000::bigint, 'the discs have many cells to compare') FROM disc_compare WHERE is_in;
SELECT is(count(k), 0::bigint, 'order ' || o || ': every cell nearer than the radius is in its disc')
FROM (VALUES (5), (6)) o(o) LEFT JOIN disc_compare ON k = o AND beyond < -tolerance AND NOT is_in GROUP BY o;
SELECT is(count(k), 0::bigint, 'order ' || o || ': no cell beyond the radius is, but the one that holds the centre')
FROM (VALUES (5), (6)) o(o) LEFT JOIN disc_compare ON k = o AND beyond > tolerance AND is_in AND NOT is_home GROUP BY o;
SELECT is(count(*), count(*) FILTER (WHERE is_in), 'a disc holds the cell that holds its centre') FROM disc_compare WHERE is_home;

-- orders 7 and 8 around the discs' rims, where the answer is decided
CREATE TEMP TABLE rim AS
WITH f AS MATERIALIZED (
    SELECT id, location, radius_m, k, pg_temp.disc(location, radius_m, k) AS f
    FROM disc, generate_series(7, 8) k WHERE radius_m BETWEEN 100000 AND 900000),
ring AS MATERIALIZED (
    SELECT id, location, radius_m, k, f, c.cell, c.center
    FROM f, coverage_cells(pg_temp.disc(location, radius_m * 1.05, k) - pg_temp.disc(location, radius_m * 0.95, k)) c)
SELECT k, coverage_value(f, center) = 1 AS is_in,
       ST_Distance(center, location, true) - radius_m AS beyond, pg_temp.tolerance(radius_m) AS tolerance
FROM ring;
SELECT cmp_ok(count(*), '>', 10000::bigint, 'many cells lie near a rim') FROM rim;
SELECT is(count(*) FILTER (WHERE (beyond < -tolerance AND NOT is_in) OR (beyond > tolerance AND is_in)), 0::bigint,
          'orders 7 and 8: at the rim too, a disc is the geodesic distance') FROM rim;

-- regions
CREATE TEMP TABLE country (iso2 text, iso3 text, name text, geojson text);
\copy country FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE area AS
SELECT name, ST_GeomFromGeoJSON(geojson)::geography AS region FROM country
WHERE name IN ('Russia', 'Fiji', 'Antarctica', 'South Africa', 'Lesotho', 'New Zealand')
UNION ALL
VALUES ('edges on centres', ST_GeogFromText('POLYGON((0 0,90 0,90 60,0 60,0 0))')),
       ('antimeridian box', ST_GeogFromText('POLYGON((170 -10,-170 -10,-170 10,170 10,170 -10))')),
       ('pole cap', ST_GeogFromText('POLYGON((0 70,90 70,180 70,-90 70,0 70))')),
       ('ring with a hole', ST_GeogFromText('POLYGON((-20 -20,20 -20,20 20,-20 20,-20 -20),(-10 -10,-10 10,10 10,10 -10,-10 -10))')),
       ('two parts', ST_GeogFromText('MULTIPOLYGON(((0 0,30 0,30 30,0 30,0 0)),((-60 -60,-30 -60,-30 -30,-60 -30,-60 -60)))')),
       ('bow tie', ST_GeogFromText('POLYGON((0 0,40 40,40 0,0 40,0 0))'));

-- ST_Covers takes a millisecond or more in large countries: those at one order only
CREATE TEMP TABLE question AS
SELECT name, region, k FROM area, generate_series(5, 6) k
WHERE k = 5 OR name NOT IN ('Russia', 'Antarctica', 'South Africa');

CREATE TEMP TABLE region_compare AS
SELECT k, name, cell, bool_or(side = 'ours') AS is_in, bool_or(side = 'ST_Covers') AS is_covered
FROM (
    SELECT 'ours' AS side, name, k, c.cell FROM question, swarm_reward_internal.coverage_cell_values(region_coverage(region, k)) c
    UNION ALL
    SELECT 'ST_Covers', name, k, cell FROM question JOIN grid USING (k) WHERE ST_Covers(region, center)) s
GROUP BY 1, 2, 3;
-- a region without any centre has one cell all the same
SELECT cmp_ok(count(*), '>', 4000::bigint, 'the regions have many cells to compare') FROM region_compare WHERE is_in;
SELECT is(count(*), 0::bigint, 'every centre that ST_Covers finds is in the region') FROM region_compare WHERE NOT is_in;
SELECT results_eq(
    $$ SELECT name, k FROM region_compare WHERE is_in AND NOT is_covered ORDER BY 1, 2 $$,
    $$ SELECT name, k FROM question q
       WHERE NOT EXISTS (SELECT FROM region_compare c WHERE c.k = q.k AND c.name = q.name AND is_covered) ORDER BY 1, 2 $$,
    'and no other, but the one cell of a region that covers no centre');

-- orders 7 and 8: a sample of the cells around the borders
CREATE TEMP TABLE border AS
WITH field AS MATERIALIZED (
    SELECT name, region, k, region_coverage(region, k) AS f FROM area, generate_series(7, 8) k
    WHERE name IN ('Russia', 'Fiji', 'Antarctica', 'Italy', 'New Zealand', 'bow tie', 'ring with a hole')),
near AS MATERIALIZED (
    -- cells on either side of a change of value along a parallel
    SELECT name, region, k, f, v.cell + d AS cell
    FROM field, swarm_reward_internal.coverage_cell_values(f) v, generate_series(-1, 1) d
    WHERE v.cell + d BETWEEN 0 AND 12 * 4 ^ k - 1 AND v.cell % 7 = 3)
SELECT name, k, coverage_value(f, center) = 1 AS is_in, ST_Covers(region, center) AS is_covered
FROM near, LATERAL (SELECT ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(k, cell::bigint)) AS center) c;
SELECT cmp_ok(count(*) FILTER (WHERE NOT is_covered), '>', 500::bigint, 'the sample sees both sides of borders') FROM border;
SELECT is(count(*) FILTER (WHERE is_in <> is_covered), 0::bigint, 'orders 7 and 8: the borders are where ST_Covers has them') FROM border;

SELECT * FROM finish();
ROLLBACK;
