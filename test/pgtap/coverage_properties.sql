-- Properties of fields: fair shares add up and do not reward splitting, the same
-- bits whatever the order of rows and the plan, exact round trips.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(34);

-- A network from a fixed sequence: clustered places, shared places, poles, the antimeridian.
CREATE TABLE net AS
SELECT i AS id, i % 2 AS half,
       ST_Point(180 - mod(i * i * 0.7548776662466927 + i * 137.508, 360),
                CASE WHEN i % 50 = 0 THEN 90 - 180 * (i / 50 % 2)
                     ELSE degrees(asin(0.999 * sin(i * 0.5698402909980532))) END)::geography AS location,
       (10000 + 490000 * mod(i * 0.618033988749895, 1))::float8 AS radius_m,
       (1 + 10 * mod(i * 0.414213562373095, 1))::float8 AS weight
FROM generate_series(1, 3000) i;
ANALYZE net;
CREATE TABLE people AS
SELECT ST_Point(mod(i * 97.31, 360) - 180, 70 * sin(i * 1.7))::geography AS location, 1000 + i % 977 AS weight
FROM generate_series(1, 20000) i;

CREATE TABLE field AS
SELECT (SELECT coverage_agg(location, radius_m, weight, 7) FROM net) AS supply,
       (SELECT density_agg(location, weight, 7) FROM people) AS demand;

-- fair shares
CREATE TABLE share AS
SELECT id, weight_used * coverage_sum((SELECT demand / supply FROM field), location, radius_m) AS share
FROM net, LATERAL (SELECT round(weight * 65536) / 65536 AS weight_used) w;
SELECT ok(abs(sum(share) / (SELECT coverage_sum(demand * coverage_mask(supply, 1e-9)) FROM field) - 1) < 1e-12,
          'the fair shares add up to the covered demand') FROM share;
SELECT cmp_ok(count(*) FILTER (WHERE share > 0), '>', 1500::bigint, 'and most nodes have one') FROM share;

-- split every node into two of unequal weight, dyadic so that both are exact
CREATE TABLE split AS
SELECT id, location, radius_m, w FROM net,
LATERAL (SELECT round(weight * 65536) / 65536 AS weight_used) u,
LATERAL (VALUES (floor(weight_used * 16384) / 65536), (weight_used - floor(weight_used * 16384) / 65536)) p(w);
SELECT ok((SELECT coverage_agg(location, radius_m, w, 7) FROM split) = supply, 'splitting all nodes leaves the supply as it was, to the bit') FROM field;
SELECT ok(max(abs(after / share - 1)) < 1e-13, 'and every node''s share')
FROM share JOIN (
    SELECT id, sum(w * coverage_sum((SELECT demand / supply FROM field), location, radius_m)) AS after FROM split GROUP BY id) s USING (id)
WHERE share > 0;

-- the bits do not depend on the order of rows or on the plan
SELECT ok((SELECT coverage_agg(location, radius_m, weight, 7 ORDER BY id DESC) FROM net) = supply, 'reversed rows give the same bits') FROM field;
SELECT ok((SELECT coverage_agg(location, radius_m, weight, 7 ORDER BY md5(id::text)) FROM net) = supply, 'shuffled rows give the same bits') FROM field;
SELECT ok((SELECT sum(part) FROM (SELECT coverage_agg(location, radius_m, weight, 7) AS part FROM net GROUP BY id % 7) p) = supply,
          'seven parts summed give the same bits') FROM field;

CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP;
    RETURN plan;
END $$;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 1; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;
SELECT matches(pg_temp.plan('SELECT coverage_agg(location, radius_m, weight, 7) FROM net'), 'Finalize Aggregate(.|\n)*Gather(.|\n)*Partial Aggregate',
               'coverage_agg runs in parallel');
SELECT matches(pg_temp.plan('SELECT density_agg(location, weight, 7) FROM people'), 'Finalize Aggregate(.|\n)*Gather(.|\n)*Partial Aggregate',
               'density_agg runs in parallel');
SELECT ok((SELECT coverage_agg(location, radius_m, weight, 7) FROM net) = supply, 'and gives the same bits') FROM field;
SELECT ok((SELECT density_agg(location, weight, 7) FROM people) = demand, 'as does density_agg') FROM field;
CREATE TABLE part AS SELECT id % 60 AS p, coverage_agg(location, radius_m, weight, 7) AS c FROM net GROUP BY 1;
SELECT matches(pg_temp.plan('SELECT sum(c) FROM part'), 'Finalize Aggregate(.|\n)*Gather(.|\n)*Partial Aggregate', 'sum runs in parallel');
SELECT ok((SELECT sum(c) FROM part) = supply, 'and gives the same bits') FROM field;
SELECT matches(pg_temp.plan('SELECT half, coverage_agg(location, radius_m, weight, 7) FROM net GROUP BY half'), 'Partial (Hash|Group)?Aggregate', 'groups run in parallel too');
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- an independent sum: each cell's value is the sum of its discs
SELECT ok(bool_and(v.value = coalesce(d.total, 0)), 'a cell''s value is the sum of the weights of its discs')
FROM (SELECT c AS cell, coverage_value(supply, ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(7, c))) AS value
      FROM field, generate_series(0, 196607, 97) c) v
LEFT JOIN (
    SELECT cell, sum(round(weight * 65536) / 65536) AS total
    FROM (SELECT id, weight, coverage_agg(location, radius_m, 1, 7) AS f FROM net GROUP BY id, weight) n, swarm_reward_internal.coverage_cell_values(f) c
    GROUP BY cell) d USING (cell);
SELECT ok(bool_and(coverage_value(demand, ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(7, cell))) = total), 'a density is the sum of the points in each cell')
FROM field, (SELECT coverage_cell(location, 7) AS cell, sum(weight) AS total FROM people GROUP BY 1) p;

-- measures against plain SQL over cells
SELECT ok(coverage_sum(supply) = (SELECT sum(value) FROM swarm_reward_internal.coverage_cell_values(supply)), 'the sum of all cells') FROM field;
SELECT ok(coverage_area(supply) = (SELECT count(*) FROM swarm_reward_internal.coverage_cell_values(supply)) * coverage_cell_area(7), 'the area of all cells') FROM field;
SELECT ok(abs(coverage_sum(r.f, ST_GeogFromText(g)) / (SELECT sum(value) FROM coverage_cells(r.f) WHERE ST_Covers(ST_GeogFromText(g), center)) - 1) < 1e-13,
          'the sum in ' || left(g, 30))
FROM (SELECT demand / supply AS f FROM field) r,
     unnest(ARRAY['POLYGON((10 10,60 12,55 50,5 48,10 10))', 'POLYGON((160 -50,-150 -48,-155 20,165 18,160 -50))']) g;
-- both forms of prefix sums: a field of few runs and one of nearly as many as cells
SELECT ok(abs(coverage_sum(r.f, ST_GeogFromText(p), d) / (SELECT sum(value) FROM coverage_cells(r.f) WHERE ST_DWithin(center, ST_GeogFromText(p), d, true)) - 1) < 1e-13,
          'the sum in a disc at ' || p || ', ' || n || ' field')
FROM (SELECT 'sparse', demand / supply FROM field UNION ALL SELECT 'dense', 1 / (1 + supply) + supply * supply FROM field) r (n, f),
     (VALUES ('POINT(10 45)', 1.5e6), ('POINT(179 -60)', 2.5e6), ('POINT(0 90)', 3e6)) v(p, d);
SELECT cmp_ok(length(swarm_reward_internal.coverage_send(supply * supply)), '>', 12 * 196608 / 6, 'the dense field is dense') FROM field;

-- very different magnitudes: differences of prefix sums must not drown the small ones
SELECT ok(coverage_sum(f, 'POINT(100 20)', 200000) = 1e-3::float8 * (SELECT count(*) FROM swarm_reward_internal.coverage_cell_values(coverage_mask(f, 1e-4) - coverage_mask(f, 1))),
          'small values are summed exactly beside large ones')
FROM (SELECT coverage_agg(l, r, 1e9, 7) * coverage_agg(l, r, 1, 7) + 1e-3 * coverage_agg('POINT(100 20)'::geography, 100000, 1, 7) AS f
      FROM (VALUES ('POINT(-100 20)'::geography, 3e6)) v(l, r)) x;

-- union is at most the sum; unions of more are larger
SELECT ok(coverage_area(supply) <= (SELECT sum(coverage_area(f)) FROM (SELECT coverage_agg(location, radius_m, 1, 7) AS f FROM net GROUP BY id) d), 'union at most the sum') FROM field;

-- a refined grid converges to the area of the geodesic disc
SELECT ok(abs(coverage_area(c11) / ST_Area(ST_Buffer(ST_Point(20, 45)::geography, 200000, 256)) - 1) < 2e-3
          AND abs(coverage_area(c11) - coverage_area(c10)) < abs(coverage_area(c10) - coverage_area(c6)) + 1e9, 'a disc converges with the order')
FROM (SELECT coverage_agg(l, 200000, 1, 11) AS c11, coverage_agg(l, 200000, 1, 10) AS c10, coverage_agg(l, 200000, 1, 6) AS c6
      FROM (VALUES ('POINT(20 45)'::geography)) v(l)) c;

-- storage
CREATE TABLE stored AS SELECT 1 AS id, supply AS c FROM field UNION ALL SELECT 2, demand FROM field UNION ALL SELECT 3, 1 - supply / 3 FROM field;
SELECT ok(bool_and(c::text::coverage = c), 'text round trips exactly') FROM stored;
SELECT ok(bool_and(encode(swarm_reward_internal.coverage_send(c), 'hex') = encode(swarm_reward_internal.coverage_send(c::text::coverage), 'hex')), 'and so do the bytes') FROM stored;
SELECT ok(count(*) = 2 AND bool_and(n = 2), 'equal fields group together')
FROM (SELECT c, count(*) AS n FROM (SELECT c FROM stored WHERE id < 3 UNION ALL SELECT c::text::coverage FROM stored WHERE id < 3) u GROUP BY c) g;
SELECT ok((SELECT count(*) FROM stored a JOIN stored b USING (c)) = 3, 'and join');

SELECT * FROM finish();
ROLLBACK;
