# Telemetry on the workers of Citus: the same network has the same digests as on one server, late rows are found
# where they are, whatever fails in between, and no row leaves its worker.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Cwd 'abs_path';
use Citus;
use Operate qw(start_sql finish);

plan skip_all => 'Citus is not installed for this server' unless has_citus();
my ($coordinator, @worker) = new_citus();
my $counts = 'SELECT epoch_id, computation, came, gone FROM epoch_computation ORDER BY 1, 2';
my $triggers = q{SELECT count(*) FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgrelid IN (SELECT relid FROM pg_partition_tree('telemetry'))};
my $network = abs_path('test/pgtap/small.psql');

fails('alone', 'SELECT distribute_telemetry()', qr/there is no extension citus.*HINT/s, 'without Citus it says what is missing');
fails('spread', 'SELECT distribute_telemetry(0)', qr/cannot make 0 shards.*HINT/s, 'there are shards');
spread('SELECT distribute_telemetry(8)');
fails('spread', 'SELECT distribute_telemetry()', qr/distributed already/, 'once is enough');
both("\\i $network\n" . q{
	-- stays and suspensions that begin and end within hours
	INSERT INTO node_suspension VALUES (2, '[2024-02-14 00:00:02,2024-02-18 12:00:01)', 'a'), (1, '[2024-02-28 03:00:01,2024-03-03 06:00:02)', 'b');
	UPDATE node SET joined_at = '2024-02-20 00:40:05' WHERE node_id = 6;
	UPDATE node SET left_at = '2024-02-20 00:40:05' WHERE node_id = 5;
	UPDATE node SET joined_at = '2024-02-10 00:20:10' WHERE node_id = 3;});
like(spread(q{SELECT string_agg(DISTINCT nodeport::text, ' ') FROM pg_dist_shard_placement p JOIN pg_dist_shard s USING (shardid)
	WHERE s.logicalrelid = 'telemetry'::regclass}), qr/^\d+ \d+$/, 'telemetry lies on both workers');
fails('spread', q{INSERT INTO epoch (period, budget) VALUES ('[2024-05-01 00:30, 2024-06-01)', 1)}, qr/begins or ends within an hour.*HINT/s, 'epochs have whole hours');

both('CALL run_epoch(1); CALL run_epoch(2); CALL run_epoch(3)');
same($digests, 'from raw rows');
both(q{CALL roll_telemetry('2024-02-01')});
both('CALL run_epoch(1)');
same($digests, 'some of it from summaries that workers have made');
both(q{CALL roll_telemetry('2024-04-01')});
both('CALL run_epoch(1)');
same($digests, 'all of it from summaries');
same($summaries, 'summaries');
is(spread('SHOW citus.enable_unsafe_triggers'), 'off', 'no setting that is called unsafe');
is(spread($triggers), 0, 'nor a trigger of which Citus knows');
fails('spread', q{INSERT INTO telemetry (node_id, sampled_at, ok, work) VALUES (1, '2024-03-05 10:00:33', true, -1)},
	qr/work must be.*rule|telemetry_work|at least 0/s, 'rules are said in words where the rows are');
fails('spread', q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2031-03-05 10:00:33', true)}, qr/2031.*HINT.*make_telemetry_partitions\('2031/s, 'a day without a partition is said to be made');

# late rows, also written to a partition and by COPY, changes and deletions
both(q{
	INSERT INTO telemetry (node_id, sampled_at, ok) SELECT 1, t, false FROM generate_series(timestamptz '2024-03-05 10:00:33', '2024-03-05 20:00', '1 minute') t;
	INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (2, '2024-01-16 10:00:33', false);
	INSERT INTO swarm_reward_internal.telemetry_20240131 (node_id, sampled_at, ok) VALUES (4, '2024-02-16 10:00:33', false);
	COPY telemetry (node_id, sampled_at, ok) FROM stdin;
4	2024-02-17 10:00:33	f
3	2024-03-17 10:00:33	f
\.
	UPDATE telemetry SET latency_ms = latency_ms + 1000 WHERE sampled_at >= '2024-03-07' AND sampled_at < '2024-03-07 12:00';
	DELETE FROM telemetry WHERE node_id = 1 AND sampled_at >= '2024-02-08 12:00' AND sampled_at < '2024-02-08 23:00';});
both('CALL run_epoch(1)');
same($digests, 'with late, changed and deleted rows');
same($counts, 'each row that came and went was counted once');
both(q{CALL roll_telemetry('2024-04-01')});
same($summaries, 'hours that changed are rolled up again');
same($changes, 'and counted');
is(spread(q{SELECT count(*) FROM swarm_reward_internal.verify_telemetry_hours('[2023-12-01,2024-05-01)')}), '0', 'summaries are those of the raw rows');
same('SELECT check_name, ok FROM verify_epoch(3) ORDER BY 1', 'verify_epoch');

# a collection that fails half-way loses no mark and counts none twice
both(q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-12 10:00:33', true)});
spread('BEGIN; SELECT swarm_reward_internal.collect_telemetry_marks(); ROLLBACK') for 1, 2;
collect() for 1, 2;
both('CALL run_epoch(3)');
same($digests, 'a collection that was rolled back');
same($counts, 'counted once');

both(q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-13 10:00:33', true); CALL roll_telemetry('2024-04-01')});
same($summaries, 'a roll-up finds what is late');
both('CALL run_due_epochs()');
same($digests, 'run_due_epochs finds what is late');
same($counts, 'by itself, once');
same('SELECT node_id, amount FROM preview_epoch(3) ORDER BY 1, 2', 'preview_epoch');

# ingest: the same rows from a table of one's own
both(q{
	CREATE TABLE raw (node_id text, external_id text, sampled_at text, ok text, latency_ms text, work text, service_type text);
	UPDATE node SET external_id = 'six' WHERE node_id = 6;
	INSERT INTO raw (node_id, sampled_at, ok, latency_ms) SELECT n, t, 'true', '30' FROM generate_series(1, 4) n, generate_series(timestamptz '2024-03-20 00:00:12', '2024-03-20 06:00', '1 minute') t;
	INSERT INTO raw (external_id, sampled_at, ok) SELECT 'six', t, 'false' FROM generate_series(timestamptz '2024-03-20 00:00:12', '2024-03-20 01:00', '1 minute') t;
	INSERT INTO raw (node_id, sampled_at, ok, latency_ms) SELECT node_id, sampled_at, ok, latency_ms FROM telemetry WHERE node_id = 3 AND service_type IS NULL AND sampled_at >= '2024-03-21' AND sampled_at < '2024-03-21 02:00';
	INSERT INTO raw (node_id, sampled_at, ok, latency_ms) SELECT node_id, sampled_at, ok, 7777 FROM telemetry WHERE node_id = 4 AND service_type IS NULL AND sampled_at >= '2024-03-21' AND sampled_at < '2024-03-21 02:00';
	INSERT INTO raw (node_id, sampled_at, ok) VALUES ('1', '2024-02-20 00:00:12', 'true'), ('99', '2024-02-20 00:00:12', 'true'), ('1', 'then', 'true'), ('1', '2030-02-20', 'true'), ('1', '2024-03-20 00:00:12', 'false'), ('2', '2024-01-03', 'true');
	INSERT INTO raw (node_id, sampled_at, ok, work, service_type) VALUES ('1', '2024-02-20 00:00:12', 'true', '5', 'infer'), ('1', '2024-02-20 00:00:12', 'true', '5', 'nothing');
	-- a table of the session's own is nobody's business
	CREATE TEMPORARY TABLE ingest_key AS SELECT 1; CREATE TEMPORARY TABLE ingest_known AS SELECT 1; CREATE TEMPORARY TABLE ingest_new AS SELECT 1;
	CREATE TABLE done AS SELECT * FROM ingest_telemetry('raw');
	INSERT INTO done SELECT * FROM ingest_telemetry('telemetry_reject')});
same('SELECT * FROM done ORDER BY 1, 2, 3', 'rows that were ingested');
same('SELECT reason, count(*) FROM telemetry_reject GROUP BY 1 ORDER BY 1', 'and rejected, for the same reasons');
same(q{SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY node_id, sampled_at, service_key)) FROM telemetry t}, 'the same rows are there');
same($changes, 'all of them counted') if collect() ne '';
both('CALL run_epoch(2)');
same($digests, 'with what was ingested');

# Late rows are found whatever happens in between. First a transaction that stays open while hours are rolled up and epochs computed.
my $late_row = q{INSERT INTO telemetry (node_id, sampled_at, ok) SELECT n, '2024-03-20 10:00:37', false FROM generate_series(1, 4) n};
alone($late_row);
my $door = start_sql($coordinator, 'SELECT pg_advisory_lock(17); SELECT pg_sleep(3600)', database => 'spread');
$coordinator->poll_query_until('spread', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 17 AND granted}) or die;
my $open = start_sql($coordinator, "SET search_path = swarm_reward;\nBEGIN; $late_row; SELECT pg_advisory_lock(17); COMMIT;", database => 'spread');
$coordinator->poll_query_until('spread', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 17 AND NOT granted}) or die;
spread(q{CALL roll_telemetry('2024-04-01')});
spread('CALL run_epoch(3)');
is(late(), '', 'what has not been committed is not late yet');
spread(q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 17 AND granted});
finish($door);
my (undef, $complaint, $went_well) = finish($open);
ok($went_well, 'a transaction was open meanwhile') or diag($complaint);
is(late(), '3', 'its rows are found late');
both('CALL run_epoch(3)');
same($digests, 'with the rows of a transaction that stayed open');

# several writers at once, beside roll-ups and computations
my @rows = map { my $w = $_; map { sprintf "INSERT INTO telemetry (node_id, sampled_at, ok) SELECT n, timestamptz '2024-03-15 00:%02d:%02d' + n * interval '1 hour', false FROM generate_series(1, 4) n;", $_, 41 + $w } 1 .. 30 } 0 .. 3;
alone(join "\n", @rows);
my @writer = map { my $w = $_; start_sql($coordinator, "SET search_path = swarm_reward;\n" . join("\n", @rows[30 * $w .. 30 * $w + 29]), database => 'spread') } 0 .. 3;
for (1 .. 4) { spread(q{CALL roll_telemetry('2024-04-01')}); spread('CALL run_epoch(3)') }
for (@writer) { my (undef, $err, $ok) = finish($_); ok($ok, 'a writer') or diag($err) }
spread('CALL run_epoch(3)') if late() ne '';
alone('CALL run_epoch(3)');
same($digests, 'with rows of several writers');
same($changes, 'each counted once');
both(q{CALL roll_telemetry('2024-04-01')});
same($summaries, 'and summed up');

# A worker dies between its write and the commit of the coordinator, which has written what it decided and waits
# for a standby that does not exist.
my @from = split /\n/, spread(q{SELECT min(s.shardid) || ' ' || p.nodeport FROM pg_dist_shard s JOIN pg_dist_shard_placement p USING (shardid) WHERE s.logicalrelid = 'telemetry'::regclass GROUP BY p.nodeport ORDER BY 1});
my $lost = q{INSERT INTO telemetry (node_id, sampled_at, ok) SELECT n, '2024-03-25 10:00:37', false FROM generate_series(1, 6) n WHERE n <> 5};
alone($lost);
$coordinator->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$coordinator->reload;
my $dying = start_sql($coordinator, "SET search_path = swarm_reward;\nBEGIN; $lost; COMMIT;", database => 'spread');
$coordinator->poll_query_until('spread', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = 'spread'}) or die;
$worker[1]->stop('immediate');
$coordinator->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$coordinator->reload;
(undef, $complaint, $went_well) = finish($dying);
ok($went_well, 'the coordinator has committed') or diag($complaint);
fails('spread', 'CALL run_epoch(3)', qr/ERROR.*worker/s, 'without a worker no epoch is computed');
fails('spread', 'CALL run_due_epochs()', qr/ERROR.*worker/s, 'nor made final');
$worker[1]->start;
is($worker[1]->safe_psql('spread', 'SELECT count(*) > 0 FROM pg_prepared_xacts'), 't', 'the worker has what it wrote, prepared');
spread(q{CALL roll_telemetry('2024-04-01')});
spread('CALL run_epoch(3)');
is(late(), '', 'which nobody sees');
spread('SELECT recover_prepared_transactions()');
is(late(), '3', 'until it is committed: then its rows are found late');
both('CALL run_epoch(3)');
same($digests, 'with the rows of a worker that died before it had committed');
both(q{CALL roll_telemetry('2024-04-01')});
same($summaries, 'and their summaries');

# A shard moves to the other worker, with what was written just before and just after; Citus knows nothing of triggers on it.
my %port = map { $_->port => $_ } @worker;
for my $mode (qw(block_writes force_logical))
{
	my ($shard, $port, $node) = split / /, spread(q{SELECT p.shardid || ' ' || p.nodeport || ' ' || n.node_id FROM generate_series(1, 4) n (node_id),
		LATERAL (SELECT get_shard_id_for_distribution_column('telemetry', n.node_id) AS shardid) s JOIN pg_dist_shard_placement p ON p.shardid = s.shardid WHERE n.node_id } . ($mode eq 'force_logical' ? '= 4' : '= 1'));
	my ($source) = $port{$port};
	my ($target) = grep { $_->port != $port } @worker;
	my $second = $mode eq 'force_logical' ? 51 : 49;
	both("INSERT INTO telemetry (node_id, sampled_at, ok) VALUES ($node, '2024-01-21 10:00:$second', false)");
	spread(sprintf "SELECT citus_move_shard_placement(%s, '%s', %s, '%s', %s, '$mode')", $shard, $source->host, $source->port, $target->host, $target->port);
	both("INSERT INTO telemetry (node_id, sampled_at, ok) VALUES ($node, '2024-02-21 10:00:$second', false)");
	is(spread("SELECT nodeport FROM pg_dist_shard_placement WHERE shardid = $shard"), $target->port, "a shard moved, $mode");
	like(late(), qr/^1 2\b/, 'rows from before and after are found');
	both('CALL run_epoch(1)');
	same($digests, 'after it moved');
	is(late(), '', 'once');
	both("INSERT INTO telemetry (node_id, sampled_at, ok) VALUES ($node, '2024-03-22 10:00:$second', false)");
	is(late(), '3', 'the shard marks what comes after');
	both('CALL run_epoch(3)');
	same($digests, 'and after that');
	both(q{CALL roll_telemetry('2024-04-01')});
	same($summaries, 'summaries after it moved');
}

# the summaries are made on the workers
my $plan = spread(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT node_id, rollup(summary) FROM telemetry_hour WHERE hour >= '2024-01-01' GROUP BY node_id});
like($plan, qr/Custom Scan \(Citus Adaptive\).*Task Count: 8.*(Group|Hash)Aggregate.*telemetry_hour_\d/s, 'summaries of nodes are made on the workers');
unlike($plan, qr/Aggregate.*Custom Scan/s, 'and not touched in the middle');
like(spread(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT sum(summary) FROM telemetry_hour WHERE hour >= '2024-01-01'}),
	qr/Custom Scan \(Citus Adaptive\).*sum\(/s, 'a sum over all nodes, too');
my $measures = spread(q{SELECT swarm_reward_internal.telemetry_measures('1 minute')});
$plan = spread(qq{SET search_path = swarm_reward, swarm_reward_internal, public;
	EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work_summary, work, metered_work, fee, energy_mwh)
	SELECT t.node_id, t.service_type, swarm_reward_internal.hour_of(t.sampled_at), $measures FROM telemetry t
	WHERE t.sampled_at >= '2024-01-01' AND t.sampled_at < '2024-01-02' GROUP BY t.node_id, t.service_type, swarm_reward_internal.hour_of(t.sampled_at)});
like($plan, qr/Custom Scan \(Citus Adaptive\).*Task Count: 8.*Insert on swarm_reward.telemetry_hour_\d+.*Aggregate/s, 'a roll-up runs whole on the shards');
unlike($plan, qr/INSERT \.\.\. SELECT/, 'no summary comes by');
like(spread(q{EXPLAIN (COSTS OFF) DELETE FROM telemetry_hour WHERE hour >= '2024-01-01' AND hour < '2024-01-02'}),
	qr/Custom Scan \(Citus Adaptive\).*Task Count: 8.*Delete on/s, 'and so does what it takes away');

like(spread(q{SET search_path = swarm_reward, swarm_reward_internal, public; EXPLAIN (VERBOSE, COSTS OFF) } . spread(q{SELECT swarm_reward_internal.in_shares(swarm_reward_internal.telemetry_query('[2024-02-01,2024-03-01)', '1 minute'), 1)})),
	qr/Query: SELECT [^\n]*swarm_reward\.(sum|rollup)\(/, 'what an epoch reads is summed up there first');

# partitions come and go
both(q{SELECT keep_telemetry_partitions('2 days')});
same(q{SELECT count(*) FROM pg_inherits WHERE inhparent IN ('telemetry'::regclass, 'telemetry_hour'::regclass)}, 'partitions are made');
is(spread(q{SELECT count(*) FROM pg_partition_tree('telemetry') t WHERE NOT EXISTS (SELECT FROM pg_dist_partition d WHERE d.logicalrelid = t.relid)}), 0, 'all on the workers');
both(q{UPDATE epoch SET first_computed_at = '2024-05-01'; CALL finalize_epoch(1); CALL finalize_epoch(2)});
both(q{SELECT swarm_reward_internal.drop_telemetry_partitions('100 days')});
same(q{SELECT relation, period FROM swarm_reward_internal.telemetry_dropped ORDER BY 1, 2}, 'old ones are dropped');
same('SELECT count(*) FROM telemetry', 'with their rows');
both('CALL run_epoch(3)');
same($digests, 'what is left is enough');

# A dump is restored where there is no Citus: with what it has of marks, and without the rest.
both(q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-23 10:00:57', false)});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$coordinator->command_ok(['pg_dump', '-Fc', '-f', $dump, '-d', $coordinator->connstr('spread')], 'pg_dump');
my $single = PostgreSQL::Test::Cluster->new('single');
$single->init(extra => ['--locale=C', '-E', 'UTF8']);
$single->append_conf('postgresql.conf', "timezone = 'UTC'\nsearch_path = 'swarm_reward, public'\njit = off");
$single->start;
$single->safe_psql('postgres', 'CREATE DATABASE restored');
run_log(['sh', '-c', "pg_restore -l $dump | grep -v 'EXTENSION.* citus' > $dump.list"]);
$single->command_ok(['pg_restore', '-e', '-L', "$dump.list", '-d', $single->connstr('restored'), $dump], 'pg_restore without Citus');
my $here = $single->safe_psql('restored', $digests);
is($here, spread($digests), 'epochs are there');
$single->safe_psql('restored', 'CALL run_epoch(3)');
alone('CALL run_epoch(3)');
is($single->safe_psql('restored', $digests), alone($digests), 'and the same when computed again, with a row whose mark was on a worker');
$single->safe_psql('restored', 'SELECT undistribute_telemetry()');
is($single->safe_psql('restored', $triggers), alone($triggers), 'triggers as on one server');
$single->safe_psql('restored', q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-24 10:00:57', false)});
is($single->safe_psql('restored', q{SELECT epoch_id FROM swarm_reward_internal.stale_epoch_reasons()}), '3', 'that find what is late');
$single->safe_psql('restored', q{DELETE FROM telemetry WHERE sampled_at = '2024-03-24 10:00:57'; CALL roll_telemetry('2024-04-01'); CALL run_epoch(3)});
is($single->safe_psql('restored', $digests), alone($digests), 'rolled up again');

# and back to one server
spread('SELECT undistribute_telemetry()');
is(spread('SELECT count(*) FROM pg_dist_shard'), 0, 'telemetry is back on one server');
is($_->safe_psql('spread', q{SELECT count(*) FROM pg_class WHERE relname ~ '^telemetry.*_\d{6}$'}), 0, 'nothing of it is left on a worker') for @worker;
same($triggers, 'with its triggers');
same(q{SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid IN (SELECT relid FROM pg_partition_tree('telemetry')) ORDER BY 1, 2}, 'and its keys');
same($summaries, 'its summaries');
same(q{SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY node_id, sampled_at, service_key)) FROM telemetry t}, 'its rows');
spread('CALL run_epoch(3)');
both(q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-25 10:00:58', false)});
both('CALL run_epoch(3)');
same($digests, 'and its digests');
spread('SELECT distribute_telemetry(4)');
both(q{INSERT INTO telemetry (node_id, sampled_at, ok) VALUES (1, '2024-03-26 10:00:58', false)});
both('CALL run_epoch(3)');
same($digests, 'there and back again, with all that there is');
is(late(), '', 'nothing was counted twice');
done_testing();
