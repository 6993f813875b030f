# run_due_epochs from outside: order, two callers at once, failures that block and are mended, holding and
# releasing, progress seen from another session, notifications, health, and a hostile search_path.
use strict;
use warnings;
use JSON::PP;
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
my $progress = q{SELECT string_agg(concat_ws(' ', epoch_id, status, state, phase), ',' ORDER BY epoch_id) FROM swarm_reward.epoch_progress};
is(value($node, $progress), '1 planned waiting,2 planned waiting,3 planned waiting', 'nothing has happened, and three epochs wait');
my $health = q{SELECT severity || ' ' || value FROM swarm_reward.health WHERE "check" = '%s'};
like(value($node, sprintf($health, 'epoch overdue')), qr/^critical epoch 1 was due/, 'which health says');

# A door in the middle of the computation of epoch 2: it waits there for whoever holds lock 77.
$node->safe_psql('postgres', q{
	CREATE FUNCTION public.door() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NULL; END $$;
	CREATE TRIGGER door AFTER INSERT ON swarm_reward.epoch_region FOR EACH ROW WHEN (NEW.epoch_id = 2) EXECUTE FUNCTION public.door();
});
my $keeper = start_sql($node, "SELECT pg_advisory_lock(77);\nSELECT pg_sleep(600);\n");
ok(wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE objid = 77 AND granted}), 'the door is shut');
my $first = start_sql($node, "LISTEN swarm_reward;\nCALL swarm_reward.run_due_epochs();\nSELECT 'end';\n");
ok(wait_until($node, q{SELECT count(*) > 0 FROM pg_locks WHERE objid = 77 AND NOT granted}), 'a first caller computes and comes to the door');
is(value($node, $progress), '2 planned running market,3 planned waiting', 'another session sees which epoch it works on, and in which phase');
is(value($node, q{SELECT concat_ws(' ', p.elapsed > interval '0', p.usual_duration > interval '0', p.pid = l.pid, p.phase_no, p.phases)
	FROM swarm_reward.epoch_progress p, pg_locks l WHERE p.state = 'running' AND l.objid = 77 AND NOT l.granted}), 't t t 6 9', 'with time gone by, how long it usually takes, and the process that does it');

my $before = state_of($node);
($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '10s';\nCALL swarm_reward.run_due_epochs()");
is($code, 0, 'a second caller returns at once');
like($err, qr/another session is computing epochs/, 'and says so');
($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '10s';\nCALL swarm_reward.run_epoch(2)");
like($err, qr/another session is computing an epoch/, 'nor can it compute one by hand');
is($node->psql('postgres', q{SET statement_timeout = '10s'; INSERT INTO swarm_reward.provider (name) VALUES ('meanwhile')}), 0, 'who writes facts does not wait');
is(state_of($node), $before, 'nothing was done twice');
my $kill = q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE objid = 77 AND granted AND mode = 'ExclusiveLock'};
$node->safe_psql('postgres', $kill);
($out, $err) = finish($first);
finish($keeper);
like($err, qr/3 epochs computed, 0 made final/, 'the first caller goes on to the end');
is(value($node, q{SELECT string_agg(status || ' ' || epoch_id, ',' ORDER BY computed_at) FROM swarm_reward.epoch}), 'computed 1,computed 2,computed 3', 'all are computed, in order');
is(value($node, $progress), '', 'nothing is left to be done');
is(value($node, q{SELECT count(*) FROM swarm_reward.epoch e, LATERAL swarm_reward.verify_epoch(e.epoch_id) v WHERE NOT v.ok}), '0', 'and all verify');

# Notifications, as JSON.
my @told = map { decode_json($_) } $out =~ /Asynchronous notification "swarm_reward" with payload "(.*)" received/g;
is(join(',', map { "$_->{event} $_->{epoch_id}" } @told), 'computed 1,computed 2,computed 3', 'three notifications came');
is($told[1]{digest} . $told[1]{paid}, value($node, q{SELECT encode(digest, 'hex') || (SELECT sum(paid) FROM swarm_reward.epoch_pool p WHERE p.epoch_id = 2) FROM swarm_reward.epoch e WHERE epoch_id = 2}), 'with digest and money');

# Nothing becomes final before its time; time goes by; what no longer verifies never does.
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.finalize_epoch(1)');
like($err, qr/challenge window ends at .*HINT/s, 'no epoch becomes final within its challenge window');
$node->safe_psql('postgres', q{UPDATE swarm_reward.epoch SET first_computed_at = first_computed_at - interval '8 days'; SELECT swarm_reward.hold_epoch(3, 'to be looked at')});
my $change = q{UPDATE swarm_reward.reward SET amount = amount %s 1 WHERE (epoch_id, node_id, component) = (SELECT epoch_id, node_id, component FROM swarm_reward.reward WHERE epoch_id = 2 ORDER BY 1, 2, 3 LIMIT 1)};
$node->safe_psql('postgres', sprintf($change, '+'));
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
like($err, qr/epoch 2: finalize failed.*of its checks fail.*reward/s, 'an epoch that does not verify is an error, which says what is wrong');
is(value($node, q{SELECT string_agg(status, ' ' ORDER BY epoch_id) FROM swarm_reward.epoch}), 'final computed computed', 'what came before it is final, what comes after it waits');
is(value($node, q{SELECT string_agg(concat_ws(' ', epoch_id, action, attempts, sqlstate, mended_at), ',') FROM swarm_reward.epoch_failure}), '2 finalize 1 XX001', 'the failure is recorded');
is(value($node, $progress), '2 computed failed,3 computed held', 'and shown');
like(value($node, sprintf($health, 'epoch failed')), qr/^critical epoch 2, attempt 1: /, 'and health says so');
$node->safe_psql('postgres', sprintf($change, '-'));
$first = start_sql($node, "LISTEN swarm_reward;\nCALL swarm_reward.run_due_epochs();\nSELECT swarm_reward.release_epoch(3, 'all is well');\nCALL swarm_reward.run_due_epochs();\nSELECT 'end';\n");
($out, $err) = finish($first);
like($err, qr/0 epochs computed, 1 made final.*0 epochs computed, 1 made final/s, 'mended, the next call goes on, but for what is held until it is released');
@told = map { decode_json($_) } $out =~ /Asynchronous notification "swarm_reward" with payload "(.*)" received/g;
is(join(',', map { "$_->{event} $_->{epoch_id}" } @told), 'final 2,release 3,final 3', 'each is notified');
is(value($node, 'SELECT count(*) FROM swarm_reward.epoch_failure WHERE mended_at IS NULL'), '0', 'and the failure is mended');
is(value($node, q{SELECT string_agg(concat_ws(' ', severity, "check"), ',' ORDER BY "check") FROM swarm_reward.health WHERE "check" LIKE 'epoch%' AND severity <> 'ok'}), 'warning epochs planned', 'health has nothing to say of epochs, but that none is planned');

# Planning: the past only when told to; and an epoch whose computation fails.
is(value($node, q{SELECT swarm_reward.plan_epochs('2024-04-04', '1 day', 1000, '2024-04-01')}), '3', 'epochs are planned after the last, which is past, as it was told to');
is(value($node, q{SELECT swarm_reward.plan_epochs('2024-04-04', '1 day', 1000, '2024-04-01')}), '0', 'not twice');
is(value($node, q{SELECT string_agg(lower(period)::date || ' ' || budget, ',' ORDER BY period) FROM swarm_reward.epoch WHERE status = 'planned'}), '2024-04-01 1000,2024-04-02 1000,2024-04-03 1000', 'one after the other');
is(value($node, q{BEGIN; SELECT FROM swarm_reward.plan_epochs(date_trunc('day', now()) + interval '1 day', '1 day', 1); SELECT string_agg((lower(period) = date_trunc('day', now()))::text, ',') FROM swarm_reward.epoch WHERE epoch_id > 12}), 'true',
	'not told to, it begins with today');
my ($one, $two) = @{rows($node, q{SELECT epoch_id FROM swarm_reward.epoch WHERE status = 'planned' ORDER BY period})};
$node->safe_psql('postgres', "ALTER TABLE swarm_reward.epoch_pool ADD CONSTRAINT trouble CHECK (epoch_id <> $one)");
for my $attempt (1, 2)
{
	my $session = start_sql($node, "LISTEN swarm_reward;\n\\set ON_ERROR_STOP 0\nCALL swarm_reward.run_due_epochs();\nSELECT 'end';\n");
	($out, $err) = finish($session);
	like($err, qr/ERROR:  23514: epoch $one: compute failed: .*"trouble".*Attempt $attempt.*HINT/s, "attempt $attempt fails with the code of the cause");
	@told = map { decode_json($_) } $out =~ /Asynchronous notification "swarm_reward" with payload "(.*)" received/g;
	is("$told[0]{event} $told[0]{action} $told[0]{attempts}", "failed compute $attempt", 'and is notified');
	is(value($node, q{SELECT string_agg(state, ',' ORDER BY epoch_id) FROM swarm_reward.epoch_progress}), 'failed,blocked,blocked', 'those after it are blocked');
}
is(value($node, "SELECT count(*) FROM swarm_reward.epoch_node WHERE epoch_id >= $one"), '0', 'and nothing of them is there');
$node->safe_psql('postgres', 'ALTER TABLE swarm_reward.epoch_pool DROP CONSTRAINT trouble');
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
like($err, qr/3 epochs computed, 0 made final/, 'mended, all are computed');
like(value($node, "SELECT string_agg(held_reason, ',') FROM swarm_reward.epoch WHERE epoch_id >= $one"), qr/^few reports: 0 of 5 members.*,few.*,few/, 'but held: nobody reported');
$node->safe_psql('postgres', q{UPDATE swarm_reward.epoch SET first_computed_at = first_computed_at - interval '8 days' WHERE status = 'computed'});
($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
like($err, qr/0 epochs computed, 0 made final/, 'an empty epoch never becomes final by itself');

# Errors that pass by themselves are tried again: a lock timeout, twice at most in a call.
$node->safe_psql('postgres', q{SELECT swarm_reward.plan_epochs('2024-04-05', '1 day', 7, '2024-04-04')});
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
is(value($node, q{SELECT count(*) FROM swarm_reward.epoch_progress WHERE state = 'running'}), '0', 'nothing runs any more');
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
	CREATE FUNCTION evil.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
	CREATE OPERATOR evil.< (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
	CREATE FUNCTION evil.int8lt(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE DOMAIN evil.text AS int; CREATE DOMAIN evil.int8 AS int;
});
my $day = 5;
for my $path ("''", 'evil, pg_catalog', 'evil, pg_temp, swarm_reward, pg_catalog')
{
	$node->safe_psql('postgres', "SELECT swarm_reward.plan_epochs('2024-04-0" . ($day + 1) . "', '1 day', 7, '2024-04-0$day')");
	$day++;
	($code, $out, $err) = $node->psql('postgres', "SET search_path = $path;\nCALL swarm_reward.run_due_epochs();\nCALL swarm_reward.roll_telemetry('2024-01-0$day', 24)");
	is($code, 0, "search_path = $path");
	unlike($err, qr/trapped|ERROR/, 'nothing is trapped');
	like($err, qr/1 epochs computed.*hours rolled up/s, 'and all is done');
}
is(value($node, 'SELECT sum(amount) FROM swarm_reward.posting'), '0', 'the money balances');
$node->stop;
done_testing();
