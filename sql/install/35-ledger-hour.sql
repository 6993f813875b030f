-- Hourly summaries of telemetry: what they need to know about the raw rows,
-- how they are made, and what late rows do to epochs.
--
-- Whoever writes telemetry leaves a row in telemetry_dirty, in the same
-- transaction, by statement triggers. A roll-up takes away, in one statement
-- and hence under one snapshot, the marks it can see and puts there the
-- summaries of the rows it can see: the marks of a transaction that commits
-- later stay, and with them the hour stays dirty. Marks are only ever added,
-- never updated, so that loaders do not wait for each other.

CREATE FUNCTION hour_of(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT date_bin('1 hour', at, timestamptz '2000-01-01 00:00+00');
END;
COMMENT ON FUNCTION hour_of(timestamptz) IS 'start of the UTC hour that holds a time, whatever the time zone of the session; NULL for NULL, an error for an infinite time';

CREATE TABLE telemetry_dirty (
	since timestamptz NOT NULL CHECK (isfinite(since)),
	came bigint NOT NULL CHECK (came >= 0),
	gone bigint NOT NULL CHECK (gone >= 0)
);
COMMENT ON TABLE telemetry_dirty IS 'hours of telemetry whose rows changed after they were rolled up, or that never were; one row per statement and hour, written by triggers, taken away by roll_telemetry_hours';
COMMENT ON COLUMN telemetry_dirty.since IS 'the hour; or, where an epoch begins or ends within the hour, that moment for the rows from it on';
COMMENT ON COLUMN telemetry_dirty.came IS 'rows inserted, and new versions of rows updated';
COMMENT ON COLUMN telemetry_dirty.gone IS 'rows deleted, and old versions of rows updated';
CREATE INDEX telemetry_dirty_since_idx ON telemetry_dirty (since);

CREATE TABLE telemetry_arrival (
	since timestamptz PRIMARY KEY CHECK (isfinite(since)),
	came bigint NOT NULL CHECK (came >= 0),
	gone bigint NOT NULL CHECK (gone >= 0)
);
COMMENT ON TABLE telemetry_arrival IS 'how many rows of telemetry ever came and went, by hour: what roll_telemetry_hours took out of telemetry_dirty, added up';
COMMENT ON COLUMN telemetry_arrival.since IS 'as in telemetry_dirty';
COMMENT ON COLUMN telemetry_arrival.came IS 'rows inserted, and new versions of rows updated';
COMMENT ON COLUMN telemetry_arrival.gone IS 'rows deleted, and old versions of rows updated';

CREATE TABLE telemetry_rolled (
	hour timestamptz PRIMARY KEY CHECK (isfinite(hour) AND hour_of(hour) = hour),
	slot interval CHECK (slot > interval '0'),
	samples bigint NOT NULL CHECK (samples >= 0),
	rolls int NOT NULL DEFAULT 1 CHECK (rolls >= 1),
	rolled_at timestamptz NOT NULL,
	raw_dropped boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE telemetry_rolled IS 'hours that telemetry_hour has summaries of, also of those without any row';
COMMENT ON COLUMN telemetry_rolled.hour IS 'start of the hour';
COMMENT ON COLUMN telemetry_rolled.slot IS 'slot of its summaries; NULL: the partition that held them was dropped';
COMMENT ON COLUMN telemetry_rolled.samples IS 'raw rows in the summaries';
COMMENT ON COLUMN telemetry_rolled.rolls IS 'how often it was rolled up: 1, and once more each time that rows had changed';
COMMENT ON COLUMN telemetry_rolled.rolled_at IS 'when it was last rolled up; not an input of any computation';
COMMENT ON COLUMN telemetry_rolled.raw_dropped IS 'the raw rows were dropped with their partition, and there is a new, empty one: the summaries are never made again. Rows that come later are kept and counted, but belong to no summary';

CREATE TABLE telemetry_reporter (
	node_id bigint PRIMARY KEY REFERENCES node,
	last_at timestamptz NOT NULL CHECK (isfinite(last_at))
);
COMMENT ON TABLE telemetry_reporter IS 'each node that ever reported, as far as telemetry was rolled up; see the view reporter_watermark';
COMMENT ON COLUMN telemetry_reporter.node_id IS 'the node';
COMMENT ON COLUMN telemetry_reporter.last_at IS 'its latest sampled_at';

-- Which times partitions are there for, and which of them mark the hours that
-- change: an hour of another one, made by hand or a foreign table, is always read
-- from its raw rows.

CREATE FUNCTION telemetry_partition(parent regclass) RETURNS TABLE (partition regclass, period tstzrange, watched boolean)
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
	SELECT c.oid::regclass, tstzrange(m[1]::timestamptz, m[2]::timestamptz),
		-- three of the parent's triggers and four of its own
		(SELECT count(*) = 7 FROM pg_trigger t WHERE t.tgrelid IN (parent, c.oid) AND t.tgfoid = 'mark_telemetry()'::regprocedure AND t.tgenabled IN ('O', 'A'))
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
		-- MINVALUE and MAXVALUE give NULL: no bound
		regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$^FOR VALUES FROM \((?:'([^']+)'|MINVALUE)\) TO \((?:'([^']+)'|MAXVALUE)\)$re$) m
	WHERE i.inhparent = parent AND m IS NOT NULL
$$;
COMMENT ON FUNCTION telemetry_partition(regclass) IS 'the partitions of telemetry, of telemetry_hour, or of any table partitioned by one timestamptz, with the time that each is for, and whether it has the triggers of watch_telemetry_partition(); a default partition is left out. NULL for NULL';

CREATE FUNCTION telemetry_span(parent regclass, watched boolean DEFAULT false) RETURNS tstzmultirange
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT coalesce(range_agg(p.period), '{}') FROM telemetry_partition(parent) p WHERE p.watched OR NOT telemetry_span.watched
$$;
COMMENT ON FUNCTION telemetry_span(regclass, boolean) IS 'all the time that there are partitions for, or, with watched, those that mark the hours that change; see telemetry_partition(). NULL for NULL';

-- Marking. An epoch that begins or ends within an hour divides it, so that the
-- rows of its last minutes are not taken for late rows of the epoch before.

CREATE INDEX epoch_divides_hour_idx ON epoch (epoch_id) WHERE hour_of(lower(period)) <> lower(period) OR hour_of(upper(period)) <> upper(period);

CREATE FUNCTION hour_divisions() RETURNS timestamptz[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(DISTINCT b.at ORDER BY b.at), '{}')
	FROM epoch e, LATERAL (VALUES (lower(e.period)), (upper(e.period))) b (at)
	WHERE (hour_of(lower(e.period)) <> lower(e.period) OR hour_of(upper(e.period)) <> upper(e.period)) AND hour_of(b.at) <> b.at;
END;
COMMENT ON FUNCTION hour_divisions() IS 'the moments, in order, at which epochs begin or end within an hour; an empty array: none do';

CREATE FUNCTION part_of_hour(at timestamptz, divisions timestamptz[]) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT greatest(date_bin('1 hour', at, timestamptz '2000-01-01 00:00+00'), divisions[width_bucket(at, divisions)]);
END;
COMMENT ON FUNCTION part_of_hour(timestamptz, timestamptz[]) IS 'start of the hour that holds a time, or the last of the divisions of that hour at or before it; divisions in order, see hour_divisions()';

CREATE FUNCTION mark_telemetry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	divisions timestamptz[] := hour_divisions();
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT part_of_hour(t.sampled_at, divisions), count(*), 0 FROM new_rows t GROUP BY 1;
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT part_of_hour(t.sampled_at, divisions), 0, count(*) FROM old_rows t GROUP BY 1;
	ELSIF TG_OP = 'UPDATE' THEN
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT c.since, sum(c.came), sum(c.gone)
		FROM (SELECT part_of_hour(t.sampled_at, divisions) AS since, count(*) AS came, 0 AS gone FROM new_rows t GROUP BY 1
			UNION ALL SELECT part_of_hour(t.sampled_at, divisions), 0, count(*) FROM old_rows t GROUP BY 1) c
		GROUP BY c.since;
	ELSE
		EXECUTE format('INSERT INTO telemetry_dirty (since, came, gone) SELECT part_of_hour(t.sampled_at, $1), 0, count(*) FROM %I.%I t GROUP BY 1',
			TG_TABLE_SCHEMA, TG_TABLE_NAME) USING divisions;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION mark_telemetry() IS
'trigger: whoever writes telemetry marks the hours in telemetry_dirty; runs with the owner''s rights, so that writing telemetry is all the right one needs. Rows of a foreign partition never come here, see refuse_foreign_rows()';

-- Statement triggers belong to the table that a statement names: the parent's
-- see the rows of all partitions, but not what is written to one directly.
CREATE FUNCTION watch_telemetry_partition(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	IF (SELECT c.relkind FROM pg_class c WHERE c.oid = partition) = 'r' THEN	-- where the rows are
		EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	END IF;
END $$;
COMMENT ON FUNCTION watch_telemetry_partition(regclass) IS
'puts the triggers on a partition of telemetry that mark hours when it is written to directly, not by way of telemetry; make_telemetry_partitions does it, a partition made or attached by hand should have it too: without, its hours are read from raw rows alone. Safe to repeat';
SELECT watch_telemetry_partition('telemetry');

-- Partitions inherit the one for rows, also those that are attached later.
CREATE FUNCTION refuse_foreign_rows() RETURNS trigger
AS 'MODULE_PATHNAME', 'sr_refuse_foreign_rows' LANGUAGE C;
COMMENT ON FUNCTION refuse_foreign_rows() IS
'trigger: rows of telemetry that are in a foreign partition can only be changed on their own server, because nothing would mark their hours here';
CREATE TRIGGER refuse_foreign_rows BEFORE INSERT OR UPDATE OR DELETE ON telemetry FOR EACH ROW EXECUTE FUNCTION refuse_foreign_rows();
CREATE TRIGGER refuse_foreign_truncate BEFORE TRUNCATE ON telemetry FOR EACH STATEMENT EXECUTE FUNCTION refuse_foreign_rows();

CREATE FUNCTION mark_telemetry_hours(period tstzrange) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	WITH mark AS (
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT r.hour, 0, 0 FROM telemetry_rolled r
		WHERE r.hour < coalesce(upper(period), 'infinity') AND r.hour > coalesce(lower(period), '-infinity') - interval '1 hour' AND NOT isempty(period)
		RETURNING 1)
	SELECT count(*) FROM mark;
END;
COMMENT ON FUNCTION mark_telemetry_hours(tstzrange) IS
'has the hours of a period rolled up again, and returns how many; only needed after telemetry was written with its triggers switched off, as session_replication_role = replica does. A period without a bound goes on for ever; an empty one, and NULL, mark none';

-- A new partition where hours have been rolled up already means that an older
-- one was dropped: nothing is to be read from the new one as if it were all.
CREATE FUNCTION forget_telemetry_partition(parent regclass, period tstzrange) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF parent = 'telemetry'::regclass THEN
		DELETE FROM telemetry_rolled r WHERE r.hour <@ period AND r.samples = 0;
		UPDATE telemetry_rolled r SET raw_dropped = true WHERE r.hour <@ period AND NOT r.raw_dropped;
	ELSE
		UPDATE telemetry_rolled r SET slot = NULL WHERE r.hour <@ period AND r.slot IS NOT NULL;
	END IF;
END $$;
COMMENT ON FUNCTION forget_telemetry_partition(regclass, tstzrange) IS
'called by make_telemetry_partitions for each partition it makes of telemetry or telemetry_hour: notes that what the hours of the period had in an earlier partition is gone';

-- Rolling up.

CREATE FUNCTION telemetry_hour_slot(hour timestamptz) RETURNS interval
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT CASE WHEN extract(year FROM p.telemetry_slot) = 0 AND extract(month FROM p.telemetry_slot) = 0 THEN p.telemetry_slot ELSE interval '1 minute' END
	FROM policy p
	WHERE p.policy_id = coalesce(
		(SELECT e.policy_id FROM epoch e WHERE e.period @> hour),
		(SELECT l.policy_id FROM policy l
			WHERE l.effective_from <= coalesce((SELECT lower(e.period) FROM epoch e WHERE e.period @> hour), hour)
			ORDER BY l.effective_from DESC LIMIT 1));
END;
COMMENT ON FUNCTION telemetry_hour_slot(timestamptz) IS
'slot that the summaries of an hour are made with: that of the policy of the epoch in which the hour starts, or of the policy in effect then; 1 minute where that is no fixed length. NULL for NULL';

CREATE FUNCTION pending_telemetry_hours(until timestamptz DEFAULT NULL)
RETURNS TABLE (hour timestamptz, slot interval, reason text, came bigint, gone bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	WITH span AS MATERIALIZED (
		SELECT telemetry_span('telemetry', watched => true) AS raw, telemetry_span('telemetry_hour') AS summaries
	),
	dirty AS MATERIALIZED (
		SELECT hour_of(d.since) AS hour, sum(d.came)::bigint AS came, sum(d.gone)::bigint AS gone
		FROM telemetry_dirty d GROUP BY 1
	),
	todo AS (
		SELECT h.hour, 'new' AS reason
		FROM span s, unnest(s.raw) r, generate_series(hour_of(lower(r) + interval '1 hour' - interval '1 microsecond'), least(upper(r), coalesce(until, now())) - interval '1 hour', interval '1 hour') h (hour)
		WHERE NOT EXISTS (SELECT FROM telemetry_rolled o WHERE o.hour = h.hour)
		UNION ALL
		SELECT d.hour, CASE WHEN tstzrange(d.hour, d.hour + interval '1 hour') <@ s.raw AND NOT coalesce(o.raw_dropped, false) THEN 'dirty' ELSE 'counted' END
		FROM dirty d LEFT JOIN telemetry_rolled o ON o.hour = d.hour, span s
		WHERE o.hour IS NOT NULL OR NOT tstzrange(d.hour, d.hour + interval '1 hour') && s.raw
		UNION ALL
		SELECT o.hour, 'slot'
		FROM telemetry_rolled o, span s
		WHERE NOT o.raw_dropped AND tstzrange(o.hour, o.hour + interval '1 hour') <@ s.raw
			AND NOT EXISTS (SELECT FROM dirty d WHERE d.hour = o.hour)
			AND (o.slot IS NULL OR NOT o.hour <@ s.summaries OR (o.slot <> telemetry_hour_slot(o.hour)
				AND EXISTS (SELECT FROM epoch e WHERE e.period @> o.hour AND e.status <> 'final')))
	)
	SELECT t.hour, telemetry_hour_slot(t.hour), t.reason, coalesce(d.came, 0), coalesce(d.gone, 0)
	FROM todo t LEFT JOIN dirty d ON d.hour = t.hour
	WHERE t.hour + interval '1 hour' <= coalesce(until, now())
	ORDER BY t.hour
$$;
COMMENT ON FUNCTION pending_telemetry_hours(timestamptz) IS
'hours that ended by a time (NULL: now) and that roll_telemetry_hours has work with, with the slot it will use, the reason and the rows that came and went since: new (not rolled up yet), dirty (rows came or went since), slot (its epoch wants another slot, or its summaries were dropped), counted (rows came or went, but the raw rows of its summaries were dropped, or the hour lies in no one partition that is watched: nothing but counted)';

CREATE FUNCTION roll_telemetry_hours(until timestamptz DEFAULT NULL, max_hours int DEFAULT NULL)
RETURNS TABLE (hour timestamptz, slot interval, reason text, summaries bigint, samples bigint, changed bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET enable_nestloop = off SET jit = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
	chunk record;
BEGIN
	IF max_hours < 1 THEN
		RAISE EXCEPTION 'cannot roll up at most % hours', max_hours
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a positive number, or NULL for all that there are.';
	END IF;
	IF NOT pg_try_advisory_xact_lock('telemetry_rolled'::regclass::oid::int, 0) THEN
		RAISE NOTICE 'another session is rolling up telemetry';
		RETURN;
	END IF;
	FOR chunk IN
		SELECT h.hour FROM pending_telemetry_hours(until) h
		WHERE h.reason <> 'counted' AND NOT h.hour <@ (SELECT telemetry_span('telemetry_hour'))
	LOOP
		PERFORM make_telemetry_partitions(chunk.hour, chunk.hour + interval '1 hour');
	END LOOP;
	-- nobody may drop raw rows from now on: they would be taken for deleted
	LOCK TABLE ONLY telemetry, ONLY telemetry_hour IN ACCESS SHARE MODE;
	-- What has no raw rows any more is only counted; the rest goes partition by
	-- partition, each read once for all of its hours.
	FOR chunk IN
		SELECT p.partition, p.reason = 'counted' AS only_counted, p.slot, array_agg(p.hour ORDER BY p.hour) AS hours, array_agg(p.reason ORDER BY p.hour) AS reasons,
			min(p.hour) AS starts, max(p.hour) + interval '1 hour' AS ends,
			max(p.hour) - min(p.hour) = (count(*) - 1) * interval '1 hour' AS gapless
		FROM (SELECT h.hour, h.slot, h.reason, t.partition
			FROM (SELECT * FROM pending_telemetry_hours(until) ORDER BY 1 LIMIT max_hours) h
				LEFT JOIN telemetry_partition('telemetry') t ON t.period @> h.hour) p
		GROUP BY 1, 2, 3 ORDER BY min(p.hour)
	LOOP
		IF chunk.only_counted THEN
			WITH mark AS (
				DELETE FROM telemetry_dirty d WHERE hour_of(d.since) = ANY (chunk.hours) AND d.since >= chunk.starts AND d.since < chunk.ends
				RETURNING d.since, d.came, d.gone)
			INSERT INTO telemetry_arrival AS a (since, came, gone)
			SELECT m.since, sum(m.came), sum(m.gone) FROM mark m GROUP BY m.since
			ON CONFLICT (since) DO UPDATE SET came = a.came + excluded.came, gone = a.gone + excluded.gone;
			RETURN QUERY SELECT u.hour, chunk.slot, 'counted', 0::bigint, 0::bigint, 0::bigint FROM unnest(chunk.hours) u (hour);
			CONTINUE;
		END IF;
		RETURN QUERY
		WITH fresh AS MATERIALIZED (
			SELECT t.node_id, t.service_type, t.service_key, hour_of(t.sampled_at) AS hour,
				telemetry_agg(t.sampled_at, t.latency_ms, t.ok, chunk.slot) AS summary,
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0) AS work, sum(t.energy_mwh) AS energy_mwh, max(t.sampled_at) AS last_at
			FROM telemetry t
			WHERE t.sampled_at >= chunk.starts AND t.sampled_at < chunk.ends AND (chunk.gapless OR hour_of(t.sampled_at) = ANY (chunk.hours))
			GROUP BY t.node_id, t.service_type, t.service_key, hour_of(t.sampled_at)
		),
		mark AS (
			DELETE FROM telemetry_dirty d WHERE hour_of(d.since) = ANY (chunk.hours) AND d.since >= chunk.starts AND d.since < chunk.ends
			RETURNING d.since, d.came, d.gone
		),
		counted AS (
			INSERT INTO telemetry_arrival AS a (since, came, gone)
			SELECT m.since, sum(m.came), sum(m.gone) FROM mark m GROUP BY m.since
			ON CONFLICT (since) DO UPDATE SET came = a.came + excluded.came, gone = a.gone + excluded.gone
		),
		-- summaries that are right already stay untouched: after one late row
		-- that is all but one of the hour
		corrected AS (
			UPDATE telemetry_hour o SET summary = f.summary, work = f.work, energy_mwh = f.energy_mwh
			FROM fresh f
			WHERE o.hour >= chunk.starts AND o.hour < chunk.ends AND (o.hour, o.node_id, o.service_key) = (f.hour, f.node_id, f.service_key)
				AND (o.summary, o.work, o.energy_mwh) IS DISTINCT FROM (f.summary, f.work, f.energy_mwh)
			RETURNING o.hour
		),
		removed AS (
			DELETE FROM telemetry_hour o
			WHERE o.hour >= chunk.starts AND o.hour < chunk.ends AND o.hour = ANY (chunk.hours)
				AND NOT EXISTS (SELECT FROM fresh f WHERE (f.hour, f.node_id, f.service_key) = (o.hour, o.node_id, o.service_key))
			RETURNING o.hour
		),
		added AS (
			INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work, energy_mwh)
			SELECT f.node_id, f.service_type, f.hour, f.summary, f.work, f.energy_mwh
			FROM fresh f
			WHERE NOT EXISTS (SELECT FROM telemetry_hour o
				WHERE o.hour >= chunk.starts AND o.hour < chunk.ends AND (o.hour, o.node_id, o.service_key) = (f.hour, f.node_id, f.service_key))
			RETURNING hour
		),
		seen AS (
			INSERT INTO telemetry_reporter AS r (node_id, last_at)
			SELECT f.node_id, max(f.last_at) FROM fresh f GROUP BY f.node_id
			ON CONFLICT (node_id) DO UPDATE SET last_at = excluded.last_at WHERE excluded.last_at > r.last_at
		),
		result AS (
			SELECT u.hour, u.reason, count(f.node_id) AS summaries, coalesce(sum(samples(f.summary)), 0)::bigint AS samples
			FROM unnest(chunk.hours, chunk.reasons) u (hour, reason) LEFT JOIN fresh f ON f.hour = u.hour
			GROUP BY u.hour, u.reason
		),
		noted AS (
			INSERT INTO telemetry_rolled AS o (hour, slot, samples, rolled_at)
			SELECT s.hour, chunk.slot, s.samples, clock_timestamp() FROM result s
			ON CONFLICT (hour) DO UPDATE SET slot = excluded.slot, samples = excluded.samples, rolls = o.rolls + 1, rolled_at = excluded.rolled_at
		)
		SELECT s.hour, chunk.slot, s.reason, s.summaries, s.samples, count(c.hour)
		FROM result s LEFT JOIN (SELECT * FROM corrected UNION ALL SELECT * FROM removed UNION ALL SELECT * FROM added) c ON c.hour = s.hour
		GROUP BY s.hour, s.reason, s.summaries, s.samples
		ORDER BY s.hour;
	END LOOP;
END $$;
COMMENT ON FUNCTION roll_telemetry_hours(timestamptz, int) IS
'rolls telemetry up into telemetry_hour: the hours that ended by until (NULL: now) and are not rolled up yet or have changed since, oldest first, at most max_hours (NULL: all), and no other hour. Returns each with its slot, the reason (see pending_telemetry_hours), its number of summaries, the raw rows in them and how many summaries it wrote or removed. One transaction: done or not done; safe to repeat, safe beside loaders; a second session at the same time returns at once, saying so. No epoch depends on whether or when it ran. Errors: max_hours below 1';

-- It commits, hence may not have a SET clause: every name is qualified.
CREATE PROCEDURE roll_telemetry(until timestamptz DEFAULT NULL, batch int DEFAULT 24)
LANGUAGE plpgsql AS $$
DECLARE
	stop timestamptz := coalesce(until, pg_catalog.now());
	todo bigint;
	done bigint;
	more bigint;
BEGIN
	SELECT pg_catalog.count(*) INTO todo FROM @extschema@.pending_telemetry_hours(stop);
	done := 0;
	-- no longer than what there was to do at the start, so that it ends beside any load
	WHILE done OPERATOR(pg_catalog.<) todo LOOP
		SELECT pg_catalog.count(*) INTO more FROM @extschema@.roll_telemetry_hours(stop, batch);
		COMMIT;
		EXIT WHEN more OPERATOR(pg_catalog.=) 0;
		done := done OPERATOR(pg_catalog.+) more;
		RAISE NOTICE '% of % hours rolled up', done, todo;
	END LOOP;
END $$;
COMMENT ON PROCEDURE roll_telemetry(timestamptz, int) IS
'roll_telemetry_hours until nothing is left to do, with a commit after each batch of hours, so that what is done stays done if it is stopped; for schedulers and for large backlogs. Errors: within a transaction block; batch below 1';

CREATE FUNCTION verify_telemetry_hours(period tstzrange)
RETURNS TABLE (hour timestamptz, node_id bigint, service_type code)
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
	WITH hours AS MATERIALIZED (
		SELECT r.hour, r.slot FROM telemetry_rolled r
		WHERE r.hour < upper(period) AND r.hour > lower(period) - interval '1 hour' AND r.slot IS NOT NULL AND NOT r.raw_dropped
			AND tstzrange(r.hour, r.hour + interval '1 hour') <@ (SELECT telemetry_span('telemetry', watched => true))
			AND NOT EXISTS (SELECT FROM telemetry_dirty d WHERE d.since >= r.hour AND d.since < r.hour + interval '1 hour')
	)
	SELECT coalesce(a.hour, b.hour), coalesce(a.node_id, b.node_id), coalesce(a.service_type, b.service_type)
	FROM (SELECT o.hour, o.node_id, o.service_type, o.service_key, o.summary, o.work, o.energy_mwh
			FROM telemetry_hour o JOIN hours h ON h.hour = o.hour
			WHERE o.hour < upper(period) AND o.hour > lower(period) - interval '1 hour') a
		FULL JOIN (SELECT h.hour, t.node_id, t.service_type, t.service_key, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, h.slot) AS summary,
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0) AS work, sum(t.energy_mwh) AS energy_mwh
			FROM telemetry t JOIN hours h ON h.hour = hour_of(t.sampled_at)
			WHERE t.sampled_at < upper(period) + interval '1 hour' AND t.sampled_at > lower(period) - interval '1 hour'
			GROUP BY h.hour, t.node_id, t.service_type, t.service_key) b
		ON b.hour = a.hour AND b.node_id = a.node_id AND b.service_key = a.service_key
	WHERE (a.summary, a.work, a.energy_mwh) IS DISTINCT FROM (b.summary, b.work, b.energy_mwh)
$$;
COMMENT ON FUNCTION verify_telemetry_hours(tstzrange) IS
'compares telemetry_hour with the raw rows, over the hours of a period that are rolled up, not dirty, and whose raw rows are there; returns what differs, which is nothing unless somebody wrote behind the triggers. NULL for NULL';

-- Late rows and epochs.

ALTER TABLE policy ADD COLUMN grace_period interval NOT NULL DEFAULT '1 hour' CHECK (grace_period >= interval '0');
COMMENT ON COLUMN policy.grace_period IS 'how long after its end an epoch waits for late telemetry before it should be computed, unless the epoch says otherwise; see epoch_closes_at()';
ALTER TABLE policy ADD COLUMN silent_after interval NOT NULL DEFAULT '1 hour' CHECK (silent_after > interval '0');
COMMENT ON COLUMN policy.silent_after IS 'a node whose latest telemetry is older than that of the most recent node by more than this is silent: the global watermark does not wait for it';
ALTER TABLE epoch ADD COLUMN grace_period interval CHECK (grace_period >= interval '0');
COMMENT ON COLUMN epoch.grace_period IS 'how long it waits for late telemetry after its end; NULL: as its policy says. Not an input';

CREATE FUNCTION epoch_closes_at(epoch_id bigint) RETURNS timestamptz
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT (upper(e.period) AT TIME ZONE 'UTC' + coalesce(e.grace_period, p.grace_period)) AT TIME ZONE 'UTC'
	FROM epoch e LEFT JOIN policy p ON p.policy_id = coalesce(e.policy_id,
		(SELECT l.policy_id FROM policy l WHERE l.effective_from <= lower(e.period) ORDER BY l.effective_from DESC LIMIT 1))
	WHERE e.epoch_id = (SELECT (known_epoch(epoch_closes_at.epoch_id)).epoch_id);
END;
COMMENT ON FUNCTION epoch_closes_at(bigint) IS
'end of an epoch''s grace period: its end plus its own grace_period, or its policy''s, days being 24 hours. Schedulers compute it then; run_epoch does so whenever it is told to, once the epoch has ended. NULL for NULL; errors: no such epoch';

CREATE FUNCTION telemetry_changes(period tstzrange, OUT came numeric, OUT gone numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT coalesce(sum(c.came), 0), coalesce(sum(c.gone), 0)
	FROM (SELECT a.came, a.gone FROM telemetry_arrival a WHERE a.since >= lower(period) AND a.since < upper(period)
		UNION ALL SELECT d.came, d.gone FROM telemetry_dirty d WHERE d.since >= lower(period) AND d.since < upper(period)) c;
END;
COMMENT ON FUNCTION telemetry_changes(tstzrange) IS
'how many rows of telemetry ever came and went in the period of an epoch (of another period: in the hours that start in it), whether rolled up or not. Neither ever falls, and rolling up changes neither: what two calls differ by is what was written between them. NULL for NULL';

CREATE TABLE epoch_computation (
	epoch_id bigint NOT NULL REFERENCES epoch,
	computation int NOT NULL CHECK (computation >= 1),
	computed_at timestamptz NOT NULL,
	computed_by name NOT NULL,
	reason text NOT NULL CHECK (reason <> ''),
	came numeric(38,0) NOT NULL CHECK (came >= 0),
	gone numeric(38,0) NOT NULL CHECK (gone >= 0),
	late_came numeric(38,0) NOT NULL CHECK (late_came >= 0),
	late_gone numeric(38,0) NOT NULL CHECK (late_gone >= 0),
	digest bytea NOT NULL CHECK (length(digest) = 32),
	PRIMARY KEY (epoch_id, computation)
);
COMMENT ON TABLE epoch_computation IS 'every computation of every epoch, the first and those again, with the reason; rows are only ever added';
COMMENT ON COLUMN epoch_computation.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_computation.computation IS '1 for the first, 2 for the first recomputation, and so on';
COMMENT ON COLUMN epoch_computation.computed_at IS 'when; not an input';
COMMENT ON COLUMN epoch_computation.computed_by IS 'the database user who called run_epoch';
COMMENT ON COLUMN epoch_computation.reason IS 'why: as given to run_epoch, else as found';
COMMENT ON COLUMN epoch_computation.came IS 'rows of telemetry that had ever come in its period, see telemetry_changes()';
COMMENT ON COLUMN epoch_computation.gone IS 'rows of telemetry that had ever gone in its period';
COMMENT ON COLUMN epoch_computation.late_came IS 'of them since the computation before: the late rows that this one takes in';
COMMENT ON COLUMN epoch_computation.late_gone IS 'of them since the computation before';
COMMENT ON COLUMN epoch_computation.digest IS 'the digest that it led to; the same as before: nothing that counts had changed';

CREATE FUNCTION epoch_computation_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION 'cannot change or remove rows of epoch_computation'
		USING ERRCODE = 'restrict_violation', HINT = 'It records what happened; CALL run_epoch adds to it.';
END $$;
COMMENT ON FUNCTION epoch_computation_guard() IS 'trigger: epoch_computation is append-only';
CREATE TRIGGER epoch_computation_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON epoch_computation FOR EACH STATEMENT EXECUTE FUNCTION epoch_computation_guard();

CREATE FUNCTION late_telemetry(epoch_id bigint, OUT came numeric, OUT gone numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT t.came - c.came, t.gone - c.gone
	FROM epoch e, LATERAL (SELECT x.came, x.gone FROM epoch_computation x WHERE x.epoch_id = e.epoch_id ORDER BY x.computation DESC LIMIT 1) c,
		LATERAL telemetry_changes(e.period) t
	WHERE e.epoch_id = (SELECT (known_epoch(late_telemetry.epoch_id)).epoch_id);
END;
COMMENT ON FUNCTION late_telemetry(bigint) IS
'rows of telemetry that came and went in the period of an epoch after it was last computed. NULL for NULL and for an epoch never computed; errors: no such epoch';

CREATE FUNCTION record_computation(epoch_id bigint, reason text, came numeric, gone numeric) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	last epoch_computation;
	why text := reason;
BEGIN
	PERFORM (opened_epoch(record_computation.epoch_id)).epoch_id;
	SELECT * INTO last FROM epoch_computation c WHERE c.epoch_id = record_computation.epoch_id ORDER BY c.computation DESC LIMIT 1;
	IF why IS NULL THEN
		why := CASE WHEN last.computation IS NULL THEN 'first computation'
			WHEN came > last.came OR gone > last.gone THEN format('late telemetry: %s rows came, %s went', came - last.came, gone - last.gone)
			ELSE 'no reason given' END;
	END IF;
	INSERT INTO epoch_computation (epoch_id, computation, computed_at, computed_by, reason, came, gone, late_came, late_gone, digest)
	SELECT e.epoch_id, coalesce(last.computation, 0) + 1, e.computed_at, session_user, why, record_computation.came, record_computation.gone,
		record_computation.came - coalesce(last.came, record_computation.came), record_computation.gone - coalesce(last.gone, record_computation.gone), e.digest
	FROM epoch e WHERE e.epoch_id = record_computation.epoch_id;
	IF last.computation IS NOT NULL THEN
		RAISE NOTICE 'epoch %: computed again (%)', record_computation.epoch_id, why;
	END IF;
END $$;
COMMENT ON FUNCTION record_computation(bigint, text, numeric, numeric) IS
'run_epoch step, after the epoch is computed: adds to epoch_computation, with what telemetry_changes said before the computation read anything; where no reason is given it is found out';

-- The count was taken before the epoch read telemetry. Rows that were committed
-- in between are in the result and count as late all the same: one computation
-- too many, never one too few.
CREATE FUNCTION epoch_late_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	late record;
BEGIN
	SELECT * INTO late FROM late_telemetry(NEW.epoch_id);
	IF late.came > 0 OR late.gone > 0 THEN
		RAISE EXCEPTION 'epoch % cannot become final: since it was computed % rows of its telemetry came and % went', NEW.epoch_id, late.came, late.gone
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) to take them in.', NEW.epoch_id);
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION epoch_late_guard() IS 'trigger: an epoch becomes final with all the telemetry that has arrived by then, or not at all';
CREATE TRIGGER epoch_late_guard BEFORE UPDATE ON epoch FOR EACH ROW WHEN (OLD.status <> 'final' AND NEW.status = 'final') EXECUTE FUNCTION epoch_late_guard();

SELECT pg_catalog.pg_extension_config_dump('telemetry_dirty', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_arrival', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_rolled', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_reporter', '');
SELECT pg_catalog.pg_extension_config_dump('epoch_computation', '');

REVOKE ALL ON FUNCTION mark_telemetry_hours(tstzrange), forget_telemetry_partition(regclass, tstzrange), watch_telemetry_partition(regclass),
	roll_telemetry_hours(timestamptz, int), record_computation(bigint, text, numeric, numeric) FROM PUBLIC;
