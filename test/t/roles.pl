# Privileges: each kind of role logs in and tries what it must not do, in a database where PostGIS has a
# schema of its own and the extension was made by a superuser who is not the default one.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use File::Basename;
use Operate;

my $node = new_cluster('roles');
$node->safe_psql('postgres', 'CREATE DATABASE ledger; CREATE ROLE founder SUPERUSER LOGIN;' . join('', map { "CREATE ROLE $_ LOGIN;" } qw(ana oscar sven paula pedro nobody_at_all)));
$node->safe_psql('ledger', q{
	CREATE SCHEMA gis;
	CREATE EXTENSION postgis SCHEMA gis;
	ALTER DATABASE ledger SET search_path = '';
}, extra_params => ['-U', 'founder']);
$node->safe_psql('ledger', q{
	CREATE EXTENSION swarm_reward;
	SELECT swarm_reward.grant_role('analyst', 'ana'), swarm_reward.grant_role('operator', 'oscar'), swarm_reward.grant_role('service', 'sven'),
		swarm_reward.grant_role('provider', 'paula'), swarm_reward.grant_role('provider', 'pedro');
	SELECT swarm_reward.grant_role('analyst', 'ana'), swarm_reward.grant_role('provider', 'pedro');
}, extra_params => ['-U', 'founder']);

# What a role gets from a statement: its output, or the error.
sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) = $node->psql('ledger', $sql, extra_params => ['-U', $role], on_error_stop => 1);

	return $code == 0 ? $out : ($err =~ /(?:ERROR|FATAL): +(.*)/)[0] // $err;
}

# The network needs PostGIS and the ledger on the path to be filled; everything after it runs without any.
$node->safe_psql('ledger', q{ALTER DATABASE ledger SET search_path = swarm_reward, gis});
{
	my $file = File::Basename::dirname(__FILE__) . '/../pgtap/ledger_network.psql';
	open my $in, '<', $file or die;
	my $text = do { local $/; <$in> };
	$text =~ s/swarm_reward, public/swarm_reward, gis/;
	$node->safe_psql('ledger', "$text\n\\o /dev/null\nSELECT pg_temp.build(2, 20);\nUPDATE policy SET challenge_window = '0' WHERE policy_id = 1000; UPDATE epoch SET policy_id = 1000;
		UPDATE provider SET role_name = 'paula' WHERE provider_id = 1001; UPDATE provider SET role_name = 'pedro' WHERE provider_id IN (1002, 1003);");
}
$node->safe_psql('ledger', q{ALTER DATABASE ledger SET search_path = ''});

# The operator does the work, without a search_path.
like(as('oscar', q{CALL swarm_reward.run_epoch(1001)}), qr/^$/, 'an operator computes an epoch');
is(as('oscar', q{CALL swarm_reward.finalize_epoch(1001)}), '', 'and makes it final');
is(as('oscar', q{UPDATE swarm_reward.epoch SET period = tstzrange(lower(period), '2099-01-01') WHERE epoch_id = 1004}), '', 'an operator changes a planned epoch');
is(as('oscar', q{CALL swarm_reward.run_due_epochs()}), '', 'and has what is due done');
is(as('oscar', q{SELECT string_agg(status, ' ' ORDER BY epoch_id) FROM swarm_reward.epoch}), 'final final final planned', 'which it is');
is(as('oscar', q{SELECT count(*) FROM swarm_reward.verify_epoch(1003) WHERE NOT ok}), '0', 'and verifies it');
is(as('oscar', q{INSERT INTO swarm_reward.provider (name) VALUES ('new') RETURNING name}), 'new', 'an operator fills the tables');
is(as('oscar', q{INSERT INTO swarm_reward.policy (name) VALUES ('next') RETURNING sealed_rules IS NULL}), 't', 'and makes policies');
is(as('oscar', q{UPDATE swarm_reward.policy SET supply_target = 9 WHERE name = 'next' RETURNING supply_target}), '9.000000000', 'and drafts of them');
is(as('oscar', q{SELECT swarm_reward.plan_epochs('2101-01-01', '1 year', 10)}), '2', 'and plans epochs');
is(as('oscar', q{SELECT count(*) > 0 FROM swarm_reward.provider_statement}), 't', 'and reads statements');

is(as('oscar', q{SELECT swarm_reward.restate_epoch(1001, 'nothing to correct')}), '', 'and restates');
is(as('oscar', q{UPDATE swarm_reward.telemetry SET latency_ms = 25, ok = true WHERE node_id < 1006; SET search_path = pg_temp; SELECT swarm_reward.restate_epoch(1002, 'late', '{}')}), '1', 'what came late');
is(as('oscar', q{SELECT count(*) FROM swarm_reward.epoch e, swarm_reward.verify_epoch(e.epoch_id) v WHERE e.status = 'final' AND NOT v.ok}), '0', 'without touching a final epoch');
is(as('oscar', q{SELECT count(*) FROM swarm_reward.verify_restatement(1) WHERE NOT ok}), '0', 'by the book');
is(as('oscar', q{UPDATE swarm_reward.provider SET payout_address = '0x' || md5(provider_id::text) || '00000000'; SELECT swarm_reward.make_payout()}), '1', 'an operator makes a payout');
is(as('oscar', q{SELECT swarm_reward.cancel_payout(1, 'once more'); SELECT swarm_reward.make_payout(); SELECT length(swarm_reward.release_payout(2))}), "\n2\n32", 'and another, and releases it');
is(as('ana', q{SELECT count(*) FROM swarm_reward.verify_payout(2) WHERE NOT ok}), '0', 'an analyst verifies it');
is(as('ana', q{SELECT length(swarm_reward.payout_csv(2)) > 0 AND json_array_length(swarm_reward.payout_tree(2) -> 'values') = (SELECT count(*) FROM swarm_reward.payout_proof(2))}), 't', 'and exports it');

# What an operator must not do.
my $denied = qr/^permission denied/;
for my $sql (
	q{INSERT INTO swarm_reward.reward SELECT * FROM swarm_reward.reward LIMIT 1}, q{UPDATE swarm_reward.reward SET amount = amount + 1}, q{DELETE FROM swarm_reward.reward},
	q{TRUNCATE swarm_reward.reward}, q{UPDATE swarm_reward.epoch_node SET quality = 1}, q{DELETE FROM swarm_reward.epoch_seal}, q{UPDATE swarm_reward.epoch_pool SET paid = 0},
	q{UPDATE swarm_reward.epoch SET status = 'open' WHERE epoch_id = 1003}, q{UPDATE swarm_reward.epoch SET digest = NULL}, q{UPDATE swarm_reward.epoch SET final_at = NULL},
	q{INSERT INTO swarm_reward.restatement SELECT * FROM swarm_reward.restatement}, q{UPDATE swarm_reward.final_statement SET earned = 1}, q{DELETE FROM swarm_reward.payout_line},
	q{UPDATE swarm_reward.epoch_computation SET reason = 'mine'},
	q{INSERT INTO swarm_reward.restatement (epoch_id, posted_epoch_id, node_id, provider_id, component, amount) VALUES (1002, 1003, 1001, 1001, 'new_regions', 5)},
	q{SELECT * FROM swarm_reward.recompute_final(1001, NULL)}, q{UPDATE swarm_reward.payout SET status = 'cancelled'}, q{INSERT INTO swarm_reward.final_statement VALUES (1003, 1001, 5, 5)},
	q{UPDATE swarm_reward.policy SET sealed_rules = NULL}, q{UPDATE swarm_reward.policy SET is_builtin = true}, q{SELECT swarm_reward.pay_epoch(1003)}, q{SELECT swarm_reward.seal_epoch(1003)},
	q{SELECT swarm_reward.freeze_node(1003)}, q{ALTER TABLE swarm_reward.reward DISABLE TRIGGER ALL}, q{SELECT setval('swarm_reward.progress_phase', 1)},
	q{SELECT swarm_reward.grant_role('analyst', 'nobody_at_all')}, q{UPDATE swarm_reward.epoch_failure SET mended_at = now()}, q{SET session_replication_role = replica})
{
	like(as('oscar', $sql), qr/$denied|^must be owner/, "an operator must not: $sql");
}
like(as('oscar', q{UPDATE swarm_reward.epoch SET note = 'x' WHERE epoch_id = 1003}), qr/is final and cannot be changed/, 'a final epoch cannot be changed');
like(as('founder', q{UPDATE swarm_reward.reward SET amount = amount + 1 WHERE epoch_id = 1003}), qr/cannot change reward of epoch 1003, which is final/, 'not even by the owner');
like(as('oscar', q{CALL swarm_reward.run_epoch(1003)}), qr/is final/, 'nor computed again');
like(as('oscar', q{DELETE FROM swarm_reward.epoch WHERE epoch_id = 1003}), qr/cannot delete epoch/, 'nor deleted');
like(as('oscar', q{UPDATE swarm_reward.policy SET supply_target = 1 WHERE policy_id = 1000}), qr/cannot be changed/, 'nor its policy changed');

# An analyst reads everything and writes nothing; a service reads the views.
is(as('ana', q{SELECT count(DISTINCT provider_id) > 3 FROM swarm_reward.reward}), 't', 'an analyst reads all rewards');
is(as('ana', q{SELECT count(DISTINCT provider_id) > 3 FROM swarm_reward.provider_statement}), 't', 'and all statements');
is(as('ana', q{SELECT count(*) FROM swarm_reward.verify_epoch(1002) WHERE NOT ok}), '0', 'and verifies epochs');
is(as($_, q{SELECT count(*) > 40, sum(missing) FROM swarm_reward.verify_references()}), 't|0', "$_ verifies references, also of partitions") for qw(ana oscar);
like(as($_, q{SELECT * FROM swarm_reward.verify_references()}), $denied, "$_ must not") for qw(sven paula);
is(as('sven', q{SELECT count(DISTINCT provider_id) > 3 FROM swarm_reward.provider_statement}), 't', 'a service reads all statements');
is(as('sven', q{SELECT count(*) FROM swarm_reward.epoch_progress}), '0', 'and the progress');
like(as('sven', 'SELECT * FROM swarm_reward.reward'), $denied, 'but no table');
for my $view (@{[split /\n/, $node->safe_psql('ledger', q{SELECT relname FROM pg_class WHERE relnamespace = 'swarm_reward'::regnamespace AND relkind = 'v' ORDER BY 1})]})
{
	for my $role (qw(ana sven))
	{
		like(as($role, "SELECT count(*) FROM (SELECT * FROM swarm_reward.$view OFFSET 0) x"), qr/^\d+$/, "$role reads $view");
	}
}
like(as('ana', q{SELECT count(*) FROM swarm_reward.explain_reward(1003, (SELECT min(node_id) FROM swarm_reward.reward WHERE epoch_id = 1003))}), qr/^[1-9]\d*$/, 'an analyst has a reward explained');
like(as('ana', q{SELECT count(*) FROM swarm_reward.preview_epoch(1003, 1000)}), qr/^[1-9]\d*$/, 'and previews an epoch');
like(as('ana', q{SELECT count(*) FROM swarm_reward.simulate_node('POINT(10 10)'::gis.geography, 100000, '{"t_cpu": 5}')}), qr/^[1-9]\d*$/, 'and simulates a node');
my $explained = q{SELECT md5(string_agg(x::text, '|')) FROM swarm_reward.explain_reward(1003, 1004) x};
like(as('sven', $explained), qr/^[0-9a-f]{32}$/, 'a service explains a reward');
is(as('sven', $explained), as('ana', $explained), 'as an analyst does');
my $simulated = q{SELECT md5(string_agg(x::text, '|')) FROM swarm_reward.simulate_node('POINT(10 10)'::gis.geography, 100000, '{"t_cpu": 5}') x};
like(as('sven', $simulated), qr/^[0-9a-f]{32}$/, 'and simulates a node');
is(as('sven', $simulated), as('ana', $simulated), 'as an analyst does');
is(as('sven', "SET search_path = pg_temp; CREATE TEMP TABLE reward AS SELECT 1 AS x; CREATE TEMP TABLE epoch_node AS SELECT 1 AS x; $explained"), as('ana', $explained), 'whatever tables it makes');
like(as('sven', $_), $denied, "but not: $_") for 'SELECT * FROM swarm_reward.preview_epoch(1003, 1000)', 'SELECT * FROM swarm_reward.epoch_node', 'SELECT * FROM swarm_reward.reward';
like(as('paula', $_), qr/^permission denied for function/, "nor does a provider: $_") for $explained, 'SELECT * FROM swarm_reward.explain_reward(1003, 1001)', 'SELECT * FROM swarm_reward.simulate_node(NULL, 1, NULL)';
like(as('oscar', q{SELECT swarm_reward.restate_epoch(1002, 'a test') IS NULL}), qr/^t$/, 'an operator restates');
is(as('oscar', q{SELECT swarm_reward.make_payout() IS NULL}), 't', 'and makes payouts, of nothing as no provider has an address');
is(as('oscar', q{CALL swarm_reward.roll_telemetry()}), '', 'and rolls telemetry up');
like(as('oscar', q{SELECT made FROM swarm_reward.keep_telemetry_partitions('2 days')}), qr/^\d+$/, 'and keeps partitions');
is(as('oscar', q{CREATE TEMP TABLE heap (node_id bigint, sampled_at timestamptz, ok boolean); INSERT INTO heap VALUES (1001, '2021-03-05 12:34+00', true), (-5, '2021-03-05', true);
	SELECT concat_ws(' ', moved, rejected) FROM swarm_reward.ingest_telemetry('heap')}), '1 1', 'and ingests telemetry');
for my $role (qw(ana sven paula))
{
	like(as($role, 'CALL swarm_reward.run_epoch(1004)'), $denied, "$role must not compute");
	like(as($role, 'CALL swarm_reward.run_due_epochs()'), $denied, "$role must not run what is due");
	like(as($role, 'CALL swarm_reward.finalize_epoch(1003)'), $denied, "$role must not finalize");
	like(as($role, q{SELECT swarm_reward.plan_epochs('2102-01-01', '1 year', 10)}), $denied, "$role must not plan");
	like(as($role, q{SELECT swarm_reward.record_epoch_failure(1001, 'compute', '', '', '', '', '')}), $denied, "$role must not record failures");
	like(as($role, q{SELECT swarm_reward.make_telemetry_partitions('2030-01-01', '2030-01-02')}), $denied, "$role must not make partitions");
	like(as($role, q{SELECT swarm_reward.restate_epoch(1003, 'x')}), $denied, "$role must not restate");
	like(as($role, 'SELECT swarm_reward.make_payout()'), $denied, "$role must not make a payout");
	like(as($role, 'SELECT swarm_reward.release_payout(1)'), $denied, "$role must not release one");
	like(as($role, q{INSERT INTO swarm_reward.reward VALUES (1003, 1001, 1001, 'new_regions', 1, 1)}), $denied, "$role must not write a reward");
	like(as($role, q{UPDATE swarm_reward.reward SET amount = 1}), $denied, "$role must not change a reward");
	like(as($role, q{UPDATE swarm_reward.provider SET role_name = current_user}), $denied, "$role must not change a provider");
	like(as($role, q{CREATE FUNCTION swarm_reward.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'}), $denied, "$role must not put anything into the schema");
}

# A provider sees its own, whatever it tries.
is(as('paula', q{SELECT string_agg(DISTINCT provider_id::text, ',') FROM swarm_reward.provider_statement}), '1001', 'a provider sees its own statements');
is(as('paula', q{SELECT string_agg(DISTINCT provider_id::text, ',') FROM swarm_reward.reward}), '1001', 'and its own rewards');
is(as('paula', qq{SELECT string_agg(DISTINCT provider_id::text, ',') FROM swarm_reward.$_}), '1001', "and its own rows of $_") for qw(final_statement payout_line restatement);
is(as('pedro', q{SELECT string_agg(DISTINCT provider_id::text, ',' ORDER BY provider_id::text) FROM swarm_reward.provider_statement}), '1002,1003', 'one role may have two providers');
is(as('paula', q{SELECT s.total = (SELECT sum(amount) FROM swarm_reward.reward r WHERE r.epoch_id = 1003) FROM swarm_reward.provider_statement s WHERE s.epoch_id = 1003}), 't', 'which add up');
is(as('paula', q{SELECT count(*) FROM swarm_reward.provider_statement WHERE provider_id = 1002}), '0', 'asked for by number, the statement of another is not there');
is(as('paula', q{SELECT count(*) FROM swarm_reward.reward WHERE provider_id = 1002 OR true}), as('founder', 'SELECT count(*) FROM swarm_reward.reward WHERE provider_id = 1001'), 'nor are its rewards');
$node->safe_psql('ledger', 'CREATE SCHEMA paula AUTHORIZATION paula');
like(as('paula', q{CREATE FUNCTION paula.peek(bigint, numeric) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'peeked % %', $1, $2; RETURN true; END $$;}), qr/^$/, 'a function that tells what it is given');
my ($code, $out, $err) = $node->psql('ledger', 'SELECT count(*) FROM swarm_reward.provider_statement WHERE paula.peek(provider_id, total); SELECT count(*) FROM swarm_reward.reward WHERE paula.peek(provider_id, amount)', extra_params => ['-U', 'paula']);
like($err, qr/peeked 1001/, 'sees the own rows');
unlike($err, qr/peeked 100[^1]/, 'and no other');
for my $table (qw(node node_reward provider epoch_node epoch node_resource telemetry region_status payout policy epoch_failure))
{
	like(as('paula', "SELECT count(*) FROM swarm_reward.$table"), $denied, "a provider does not read $table");
}
is(as('nobody_at_all', 'SELECT count(*) FROM swarm_reward.provider_statement'), 'permission denied for schema swarm_reward', 'somebody without a role does not get in at all');
$node->safe_psql('ledger', q{UPDATE swarm_reward.provider SET role_name = NULL WHERE provider_id = 1001});
is(as('paula', q{SELECT count(*) FROM swarm_reward.provider_statement}), '0', 'a role that is no provider any more sees nothing');
$node->safe_psql('ledger', q{UPDATE swarm_reward.provider SET role_name = 'no such role' WHERE provider_id = 1001});
is(as('paula', q{SELECT count(*) FROM swarm_reward.provider_statement}), '0', 'nor does a role that does not exist disturb anybody');
$node->safe_psql('ledger', q{UPDATE swarm_reward.provider SET role_name = 'paula' WHERE provider_id = 1001; GRANT pedro TO paula});
is(as('paula', q{SELECT string_agg(DISTINCT provider_id::text, ',' ORDER BY provider_id::text) FROM swarm_reward.provider_statement}), '1001,1002,1003', 'a member of a role sees what the role sees');
$node->safe_psql('ledger', 'REVOKE pedro FROM paula');

# Objects of the same name in an early schema of the caller's own.
$node->safe_psql('ledger', 'GRANT CREATE ON DATABASE ledger TO oscar; SET ROLE oscar; CREATE SCHEMA trap');
is(as('oscar', q{
	CREATE TABLE trap.epoch AS SELECT 1 AS epoch_id; CREATE TABLE trap.reward (x int);
	CREATE FUNCTION trap.try_epoch_lock() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE FUNCTION trap.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
	CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.trap);
	CREATE FUNCTION trap.st_covers(gis.geography, gis.geography) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$}), '', 'traps are set');
is(as('oscar', q{UPDATE swarm_reward.epoch SET period = tstzrange(lower(period), '2021-03-22') WHERE epoch_id = 1004}), '', 'an epoch is due again');
is(as('oscar', q{SET search_path = trap, pg_catalog, swarm_reward, gis; CREATE TEMP TABLE epoch_node (x int); CREATE TEMP TABLE epoch (y int);
	CREATE FUNCTION pg_temp.freeze_node(bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$; CALL swarm_reward.run_epoch(1004); CALL swarm_reward.finalize_epoch(1004)}), '', 'no procedure falls into one');
is(as('oscar', q{SET search_path = trap, pg_catalog; SELECT count(*) OPERATOR(pg_catalog.>) 0 FROM swarm_reward.preview_restatement(1001, '{}')}), 't', 'nor a restatement');
is(as('oscar', q{SET search_path = trap, pg_catalog; SELECT pg_catalog.count(*) FROM swarm_reward.verify_epoch(1004) WHERE NOT ok}), '0', 'nor a function');
is(as('oscar', q{SET search_path = trap, pg_catalog; SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 FROM swarm_reward.provider_statement}), 't', 'nor a view');

# grant_role and revoke_role themselves.
like(as('founder', q{SELECT swarm_reward.grant_role('king', 'ana')}), qr/there is no kind of role 'king'/, 'no such kind');
like(as('founder', q{SELECT swarm_reward.grant_role('analyst', 'nemo')}), qr/role nemo does not exist/, 'no such role');
like(as('founder', q{SELECT swarm_reward.grant_role(NULL, 'ana')}), qr/there is no kind of role NULL/, 'NULL is no kind');
$node->safe_psql('ledger', q{CREATE ROLE "we;ird ""x" LOGIN; SELECT swarm_reward.grant_role('operator', 'we;ird "x'), swarm_reward.revoke_role('we;ird "x'), swarm_reward.revoke_role('oscar'), swarm_reward.revoke_role('oscar')});
like(as('oscar', q{SELECT count(*) FROM swarm_reward.epoch}), $denied, 'what was granted is taken away');
is(as('founder', q{DROP ROLE "we;ird ""x"}), '', 'to the last bit');
is(as('founder', q{SELECT count(*) FROM pg_class c, LATERAL aclexplode(c.relacl) x WHERE c.relnamespace = 'swarm_reward'::regnamespace AND (x.grantee = 0 OR x.grantee = 'oscar'::regrole)}), '0', 'nothing is for everybody');
is(as('founder', q{SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'swarm_reward'::regnamespace AND has_function_privilege('nobody_at_all', p.oid, 'EXECUTE')
	AND (p.prosecdef OR p.prokind = 'p' OR (p.provolatile = 'v' AND l.lanname <> 'c'))}), '0', 'no routine that writes either');

# They survive a dump.
my $dump = $node->basedir . '/ledger.sql';
$node->command_ok(['pg_dump', '-d', $node->connstr('ledger'), '-f', $dump], 'the database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE again');
($code, $out, $err) = $node->psql('again', "\\i $dump", on_error_stop => 1);
is($code, 0, 'and restored') or diag($err);
is($node->safe_psql('again', q{SET ROLE paula; SELECT string_agg(DISTINCT provider_id::text, ',') FROM swarm_reward.provider_statement}), '1001', 'where a provider sees its own');
is($node->safe_psql('again', q{SET ROLE paula; SELECT string_agg(DISTINCT provider_id::text, ',') FROM swarm_reward.reward}), '1001', 'of everything');
is($node->safe_psql('again', q{SET ROLE ana; SELECT count(DISTINCT provider_id) > 3 FROM swarm_reward.reward}), 't', 'and an analyst all');
$node->stop;
done_testing();
