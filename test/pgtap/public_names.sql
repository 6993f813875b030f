-- What schema swarm_reward shows to people, in full: whoever adds a public name adds it here, and to the contract.
-- What nobody calls by name belongs into swarm_reward_internal.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SELECT plan(10);

CREATE FUNCTION pg_temp.routines(kinds "char"[]) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'swarm_reward'::regnamespace AND prokind = ANY (kinds) $$;
CREATE FUNCTION pg_temp.relations(kinds "char"[]) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT relname::text FROM pg_class WHERE relnamespace = 'swarm_reward'::regnamespace AND relkind = ANY (kinds) AND NOT relispartition $$;
CREATE FUNCTION pg_temp.words(list text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT m[1] FROM regexp_matches(list, '\w+', 'g') m $$;

SELECT set_eq($$ SELECT typname::text FROM pg_type WHERE typnamespace = 'swarm_reward'::regnamespace AND typrelid = 0 AND typelem = 0 $$,
	$$ SELECT * FROM pg_temp.words('code coverage telemetry_summary') $$, 'types');
SELECT set_eq($$ SELECT * FROM pg_temp.routines('{a,w}') $$, $$ SELECT * FROM pg_temp.words('
	allocate coverage_agg density_agg rollup sum telemetry_agg') $$, 'aggregates and window functions');
SELECT set_eq($$ SELECT * FROM pg_temp.routines('{p}') $$, $$ SELECT * FROM pg_temp.words('
	finalize_epoch roll_telemetry run_due_epochs run_epoch') $$, 'procedures');
SELECT set_eq($$ SELECT * FROM pg_temp.routines('{f}') $$, $$ SELECT * FROM pg_temp.words('
	coverage_area coverage_cell coverage_cell_area coverage_cells coverage_cells_planar coverage_focal_sum coverage_gaps
	coverage_greatest coverage_least coverage_mask coverage_order coverage_round coverage_sites coverage_sum coverage_svg
	coverage_tile coverage_value covering_region region_area region_coverage
	min_rtt rtt_distance service_radius
	error_rate error_rate_upper errors response_time samples slot uptime
	checksum_address is_payout_address keccak256 merkle_leaf merkle_proof merkle_root merkle_tree merkle_verify

	correct_node new_policy region_of replace_node set_node_resource
	archive_epoch challenge_epoch check_epoch explain_reward hold_epoch plan_epochs preview_epoch release_epoch reopen_epoch
	restate_epoch reward_map simulate_node verify_epoch
	cancel_payout confirm_payout fail_payout fund_treasury make_payout payout_csv payout_proof payout_tree release_payout verify_payout
	distribute_telemetry ingest_telemetry keep_telemetry_partitions make_telemetry_partitions undistribute_telemetry
	grant_role revoke_role schedule_jobs unschedule_jobs') $$, 'functions');
SELECT set_eq($$ SELECT * FROM pg_temp.relations('{r,p}') $$, $$ SELECT * FROM pg_temp.words('
	beacon beacon_rtt demand node node_resource node_suspension outage provider region resource_check resource_demand
	resource_type service_type telemetry telemetry_hour telemetry_reject
	policy policy_region policy_resource policy_service specialization component
	epoch epoch_beacon epoch_computation epoch_event epoch_failure epoch_node epoch_node_resource epoch_node_service
	epoch_pool epoch_provider epoch_region epoch_region_resource epoch_resource epoch_service restatement reward
	account audit entry payout payout_line posting') $$, 'tables');
SELECT set_eq($$ SELECT * FROM pg_temp.relations('{v,m}') $$, $$ SELECT * FROM pg_temp.words('
	coverage_gap data_residency epoch_owner epoch_progress growth_metric health latency_reach location_trust node_reward provider_balance provider_statement region_status') $$, 'views');

SELECT cmp_ok(count(*), '<=', 90::bigint, 'some eighty names can be called: two screens of \df') FROM pg_temp.routines('{a,w,p,f}');
-- what the catalogue says is a part of something else
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'swarm_reward'::regnamespace AND (p.prorettype IN ('internal'::regtype, 'trigger'::regtype) OR 'internal'::regtype = ANY (p.proargtypes)
		OR EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid) OR EXISTS (SELECT FROM pg_amproc a WHERE a.amproc = p.oid)
		OR EXISTS (SELECT FROM pg_type t WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
		OR EXISTS (SELECT FROM pg_aggregate a WHERE p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn))) $$,
	'none is only a part of a type, an operator, an aggregate or a trigger');

-- what others are made of is in a schema of its own, and works for everybody all the same
CREATE ROLE sr_test_anybody;
GRANT USAGE ON SCHEMA swarm_reward TO sr_test_anybody;
SET LOCAL ROLE sr_test_anybody;
SELECT lives_ok($$ SELECT coverage_svg(c, ARRAY['POINT(10 50)'::geography], 'title'), coverage_tile(c, 0, 0, 0), min_rtt('POINT(0 0)', 'POINT(1 0)'), c = c, c <> c, 1 - c / 2 * 3 + c
	FROM (SELECT coverage_agg('POINT(10 50)', 100000)) f(c) GROUP BY c $$, 'anybody may calculate with fields');
SELECT lives_ok($$ SELECT (SELECT count(boundary) FROM coverage_cells(c)), (SELECT count(boundary) FROM coverage_cells_planar(c)), (SELECT count(boundary) FROM coverage_gaps(c)),
		(SELECT count(location) FROM coverage_sites(c, 100000, 2)), (SELECT uptime(s, '[2024-01-01,2024-01-02)') FROM (SELECT telemetry_agg('2024-01-01', 1, true)) t(s) GROUP BY s)
	FROM (SELECT coverage_agg('POINT(10 50)', 100000)) f(c) $$, 'and take them apart');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
