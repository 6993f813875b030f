-- Beyond one machine: telemetry and telemetry_hour on the workers of Citus, by node. Everything else
-- stays on the coordinator. Summaries are made where the rows are.
--
-- A distributed table has no triggers of its own, but each of its shards is a table of a worker and has them:
-- whoever writes rows leaves his marks beside them, and the coordinator collects these.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TABLE telemetry_mark_taken (
	worker text NOT NULL,
	mark_ids bigint[] NOT NULL
);
COMMENT ON TABLE telemetry_mark_taken IS 'marks of workers that the coordinator has, and that are to be deleted there';
COMMENT ON COLUMN telemetry_mark_taken.worker IS 'host:port of the worker';
COMMENT ON COLUMN telemetry_mark_taken.mark_ids IS 'telemetry_dirty.mark_id there';

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
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	marks bigint := 0;
	found bigint;
	one record;
BEGIN
	IF NOT telemetry_is_distributed() THEN
		RETURN 0;
	END IF;
	-- one at a time, or marks would be counted twice
	LOCK TABLE telemetry_mark_taken IN SHARE ROW EXCLUSIVE MODE;
	-- Those that are here for good go there. Should this transaction fail, they are gone already and are only
	-- deleted once more.
	PERFORM ask_workers((SELECT jsonb_object_agg(t.worker, t.command) FROM (
		SELECT k.worker, format('WITH gone AS (DELETE FROM swarm_reward_internal.telemetry_dirty WHERE mark_id = ANY (%L) RETURNING 1) SELECT count(*) FROM gone',
			array_agg(DISTINCT u.mark_id)) AS command
		FROM telemetry_mark_taken k, unnest(k.mark_ids) u (mark_id) GROUP BY k.worker) t));
	DELETE FROM telemetry_mark_taken;
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
	WITH mark AS (
		DELETE FROM telemetry_dirty d WHERE hour_of(d.since) = ANY (hours) AND d.since >= starts AND d.since < ends RETURNING d.since, d.came, d.gone)
	INSERT INTO telemetry_arrival AS a (since, came, gone)
	SELECT m.since, sum(m.came), sum(m.gone) FROM mark m GROUP BY m.since
	ON CONFLICT (since) DO UPDATE SET came = a.came + excluded.came, gone = a.gone + excluded.gone;
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

-- Triggers that write to a table of the same worker, which no statement names, are what the setting is called unsafe for.
CREATE FUNCTION swarm_reward.distribute_telemetry(shards int DEFAULT 32) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET citus.enable_unsafe_triggers = on AS $$
DECLARE
	parent regclass;
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
	FOREACH parent IN ARRAY ARRAY['telemetry'::regclass, 'telemetry_hour'::regclass] LOOP
		-- from here on there can be no foreign keys to tables of the coordinator
		FOR one IN SELECT c.conrelid::regclass AS relation, c.conname FROM pg_constraint c
			WHERE c.contype = 'f' AND c.conrelid IN (SELECT t.relid FROM pg_partition_tree(parent) t) LOOP
			EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.relation, one.conname);
		END LOOP;
	END LOOP;
	EXECUTE 'SELECT pg_catalog.create_distributed_table($1, ''node_id'', shard_count => $2, colocate_with => ''none'')' USING 'telemetry'::regclass, shards;
	EXECUTE 'SELECT pg_catalog.create_distributed_table($1, ''node_id'', colocate_with => $2)' USING 'telemetry_hour'::regclass, 'swarm_reward.telemetry';
END $$;
COMMENT ON FUNCTION swarm_reward.distribute_telemetry(int) IS
'distributes telemetry and telemetry_hour over the workers of Citus by node_id, in so many shards, with what they hold; everything else stays on the coordinator, and every epoch has the digest that it has on one server. Rows of a node that does not exist are no longer refused, and count nothing. Errors: no extension citus, distributed already, fewer than one shard, an epoch that begins or ends within an hour';
REVOKE ALL ON FUNCTION swarm_reward.distribute_telemetry(int), ask_workers(jsonb), collect_telemetry_marks(),
	roll_distributed_hours(interval, timestamptz[], text[]) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
