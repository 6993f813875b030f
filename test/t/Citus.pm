# What the tests of Citus share: a coordinator and two workers, a database `spread` over them and a database `alone`
# beside it, what is done in both, and what has to be the same in both.
package Citus;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(has_citus new_citus spread alone both same fails collect late $digests $summaries $changes);
our $digests = q{SELECT epoch_id, encode(digest, 'hex') FROM epoch WHERE digest IS NOT NULL ORDER BY 1};
our $summaries = q{SELECT count(*), md5(string_agg(concat_ws(' ', node_id, hour, service_type, summary, work_summary, work, metered_work, fee, energy_mwh), '|' ORDER BY node_id, hour, service_type)) FROM telemetry_hour};
our $changes = q{SELECT sum(came), sum(gone) FROM (SELECT * FROM swarm_reward_internal.telemetry_arrival UNION ALL SELECT since, came, gone FROM swarm_reward_internal.telemetry_dirty) a};
my $coordinator;

sub has_citus
{
	chomp(my $share = $ENV{PG_CONFIG} ? `$ENV{PG_CONFIG} --sharedir` : '');
	return $share ne '' && -e "$share/extension/citus.control";
}

# The coordinator and its workers. Transactions that were prepared are looked after when the test says so.
sub new_citus
{
	my ($settings) = @_;
	my @server;
	for my $name (qw(coordinator worker_1 worker_2))
	{
		my $server = PostgreSQL::Test::Cluster->new($name, own_host => 1);
		$server->init(extra => [ '--locale=C', '-E', 'UTF8' ]);
		$server->append_conf('postgresql.conf', "shared_preload_libraries = 'citus'\ntimezone = 'UTC'\nsearch_path = 'swarm_reward, public'\njit = off
			wal_level = logical\nmax_prepared_transactions = 50\nmax_wal_senders = 10\nmax_replication_slots = 10\ncitus.recover_2pc_interval = -1\n" . sprintf("citus.local_hostname = '%s'\n", $server->host) . ($settings // ''));
		$server->start;
		$server->safe_psql('postgres', 'CREATE DATABASE spread');
		$server->safe_psql('spread', 'SET client_min_messages = error; CREATE EXTENSION citus; CREATE EXTENSION postgis');
		push @server, $server;
	}
	$coordinator = $server[0];
	$coordinator->safe_psql('postgres', 'CREATE DATABASE alone');
	$coordinator->safe_psql('alone', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
	spread(sprintf("SELECT citus_set_coordinator_host('%s', %s)", $coordinator->host, $coordinator->port));
	spread(sprintf("SELECT citus_add_node('%s', %s)", $_->host, $_->port)) for @server[ 1, 2 ];
	spread('SET client_min_messages = error; CREATE EXTENSION swarm_reward');
	return @server;
}

sub spread { return $coordinator->safe_psql('spread', $_[0]) }
sub alone { return $coordinator->safe_psql('alone', $_[0]) }

# Does a script of psql in both.
sub both
{
	my ($script) = @_;

	$coordinator->psql($_, "SET client_min_messages = warning;\n$script", on_error_die => 1) for qw(alone spread);
}

# A test: a query says the same in both, and something.
sub same
{
	my ($query, $what) = @_;
	my ($one, $other) = (alone($query), spread($query));

	isnt($one, '', "$what: there is something");
	is($other, $one, $what);
}

# A test: a statement fails with a message.
sub fails
{
	my ($database, $statement, $error, $what) = @_;
	my (undef, undef, $stderr) = $coordinator->psql($database, $statement);

	like($stderr, $error, $what);
}

sub collect { return spread('SELECT swarm_reward_internal.collect_telemetry_marks()') }

# Which epochs are late, by what run_due_epochs looks at.
sub late
{
	collect();
	return spread(q{SELECT string_agg(epoch_id::text, ' ' ORDER BY epoch_id) FROM swarm_reward_internal.stale_epoch_reasons()});
}

1;
