# What the tests of operations share: a cluster with a generated network in it, sessions that run
# beside the test, and waiting for something to be so.
package Operate;
use strict;
use warnings;
use Exporter 'import';
use File::Basename;
use File::Temp;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(new_cluster build_network start_sql finish wait_until value rows state_of);

# A running cluster with the extension in database postgres; settings are added to postgresql.conf.
sub new_cluster
{
	my ($name, $settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', "shared_buffers = 128MB\njit = off\ntimezone = 'UTC'\nmax_parallel_workers_per_gather = 0\n" . ($settings // ''));
	$node->start;
	$node->safe_psql('postgres', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
	return $node;
}

# Fills the ledger with a small network and its three epochs, 1 to 3, which are due at once; a challenge
# window of nothing makes them final as soon as they are computed.
sub build_network
{
	my ($node, %option) = @_;
	my $file = dirname(__FILE__) . '/../pgtap/small.psql';
	my $window = $option{window} // '7 days';

	$node->safe_psql($option{database} // 'postgres', qq{
		SET search_path = swarm_reward, public;
		\\o /dev/null
		\\i $file
		UPDATE policy SET challenge_window = '$window' WHERE name = 'p';
	});
}

# Begins a statement in a session of its own, and returns what finish() wants.
sub start_sql
{
	my ($node, $sql, %option) = @_;
	my %session = (out => '', err => '', script => File::Temp->new);

	# from a file: what is given to a pipe would wait until the session is finished
	print { $session{script} } $sql;
	close $session{script};
	$session{run} = IPC::Run::start(
		['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($option{database} // 'postgres') . ($option{connect} // ''),
			'-f', $session{script}->filename],
		'<', '/dev/null', '>', \$session{out}, '2>', \$session{err});
	return \%session;
}

# Waits for the session's end; returns its output, its messages, and whether it went well.
sub finish
{
	my ($session) = @_;
	my $ok = IPC::Run::finish($session->{run});

	return ($session->{out}, $session->{err}, $ok);
}

# Waits, at most as long as PG_TEST_TIMEOUT_DEFAULT says, until a query says t; asks every so many seconds.
sub wait_until
{
	my ($node, $query, $seconds, $pause) = @_;
	my $end = time + ($seconds // $PostgreSQL::Test::Utils::timeout_default);

	while (time < $end)
	{
		my ($code, $out) = $node->psql('postgres', $query);
		return 1 if defined $out && $out eq 't';
		sleep($pause // 0.05);
	}
	return 0;
}

sub value { my ($node, $query) = @_; return $node->safe_psql('postgres', $query); }
sub rows { my ($node, $query) = @_; return [ split /\n/, value($node, $query) ]; }

# Everything that a computation decides, as one value: statuses, digests, rewards.
sub state_of
{
	my ($node) = @_;

	return value($node, q{
		SELECT concat_ws(' ', (SELECT string_agg(concat_ws(':', e.epoch_id, e.status, encode(e.digest, 'hex')), ' ' ORDER BY e.epoch_id) FROM swarm_reward.epoch e),
			(SELECT concat(count(*), ':', sum(r.amount)) FROM swarm_reward.reward r), (SELECT count(*) FROM swarm_reward.epoch_node n),
			(SELECT concat(count(*), ':', sum(p.amount) FILTER (WHERE p.amount > 0)) FROM swarm_reward.posting p))});
}

1;
