# Telemetry on the workers of Citus: the same network has the same digests as on one server, late rows are found
# where they are, and no row leaves its worker.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Cwd 'abs_path';

chomp(my $share = `$ENV{PG_CONFIG} --sharedir`) if $ENV{PG_CONFIG};
plan skip_all => 'Citus is not installed for this server' if !$share || !-e "$share/extension/citus.control";

# a coordinator and two workers
my @server;
for my $name (qw(coordinator worker_1 worker_2))
{
	my $server = PostgreSQL::Test::Cluster->new($name, own_host => 1);
	$server->init(extra => ['--locale=C', '-E', 'UTF8']);
	$server->append_conf('postgresql.conf', "shared_preload_libraries = 'citus'\ntimezone = 'UTC'\nsearch_path = 'swarm_reward, public'\njit = off");
	$server->start;
	$server->safe_psql('postgres', 'CREATE DATABASE spread');
	$server->safe_psql('spread', 'SET client_min_messages = error; CREATE EXTENSION citus; CREATE EXTENSION postgis');
	push @server, $server;
}
my $coordinator = $server[0];
$coordinator->safe_psql('postgres', 'CREATE DATABASE alone');
$coordinator->safe_psql('alone', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
$coordinator->safe_psql('spread', sprintf("SELECT citus_set_coordinator_host('%s', %s)", $coordinator->host, $coordinator->port));
$coordinator->safe_psql('spread', sprintf("SELECT citus_add_node('%s', %s)", $_->host, $_->port)) for @server[1, 2];
$coordinator->safe_psql('spread', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward');

sub both
{
	my ($statement) = @_;
	$coordinator->psql($_, $statement, on_error_die => 1) for qw(alone spread);
}
sub same
{
	my ($query, $what) = @_;
	my ($one, $other) = map { $coordinator->safe_psql($_, $query) } qw(alone spread);
	isnt($one, '', "$what: there is something");
	is($other, $one, $what);
}
sub fails
{
	my ($database, $statement, $error, $what) = @_;
	my (undef, undef, $stderr) = $coordinator->psql($database, $statement);
	like($stderr, $error, $what);
}
my $digests = q{SELECT epoch_id, encode(digest, 'hex') FROM epoch WHERE digest IS NOT NULL ORDER BY 1};
my $network = abs_path('test/pgtap/small.psql');

fails('alone', 'SELECT distribute_telemetry()', qr/there is no extension citus.*HINT/s, 'without Citus it says what is missing');
$coordinator->safe_psql('spread', 'SELECT distribute_telemetry(8)');
fails('spread', 'SELECT distribute_telemetry()', qr/distributed already/, 'once is enough');
both("\\i $network");
like($coordinator->safe_psql('spread', q{SELECT string_agg(DISTINCT nodeport::text, ' ') FROM pg_dist_shard_placement p JOIN pg_dist_shard s USING (shardid)
	WHERE s.logicalrelid = 'telemetry'::regclass}), qr/^\d+ \d+$/, 'telemetry lies on both workers');
fails('spread', q{INSERT INTO epoch (period, budget) VALUES ('[2024-05-01 00:30, 2024-06-01)', 1)}, qr/begins or ends within an hour.*HINT/s, 'epochs have whole hours');

both('CALL run_epoch(1); CALL run_epoch(2); CALL run_epoch(3)');
same($digests, 'from raw rows');
both(q{CALL roll_telemetry('2024-02-01')});
both('CALL run_epoch(1)');
same($digests, 'some of it from summaries that workers have made');
both(q{CALL roll_telemetry('2024-04-01')});
both('CALL run_epoch(1)');
same($digests, 'all of it from summaries');
same('SELECT node_id, hour, service_type, summary::text, work, fee FROM telemetry_hour ORDER BY 1, 2, 3', 'summaries');

# late rows, also written to a partition and by COPY, changes and deletions
both(q{
	INSERT INTO telemetry (node_id, sampled_at, ok) SELECT 1, t, false FROM generate_series(timestamptz '2024-03-05 10:00:33', '2024-03-05 20:00', '1 minute') t;
	INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (2, '2024-01-16 10:00:33', false);
	UPDATE telemetry SET latency_ms = latency_ms + 1000 WHERE sampled_at >= '2024-03-07' AND sampled_at < '2024-03-07 12:00';
	DELETE FROM telemetry WHERE node_id = 1 AND sampled_at >= '2024-02-08 12:00' AND sampled_at < '2024-02-08 23:00';});
both('CALL run_epoch(1)');
same($digests, 'with late, changed and deleted rows');
same('SELECT epoch_id, computation, came, gone FROM epoch_computation ORDER BY 1, 2', 'each row that came and went was counted once');
both(q{CALL roll_telemetry('2024-04-01')});
same('SELECT node_id, hour, service_type, summary::text, work, fee FROM telemetry_hour ORDER BY 1, 2, 3', 'hours that changed are rolled up again');
same(q{SELECT count(*), sum(came), sum(gone) FROM (SELECT * FROM swarm_reward_internal.telemetry_arrival UNION ALL SELECT since, came, gone FROM swarm_reward_internal.telemetry_dirty) a}, 'and counted');
is($coordinator->safe_psql('spread', q{SELECT count(*) FROM swarm_reward_internal.verify_telemetry_hours('[2023-12-01,2024-05-01)')}), '0', 'summaries are those of the raw rows');
same('SELECT check_name, ok FROM verify_epoch(3) ORDER BY 1', 'verify_epoch');

# a collection that fails half-way loses no mark and counts none twice
both(q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-12 10:00:33', true)});
$coordinator->safe_psql('spread', 'BEGIN; SELECT swarm_reward_internal.collect_telemetry_marks(); ROLLBACK') for 1, 2;
$coordinator->safe_psql('spread', 'SELECT swarm_reward_internal.collect_telemetry_marks()') for 1, 2;
both('CALL run_epoch(3)');
same($digests, 'a collection that was rolled back');
same('SELECT epoch_id, computation, came, gone FROM epoch_computation ORDER BY 1, 2', 'counted once');

# the summaries are made on the workers
like($coordinator->safe_psql('spread', q{EXPLAIN (VERBOSE, COSTS OFF) SELECT node_id, rollup(summary) FROM telemetry_hour WHERE hour >= '2024-01-01' GROUP BY node_id}),
	qr/Custom Scan \(Citus Adaptive\).*rollup\(.*GroupAggregate|Custom Scan \(Citus Adaptive\).*HashAggregate/s, 'summaries of nodes are made on the workers');
like($coordinator->safe_psql('spread', q{EXPLAIN (VERBOSE, COSTS OFF) SELECT sum(summary) FROM telemetry_hour WHERE hour >= '2024-01-01'}),
	qr/worker_partial_agg|sum\(/s, 'a sum over all nodes, too');

fails('spread', q{CREATE TABLE raw (node_id bigint, sampled_at timestamptz, ok boolean); SELECT ingest_telemetry('raw')}, qr/distributed telemetry.*HINT/s, 'ingest_telemetry says that it cannot');

# a worker that is away: nothing is computed from half of the rows
$server[2]->stop('immediate');
fails('spread', 'CALL run_epoch(3)', qr/ERROR/, 'without a worker no epoch is computed');
$server[2]->start;
both('CALL run_epoch(3)');
same($digests, 'and when it is back, the same');
done_testing();
