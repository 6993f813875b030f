-- Beyond one machine: telemetry and telemetry_hour on the workers of Citus, by node. Everything else
-- stays on the coordinator. Summaries are made where the rows are.
--
-- A distributed table has no triggers, but each of its shards is a table of a worker and may have some:
-- whoever writes rows leaves his marks beside them, and the coordinator collects these. Citus does not know of
-- these triggers: a shard that it has made, or moved, has none until marks are collected next. All rows of such
-- a shard count as having just come, so that none is missed.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TABLE telemetry_mark_taken (
	worker text NOT NULL,
	mark_ids bigint[] NOT NULL
);
COMMENT ON TABLE telemetry_mark_taken IS 'marks of workers that the coordinator has, and that are to be deleted there';
COMMENT ON COLUMN telemetry_mark_taken.worker IS 'host:port of the worker';
COMMENT ON COLUMN telemetry_mark_taken.mark_ids IS 'telemetry_dirty.mark_id there';

CREATE TABLE telemetry_unseen (
	shard text PRIMARY KEY
);
COMMENT ON TABLE telemetry_unseen IS 'shards on this server that have their triggers, but whose rows from before are not marked yet';
COMMENT ON COLUMN telemetry_unseen.shard IS 'its name, with the schema';

-- Two steps, each in a transaction of its own, so that writers wait for the first alone.
CREATE FUNCTION watch_shards(shards text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT
-- behind who waits for a writer everybody waits: not for long
SET lock_timeout = '2s' AS $$
DECLARE
	one record;
	found bigint := 0;
BEGIN
	FOR one IN
		SELECT u.shard, to_regclass(u.shard) AS relation, p.partrelid IS NULL AS has_rows
		FROM unnest(shards) u (shard) LEFT JOIN pg_partitioned_table p ON p.partrelid = to_regclass(u.shard)
		WHERE to_regclass(u.shard) IS NOT NULL	-- it may just have been dropped
			AND (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = to_regclass(u.shard) AND t.tgfoid = 'mark_telemetry()'::regprocedure AND t.tgenabled IN ('O', 'A'))
				< CASE WHEN p.partrelid IS NULL THEN 4 ELSE 3 END
	LOOP
		PERFORM watch_telemetry_partition(one.relation);
		IF one.has_rows THEN
			INSERT INTO telemetry_unseen (shard) VALUES (one.shard) ON CONFLICT DO NOTHING;
		END IF;
		found := found + 1;
	END LOOP;
	RETURN found;
END $$;
COMMENT ON FUNCTION watch_shards(text[]) IS
'puts the triggers on those of the shards of telemetry on this server that do not have them, and remembers for see_shards() that their rows are to be marked; returns how many. A shard that is not here is passed over. NULL: none. Errors: others keep a shard locked';

CREATE FUNCTION see_shards() RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	one record;
	found bigint := 0;
BEGIN
	FOR one IN DELETE FROM telemetry_unseen RETURNING to_regclass(shard) AS relation LOOP
		CONTINUE WHEN one.relation IS NULL;
		EXECUTE format('INSERT INTO telemetry_dirty (since, came, gone) SELECT hour_of(t.sampled_at), count(*), 0 FROM %s t GROUP BY 1', one.relation);
		found := found + 1;
	END LOOP;
	RETURN found;
END $$;
COMMENT ON FUNCTION see_shards() IS
'marks the rows of the shards that watch_shards() found as having just come, and returns how many shards; a row that was written between the two may be counted twice, none is missed';

CREATE FUNCTION ask_workers(commands jsonb) RETURNS TABLE (worker text, answer text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	one record;
BEGIN
	FOR one IN EXECUTE $q$
		SELECT r.node_name || ':' || r.node_port AS worker, r.success, r.result
		FROM (SELECT array_agg(n.nodename ORDER BY n.nodeid) AS names, array_agg(n.nodeport ORDER BY n.nodeid) AS ports,
				array_agg(coalesce($1 ->> (n.nodename || ':' || n.nodeport), $1 ->> '') ORDER BY n.nodeid) AS commands
			FROM pg_catalog.pg_dist_node n
			-- what the coordinator holds of shards leaves its marks at home
			WHERE n.groupid <> 0 AND n.noderole = 'primary' AND n.isactive AND coalesce($1 ->> (n.nodename || ':' || n.nodeport), $1 ->> '') IS NOT NULL) w,
			pg_catalog.master_run_on_worker(w.names, w.ports, w.commands, true) r
		WHERE w.names IS NOT NULL $q$ USING commands
	LOOP
		IF NOT one.success THEN
			RAISE EXCEPTION 'worker % of Citus did not answer', one.worker USING ERRCODE = 'connection_exception', DETAIL = one.result;
		END IF;
		worker := one.worker;
		answer := one.result;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION ask_workers(jsonb) IS
'sends each worker of Citus its command, by host:port, or else the one with an empty key, if there is any; returns what each answers. NULL: no worker is asked. Errors: a worker that does not answer';

CREATE FUNCTION collect_telemetry_marks() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	marks bigint := 0;
	found bigint;
	shards record;
	one record;
BEGIN
	IF NOT telemetry_is_distributed() THEN
		RETURN 0;
	END IF;
	-- one at a time, and none with a snapshot from before the last one, or marks would be counted twice
	PERFORM take_turn('mark');
	-- Those that are here for good go there. Should this transaction fail, they are gone already and are only
	-- deleted once more.
	PERFORM ask_workers((SELECT jsonb_object_agg(t.worker, t.command) FROM (
		SELECT k.worker, format('WITH gone AS (DELETE FROM swarm_reward_internal.telemetry_dirty WHERE mark_id = ANY (%L) RETURNING 1) SELECT count(*) FROM gone',
			array_agg(DISTINCT u.mark_id)) AS command
		FROM telemetry_mark_taken k, unnest(k.mark_ids) u (mark_id) GROUP BY k.worker) t));
	DELETE FROM telemetry_mark_taken;
	EXECUTE $q$
		SELECT jsonb_object_agg(w.worker, format('SELECT swarm_reward_internal.watch_shards(%L)', w.shards)) FILTER (WHERE w.groupid <> 0) AS there,
			min(w.shards) FILTER (WHERE w.groupid = 0) AS here
		FROM (SELECT n.groupid, n.nodename || ':' || n.nodeport AS worker, array_agg(pg_catalog.shard_name(s.logicalrelid, s.shardid)) AS shards
			FROM pg_catalog.pg_dist_shard s JOIN pg_catalog.pg_dist_placement p ON p.shardid = s.shardid
				JOIN pg_catalog.pg_dist_node n ON n.groupid = p.groupid AND n.noderole = 'primary'
			WHERE s.logicalrelid IN (SELECT t.relid FROM pg_partition_tree('telemetry') t)
			GROUP BY n.groupid, n.nodename, n.nodeport) w $q$ INTO shards;
	PERFORM ask_workers(shards.there);
	PERFORM ask_workers('{"": "SELECT swarm_reward_internal.see_shards()"}');
	PERFORM watch_shards(shards.here), see_shards();
	FOR one IN SELECT * FROM ask_workers(jsonb_build_object('', $q$
		SELECT coalesce(json_agg(json_build_object('since', m.since, 'came', m.came, 'gone', m.gone, 'ids', m.ids)), '[]')
		FROM (SELECT d.since, sum(d.came) AS came, sum(d.gone) AS gone, array_agg(d.mark_id) AS ids FROM swarm_reward_internal.telemetry_dirty d GROUP BY d.since) m $q$))
	LOOP
		WITH mark AS (
			SELECT m.since, m.came, m.gone, m.ids FROM jsonb_to_recordset(one.answer::jsonb) m (since timestamptz, came bigint, gone bigint, ids bigint[])
		),
		taken AS (INSERT INTO telemetry_mark_taken (worker, mark_ids) SELECT one.worker, m.ids FROM mark m)
		INSERT INTO telemetry_dirty (since, came, gone) SELECT m.since, m.came, m.gone FROM mark m;
		GET DIAGNOSTICS found = ROW_COUNT;
		marks := marks + found;
	END LOOP;
	RETURN marks;
END $$;
COMMENT ON FUNCTION collect_telemetry_marks() IS
'brings the marks that changed telemetry has left on the workers of Citus to telemetry_dirty, each once whatever fails between; returns how many hours of how many workers. Nothing, and 0, where telemetry is not distributed. Errors: a worker that does not answer';

CREATE FUNCTION roll_distributed_hours(slot interval, hours timestamptz[], reasons text[])
RETURNS TABLE (hour timestamptz, slot_used interval, reason text, summaries bigint, samples bigint, changed bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	starts timestamptz := (SELECT min(u) FROM unnest(hours) u);
	ends timestamptz := (SELECT max(u) + interval '1 hour' FROM unnest(hours) u);
	only_hours text := '';
BEGIN
	IF ends - starts > cardinality(hours) * interval '1 hour' THEN
		only_hours := format('AND hour_of(%%I) = ANY (%L::timestamptz[])', hours);
	END IF;
	-- the marks first: rows that come from here on bring their own
	PERFORM count_marks(starts, ends, hours);
	EXECUTE format('DELETE FROM telemetry_hour WHERE hour >= %1$L AND hour < %2$L %3$s', starts, ends, format(only_hours, 'hour'));
	EXECUTE format($q$
		INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work_summary, work, metered_work, fee, energy_mwh)
		SELECT t.node_id, t.service_type, hour_of(t.sampled_at), %4$s
		FROM telemetry t
		WHERE t.sampled_at >= %1$L AND t.sampled_at < %2$L %3$s
		GROUP BY t.node_id, t.service_type, hour_of(t.sampled_at) $q$, starts, ends, format(only_hours, 'sampled_at'), telemetry_measures(slot));
	EXECUTE format($q$
		WITH f AS MATERIALIZED (
			SELECT t.node_id, max(t.sampled_at) AS last_at FROM telemetry t
			WHERE t.sampled_at >= %1$L AND t.sampled_at < %2$L %3$s GROUP BY t.node_id
		)
		INSERT INTO telemetry_reporter AS r (node_id, last_at)
		SELECT f.node_id, f.last_at FROM f JOIN node n ON n.node_id = f.node_id
		ON CONFLICT (node_id) DO UPDATE SET last_at = excluded.last_at WHERE excluded.last_at > r.last_at $q$, starts, ends, format(only_hours, 'sampled_at'));
	RETURN QUERY EXECUTE format($q$
		WITH made AS MATERIALIZED (
			SELECT o.hour, count(*) AS summaries, sum(samples(o.summary)) AS samples
			FROM telemetry_hour o WHERE o.hour >= %1$L AND o.hour < %2$L GROUP BY o.hour
		),
		result AS (
			SELECT u.hour, u.reason, coalesce(m.summaries, 0) AS summaries, coalesce(m.samples, 0)::bigint AS samples
			FROM unnest($1, $2) u (hour, reason) LEFT JOIN made m ON m.hour = u.hour
		),
		noted AS (
			INSERT INTO telemetry_rolled AS o (hour, slot, samples, rolled_at)
			SELECT s.hour, $3, s.samples, clock_timestamp() FROM result s
			ON CONFLICT (hour) DO UPDATE SET slot = excluded.slot, samples = excluded.samples, rolls = o.rolls + 1, rolled_at = excluded.rolled_at
		)
		SELECT s.hour, $3, s.reason, s.summaries, s.samples, s.summaries FROM result s ORDER BY s.hour $q$, starts, ends)
	USING hours, reasons, slot;
END $$;
COMMENT ON FUNCTION roll_distributed_hours(interval, timestamptz[], text[]) IS
'what roll_telemetry_hours does with hours of distributed telemetry: each worker sums up its own rows, and no row leaves it. Every summary of the hours is written anew';

CREATE FUNCTION epoch_whole_hours() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF telemetry_is_distributed() THEN
		RAISE EXCEPTION 'epoch % begins or ends within an hour: %', NEW.epoch_id, NEW.period
			USING ERRCODE = 'check_violation', DETAIL = 'Workers of Citus mark whole hours of telemetry.', HINT = 'Give a period that begins and ends at whole hours.';
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION epoch_whole_hours() IS 'trigger: where telemetry is distributed, no epoch begins or ends within an hour';
CREATE TRIGGER epoch_whole_hours BEFORE INSERT OR UPDATE OF period ON epoch FOR EACH ROW
	WHEN (date_trunc('hour', lower(NEW.period), 'UTC') <> lower(NEW.period) OR date_trunc('hour', upper(NEW.period), 'UTC') <> upper(NEW.period))
	EXECUTE FUNCTION epoch_whole_hours();

CREATE FUNCTION swarm_reward.distribute_telemetry(shards int DEFAULT 32) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning AS $$
DECLARE
	one record;
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
		RAISE EXCEPTION 'telemetry cannot be distributed: there is no extension citus in this database'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Have citus in shared_preload_libraries on the coordinator and its workers, CREATE EXTENSION citus, citus_set_coordinator_host() and citus_add_node() for each worker.';
	END IF;
	IF telemetry_is_distributed() THEN
		RAISE EXCEPTION 'telemetry is distributed already' USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	IF shards IS NULL OR shards < 1 THEN
		RAISE EXCEPTION 'cannot make % shards', shards USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a number from 1; two to four for each core of the workers serve well.';
	END IF;
	IF hour_divisions() <> '{}' THEN
		RAISE EXCEPTION 'an epoch begins or ends within an hour, at %: workers mark whole hours', (hour_divisions())[1]
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Plan epochs that begin and end at whole hours before telemetry is distributed.';
	END IF;
	LOCK TABLE telemetry, telemetry_hour IN ACCESS EXCLUSIVE MODE;
	-- From here on there can be no foreign keys to tables of the coordinator, and triggers only on shards.
	FOR one IN SELECT t.relid::regclass AS relation, c.conname FROM (SELECT * FROM pg_partition_tree('telemetry') UNION ALL SELECT * FROM pg_partition_tree('telemetry_hour')) t
		JOIN pg_constraint c ON c.conrelid = t.relid AND c.contype = 'f' LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.relation, one.conname);
	END LOOP;
	FOR one IN SELECT g.tgrelid::regclass AS relation, g.tgname FROM pg_partition_tree('telemetry') t
		JOIN pg_trigger g ON g.tgrelid = t.relid AND g.tgparentid = 0 JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'swarm_reward_internal'::regnamespace LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, one.relation);
	END LOOP;
	-- The rows that are there will be counted where they come to be: not twice.
	PERFORM count_marks('-infinity', 'infinity');
	WITH present AS (SELECT hour_of(t.sampled_at) AS since, count(*) AS n FROM telemetry t GROUP BY 1),
	mark AS (INSERT INTO telemetry_dirty (since, came, gone) SELECT p.since, 0, 0 FROM present p)
	UPDATE telemetry_arrival a SET came = greatest(a.came - p.n, 0) FROM present p WHERE p.since = a.since;
	EXECUTE 'SELECT pg_catalog.create_distributed_table($1, ''node_id'', shard_count => $2, colocate_with => ''none'')' USING 'telemetry'::regclass, shards;
	EXECUTE 'SELECT pg_catalog.create_distributed_table($1, ''node_id'', colocate_with => $2)' USING 'telemetry_hour'::regclass, 'swarm_reward.telemetry';
	FOR one IN SELECT t.relid FROM (SELECT * FROM pg_partition_tree('telemetry') UNION ALL SELECT * FROM pg_partition_tree('telemetry_hour')) t WHERE t.isleaf LOOP
		EXECUTE 'SELECT pg_catalog.truncate_local_data_after_distributing_table($1)' USING one.relid::regclass;
	END LOOP;
END $$;
COMMENT ON FUNCTION swarm_reward.distribute_telemetry(int) IS
'distributes telemetry and telemetry_hour over the workers of Citus by node_id, in so many shards, with what they hold; everything else stays on the coordinator, and every epoch has the digest that it has on one server. Rows of a node that does not exist are no longer refused, and count nothing. undistribute_telemetry() takes it back. Errors: no extension citus, distributed already, fewer than one shard, an epoch that begins or ends within an hour';

CREATE FUNCTION bring_telemetry_home(parent regclass) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	one record;
	columns text;
	home text;
	stray regclass := (SELECT t.partdefid::regclass FROM pg_partitioned_table t WHERE t.partrelid = parent AND t.partdefid <> 0);
	parts regclass[] := '{}';
	names text[] := '{}';
	periods tstzrange[] := '{}';
BEGIN
	IF stray IS NOT NULL THEN
		RAISE EXCEPTION 'cannot bring % back: % is its default partition', parent, stray USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Detach it first.';
	END IF;
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
	FROM pg_attribute a WHERE a.attrelid = parent AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
	FOR one IN SELECT p.partition, p.period, c.relname, c.relnamespace::regnamespace AS schema FROM telemetry_partition(parent) p JOIN pg_class c ON c.oid = p.partition LOOP
		home := format('%s.%I', one.schema, left(one.relname, 50) || '_home');
		EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)', home, parent);
		EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %3$s', home, columns, one.partition);
		EXECUTE format('DROP TABLE %s', one.partition);
		parts := parts || home::regclass;
		names := names || one.relname::text;
		periods := periods || one.period;
	END LOOP;
	-- The table itself must stay, for it belongs to this extension: what Citus does when a distributed table is dropped, but the dropping.
	EXECUTE 'SELECT pg_catalog.master_remove_distributed_table_metadata_from_workers(c.oid, n.nspname, c.relname), pg_catalog.citus_drop_all_shards(c.oid, n.nspname, c.relname),
			pg_catalog.master_remove_partition_metadata(c.oid, n.nspname, c.relname)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1' USING parent;
	FOR one IN SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = parent AND t.tgname LIKE 'truncate\_trigger\_%' LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, parent);
	END LOOP;
	IF parent = 'telemetry'::regclass THEN
		PERFORM watch_telemetry_partition(parent);
	END IF;
	FOR i IN 1 .. cardinality(parts) LOOP
		EXECUTE format('ALTER TABLE %s RENAME TO %I', parts[i], names[i]);
		PERFORM attach_telemetry_partition(parts[i], parent, periods[i]);
	END LOOP;
END $$;
COMMENT ON FUNCTION bring_telemetry_home(regclass) IS 'undistribute_telemetry step: makes telemetry or telemetry_hour a table of this server again, partition by partition. Errors: a default partition';

CREATE FUNCTION swarm_reward.undistribute_telemetry() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	one record;
BEGIN
	IF telemetry_is_distributed() THEN
		PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true);
		PERFORM pg_advisory_xact_lock('telemetry_rolled'::regclass::oid::int, 0);
		LOCK TABLE telemetry, telemetry_hour IN EXCLUSIVE MODE;
		PERFORM collect_telemetry_marks();
		-- the one that the other is colocated with comes last
		PERFORM bring_telemetry_home('telemetry_hour');
		PERFORM bring_telemetry_home('telemetry');
		RETURN;
	END IF;
	-- What a dump of distributed telemetry has left has neither keys nor triggers, and may lack marks that were on workers.
	LOCK TABLE telemetry, telemetry_hour IN SHARE ROW EXCLUSIVE MODE;
	FOR one IN SELECT p.partition, k.parent, p.period FROM (VALUES ('telemetry'::regclass), ('telemetry_hour')) k (parent), telemetry_partition(k.parent) p JOIN pg_class c ON c.oid = p.partition
		WHERE c.relkind = 'r' AND c.relnamespace = 'swarm_reward_internal'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = p.partition AND f.contype = 'f') LOOP
		PERFORM guard_telemetry_partition(one.partition, one.parent);
		CONTINUE WHEN one.parent <> 'telemetry'::regclass;
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT c.hour, greatest(c.here - c.counted, 0), greatest(c.counted - c.here, 0)
		FROM (SELECT c.hour, sum(c.here) AS here, sum(c.counted) AS counted
			FROM (SELECT hour_of(t.sampled_at) AS hour, count(*) AS here, 0 AS counted FROM telemetry t WHERE t.sampled_at >= lower(one.period) AND t.sampled_at < upper(one.period) GROUP BY 1
				UNION ALL SELECT hour_of(a.since), 0, a.came - a.gone FROM telemetry_arrival a WHERE one.period @> a.since
				UNION ALL SELECT hour_of(d.since), 0, d.came - d.gone FROM telemetry_dirty d WHERE one.period @> d.since) c
			GROUP BY c.hour) c LEFT JOIN telemetry_rolled o ON o.hour = c.hour
		WHERE NOT coalesce(o.raw_dropped, false);
	END LOOP;
END $$;
COMMENT ON FUNCTION swarm_reward.undistribute_telemetry() IS
'brings telemetry and telemetry_hour back to this server, which must have room for them; no one may write them meanwhile. Where they are not distributed it mends what a dump of distributed telemetry has left, restored without citus: gives partitions their foreign keys and triggers again, and has their hours rolled up again. Safe to repeat. Errors: a worker that does not answer, a default partition';
REVOKE ALL ON FUNCTION swarm_reward.distribute_telemetry(int), swarm_reward.undistribute_telemetry(), bring_telemetry_home(regclass), ask_workers(jsonb), collect_telemetry_marks(),
	roll_distributed_hours(interval, timestamptz[], text[]), watch_shards(text[]), see_shards() FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
