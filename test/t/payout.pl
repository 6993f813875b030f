# Money and other sessions: two payouts, two restatements, a payout and an epoch that becomes final at the same time,
# in sessions that see and that cannot see what the other did; and a crash in the middle.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my $node = new_cluster('payout');
$ENV{PGOPTIONS} = '-c search_path=swarm_reward,public -c client_min_messages=warning';
build_network($node, window => '0');
$node->safe_psql('postgres', q{
	CALL run_epoch(1);
	CALL run_epoch(2);
	CALL run_epoch(3);
	CALL finalize_epoch(1);
	UPDATE provider SET payout_address = '0x' || repeat('0', 39) || provider_id;
	SELECT fund_treasury(10000000, 'a test');
});

# A psql that waits for queries; ask() returns what it printed.
sub session
{
	my %s = (in => '', out => '', n => 0);
	$s{run} = IPC::Run::start(['psql', '-X', '-A', '-t', '-q', '-d', $node->connstr('postgres')], '<', \$s{in}, '>&', \$s{out},
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
sub waits { return $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) }

my ($one, $two) = (session(), session());
my $owed = q{SELECT sum(balance) FROM provider_balance};
my $wrong = q{SELECT count(*) FROM payout p, verify_payout(p.payout_id) v WHERE NOT v.ok};

# two payouts at once
my $all = value($node, $owed);
ask($one, 'BEGIN');
my $batch = ask($one, 'SELECT make_payout()');
like($batch, qr/^\d+$/, 'one makes a payout');
submit($two, 'SELECT make_payout()');
ok(waits(), 'another waits for it');
ask($one, 'COMMIT');
is(answer($two), '', 'and finds nothing left');
is(value($node, $owed), '0', 'all is paid');
ask($one, qq{SELECT cancel_payout($batch, 'once more')});
is(value($node, $owed), $all, 'cancelled, all is owed again');

# who cannot see what was paid cannot pay it again
ask($two, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM payout_line');
$batch = ask($one, 'SELECT make_payout()');
like(ask($two, 'SELECT make_payout()'), qr/ERROR: +could not serialize/, 'a session with an older snapshot does not pay twice');
ask($two, 'ROLLBACK');
is(value($node, $owed), '0', 'all is paid once');
is(value($node, $wrong), '0', 'and payouts are what the journal has');
ask($one, "SELECT release_payout($batch)");

# the same payment fails twice at once
ask($one, 'BEGIN');
like(ask($one, "SELECT fail_payout($batch, NULL, 'a test')"), qr/^\d+$/, 'a payout fails');
submit($two, "SELECT confirm_payout($batch, 'a test')");
ok(waits(), 'who confirms it meanwhile waits');
ask($one, 'COMMIT');
like(answer($two), qr/ERROR: +payout $batch is failed/, 'and learns that it failed');
is(value($node, $owed), $all, 'all is owed again');

# an epoch becomes final while a payout is made
ask($one, 'BEGIN');
ask($one, 'CALL finalize_epoch(2)');
submit($two, 'SELECT make_payout()');
ok(waits(), 'a payout waits for an epoch that becomes final');
ask($one, 'COMMIT');
$batch = answer($two);
is(value($node, "SELECT total FROM payout WHERE payout_id = $batch"), value($node, 'SELECT sum(amount) FROM reward WHERE epoch_id <= 2'), 'and pays it');

# two restatements at once
$node->safe_psql('postgres', q{SELECT correct_node(3, '{"joined_at": "2024-02-20T00:00:00Z"}', 'it came later')});
ask($one, 'BEGIN');
like(ask($one, q{SELECT count(*) FROM restate_epoch(1, 'it came later')}), qr/^[1-9]/, 'one session restates');
like(ask($two, q{SELECT count(*) FROM restate_epoch(1, 'it came later')}), qr/ERROR: +another session is computing/, 'another is turned away');
ask($two, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM restatement');
ask($one, 'COMMIT');
like(ask($two, q{SELECT count(*) FROM restate_epoch(1, 'it came later')}), qr/ERROR: +could not serialize/, 'who cannot see it cannot post it again');
ask($two, 'ROLLBACK');
is(ask($two, q{SELECT count(*) FROM restate_epoch(1, 'it came later')}), '0', 'who can has nothing to post');

# what is owed by a provider is never paid; what it earns makes up for it
is(value($node, 'SELECT count(*) FROM provider_balance WHERE balance < 0') > 0 ? 1 : 0, 1, 'somebody got too much');
$batch = value($node, 'SELECT make_payout()');
is(value($node, 'SELECT count(*) FROM payout_line l JOIN provider_balance b USING (provider_id) WHERE b.balance < 0 AND l.payout_id = ' . ($batch || 0)), '0', 'and is not paid');

# a crash in the middle leaves nothing
$node->safe_psql('postgres', q{SELECT correct_node(3, '{"joined_at": "2024-02-10T00:00:00Z"}', 'no, it did not')});
my $before = state_of($node);
ask($one, 'BEGIN');
ask($one, q{SELECT count(*) FROM restate_epoch(1, 'lost')});
# what it rolled back inside is not on disk yet: unlogged tables there would make this start fail
$node->stop('immediate');
$node->start;
is(state_of($node), $before, 'a restatement lost in a crash is not there');
is(value($node, q{SELECT count(*) FROM epoch e, verify_epoch(e.epoch_id) v WHERE e.status = 'final' AND NOT v.ok}), '0', 'and final epochs are as they were');
like(value($node, q{SELECT count(*) FROM restate_epoch(1, 'not lost')}), qr/^[1-9]/, 'it can be posted again');
is(value($node, 'SELECT sum(amount) FROM posting'), '0', 'the money balances');
is(value($node, $wrong), '0', 'and payouts are what the journal has');
$one->{run}->kill_kill;
$two->{run}->kill_kill;
$node->stop;
done_testing();
