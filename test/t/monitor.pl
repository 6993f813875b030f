# examples/monitoring, run for real: Debian's prometheus-postgres-exporter as role monitor tells what health says, and
# promtool takes the rules. Skipped where they are not installed; SR_EXPORTER names the program, if it is elsewhere.
use strict;
use warnings;
use HTTP::Tiny;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Operate;

my ($exporter) = grep { $_ && -x } $ENV{SR_EXPORTER}, '/usr/bin/prometheus-postgres-exporter';
plan skip_all => 'prometheus-postgres-exporter is not installed' unless $exporter;

my $node = new_cluster('monitor');
build_network($node);
my $example = "$ENV{TESTDIR}/examples/monitoring";
my ($sql) = slurp_file("$example/README.md") =~ /```\n(\s+CREATE ROLE .*?)```/s;
$node->safe_psql('postgres', $sql);
my ($switches) = slurp_file("$example/README.md") =~ /ARGS='--extend.query-path=\S+ (.*?)'/;
my $port = PostgreSQL::Test::Cluster::get_free_port();
my ($out, $err) = ('', '');
my $run = IPC::Run::start(['env', 'DATA_SOURCE_NAME=host=' . $node->host . ' port=' . $node->port . ' user=monitor dbname=postgres',
	$exporter, "--extend.query-path=$example/queries.yaml", split(/ /, $switches), "--web.listen-address=127.0.0.1:$port"], '<', '/dev/null', '>', \$out, '2>', \$err);

# What the exporter tells: severity by check.
sub told
{
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	my $text = '';

	while (time < $end && $text !~ /^swarm_reward_health_severity/m)
	{
		$run->pump_nb;
		my $answer = HTTP::Tiny->new->get("http://127.0.0.1:$port/metrics");
		$text = $answer->{success} ? $answer->{content} : '';
		select(undef, undef, undef, 0.2) unless $text =~ /^swarm_reward_health_severity/m;
	}
	diag($err) unless $text;
	return { text => $text, map { /^swarm_reward_health_severity\{check="([^"]+)"[^}]*\} (\d+)$/m ? ($1 => $2) : () } split /\n/, $text };
}
my $wanted = q{SELECT string_agg("check" || ' ' || CASE severity WHEN 'ok' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, ',' ORDER BY "check" COLLATE "C") FROM swarm_reward.health};
my $told = told();
my $text = delete $told->{text};
is(join(',', map { "$_ $told->{$_}" } sort keys %$told), value($node, $wanted), 'the exporter tells what health says');
is($told->{'epoch overdue'}, 2, 'an epoch is overdue');
like($text, qr/^swarm_reward_health_since_seconds\{check="epoch overdue".*\} [1-9]/m, 'and since when');
like($text, qr/^swarm_reward_epoch_running_seconds(\{.*\})? 0$/m, 'nothing runs');
like($text, qr/^pg_exporter_last_scrape_error(\{.*\})? 0$/m, 'without an error');
$node->safe_psql('postgres', 'SET client_min_messages = error; CALL swarm_reward.run_due_epochs()');
is(told()->{'epoch overdue'}, 0, 'once it is computed, no more');
$node->safe_psql('postgres', q{SELECT swarm_reward.hold_epoch(1, 'a test')});
is(told()->{'epoch held'}, 1, 'what is held is told');
$run->kill_kill;
SKIP: {
	my ($promtool) = grep { $_ && -x } $ENV{SR_PROMTOOL}, '/usr/bin/promtool';
	skip 'promtool is not installed', 1 unless $promtool;
	command_ok([$promtool, 'check', 'rules', "$example/alerts.yml"], 'Prometheus takes the rules');
}
$node->stop;
done_testing();
