# See citus.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Cwd 'abs_path';
use Time::HiRes 'time';
use Citus;

plan skip_all => 'Citus is not installed for this server' unless has_citus();
# what crosses the wire is counted there
$PostgreSQL::Test::Cluster::use_tcp = 1;
my ($coordinator, @worker) = new_citus("fsync = off\nfull_page_writes = off\nmax_wal_size = 4GB\nshared_buffers = 512MB\nwork_mem = 64MB");
my $nodes = $ENV{SR_NODES} // 20000;

# bytes that the loopback has carried
sub wire
{
	my ($line) = slurp_file('/proc/net/dev') =~ /^\s*lo:\s*(\d+)/m;
	return $line;
}
# Does a script in both, one after the other, and says how long each took, and what crossed the wire.
sub measured
{
	my ($what, $script) = @_;
	my @said;

	for my $database (qw(alone spread))
	{
		my ($began, $before) = (time, wire());
		$coordinator->psql($database, "SET client_min_messages = warning;\n$script", on_error_die => 1);
		push @said, sprintf '%.1f s, %.3f MB', time - $began, (wire() - $before) / 1e6;
	}
	diag("$what: one server $said[0]; Citus $said[1]");
}
my $columns = 'node_id, sampled_at, service_type, latency_ms, ok, work, fee, energy_mwh';

spread('SELECT distribute_telemetry(8)');
both("\\set nodes $nodes\n\\i " . abs_path('test/slow/citus.psql'));
measured('load', "INSERT INTO telemetry ($columns) SELECT $columns FROM make.telemetry('2024-06-01 00:00', '2024-06-01 04:00');");
diag('rows: ' . spread('SELECT count(*) FROM telemetry'));
collect();
measured('epoch 1 from raw rows', 'CALL run_epoch(1);');
measured('epoch 2 from raw rows', 'CALL run_epoch(2);');
same($digests, 'from raw rows');
measured('roll-up of 2 hours', q{CALL roll_telemetry('2024-06-01 02:00');});
measured('roll-up of the rest', q{CALL roll_telemetry('2024-06-02 00:00');});
diag('summaries: ' . spread('SELECT count(*) FROM telemetry_hour'));
same($summaries, 'summaries');
measured('epoch 2 from summaries', 'CALL run_epoch(2);');
same($digests, 'epoch 2 from summaries');
measured('both epochs from summaries', 'CALL run_epoch(1);');
same($digests, 'both');
is(spread(q{SELECT count(*) FROM swarm_reward_internal.verify_telemetry_hours('[2024-06-01,2024-06-02)')}), 0, 'summaries are those of the raw rows');

measured('late rows', qq{
	INSERT INTO telemetry (node_id, sampled_at, ok) SELECT node_id, '2024-06-01 01:10:59', false FROM node WHERE node_id % 50 = 7;
	UPDATE telemetry SET latency_ms = latency_ms + 500 WHERE node_id % 20 = 4 AND sampled_at >= '2024-06-01 03:00' AND sampled_at < '2024-06-01 03:30' AND ok;
	DELETE FROM telemetry WHERE node_id % 30 = 2 AND sampled_at >= '2024-06-01 01:10' AND sampled_at < '2024-06-01 01:30';});
is(late(), '1 2', 'late rows are found');
measured('both epochs with late rows', 'CALL run_epoch(1);');
same($digests, 'with late rows, computed again');
measured('roll-up of what is late', q{CALL roll_telemetry('2024-06-02 00:00');});
same($summaries, 'summaries of it');
measured('both epochs', 'CALL run_epoch(1);');
same($digests, 'rolled up again');

my ($shard, $port) = split / /, spread(q{SELECT s.shardid || ' ' || p.nodeport FROM pg_dist_shard s JOIN pg_dist_shard_placement p USING (shardid) WHERE s.logicalrelid = 'telemetry'::regclass ORDER BY 1 LIMIT 1});
my ($source) = grep { $_->port == $port } @worker;
my ($target) = grep { $_->port != $port } @worker;
my $before = time;
spread(sprintf "SELECT citus_move_shard_placement(%s, '%s', %s, '%s', %s, 'block_writes')", $shard, $source->host, $source->port, $target->host, $target->port);
diag(sprintf 'a shard moved: %.1f s', time - $before);
is(late(), '1 2', 'a shard that has moved counts as late');
measured('both epochs after a shard has moved', 'CALL run_epoch(1);');
same($digests, 'after a shard has moved');
measured('roll-up after it', q{CALL roll_telemetry('2024-06-02 00:00');});
same($summaries, 'summaries after it');

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$coordinator->command_ok([ 'pg_dump', '-Fc', '-Z1', '-f', $dump, '-d', $coordinator->connstr('spread') ], 'pg_dump');
my $single = PostgreSQL::Test::Cluster->new('single', own_host => 1);
$single->init(extra => [ '--locale=C', '-E', 'UTF8' ]);
$single->append_conf('postgresql.conf', "timezone = 'UTC'\nsearch_path = 'swarm_reward, public'\njit = off\nfsync = off\nmax_wal_size = 4GB\nshared_buffers = 512MB\nwork_mem = 64MB");
$single->start;
$single->safe_psql('postgres', 'CREATE DATABASE restored');
run_log([ 'sh', '-c', "pg_restore -l $dump | grep -v 'EXTENSION.* citus' > $dump.list" ]);
$single->command_ok([ 'pg_restore', '-e', '-L', "$dump.list", '-d', $single->connstr('restored'), $dump ], 'pg_restore without Citus');
$single->safe_psql('restored', 'CALL run_epoch(1)');
is($single->safe_psql('restored', $digests), alone($digests), 'restored without Citus');
$single->safe_psql('restored', q{SELECT undistribute_telemetry(); CALL roll_telemetry('2024-06-02 00:00'); CALL run_epoch(1)});
is($single->safe_psql('restored', $digests), alone($digests), 'and rolled up there');
is($single->safe_psql('restored', $summaries), alone($summaries), 'with the same summaries');
done_testing();
