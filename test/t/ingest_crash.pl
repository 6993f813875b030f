# A crash at any moment of ingest_telemetry leaves every row in its source, or every row where it
# belongs: compared row for row after each. Killed are the backend (kill -9) and the whole server (immediate stop).
# In each stage of the work, and a few points by the clock; SR_CRASH_POINTS=N takes N of these and strikes in each
# stage in every way, as test/slow/crash does.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $random_points = $ENV{SR_CRASH_POINTS} || 4;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\njit = off\nautovacuum = off\nlog_min_messages = log");
$node->start;
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION swarm_reward CASCADE;
	ALTER DATABASE postgres SET search_path = swarm_reward, public;
	ALTER DATABASE postgres SET client_min_messages = error;
});
# Good rows of two days, and every twentieth a bad one, a repeated one or one that contradicts what is there.
$node->safe_psql('postgres', q{
	INSERT INTO provider (provider_id, name) VALUES (1, 'p');
	INSERT INTO node (node_id, provider_id, location, service_radius_m, joined_at)
	SELECT i, 1, 'POINT(1 1)', 1000, '2024-01-01 00:00+00' FROM generate_series(1, 100) i;
	INSERT INTO service_type (code) VALUES ('s');
	SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-03 00:00+00');
	CREATE TABLE stage AS
	SELECT i AS seq, CASE WHEN i % 60 = 19 THEN 'nobody' WHEN i % 60 = 39 THEN '101' ELSE (1 + i % 100)::text END AS node_id,
		CASE WHEN i % 3 = 0 THEN 's' END AS service_type, CASE WHEN i % 3 = 0 THEN i * 1e20::numeric END AS fee, (timestamptz '2024-01-01 00:00+00' + i / 100 * interval '32 minutes')::text AS sampled_at,
		(i % 77)::text AS latency_ms, i % 10 <> 0 AS ok
	FROM generate_series(0, 8999) i;
	INSERT INTO stage SELECT seq + 100000, node_id, service_type, fee, sampled_at, latency_ms, ok FROM stage WHERE seq % 60 = 7;
	INSERT INTO telemetry (node_id, service_type, fee, sampled_at, latency_ms, ok)
	SELECT node_id::bigint, service_type, fee, sampled_at::timestamptz, CASE WHEN seq % 120 = 59 THEN 1000 ELSE latency_ms::float8 END, ok FROM stage WHERE seq % 60 = 59;

	CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF current_setting('pause.at', true) = TG_NAME THEN PERFORM pg_sleep(600); END IF;
		RETURN coalesce(NEW, OLD);
	END $$;
	CREATE TRIGGER take BEFORE DELETE ON stage FOR EACH ROW WHEN (OLD.seq = 4500) EXECUTE FUNCTION pause();
	CREATE TRIGGER taken AFTER DELETE ON stage FOR EACH STATEMENT EXECUTE FUNCTION pause();
	CREATE TRIGGER put_first BEFORE INSERT ON swarm_reward_internal.telemetry_20240101 FOR EACH ROW WHEN (NEW.node_id = 50 AND NEW.sampled_at = '2024-01-01 10:40+00') EXECUTE FUNCTION pause();
	CREATE TRIGGER put_second BEFORE INSERT ON swarm_reward_internal.telemetry_20240102 FOR EACH ROW WHEN (NEW.node_id = 50 AND NEW.sampled_at = '2024-01-02 10:40+00') EXECUTE FUNCTION pause();
	CREATE TRIGGER put_all AFTER INSERT ON telemetry FOR EACH STATEMENT EXECUTE FUNCTION pause();
	CREATE TRIGGER reject BEFORE INSERT ON telemetry_reject FOR EACH ROW WHEN (NEW.reason = 'unknown node') EXECUTE FUNCTION pause();

	CREATE FUNCTION state() RETURNS text LANGUAGE sql SET timezone = 'UTC' AS $$
		SELECT md5(concat_ws('|',
			(SELECT string_agg(s::text, '' ORDER BY seq) FROM stage s),
			(SELECT string_agg(t::text, '' ORDER BY node_id, sampled_at, service_key) FROM telemetry t),
			(SELECT string_agg(concat_ws(',', source, "row", reason), '' ORDER BY "row" ->> 'seq') FROM telemetry_reject r)))
	$$;
	-- to disk: what a crash brings back begins here
	CHECKPOINT;
});

my $before = $node->safe_psql('postgres', 'SELECT state()');
# What an undisturbed ingest would give, which is taken back.
my ($counts, $after) = split /\n/, $node->safe_psql('postgres', q{BEGIN; SELECT moved > 8000 AND duplicates > 200 AND rejected > 300 FROM ingest_telemetry('stage'); SELECT state(); ROLLBACK});
is($counts, 't', 'rows of all kinds');
isnt($after, $before, 'an ingest changes the state');
my $totals = $node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM stage), (SELECT count(*) FROM telemetry)});

sub state
{
	my $state = $node->safe_psql('postgres', 'SELECT state()');
	return $state eq $before ? 'before' : $state eq $after ? 'after' : 'neither';
}

# An ingest of its own session.
sub start_ingest
{
	my ($setup, $end) = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start(
		[ 'psql', '-X', '-q', '-d', $node->connstr('postgres') . ' application_name=victim',
			'-c', $setup, '-c', 'BEGIN', '-c', q{SELECT * FROM ingest_telemetry('stage')}, '-c', $end ],
		'<', \undef, '>', \$out, '2>', \$err);
	return $run;
}

# The process of the ingest, when it sleeps or, without a wish, at once.
sub victim
{
	my ($wanted) = @_;
	my $pid = '';
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;

	while (time < $end)
	{
		$pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND $wanted");
		return $pid if $pid ne '';
		sleep 0.02;
	}
	return undef;
}

sub kill_backend
{
	my ($run, $pid) = @_;

	kill 'KILL', $pid;
	eval { $run->finish };
	# the server comes back by itself
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	while (time < $end)
	{
		# psql may be gone before it has read what to ask
		my $ret = eval { $node->psql('postgres', 'SELECT 1', stderr => \my $err) };
		last if defined $ret && $ret == 0;
		sleep 0.02;
	}
}

sub stop_server
{
	my ($run) = @_;

	$node->stop('immediate');
	eval { $run->finish };
	$node->start;
}

sub cancel
{
	my ($run, $pid) = @_;

	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	eval { $run->finish };
}

# at each stage of the work
my $turn = 0;
for my $phase (qw(take taken put_first put_second put_all reject commit))
{
	$turn++;
	for my $way ([ 'a kill of the backend', \&kill_backend ], [ 'an immediate stop', \&stop_server ], [ 'a cancel', \&cancel ])
	{
		my ($name, $strike) = @$way;
		# the two that need a restart take turns
		next if !$ENV{SR_CRASH_POINTS} && $strike != \&cancel && ($strike == \&kill_backend) != $turn % 2;
		my $run = start_ingest("SET pause.at = '$phase'", $phase eq 'commit' ? 'SELECT pg_sleep(600)' : 'COMMIT');
		my $pid = victim(q{wait_event = 'PgSleep'});

		ok(defined $pid, "$phase: reached") or BAIL_OUT('the ingest did not come to where it was to be struck');
		$strike->($run, $pid);
		is(state(), 'before', "$phase, $name: every row is where it was");
	}
}

# and at any other time: how long does it take?
my $start = time;
$node->safe_psql('postgres', q{BEGIN; SELECT ingest_telemetry('stage'); ROLLBACK});
my $duration = time - $start;
my %seen;
for my $k (1 .. $random_points)
{
	my $run = start_ingest('SELECT 1', 'COMMIT');
	my $pid = victim(q{state <> 'idle' AND query LIKE '%ingest%'});

	sleep($duration * ($k - 0.5) / $random_points);
	if ($k % 2 && defined $pid) { kill_backend($run, $pid) }
	else { stop_server($run) }
	my $state = state();
	isnt($state, 'neither', sprintf('struck at %.0f %% of the time: all or nothing', 100 * ($k - 0.5) / $random_points));
	$seen{$state}++;
	last if $state eq 'after';
}
note(join ', ', map { "$_: $seen{$_}" } sort keys %seen);

# what was interrupted so often can still be done, once
$node->safe_psql('postgres', q{SELECT ingest_telemetry('stage')});
is(state(), 'after', 'the next ingest does it all');
is($node->safe_psql('postgres', q{SELECT * FROM ingest_telemetry('stage')}), '0|0|0', 'and the one after it nothing');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM stage), (SELECT count(*) FROM telemetry) > 8000}), '0|t', 'the rows have moved');

# a crash just after: what was told to be done stays done
$node->stop('immediate');
$node->start;
is(state(), 'after', 'and stay where they are');
$node->stop;
done_testing();
