# ALTER EXTENSION UPDATE from 0.1.0 gives what CREATE EXTENSION gives, object by object; and a ledger
# in use comes through it: its money is the same, and its next epochs are computed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{TESTDIR} || '.';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "jit = off\nclient_min_messages = warning\ntimezone = 'UTC'");
$node->start;

sub value { my ($database, $query) = @_; return $node->safe_psql($database, "SET search_path = swarm_reward, public; $query"); }

# all of the extension that the catalogues know
sub catalogue
{
	my $database = shift;

	return [ split /\n/, $node->safe_psql($database, "\\i $root/test/upgrade/catalogue.sql") ];
}

$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(fresh updated used);
$node->safe_psql('fresh', 'CREATE EXTENSION swarm_reward CASCADE');
$node->safe_psql($_, "CREATE EXTENSION swarm_reward VERSION '0.1.0' CASCADE") for qw(updated used);
is(value('updated', "SELECT extversion FROM pg_extension WHERE extname = 'swarm_reward'"), '0.1.0', '0.1.0 can be installed');
my $before = catalogue('updated');
$node->safe_psql('updated', 'ALTER EXTENSION swarm_reward UPDATE');
my ($wanted, $got) = (catalogue('fresh'), catalogue('updated'));
cmp_ok(scalar @$wanted, '>', 900, 'there is much to compare');
isnt(join("\n", @$before), join("\n", @$got), 'the update changes something');
is_deeply([ grep { my $l = $_; !grep { $_ eq $l } @$wanted } @$got ], [], 'an updated extension has nothing else than a fresh one');
is_deeply([ grep { my $l = $_; !grep { $_ eq $l } @$got } @$wanted ], [], 'and all of it');
is_deeply($got, $wanted, 'each once');

# a ledger in use: a final epoch, a computed one, partitions with rows
$node->safe_psql('used', qq{
	\\i $root/test/pgtap/ledger_network.psql
	SELECT pg_temp.build(1, 20);
	CALL run_epoch(1001);
	CALL run_epoch(1002);
	UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
});
my $money = 'SELECT epoch_id, node_id, component, score, amount FROM reward WHERE epoch_id <= 1002 ORDER BY 1, 2, 3';
my $paid = value('used', $money);
my $digest = value('used', 'SELECT digest FROM epoch WHERE epoch_id = 1001');
cmp_ok(length $paid, '>', 1000, 'it has paid something');
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
# the test library's, which nobody's environment has; a restore is known by its name
delete $ENV{PGAPPNAME};
command_ok(['pg_dump', '-Fc', '-f', "${\ $node->basedir}/old.dump", 'used'], 'a dump of 0.1.0');
$node->safe_psql('used', 'ALTER EXTENSION swarm_reward UPDATE');
is(value('used', $money), $paid, 'its rewards come through the update');
is(value('used', "SELECT string_agg(check_name, ', ' ORDER BY check_name) FROM verify_epoch(1001) WHERE NOT ok AND check_name NOT IN ('seal of epoch_beacon', 'seal of epoch_reach', 'seal of epoch_metric',
		'evidence of places', 'counts of beacons', 'latency reach', 'growth metrics')"), '', 'a final epoch verifies, but for what 0.1.0 did not keep');
is(value('used', 'SELECT digest FROM epoch WHERE epoch_id = 1001'), $digest, 'and keeps its digest');
is(value('used', 'CALL run_epoch(1002); SELECT count(*) FROM verify_epoch(1002) WHERE NOT ok'), '0', 'a computed epoch is computed again and verifies');
is(value('used', $money), $paid, 'with the same amounts');
is(value('used', 'CALL run_epoch(1003); SELECT count(*) FROM verify_epoch(1003) WHERE NOT ok'), '0', 'the next one is computed');
is(value('used', "SELECT count(*) > 0 FROM pg_trigger t JOIN telemetry_partition('telemetry') p ON p.partition = t.tgrelid WHERE t.tgname = 'mark_telemetry_insert'"), 't',
	'partitions of before are watched for late rows');
is(value('used', "SELECT count(*) || ' ' || bool_or(c.convalidated) FROM pg_constraint c JOIN telemetry_partition('telemetry') p ON p.partition = c.conrelid WHERE c.contype = 'f'"),
	value('used', "SELECT 2 * count(*) || ' false' FROM telemetry_partition('telemetry')"), 'and their foreign keys do not depend on the order of a restore');
is(value('used', 'SELECT sum(missing) FROM verify_references()'), '0', 'and hold');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
my $rows = 'SELECT (SELECT count(*) FROM telemetry), (SELECT count(*) FROM reward), (SELECT string_agg(digest::text, chr(32) ORDER BY epoch_id) FROM epoch)';
command_ok(['sh', '-c', "pg_dump -Fc -f ${\ $node->basedir}/used.dump used && pg_restore -j 2 -d restored ${\ $node->basedir}/used.dump"], 'it is dumped, and restored by two jobs');
is(value('restored', $rows), value('used', $rows), 'with all its rows');
# the dump of 0.1.0, as doc/operations.md has it
my ($commands) = grep { /VERSION '0.1.0'/ } slurp_file("$root/doc/operations.md") =~ /```sh\n(.*?)```/gs;
$commands =~ s/\bold\.dump\b/${\ $node->basedir}\/old.dump/g;
$commands =~ s/\brestored\b/of_old/g;
IPC::Run::run(['sh', '-c', $commands], '2>', \my $said);
is(join(', ', $said =~ /ERROR: +(.*)/g), 'schema "swarm_reward" already exists', 'the dump of before is restored under its version and updated');
is(value('of_old', $money), $paid, 'with its rewards');
is(value('of_old', 'SELECT sum(missing) FROM verify_references()'), '0', 'and references');
is_deeply([ grep { !/^rows/ } @{catalogue('of_old')} ], [ grep { !/^rows/ } @$wanted ], 'and all that a fresh one has');
$node->safe_psql('used', 'DROP EXTENSION swarm_reward CASCADE');
is($node->safe_psql('used', "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'swarm_reward'"), '0', 'nothing is left of it');

done_testing();
