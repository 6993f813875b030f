-- epoch_progress: what waits, what runs and how far it is, for everybody who may look.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(6);
SELECT is((SELECT array_agg(state ORDER BY epoch_id) FROM epoch_progress), ARRAY['waiting', 'waiting', 'waiting'], 'three epochs wait');
CREATE ROLE progress_service;
SELECT grant_role('service', 'progress_service') \g /dev/null
SET LOCAL ROLE progress_service;
SELECT is((SELECT count(*) FROM epoch_progress), 3::bigint, 'a service sees them, which may not read policies');
RESET ROLE;
CALL run_epoch(1);
-- the locks that show it are the transaction's
SELECT is((SELECT concat_ws(' ', state, phase, phase_no, 'of', phases, pid = pg_backend_pid()) FROM epoch_progress WHERE epoch_id = 1), 'running seal 8 of 9 t', 'one runs, in the last phase of its computation');
SAVEPOINT before;
SELECT swarm_reward_internal.rehearse_epoch(2, 1) \g /dev/null
SELECT is((SELECT state FROM epoch_progress WHERE epoch_id = 2), 'running', 'so does the rehearsal of another');
ROLLBACK TO before;
SELECT is((SELECT state FROM epoch_progress WHERE epoch_id = 2), 'waiting', 'until it is rolled back');
SELECT is((SELECT count(*) FROM preview_epoch(2) WHERE amount > 0) > 0, true, 'as preview_epoch does');
SELECT * FROM finish();
ROLLBACK;
