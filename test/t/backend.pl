# The service of doc/backend.md, taken from there and run against a cluster: it tells of every change of
# status, serves exact statements, and survives the loss of its connections. Where module pg is not Node's
# own, NODE_PATH says where it is; tools/perl-tap gets it by npm.
use strict;
use warnings;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Operate;

plan skip_all => 'Node.js with its module pg is not here: see NODE_PATH' if system(q{node -e 'require("pg")' >/dev/null 2>&1}) != 0;

open my $doc, '<', 'doc/backend.md' or die "doc/backend.md: $!";
my $text = do { local $/; <$doc> };
my ($service) = $text =~ /```js\n(.*?)```/s;
ok($service, 'doc/backend.md shows a service');

my $node = new_cluster('backend');
my $file = $node->basedir . '/service.js';
PostgreSQL::Test::Utils::append_to_file($file, $service);
# three epochs, all due
$node->safe_psql('postgres', 'SET search_path = swarm_reward, public;' . "\n\\ir $ENV{PWD}/test/pgtap/small.psql\n" . q{UPDATE policy SET challenge_window = '0' WHERE name = 'p'});
# the SQL of the guide
my @sql = $text =~ /```\n(CREATE ROLE .*?)```/sg;
is(scalar @sql, 2, 'and how to make its login');
$node->safe_psql('postgres', $sql[0]);
$node->safe_psql('postgres', q{UPDATE swarm_reward.provider SET name = 'Acme' WHERE provider_id = 2;} . $sql[1]);

my ($out, $err) = ('', '');
my $run = IPC::Run::start(['env', 'PGHOST=' . $node->host, 'PGPORT=' . $node->port, 'PGDATABASE=postgres', 'PGUSER=rewards_web', 'PORT=0', 'node', $file], '<', '/dev/null', '>', \$out, '2>', \$err);

# Waits until the service has said something.
sub said
{
	my ($pattern) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;

	while (time < $end && $out !~ $pattern)
	{
		last unless $run->pumpable;
		$run->pump_nb;
		sleep 0.02;
	}
	return $out =~ $pattern;
}

ok(said(qr/"connected":true/), 'it listens') or diag($err);
my ($port) = $out =~ /"port":(\d+)/;
my $http = HTTP::Tiny->new(timeout => $PostgreSQL::Test::Utils::timeout_default);
sub get { my ($path) = @_; my $answer = $http->get("http://127.0.0.1:$port/$path"); return ($answer->{status}, eval { decode_json($answer->{content}) }); }

my ($status, $got) = get('progress');
is($status, 200, 'it serves the progress') or diag($err);
is(join(' ', map { $_->{state} } @$got), 'waiting waiting waiting', 'of three epochs that wait');
is((get('statements/2'))[0], 404, 'and no statement of an epoch that is not computed');
$node->safe_psql('postgres', 'SET client_min_messages = error; CALL swarm_reward.run_due_epochs()');
ok(said(qr/"event":"final","epoch_id":3/), 'it hears of the last epoch');
my @events = grep { $_->{event} } map { eval { decode_json($_) } } split /\n/, $out;
is(join(' ', sort keys %{$events[0]}), 'digest epoch_id event held paid', 'in the words of the guide');
is(join(' ', sort map { "$_->{epoch_id}:$_->{event}" } @events), '1:computed 1:final 2:computed 2:final 3:computed 3:final', 'every change');
like($events[0]{paid}, qr/^\d+$/, 'with money as digits');
($status, $got) = get('statements/2');
is($status, 200, 'it serves a statement');
is(join(' ', map { "$_->{provider_id}:$_->{total}" } @$got),
	value($node, q{SELECT string_agg(provider_id || ':' || total, ' ' ORDER BY total DESC, provider_id) FROM swarm_reward.provider_statement WHERE epoch_id = 2}), 'to the last digit');
($status, $got) = get('epochs');
is(join(' ', map { "$_->{epoch_id}:$_->{status}:$_->{paid}" } @$got),
	value($node, q{SELECT string_agg(epoch_id || ':final:' || paid, ' ' ORDER BY epoch_id) FROM (SELECT epoch_id, sum(amount) AS paid FROM swarm_reward.reward GROUP BY epoch_id) x}), 'and the epochs with what they paid');
is((get($_))[0], 404, "/$_ is not found") for 'statements/x', 'statements/1%27%20OR%201=1', '__proto__', 'constructor', '';
is(value($node, q{SET ROLE acme; SELECT string_agg(DISTINCT provider, ' ') FROM swarm_reward.provider_statement}), 'Acme', 'the login of a provider sees its own statements');

# Something that is not ours, and a lost connection.
$node->safe_psql('postgres', q{NOTIFY swarm_reward, 'hello'});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rewards_web'});
ok(said(qr/"connected":true.*"connected":true/s), 'it listens again when its connections are lost');
$node->safe_psql('postgres', q{SET client_min_messages = error; SELECT swarm_reward.plan_epochs('2024-04-01', '1 day', 1000, '2024-03-31'); CALL swarm_reward.run_due_epochs()});
ok(said(qr/"event":"computed","epoch_id":(?!1\b|2\b|3\b)\d+/), 'and hears of the next epoch');
is((get('statements/3'))[0], 200, 'and serves');
# a correction is posted, and what was cached is read again
my $before = join ' ', map { $_->{total} } @{(get('statements/2'))[1]};
$node->safe_psql('postgres', q{SET client_min_messages = error; SELECT swarm_reward.fund_treasury(10000000, 'test');
	UPDATE swarm_reward.node_resource SET units = 1 WHERE node_id = 2 AND resource_type = 'gpu'; SELECT count(*) FROM swarm_reward.restate_epoch(2, 'test')});
ok(said(qr/"event":"restated"/), 'it hears of a correction');
isnt(join(' ', map { $_->{total} } @{(get('statements/2'))[1]}), $before, 'and serves the corrected statement');
$run->kill_kill;
$node->stop;
done_testing();
