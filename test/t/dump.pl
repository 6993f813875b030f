# Dump and restore: by every command of doc/operations.md, in this and in parallel jobs, again and again. Rows, triggers,
# constraints, indexes and rights come out equal, everything verifies, guards hold, and the next epoch has the
# digest that it would have had. Logical replication, and DROP EXTENSION. SR_RESTORES=N restores each way N times.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $rounds = $ENV{SR_RESTORES} || 1;
my $node = new_cluster('dump', "wal_level = logical\nmax_wal_senders = 5\nmax_replication_slots = 5\nmax_locks_per_transaction = 256\n");
$node->safe_psql('postgres', 'CREATE DATABASE ledger; CREATE ROLE reader LOGIN');
$node->safe_psql('ledger', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
build_network($node, database => 'ledger', window => '0');
$node->safe_psql('ledger', q{
	SET search_path = swarm_reward, public;
	SET client_min_messages = error;
	\o /dev/null
	SELECT grant_role('operator', 'reader');
	UPDATE node SET predecessor_id = 6 WHERE node_id = 1;	-- one that comes later
	INSERT INTO node_suspension VALUES (1, '[2024-03-05,2024-03-06)', 'a test');
	INSERT INTO resource_check VALUES (1, 'gpu', '2024-03-05', 1);
	INSERT INTO beacon (beacon_id, name, location) VALUES (1, 'b', 'POINT(0 50)');
	INSERT INTO beacon_rtt VALUES (1, 1, '2024-03-02', 20);
	INSERT INTO policy_region SELECT policy_id, 'eu', 0.5 FROM policy WHERE name = 'p';
	CALL roll_telemetry('2024-02-01');
	CALL run_epoch(1);
	CALL finalize_epoch(1);
	CALL run_epoch(2);
	CALL finalize_epoch(2);
	SELECT correct_node(3, '{"joined_at": "2024-02-20T00:00:00Z"}', 'it came later');
	SELECT fund_treasury(1000000, 'a test');
	SELECT count(*) FROM restate_epoch(2, 'it came later');
	UPDATE provider SET payout_address = '0x' || repeat('0', 39) || provider_id;
	SELECT make_payout();
	SELECT release_payout(1);
	SELECT fail_payout(1, ARRAY['0x0000000000000000000000000000000000000001'], 'a test');
	SELECT confirm_payout(1, 'a test');
	SELECT archive_epoch(1, 'a test');
	SELECT plan_epochs('2024-05-01', '1 month', 5, '2024-03-31');
	SELECT hold_epoch(3, 'a test');
});
my ($code, $out, $err) = $node->psql('ledger', 'CALL swarm_reward.run_epoch(3)');
is($code, 0, 'a ledger with an epoch archived, one final, one computed, one planned, a restatement and payouts') or diag($err);

# What a database holds: every table of ours with a digest of its rows, sequences, and what hangs on the tables.
my $contents = q{
	SET extra_float_digits = 1; SET timezone = 'UTC'; SET search_path = '';
	SELECT c.oid::regclass || ' ' || pg_catalog.query_to_xml(pg_catalog.format('SELECT count(*), pg_catalog.md5(pg_catalog.string_agg(x::text, ''|'' ORDER BY x::text COLLATE "C")) FROM %s x', c.oid::regclass), false, true, '')::text
	FROM pg_catalog.pg_class c WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND c.relkind IN ('r', 'p')
		AND c.oid::regclass::text NOT IN ('swarm_reward_internal.guard', 'swarm_reward_internal.turn') ORDER BY c.oid::regclass::text;
	SELECT c.oid::regclass || ' ' || coalesce(pg_catalog.pg_sequence_last_value(c.oid)::text, '') FROM pg_catalog.pg_class c WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND c.relkind = 'S' ORDER BY 1;
};
my $shape = q{
	SET search_path = '';
	SELECT t.tgrelid::regclass || ' ' || t.tgname || ' ' || t.tgenabled::text FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND NOT t.tgisinternal ORDER BY 1;
	SELECT k.conrelid::regclass || ' ' || pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k WHERE k.connamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) AND k.conrelid <> 0 ORDER BY 1;
	SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) ORDER BY 1;
	SELECT c.oid::regclass || ' ' || a.grantee::regrole || ' ' || a.privilege_type FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'swarm_reward_internal'::regnamespace) ORDER BY 1;
};
sub rows_of { my ($database, $query) = @_; return $node->safe_psql($database, $query) }
my ($rows, $made) = (rows_of('ledger', $contents), rows_of('ledger', $shape));

# The commands of the guide, each as it is there: blocks of sh in its section on backup and restore, in a database
# called ledger, into one called restored.
my $guide = slurp_file("$ENV{TESTDIR}/doc/operations.md");
my ($section) = $guide =~ /^## Backup and restore\n(.*?)(?=^## )/ms;
my @ways = $section =~ /```sh\n(.*?)```/gs;
cmp_ok(scalar @ways, '>=', 5, 'the guide has ' . scalar(@ways) . ' ways');

# What the next epoch comes out as.
$node->safe_psql('postgres', 'CREATE DATABASE next TEMPLATE ledger');
my $next = q{
	SET client_min_messages = error;
	SELECT epoch_id AS next FROM swarm_reward.epoch WHERE status = 'planned' ORDER BY period LIMIT 1 \gset
	CALL swarm_reward.run_epoch(:next);
	SELECT encode(digest, 'hex') FROM swarm_reward.epoch WHERE epoch_id = :next;
};
my $digest = rows_of('next', $next);
like($digest, qr/^[0-9a-f]{64}$/, 'the next epoch has a digest');
$node->safe_psql('postgres', 'DROP DATABASE next');

chdir $node->basedir;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
for my $round (1 .. $rounds)
{
	for my $way (@ways)
	{
		my ($name) = $way =~ /^((?:PGOPTIONS='[^']*' )?(?:pg_restore|psql) .*)$/m;
		$name = "$round: $name";
		system('rm -rf ledger.dump ledger.dir ledger.sql');
		my $said = `bash -e -c '@{[$way =~ s/'/'\\''/gr]}' 2>&1`;
		is($?, 0, $name) or diag($said);
		unlike($said, qr/error/i, 'without an error') or diag($said);
		my $got = rows_of('restored', $contents);
		is($got, $rows, 'the same rows') or diag(join "\n", grep { my $l = $_; !grep { $_ eq $l } split /\n/, $rows } split /\n/, $got);
		is(rows_of('restored', $shape), $made, 'the same triggers, constraints, indexes and rights');
		is(rows_of('restored', q{SELECT count(*) FROM swarm_reward.epoch e, swarm_reward.verify_epoch(e.epoch_id) v WHERE e.status IN ('computed', 'final') AND NOT v.ok}), '0', 'everything verifies');
		is(rows_of('restored', q{SELECT count(*) FROM swarm_reward.payout p, swarm_reward.verify_payout(p.payout_id) v WHERE NOT v.ok}), '0', 'payouts, too');
		is(rows_of('restored', $next), $digest, 'and the next epoch has the digest that it would have had');
		for my $refused (q{UPDATE swarm_reward.node SET service_radius_m = 1 WHERE node_id = 1}, q{DELETE FROM swarm_reward.posting}, q{INSERT INTO swarm_reward.node_resource VALUES (4711, 'gpu', 1)}, q{DELETE FROM swarm_reward.region WHERE code = 'eu'})
		{
			isnt($node->psql('restored', $refused), 0, "still refused: $refused");
		}
		my ($code, $out, $err) = $node->psql('restored', q{SELECT count(*) FROM swarm_reward.restate_epoch(2, 'after', true)});
		like($err, qr/epoch 1 is archived/, 'what is archived is known to be');
		$node->safe_psql('postgres', 'DROP DATABASE restored');
	}
}

# Logical replication: what a service needs to serve statements, as the guide has it.
my ($publish) = grep { /CREATE PUBLICATION/ } $guide =~ /```\n(.*?)```/gs, $guide =~ /```sql\n(.*?)```/gs;
ok($publish, 'the guide has a publication');
my $service = PostgreSQL::Test::Cluster->new('service');
$service->init;
$service->append_conf('postgresql.conf', "jit = off\nclient_min_messages = warning\ntimezone = 'UTC'");
$service->start;
$service->safe_psql('postgres', 'CREATE EXTENSION swarm_reward CASCADE');
$node->safe_psql('ledger', "SET search_path = swarm_reward, public;\n$publish");
$service->safe_psql('postgres', "CREATE SUBSCRIPTION statements CONNECTION '${\ $node->connstr} dbname=ledger' PUBLICATION statements");
$service->wait_for_subscription_sync($node, 'statements');
my $statements = 'SELECT s::text FROM swarm_reward.provider_statement s UNION ALL SELECT b::text FROM swarm_reward.provider_balance b UNION ALL SELECT p::text FROM swarm_reward.payout_line p ORDER BY 1';
sub same_statements
{
	my ($what) = @_;
	my $here = rows_of('ledger', $statements);
	$node->wait_for_catchup('statements');
	cmp_ok(length $here, '>', 500, "$what: there are statements");
	is($service->safe_psql('postgres', $statements), $here, "$what: they are the same on the subscriber");
}
same_statements('first copy');
$node->safe_psql('ledger', 'CALL swarm_reward.finalize_epoch(3)');
same_statements('a new final epoch');
$node->safe_psql('ledger', 'SELECT swarm_reward.make_payout()');
same_statements('a payout');
$service->safe_psql('postgres', 'DROP SUBSCRIPTION statements');
$service->stop;

# A physical standby serves what only reads.
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('ledger', $contents), rows_of('ledger', $contents), 'a standby has every row');
for my $read (
	(map { "SELECT * FROM swarm_reward.$_" } split /\n/, rows_of('ledger', q{SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind = 'v' ORDER BY 1})),
	'SELECT * FROM swarm_reward.check_epoch(3)', 'SELECT * FROM swarm_reward.explain_reward(2, 3)', 'SELECT swarm_reward.payout_csv(1)',
	q{SELECT * FROM swarm_reward.simulate_node('POINT(10 50)', 100000, '{"gpu": 1}', 3)}, q{SELECT md5(swarm_reward.reward_map(3, 100000, '{"gpu": 1}')::text)})
{
	my ($code, $out, $err) = $standby->psql('ledger', $read);
	is($code, 0, "on a standby: $read") or diag($err);
	is($out, rows_of('ledger', $read), 'which finds the same') unless $read =~ /\.(health|epoch_progress)$/;
}
$standby->stop;

# DROP EXTENSION: as many rows in every catalogue as before CREATE EXTENSION.
my $catalogues = q{
	CREATE FUNCTION pg_temp.rows_of(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		r bigint;
	BEGIN
		-- sessions leave the schemas of their temporary objects behind, one for each that there ever was at once
		EXECUTE format('SELECT count(*) FROM %s t %s', t, CASE WHEN t = 'pg_namespace'::regclass THEN $q$WHERE nspname !~ '^pg_(toast_)?temp_'$q$ END) INTO r;
		RETURN r;
	END $$;
	SELECT c.relname, pg_temp.rows_of(c.oid) FROM pg_class c
	WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('pg_statistic', 'pg_largeobject')
	ORDER BY 1;
};
$node->safe_psql('postgres', 'CREATE DATABASE gone');
$node->safe_psql('gone', q{CREATE EXTENSION postgis; CREATE SCHEMA swarm_reward; COMMENT ON SCHEMA swarm_reward IS 'x'});
my $before = rows_of('gone', $catalogues);
$node->safe_psql('gone', 'CREATE EXTENSION swarm_reward');
build_network($node, database => 'gone');
$node->safe_psql('gone', 'CALL swarm_reward.run_epoch(1); GRANT SELECT ON ALL TABLES IN SCHEMA swarm_reward TO reader');
isnt(rows_of('gone', $catalogues), $before, 'the extension is in the catalogues');
($code, $out, $err) = $node->psql('gone', 'DROP EXTENSION swarm_reward');
is($err, '', 'DROP EXTENSION needs no CASCADE, partitions and computed epochs or not');
is(rows_of('gone', $catalogues), $before, 'and leaves nothing behind');
$node->safe_psql('gone', 'CREATE EXTENSION swarm_reward');
is(rows_of('gone', 'SELECT count(*) FROM swarm_reward.component'), '7', 'it can be created again');
$node->stop;
done_testing();
