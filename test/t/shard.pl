# doc/scale.md: its SQL on three databases, against the same rows in one.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Cwd 'abs_path';

my $node = PostgreSQL::Test::Cluster->new('shard');
$node->init;
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(ledger shard_1 shard_2);
for my $database (qw(ledger shard_1 shard_2))
{
	$node->safe_psql('postgres', "ALTER DATABASE $database SET search_path = public, swarm_reward; ALTER DATABASE $database SET timezone = 'UTC'");
	$node->safe_psql($database, 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
}
sub ask { return $node->safe_psql('ledger', $_[0]) }

# two epochs of a generated network, from January on, all of it local
my $network = abs_path('test/mechanism/network.psql');
$node->psql('ledger', "SET search_path = swarm_reward, public;\n\\i $network\nSELECT network.prepare(); SELECT network.build(7);", on_error_die => 1);
ask("CALL swarm_reward.run_epoch($_)") for 1001, 1002;
my $digests = ask(q{SELECT epoch_id, encode(digest, 'hex') FROM epoch WHERE status = 'computed' ORDER BY 1});
like($digests, qr/^1001\|[0-9a-f]{64}\n1002\|[0-9a-f]{64}$/, 'two epochs over local rows');
my %one;
$one{summary} = ask(q{SELECT md5(string_agg(node_id || ' ' || summary::text, E'\n' ORDER BY node_id)) FROM (
	SELECT node_id, telemetry_agg(sampled_at, latency_ms, ok) AS summary FROM telemetry WHERE service_type IS NULL GROUP BY 1) s});
$one{field} = ask(q{SELECT md5(coverage_agg(location, service_radius_m, 1 + node_id % 7 / 16.0, 6)::text) FROM node});

# the guide
open my $guide, '<', 'doc/scale.md' or die "doc/scale.md: $!";
my $text = do { local $/; <$guide> };
my ($host, $port) = ($node->host, $node->port);
$text =~ s/host 'shard\d\.example', port '5432'/host '$host', port '$port'/g;
my @blocks = $text =~ /```sql\n(.*?)```/gs;
is(scalar @blocks, 4, 'the guide has its blocks');
my ($january) = grep { /telemetry_january/ } @blocks;
for my $block (@blocks)
{
	next if $block eq $january;
	for my $database ($block =~ /^-- on each shard/ ? qw(shard_1 shard_2) : 'ledger')
	{
		my ($code, undef, $error) = $node->psql($database, $block, on_error_stop => 1);
		is($code, 0, "on $database: " . (split /\n/, $block)[$block =~ /^--/ ? 1 : 0]) or diag($error);
	}
}

# the rows, node by node on either shard; those of some nodes on both
$node->safe_psql('ledger', q{
	CREATE FOREIGN TABLE machine_1 (node_id bigint, location geography, radius_m float8, weight float8) SERVER shard_1 OPTIONS (table_name 'machine');
	CREATE FOREIGN TABLE machine_2 (node_id bigint, location geography, radius_m float8, weight float8) SERVER shard_2 OPTIONS (table_name 'machine');
	CREATE FOREIGN TABLE beat_1 (node_id bigint, service_type text, sampled_at timestamptz, latency_ms float8, ok boolean) SERVER shard_1 OPTIONS (table_name 'heartbeat');
	CREATE FOREIGN TABLE beat_2 (node_id bigint, service_type text, sampled_at timestamptz, latency_ms float8, ok boolean) SERVER shard_2 OPTIONS (table_name 'heartbeat');
	INSERT INTO machine_1 SELECT node_id, location, service_radius_m, 1 + node_id % 7 / 16.0 FROM node WHERE node_id % 2 = 0;
	INSERT INTO machine_2 SELECT node_id, location, service_radius_m, 1 + node_id % 7 / 16.0 FROM node WHERE node_id % 2 = 1;
	INSERT INTO beat_1 SELECT node_id, NULL, sampled_at, latency_ms, ok FROM telemetry WHERE service_type IS NULL AND (node_id % 2 = 0 OR sampled_at < '2021-01-10');
	INSERT INTO beat_2 SELECT node_id, NULL, sampled_at, latency_ms, ok FROM telemetry WHERE service_type IS NULL AND NOT (node_id % 2 = 0 OR sampled_at < '2021-01-10')});
is(ask(q{SELECT md5(string_agg(node_id || ' ' || summary::text, E'\n' ORDER BY node_id)) FROM node_month}), $one{summary}, 'summaries of shards and days roll up to the bits of one aggregate');
cmp_ok(ask(q{SELECT count(*) FROM (SELECT node_id FROM heartbeat_day GROUP BY node_id HAVING count(DISTINCT tableoid) = 2) s}), '>', 1, 'of some nodes from both shards');
is(ask('SELECT md5(field::text) FROM supply_of_all'), $one{field}, 'and fields of shards add up to the bits of one');

# the ledger over a foreign partition
$node->safe_psql('shard_1', 'TRUNCATE heartbeat');
$node->safe_psql('ledger', q{
	CREATE FOREIGN TABLE all_beat_1 (node_id bigint, service_type text, sampled_at timestamptz, latency_ms float8, ok boolean, work bigint, fee numeric, energy_mwh bigint) SERVER shard_1 OPTIONS (table_name 'heartbeat');
	CREATE TEMP TABLE kept AS SELECT node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh FROM telemetry;
	INSERT INTO all_beat_1 SELECT * FROM kept WHERE sampled_at >= '2021-01-01' AND sampled_at < '2021-02-01';
	DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT partition FROM swarm_reward_internal.telemetry_partition('telemetry') LOOP EXECUTE format('ALTER TABLE telemetry DETACH PARTITION %s', p); EXECUTE format('DROP TABLE %s', p); END LOOP; END $$;
	SELECT make_telemetry_partitions('2020-11-01', '2021-01-01', '2 months'), make_telemetry_partitions('2021-02-01', '2021-08-01', '6 months');
	INSERT INTO telemetry (node_id, service_type, sampled_at, latency_ms, ok, work, fee, energy_mwh) SELECT * FROM kept WHERE sampled_at < '2021-01-01' OR sampled_at >= '2021-02-01'});
my ($code, undef, $error) = $node->psql('ledger', $january, on_error_stop => 1);
is($code, 0, 'a month of telemetry is on a shard') or diag($error);
cmp_ok(ask('SELECT count(*) FROM telemetry_january'), '>', 500, 'with many rows');
ask("CALL swarm_reward.run_epoch($_)") for 1001, 1002;
is(ask(q{SELECT epoch_id, encode(digest, 'hex') FROM epoch WHERE status = 'computed' ORDER BY 1}), $digests, 'and the epochs have the same digests');
cmp_ok(ask(q{SELECT max(computation) FROM epoch_computation WHERE epoch_id = 1001}), '>=', 2, 'of a second computation');
is(ask(q{SELECT count(*) FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.status = 'computed' AND NOT v.ok}), '0', 'they verify');

# rows do not get there unmarked, nor from there
my $there = $node->safe_psql('shard_1', 'SELECT count(*), md5(string_agg(h::text, $$$$ ORDER BY node_id, sampled_at, service_key)) FROM heartbeat h');
my $row = q{(node_id, sampled_at, ok) VALUES (1001, '2021-01-05 12:34', true)};
for my $statement ("INSERT INTO telemetry $row", "INSERT INTO telemetry_january $row", "COPY telemetry (node_id, sampled_at, ok) FROM PROGRAM 'echo 1001,2021-01-05 12:34,t' (FORMAT csv)",
	q{UPDATE telemetry SET ok = NOT ok WHERE sampled_at < '2021-01-10'}, q{DELETE FROM telemetry WHERE sampled_at < '2021-01-10'}, q{DELETE FROM telemetry_january},
	q{UPDATE telemetry SET sampled_at = sampled_at - interval '40 days' WHERE sampled_at BETWEEN '2021-02-11' AND '2021-02-12'}, q{TRUNCATE telemetry})
{
	($code, undef, $error) = $node->psql('ledger', $statement);
	like($error, qr/cannot change rows of foreign partition "telemetry_january" from here/, substr $statement, 0, 60);
}
is($node->safe_psql('shard_1', 'SELECT count(*), md5(string_agg(h::text, $$$$ ORDER BY node_id, sampled_at, service_key)) FROM heartbeat h'), $there, 'all rows there are as they were');
is($node->psql('ledger', q{BEGIN; INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1001, '2021-02-28 12:34:56.789', true); UPDATE telemetry SET ok = false WHERE sampled_at > '2021-02-28';
	DELETE FROM telemetry WHERE sampled_at > '2021-02-28'; ROLLBACK}, on_error_stop => 1), 0, 'local ones change');
$node->stop;
done_testing();
