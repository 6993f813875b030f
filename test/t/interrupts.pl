# Every function that can take long answers a statement_timeout soon, wherever in
# its work it is: within 100 ms on a machine of its own. For a closer look than `make test` takes:
#   SR_INTERRUPT_MS=100 SR_INTERRUPT_NODES=1000000 SR_INTERRUPT_WHOLE=10000 SR_INTERRUPT_POINTS=9
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# A busy machine takes longer to come back to us, now and then: the best of three tries counts.
my $allowed = $ENV{SR_INTERRUPT_MS} || 500;
# No statement runs longer than this.
my $whole_ms = $ENV{SR_INTERRUPT_WHOLE} || 400;
my $points = $ENV{SR_INTERRUPT_POINTS} || 1;
my $nodes = $ENV{SR_INTERRUPT_NODES} || 20000;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_buffers = 256MB\njit = off\nmax_wal_size = 2GB");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION swarm_reward CASCADE;
	ALTER DATABASE postgres SET search_path = public, swarm_reward;
	ALTER DATABASE postgres SET client_min_messages = warning;
});
$node->safe_psql('postgres', qq{
	CREATE TABLE node AS
	SELECT i AS id, ST_Point(mod(i * 137.50776405, 360) - 180, degrees(asin(1 - 2 * (i + 0.5) / $nodes)))::geography AS location,
	       20000 + 80000 * mod(i * 0.618033988749895, 1) AS radius_m, 1 + i % 7 AS weight
	FROM generate_series(0, $nodes - 1) i;
	CREATE TABLE field AS
	SELECT supply, 1 / supply AS share, supply * (1 / (supply + 1)) AS other
	FROM (SELECT coverage_agg(location, radius_m, weight, 10) AS supply FROM node) s;
	-- not compressed: unpacking it would be the server's time, not ours
	CREATE TABLE words (text text);
	ALTER TABLE words ALTER text SET STORAGE EXTERNAL;
	INSERT INTO words SELECT supply::text FROM field;
	COPY (SELECT share FROM field) TO '${\ $node->basedir}/share.bin' (FORMAT binary);
	CREATE TABLE received (c coverage);
	CREATE TABLE part AS SELECT coverage_agg(location, radius_m, weight, 10) AS c FROM node GROUP BY id % 4;
	-- a star of 100 000 points, and one of a few hundred that each cross the whole grid
	CREATE TABLE region AS
	SELECT name, ST_MakePolygon(ST_MakeLine(array_agg(ST_Point(180 * cos(a) * r * 0.9, 85 * sin(a) * r) ORDER BY i)
	                                        || (array_agg(ST_Point(180 * cos(a) * r * 0.9, 85 * sin(a) * r) ORDER BY i))[1]))::geography AS region
	FROM (SELECT name, i, 2 * pi() * i / n AS a, CASE i % 2 WHEN 0 THEN 1 ELSE inner_r END AS r
	      FROM (VALUES ('many corners', 100000, 0.9), ('long edges', 2000, 0.02)) v(name, n, inner_r), generate_series(0, n - 1) i) p
	GROUP BY name;
	CREATE TABLE leaf AS SELECT array_agg(sha256(i::text::bytea)) AS leaves FROM generate_series(1, 1000000) i;
	CREATE TABLE message (message bytea);
	ALTER TABLE message ALTER message SET STORAGE EXTERNAL;
	INSERT INTO message SELECT decode(repeat('61', 100000000), 'hex');
	-- telemetry for longer than any statement here may take
	INSERT INTO provider (provider_id, name) VALUES (1, 'one');
	INSERT INTO swarm_reward.node (node_id, provider_id, location, service_radius_m, joined_at) SELECT i, 1, 'POINT(1 1)', 1000, '2023-01-01 00:00+00' FROM generate_series(1, 100) i;
	SELECT make_telemetry_partitions('2024-01-01 00:00+00', '2024-01-03 00:00+00');
	CREATE TABLE stage AS SELECT 1 + i % 100 AS node_id, timestamptz '2024-01-01 00:00+00' + i / 100 * interval '30 seconds' AS sampled_at, true AS ok FROM generate_series(0, 10 * $nodes) i;
	VACUUM ANALYZE;
});

my $serial = 'SET max_parallel_workers_per_gather = 0;';
my $parallel = 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0;';
my @statements = (
	['coverage_agg', $serial, 'SELECT coverage_order(coverage_agg(location, radius_m, weight, 10)) FROM node'],
	['coverage_agg, in parallel', $parallel, 'SELECT coverage_order(coverage_agg(location, radius_m, weight, 10)) FROM node'],
	['coverage_agg, order 12', $serial, 'SELECT coverage_order(coverage_agg(location, radius_m, weight, 12)) FROM node WHERE id % 4 = 0'],
	['coverage_agg, order 12, in parallel', $parallel, 'SELECT coverage_order(coverage_agg(location, radius_m, weight, 12)) FROM node WHERE id % 4 = 0'],
	['coverage_agg, order 13, large discs', $serial, 'SELECT coverage_order(coverage_agg(location, 5000000, weight, 13)) FROM node WHERE id < 2000'],
	['coverage_agg, many small groups', $serial, 'SELECT count(c) FROM (SELECT coverage_agg(location, radius_m, weight, 10) AS c FROM node GROUP BY id) g'],
	['density_agg', $serial, 'SELECT coverage_order(density_agg(location, weight, 13)) FROM node'],
	['density_agg over large discs, order 13', $serial, 'SELECT coverage_order(density_agg(location, weight, 13, 5000000)) FROM node WHERE id < 2000'],
	['sum of fields', $serial, 'SELECT coverage_order(sum(c)) FROM part'],
	['+', $serial, 'SELECT coverage_order(supply + share) FROM field'],
	['/', $serial, 'SELECT coverage_order(supply / other) FROM field'],
	['a chain of operators', $serial, 'SELECT coverage_order(coverage_greatest(1 - supply / 3, 0) * share - coverage_least(other, supply)) FROM field'],
	['coverage_mask', $serial, 'SELECT coverage_order(coverage_mask(share, 0.1)) FROM field'],
	['coverage_round', $serial, 'SELECT coverage_order(coverage_round(share)) FROM field'],
	['coverage_sum', $serial, 'SELECT sum(coverage_sum(share)) FROM field, generate_series(1, 10)'],
	['coverage_area', $serial, 'SELECT sum(coverage_area(share)) FROM field, generate_series(1, 10)'],
	['coverage_sum of discs', $serial, 'SELECT sum(coverage_sum((SELECT share FROM field), location, radius_m)) FROM node'],
	['coverage_sum of large discs', $serial, 'SELECT sum(coverage_sum((SELECT share FROM field), location, 5000000)) FROM node'],
	['coverage_focal_sum', $serial, 'SELECT coverage_order(coverage_focal_sum(share, 500000)) FROM field'],
	['coverage_focal_sum over large discs', $serial, 'SELECT coverage_order(coverage_focal_sum(share, 5000000)) FROM field'],
	['coverage_value', $serial, 'SELECT sum(coverage_value((SELECT share FROM field), location)) FROM node'],
	['= and hash', $serial, 'SELECT count(*) FROM (SELECT supply AS c FROM field UNION SELECT c FROM part) u'],
	['coverage_sum in regions', $serial, 'SELECT sum(coverage_sum(share, region)) FROM field, region'],
	['region_coverage, many corners', $serial, q{SELECT coverage_order(region_coverage(region, 9)) FROM region WHERE name = 'many corners'}],
	['region_coverage, too complex', $serial, q{SELECT coverage_order(region_coverage(region, 13)) FROM region WHERE name = 'long edges'}],
	['region_coverage, long edges', $serial, q{SELECT coverage_order(region_coverage(region, 11)) FROM region WHERE name = 'long edges'}],
	['text output', $serial, 'SELECT octet_length(supply::text) FROM field'],
	['text input', $serial, 'SELECT coverage_order(text::coverage) FROM words'],
	['binary output', $serial, 'SELECT length(swarm_reward_internal.coverage_send(share)) FROM field, generate_series(1, 10)'],
	['binary input', $serial, "COPY received FROM '${\ $node->basedir}/share.bin' (FORMAT binary)"],
	['coverage_cell_values', $serial, 'SELECT count(*) FROM field, swarm_reward_internal.coverage_cell_values(supply)'],
	['coverage_cells', $serial, 'SELECT count(boundary) FROM field, coverage_cells(supply)'],
	['coverage_gaps', $serial, 'SELECT count(boundary) FROM field, coverage_gaps(coverage_greatest(share - 0.05, 0))', 'coverage_gaps(coverage, float8)'],
	['coverage_sites', $serial, 'SELECT count(*) FROM field, coverage_sites(share, 500000, 50)', 'coverage_sites(coverage, float8, integer)'],
	['coverage_svg', $serial, 'SELECT length(coverage_svg(share)) FROM field', 'coverage_svg(coverage, geography[], text, text, text)'],
	['allocate', $serial, 'SELECT sum(a) FROM (SELECT allocate(mod(id * 0.618, 1)::float8, 1e30::numeric) OVER (ORDER BY id) AS a FROM node, generate_series(1, 10)) s'],
	['allocate with caps', $serial, 'SELECT sum(a) FROM (SELECT allocate(weight::float8, 1e30::numeric, 1e24::numeric * weight) OVER (ORDER BY id) AS a FROM node, generate_series(1, 10)) s'],
	['allocate, wide numerics with caps', $serial, 'SELECT sum(a) FROM (SELECT allocate(weight * 1e60 + mod(id * 0.618, 1), 1e30::numeric, 1e25::numeric * weight) OVER (ORDER BY id) AS a FROM node) s'],
	['telemetry_agg, a slot in every chunk', $serial, q{SELECT samples(telemetry_agg('2000-01-01'::timestamptz + interval '1 hour' * i, 1, true, interval '0.1 s')) FROM generate_series(1, 1000000) i}],
	['merkle_tree', $serial, 'SELECT array_length(merkle_tree(leaves), 1) FROM leaf'],
	['merkle_verify', $serial, 'SELECT merkle_verify(leaves[1], leaves[2], leaves) FROM leaf'],
	['keccak256', $serial, 'SELECT length(keccak256(message)) FROM message'],
	['ingest_telemetry', $serial, q{SELECT * FROM ingest_telemetry('stage')}],
	['coverage_tile', $serial, 'SELECT length(coverage_tile(share, 0, 0, 0)) FROM field', 'coverage_tile(coverage, integer, integer, integer)'],
);

# Milliseconds a statement takes, and its error. Not counting the connection.
sub run_statement
{
	my ($setup, $statement, $timeout) = @_;
	my ($out, $err);

	$node->psql('postgres', "$setup SET statement_timeout = $timeout;\n\\timing on\n$statement", stdout => \$out, stderr => \$err, on_error_stop => 0);
	my @times = $out =~ /^Time: ([0-9.]+) ms/mg;
	return ($times[-1], $err);
}

# How late a statement stops, at best of three tries, after its timeout; nothing if it ended before.
sub lateness
{
	my ($setup, $statement, $timeout) = @_;
	my $least;

	for (1 .. 3)
	{
		my ($took, $error) = run_statement($setup, $statement, $timeout);
		my $late = $took - $timeout;

		return 0 if $error !~ /timeout/ && $late <= $allowed;
		$least = $late if !defined $least || $late < $least;
		last if $least <= $allowed;
	}
	return $least;
}

for my $case (@statements)
{
	my ($name, $setup, $statement, $function) = @$case;

	next if $function && $node->safe_psql('postgres', "SELECT to_regprocedure('$function') IS NULL") eq 't';
	# long enough to see it whole, but not for ever
	my ($whole, $err) = run_statement($setup, $statement, $whole_ms);
	my $latest = 0;
	my $at = '';

	if ($err ne '' && $err !~ /statement timeout|too complex/)
	{
		fail("$name: $err");
		next;
	}
	for my $k (1 .. $points)
	{
		my $timeout = int($whole * $k / ($points + 1)) || 1;
		my $late = lateness($setup, $statement, $timeout);

		if ($late > $latest)
		{
			$latest = $late;
			$at = "at $timeout ms";
		}
	}
	ok($latest <= $allowed, sprintf('%s stops within %d ms', $name, $allowed));
	note(sprintf('%s: takes %d ms, stopped after %d ms %s', $name, $whole, $latest, $at));
}

$node->stop;
done_testing();
