# Money and other sessions: two payouts, two restatements, a restatement and an epoch that becomes
# final at the same time; and dump and restore of all of it.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "jit = off\ntimezone = UTC");
$node->start;
my $options = '-c search_path=swarm_reward,public -c client_min_messages=warning';
$ENV{PGOPTIONS} = $options;

# a network with three final epochs, one more to come, and addresses
$node->safe_psql('postgres', 'CREATE DATABASE main');
my $network = "$ENV{TESTDIR}/test/pgtap/ledger_network.psql";
$node->safe_psql('main', qq{
	CREATE EXTENSION swarm_reward CASCADE;
	\\i $network
	SELECT pg_temp.build(4, 15);
	CALL run_epoch(1001);
	CALL run_epoch(1002);
	CALL run_epoch(1003);
	UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
	UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
	UPDATE provider SET payout_address = '0x' || md5(provider_id::text) || '00000000' WHERE provider_id <> 1004;
});

# A psql that waits for queries; ask() returns what it printed, or undef while it is at work.
sub session
{
	my %s = (in => '', out => '', n => 0);
	$s{run} = IPC::Run::start(['psql', '-X', '-A', '-t', '-q', '-d', $node->connstr('main')], '<', \$s{in}, '>&', \$s{out},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%s;
}

sub submit
{
	my ($s, $query) = @_;
	$s->{n}++;
	$s->{out} = '';
	$s->{in} .= "$query;\n\\echo done $s->{n}\n";
	$s->{run}->pump_nb;
}

sub answer
{
	my ($s) = @_;
	$s->{run}->pump until $s->{out} =~ /^done $s->{n}$/m;
	(my $out = $s->{out}) =~ s/^done \d+\n//m;
	chomp $out;
	return $out;
}

sub ask { submit(@_); return answer($_[0]) }

sub waits
{
	return $node->poll_query_until('main', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'});
}

my ($one, $two) = (session(), session());

# two payouts at once
ask($one, 'BEGIN');
my $batch = ask($one, 'SELECT make_payout()');
like($batch, qr/^\d+$/, 'one makes a payout');
submit($two, 'SELECT make_payout()');
ok(waits(), 'another waits for it');
ask($one, 'COMMIT');
is(answer($two), '', 'and finds nothing left');
ask($one, qq{SELECT cancel_payout($batch, 'once more')});
ask($two, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM payout_line');
$batch = ask($one, 'SELECT make_payout()');
like(ask($two, 'SELECT make_payout()'), qr/ERROR: .*payout_line_once|could not serialize/, 'who cannot see it runs into the constraint');
ask($two, 'ROLLBACK');
is($node->safe_psql('main', 'SELECT count(*) FROM (SELECT FROM payout_line WHERE NOT cancelled GROUP BY epoch_id, provider_id HAVING count(*) > 1) d'),
	0, 'no statement is paid twice');
ask($one, "SELECT release_payout($batch)");

# an epoch becomes final while a restatement is being posted in it
$node->safe_psql('main', q{UPDATE telemetry SET ok = true, latency_ms = 25 WHERE node_id = 1003 AND sampled_at < '2021-02-10'});
ask($one, 'BEGIN');
like(ask($one, q{SELECT restate_epoch(1001, 'late', '{}')}), qr/^\d+$/, 'a restatement is posted');
submit($two, q{UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1003});
ok(waits(), 'its epoch cannot become final meanwhile');
ask($one, 'COMMIT');
is(answer($two), '', 'but then it does');
is($node->safe_psql('main', 'SELECT sum(restated) FROM final_statement WHERE epoch_id = 1003'),
	$node->safe_psql('main', 'SELECT sum(amount) FROM restatement WHERE provider_id IS NOT NULL'), 'with the restatement in its statements');

# two restatements at once
$node->safe_psql('main', q{UPDATE telemetry SET ok = true, latency_ms = 25 WHERE node_id IN (1005, 1006)});
ask($one, 'BEGIN');
like(ask($one, q{SELECT restate_epoch(1001, 'late again', '{}')}), qr/^\d+$/, 'one session restates');
submit($two, q{SELECT restate_epoch(1001, 'late again', '{}')});
ok(waits(), 'another waits for it');
ask($one, 'COMMIT');
is(answer($two), '', 'and finds nothing to post');

# a crash in the middle leaves nothing
ask($one, q{UPDATE telemetry SET latency_ms = 400 WHERE node_id = 1005});
ask($one, 'BEGIN');
ask($one, q{SELECT restate_epoch(1001, 'lost', '{}')});
my $before = $node->safe_psql('main', 'SELECT max(run_id) FROM restatement_run');
$node->stop('immediate');
$node->start;
is($node->safe_psql('main', 'SELECT max(run_id) FROM restatement_run'), $before, 'a restatement lost in a crash is not there');
is($node->safe_psql('main', 'SELECT count(*) FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.status = $$final$$ AND NOT v.ok'), 0, 'and final epochs are as they were');
like($node->safe_psql('main', q{SELECT restate_epoch(1001, 'not lost', '{}')}), qr/^\d+$/, 'it can be posted again');
$node->safe_psql('main', q{SELECT cancel_payout(make_payout(), 'not yet'); SELECT release_payout(make_payout(1003)); });

# dump and restore, as COPY and as INSERTs
my $sum = q{
	SELECT string_agg(t || ' ' || query_to_xml(format('SELECT count(*), md5(string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C")) FROM %I x', t), false, true, ''), '')
	FROM unnest(ARRAY['epoch', 'reward', 'restatement_run', 'restatement', 'restatement_input', 'final_statement', 'payout', 'payout_leaf', 'payout_line', 'provider']) t};
my $dir = $node->basedir;
for my $how (['--format=custom'], ['--format=custom', '--inserts'])
{
	my $name = 'copy' . @$how;
	$node->command_ok(['pg_dump', @$how, '-f', "$dir/$name.dump", '-d', $node->connstr('main')], "dump @$how");
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->command_ok(['pg_restore', '--exit-on-error', '-d', $node->connstr($name), "$dir/$name.dump"], 'restore');
	is($node->safe_psql($name, $sum), $node->safe_psql('main', $sum), 'the same rows');
	is($node->safe_psql($name, q{SELECT count(*) FROM restatement_run r, verify_restatement(r.run_id) v WHERE NOT v.ok}), 0, 'restatements verify');
	is($node->safe_psql($name, q{SELECT count(*) FROM payout p, verify_payout(p.payout_id) v WHERE NOT v.ok}), 0, 'payouts verify');
	my ($code, $out, $err) = $node->psql($name, q{INSERT INTO final_statement (epoch_id, provider_id, earned, restated) SELECT 1003, 1001, 5, 0 ON CONFLICT DO NOTHING;
		INSERT INTO restatement_input SELECT run_id, input_no + 100000, epoch_id, relation, original, corrected FROM restatement_input LIMIT 1});
	like($err, qr/which is complete/, 'guards still hold');
	is($node->safe_psql($name, q{SELECT restate_epoch(1001, 'after', '{}')}), '', 'and epochs come out the same');
}

$one->{run}->kill_kill;
$two->{run}->kill_kill;
done_testing();
