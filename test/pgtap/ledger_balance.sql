-- Generated networks: money balances, results do not depend on row order or
-- plan, caps and price steps hold. A failing case prints its seed.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT plan(19);

\o /dev/null
SELECT pg_temp.play('base', seed, 10 + 6 * seed) FROM generate_series(1, 6) seed;
\o
SELECT is_empty($$ SELECT * FROM pg_temp.pool WHERE budget + carried_in <> paid + carried_out + treasury $$, 'every pool balances');
SELECT is_empty($$ SELECT label, seed, epoch_id, component, p.paid, sum(r.amount) FROM pg_temp.pool p LEFT JOIN pg_temp.paid r USING (label, seed, epoch_id, component)
	GROUP BY label, seed, epoch_id, component, p.paid HAVING p.paid <> coalesce(sum(r.amount), 0) $$, 'rewards add up to what each pool paid');
SELECT is_empty($$ SELECT seed, epoch_id FROM pg_temp.pool GROUP BY seed, epoch_id
	HAVING sum(budget) <> CASE epoch_id WHEN 1001 THEN 0 ELSE 1000003 * (1 + trunc(100 * pg_temp.r(seed, 'budget', epoch_id - 1000)::numeric)) END $$,
	'pool budgets add up to the epoch budget');
SELECT is_empty($$ SELECT seed, p.epoch_id, component FROM pg_temp.pool p JOIN pg_temp.pool q USING (label, seed, component)
	WHERE q.epoch_id = p.epoch_id + 1 AND q.carried_in <> p.carried_out $$, 'what is carried out of an epoch is carried into the next');
SELECT is_empty($$ SELECT seed, epoch_id FROM pg_temp.pool WHERE NOT verified $$, 'every epoch verifies from its frozen inputs');
SELECT is((SELECT sum(paid) FROM pg_temp.pool WHERE epoch_id = 1001), 0::numeric, 'a first epoch of budget 0 pays nothing');
SELECT ok((SELECT count(DISTINCT component || part) FROM pg_temp.paid WHERE amount > 0) = 7, 'every component and both halves of coverage_gaps pay somewhere');
SELECT ok((SELECT count(*) FROM pg_temp.pool WHERE carried_out > 0) > 0 AND (SELECT count(*) FROM pg_temp.pool WHERE treasury > 0) > 0,
	'something is carried and something goes to the treasury somewhere');

-- the same rows in another order, and with other plans
\o /dev/null
INSERT INTO pg_temp.case_option VALUES ('order', 'shuffled');
SELECT pg_temp.play('shuffled', 3, 28);
DELETE FROM pg_temp.case_option;
SET LOCAL enable_hashagg = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_seqscan = off;
SET LOCAL extra_float_digits = -5; SET LOCAL timezone = 'Pacific/Apia'; SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL bytea_output = 'escape'; SET LOCAL intervalstyle = 'iso_8601';
SELECT pg_temp.play('other plan', 3, 28);
RESET enable_hashagg; RESET enable_hashjoin; RESET enable_seqscan;
RESET extra_float_digits; RESET timezone; RESET datestyle; RESET bytea_output; RESET intervalstyle;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL min_parallel_index_scan_size = 0; SET LOCAL max_parallel_workers_per_gather = 4;
SELECT pg_temp.play('parallel', 3, 28);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET min_parallel_index_scan_size; RESET max_parallel_workers_per_gather;
\o
SELECT is((SELECT array_agg(digest ORDER BY epoch_id) FROM (SELECT DISTINCT epoch_id, digest FROM pg_temp.pool WHERE label = l AND seed = 3) x),
	(SELECT array_agg(digest ORDER BY epoch_id) FROM (SELECT DISTINCT epoch_id, digest FROM pg_temp.pool WHERE label = 'base' AND seed = 3) x), 'same digests: ' || l)
FROM unnest(ARRAY['shuffled', 'other plan', 'parallel']) l;
SELECT isnt((SELECT min(digest::text) FROM pg_temp.pool WHERE label = 'base' AND seed = 3 AND epoch_id = 1004),
	(SELECT min(digest::text) FROM pg_temp.pool WHERE label = 'base' AND seed = 4 AND epoch_id = 1004), 'other inputs, other digest');

-- caps
\o /dev/null
INSERT INTO pg_temp.case_option VALUES ('cap', '2500');
SELECT pg_temp.play('cap', seed, 10 + 6 * seed) FROM generate_series(3, 4) seed;
DELETE FROM pg_temp.case_option;
\o
SELECT is_empty($$ SELECT seed, epoch_id, component, r.provider_id, sum(r.amount) FROM pg_temp.paid r JOIN pg_temp.pool p USING (label, seed, epoch_id, component)
	WHERE label = 'cap' GROUP BY seed, epoch_id, component, r.provider_id, p.released HAVING sum(r.amount) > p.released * 2500 / 10000 $$,
	'no provider takes more than the cap of a pool');
SELECT is_empty($$ SELECT seed, epoch_id, component, part FROM pg_temp.paid WHERE label = 'cap'
	GROUP BY seed, epoch_id, component, part HAVING count(DISTINCT provider_id) >= 5
	EXCEPT SELECT DISTINCT seed, epoch_id, component, part FROM (
		SELECT c.seed, c.epoch_id, c.component, c.part, sum(c.amount) OVER w AS paid, p.released
		FROM pg_temp.paid c JOIN pg_temp.pool p USING (label, seed, epoch_id, component) WHERE label = 'cap'
		WINDOW w AS (PARTITION BY c.seed, c.epoch_id, c.component, c.part)) x
	WHERE component = 'coverage_gaps' OR paid = released $$, 'what the cap frees is shared out where five providers score');
SELECT ok((SELECT count(*) FROM (SELECT DISTINCT b.seed, b.epoch_id, b.component FROM pg_temp.paid b JOIN pg_temp.pool p USING (label, seed, epoch_id, component)
	WHERE label = 'base' AND seed IN (3, 4) GROUP BY b.seed, b.epoch_id, b.component, b.provider_id, p.released HAVING sum(b.amount) > p.released * 0.25) x) > 0,
	'without the cap somebody takes more');

-- degenerate networks
\o /dev/null
SELECT pg_temp.play('no nodes', 1, 0, NULL, 2);
SELECT pg_temp.play('one node', 1, 1, NULL, 2);
INSERT INTO pg_temp.case_option VALUES ('baseline', 'no');
SELECT pg_temp.play('one place', 1, 12, $$ UPDATE node SET location = 'POINT(10 10)', service_radius_m = 500000; DELETE FROM beacon_rtt $$, 2);
SELECT pg_temp.play('no demand', 1, 12, $$ DELETE FROM demand; DELETE FROM resource_demand $$, 2);
\o
SELECT is((SELECT sum(paid) FROM pg_temp.pool WHERE label = 'no nodes'), 0::numeric, 'without nodes nothing is paid, and it still balances');
SELECT ok((SELECT bool_and(verified) FROM pg_temp.pool WHERE label IN ('no nodes', 'one node', 'one place', 'no demand')), 'degenerate networks verify');
SELECT ok((SELECT sum(paid) FROM pg_temp.pool WHERE label = 'one place' AND epoch_id = 1001) > 0, 'a first epoch with a budget pays');
SELECT is((SELECT sum(paid) FROM pg_temp.pool WHERE label = 'no demand' AND component IN ('new_regions', 'coverage_gaps', 'resource_types')), 0::numeric,
	'without demand nothing is new, missing or scarce');
SELECT * FROM finish();
ROLLBACK;
