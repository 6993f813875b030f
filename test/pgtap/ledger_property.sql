-- Properties of the rewards over hundreds of small generated networks: what a provider can do to its
-- own nodes, and networks at the edge of what there is. Seeds are fixed; a failing case prints its own.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(19);

-- The network of a seed is played once as it is and once changed: what did the change bring
-- each provider, by component? rows: how many amounts were rounded.
CREATE VIEW pg_temp.brought AS
SELECT b.label, b.seed, b.provider_id, b.component, coalesce(a.amount, 0) AS before, coalesce(b.amount, 0) AS after, coalesce(a.rows, 0) + coalesce(b.rows, 0) AS rows
FROM (SELECT seed, provider_id, component, sum(amount) AS amount, count(*) AS rows FROM pg_temp.paid WHERE label = 'as it is' GROUP BY 1, 2, 3) a
	FULL JOIN (SELECT label, seed, provider_id, component, sum(amount) AS amount, count(*) AS rows FROM pg_temp.paid WHERE label <> 'as it is' GROUP BY 1, 2, 3, 4) b
	USING (seed, provider_id, component);

-- two providers that became one
CREATE VIEW pg_temp.merged AS
SELECT seed, component, coalesce(sum(amount) FILTER (WHERE label = 'as it is'), 0) AS before, coalesce(sum(amount) FILTER (WHERE label = 'merged'), 0) AS after, count(*) AS rows
FROM pg_temp.paid WHERE provider_id IN (1001, 1002) AND label IN ('as it is', 'merged') AND seed IN (SELECT seed FROM pg_temp.pool WHERE label = 'merged')
GROUP BY seed, component;

-- small, and each in its own way: with and without a baseline epoch
CREATE FUNCTION pg_temp.try(label text, seeds int4range, change text, epochs int DEFAULT 2) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR seed IN lower(seeds) .. upper(seeds) - 1 LOOP
		DELETE FROM pg_temp.case_option;
		IF seed % 3 = 0 THEN INSERT INTO pg_temp.case_option VALUES ('baseline', 'no'); END IF;
		PERFORM pg_temp.play(try.label, seed, 6 + seed % 5,
			'UPDATE policy SET grid_order = 3 WHERE policy_id = 1000;' || coalesce(replace(change, ':seed', seed::text), ''), epochs);
	END LOOP;
END $$;

\o /dev/null
SELECT pg_temp.try('as it is', '[1,31)', NULL);

-- other keys: nodes come in the opposite order, so only ties and remainders may go elsewhere
SELECT pg_temp.try('renumbered', '[1,21)', $$
	SET LOCAL session_replication_role = replica;
	UPDATE node SET node_id = 3000 - node_id; UPDATE node_resource SET node_id = 3000 - node_id;
	UPDATE telemetry SET node_id = 3000 - node_id; UPDATE beacon_rtt SET node_id = 3000 - node_id;
	SET LOCAL session_replication_role = origin $$);

-- a node becomes two parts of any size, of the same provider or of a new one
CREATE FUNCTION pg_temp.split_node(seed int, provider bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	a numeric := round((0.02 + 0.96 * pg_temp.r(seed, 'part', 0))::numeric, 6);
	one bigint;
BEGIN
	SELECT n.node_id INTO one FROM node n WHERE n.node_id > 1000 ORDER BY pg_temp.r(seed, 'which', n.node_id) LIMIT 1;
	INSERT INTO node (node_id, provider_id, hardware_id, location, service_radius_m, status, joined_at, left_at)
		SELECT 1500, coalesce(provider, provider_id), hardware_id || ' b', location, service_radius_m, status, joined_at, left_at FROM node WHERE node_id = one;
	INSERT INTO node_resource SELECT 1500, resource_type, units * (1 - a), valid FROM node_resource WHERE node_id = one;
	UPDATE node_resource SET units = units * a WHERE node_id = one;
	INSERT INTO beacon_rtt SELECT 1500, beacon_id, measured_at, rtt_ms FROM beacon_rtt WHERE node_id = one;
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, energy_mwh)
		SELECT 1500, service_type, sampled_at, latency_ms, ok, work / 2, energy_mwh / 2 FROM telemetry WHERE node_id = one;
	UPDATE telemetry SET work = work / 2, energy_mwh = energy_mwh / 2 WHERE node_id = one;
END $$;
SELECT pg_temp.try('split', '[1,31)', 'SELECT pg_temp.split_node(:seed, NULL)');

-- the nodes of two providers become one's
SELECT pg_temp.try('merged', '[1,26)', 'UPDATE node SET provider_id = 1001 WHERE provider_id = 1002');

-- a node has more of everything from the start, or does more work
SELECT pg_temp.try('more', '[1,31)', $$ UPDATE node_resource SET units = units * 1.37 WHERE node_id = 1001 + :seed % 6 $$);
SELECT pg_temp.try('more work', '[1,16)', $$ UPDATE telemetry SET work = work * 2, energy_mwh = energy_mwh * 2 WHERE node_id = 1001 + :seed % 6 $$);

-- a node that is not where it says it is
SELECT pg_temp.try('elsewhere', '[1,16)', $$ UPDATE beacon_rtt SET rtt_ms = 0.001 WHERE node_id = 1001 + :seed % 6 $$);
\o
SELECT cmp_ok((SELECT count(DISTINCT (label, seed)) FROM pg_temp.paid WHERE amount > 0), '>=', 150::bigint, 'many networks, and they paid something');
SELECT is_empty($$ SELECT * FROM pg_temp.pool WHERE budget + carried_in <> paid + carried_out + treasury $$, 'every pool of each balances');
SELECT is_empty($$ SELECT label, seed, epoch_id FROM pg_temp.pool WHERE NOT verified $$, 'every epoch of each verifies');
SELECT is_empty($$ SELECT * FROM pg_temp.brought WHERE label = 'renumbered' AND abs(after - before) > rows $$, 'other keys: the same amounts, to a base unit a row');
SELECT is_empty($$ SELECT a.seed, a.epoch_id, a.component, a.part FROM (SELECT seed, epoch_id, component, part, sum(score) AS score FROM pg_temp.paid WHERE label = 'as it is' GROUP BY 1, 2, 3, 4) a
	JOIN (SELECT seed, epoch_id, component, part, sum(score) AS score FROM pg_temp.paid WHERE label = 'renumbered' GROUP BY 1, 2, 3, 4) b USING (seed, epoch_id, component, part)
	WHERE a.score <> b.score $$, 'and exactly the same scores');
SELECT is_empty($$ SELECT * FROM pg_temp.brought WHERE label = 'split' AND abs(after - before) > rows $$, 'a node split in two earns what it earned, in every component');
SELECT is_empty($$ SELECT seed, sum(before), sum(after) FROM pg_temp.merged GROUP BY seed HAVING sum(after) > sum(before) + sum(rows) $$, 'two providers that become one earn no more than before');
SELECT is_empty($$ SELECT * FROM pg_temp.merged WHERE component IN ('coverage_gaps', 'resource_types', 'service_types', 'specialization') AND abs(after - before) > rows $$,
	'and the same where neither age nor marks come in');

-- what a node with more earns, node by node
CREATE VIEW pg_temp.node_brought AS
SELECT b.label, b.seed, b.node_id, b.component, b.part, coalesce(a.amount, 0) AS before, b.amount AS after
FROM (SELECT label, seed, node_id, component, part, sum(amount) AS amount FROM pg_temp.paid WHERE label IN ('more', 'more work', 'elsewhere') AND node_id = 1001 + seed % 6 GROUP BY 1, 2, 3, 4, 5) b
	LEFT JOIN (SELECT seed, node_id, component, part, sum(amount) AS amount FROM pg_temp.paid WHERE label = 'as it is' GROUP BY 1, 2, 3, 4) a USING (seed, node_id, component, part);
SELECT is_empty($$ SELECT * FROM pg_temp.node_brought WHERE label = 'more' AND component IN ('coverage_gaps', 'network_capacity', 'service_types', 'specialization') AND after < before - 2 $$,
	'more units never earn less where no price comes in');
SELECT is_empty($$ SELECT * FROM pg_temp.node_brought WHERE label = 'more work' AND after < before - 2 $$, 'more work at equal quality never earns less');
SELECT is_empty($$ SELECT * FROM pg_temp.node_brought WHERE label = 'elsewhere' AND after > 0 $$, 'a node that cannot be where it says earns nothing');

-- the one thing that fails, by its nature: a scarce resource stops being scarce
SELECT ok(10 * greatest(0, next_price(1, 105, 100, 0.5, 0.125, 0.25, 8) - 1) > 20 * greatest(0, next_price(1, 105, 110, 0.5, 0.125, 0.25, 8) - 1),
	'in resource_types the double of 10 units may score less: 110 for a demand of 105 are not scarce, 100 are');

-- capacity that goes and comes earns no more than capacity that stays
\o /dev/null
DELETE FROM pg_temp.paid;
SELECT pg_temp.try('as it is', '[1,9)', NULL, 4);
SELECT pg_temp.try('cycled', '[1,9)', $$
	DELETE FROM node_resource WHERE node_id = 1001 + :seed % 6;
	INSERT INTO node_resource SELECT 1001 + :seed % 6, 't_gpu', 15, p FROM unnest(ARRAY[tstzrange(NULL, '2021-01-21 00:00+00'), '[2021-02-10 00:00+00,2021-03-02 00:00+00)']) p $$, 4);
SELECT pg_temp.try('steady', '[1,9)', $$
	DELETE FROM node_resource WHERE node_id = 1001 + :seed % 6;
	INSERT INTO node_resource VALUES (1001 + :seed % 6, 't_gpu', 15, '(,)') $$, 4);
\o
SELECT is_empty($$ SELECT c.seed, c.score, s.score FROM (SELECT seed, sum(score) AS score FROM pg_temp.paid WHERE label = 'cycled' AND component = 'network_capacity' AND node_id = 1001 + seed % 6 GROUP BY seed) c
	LEFT JOIN (SELECT seed, sum(score) AS score FROM pg_temp.paid WHERE label = 'steady' AND component = 'network_capacity' AND node_id = 1001 + seed % 6 GROUP BY seed) s USING (seed)
	WHERE c.score > coalesce(s.score, 0) + 1e-9 $$, 'capacity cycled in and out over the epochs scores no more growth than capacity that stays');

-- the edges: what there is nothing of
\o /dev/null
DELETE FROM pg_temp.paid; DELETE FROM pg_temp.pool;
SELECT pg_temp.try('no demand', '[1,4)', 'DELETE FROM demand; DELETE FROM resource_demand');
SELECT pg_temp.try('one place', '[1,4)', 'UPDATE node SET location = (SELECT location FROM node WHERE node_id = 1001), service_radius_m = 500000');
SELECT pg_temp.try('one node', '[1,4)', 'DELETE FROM telemetry WHERE node_id > 1001; DELETE FROM beacon_rtt WHERE node_id > 1001; DELETE FROM node_resource WHERE node_id > 1001; DELETE FROM node WHERE node_id > 1001');
SELECT pg_temp.try('no nodes', '[1,4)', 'DELETE FROM telemetry; DELETE FROM beacon_rtt; DELETE FROM node_resource; DELETE FROM node');
SELECT pg_temp.try('nobody answers', '[1,4)', 'DELETE FROM telemetry');
\o
SELECT is((SELECT count(DISTINCT (label, seed)) FROM pg_temp.pool), 15::bigint, 'networks at the edge are computed');
SELECT is_empty($$ SELECT * FROM pg_temp.pool WHERE budget + carried_in <> paid + carried_out + treasury OR NOT verified $$, 'balance and verify');
SELECT is_empty($$ SELECT * FROM pg_temp.paid WHERE label IN ('no nodes', 'nobody answers') AND amount > 0 $$, 'without nodes that answer nothing is paid');
SELECT is_empty($$ SELECT * FROM pg_temp.paid WHERE label = 'no demand' AND component IN ('coverage_gaps', 'new_regions') AND amount > 0 $$, 'without demand there is neither a gap nor a region short of coverage');
SELECT is_empty($$ SELECT seed, epoch_id, component FROM pg_temp.pool p WHERE label = 'one node' AND paid > 0
	AND paid <> (SELECT sum(amount) FROM pg_temp.paid r WHERE (r.label, r.seed, r.epoch_id, r.component) = (p.label, p.seed, p.epoch_id, p.component)) $$, 'one node takes all that a pool pays');
SELECT ok((SELECT sum(amount) FROM pg_temp.paid WHERE label = 'one node') > 0 AND (SELECT sum(amount) FROM pg_temp.paid WHERE label = 'one place') > 0, 'one node is paid, and so are many at one place');
SELECT * FROM finish();
ROLLBACK;
