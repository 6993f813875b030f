-- density_agg over discs: nothing is lost, in any order and any plan, and each cell has what the rule says.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET LOCAL search_path = swarm_reward, public;
SELECT plan(21);

-- Places everywhere, also poles and both sides of the antimeridian and of Greenwich; weights from less than a unit per cell to many.
CREATE TABLE place AS
SELECT i, o,
       ST_Point(CASE i % 9 WHEN 0 THEN 180 WHEN 1 THEN -179.9 WHEN 2 THEN 0.001 ELSE mod(i * 137.508, 360) - 180 END,
                CASE WHEN i % 11 = 0 THEN 90 - 180 * (i / 11 % 2) ELSE degrees(asin(0.999 * sin(i * 0.5698402909980532))) END)::geography AS location,
       CASE WHEN i % 13 = 0 THEN 0.001 ELSE 3000 * 1000 ^ mod(i * 0.618033988749895, 1) END AS radius_m,
       CASE WHEN i % 17 = 0 THEN 2.0 ^ -16 WHEN i % 17 = 1 THEN 0 ELSE 0.001 * 1e9 ^ mod(i * 0.414213562373095, 1) END::float8 AS weight
FROM generate_series(1, 400) i, LATERAL (SELECT i % 8 AS o) x;
ANALYZE place;
CREATE TABLE field AS SELECT o, density_agg(location, weight, o, radius_m) AS c FROM place GROUP BY o;

-- nothing is lost
SELECT is_empty($$
    SELECT i FROM (SELECT i, weight, density_agg(location, weight, o, radius_m) AS c FROM place GROUP BY i, weight) f
    WHERE coverage_sum(c) <> round(weight * 65536) / 65536$$, 'the cells of each disc add up to its weight, to the bit');
SELECT is_empty($$
    SELECT o FROM field JOIN (SELECT o, sum(round(weight * 65536)::numeric)::float8 / 65536 AS total FROM place GROUP BY o) t USING (o)
    WHERE coverage_sum(c) <> total$$, 'so do all together');
SELECT is_empty($$
    SELECT i FROM (SELECT i, density_agg(location, weight, o, radius_m) AS c, coverage_agg(location, radius_m, 1, o) AS disc FROM place GROUP BY i) f
    WHERE c * disc <> c$$, 'outside of the disc, as coverage_agg has it, there is nothing');

-- the rule, in plain SQL: what each cell of a disc gets in units, by the number of the cell
CREATE TABLE cell AS
SELECT i, o, k.cell, round(weight * 65536)::numeric AS u, ring.n AS ring
FROM place,
     LATERAL (SELECT coverage_agg(p.location, p.radius_m, 1, p.o) AS disc FROM place p WHERE p.i = place.i) d,
     swarm_reward_internal.coverage_cell_values(disc) k,
     -- the ring a cell lies on, by its number: see Gorski et al. 2005, section 5.1
     LATERAL (SELECT 2 ^ o AS nside) s,
     LATERAL (SELECT CASE
         WHEN k.cell < 2 * nside * (nside - 1) THEN floor((1 + sqrt(1 + 2 * k.cell)) / 2)
         WHEN k.cell < 12 * nside * nside - 2 * nside * (nside - 1) THEN floor((k.cell - 2 * nside * (nside - 1)) / (4 * nside)) + nside
         ELSE 4 * nside - floor((1 + sqrt(2 * (12 * nside * nside - k.cell) - 1)) / 2) END::numeric AS n) ring
WHERE weight > 0;
CREATE TABLE want AS
WITH a AS (
    SELECT *, count(*) OVER (PARTITION BY i) AS n, count(*) OVER (PARTITION BY i, ring) AS m,
           row_number() OVER (PARTITION BY i, ring ORDER BY cell) - 1 AS at,
           rank() OVER (PARTITION BY i ORDER BY ring) - 1 AS had
    FROM cell
), b AS (
    SELECT *, floor(u / n) AS each, u - n * floor(u / n) AS rest,
           floor(m * mod(ring * 11400714819323198485, 2::numeric ^ 64) / 2::numeric ^ 64) AS start
    FROM a
), c AS (
    SELECT *, floor(((had + m) * rest + div(n, 2)) / n) - floor((had * rest + div(n, 2)) / n) AS more FROM b
)
SELECT i, o, cell, each + CASE WHEN mod(at - start + m, m) < more THEN 1 ELSE 0 END AS units FROM c;
SELECT cmp_ok(count(*), '>', 10000::bigint, 'many cells are spread over') FROM want;
SELECT cmp_ok(count(*) FILTER (WHERE units = 0), '>', 100::bigint, 'some weights have fewer units than cells') FROM want;
SELECT is_empty('SELECT i FROM want JOIN cell USING (i, cell) GROUP BY i, u HAVING sum(units) <> u', 'by the rule nothing is lost');
SELECT is_empty('SELECT i FROM want GROUP BY i HAVING max(units) - min(units) > 1', 'by the rule all cells get the same to within one unit');
SELECT is_empty($$
    SELECT o, cell, w.units, v.value
    FROM (SELECT o, cell, sum(units) AS units FROM want GROUP BY o, cell HAVING sum(units) > 0) w
         FULL JOIN (SELECT o, cell, value FROM field, swarm_reward_internal.coverage_cell_values(c)) v USING (o, cell)
    WHERE w.units::float8 / 65536 IS DISTINCT FROM v.value$$, 'every cell has what the rule gives, to the bit');

-- whatever the order of rows and the plan
SELECT is_empty($$
    SELECT o FROM (SELECT o, density_agg(location, weight, o, radius_m ORDER BY md5(i::text)) AS c FROM place GROUP BY o) s JOIN field USING (o)
    WHERE s.c <> field.c$$, 'shuffled rows give the same bits');
SELECT is_empty($$
    SELECT o FROM (SELECT o, sum(part) AS c FROM (SELECT o, density_agg(location, weight, o, radius_m) AS part FROM place GROUP BY o, i % 5) p GROUP BY o) s
         JOIN field USING (o) WHERE s.c <> field.c$$, 'parts summed too');
CREATE TABLE many AS SELECT p.* FROM place p, generate_series(1, 20);
ANALYZE many;
CREATE TABLE serial AS SELECT density_agg(location, weight, 7, radius_m) AS c FROM many;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL max_parallel_workers_per_gather = 3;
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP;
    RETURN plan;
END $$;
SELECT matches(pg_temp.plan('SELECT density_agg(location, weight, 7, radius_m) FROM many'), 'Finalize Aggregate.*Gather.*Partial Aggregate', 'there is a parallel plan');
SELECT ok((SELECT density_agg(location, weight, 7, radius_m) FROM many) = c, 'and it gives the same bits') FROM serial;

-- what it is for
SELECT ok(abs(coverage_sum(c, 'POINT(10 50)', 25000) / 250 - 1) < 0.1 AND coverage_sum(c, 'POINT(10 50)', 50000) = 1000,
          'half the radius has a quarter of the weight')
FROM (SELECT density_agg('POINT(10 50)', 1000, 10, 50000) AS c) d;
SELECT is(density_agg('POINT(10 50)', 3, 5, 1)::text, density_agg('POINT(10 50)', 3, 5)::text, 'a disc of one cell is a point');

-- arguments
SELECT is(density_agg(l, w, 4, r)::text, '4:{[1440,1441)=2}', 'rows with a NULL are skipped')
FROM (VALUES ('POINT(1 1)'::geography, 2::float8, 5::float8), (NULL, 1, 1), ('POINT(1 1)', NULL, 1), ('POINT(1 1)', 1, NULL)) v(l, w, r);
SELECT is(density_agg('POINT(1 1)', NULL, 4, 5), NULL, 'no row gives NULL');
SELECT throws_ok(format($$SELECT density_agg('POINT(1 1)', %s, %s, %s)$$, w, o, r), s, m, m)
FROM (VALUES ('1', '4', '0', '22023', 'radius 0 m is out of range'), ('1', '4', '5000001', '22023', 'radius 5000001 m is out of range'),
             ('-1', '4', '5', '22023', 'weight -1 is not a finite number of at least 0'), ('1', 'NULL', '5', '22004', 'grid order must not be null'),
             ('2.0 ^ 38', '4', '5', '22003', 'weight 274877906944 exceeds 2^37, the most that the weights of one aggregate may add up to')) v(w, o, r, s, m);
SELECT * FROM finish();
ROLLBACK;
