# A ledger that is dumped and restored, in each way that doc/operations.md names, is the ledger that
# was: every row, every sequence, every trigger; the next epoch computed there has the same digest.
# Its reward tables can be replicated logically. DROP EXTENSION leaves nothing behind.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{TESTDIR} || '.';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "jit = off\nclient_min_messages = warning\ntimezone = 'UTC'");
$node->start;

sub value { my ($database, $query) = @_; return $node->safe_psql($database, $query); }

# Four epochs, of which two are final and one is computed, and some rows in every table.
$node->safe_psql('postgres', 'CREATE DATABASE ledger; CREATE ROLE reader; CREATE ROLE owner_of_copies');
$node->safe_psql('ledger', 'CREATE EXTENSION swarm_reward CASCADE');
$node->safe_psql('ledger', qq{
	\\i $root/test/pgtap/ledger_network.psql
	\\o /dev/null
	SELECT make_telemetry_partitions('2021-04-01', '2021-04-03');
	SELECT pg_temp.build(4, 30);
	INSERT INTO telemetry_hour (node_id, hour, summary)
		SELECT 1001, '2021-04-01 05:00+00', telemetry_agg(s, 5.25, true) FROM generate_series(timestamptz '2021-04-01 05:00+00', '2021-04-01 05:30+00', '1 minute') s;
	INSERT INTO telemetry_reject (source, "row", reason) VALUES ('somewhere', '{"a": [1, null, "\\"é\\""]}', 'no reason');
	CALL run_epoch(1001);
	CALL run_epoch(1002);
	CALL run_epoch(1003);
	UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
	UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
	INSERT INTO policy (name, note) VALUES ('a draft', E'two\\nlines\\tand a tab');
	UPDATE telemetry SET ok = true, latency_ms = 25 WHERE node_id IN (1003, 1004, 1005) AND sampled_at < '2021-02-10';
	SELECT restate_epoch(1002, 'because', '{}');
	UPDATE provider SET payout_address = '0x' || md5(provider_id::text) || '00000000' WHERE provider_id > 1001;
	SELECT cancel_payout(make_payout(), 'because'), release_payout(make_payout());
	SELECT setval('node_node_id_seq', 4711), setval('provider_provider_id_seq', 7, false);
	GRANT SELECT ON provider_statement TO reader;
});
# things of the user's own that depend on the ledger; keys made as doc/operations.md has them
$node->safe_psql('ledger', q{
	SET search_path = public, swarm_reward;
	CREATE TABLE public.own (node_id bigint PRIMARY KEY, field swarm_reward.coverage, word swarm_reward.code);
	ALTER TABLE public.own ADD CONSTRAINT own_node FOREIGN KEY (node_id) REFERENCES swarm_reward.node NOT VALID;
	INSERT INTO public.own SELECT node_id, swarm_reward.region_coverage(ST_Buffer(location, 100000), 6) / 3, 'w' || node_id FROM swarm_reward.node LIMIT 7;
	CREATE VIEW public.earned AS SELECT provider_id, sum(total) FROM swarm_reward.provider_statement GROUP BY 1;
});

is(value('ledger', q{
	SELECT string_agg(c.relname, ',' ORDER BY c.relname)
	FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
		JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'swarm_reward'
	WHERE c.relkind IN ('r', 'p', 'S') AND c.oid <> ALL (x.extconfig)
		-- how far a computation is: nothing to keep
		AND c.relname NOT LIKE 'progress\_%'}),
	'component', 'every table and sequence but the fixed list of components is dumped');

is(value('ledger', q{
	SELECT string_agg(c.oid::regclass::text, ',' ORDER BY c.oid::regclass::text) FROM pg_extension x JOIN pg_class c ON c.oid = ANY (x.extconfig) AND c.relkind <> 'S'
	WHERE x.extname = 'swarm_reward' AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'as_dumped')
		AND (EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f')
			OR EXISTS (SELECT FROM information_schema.triggers t WHERE format('%I.%I', t.event_object_schema, t.event_object_table)::regclass = c.oid AND t.event_manipulation = 'INSERT'))}),
	# whose rows are dumped with its partitions
	'swarm_reward.telemetry', 'every dumped table where an insert may be refused takes rows as they were dumped');
is(value('ledger', q{
	SELECT string_agg(t.tgrelid::regclass || ' ' || t.tgname, ',') FROM pg_trigger t JOIN pg_trigger f ON f.tgrelid = t.tgrelid AND f.tgname = 'as_dumped'
	WHERE t.tgname COLLATE "C" < f.tgname AND NOT t.tgisinternal}), '', 'before any other trigger');

# One line for each table, sequence, trigger, constraint, index and right.
my $fingerprint = q{
	CREATE FUNCTION pg_temp.rows_of(t regclass, columns text DEFAULT '*') RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r text;
	BEGIN
		EXECUTE format($q$ SELECT count(*) || ' rows ' || md5(coalesce(string_agg(h, '' ORDER BY h), '')) FROM (SELECT md5(t::text) AS h FROM (SELECT %s FROM %s) t) x $q$, columns, t) INTO r;
		RETURN r;
	END $$;
	CREATE TEMP VIEW whole AS
	SELECT 'table' AS kind, c.oid::regclass::text AS name, pg_temp.rows_of(c.oid) AS what
	FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace IN ('swarm_reward'::regnamespace, 'public'::regnamespace)
	UNION ALL
	SELECT 'sequence', c.oid::regclass::text, pg_temp.rows_of(c.oid, 'last_value, is_called') FROM pg_class c
	WHERE c.relkind = 'S' AND c.relnamespace = 'swarm_reward'::regnamespace AND c.relname NOT LIKE 'progress\_%'
	UNION ALL
	SELECT 'partition', c.oid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'
	UNION ALL
	SELECT 'trigger', t.tgrelid::regclass || ' ' || t.tgname, t.tgenabled::text FROM pg_trigger t WHERE NOT t.tgisinternal
	UNION ALL
	SELECT 'internal trigger', t.tgrelid::regclass || ' ' || t.tgfoid::regproc, concat(t.tgenabled, count(*)) FROM pg_trigger t WHERE t.tgisinternal GROUP BY t.tgrelid, t.tgfoid, t.tgenabled
	UNION ALL
	SELECT 'constraint', c.conrelid::regclass || ' ' || c.conname, concat(c.convalidated, pg_get_constraintdef(c.oid)) FROM pg_constraint c WHERE c.conrelid > 0
	UNION ALL
	SELECT 'index', i.indexrelid::regclass::text, concat(pg_get_indexdef(i.indexrelid), i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace IN ('swarm_reward'::regnamespace, 'public'::regnamespace)
	UNION ALL
	SELECT 'right', c.oid::regclass::text, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a)
	FROM pg_class c WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S');
	SELECT kind, name, what FROM whole ORDER BY 1, 2, 3;
};

my $original = value('ledger', $fingerprint);
my @tables = grep { /^table/ } split /\n/, $original;
cmp_ok(scalar(@tables), '>', 30, 'there are tables to compare');
my @empty = map { (split /\|/)[1] } grep { /\|0 rows/ } @tables;
note("tables without rows: @empty");
cmp_ok(scalar(@tables) - scalar(@empty), '>', 25, 'which hold rows');

# The dumps that restores are made from.
my $dir = $node->basedir;
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
# the test library's, which nobody's environment has; a restore is known by its name
delete $ENV{PGAPPNAME};
command_ok(['pg_dump', '-f', "$dir/ledger.sql", 'ledger'], 'pg_dump in plain format');
command_ok(['pg_dump', '-Fc', '-f', "$dir/ledger.dump", 'ledger'], 'pg_dump in custom format');

# What doc/operations.md tells to type, as it tells it, but for the names.
sub documented
{
	my ($mark, $database) = @_;
	my ($commands) = grep { /\Q$mark\E/ } slurp_file("$root/doc/operations.md") =~ /```sh\n(.*?)```/gs;
	return "echo 'doc/operations.md no longer says how to: $mark' >&2; false" if !$commands;
	$commands =~ s/\bledger\.(dump|sql)\b/$dir\/ledger.$1/g;
	$commands =~ s/\brestored\b/$database/g;
	return join '', grep { !/^pg_dump / } split /^/, $commands;
}

# the digest of the next epoch, as computed in this database, undone
sub next_epoch
{
	return value($_[0], 'BEGIN; CALL swarm_reward.run_epoch(1004); SELECT digest FROM swarm_reward.epoch WHERE epoch_id = 1004; ROLLBACK');
}

my $digest = next_epoch('ledger');
like($digest, qr/^\\x[0-9a-f]{64}$/, 'the next epoch can be computed');

for my $way (['plain', 'psql -X'], ['serial', 'pg_restore -d restored ledger.dump'], ['parallel', 'pg_restore -j 2 -d restored ledger.dump'])
{
	my ($database, $mark) = @$way;
	my ($out, $err);

	IPC::Run::run(['sh', '-e', '-c', documented($mark, $database)], '>', \$out, '2>', \$err);
	is($?, 0, "$database: restored");
	is($err, '', "$database: without a word");
	my $restored = value($database, $fingerprint);
	ok($restored eq $original, "$database: every row, sequence, trigger, constraint, index and right is there");
	if ($restored ne $original)
	{
		my %there = map { $_ => 1 } split /\n/, $restored;
		my %here = map { $_ => 1 } split /\n/, $original;
		diag("- $_") for grep { !$there{$_} } split /\n/, $original;
		diag("+ $_") for grep { !$here{$_} } split /\n/, $restored;
	}
	is(value($database, q{SELECT string_agg(epoch_id || ': ' || check_name, ', ') FROM swarm_reward.epoch, swarm_reward.verify_epoch(epoch_id) WHERE status <> 'planned' AND NOT ok}),
		'', "$database: every epoch verifies");
	is(next_epoch($database), $digest, "$database: the next epoch has the same digest");
	is(value($database, q{INSERT INTO swarm_reward.provider (name) VALUES ('p'), ('q') RETURNING provider_id}), "7\n8", "$database: a sequence goes on, also one not called yet");
	is(value($database, q{INSERT INTO swarm_reward.node (provider_id, location, service_radius_m, joined_at) VALUES (7, 'POINT(1 2)', 5, '2022-01-01+00') RETURNING node_id}), '4712', "$database: another one");
	is(value($database, q{SELECT nextval('swarm_reward.restatement_restatement_id_seq') = max(restatement_id) + 1 FROM swarm_reward.restatement}), 't', "$database: and another");
	is(value($database, q{SELECT count(*) FROM swarm_reward.restatement_run r, swarm_reward.verify_restatement(r.run_id) v WHERE NOT v.ok}), '0', "$database: restatements verify");
	is(value($database, q{SELECT count(*) FROM swarm_reward.payout p, swarm_reward.verify_payout(p.payout_id) v WHERE NOT v.ok}), '0', "$database: payouts verify");
	my ($code, $stdout, $stderr) = $node->psql($database, 'UPDATE swarm_reward.reward SET amount = 1 WHERE epoch_id = 1002');
	like($stderr, qr/cannot change reward of epoch 1002, which is final/, "$database: what is final stays so");
	($code, $stdout, $stderr) = $node->psql($database, q{INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok) VALUES (-1, '2021-02-02 02:02+00', true)});
	like($stderr, qr/violates foreign key/, "$database: foreign keys of partitions hold");
}

# Which job loads which table first is decided by their sizes and by chance: an archive of another
# format, and one without sizes, because it was written to a pipe, are restored in other orders.
command_ok(['sh', '-c', "pg_dump -Fd -f $dir/directory.dump ledger && pg_dump -Fc ledger | cat >$dir/pipe.dump"], 'two more dumps');
for my $try (['ledger', 2], ['directory', 2], ['pipe', 2], ['directory', 4], ['pipe', 4])
{
	my ($archive, $jobs) = @$try;
	my $database = "${archive}_$jobs";
	my $commands = documented('pg_restore -j 2 -d restored ledger.dump', $database) =~ s/\bledger\.dump\b/$archive.dump/gr =~ s/-j 2\b/-j $jobs/gr;
	my $err;

	IPC::Run::run(['sh', '-e', '-c', $commands], '2>', \$err);
	is($err, '', "$archive: restored by $jobs jobs without a word");
	ok(value($database, $fingerprint) eq $original, "$archive, $jobs jobs: all is there");
}

# A key of the user's own that is checked when it is made: all the data comes first.
$node->safe_psql('postgres', 'CREATE DATABASE keyed TEMPLATE ledger');
$node->safe_psql('keyed', 'ALTER TABLE public.own VALIDATE CONSTRAINT own_node');
my $keyed = value('keyed', $fingerprint);
isnt($keyed, $original, 'there is a key that is checked');
command_ok(['pg_dump', '-Fc', '-f', "$dir/keyed.dump", 'keyed'], 'its dump');
{
	my $commands = documented('--section=post-data', 'sections') =~ s/\bledger\.dump\b/keyed.dump/gr;
	my $err;

	IPC::Run::run(['sh', '-e', '-c', $commands], '2>', \$err);
	is($err, '', 'sections: restored by several jobs without a word');
	ok(value('sections', $fingerprint) eq $keyed, 'sections: all is there');
}

# Who is taken for pg_restore: a superuser, by that name, for one transaction.
sub named
{
	my ($application, $role, $sql) = @_;
	local $ENV{PGAPPNAME} = $application;
	my ($code, $out, $err) = $node->psql('parallel', $sql, extra_params => ['-U', $role], on_error_stop => 1);

	return $code == 0 ? $out : ($err =~ /ERROR: +(.*)/)[0] // $err;
}
my $superuser = value('parallel', 'SELECT current_user');
$node->safe_psql('parallel', q{
	CREATE ROLE operator LOGIN;
	SELECT swarm_reward.grant_role('operator', 'operator');
	GRANT INSERT ON swarm_reward.epoch_node_resource TO operator;
});
my $nobodys = q{INSERT INTO swarm_reward.node (provider_id, location, service_radius_m, joined_at) VALUES (-1, 'POINT(1 2)', 5, '2022-01-01+00')};
my $further = q{INSERT INTO swarm_reward.epoch_node_resource SELECT (x.r).* FROM (SELECT jsonb_populate_record(r, '{"node_id": -1}') AS r FROM swarm_reward.epoch_node_resource r WHERE epoch_id = 1002 LIMIT 1) x};
for my $case (['pg_restore', 'operator', ''], ['psql', 'operator', ''], ['psql', $superuser, ''], ['pg_restored', $superuser, ''], ['pg_restore', $superuser, 'SET ROLE operator; '])
{
	my ($application, $role, $before) = @$case;

	like(named($application, $role, "$before$nobodys"), qr/violates foreign key constraint "node_provider_id_fkey"/, "$before$role by the name $application: foreign keys are in force");
	like(named($application, $role, "$before$further"), qr/cannot add to epoch_node_resource of epoch 1002, which is final/, "$before$role by the name $application: guards are in force");
	is(named($application, $role, "$before BEGIN; INSERT INTO swarm_reward.beacon_rtt SELECT * FROM swarm_reward.beacon_rtt LIMIT 0; SHOW session_replication_role"), 'origin', "$before$role by the name $application: nothing is switched");
}
is(named('pg_restore', $superuser, "BEGIN; INSERT INTO swarm_reward.node SELECT * FROM swarm_reward.node LIMIT 0; SHOW session_replication_role; COMMIT; SHOW session_replication_role"),
	"replica\norigin", "a superuser's pg_restore: until the transaction ends");

# verify_references(): PostgreSQL is asked too, by making each foreign key once more.
my $again = q{
	CREATE TABLE public.broken (relation regclass, foreign_key name);
	DO $$
	DECLARE
		k record;
	BEGIN
		FOR k IN SELECT c.conrelid::regclass AS relation, c.conname, replace(pg_get_constraintdef(c.oid), ' NOT VALID', '') AS definition
			FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'swarm_reward'::regnamespace
		LOOP
			BEGIN
				EXECUTE format('ALTER TABLE %s ADD CONSTRAINT once_more %s', k.relation, k.definition);
				EXECUTE format('ALTER TABLE %s DROP CONSTRAINT once_more', k.relation);
			EXCEPTION WHEN foreign_key_violation THEN
				INSERT INTO public.broken VALUES (k.relation, k.conname);
			END;
		END LOOP;
	END $$;
	SELECT relation, foreign_key FROM public.broken ORDER BY relation::text, foreign_key;
};
my $missing = 'SELECT relation, foreign_key, missing FROM swarm_reward.verify_references() WHERE missing > 0 ORDER BY relation::text, foreign_key';
is(value('parallel', q{SELECT count(*) FROM swarm_reward.verify_references()}),
	value('parallel', q{SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'swarm_reward'::regnamespace}), 'verify_references looks at each foreign key');
cmp_ok(value('parallel', q{SELECT count(*) FROM swarm_reward.telemetry WHERE service_type IS NULL}), '>', 0, 'there are references by NULL');
is(value('parallel', $missing), '', 'none refers to nothing');
is(value('parallel', "BEGIN; $again ROLLBACK"), '', 'nor does PostgreSQL find one');
# one of a key of one column, two of three columns, one of a partition, and the parent of many
my $orphans = q{
	SET session_replication_role = replica;
	INSERT INTO swarm_reward.node (provider_id, location, service_radius_m, joined_at) VALUES (-1, 'POINT(1 2)', 5, '2022-01-01+00');
	UPDATE swarm_reward.payout_line SET amount = amount + 1 WHERE (epoch_id, provider_id) IN (SELECT epoch_id, provider_id FROM swarm_reward.payout_line LIMIT 1);
	INSERT INTO swarm_reward.telemetry (node_id, sampled_at, ok, service_type) SELECT node_id, '2021-04-01', true, 'no_such' FROM swarm_reward.node LIMIT 3;
	DELETE FROM swarm_reward.beacon;
	SET session_replication_role = origin;
};
my $found = value('parallel', "BEGIN; $orphans $missing");
my $rtts = value('parallel', 'SELECT count(*) FROM swarm_reward.beacon_rtt');
like($found, qr/^swarm_reward\.node\|node_provider_id_fkey\|1$/m, 'a reference to nothing is found');
like($found, qr/^swarm_reward\.payout_line\|payout_line_is_final_statement\|[12]$/m, 'also by several columns');
like($found, qr/^swarm_reward\.telemetry_20210401\|telemetry_20210401_service_type_fkey\|3$/m, 'and in a partition');
like($found, qr/^swarm_reward\.beacon_rtt\|beacon_rtt_beacon_id_fkey\|$rtts$/m, 'and all that lost what they refer to');
is($found =~ s/\|\d+$//gmr, value('parallel', "BEGIN; $orphans $again ROLLBACK"), 'where PostgreSQL finds them, and nowhere else');

# Logical replication: what a service needs to serve statements.
is(value('ledger', q{
	SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c
	WHERE c.relnamespace = 'swarm_reward'::regnamespace AND c.relkind = 'r' AND c.relreplident = 'd'
		AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)}),
	'', 'every table says what identifies its rows to a subscriber');
my $service = PostgreSQL::Test::Cluster->new('service');
$service->init;
$service->append_conf('postgresql.conf', "jit = off\nclient_min_messages = warning\ntimezone = 'UTC'");
$service->start;
$service->safe_psql('postgres', 'CREATE EXTENSION swarm_reward CASCADE');
my ($publish) = grep { /CREATE PUBLICATION/ } slurp_file("$root/doc/operations.md") =~ /```sql\n(.*?)```/gs;
$node->safe_psql('ledger', $publish);
$service->safe_psql('postgres', "CREATE SUBSCRIPTION statements CONNECTION '${\ $node->connstr} dbname=ledger' PUBLICATION statements");
$service->wait_for_subscription_sync($node, 'statements');
my $statements = 'SELECT s::text FROM swarm_reward.provider_statement s UNION ALL SELECT w::text FROM swarm_reward.node_reward w ORDER BY 1';
sub same_statements
{
	my ($what) = @_;
	my $here = value('ledger', $statements);
	$node->wait_for_catchup('statements');
	cmp_ok(length $here, '>', 1000, "$what: there are statements");
	is($service->safe_psql('postgres', $statements), $here, "$what: they are the same on the subscriber");
}
same_statements('first copy');
$node->safe_psql('ledger', 'CALL swarm_reward.run_epoch(1004)');
same_statements('a new epoch');
$node->safe_psql('ledger', 'UPDATE swarm_reward.demand SET weight = weight * 2; CALL swarm_reward.run_epoch(1003)');
same_statements('two epochs computed again');
isnt(value('ledger', 'SELECT digest FROM swarm_reward.epoch WHERE epoch_id = 1004'), $digest, 'with another result');
$node->safe_psql('ledger', 'CREATE PUBLICATION everything FOR ALL TABLES');
is($node->psql('ledger', 'CALL swarm_reward.run_epoch(1004)'), 0, 'epochs can be computed again under a publication of all tables');
$service->safe_psql('postgres', 'DROP SUBSCRIPTION statements');
$service->stop;

# DROP EXTENSION: as many rows in every catalogue as before CREATE EXTENSION. The schema stays: it
# belongs to who ran CREATE EXTENSION, and is empty.
my $catalogues = q{
	CREATE FUNCTION pg_temp.rows_of(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		r bigint;
	BEGIN
		-- sessions leave the schemas of their temporary objects behind, one for each that there ever was at once
		EXECUTE format('SELECT count(*) FROM %s t %s', t, CASE WHEN t = 'pg_namespace'::regclass THEN $q$WHERE nspname !~ '^pg_(toast_)?temp_'$q$ END) INTO r;
		RETURN r;
	END $$;
	SELECT c.relname, pg_temp.rows_of(c.oid) FROM pg_class c
	WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('pg_statistic', 'pg_largeobject')
	ORDER BY 1;
};
$node->safe_psql('postgres', 'CREATE DATABASE gone');
$node->safe_psql('gone', q{CREATE EXTENSION postgis; CREATE SCHEMA swarm_reward; COMMENT ON SCHEMA swarm_reward IS 'x'});
my $before = value('gone', $catalogues);
$node->safe_psql('gone', 'CREATE EXTENSION swarm_reward');
$node->safe_psql('gone', qq{
	\\i $root/test/pgtap/ledger_network.psql
	\\o /dev/null
	SELECT make_telemetry_partitions('2021-04-01', '2021-04-05');
	SELECT pg_temp.build(4, 10);
	CALL run_epoch(1001);
	CREATE PUBLICATION few FOR TABLE swarm_reward.reward;
	GRANT SELECT ON ALL TABLES IN SCHEMA swarm_reward TO reader;
});
$node->safe_psql('gone', 'DROP PUBLICATION few');
isnt(value('gone', $catalogues), $before, 'the extension is in the catalogues');
my ($code, $out, $err) = $node->psql('gone', 'DROP EXTENSION swarm_reward');
is($err, '', 'DROP EXTENSION needs no CASCADE, partitions and computed epochs or not');
is(value('gone', $catalogues), $before, 'and leaves nothing behind');
is($node->psql('gone', 'DROP SCHEMA swarm_reward'), 0, 'but its schema, which is empty');
$node->safe_psql('gone', 'CREATE EXTENSION swarm_reward');
is(value('gone', 'SELECT count(*) FROM swarm_reward.component'), '6', 'it can be created again');

$node->stop;
done_testing();
