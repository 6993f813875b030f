-- Regions made to hurt: they are refused, or take no longer than they are large.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(8);

-- edges from pole to pole: as many crossings as rings times edges
CREATE FUNCTION pg_temp.zigzag(n integer, south float8 DEFAULT 89) RETURNS geography LANGUAGE sql AS $$
    SELECT ST_MakePolygon(ST_MakeLine(p || p[1]))::geography
    FROM (SELECT array_agg(ST_Point(mod(i * 1.7, 360) - 180, CASE WHEN i % 2 = 0 THEN 89 ELSE -south END) ORDER BY i) AS p FROM generate_series(0, n - 1) i) r
$$;
SELECT throws_ok($$ SELECT region_coverage(pg_temp.zigzag(1200, 88), 13) $$, '54000', 'region is too complex for grid order 13', 'a region that crosses the grid too often is refused');
SELECT lives_ok($$ SELECT region_coverage(pg_temp.zigzag(1200, 88), 8) $$, 'and is no problem for a coarser grid');
SELECT lives_ok($$ SELECT region_coverage(pg_temp.zigzag(60, 88), 13) $$, 'nor are some such edges');

-- a line that winds around the pole many times still has an inside, by even-odd
SELECT cmp_ok(coverage_area(region_coverage(pg_temp.zigzag(600, 60), 6)), '>', 1e12::float8, 'a region that winds around the pole is not empty');
SELECT throws_like($$ SELECT region_coverage(pg_temp.zigzag(600), 6) $$, '%two sides have the same area%', 'unless its turning points mirror each other: then neither side is the smaller one');

-- islands far apart: no more than they cover, however fine the grid
CREATE TEMP TABLE island AS
SELECT ST_Point(mod(i * 137.50776405, 340) - 170, degrees(asin(0.9 * (1 - (2 * i + 1) / 5000.0)))) AS place FROM generate_series(0, 4999) i;
SELECT is(coverage_area(region_coverage(ST_Multi(ST_Collect(ST_Expand(place, 0.01)))::geography, 13)),
          coverage_area(coverage_round(sum(region_coverage(ST_Expand(place, 0.01)::geography, 13)))), 'five thousand islands, at once and one by one')
FROM island;

-- longitudes beyond all reason are angles all the same
SELECT is(coverage_cell('POINT(360000000013.5 52.5)'::geography, 6), coverage_cell('POINT(13.5 52.5)'::geography, 6), 'a longitude of a thousand million turns');
SELECT throws_ok($$ SELECT coverage_cell('POINT(NaN NaN)'::geography, 6) $$, '22003', NULL, 'not a number is no position');

SELECT * FROM finish();
ROLLBACK;
