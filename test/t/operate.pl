# run_due_epochs from outside: order, two callers at once, failures that block and are mended,
# progress seen from another session, notifications, and a few of the crashes of test/slow/crash.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $node = new_cluster('operate');
build_network($node);
my ($code, $out, $err);

# Where it may not be called.
($code, $out, $err) = $node->psql('postgres', "BEGIN;\nCALL swarm_reward.run_due_epochs();\nROLLBACK;");
like($err, qr/cannot run inside a transaction block.*HINT/s, 'not in a transaction block, with a hint');
($code, $out, $err) = $node->psql('postgres', 'DO $$ BEGIN CALL swarm_reward.run_due_epochs(); EXCEPTION WHEN division_by_zero THEN NULL; END $$');
like($err, qr/cannot run inside a transaction block/, 'nor in a block with EXCEPTION');
$node->safe_psql('postgres', 'CREATE FUNCTION public.calls() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL swarm_reward.run_due_epochs(); END $$');
($code, $out, $err) = $node->psql('postgres', 'SELECT public.calls()');
like($err, qr/cannot run inside a transaction block/, 'nor in a function');
is(value($node, q{SELECT string_agg(DISTINCT status, ' ') FROM swarm_reward.epoch}), 'planned', 'and nothing has happened');
is(value($node, q{SELECT string_agg(concat_ws(' ', epoch_id, state, estimate), ',' ORDER BY epoch_id) FROM swarm_reward.epoch_progress}),
	'1001 waiting,1002 waiting,1003 waiting,1004 waiting', 'four epochs wait, and how long they will take is not known yet');

# A door in the middle of the computation of epoch 1002: it waits there for whoever holds lock 77.
$node->safe_psql('postgres', q{
	CREATE FUNCTION public.door() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NULL; END $$;
	CREATE TRIGGER door AFTER INSERT ON swarm_reward.epoch_region FOR EACH ROW WHEN (NEW.epoch_id = 1002) EXECUTE FUNCTION public.door();
});
my $keeper = start_sql($node, "SELECT pg_advisory_lock(77);\nSELECT pg_sleep(600);\n");
ok(wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE objid = 77 AND granted}), 'the door is shut');
my $first = start_sql($node, "LISTEN swarm_reward;\nCALL swarm_reward.run_due_epochs();\nSELECT 'end';\n");
ok(wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE objid = 77 AND NOT granted}), 'a first caller computes and comes to the door');

is(value($node, q{SELECT string_agg(concat_ws(' ', epoch_id, status, state, phase), ',' ORDER BY epoch_id) FROM swarm_reward.epoch_progress}),
	'1002 planned running market,1003 planned waiting,1004 planned waiting', 'another session sees which epoch it works on, and in which phase');
my $progress = value($node, q{SELECT concat_ws(' ', p.rows > 0, p.elapsed > interval '0', p.estimate > interval '0', p.pid = l.pid, p.phase_no, p.phases)
	FROM swarm_reward.epoch_progress p, pg_locks l WHERE p.state = 'running' AND l.objid = 77 AND NOT l.granted});
is($progress, 't t t t 4 13', 'with rows, time gone by, an estimate, and the process that does it');

my $before = state_of($node);
($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '10s';\nCALL swarm_reward.run_due_epochs()");
is($code, 0, 'a second caller returns at once');
like($err, qr/another session is computing epochs/, 'and says so');
($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '10s';\nCALL swarm_reward.run_epoch(1002)");
like($err, qr/another session is computing an epoch/, 'nor can it compute one by hand');
is(state_of($node), $before, 'nothing was done twice');

$node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM pg_locks WHERE objid = 77 AND granted AND mode = \'ExclusiveLock\'');
($out, $err) = finish($first);
finish($keeper);
like($err, qr/4 epochs computed, 0 made final/, 'the first caller goes on to the end');
is(value($node, q{SELECT string_agg(status, ' ' ORDER BY computed_at) || ' ' || string_agg(epoch_id::text, ' ' ORDER BY computed_at) FROM swarm_reward.epoch}),
	'computed computed computed computed 1001 1002 1003 1004', 'all are computed, in order');
is(value($node, 'SELECT count(*) FROM swarm_reward.epoch_progress'), '0', 'nothing is left to be done');
is(value($node, q{SELECT count(*) FROM swarm_reward.epoch e, LATERAL swarm_reward.verify_epoch(e.epoch_id) v WHERE NOT v.ok}), '0', 'and all verify');
is(value($node, 'SELECT count(*) FROM swarm_reward.epoch_timing'), '48', 'the time of each phase is recorded');

# Notifications: every change of status, in order, as JSON. Read back by the server itself.
my @payloads = $out =~ /Asynchronous notification "swarm_reward" with payload "(.*)" received/g;
s/'/''/g for @payloads;
is(scalar @payloads, 8, 'eight notifications came');
is(value($node, q{SELECT string_agg(concat_ws(' ', p->>'epoch_id', p->>'previous_status', p->>'status', p->>'epoch_no', p->>'budget' = e.budget::text,
		CASE p->>'status' WHEN 'computed' THEN p->>'digest' = encode(e.digest, 'hex') END), ',' ORDER BY o)
	FROM unnest(ARRAY[} . join(', ', map { "'$_'::jsonb" } @payloads) . q{]) WITH ORDINALITY u (p, o) JOIN swarm_reward.epoch e ON e.epoch_id = (p->>'epoch_id')::bigint}),
	join(',', map { ("100$_ planned open $_ t", "100$_ open computed $_ t t") } 1 .. 4), 'each with epoch, statuses, budget and digest');

# Nothing becomes final before its time, and what no longer verifies never does.
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.finalize_epoch(1001)');
like($err, qr/challenge window ends at .*HINT/s, 'no epoch becomes final within its challenge window');
# (time goes by: the epochs were computed eight days ago)
my $age = q{SET session_replication_role = replica; UPDATE swarm_reward.epoch SET computed_at = computed_at - interval '8 days';};
$node->safe_psql('postgres', $age);
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.finalize_epoch(1002)');
like($err, qr/cannot become final: epoch 1001 before it is computed/, 'nor before the one before it');
my $change = q{SET session_replication_role = replica; UPDATE swarm_reward.reward SET amount = amount %s 1
	WHERE (epoch_id, node_id, component) = (SELECT epoch_id, node_id, component FROM swarm_reward.reward WHERE epoch_id = 1002 ORDER BY 1, 2, 3 LIMIT 1);};
$node->safe_psql('postgres', sprintf($change, '+'));
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
isnt($code, 0, 'an epoch that does not verify is an error');
like($err, qr/epoch 1002: finalize failed.*of its checks fail.*seal of reward/s, 'which says what is wrong');
is(value($node, q{SELECT string_agg(status, ' ' ORDER BY epoch_id) FROM swarm_reward.epoch}), 'final computed computed computed', 'what came before it is final, what comes after it waits');
is(value($node, q{SELECT string_agg(concat_ws(' ', epoch_id, action, attempts, sqlstate, mended_at), ',') FROM swarm_reward.epoch_failure}), '1002 finalize 1 XX001', 'the failure is recorded');
is(value($node, q{SELECT string_agg(concat_ws(' ', epoch_id, state, attempts), ',') FROM swarm_reward.epoch_progress}), '1002 failed 1', 'and shown');
$node->safe_psql('postgres', sprintf($change, '-'));
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
like($err, qr/0 epochs computed, 3 made final/, 'mended, the next call goes on');
is(value($node, 'SELECT count(*) FROM swarm_reward.epoch_failure WHERE mended_at IS NULL'), '0', 'and the failure is mended');

# Planning, and an epoch whose computation fails.
is(value($node, q{SELECT swarm_reward.plan_epochs('2021-04-01', '5 days', 1000)}), '2', 'epochs are planned after the last');
is(value($node, q{SELECT swarm_reward.plan_epochs('2021-04-01', '5 days', 1000)}), '0', 'not twice');
is(value($node, q{SELECT string_agg(lower(period)::date || ' ' || upper(period)::date || ' ' || budget, ',' ORDER BY period) FROM swarm_reward.epoch WHERE status = 'planned'}),
	'2021-03-22 2021-03-27 1000,2021-03-27 2021-04-01 1000', 'one after the other');
is(value($node, q{BEGIN; SELECT FROM swarm_reward.plan_epochs('2221-01-01', '100 years', 1); SELECT count(*) FROM swarm_reward.epoch WHERE upper(period) > '2221-01-01'}), '1', 'long ones too');
for my $case (["'infinity', '1 day', 1", 'finite'], ["'2030-01-01', '0', 1", 'length'], ["'2030-01-01', '1 day', 1.5", 'whole number'], ["'9999-01-01', '1 day', 1", 'more than 100000'])
{
	($code, $out, $err) = $node->psql('postgres', "SELECT swarm_reward.plan_epochs($case->[0])");
	like($err, qr/$case->[1].*HINT|HINT.*$case->[1]/s, "plan_epochs($case->[0]) is refused");
}
my @ids = @{rows($node, q{SELECT epoch_id FROM swarm_reward.epoch WHERE status = 'planned' ORDER BY period})};
$node->safe_psql('postgres', "ALTER TABLE swarm_reward.epoch_pool ADD CONSTRAINT trouble CHECK (epoch_id <> $ids[0])");
for my $attempt (1, 2)
{
	my $session = start_sql($node, "LISTEN swarm_reward;\n\\set ON_ERROR_STOP 0\nCALL swarm_reward.run_due_epochs();\nSELECT 'end';\n");
	($out, $err) = finish($session);
	like($err, qr/ERROR:  23514: epoch $ids[0]: compute failed: .*"trouble".*Attempt $attempt.*HINT/s, "attempt $attempt fails with the code of the cause");
	like($out, qr/"failed": "compute".*"attempts": $attempt|"attempts": $attempt.*"failed": "compute"/, 'and is notified');
	is(value($node, q{SELECT string_agg(concat_ws(' ', state, attempts), ',' ORDER BY epoch_id) FROM swarm_reward.epoch_progress}), "failed $attempt,blocked", 'the one after it is blocked');
}
is(value($node, "SELECT count(*) FROM swarm_reward.epoch_node WHERE epoch_id IN ($ids[0], $ids[1])"), '0', 'and nothing of them is there');
$node->safe_psql('postgres', 'ALTER TABLE swarm_reward.epoch_pool DROP CONSTRAINT trouble');
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
like($err, qr/2 epochs computed, 0 made final/, 'mended, both are computed');

# Errors that pass by themselves are tried again: a lock timeout, twice at most in a call.
$node->safe_psql('postgres', q{SELECT swarm_reward.plan_epochs('2021-04-05', '4 days', 7)});
my $holder = start_sql($node, "BEGIN;\nLOCK TABLE swarm_reward.beacon IN ACCESS EXCLUSIVE MODE;\nSELECT pg_sleep(600);\n");
ok(wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE relation = 'swarm_reward.beacon'::regclass AND mode = 'AccessExclusiveLock'}), 'somebody locks a table');
($code, $out, $err) = $node->psql('postgres', "SET lock_timeout = '100ms';\nCALL swarm_reward.run_due_epochs()");
my @tries = $err =~ /(trying again)/g;
is(scalar @tries, 2, 'a lock timeout is tried again twice');
like($err, qr/compute failed: canceling statement due to lock timeout/, 'and then is an error');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'swarm_reward.beacon'::regclass AND mode = 'AccessExclusiveLock'});
finish($holder);

# Cancelled half-way, in a session that lives on: no lock stays behind.
$node->safe_psql('postgres', 'DROP TRIGGER door ON swarm_reward.epoch_region; CREATE TRIGGER door AFTER INSERT ON swarm_reward.epoch_region FOR EACH ROW EXECUTE FUNCTION public.door()');
$keeper = start_sql($node, "SELECT pg_advisory_lock(77);\nSELECT pg_sleep(600);\n");
wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE objid = 77 AND granted});
$first = start_sql($node, "\\set ON_ERROR_STOP 0\nCALL swarm_reward.run_due_epochs();\nSELECT pg_sleep(600);\n");
wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE objid = 77 AND NOT granted});
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(pid) FROM pg_locks WHERE objid = 77 AND NOT granted');
ok(wait_until($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND pid NOT IN (SELECT pid FROM pg_locks WHERE objid = 77)}), 'a call is cancelled, its session lives on');
is(value($node, q{SELECT string_agg(state, ',') FROM swarm_reward.epoch_progress}), 'failed', 'nothing runs any more');
$node->safe_psql('postgres', 'DROP TRIGGER door ON swarm_reward.epoch_region');
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
like($err, qr/1 epochs computed/, 'and another session computes');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()});
finish($keeper);
finish($first);

# A hostile search_path: objects of the same name, and operators, in an early schema.
$node->safe_psql('postgres', q{
	CREATE SCHEMA evil;
	CREATE TABLE evil.epoch (epoch_id bigint, status text, period tstzrange);
	CREATE FUNCTION evil.try_epoch_lock() RETURNS boolean LANGUAGE sql AS 'SELECT false';
	CREATE FUNCTION evil.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
	CREATE OPERATOR evil.< (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
	CREATE FUNCTION evil.int8lt(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE DOMAIN evil.text AS int; CREATE DOMAIN evil.int8 AS int;
	SELECT swarm_reward.plan_epochs('2021-04-09', '2 days', 7);
});
for my $path ("''", 'evil, pg_catalog', 'evil, pg_temp, swarm_reward, pg_catalog')
{
	($code, $out, $err) = $node->psql('postgres', "SET search_path = $path;\nCALL swarm_reward.run_due_epochs()");
	is($code, 0, "search_path = $path");
	unlike($err, qr/trapped|ERROR/, 'nothing is trapped');
	$node->safe_psql('postgres', q{SELECT swarm_reward.plan_epochs((SELECT max(upper(period)) FROM swarm_reward.epoch) + interval '1 day', '1 day', 7)});
}

# Every epoch adds up, to the last.
is(value($node, q{SELECT count(*) FROM swarm_reward.epoch e, LATERAL swarm_reward.epoch_balance(e.epoch_id) b WHERE e.status IN ('computed', 'final') AND b.wanted <> b.found}), '0', 'the money balances');
$node->stop;
done_testing();
