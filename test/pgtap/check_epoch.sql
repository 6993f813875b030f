-- check_epoch on who reports too rarely: in the time in which a node was a member, and no other.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(4);
CREATE FUNCTION pg_temp.slow(epoch_id bigint) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(max(concat_ws(', ', value, hint)), '') FROM check_epoch(epoch_id) WHERE "check" = 'heartbeats slower than the timeout' $$;
DELETE FROM telemetry WHERE service_type IS NOT NULL;
SELECT is(pg_temp.slow(1), '', 'a heartbeat every five minutes is not slower than a timeout of five');
SELECT is(pg_temp.slow(2), '', 'nor is that of who was there for a part of the epoch');
DELETE FROM telemetry WHERE node_id = 1 AND extract(minute FROM sampled_at) > 30;
SELECT alike(pg_temp.slow(1), '1 nodes, %nodes 1 report%', 'half of them is');
DELETE FROM telemetry WHERE node_id = 1 AND sampled_at >= '2024-01-01' AND sampled_at < '2024-02-01';
SELECT is((SELECT severity || ': ' || hint FROM check_epoch(1) WHERE "check" = 'reports'), 'warning: Nothing was heard of nodes 1.', 'who is silent is named');
SELECT * FROM finish();
ROLLBACK;
