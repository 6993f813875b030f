-- A large table joined without a condition with a stored field is planned for parallel workers, with the
-- server's own costs, and gives the same.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(5);

CREATE TABLE spot AS
SELECT i AS spot_id, ST_Point(mod(i * 137.50776405, 360) - 180, degrees(asin(1 - 2 * (i + 0.5) / 200000)))::geography AS location,
       20000 + i % 7 * 1000 AS radius_m
FROM generate_series(0, 199999) i;
CREATE TABLE price_field AS SELECT 1 AS field_id, coverage_agg(location, radius_m, 1 + spot_id % 5, 6) AS price, 2 AS number FROM spot WHERE spot_id % 100 = 0;
ANALYZE spot, price_field;

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    whole text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        whole := whole || line || E'\n';
    END LOOP;
    RETURN whole;
END $$;

SELECT matches(plan_of('SELECT sum(coverage_sum(f.price, location, radius_m)) FROM spot, price_field f'),
               'Gather.*Nested Loop.*Parallel Seq Scan on spot.*Materialize.*Seq Scan on price_field', 'shares of a joined field');
SELECT matches(plan_of('SELECT max(coverage_sum(price, location, radius_m)) FROM price_field CROSS JOIN spot'),
               'Gather.*Nested Loop.*Parallel Seq Scan on spot.*Materialize', 'the field named first');
SELECT matches(plan_of('SELECT sum(coverage_sum(f.price, location, radius_m)) FROM spot LEFT JOIN price_field f ON number = 2'),
               'Gather.*Nested Loop Left Join', 'an outer join');

CREATE TEMP TABLE together AS
SELECT spot_id, coverage_sum(f.price, location, radius_m) FROM spot, price_field f WHERE spot_id % 20 = 0;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT results_eq('SELECT spot_id, coverage_sum(f.price, location, radius_m) FROM spot, price_field f WHERE spot_id % 20 = 0 ORDER BY spot_id',
                  'SELECT * FROM together ORDER BY spot_id', 'workers see what one process sees');
SELECT doesnt_match(plan_of('SELECT sum(coverage_sum(f.price, location, radius_m)) FROM spot, price_field f'), 'Gather', 'without workers the plan is the server''s own');

SELECT * FROM finish();
ROLLBACK;
