-- What each pool promises, over generated networks: arrival, shares that add up, growth that is paid once,
-- rarer services. Seeds are fixed; a failing case prints its own.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(10);

CREATE TABLE pg_temp.kept (seed int, what text, epoch_id bigint, key text, a numeric, b numeric);
-- the rows that a query gives on network `seed`, after four epochs; the network is rolled back
CREATE FUNCTION pg_temp.look(seed int, change text, VARIADIC queries text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	rows jsonb := '[]';
	more jsonb;
	query text;
BEGIN
	BEGIN
		PERFORM pg_temp.build(seed, 16);
		UPDATE policy SET grid_order = 3 WHERE policy_id = 1000;
		EXECUTE change;
		FOR k IN 1001 .. 1004 LOOP CALL run_epoch(k); END LOOP;
		FOREACH query IN ARRAY queries LOOP
			EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(x)), ''[]'') FROM (%s) x (what, epoch_id, key, a, b)', query) INTO more;
			rows := rows || more;
		END LOOP;
		RAISE EXCEPTION USING ERRCODE = 'UUUUU', MESSAGE = 'undo';
	EXCEPTION WHEN SQLSTATE 'UUUUU' THEN NULL;
	END;
	INSERT INTO pg_temp.kept SELECT look.seed, r.* FROM jsonb_to_recordset(rows) AS r (what text, epoch_id bigint, key text, a numeric, b numeric);
END $$;
\o /dev/null
SELECT pg_temp.look(seed,
	-- little growth of one kind is wanted; some capacity comes and goes: of every third node, each other epoch
	$$ UPDATE resource_type SET growth_need = 2 WHERE code = 't_disk'; UPDATE node_resource SET valid = tstzrange(NULL, '2021-02-10 00:00+00') WHERE node_id % 3 = 0 AND upper_inf(valid);
	INSERT INTO node_resource SELECT node_id, resource_type, units * 1.1, tstzrange('2021-03-02 00:00+00', NULL) FROM node_resource WHERE node_id % 3 = 0 AND upper(valid) = '2021-02-10 00:00+00' $$,
	-- the pots of a kind, all epochs together, and its value times the most there ever was
	$$ SELECT 'growth', 0, resource_type, sum(pot), max(unit_value) * (max(supply) - min(opening_mark)) FROM epoch_resource GROUP BY resource_type $$,
	-- what the owners of a kind score for growth, and the pots
	$$ SELECT 'growth shared', e.epoch_id, '', coalesce((SELECT sum(score) FROM reward r WHERE r.epoch_id = e.epoch_id AND component = 'network_capacity'), 0), coalesce(sum(t.pot), 0)
		FROM epoch e LEFT JOIN epoch_resource t ON t.epoch_id = e.epoch_id AND t.growth > 0 WHERE e.budget > 0 GROUP BY e.epoch_id $$,
	-- scores of the resource half, pair by pair, and the pot of the pair
	$$ SELECT 'resource', g.epoch_id, g.region || ' ' || g.resource_type, sum(n.quality * r.units) * max(g.rate),
			CASE WHEN max(g.demand) > 0 THEN max(t.unit_value) * greatest(0, max(g.demand) - max(g.opening_supply)) * least(1, sum(n.quality * r.units) / max(g.demand)) ELSE 0 END
		FROM epoch_region_resource g JOIN epoch_resource t USING (epoch_id, resource_type) JOIN epoch_node n USING (epoch_id, region) JOIN epoch_node_resource r USING (epoch_id, node_id, resource_type)
		GROUP BY 2, 3 $$,
	$$ SELECT 'resource half', e.epoch_id, '', coalesce((SELECT sum(score) FROM reward_part r WHERE r.epoch_id = e.epoch_id AND part = 'resource'), 0), sum(g.rate * g.supply)
		FROM epoch e JOIN epoch_region_resource g USING (epoch_id) WHERE e.budget > 0 GROUP BY e.epoch_id $$,
	$$ SELECT 'price', epoch_id, resource_type, price / previous_price - 1, sign(demand - supply) FROM epoch_resource WHERE price BETWEEN 0.2500001 AND 7.9999999 $$,
	-- what a service pays for a unit of its work, premium apart
	$$ SELECT 'service', e.epoch_id, s.service_type, s.pot / s.premium / s.work, s.work FROM epoch e JOIN epoch_service s USING (epoch_id) WHERE s.work > 0 $$)
FROM generate_series(1, 6) seed;
\o
SELECT is_empty($$ SELECT * FROM pg_temp.kept WHERE what = 'growth' AND a > b + 1e-12 $$, 'capacity that comes and goes: the pots of a kind never add up to more than its value times the rise of its highest mark');
SELECT ok((SELECT count(*) > 10 AND bool_or(a > 0 AND a < b) FROM pg_temp.kept WHERE what = 'growth'), 'and to less where growth was not wanted');
SELECT is_empty($$ SELECT * FROM pg_temp.kept WHERE what = 'growth shared' AND abs(a - b) > 1e-12 $$, 'who grew shares all of each pot');
SELECT is_empty($$ SELECT * FROM pg_temp.kept WHERE what = 'resource' AND abs(a - b) > 1e-12 $$, 'the resource half pays value * gap * min(1, supply / demand) for each region and kind');
SELECT is_empty($$ SELECT * FROM pg_temp.kept WHERE what = 'resource half' AND abs(a - b) > 1e-12 $$, 'and nothing besides');
SELECT is_empty($$ SELECT * FROM pg_temp.kept WHERE what = 'price' AND (abs(a) > 0.125 OR sign(a) <> b) $$, 'prices of a network move by a step at most, towards what is scarce');
SELECT is_empty($$ SELECT * FROM pg_temp.kept x JOIN pg_temp.kept y USING (seed, epoch_id, what) WHERE what = 'service' AND x.b < y.b AND x.a <= y.a $$, 'the rarer of two services pays more for a unit of work');
SELECT cmp_ok((SELECT count(*) FROM pg_temp.kept x JOIN pg_temp.kept y USING (seed, epoch_id, what) WHERE what = 'service' AND x.b < y.b), '>', 15::bigint, 'which was looked at often enough');

-- Arrival: an epoch with and without a node that is new in it.
CREATE TABLE pg_temp.with_it (node_id bigint, region code, multiplier numeric, covered float8);
CREATE TABLE pg_temp.without_it (LIKE pg_temp.with_it);
\o /dev/null
SELECT pg_temp.build(3, 30);
UPDATE policy SET grid_order = 3 WHERE policy_id = 1000;
CALL run_epoch(1001); CALL run_epoch(1002);
INSERT INTO pg_temp.with_it SELECT n.node_id, r.region, r.multiplier, r.closing_covered FROM epoch_node n JOIN epoch_region r USING (epoch_id)
	WHERE n.epoch_id = 1002 AND n.contribution > 0 AND lower(n.active) > '2021-01-21 00:00+00';
DO $$
DECLARE
	one bigint;
BEGIN
	FOR one IN SELECT DISTINCT node_id FROM pg_temp.with_it ORDER BY 1 LOOP
		UPDATE node SET status = 'pending' WHERE node_id = one AND status = 'active';
		UPDATE node SET status = 'pending', left_at = NULL WHERE node_id = one AND status = 'left';
		CALL run_epoch(1002);
		INSERT INTO pg_temp.without_it SELECT one, region, multiplier, closing_covered FROM epoch_region WHERE epoch_id = 1002;
		UPDATE node SET status = 'active' WHERE node_id = one;
	END LOOP;
END $$;
\o
SELECT is_empty('SELECT * FROM pg_temp.with_it a JOIN pg_temp.without_it b USING (node_id, region) WHERE a.multiplier <> b.multiplier', 'nobody''s arrival changes a multiplier of its own epoch');
SELECT ok((SELECT count(DISTINCT node_id) > 3 AND bool_or(a.covered > b.covered AND a.multiplier > 1) FROM pg_temp.with_it a JOIN pg_temp.without_it b USING (node_id, region)), 'though it does cover what was not covered');
SELECT * FROM finish();
ROLLBACK;
