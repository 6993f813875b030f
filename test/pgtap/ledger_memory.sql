-- Leaving and coming back: what memory_epochs does about gaps of one's own making.
-- Networks in which nobody else changes, played twice: one provider stays, or is
-- away for one epoch or two and comes back as another node.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(17);

-- everybody is there all the time and does the same; node 1001 is provider 1009's only one
CREATE FUNCTION pg_temp.steady(away timestamptz, back timestamptz, memory int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM telemetry; DELETE FROM beacon_rtt; DELETE FROM node_resource WHERE upper(valid) IS NOT NULL;
	UPDATE policy SET grid_order = 3, memory_epochs = memory, unpaid_to = 'carry' WHERE policy_id = 1000;
	UPDATE node SET joined_at = '2021-01-01 00:00+00', left_at = NULL, status = 'active';
	INSERT INTO provider (provider_id, name) VALUES (1009, 'the one that leaves');
	UPDATE node SET provider_id = 1009, hardware_id = 'old iron' WHERE node_id = 1001;
	DELETE FROM node_resource WHERE node_id = 1001;
	INSERT INTO node_resource VALUES (1001, 't_gpu', 6, '(,)'), (1001, 't_cpu', 10, '(,)');
	IF away IS NOT NULL THEN
		INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, status, joined_at)
			SELECT 1501, provider_id, hardware_id, location, service_radius_m, 'pending', back FROM node WHERE node_id = 1001;
		UPDATE node SET status = 'left', left_at = away WHERE node_id = 1001;
		UPDATE node SET status = 'active' WHERE node_id = 1501;
		INSERT INTO node_resource SELECT 1501, resource_type, units, valid FROM node_resource WHERE node_id = 1001;
	END IF;
	INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok)
		SELECT n.node_id, t, 80, true FROM node n, generate_series(timestamptz '2021-01-01 00:00+00', '2021-03-21 23:00+00', '4 hours') t
		WHERE t >= n.joined_at AND (n.left_at IS NULL OR t < n.left_at);
END $$;
\o /dev/null
SELECT pg_temp.play(format('memory %s, %s', memory, what), seed, 10, format('SELECT pg_temp.steady(%L, %L, %s)', away, '2021-03-02 00:00+00', memory))
FROM generate_series(1, 3) seed,
	(VALUES ('stays', NULL, 1), ('away', '2021-02-10 00:00+00', 1), ('away', '2021-02-10 00:00+00', 2), ('long away', '2021-01-21 00:00+00', 2), ('long away', '2021-01-21 00:00+00', 3)) v (what, away, memory);
\o
-- scores and amounts of the one that leaves, in the epoch of its return; where nothing changes there is nothing to remember
CREATE VIEW pg_temp.back AS
SELECT substring(label, 'memory (\d+)')::int AS memory, substring(label, ', (.*)') AS what, seed, component, coalesce(part, '') AS part, sum(score) AS score, sum(amount) AS amount
FROM pg_temp.paid WHERE provider_id = 1009 AND epoch_id = 1004 GROUP BY 1, 2, 3, 4, 5;
CREATE FUNCTION pg_temp.compared(memory int, what text) RETURNS TABLE (seed int, part text, stays numeric, back numeric) LANGUAGE sql AS $$
	SELECT coalesce(a.seed, b.seed), coalesce(a.part, b.part), coalesce(a.score, 0), coalesce(b.score, 0)
	FROM (SELECT * FROM pg_temp.back x WHERE x.what = 'stays' AND component = 'coverage_gaps') a
		FULL JOIN (SELECT * FROM pg_temp.back x WHERE x.memory = compared.memory AND x.what = compared.what AND component = 'coverage_gaps') b USING (seed, part) $$;

SELECT is_empty('SELECT label, seed, epoch_id FROM pg_temp.pool WHERE NOT verified', 'all verify');
SELECT ok((SELECT bool_and(score > 0) AND count(*) >= 2 FROM pg_temp.back WHERE memory = 1 AND what = 'away' AND part = 'geographic'), 'it comes back to places where somebody is wanted');

-- the counter-example: with a memory of one epoch, coming back fills a gap that leaving made
SELECT ok((SELECT bool_and(back > stays) FROM pg_temp.compared(1, 'away') WHERE part = 'geographic'), 'an opening supply that remembers one epoch: coming back scores more than staying');
SELECT ok((SELECT count(*) FILTER (WHERE back > stays) > 0 FROM pg_temp.compared(1, 'away') WHERE part = 'resource'), 'in the resource half as well');
SELECT is_empty($$ SELECT * FROM pg_temp.compared(2, 'away') WHERE back > stays * (1 + 1e-12) $$, 'with a memory of two, one epoch away brings nothing');
SELECT is_empty($$ SELECT * FROM pg_temp.compared(3, 'long away') WHERE back > stays * (1 + 1e-12) $$, 'with a memory of three, two epochs away bring nothing');
SELECT ok((SELECT bool_or(back > stays) FROM pg_temp.compared(2, 'long away') WHERE part = 'geographic'), 'longer than the memory they do');
SELECT is_empty($$ SELECT a.seed, a.component, a.score, b.score FROM pg_temp.back a JOIN pg_temp.back b USING (seed, component, part)
	WHERE a.memory = 2 AND a.what = 'away' AND b.what = 'stays' AND component IN ('new_regions', 'network_capacity') AND a.score > b.score * (1 + 1e-12) $$, 'and no region is newer, no growth higher for it');
SELECT is_empty($$ SELECT a.seed, a.amount, b.amount FROM
		(SELECT seed, sum(amount) AS amount FROM pg_temp.paid WHERE label = 'memory 2, away' AND provider_id = 1009 AND component <> 'resource_types' GROUP BY seed) a
		JOIN (SELECT seed, sum(amount) AS amount FROM pg_temp.paid WHERE label = 'memory 1, stays' AND provider_id = 1009 AND component <> 'resource_types' GROUP BY seed) b USING (seed)
	WHERE a.amount > b.amount $$, 'over all epochs leaving and coming back earns no more than staying, prices apart');

-- the fair shares of the gap still add up to the gap that is filled, with any memory
\o /dev/null
CREATE TABLE pg_temp.gap (memory int, epoch_id bigint, filled float8, shared float8);
CREATE TABLE pg_temp.opened (epoch_id bigint, ok boolean);
SELECT pg_temp.build(11, 30);
UPDATE policy SET memory_epochs = 3 WHERE policy_id = 1000;
CALL run_epoch(1001); CALL run_epoch(1002); CALL run_epoch(1003); CALL run_epoch(1004);
INSERT INTO pg_temp.gap SELECT p.memory_epochs, e.epoch_id,
	coverage_sum(gap_field(e.demand, e.supply, p.supply_target) * coverage_least(e.closing_supply / p.supply_target::float8, 1)),
	(SELECT coalesce(sum(score), 0) FROM epoch_score(e.epoch_id, 'coverage_gaps', 'geographic'))
	FROM epoch e JOIN policy p USING (policy_id) WHERE e.status = 'computed';
\o
SELECT ok((SELECT bool_and(filled > 0 AND abs(shared / filled - 1) < 1e-9) AND count(*) = 4 FROM pg_temp.gap), 'with a memory too the geographic scores add up to the demand of the gap that is served');
SELECT ok((SELECT bool_and(x.supply = coverage_greatest(coverage_greatest(a.closing_supply, b.closing_supply), c.closing_supply)) FROM epoch x, epoch a, epoch b, epoch c
	WHERE (x.epoch_id, a.epoch_id, b.epoch_id, c.epoch_id) = (1004, 1003, 1002, 1001)), 'the opening supply is the greatest of the three before');
SELECT ok((SELECT x.supply = coverage_greatest(a.closing_supply, b.closing_supply) AND x.supply <> a.closing_supply FROM epoch x, epoch a, epoch b
	WHERE (x.epoch_id, a.epoch_id, b.epoch_id) = (1003, 1002, 1001)), 'of fewer where there are fewer');
SELECT is_empty($$ SELECT r.region, r.resource_type, r.opening_supply FROM epoch_region_resource r
	WHERE r.epoch_id = 1004 AND r.opening_supply <> coalesce((SELECT max(o.supply) FROM epoch_region_resource o WHERE o.epoch_id BETWEEN 1001 AND 1003 AND (o.region, o.resource_type) = (r.region, r.resource_type)), 0) $$,
	'the opening supply of each region and kind too');
SELECT is_empty('SELECT e, v.* FROM generate_series(1001, 1004) e, verify_epoch(e) v WHERE NOT ok', 'which verifies');
SELECT throws_ok('INSERT INTO policy (name, memory_epochs) VALUES (''x'', 0)', '23514', NULL, 'something is always remembered');

-- preview_epoch under a policy that remembers otherwise is what run_epoch would pay
\o /dev/null
INSERT INTO policy SELECT (jsonb_populate_record(p, '{"policy_id": 1001, "name": "forgets", "effective_from": null, "memory_epochs": 1, "sealed_rules": null}')).* FROM policy p WHERE policy_id = 1000;
INSERT INTO specialization SELECT 1001, code, name, service_type, metric, bound, target, weight, min_samples, is_builtin FROM specialization WHERE policy_id = 1000;
CREATE TABLE pg_temp.preview AS SELECT component COLLATE "C" AS component, node_id, amount FROM preview_epoch(1004, 1001) WHERE amount > 0;
SET LOCAL session_replication_role = replica;
UPDATE epoch SET policy_id = 1001, status = 'open' WHERE epoch_id = 1004;
UPDATE policy SET sealed_rules = 2 WHERE policy_id = 1001;
SET LOCAL session_replication_role = origin;
CALL run_epoch(1004);
\o
SELECT results_eq('SELECT component, node_id, amount FROM pg_temp.preview ORDER BY 1, 2', 'SELECT component::text COLLATE "C", node_id, amount FROM reward WHERE epoch_id = 1004 AND amount > 0 ORDER BY 1, 2', 'preview_epoch knows what another memory would pay');
SELECT is_empty('SELECT * FROM verify_epoch(1004) WHERE NOT ok', 'as run_epoch did');
SELECT * FROM finish();
ROLLBACK;
