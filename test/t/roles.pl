# Privileges: each kind of role logs in, does what it is for, and tries what it must not do, in a database where PostGIS
# has a schema of its own and the extension was made by a superuser who is not the default one.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $node = new_cluster('roles');
my @kinds = qw(analyst registrar operator treasurer service monitor provider);
$node->safe_psql('postgres', 'CREATE DATABASE ledger; CREATE ROLE founder SUPERUSER LOGIN;' . join('', map { "CREATE ROLE $_ LOGIN;" } @kinds, 'other_provider', 'nobody_at_all'));
$node->safe_psql('ledger', "CREATE SCHEMA gis; GRANT USAGE ON SCHEMA gis TO PUBLIC; CREATE EXTENSION postgis SCHEMA gis; CREATE EXTENSION swarm_reward; ALTER DATABASE ledger SET search_path = swarm_reward, gis;", extra_params => ['-U', 'founder']);
$node->safe_psql('ledger', "SELECT " . join(', ', map { "swarm_reward.grant_role('$_', '$_')" } @kinds) . ", swarm_reward.grant_role('provider', 'other_provider')", extra_params => ['-U', 'founder']);
$node->safe_psql('ledger', "\\o /dev/null\n\\i $ENV{TESTDIR}/test/pgtap/small.psql\nUPDATE policy SET challenge_window = '0' WHERE name = 'p'; UPDATE provider SET role_name = 'provider' WHERE provider_id = 1;
	UPDATE provider SET role_name = 'other_provider' WHERE provider_id IN (2, 3);");
$node->safe_psql('ledger', q{ALTER DATABASE ledger SET search_path = ''});

# What a role gets from a statement: its output, or the error.
sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) = $node->psql('ledger', $sql, extra_params => ['-U', $role], on_error_stop => 1);

	return $code == 0 ? $out : ($err =~ /(?:ERROR|FATAL): +(.*)/)[0] // $err;
}
my $denied = qr/^permission denied|^must be owner/;

# ---- what each is for ----

my %does = (
	registrar => [
		[q{INSERT INTO swarm_reward.provider (provider_id, name) VALUES (50, 'new') RETURNING name}, qr/^new$/],
		[q{INSERT INTO swarm_reward.node (provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (50, 'h50', 'POINT(1 50)', 1000, '2024-04-01') RETURNING hardware_id}, qr/^h50$/],
		[q{SELECT swarm_reward.set_node_resource(node_id, 'gpu', 3) FROM swarm_reward.node WHERE hardware_id = 'h50'}, qr/^$/],
		[q{SELECT swarm_reward.replace_node(node_id, '2024-05-01', 'POINT(2 50)') > 0 FROM swarm_reward.node WHERE hardware_id = 'h50'}, qr/^t$/],
		[q{INSERT INTO swarm_reward.node_suspension SELECT node_id, '[2030-01-01,)', 'test' FROM swarm_reward.node WHERE hardware_id = 'h50' AND left_at IS NULL RETURNING reason}, qr/^test$/],
		[q{INSERT INTO swarm_reward.resource_check VALUES (1, 'gpu', '2024-03-05', 1) RETURNING units}, qr/^1.0/],
		[q{SELECT swarm_reward.correct_node(1, '{"hardware_id": "h1"}', 'a test')}, qr/^$/],
	],
	operator => [
		[q{INSERT INTO swarm_reward.region (code, name, boundary) VALUES ('N', 'new', 'MULTIPOLYGON(((60 0,61 0,61 1,60 1,60 0)))') RETURNING code}, qr/^N$/],
		[q{INSERT INTO swarm_reward.demand (location, weight) VALUES ('POINT(60.5 0.5)', 5) RETURNING 1}, qr/^1$/],
		[q{INSERT INTO swarm_reward.beacon (name, location) VALUES ('b', 'POINT(60.5 0.5)') RETURNING name}, qr/^b$/],
		[q{INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (1, '2024-01-05 00:00:01+00', true) RETURNING ok}, qr/^t$/],
		[q{SELECT swarm_reward.new_policy('p', 'next', '2024-06-01', '{"supply_target": 2}') > 0}, qr/^t$/],
		[q{UPDATE swarm_reward.policy SET supply_target = 3 WHERE name = 'next' RETURNING trim_scale(supply_target)}, qr/^3$/],
		[q{UPDATE swarm_reward.policy_resource r SET unit_value = 3 FROM swarm_reward.policy p WHERE p.policy_id = r.policy_id AND p.name = 'next'}, qr/^$/],
		[q{SELECT swarm_reward.plan_epochs('2024-05-01', '1 month', 10, '2024-04-01')}, qr/^1$/],
		[q{UPDATE swarm_reward.epoch SET budget = 11 WHERE period @> timestamptz '2024-04-05' RETURNING budget}, qr/^11$/],
		[q{INSERT INTO swarm_reward.epoch (period, budget) VALUES ('[2035-01-01 00:30+00,2035-02-01 00:30+00)', 12); DELETE FROM swarm_reward.epoch WHERE budget = 12 RETURNING budget}, qr/^12$/],
		[q{SELECT count(*) > 3 FROM swarm_reward.check_epoch(1)}, qr/^t$/],
		[q{CALL swarm_reward.run_epoch(1)}, qr/^$/],
		[q{SELECT swarm_reward.hold_epoch(1, 'test'), swarm_reward.release_epoch(1, 'test')}, qr/^\|$/],
		[q{SELECT swarm_reward.reopen_epoch(1, 'test')}, qr/^$/],
		[q{CALL swarm_reward.run_due_epochs()}, qr/^$/],
		[q{SELECT string_agg(status, ' ' ORDER BY period) FROM swarm_reward.epoch}, qr/^final final final computed$/],
		[q{SELECT count(*) FROM swarm_reward.verify_epoch(3) WHERE NOT ok}, qr/^0$/],
		[q{SELECT count(*) FROM swarm_reward.preview_epoch(3)}, qr/^[1-9]/],
		[q{SELECT count(*) FROM swarm_reward.restate_epoch(1, 'nothing has changed', true)}, qr/^\d+$/],
		[q{CALL swarm_reward.roll_telemetry('2024-01-02', 24)}, qr/^$/],
		[q{SELECT swarm_reward_internal.mark_telemetry_hours('[2024-01-01,2024-01-02)') > 0}, qr/^t$/],
		[q{SELECT made FROM swarm_reward.keep_telemetry_partitions('2 days')}, qr/^\d+$/],
		[q{CREATE TEMP TABLE heap (node_id bigint, sampled_at timestamptz, ok boolean); INSERT INTO heap VALUES (1, '2024-03-05 12:34:56+00', true), (-5, '2024-03-05', true);
			SELECT concat_ws(' ', moved, rejected) FROM swarm_reward.ingest_telemetry('heap')}, qr/^1 1$/],
		[q{SELECT count(*) > 0 FROM swarm_reward.explain_reward(1, 2)}, qr/^t$/],
		[q{SELECT count(*) > 10 FROM swarm_reward.health}, qr/^t$/],
	],
	treasurer => [
		[q{UPDATE swarm_reward.provider SET payout_address = '0x000000000000000000000000000000000000000' || provider_id WHERE provider_id < 4}, qr/^$/],
		[q{SELECT swarm_reward.fund_treasury(5, 'test') > 0}, qr/^t$/],
		[q{SELECT swarm_reward.make_payout()}, qr/^1$/],
		[q{SELECT swarm_reward.cancel_payout(1, 'test')}, qr/^$/],
		[q{SELECT swarm_reward.make_payout()}, qr/^2$/],
		[q{SELECT length(swarm_reward.release_payout(2))}, qr/^32$/],
		[q{SELECT length(swarm_reward.payout_csv(2)) > 0 AND json_array_length(swarm_reward.payout_tree(2) -> 'values') = (SELECT count(*) FROM swarm_reward.payout_proof(2))}, qr/^t$/],
		[q{SELECT swarm_reward.fail_payout(2, ARRAY['0x0000000000000000000000000000000000000001'], 'test') > 0}, qr/^t$/],
		[q{SELECT swarm_reward.confirm_payout(2, 'test')}, qr/^$/],
		[q{SELECT count(*) FROM swarm_reward.verify_payout(2) WHERE NOT ok}, qr/^0$/],
		[q{SELECT count(*) = 4 FROM swarm_reward.provider_balance}, qr/^t$/],
	],
	analyst => [
		[q{SELECT count(DISTINCT provider_id) FROM swarm_reward.reward}, qr/^3$/],
		[q{SELECT count(*) FROM swarm_reward.verify_epoch(2) WHERE NOT ok}, qr/^0$/],
		[q{SELECT count(*) > 0 FROM swarm_reward.preview_epoch(3)}, qr/^t$/],
		[q{SELECT count(*) FROM swarm_reward.verify_payout(2) WHERE NOT ok}, qr/^0$/],
		[q{SELECT count(*) > 0 FROM swarm_reward.simulate_node('POINT(10 50)'::gis.geography, 100000, '{"gpu": 5}')}, qr/^t$/],
	],
	service => [
		[q{SELECT count(*) > 0 FROM swarm_reward.explain_reward(1, 2)}, qr/^t$/],
		[q{SELECT count(*) > 0 FROM swarm_reward.simulate_node('POINT(10 50)'::gis.geography, 100000, '{"gpu": 5}')}, qr/^t$/],
		[q{SELECT swarm_reward.coverage_area(swarm_reward.reward_map(2, 100000, '{"gpu": 5}')) >= 0}, qr/^t$/],
		[q{SELECT count(*) FROM swarm_reward.payout_proof(2, '0x0000000000000000000000000000000000000002')}, qr/^1$/],
		[q{SELECT swarm_reward.region_of('POINT(60.5 0.5)'::gis.geography)}, qr/^N$/],
	],
	monitor => [
		[q{SELECT count(*) > 10 FROM swarm_reward.health}, qr/^t$/],
		[q{SELECT count(*) >= 0 FROM swarm_reward.epoch_progress}, qr/^t$/],
	],
	provider => [
		[q{SELECT string_agg(DISTINCT provider_id::text, ',') FROM swarm_reward.provider_statement}, qr/^1$/],
		[q{SELECT string_agg(provider_id::text, ',') FROM swarm_reward.provider_balance}, qr/^1$/],
		[q{SELECT count(*) > 0 FROM swarm_reward.explain_reward(1, 2)}, qr/^t$/],
	],
);
for my $kind (qw(registrar operator treasurer analyst service monitor provider))
{
	for my $case (@{$does{$kind}})
	{
		like(as($kind, $case->[0]), $case->[1], "$kind: " . substr($case->[0], 0, 120));
	}
}
my @views = split /\n/, $node->safe_psql('ledger', q{SELECT relname FROM pg_class WHERE relnamespace = 'swarm_reward'::regnamespace AND relkind = 'v' ORDER BY 1});
# every column of them: what nobody asks for is not computed
for my $kind (qw(analyst operator registrar treasurer service))
{
	my @read = grep { $kind ne 'service' || $_ ne 'epoch_owner' } @views;
	is(as($kind, join(';', map { "SELECT count(x) >= 0 FROM swarm_reward.$_ x" } @read)), join("\n", ('t') x @read), "$kind reads every view" . (@read < @views ? ' but that of hardware' : ''));
}

# ---- whatever a kind may call does not fail for a right that it lacks ----

# All routines there are, called with values that mean something, each undone; a public one whose caller needs the right to
# a table is there to see that it is found. Two that make transactions of their own are above.
$node->safe_psql('ledger', q{
	CREATE FUNCTION swarm_reward.planted() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM swarm_reward.node; END;
	CREATE TABLE public.heap (node_id bigint, sampled_at timestamptz, ok boolean);
	GRANT ALL ON public.heap TO PUBLIC;
	CREATE FUNCTION public.value_of(name text, type regtype) RETURNS text LANGUAGE sql STABLE SET search_path = swarm_reward, gis, pg_catalog AS $$
		SELECT coalesce(quote_literal(CASE
			WHEN name = 'resource_type' THEN 'gpu' WHEN name = 'template' THEN 'p' WHEN name = 'component' THEN 'new_regions' WHEN name IN ('resources', 'unit_values') THEN '{"gpu": 1}'
			WHEN name = 'address' THEN '0x0000000000000000000000000000000000000001' WHEN name = 'payout_id' THEN '2' WHEN name = 'to_time' THEN '2024-01-06' WHEN name = 'effective_from' THEN '2034-01-01'
			WHEN name IN ('region', 'regions', 'boundary', 'boundaries') AND type = 'geography'::regtype THEN 'MULTIPOLYGON(((0 40,20 40,20 50,0 50,0 40)))'
			ELSE CASE type::text WHEN 'bigint' THEN '1' WHEN 'integer' THEN '5' WHEN 'numeric' THEN '1' WHEN 'double precision' THEN '1000' WHEN 'boolean' THEN 'true' WHEN 'text' THEN 'x' WHEN 'name' THEN 'x'
				WHEN 'timestamp with time zone' THEN '2024-01-05' WHEN 'interval' THEN '1 day' WHEN 'jsonb' THEN '{}' WHEN 'json' THEN '{}' WHEN 'geography' THEN 'POINT(10 50)' WHEN 'coverage' THEN '5:{[0,10)=1}'
				WHEN 'tstzrange' THEN '[2024-01-01,2024-02-01)' WHEN 'tstzmultirange' THEN '{[2024-01-01,2024-02-01)}' WHEN 'regclass' THEN 'public.heap' WHEN 'code' THEN 'gpu' END END), 'NULL') $$;
	CREATE FUNCTION public.call_all() RETURNS TABLE (routine text, said text) LANGUAGE plpgsql AS $$
	DECLARE
		call text;
	BEGIN
		FOR routine, call IN SELECT p.oid::regprocedure, format('%s %s(%s)', CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, p.oid::regproc,
				(SELECT string_agg(public.value_of(p.proargnames[a.n], a.type) || '::' || a.type::regtype, ', ' ORDER BY a.n) FROM unnest(p.proargtypes) WITH ORDINALITY a (type, n)))
			FROM pg_proc p WHERE p.pronamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND p.prokind <> 'w'
				AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND NOT 'internal'::regtype = ANY (p.proargtypes) AND has_function_privilege(p.oid, 'EXECUTE')
		LOOP
			BEGIN
				EXECUTE call;
				RAISE EXCEPTION 'done';
			EXCEPTION WHEN OTHERS THEN
				said := SQLERRM;
				RETURN NEXT;
			END;
		END LOOP;
	END $$});
for my $kind (@kinds)
{
	my %said = split /[|\n]/, as($kind, q{SELECT routine, translate(split_part(said, chr(10), 1), '|', '/') FROM public.call_all()});
	my $reads_node = $kind !~ /service|monitor|provider/;

	cmp_ok(scalar(grep { $said{$_} eq 'done' } keys %said), '>', 80, "$kind calls many routines to their end");
	is(delete $said{'swarm_reward.planted()'}, $reads_node ? 'done' : 'permission denied for table node', 'what wants more is found out');
	is(join("\n", map { "$_: $said{$_}" } grep { $said{$_} =~ /^permission denied|^must be owner/ } sort keys %said), '', "and there is none that is $kind\'s to call and wants more");
}
$node->safe_psql('ledger', 'DROP FUNCTION swarm_reward.planted()');

# Of a row that the server itself refuses an operator is told what to do, also in the first statement of a session; and it helps.
for my $load (q{INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (1, '2031-01-05 23:59:59.5+00', true)},
	"COPY swarm_reward.telemetry (node_id, sampled_at, ok) FROM STDIN;\n1\t2031-03-05\tt\n\\.\n")
{
	my (undef, undef, $told) = $node->psql('ledger', $load, extra_params => ['-U', 'operator']);
	like($told, qr/DETAIL: .*2031-0.*\nHINT: +SELECT /, 'a day without a partition: ' . substr($load, 0, 60));
	is(as('operator', ($told =~ /HINT: +(SELECT .*?) first\./)[0]), '2', 'the hint makes it');
	is(as('operator', $load), '', 'and the row is taken');
	(undef, undef, $told) = $node->psql('ledger', $load, extra_params => ['-U', 'operator']);
	like($told, qr/HINT: .*ON CONFLICT DO NOTHING/, 'though not twice');
	(my $unknown = $load) =~ s/\b1(?=, '|\t)/4711/;
	(undef, undef, $told) = $node->psql('ledger', $unknown, extra_params => ['-U', 'operator']);
	like($told, qr/DETAIL: .*4711.*\nHINT: +Insert it into swarm_reward\.node first/, 'nor of a node that nobody knows');
}

# ---- what they must not do ----

my %forbidden = (
	# facts of nodes
	q{INSERT INTO swarm_reward.node (provider_id, location, service_radius_m, joined_at) VALUES (1, 'POINT(1 1)', 5, now())} => 'registrar',
	q{UPDATE swarm_reward.node SET left_at = now()} => 'registrar',
	q{INSERT INTO swarm_reward.node_resource VALUES (1, 'gpu', 5)} => 'registrar',
	q{SELECT swarm_reward.correct_node(1, '{"hardware_id": "x"}', 'x')} => 'registrar',
	q{UPDATE swarm_reward.provider SET name = 'x'} => 'registrar',
	q{UPDATE swarm_reward.provider SET role_name = current_user} => 'registrar',
	# where money goes
	q{UPDATE swarm_reward.provider SET payout_address = '0x000000000000000000000000000000000000000a' WHERE provider_id = 2} => 'treasurer',
	q{INSERT INTO swarm_reward.provider (name, payout_address) VALUES ('x', '0x000000000000000000000000000000000000000a')} => '',
	q{SELECT swarm_reward.make_payout()} => 'treasurer', q{SELECT swarm_reward.release_payout(1)} => 'treasurer', q{SELECT swarm_reward.fund_treasury(1, 'x')} => 'treasurer',
	q{SELECT swarm_reward.fail_payout(2, NULL, 'x')} => 'treasurer', q{SELECT swarm_reward.payout_csv(2)} => 'treasurer',
	# what is computed
	q{CALL swarm_reward.run_epoch(4)} => 'operator', q{CALL swarm_reward.run_due_epochs()} => 'operator', q{CALL swarm_reward.finalize_epoch(3)} => 'operator',
	q{SELECT swarm_reward.plan_epochs('2025-01-01', '1 month', 10)} => 'operator', q{SELECT swarm_reward.restate_epoch(3, 'x')} => 'operator', q{SELECT swarm_reward.hold_epoch(4, 'x')} => 'operator',
	q{SELECT swarm_reward.archive_epoch(1, 'x')} => 'operator', q{INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (1, '2024-01-01', true)} => 'operator',
	q{INSERT INTO swarm_reward.demand (location, weight) VALUES ('POINT(1 1)', 5)} => 'operator', q{UPDATE swarm_reward.policy SET note = 'x'} => 'operator', q{DELETE FROM swarm_reward.epoch} => 'operator',
	q{INSERT INTO swarm_reward.beacon_rtt VALUES (1, 1, now(), 1)} => 'operator', q{SELECT swarm_reward.keep_telemetry_partitions()} => 'operator',
	# what nobody writes
	map { $_ => '' } q{UPDATE swarm_reward.reward SET amount = amount + 1}, q{INSERT INTO swarm_reward.reward SELECT * FROM swarm_reward.reward}, q{TRUNCATE swarm_reward.reward},
		q{UPDATE swarm_reward.epoch SET status = 'open'}, q{UPDATE swarm_reward.epoch SET digest = NULL}, q{UPDATE swarm_reward.epoch SET held_reason = NULL}, q{UPDATE swarm_reward.epoch_pool SET paid = 0},
		q{INSERT INTO swarm_reward.posting VALUES (1, 3, 5)}, q{INSERT INTO swarm_reward.entry (kind) VALUES ('funding')}, q{DELETE FROM swarm_reward.posting}, q{UPDATE swarm_reward.payout SET status = 'released'},
		q{DELETE FROM swarm_reward.payout_line}, q{UPDATE swarm_reward.restatement SET amount = 1}, q{DELETE FROM swarm_reward.audit}, q{UPDATE swarm_reward.policy SET is_builtin = true},
		q{UPDATE swarm_reward.epoch_failure SET mended_at = now()}, q{DELETE FROM swarm_reward.epoch_event}, q{DELETE FROM swarm_reward_internal.guard}, q{INSERT INTO swarm_reward_internal.node_correction (node_id, changes, reason) VALUES (1, '{}', 'x')},
		q{SELECT swarm_reward_internal.post_epoch(3)}, q{SELECT swarm_reward_internal.new_entry('funding', NULL, NULL, 'x')}, q{SELECT swarm_reward_internal.compute_epoch(3)}, q{SELECT swarm_reward_internal.clear_epoch(3)},
		q{SELECT swarm_reward_internal.seal_epoch(3)}, q{SELECT swarm_reward.grant_role('analyst', 'nobody_at_all')}, q{SELECT swarm_reward.revoke_role('nobody_at_all')},
		q{ALTER TABLE swarm_reward.reward DISABLE TRIGGER ALL}, q{SET session_replication_role = replica}, q{CREATE FUNCTION swarm_reward.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'},
		q{CREATE TABLE swarm_reward_internal.mine (x int)},
);
# One session for each kind, in which every statement is undone: what it was told of each.
my @statements = sort keys %forbidden;
my %told;
for my $kind (@kinds, 'nobody_at_all')
{
	my ($code, $out, $err) = $node->psql('ledger', join('', map { "\\warn == $_\nBEGIN;\n$statements[$_];\nROLLBACK;\n" } 0 .. $#statements), extra_params => ['-U', $kind], on_error_stop => 0);
	$told{$kind}{$1} = $2 while $err =~ /^== (\d+)\n(.*?)(?=^== |\z)/msg;
}
for my $n (0 .. $#statements)
{
	my $sql = $statements[$n];
	my @not = grep { ($told{$_}{$n} // '') !~ /ERROR: +(permission denied|must be owner)/ } grep { $_ ne $forbidden{$sql} } @kinds, 'nobody_at_all';
	is("@not", '', ($forbidden{$sql} || 'nobody') . " alone may: " . substr($sql, 0, 100));
}
is(as('registrar', q{BEGIN; INSERT INTO swarm_reward.provider (name, payout_address) VALUES ('x', '0x000000000000000000000000000000000000000a')}), 'permission denied for table provider', 'who registers a provider does not say where it is paid');
for my $kind (qw(service monitor provider))
{
	like(as($kind, "SELECT * FROM swarm_reward.$_"), $denied, "$kind does not read $_") for qw(node reward epoch_node epoch_owner provider policy payout telemetry audit posting);
}
like(as('monitor', "SELECT * FROM swarm_reward.$_"), $denied, "monitor does not read $_") for qw(provider_balance provider_statement node_reward);
like(as('provider', "SELECT * FROM swarm_reward.$_"), $denied, "provider does not read $_") for qw(node_reward health location_trust region_status);
like(as('nobody_at_all', 'SELECT * FROM swarm_reward.provider_statement'), $denied, 'somebody without a role reads nothing');

# A final epoch is for ever, also for its owner.
like(as('operator', q{UPDATE swarm_reward.epoch SET budget = 1 WHERE epoch_id = 3}), qr/is final/, 'a final epoch cannot be changed');
like(as('founder', q{DELETE FROM swarm_reward.posting}), qr/cannot change or remove rows of posting/, 'nor what was posted, by nobody');
like(as('founder', q{DELETE FROM swarm_reward.audit}), qr/cannot change or remove rows of audit/, 'nor who did what');

# ---- a provider sees its own, whatever it tries ----

is(as('other_provider', q{SELECT string_agg(DISTINCT provider_id::text, ',' ORDER BY provider_id::text) FROM swarm_reward.provider_statement}), '2,3', 'one role may have two providers');
is(as('provider', q{SELECT count(*) FROM swarm_reward.provider_statement WHERE provider_id = 2 OR true}), as('founder', 'SELECT count(*) FROM swarm_reward.provider_statement WHERE provider_id = 1'), 'asked for cleverly, the statement of another is not there');
like(as('provider', q{SELECT * FROM swarm_reward.explain_reward(2, 2)}), qr/not yours|permission denied|does not exist/, 'nor is the reward of its node explained');
like(as('provider', q{SELECT swarm_reward.challenge_epoch(4, 2, 'x')}), qr/not yours|was no member|permission|challenged|does not exist/, 'nor can it be challenged');
is(as('provider', q{SELECT swarm_reward_internal.providers_of('other_provider')}), '', 'who has which provider is told to nobody else');
is(as('provider', q{SELECT swarm_reward_internal.providers_of('provider')}), '{1}', 'but to whose it is');
$node->safe_psql('ledger', 'CREATE SCHEMA shed AUTHORIZATION provider');
as('provider', q{CREATE FUNCTION shed.peek(bigint, numeric) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'peeked % %', $1, $2; RETURN true; END $$});
my ($code, $out, $err) = $node->psql('ledger', 'SELECT count(*) FROM swarm_reward.provider_statement WHERE shed.peek(provider_id, total); SELECT count(*) FROM swarm_reward.provider_balance WHERE shed.peek(provider_id, balance)', extra_params => ['-U', 'provider']);
like($err, qr/peeked 1 /, 'a function of its own sees its own rows');
unlike($err, qr/peeked [^1]/, 'and no other');
is(as('provider', q{CREATE TEMP TABLE provider AS SELECT 2 AS provider_id, 'provider'::name AS role_name; CREATE TEMP TABLE account AS SELECT 1; SET search_path = pg_temp; SELECT string_agg(provider_id::text, ',') FROM swarm_reward.provider_balance}), '1', 'whatever tables it makes');
is(as('founder', q{SELECT swarm_reward.revoke_role('provider')}), '', 'a role is taken away');
like(as('provider', 'SELECT * FROM swarm_reward.provider_statement'), $denied, 'and nothing is left of it');
is($node->safe_psql('ledger', 'SELECT swarm_reward.revoke_role(r) FROM unnest(ARRAY[' . join(', ', map { "'$_'" } @kinds, 'other_provider') . q{]) r; DROP OWNED BY provider; DROP ROLE analyst, registrar, operator, treasurer, service, monitor}), "\n" x 7, 'so that roles can be dropped');
$node->stop;
done_testing();
