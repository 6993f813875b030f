# pg_cron for real: after an outage of many periods the scheduler alone opens, computes and finalizes
# every epoch, in order. pg_cron 1.4 ticks once a minute, so this takes up to one.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $control = `$ENV{PG_CONFIG} --sharedir`;
chomp $control;
plan skip_all => 'pg_cron is not installed' unless -e "$control/extension/pg_cron.control";

my $node = new_cluster('schedule', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'postgres'\ncron.use_background_workers = off\ncron.host = ''\nmax_worker_processes = 8\n");
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'");
$node->restart;
my ($code, $out, $err);

# Where it cannot be done, it says what to do.
($code, $out, $err) = $node->psql('postgres', 'SELECT swarm_reward.schedule_jobs()');
like($err, qr/the extension pg_cron is not installed.*HINT:  CREATE EXTENSION pg_cron/s, 'without the extension');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron; CREATE DATABASE elsewhere; CREATE ROLE jobber LOGIN;');
$node->safe_psql('postgres', q{SELECT swarm_reward.grant_role('operator', 'jobber')});
$node->safe_psql('elsewhere', 'SET client_min_messages = error; CREATE EXTENSION swarm_reward CASCADE');
($code, $out, $err) = $node->psql('elsewhere', q{SELECT swarm_reward.schedule_jobs('1 1 1 1 1')});
like($err, qr/runs from database postgres.*HINT:  In database postgres: (SELECT .*;)/s, 'from another database');
my ($there) = $err =~ /In database postgres: (SELECT .*;)/;
$node->safe_psql('postgres', $there);
is(value($node, q{SELECT string_agg(database || ' ' || command, ',') FROM cron.job WHERE schedule = '1 1 1 1 1'}), 'elsewhere CALL swarm_reward.run_due_epochs()', 'and what it says to do does it');
($code, $out, $err) = $node->psql('elsewhere', 'SELECT swarm_reward.unschedule_jobs()');
($there) = $err =~ /In database postgres: (SELECT .*;)/;
$node->safe_psql('postgres', $there);
is(value($node, 'SELECT count(*) FROM cron.job'), '0', 'also to undo it');
($code, $out, $err) = $node->psql('postgres', 'SELECT swarm_reward.schedule_jobs()', extra_params => ['-U', 'jobber']);
like($err, qr/permission denied.*HINT:  A superuser can GRANT USAGE ON SCHEMA cron TO jobber/s, 'without the right to');
for my $case (["NULL", 'crontab'], ["'*/5 * * * *', '1 hour'", 'from a day to a year'], ["plan_budget => 1", 'Give plan_length too'], ["plan_length => '0', plan_budget => 1", 'at least a second'])
{
	($code, $out, $err) = $node->psql('postgres', "SELECT swarm_reward.schedule_jobs($case->[0])");
	like($err, qr/HINT:  .*$case->[1]/s, "schedule_jobs($case->[0]) is refused");
}
($code, $out, $err) = $node->psql('postgres', q{SELECT swarm_reward.schedule_jobs('every now and then')});
like($err, qr/invalid schedule/, 'nor a schedule that is none');
is(value($node, 'SELECT count(*) FROM cron.job'), '0', 'and nothing was scheduled');

# The outage: the epochs of the network, and weeks after them, that nobody computed; nobody reported in these, which this
# policy does not mind.
build_network($node, window => '0');
$node->safe_psql('postgres', q{
	UPDATE swarm_reward.policy SET min_reporters = 0 WHERE name = 'p';
	SELECT swarm_reward.plan_epochs('2024-06-01', '7 days', 1000, '2024-03-31');
	GRANT USAGE ON SCHEMA cron TO jobber;
	CREATE TABLE public.history (n bigint GENERATED ALWAYS AS IDENTITY, epoch_id bigint, status text, who name, at timestamptz DEFAULT clock_timestamp(), xid bigint DEFAULT txid_current());
	CREATE FUNCTION public.remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.history (epoch_id, status, who) VALUES (NEW.epoch_id, NEW.status, session_user); RETURN NULL; END $$;
	CREATE TRIGGER remember AFTER UPDATE OF status ON swarm_reward.epoch FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION public.remember();
});
my $due = value($node, q{SELECT count(*) FROM swarm_reward.epoch WHERE status = 'planned'});
cmp_ok($due, '>=', 12, "$due epochs were missed");
is($node->safe_psql('postgres', q{SELECT count(*) FROM swarm_reward.schedule_jobs('*/7 * * * *')}, extra_params => ['-U', 'jobber']), '3', 'an operator schedules the jobs');
is($node->safe_psql('postgres', q{SELECT string_agg(job_name, ',') FROM swarm_reward.schedule_jobs('* * * * *', plan_length => '10 years', plan_budget => 5, plan_ahead => '0')}, extra_params => ['-U', 'jobber']),
	'swarm_reward epochs,swarm_reward hours,swarm_reward partitions,swarm_reward plan', 'and again, with planning');
is(value($node, q{SELECT string_agg(concat_ws('|', jobname, schedule, username, database), ',' ORDER BY jobid) FROM cron.job}),
	'swarm_reward epochs|* * * * *|jobber|postgres,swarm_reward hours|7 * * * *|jobber|postgres,swarm_reward partitions|17 1,13 * * *|jobber|postgres,swarm_reward plan|* * * * *|jobber|postgres', 'the last call counts');

ok(wait_until($node, qq{SELECT count(*) >= $due FROM swarm_reward.epoch WHERE status = 'final'}, undef, 0.5), 'the scheduler alone computes and finalizes them all')
	or diag(value($node, 'SELECT string_agg(concat_ws(\' \', command, status, return_message), \'; \') FROM cron.job_run_details'));
is(value($node, q{SELECT string_agg(status, ' ' ORDER BY n) FROM (SELECT * FROM public.history h ORDER BY n LIMIT 6) x}), 'open computed final open computed final', 'opened, computed, made final');
is(value($node, q{SELECT bool_and(h.epoch_id = e.epoch_id) FROM (SELECT epoch_id, row_number() OVER (ORDER BY n) AS k FROM public.history WHERE status = 'computed') h
	JOIN (SELECT epoch_id, row_number() OVER (ORDER BY period) AS k FROM swarm_reward.epoch) e USING (k)}), 't', 'in the order of their periods, none left out');
is(value($node, q{SELECT count(DISTINCT xid) || ' ' || count(DISTINCT who) || ' ' || min(who) FROM public.history WHERE status <> 'open'}), (2 * $due) . ' 1 jobber', 'each step in a transaction of its own, as who scheduled it');
is(value($node, q{SELECT count(*) FROM swarm_reward.epoch e, LATERAL swarm_reward.verify_epoch(e.epoch_id) v WHERE e.status = 'final' AND e.epoch_id <= 3 AND NOT v.ok}), '0', 'the epochs of the network verify');
is(value($node, q{SELECT sum(amount) FROM swarm_reward.posting}), '0', 'and the money balances');
ok(wait_until($node, q{SELECT count(*) = 1 FROM swarm_reward.epoch WHERE status = 'planned' AND period @> now()}), 'the scheduler has planned the one that goes on now, and nothing of the past');
is(value($node, 'SELECT count(*) FROM swarm_reward.epoch'), $due + 1, 'that one only');
is($node->safe_psql('postgres', 'SELECT swarm_reward.unschedule_jobs()'), '4', 'the jobs are taken out');
is(value($node, 'SELECT count(*) FROM cron.job'), '0', 'and gone');
$node->stop;
done_testing();
