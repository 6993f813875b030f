-- The view coverage_gap: connected parts of what an epoch leaves unserved, against
-- the cells of the fields themselves.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(11);
SELECT is_empty('SELECT * FROM coverage_gap', 'no epoch, no gap');
\o /dev/null
SELECT pg_temp.build(5, 30);
-- a region inside another one, and none in the far south
INSERT INTO region (code, name, boundary) SELECT 'small', 'within T11', ST_Multi(ST_MakeEnvelope(-80, -20, -10, 20, 4326))::geography;
DELETE FROM resource_demand WHERE region LIKE 'T_0'; DELETE FROM region WHERE code LIKE 'T_0';
CALL run_epoch(1001); CALL run_epoch(1002);
\o
-- cell by cell, with plain arithmetic
CREATE TABLE pg_temp.unserved AS
SELECT e.epoch_id, d.cell, d.center, d.value * greatest(0, 1 - coalesce(s.value, 0) / p.supply_target::float8) AS value
FROM epoch e JOIN policy p USING (policy_id), LATERAL coverage_cells(e.demand) d LEFT JOIN coverage_cells(e.closing_supply) s USING (cell)
WHERE e.status = 'computed';
DELETE FROM pg_temp.unserved WHERE value = 0;
SELECT is((SELECT array_agg(DISTINCT epoch_id ORDER BY epoch_id) FROM coverage_gap), ARRAY[1001, 1002]::bigint[], 'epochs that are planned have none yet');
SELECT results_eq('SELECT epoch_id, period, status FROM coverage_gap GROUP BY 1, 2, 3 ORDER BY 1', $$ SELECT epoch_id, period, status FROM epoch WHERE status = 'computed' ORDER BY 1 $$, 'each says of which epoch it is');
SELECT results_eq('SELECT epoch_id, round(sum(deficit)::numeric, 6), round((sum(area_m2) / coverage_cell_area(4))::numeric, 6) FROM coverage_gap GROUP BY 1 ORDER BY 1',
	'SELECT epoch_id, round(sum(value)::numeric, 6), round(count(*), 6) FROM pg_temp.unserved GROUP BY 1 ORDER BY 1', 'together they are all that is unserved, cell by cell');
SELECT results_eq('SELECT epoch_id, round(sum(deficit)::numeric, 6) FROM coverage_gap GROUP BY 1 ORDER BY 1',
	$$ SELECT m.epoch_id, round(m.value - s.value, 6) FROM growth_metric m JOIN growth_metric s USING (epoch_id) WHERE (m.metric, s.metric) = ('demand', 'demand served') ORDER BY 1 $$,
	'and what growth_metric does not count as served');
SELECT is_empty($$ SELECT * FROM coverage_gap g WHERE round(g.deficit::numeric, 6) <> (SELECT round(sum(u.value)::numeric, 6) FROM pg_temp.unserved u
	WHERE u.epoch_id = g.epoch_id AND ST_Covers(g.boundary, u.center)) $$, 'the outline of each holds its own cells');
SELECT is_empty($$ SELECT * FROM coverage_gap g WHERE NOT EXISTS (SELECT FROM pg_temp.unserved u WHERE u.epoch_id = g.epoch_id AND u.cell = coverage_cell(g.center, 4)) $$, 'its center is one of them');
SELECT is_empty($$ SELECT * FROM (SELECT epoch_id, gap_id, deficit, row_number() OVER (PARTITION BY epoch_id ORDER BY gap_id) AS n, lag(deficit) OVER (PARTITION BY epoch_id ORDER BY gap_id) AS before FROM coverage_gap) x
	WHERE n <> gap_id OR deficit > before $$, 'numbered from 1, largest first');
SELECT is_empty($$ SELECT * FROM coverage_gap WHERE region IS DISTINCT FROM region_of(center) $$, 'the region is the one a node there would have');
SELECT ok((SELECT bool_or(region = 'small') AND bool_or(region LIKE 'T__') AND bool_or(region IS NULL) FROM coverage_gap), 'the small one, a large one, or none');
-- whoever reads views only can read it
CREATE ROLE swarm_reward_gap_reader;
SELECT grant_role('service', 'swarm_reward_gap_reader') \g /dev/null
SELECT lives_ok('SET LOCAL ROLE swarm_reward_gap_reader; SELECT * FROM swarm_reward.coverage_gap WHERE epoch_id = 1002', 'a service may read it');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
