-- Every function and procedure that takes the key of an epoch, node, policy, payout or restatement,
-- with a key that is in no table and with NULL: an error that names the key and says where to look,
-- or, where its comment or its being a mere list of the key's rows promises that, nothing.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT no_plan();
\o /dev/null
SELECT pg_temp.build(2, 10);
SET LOCAL client_min_messages = error;
CALL run_epoch(1001);
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
\o

-- %s: the key; kind: what does not exist; on_unknown and on_null: error, or what is answered instead
CREATE TEMP TABLE asked (call text, kind text, on_unknown text, on_null text);
INSERT INTO asked VALUES
	('CALL run_epoch(%s)', 'epoch', 'error', 'error'),
	('CALL finalize_epoch(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_epoch(%s)', 'epoch', 'error', 'error'),
	('SELECT explain_reward(%s, 1001)', 'epoch', 'error', 'error'),
	('SELECT explain_reward(1001, %s)', 'node', 'error', 'error'),
	('SELECT preview_epoch(%s, 1000)', 'epoch', 'error', 'error'),
	('SELECT preview_epoch(1001, %s)', 'policy', 'error', 'error'),
	($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', epoch_id => %s) $$, 'epoch', 'error', 'the last computed one'),
	($$ SELECT simulate_node('POINT(0 0)', 1000, '{}', provider_id => %s) $$, 'provider', 'error', 'a new one'),
	($$ SELECT simulate_place('POINT(0 0)', 1000, 1, %s, NULL, e) FROM epoch e WHERE e.epoch_id = 1001 $$, 'provider', 'error', 'a new one'),
	($$ SELECT restate_epoch(%s, 'because') $$, 'epoch', 'error', 'error'),
	($$ SELECT restate_epoch(1001, 'because', ARRAY[%s]::bigint[]) $$, 'node', 'error', 'another error'),
	('SELECT preview_restatement(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_restatement(%s)', 'restatement run', 'error', 'error'),
	('SELECT make_payout(%s)', 'epoch', 'error', 'the last final one'),
	('SELECT release_payout(%s)', 'payout', 'error', 'error'),
	($$ SELECT cancel_payout(%s, 'because') $$, 'payout', 'error', 'error'),
	('SELECT payout_csv(%s)', 'payout', 'error', 'error'),
	('SELECT payout_tree(%s)', 'payout', 'error', 'error'),
	('SELECT payout_proof(%s)', 'payout', 'error', 'error'),
	('SELECT verify_payout(%s)', 'payout', 'error', 'error'),
	('SELECT emission(%s, 1)', 'policy', 'error', 'NULL'),
	('SELECT emission_schedule(%s, 1)', 'policy', 'error', 'no row'),
	('SELECT epoch_closes_at(%s)', 'epoch', 'error', 'NULL'),
	('SELECT epoch_final_from(%s)', 'epoch', 'error', 'NULL'),
	('SELECT late_telemetry(%s)', 'epoch', 'error', 'NULL'),
	('SELECT epoch_balance(%s)', 'epoch', 'error', 'no row'),
	('SELECT payout_balance(%s)', 'payout', 'error', 'no row'),
	-- steps of run_epoch, verify_epoch and the others
	('SELECT computed_epoch(%s)', 'epoch', 'error', 'error'),
	('SELECT released_payout(%s)', 'payout', 'error', 'error'),
	('SELECT freeze_node(%s)', 'epoch', 'error', 'error'),
	('SELECT freeze_market(%s)', 'epoch', 'error', 'error'),
	('SELECT freeze_growth(%s)', 'epoch', 'error', 'error'),
	('SELECT pay_epoch(%s)', 'epoch', 'error', 'error'),
	('SELECT seal_epoch(%s)', 'epoch', 'error', 'error'),
	($$ SELECT record_computation(%s, 'because', 0, 0) $$, 'epoch', 'error', 'error'),
	($$ SELECT record_epoch_failure(%s, 'compute', 'XX000', '', '', '', '') $$, 'epoch', 'error', 'error'),
	('SELECT epoch_release(%s)', 'epoch', 'error', 'error'),
	($$ SELECT epoch_score(%s, 'new_regions') $$, 'epoch', 'error', 'error'),
	($$ SELECT epoch_shares(%s) $$, 'epoch', 'error', 'error'),
	($$ SELECT epoch_share(%s, 'new_regions', NULL, 1) $$, 'epoch', 'error', 'error'),
	('SELECT verify_seal(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_money(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_node(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_location(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_field(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_market(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_growth(%s)', 'epoch', 'error', 'error'),
	('SELECT verify_reward(%s)', 'epoch', 'error', 'error'),
	('SELECT reach_row(%s)', 'epoch', 'error', 'no row'),
	('SELECT reach_part(%s)', 'epoch', 'error', 'error'),
	('SELECT metric_row(%s)', 'epoch', 'error', 'error'),
	-- lists of what is in a table with that key
	('SELECT epoch_statement(%s)', NULL, 'no row', 'no row'),
	('SELECT epoch_owner(%s)', NULL, 'no row', 'no row'),
	('SELECT epoch_capacity(%s)', NULL, 'no row', 'no row'),
	('SELECT epoch_region_supply(%s)', NULL, 'no row', 'no row'),
	('SELECT epoch_work(%s)', NULL, 'no row', 'no row'),
	('SELECT epoch_weight(%s)', NULL, 'no row', 'no row'),
	($$ SELECT epoch_release_part(%s, 'coverage_gaps', 1) $$, NULL, 'no row', 'no row'),
	('SELECT remembered_epoch(%s, 2)', NULL, 'no row', 'no row'),
	('SELECT opening_region_supply(%s, 2)', NULL, 'no row', 'no row'),
	('SELECT reach_site(%s, false)', NULL, 'no row', 'no row'),
	('SELECT recompute_final(%s, NULL)', NULL, 'no row', 'no row'),
	('SELECT explain_lot(%s, 1001)', NULL, 'no row', 'no row'),
	('SELECT explain_rival(%s)', NULL, 'no row', 'no row'),
	('SELECT explain_remainder(%s, 1001)', NULL, 'no row', 'no row'),
	('SELECT explain_capped_remainder(%s, 1001, 100)', NULL, 'no row', 'no row'),
	('SELECT explain_share(%s, 1001, NULL)', NULL, 'no row', 'no row'),
	('SELECT last_restatement(%s)', NULL, 'NULL', 'NULL'),
	('SELECT (epoch_rows_digest(%s, ''reward'', ''{node_id}'')).row_count', NULL, '0', 'NULL'),
	-- of what is not there
	('SELECT epoch_seal_digest(%s)', NULL, 'NULL', 'NULL'),
	('SELECT next_emission_no(1000, %s, ''-infinity'')', NULL, '1', '1'),
	('SELECT next_emission_no(%s, 1001, ''-infinity'')', NULL, '1', '1'),
	('SELECT coverage_area(supply_field(%s, 4))', NULL, '0', 'NULL'),
	('SELECT coverage_area(opening_supply_field(%s, 4, 2))', NULL, '0', '0'),
	('SELECT epoch_phase(%s, '''')', NULL, '', '');

-- what an answer is: no row, NULL (also a row of NULLs), an error with its hint, or the value
CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
	answer text;
	n int;
BEGIN
	BEGIN
		IF call LIKE 'CALL%' THEN
			EXECUTE call;
			RAISE EXCEPTION 'undo';
		END IF;
		EXECUTE call INTO answer;
		GET DIAGNOSTICS n = ROW_COUNT;
		IF n = 0 THEN
			RETURN 'no row';
		ELSIF btrim(answer, '(),') = '' AND answer <> '' THEN
			RETURN 'NULL';
		END IF;
		RETURN coalesce(answer, 'NULL');
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
		RETURN SQLSTATE || ': ' || SQLERRM || CASE WHEN hint <> '' THEN ' with a hint' ELSE '' END;
	END;
END $$;

SELECT is(pg_temp.answer(format(call, '-77')), CASE on_unknown WHEN 'error' THEN format('P0002: %s -77 does not exist with a hint', kind) ELSE on_unknown END, format(call, '-77'))
FROM asked;
SELECT is(pg_temp.answer(format(call, 'NULL::bigint')), CASE on_null WHEN 'error' THEN format('P0002: %s <NULL> does not exist with a hint', kind) ELSE on_null END, format(call, 'NULL'))
FROM asked WHERE on_null IN ('error', 'no row', 'NULL');
SELECT ok(pg_temp.answer(format(call, 'NULL::bigint')) NOT LIKE 'P0002%', format(call, 'NULL') || ': ' || on_null)
FROM asked WHERE on_null LIKE '%one';
SELECT is(pg_temp.answer($$ SELECT restate_epoch(1001, 'because', '{NULL}') $$), '22004: a node to take as it is now is NULL with a hint', 'restate_epoch of the node NULL');

-- an epoch that is planned, for what needs one that has begun
SELECT matches(pg_temp.answer(format(call, '1002')), '^(55000: epoch 1002 .* with a hint)$', format(call, 'planned'))
FROM asked WHERE kind = 'epoch' AND call !~ '(run_epoch|epoch_closes_at|epoch_final_from|late_telemetry|epoch_balance|record_epoch_failure)\(';

-- nobody is left out, but for the helpers and for the twins that read a scenario
SELECT is(string_agg(p.oid::regprocedure::text, ', '), NULL, 'every function with such a key is asked')
FROM pg_proc p
WHERE p.pronamespace = 'swarm_reward'::regnamespace AND p.prokind IN ('f', 'p') AND NOT 'scenario' = ANY (p.proargnames)
	AND EXISTS (SELECT FROM unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) a (name, type)
		WHERE a.type = 'bigint'::regtype AND a.name ~ '^((up_to_)?(epoch|node|policy|run|payout|provider|restatement)_)?id$')
	AND p.proname NOT IN ('unknown_id', 'known_epoch', 'opened_epoch', 'known_payout')
	AND NOT EXISTS (SELECT FROM asked a WHERE a.call ~ ('\m' || p.proname || '\('));

SELECT * FROM finish();
ROLLBACK;
