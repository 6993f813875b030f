-- The journal, payouts and restatements on a small network, to the unit.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(29);
CREATE FUNCTION pg_temp.held(what text) RETURNS numeric LANGUAGE sql AS
$$ SELECT coalesce(sum(p.amount), 0) FROM account a JOIN posting p USING (account_id) WHERE a.kind = what $$;

CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
SELECT throws_ok('CALL finalize_epoch(1)', '55000', NULL, 'an epoch is not final before its challenge window has ended');
UPDATE epoch SET first_computed_at = now() - interval '8 days';
SELECT throws_ok('CALL finalize_epoch(2)', '55000', 'epoch 2 cannot become final: epoch 1 before it is computed', 'nor before the one before it');
SELECT hold_epoch(1, 'to be looked at') \g /dev/null
SELECT throws_ok('CALL finalize_epoch(1)', '55000', 'epoch 1 cannot become final: it is held (to be looked at)', 'nor while it is held');
SELECT release_epoch(1, 'looked at') \g /dev/null
CALL finalize_epoch(1);
CALL finalize_epoch(2);
SELECT is(pg_temp.held('emission'), -2000000::numeric, 'two budgets were issued');
SELECT is((SELECT sum(amount) FROM posting), 0::numeric, 'every unit is posted twice');
SELECT is_empty('SELECT entry_id FROM posting GROUP BY entry_id HAVING sum(amount) <> 0', 'each entry sums to zero');
SELECT is_empty('SELECT FROM epoch_pool w JOIN account a USING (component) WHERE w.epoch_id = 2 AND w.carried_out <> (SELECT coalesce(sum(p.amount), 0) FROM posting p WHERE p.account_id = a.account_id)',
	'pools hold what they carry over');
SELECT is(pg_temp.held('provider'), (SELECT sum(amount) FROM reward WHERE epoch_id < 3), 'providers hold their rewards');
SELECT is((SELECT sum(balance) FROM provider_balance), pg_temp.held('provider'), 'provider_balance is sums of postings');

SELECT throws_ok($$ WITH e AS (INSERT INTO entry (kind) VALUES ('funding') RETURNING entry_id) INSERT INTO posting SELECT entry_id, 3, 5 FROM e $$, '23514', NULL, 'nobody posts one side only');
INSERT INTO entry (entry_id, kind) VALUES (9001, 'funding');
SELECT throws_ok('INSERT INTO posting VALUES (9001, 3, 5)', '23514', 'the postings of entry 9001 sum to 5, not to 0', 'what does not balance is refused');
SELECT throws_ok('INSERT INTO posting VALUES (9001, 3, -1000000000), (9001, 2, 1000000000)', '23514', NULL, 'the treasury is never below zero');
SELECT throws_ok('UPDATE posting SET amount = 1', '23001', NULL, 'postings never change');

-- payouts
UPDATE provider SET payout_address = '0x' || repeat('0', 39) || provider_id;
SELECT is(make_payout(), 1::bigint, 'a payout is made');
SELECT is(pg_temp.held('paid_out'), (SELECT total FROM payout WHERE payout_id = 1), 'and posted');
SELECT cancel_payout(1, 'too early') \g /dev/null
SELECT is(pg_temp.held('paid_out'), 0::numeric, 'cancelled, it is posted back');
SELECT is(make_payout(), 2::bigint, 'and is made again');
SELECT release_payout(2) \g /dev/null
SELECT throws_ok('SELECT cancel_payout(2, ''no'')', '55000', NULL, 'once released it cannot be cancelled');
SELECT is(fail_payout(2, ARRAY[(SELECT address FROM payout_line WHERE payout_id = 2 AND provider_id = 2)], 'account closed'), (SELECT amount FROM payout_line WHERE payout_id = 2 AND provider_id = 2), 'one payment fails');
SELECT confirm_payout(2, '0xabc') \g /dev/null
SELECT is((SELECT array_agg(provider_id) FROM provider_balance WHERE balance > 0), ARRAY[2::bigint], 'and only that is owed again');
SELECT is_empty('SELECT * FROM verify_payout(2) WHERE NOT ok', 'the payout is what the journal has');

-- restatements
SELECT is_empty('SELECT * FROM restate_epoch(1, ''nothing has changed'', true)', 'when nothing has changed there is nothing to restate');
SELECT correct_node(3, '{"joined_at": "2024-02-20T00:00:00Z"}', 'it came later') \g /dev/null
CREATE TEMP TABLE plan_of AS SELECT * FROM restate_epoch(2, 'it came later', true);
CREATE TEMP TABLE done AS SELECT * FROM restate_epoch(2, 'it came later');
SELECT set_eq('TABLE done', 'TABLE plan_of', 'a dry run shows what is done');
SELECT is((SELECT sum(amount) FROM posting), 0::numeric, 'and every unit is posted twice');
SELECT is_empty('SELECT * FROM restate_epoch(2, ''once more'')', 'a second time there is nothing left to do');
SELECT archive_epoch(1, 'a test') \g /dev/null
SELECT throws_ok('SELECT * FROM restate_epoch(2, ''after'')', '55000', 'epoch 2 cannot be computed again: epoch 1 is archived', 'what an archived epoch left is not there to start from');
SELECT throws_ok('SELECT * FROM preview_epoch(1)', '55000', 'epoch 1 cannot be computed again: epoch 1 is archived', 'nor is it itself');
SELECT throws_ok('SELECT * FROM explain_reward(1, 1)', '55000', 'epoch 1 is archived: what it paid node 1 cannot be explained any more', 'nor is what it paid explained, which is not to say that a node was no member');
SELECT results_eq('SELECT epoch_id, nodes, new_nodes, retention IS NULL, paid > 0 FROM growth_metric WHERE epoch_id < 3 ORDER BY 1',
	'SELECT 1::bigint, NULL::bigint, NULL::bigint, true, true UNION ALL SELECT 2, count(*), NULL, true, true FROM epoch_node WHERE epoch_id = 2', 'what is archived is not known, instead of 0, and what came after it is not new');
SELECT * FROM finish();
ROLLBACK;
