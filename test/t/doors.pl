# Doors: somebody who may create in PostGIS's schema and in public plants, for every function and operator that the
# engine could look up, one that would match better. Then every routine that runs with the owner's rights is
# run, from a session with those schemas on its path, and none of the planted ones is called.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $node = new_cluster('doors', "track_functions = all\nlog_min_messages = log\nmax_locks_per_transaction = 512\n");
$node->safe_psql('postgres', 'CREATE DATABASE ledger');
$node->safe_psql('ledger', q{
	CREATE SCHEMA gis;
	CREATE EXTENSION postgis SCHEMA gis;
	CREATE EXTENSION swarm_reward;
	ALTER DATABASE ledger SET search_path = swarm_reward, gis, public;
	CREATE ROLE planter LOGIN;
	GRANT CREATE, USAGE ON SCHEMA gis, public TO planter;
	GRANT USAGE ON SCHEMA swarm_reward, swarm_reward_internal TO planter;
	CREATE TABLE public.called (what text);	-- the control's
});
my $small = "$ENV{TESTDIR}/test/pgtap/small.psql";
$node->safe_psql('ledger', "\\o /dev/null\n\\i $small");

# By the catalogue: what has a body in text has a path of its own, in which nobody else may create. Two procedures
# commit and cannot have one: they qualify every name, see operate.pl.
is($node->safe_psql('ledger', q{
	SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.pronamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL
		AND NOT coalesce(p.proconfig && ARRAY['search_path=swarm_reward_internal, swarm_reward, pg_temp', 'search_path="swarm_reward_internal", "swarm_reward", "pg_temp"'], false)
}), 'roll_telemetry(timestamp with time zone,integer), run_due_epochs()', 'every body in text has a path of ours and nothing else');
is($node->safe_psql('ledger', q{
	SELECT count(*) FROM pg_namespace n, aclexplode(n.nspacl) x WHERE n.nspname IN ('swarm_reward', 'swarm_reward_internal') AND x.privilege_type = 'CREATE' AND x.grantee <> n.nspowner
}), '0', 'in which only the owner may create');

# What the planted ones do: they are seen in the server's log, whoever catches the error.
$node->safe_psql('ledger', "\\i $ENV{TESTDIR}/test/t/plant.sql");
my $log = slurp_file($node->logfile);
my ($functions) = $log =~ /functions planted: (\d+)/;
my ($operators) = $log =~ /operators planted: (\d+)/;
cmp_ok($functions, '>', 2000, "$functions functions are planted");
cmp_ok($operators, '>', 2000, "and $operators operators");

# The control: with PostGIS's schema on its path a routine calls them.
my ($code, $out, $err) = $node->psql('ledger', q{
	CREATE FUNCTION public.careless() RETURNS bool LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, gis AS $$ BEGIN RETURN 1::bigint = 2.5::numeric; END $$;
	SELECT public.careless();
});
like($err, qr/planted/, 'a careless routine calls what was planted');
my $caught = () = slurp_file($node->logfile) =~ /LOG:  planted: /g;

# Now ours, one after the other, with everything planted on the path of the session.
sub run
{
	my ($sql) = @_;
	my ($code, $out, $err) = $node->psql('ledger', "SET search_path = gis, public, pg_catalog, swarm_reward;\n$sql", on_error_stop => 0);

	return $err;
}
my $mistakes = run(q{
	SET client_min_messages = error;
	SELECT swarm_reward.plan_epochs('2024-05-01', '1 month', 5, '2024-04-01');
	SELECT * FROM swarm_reward.check_epoch(1);
	CALL swarm_reward.run_epoch(1);
	CALL swarm_reward.run_epoch(2);
	SELECT swarm_reward.hold_epoch(1, 'a test');
	SELECT swarm_reward.release_epoch(1, 'a test');
	SELECT swarm_reward.challenge_epoch(2, 1, 'a test');
	CALL swarm_reward.run_epoch(3);
	SELECT swarm_reward.reopen_epoch(3, 'a test');
	SELECT * FROM swarm_reward.check_epoch(2);
	UPDATE swarm_reward.epoch SET first_computed_at = first_computed_at OPERATOR(pg_catalog.-) interval '8 days' WHERE status OPERATOR(pg_catalog.=) 'computed';
	CALL swarm_reward.finalize_epoch(1);
	CALL swarm_reward.run_due_epochs();
	SELECT * FROM swarm_reward.verify_epoch(1);
	SELECT * FROM swarm_reward.explain_reward(1, 1);
	SELECT * FROM swarm_reward.simulate_node('POINT(5 50)'::gis.geography, 100000, '{"gpu": 3}');
	SELECT swarm_reward.coverage_area(swarm_reward.reward_map(2::bigint, 100000::float8, '{"gpu": 3}'::jsonb));
	SELECT pg_catalog.count(*) FROM swarm_reward.preview_epoch(2);
	SELECT swarm_reward.set_node_resource(2, 'gpu', 9, '2024-02-02');
	SELECT swarm_reward.correct_node(3, '{"joined_at": "2024-02-20T00:00:00Z"}', 'a test');
	SELECT swarm_reward.fund_treasury(1000000, 'a test');
	SELECT pg_catalog.count(*) FROM swarm_reward.restate_epoch(1, 'a test', true);
	SELECT pg_catalog.count(*) FROM swarm_reward.restate_epoch(1, 'a test');
	SELECT swarm_reward.replace_node(4::bigint, pg_catalog.now(), NULL::gis.geography, 1000::float8);
	UPDATE swarm_reward.provider SET payout_address = pg_catalog.concat('0x000000000000000000000000000000000000000', provider_id);
	SELECT swarm_reward.make_payout();
	SELECT swarm_reward.cancel_payout(1, 'a test');
	SELECT swarm_reward.make_payout();
	SELECT swarm_reward.release_payout(2);
	SELECT swarm_reward.payout_csv(2), swarm_reward.payout_tree(2);
	SELECT * FROM swarm_reward.payout_proof(2);
	SELECT * FROM swarm_reward.verify_payout(2);
	SELECT swarm_reward.fail_payout(2, ARRAY['0x0000000000000000000000000000000000000001'], 'a test');
	SELECT swarm_reward.confirm_payout(2, 'a test');
	CALL swarm_reward.roll_telemetry('2024-03-01', 200);
	SELECT swarm_reward.make_telemetry_partitions('2024-04-01', '2024-04-03');
	SELECT swarm_reward.region_of('POINT(5 50)'::gis.geography);
	CREATE TABLE public.heap (node_id bigint, sampled_at timestamptz, ok boolean);
	INSERT INTO public.heap VALUES (1, '2024-01-05 12:34:56+00', true), (77, '2024-01-05', true);
	SELECT * FROM swarm_reward.ingest_telemetry('public.heap');
	SELECT * FROM swarm_reward.ingest_telemetry('swarm_reward.telemetry_reject');
	INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (1, '2024-01-05 12:34:57+00', true);
	UPDATE swarm_reward.telemetry SET ok = false WHERE sampled_at OPERATOR(pg_catalog.=) '2024-01-05 12:34:57+00'::timestamptz;
	DELETE FROM swarm_reward.telemetry WHERE sampled_at OPERATOR(pg_catalog.=) '2024-01-05 12:34:57+00'::timestamptz;
	UPDATE swarm_reward.node SET name = 'x' WHERE node_id OPERATOR(pg_catalog.=) 1;
	DELETE FROM swarm_reward.node WHERE node_id OPERATOR(pg_catalog.=) 1;
	DELETE FROM swarm_reward.region;
	DELETE FROM swarm_reward.policy;
	INSERT INTO swarm_reward.node (provider_id, hardware_id, location, service_radius_m, joined_at) VALUES (1, 'new', 'POINT(1 1)', 5, pg_catalog.now());
	INSERT INTO swarm_reward.resource_demand (region, resource_type, units, valid) VALUES ('eu', 'cpu', 1, '[2024-01-01,)');
	INSERT INTO swarm_reward.node_suspension VALUES (1, '[2030-01-01,)', 'a test');
	INSERT INTO swarm_reward.node_resource VALUES (1, 'gpu', 1, '[2040-01-01,)');
	SELECT swarm_reward.new_policy('starter', 'another', '2050-01-01');
	SELECT * FROM swarm_reward.health;
	SELECT pg_catalog.count(*) FROM swarm_reward.epoch_progress;
	SELECT pg_catalog.count(*) FROM swarm_reward.provider_balance;
	SELECT pg_catalog.count(*) FROM swarm_reward.provider_statement;
	SELECT pg_catalog.count(*) FROM swarm_reward.region_status;
	SELECT pg_catalog.count(*) FROM swarm_reward.coverage_gap;
	SELECT pg_catalog.count(*) FROM swarm_reward.growth_metric;
	SELECT pg_catalog.count(*) FROM swarm_reward.location_trust;
	SELECT pg_catalog.count(*) FROM swarm_reward.latency_reach;
	SELECT pg_catalog.count(*) FROM swarm_reward.data_residency;
	SELECT swarm_reward_internal.providers_of('planter');
	SELECT swarm_reward_internal.mark_telemetry_hours('[2024-01-01,2024-02-01)');
	ALTER TABLE swarm_reward.epoch_pool ADD CONSTRAINT trouble CHECK (epoch_id OPERATOR(pg_catalog.<) 5::bigint) NOT VALID;
	SELECT swarm_reward.plan_epochs('2024-06-01', '1 month', 5, '2024-05-01');
	CALL swarm_reward.run_due_epochs();
	SELECT swarm_reward.archive_epoch(1, 'a test');
	SELECT swarm_reward.keep_telemetry_partitions('1 day', '400 days');
});
unlike($mistakes, qr/planted/, 'nothing of it calls what was planted');
my @caught = slurp_file($node->logfile) =~ /LOG:  (planted: .*)/g;
is(scalar @caught, $caught, 'the log knows of none') or diag(join "\n", @caught[$caught .. $#caught]);
diag(join "\n", grep { /ERROR/ } split /\n/, $mistakes);
# the statistics of the sessions that have ended
is($node->safe_psql('ledger', q{
	SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY 1) FROM pg_proc p LEFT JOIN pg_stat_user_functions s ON s.funcid = p.oid
	WHERE p.prosecdef AND p.pronamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND coalesce(s.calls, 0) = 0
}), '', 'and every routine that runs with the owner\'s rights has run');
$node->stop;
done_testing();
