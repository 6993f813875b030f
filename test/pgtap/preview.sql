-- preview_epoch: the real engine, rolled back, before, during and after an epoch, under this policy and others.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(13);
SELECT cmp_ok((SELECT sum(amount) FROM preview_epoch(1)), '>', 0::numeric, 'an epoch is previewed before it was computed');
SELECT throws_ok('SELECT * FROM preview_epoch(2)', '55000', 'epoch 1 comes before epoch 2 and is planned', 'but not one after it');
SELECT results_eq('SELECT count(*) FROM epoch WHERE status <> ''planned''', 'SELECT 0::bigint', 'and is as it was');
CREATE TEMP TABLE before AS SELECT * FROM preview_epoch(1);
CALL run_epoch(1);
SELECT results_eq('SELECT node_id, component, amount FROM before ORDER BY 1, 2', 'SELECT node_id, component, amount FROM reward WHERE epoch_id = 1 ORDER BY 1, 2', 'what was previewed is what is then paid');
CALL run_epoch(2);
SELECT is_empty('SELECT * FROM preview_epoch(2) WHERE amount IS DISTINCT FROM paid', 'of a computed one it shows what was paid beside it');

-- another policy
SELECT new_policy('p', 'dear gpus', '2030-01-01', '{"geographic_gaps_price_max": 100}') AS id \gset
UPDATE policy_resource SET unit_value = 50 WHERE policy_id = :id AND resource_type = 'gpu';
SELECT cmp_ok((SELECT count(*) FROM preview_epoch(2, :id) WHERE amount <> coalesce(paid, 0)), '>', 0::bigint, 'another policy pays something else');
SELECT new_policy('p', 'coarse', '2031-01-01', '{"grid_order": 5}') AS coarse \gset
SELECT throws_ok(format('SELECT * FROM preview_epoch(2, %s)', :coarse), '55000', format('policy %s has grid order 5, but what is taken for given is known on grid order 6', :coarse), 'one on another grid cannot be compared with the epoch before');
SELECT cmp_ok((SELECT sum(amount) FROM preview_epoch(1, :coarse)), '>', 0::numeric, 'but the first epoch has none before it');
SELECT throws_ok('SELECT * FROM preview_epoch(2, 12345)', 'P0002', 'policy 12345 does not exist', 'an unknown policy is named');

-- under way: until now, with that part of the budget
CALL run_epoch(3);
INSERT INTO epoch (epoch_id, period, budget) VALUES (4, tstzrange(date_trunc('hour', now()) - interval '6 hours', date_trunc('hour', now()) + interval '18 hours'), 1000000), (5, tstzrange(now() + interval '2 days', now() + interval '3 days'), 5);
SELECT make_telemetry_partitions(date_trunc('day', now() - interval '1 day'), date_trunc('day', now() + interval '1 day'), '1 day') \g /dev/null
INSERT INTO telemetry (node_id, sampled_at, latency_ms, ok) SELECT node_id, t, 20, true FROM node, generate_series(now() - interval '8 hours', now(), '4 minutes') t WHERE left_at IS NULL;
CREATE TEMP TABLE so_far AS SELECT * FROM preview_epoch(4);
UPDATE epoch SET budget = floor(1000000 * extract(epoch FROM now() - lower(period)) / 86400), period = tstzrange(lower(period), now()) WHERE epoch_id = 4;
CALL run_epoch(4);
SELECT cmp_ok((SELECT sum(amount) FROM so_far), '>', 0::numeric, 'an epoch that has not ended is previewed');
SELECT results_eq('SELECT node_id, component, amount FROM so_far ORDER BY 1, 2', 'SELECT node_id, component, amount FROM reward WHERE epoch_id = 4 ORDER BY 1, 2', 'as if it ended now, with that part of its budget');
SELECT throws_ok('SELECT * FROM preview_epoch(5)', '55000', NULL, 'one that has not begun is not');
SELECT is((SELECT count(*) FROM epoch WHERE epoch_id < 0) + (SELECT count(*) FROM pg_class WHERE relname ~ '_-\d+$'), 0::bigint, 'nothing is left behind');
SELECT * FROM finish();
ROLLBACK;
