-- coverage_focal_sum against coverage_sum over the disc around each cell's centre, to the bit.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET LOCAL search_path = swarm_reward, public;
SELECT plan(19);

-- Fields of many kinds: supply, ratios whose sums need 128 bits, negative values, few cells, long runs, one cell, none.
CREATE TABLE net AS
SELECT ST_Point(180 - mod(i * i * 0.7548776662466927 + i * 137.508, 360),
                CASE WHEN i % 50 = 0 THEN 90 - 180 * (i / 50 % 2)
                     ELSE degrees(asin(0.999 * sin(i * 0.5698402909980532))) END)::geography AS location,
       (10000 + 490000 * mod(i * 0.618033988749895, 1))::float8 AS radius_m,
       (1 + 10 * mod(i * 0.414213562373095, 1))::float8 AS weight
FROM generate_series(1, 2000) i;
CREATE TABLE field AS
WITH f AS (SELECT o, coverage_agg(location, radius_m, weight, o) AS supply, density_agg(location, weight, o) AS density
           FROM net, generate_series(3, 6) o GROUP BY o)
SELECT 'supply' AS name, supply AS c FROM f
UNION ALL SELECT 'ratio', (density + 0.1) / supply FROM f
UNION ALL SELECT 'signed', density - supply / 7 FROM f
UNION ALL SELECT 'few', coverage_mask(density, 12) FROM f
UNION ALL SELECT 'constant', supply * 0 + 1e300 FROM f
UNION ALL SELECT 'far apart', density * 1e-200 + coverage_mask(density, 15) * 1e200 FROM f
UNION ALL SELECT 'nothing', supply * 0 FROM f
UNION ALL SELECT 'pole', coverage_agg('POINT(77 90)', 1000, 3, o) FROM generate_series(0, 5) o GROUP BY o
UNION ALL SELECT 'seam', coverage_agg('POINT(180 -20)', 300000, 0.5, o) FROM generate_series(0, 5) o GROUP BY o;
CREATE TABLE focal AS
SELECT name, coverage_order(c) AS o, c, radius_m, coverage_focal_sum(c, radius_m) AS f
FROM field, (VALUES (1e-9::float8), (1), (100000), (444444.4), (2e6), (5e6)) r(radius_m)
WHERE coverage_order(c) < 6 OR radius_m BETWEEN 2 AND 1e6;

-- Centres of all cells of an order, as coverage_cells has them.
CREATE TABLE center AS
SELECT o, cell, center FROM (SELECT o, coverage_agg('POINT(0 0)', 1, 0, o) + 1 AS one FROM generate_series(0, 6) o GROUP BY o) f, coverage_cells(one);
SELECT is((SELECT array_agg(n ORDER BY o) FROM (SELECT o, count(*) AS n FROM center GROUP BY o) c),
          (SELECT array_agg(12 * 4 ^ o::numeric ORDER BY o)::bigint[] FROM generate_series(0, 6) o), 'all centres are there');

SELECT is(coverage_order(f), coverage_order(c), 'the order stays') FROM focal LIMIT 1;
SELECT is_empty($$
    SELECT name, o, radius_m, cell FROM focal, LATERAL (SELECT cell, center FROM center WHERE center.o = focal.o OFFSET 0) k
    WHERE o < 4 AND coverage_sum(c, center, radius_m) IS DISTINCT FROM coverage_value(f, center)$$,
    'orders 0 to 3: every cell has the sum over the disc around it, to the bit');
SELECT is_empty($$
    SELECT name, o, radius_m, cell
    FROM focal, LATERAL (SELECT cell, center FROM center WHERE center.o = focal.o AND (cell * 7 + radius_m::bigint) % (4 ^ (o - 2))::int = 0 OFFSET 0) k
    WHERE o >= 4 AND coverage_sum(c, center, radius_m) IS DISTINCT FROM coverage_value(f, center)$$,
    'orders 4 to 6: so have samples of the cells');
SELECT cmp_ok(count(DISTINCT coverage_value(f, center)), '>', 1000::bigint, 'the sums are not all the same')
FROM focal JOIN center USING (o) WHERE name = 'ratio' AND o = 5 AND radius_m = 444444.4;

-- what must hold of it
SELECT is_empty($$SELECT * FROM focal WHERE f <> f::text::coverage$$, 'the result is in the one form that equal fields have');
SELECT is_empty($$SELECT * FROM focal WHERE radius_m = 1e-9 AND name <> 'far apart' AND f <> c$$, 'a tiny disc holds its own cell and no other');
SELECT is_empty($$SELECT * FROM focal WHERE name = 'nothing' AND f <> c$$, 'the sum over nothing is nothing');
SELECT ok(f = c, 'on a coarse grid a disc may hold one cell') FROM focal WHERE coverage_order(c) = 0 AND radius_m = 1 AND name = 'pole';
SELECT is_empty($$SELECT FROM focal a JOIN focal b USING (radius_m)
                  WHERE a.name = 'signed' AND b.name = 'signed' AND a.c = b.c AND coverage_focal_sum(-1 * a.c, radius_m) <> -1 * b.f$$, 'it is odd');
SELECT ok(coverage_focal_sum(supply + density, 300000) = coverage_focal_sum(supply, 300000) + coverage_focal_sum(density, 300000),
          'and additive where sums are exact')
FROM (SELECT coverage_agg(location, radius_m, weight, 7) AS supply, density_agg(location, weight, 7) AS density FROM net) f;

-- finer grids, as they are used, at cells around nodes
CREATE TABLE fine AS
SELECT 8 AS o, 500000::float8 AS radius_m, coverage_agg(location, radius_m, weight, 8) / 3 AS c FROM net
UNION ALL SELECT 9, 120000, density_agg(location, weight, 9) FROM net
UNION ALL SELECT 10, 20000, coverage_agg(location, radius_m / 100, weight, 10) / 3 FROM net;
SELECT is_empty($$
    SELECT o, cell
    FROM (SELECT o, radius_m, c, coverage_focal_sum(c, radius_m) AS f FROM fine) a,
         LATERAL (SELECT coverage_agg(location, net.radius_m / 10, 1, o) FROM net WHERE net.radius_m < 20000) b(near), coverage_cells(near)
    WHERE coverage_value(f, center) <> coverage_sum(c, center, radius_m)$$, 'orders 8 to 10: so have the cells around some nodes');
SELECT is(coverage_focal_sum(NULL, 1), NULL, 'NULL for NULL');
SELECT is(coverage_focal_sum(c, NULL), NULL, 'or for a NULL radius') FROM field LIMIT 1;
SELECT throws_ok(format('SELECT coverage_focal_sum(c, %L) FROM field', r), '22023', format('radius %s m is out of range', r), format('radius %s is refused', r))
FROM (VALUES ('0'), ('-5'), ('5000000.5'), ('NaN')) v(r);
SELECT throws_ok($$SELECT coverage_focal_sum('2:{[0,192)=1e308}', 5000000)$$, '22003', 'sum of coverage values out of range', 'a sum beyond float8 is an error');
SELECT * FROM finish();
ROLLBACK;
