# kill -9 in every phase of the computation, of the backend and of the postmaster: what is found after
# the restart is the state before or the state after, never one between, and in the end every epoch has
# the digest that it has in a database where nothing was ever killed.
# A few points in `make test`; SR_CRASH_POINTS=N takes N, as test/slow/crash does.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Operate;

my $points = $ENV{SR_CRASH_POINTS} || 4;
my $node = new_cluster('crash', "restart_after_crash = on\nlog_min_messages = warning\n");
srand($ENV{SR_CRASH_SEED} || 1);

# Twice the same network and the same epochs of half a day, which become final at once. One of the
# databases is left in peace.
$node->safe_psql('postgres', 'CREATE DATABASE peace');
$node->safe_psql('peace', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
$node->safe_psql($_, "ALTER DATABASE $_ SET search_path = swarm_reward, swarm_reward_internal, public") for qw(postgres peace);
my $epochs = 10 + 2 * $points;
die "too many points for the network's days" if $epochs > 158;
for my $database ('postgres', 'peace')
{
	build_network($node, database => $database, window => '0');
	$node->safe_psql($database, qq{
		DELETE FROM swarm_reward.epoch;
		INSERT INTO swarm_reward.epoch (epoch_id, period, budget)
		SELECT k, tstzrange('2024-01-01 00:00+00'::timestamptz + (k - 1) * interval '12 hours', '2024-01-01 00:00+00'::timestamptz + k * interval '12 hours'), 1000 * k
		FROM generate_series(1, $epochs) k;
	});
}
$node->safe_psql('peace', 'SET client_min_messages = error; CALL swarm_reward.run_due_epochs()');
my $wanted = $node->safe_psql('peace', q{SELECT string_agg(concat_ws(' ', epoch_id, status, encode(digest, 'hex')), E'\n' ORDER BY epoch_id) FROM swarm_reward.epoch});
my $totals = q{SELECT concat_ws(' ', (SELECT concat_ws(' ', count(*), sum(amount)) FROM swarm_reward.reward), (SELECT count(*) FROM swarm_reward.entry), (SELECT sum(amount) FROM swarm_reward.posting WHERE amount > 0))};
my $paid = $node->safe_psql('peace', $totals);

# Doors: where the computation sleeps when they are open. Some are at rows that are written, the others at tables of
# an epoch that are made, while those before have their rows, or get their keys.
my @doors = (
	(map { ['nodes', $_, 'CREATE TABLE AS'] } qw(member twin machine report evidence unit worth trust past stay tenure outage epoch_node)),
	(map { ['owners', $_, 'CREATE TABLE AS'] } qw(stock epoch_owner_rest epoch_node_resource epoch_node_service)), ['owners', 'epoch_node', 'ALTER TABLE'],
	['rewards', 'score', 'CREATE TABLE AS'], ['rewards', 'portion', 'CREATE TABLE AS'], ['rewards', 'reward', 'CREATE TABLE AS'], ['rewards', 'reward', 'ALTER TABLE'],
	['clear', 'epoch', 'AFTER UPDATE', 'ROW', q{OLD.status = 'planned' AND NEW.status = 'open'}],
	['demand', 'epoch', 'BEFORE UPDATE', 'ROW', 'OLD.demand IS NULL AND NEW.demand IS NOT NULL'], ['supply', 'epoch', 'AFTER UPDATE', 'ROW', 'OLD.supply IS NULL AND NEW.supply IS NOT NULL'],
	['market', 'market', 'CREATE TABLE AS'], ['market', 'epoch_region', 'AFTER INSERT', 'STATEMENT'], ['market', 'epoch_region_resource', 'BEFORE INSERT', 'STATEMENT'], ['market', 'epoch_resource', 'AFTER INSERT', 'STATEMENT'],
	['market', 'epoch_service', 'AFTER INSERT', 'STATEMENT'], ['rewards', 'epoch_pool', 'AFTER INSERT', 'STATEMENT'], ['rewards', 'epoch_provider', 'AFTER INSERT', 'STATEMENT'],
	['seal', 'epoch_seal', 'AFTER INSERT', 'STATEMENT'], ['seal', 'epoch', 'AFTER UPDATE', 'ROW', q{OLD.status = 'open' AND NEW.status = 'computed'}], ['seal', 'epoch_computation', 'AFTER INSERT', 'ROW'],
	['verify', 'epoch', 'AFTER UPDATE', 'ROW', q{OLD.status = 'computed' AND NEW.status = 'final'}], ['verify', 'posting', 'AFTER INSERT', 'STATEMENT'], ['verify', 'epoch_event', 'AFTER INSERT', 'ROW'],
);
$node->safe_psql('postgres', q{
	CREATE TABLE public.door (name text, relation text, tag text);
	CREATE FUNCTION public.door() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
		IF EXISTS (SELECT FROM public.door d WHERE d.name = TG_NAME) THEN PERFORM pg_sleep(300); END IF;
		RETURN NEW;
	END $$;
	CREATE FUNCTION public.table_door() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
		IF EXISTS (SELECT FROM public.door d JOIN pg_event_trigger_ddl_commands() c ON c.command_tag = d.tag AND c.object_identity ~ ('^swarm_reward_internal\.' || d.relation || '_\d+$')) THEN
			PERFORM pg_sleep(300);
		END IF;
	END $$;
	CREATE EVENT TRIGGER door ON ddl_command_end WHEN TAG IN ('CREATE TABLE AS', 'ALTER TABLE') EXECUTE FUNCTION public.table_door();
	} . join('', map { my ($phase, $table, $when, $level, $if) = @{$doors[$_]};
		$level ? "CREATE TRIGGER door_$_ $when ON $table FOR EACH $level " . ($if ? "WHEN ($if) " : '') . "EXECUTE FUNCTION public.door();\n" : '' } 0 .. $#doors));

# Waits until the server answers again.
sub wait_for_server
{
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	while (time < $end)
	{
		# psql may be gone before it has read what to ask
		my ($code, $out) = eval { $node->psql('postgres', 'SELECT NOT pg_is_in_recovery()') };
		return 1 if defined $code && $code == 0 && ($out // '') eq 't';
		sleep 0.05;
	}
	return 0;
}

sub kill_and_restart
{
	my ($how, $pid) = @_;

	if ($how eq 'backend')
	{
		kill 'KILL', $pid;
		# it is only over when the postmaster has noticed
		for (1 .. 100) { last unless kill 0, $pid; sleep 0.02; }
		sleep 0.05;
	}
	else
	{
		$node->kill9;
		# the children still hold the shared memory for a moment
		for (1 .. 100)
		{
			sleep 0.1;
			# a failed start takes the pid file of the killed one for a server that runs
			undef $node->{_pid};
			last if $node->start(fail_ok => 1);
		}
	}
	return wait_for_server();
}

my ($tried, $bad, $before, $after, %phases) = (0, 0, 0, 0);
for my $point (0 .. $points - 1)
{
	# every third by the clock, the others by the doors in turn; one in two kills the postmaster
	my $by_clock = $point % 3 == 2;
	my $door = (($point - int(($point + 1) / 3)) * ($points < 20 ? 7 : 1) + ($points < 20 ? 6 : 0)) % @doors;
	my $how = int($point / 2) % 2 ? 'postmaster' : 'backend';
	my $done = value($node, q{SELECT count(*) FILTER (WHERE status <> 'planned') || ' ' || count(*) FILTER (WHERE status = 'final') FROM swarm_reward.epoch});
	my $next = value($node, q{SELECT coalesce(min(epoch_id), 0) FROM swarm_reward.epoch WHERE status = 'planned'});
	my $what;

	$node->safe_psql('postgres', "TRUNCATE public.door; INSERT INTO public.door VALUES ('door_$door', '$doors[$door][1]', '$doors[$door][2]')") unless $by_clock;
	$node->safe_psql('postgres', 'TRUNCATE public.door') if $by_clock;
	# by the clock: only the next epoch is planned to have ended, so that a run does not eat them all
	my $session = start_sql($node, $by_clock ? "SET application_name = 'victim';\nCALL swarm_reward.run_epoch($next);\n"
		: "SET application_name = 'victim';\nCALL swarm_reward.run_due_epochs();\n");
	my $pid;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	while (!$pid && time < $end)
	{
		my ($code, $out) = $node->psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND } . ($by_clock ? 'true' : q{wait_event = 'PgSleep'}));
		$pid = $out if $out;
		last unless $session->{run}->pumpable;
		$session->{run}->pump_nb;
	}
	if ($by_clock)
	{
		my $wait = rand(0.15);
		sleep $wait;
		$what = sprintf('%s after %d ms', $how, 1000 * $wait);
	}
	else
	{
		$what = "$how in phase $doors[$door][0] at $doors[$door][1]";
		my $seen = value($node, q{SELECT phase FROM swarm_reward.epoch_progress WHERE state = 'running'});
		$phases{$seen}++;
		$what .= ", seen in $seen" if $seen ne $doors[$door][0];
	}
	my $up = $pid || $how eq 'postmaster' ? kill_and_restart($how, $pid) : 1;
	finish($session);
	$tried++;
	my @wrong;
	push @wrong, 'server did not come back' unless $up;
	# every epoch is there in full, with the digest it has in peace, or not at all; in order
	push @wrong, value($node, q{
		SELECT string_agg(x, '; ') FROM (
			SELECT 'epoch ' || epoch_id || ' is open' AS x FROM swarm_reward.epoch WHERE status = 'open'
			UNION ALL SELECT 'epoch ' || a.epoch_id || ' was skipped' FROM swarm_reward.epoch a JOIN swarm_reward.epoch b ON b.epoch_id > a.epoch_id WHERE a.status = 'planned' AND b.status <> 'planned'
			UNION ALL SELECT 'something runs' FROM swarm_reward.epoch_progress WHERE state <> 'waiting'
			UNION ALL SELECT 'a failure is recorded' FROM swarm_reward.epoch_failure
			UNION ALL SELECT 'there is ' || c.relname FROM swarm_reward.epoch e JOIN pg_class c ON c.relname ~ ('_' || e.epoch_id || '$') WHERE c.relnamespace = 'swarm_reward_internal'::regnamespace AND c.relkind = 'r' AND e.status = 'planned'
			UNION ALL SELECT 'an entry does not balance' FROM swarm_reward.posting p GROUP BY p.entry_id HAVING sum(p.amount) <> 0
			} . join('', map { "UNION ALL SELECT DISTINCT '$_ has rows of epoch ' || e.epoch_id FROM $_ t JOIN epoch e USING (epoch_id) WHERE e.status = 'planned'\n" }
				qw(epoch_node epoch_owner reward epoch_region epoch_resource epoch_service epoch_pool epoch_provider epoch_seal epoch_computation)) . ') y');
	push @wrong, value($node, q{SELECT string_agg(concat_ws(' ', e.epoch_id, v.check_name, v.detail), '; ')
		FROM (SELECT epoch_id FROM swarm_reward.epoch WHERE status <> 'planned' ORDER BY epoch_id DESC LIMIT 1) e, LATERAL swarm_reward.verify_epoch(e.epoch_id) v WHERE NOT v.ok});
	my %peace = map { /^(\d+) \S+ (\S+)/ ? ($1 => $2) : () } split /\n/, $wanted;
	for (@{rows($node, q{SELECT concat_ws(' ', epoch_id, encode(digest, 'hex')) FROM swarm_reward.epoch WHERE status <> 'planned'})})
	{
		my ($id, $digest) = split / /;
		push @wrong, "digest of epoch $id" if $digest ne $peace{$id};
	}
	@wrong = grep { defined && $_ ne '' } @wrong;
	my $now = value($node, q{SELECT count(*) FILTER (WHERE status <> 'planned') || ' ' || count(*) FILTER (WHERE status = 'final') FROM swarm_reward.epoch});
	$now eq $done ? $before++ : $after++;
	ok(!@wrong, "point $tried: kill -9 of the $what" . ($now eq $done ? '' : ' (state after)')) or diag(join("\n", @wrong));
	# on by an epoch, so that points are spread over epochs
	$node->safe_psql('postgres', 'TRUNCATE public.door');
	my ($open, $settle) = split / /, value($node, q{SELECT coalesce(min(epoch_id) FILTER (WHERE status = 'planned'), 0) || ' ' || coalesce(min(epoch_id) FILTER (WHERE status = 'computed'), 0) FROM swarm_reward.epoch});
	my ($code, $out, $err) = $node->psql('postgres', ($settle ? "CALL swarm_reward.finalize_epoch($settle);\n" : '') . "CALL swarm_reward.run_epoch($open);\nCALL swarm_reward.finalize_epoch($open)", on_error_stop => 1);
	is($code, 0, 'the next run completes') or diag($err);
}
my ($code, $out, $err) = $node->psql('postgres', 'CALL swarm_reward.run_due_epochs()');
is($code, 0, 'the last run completes');
is(value($node, q{SELECT string_agg(concat_ws(' ', epoch_id, status, encode(digest, 'hex')), E'\n' ORDER BY epoch_id) FROM swarm_reward.epoch}), $wanted, 'every epoch is final with the digest it has in peace');
is(value($node, $totals), $paid, 'and the totals of rewards and of the journal agree');
is(value($node, q{SELECT count(*) FROM swarm_reward.epoch e, LATERAL swarm_reward.verify_epoch(e.epoch_id) v WHERE NOT v.ok}), '0', 'all verify');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/startup process \(PID \d+\) exited with exit code/, 'no recovery failed');
cmp_ok($tried, '==', $points, "$points points were tried");
note("$tried points; state before: $before, state after: $after; by phase: " . join(', ', map { "$_ $phases{$_}" } sort keys %phases));
$node->stop;
done_testing();
