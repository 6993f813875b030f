-- Hourly summaries of telemetry: what they need to know about the raw rows,
-- how they are made, and what late rows do to epochs.
--
-- Whoever writes telemetry leaves a row in telemetry_dirty, in the same
-- transaction, by statement triggers. A roll-up takes away, in one statement
-- and hence under one snapshot, the marks it can see and puts there the
-- summaries of the rows it can see: the marks of a transaction that commits
-- later stay, and with them the hour stays dirty. Marks are only ever added,
-- never updated, so that loaders do not wait for each other.

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION hour_of(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT date_bin('1 hour', at, timestamptz '2000-01-01 00:00+00');
END;
COMMENT ON FUNCTION hour_of(timestamptz) IS 'start of the UTC hour that holds a time, whatever the time zone of the session; NULL for NULL, an error for an infinite time';

CREATE TABLE telemetry_dirty (
	mark_id bigint GENERATED ALWAYS AS IDENTITY,
	since timestamptz NOT NULL CHECK (isfinite(since)),
	came bigint NOT NULL CHECK (came >= 0),
	gone bigint NOT NULL CHECK (gone >= 0)
);
COMMENT ON TABLE telemetry_dirty IS 'hours of telemetry whose rows changed after they were rolled up, or that never were; one row per statement and hour, written by triggers, taken away by roll_telemetry_hours';
COMMENT ON COLUMN telemetry_dirty.mark_id IS 'number of the mark on this server';
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
		-- three of the parent's triggers and four of its own; where telemetry is distributed its shards have them, see watch_shards()
		telemetry_is_distributed() OR (SELECT count(*) = 7 FROM pg_trigger t WHERE t.tgrelid IN (parent, c.oid) AND t.tgfoid = 'mark_telemetry()'::regprocedure AND t.tgenabled IN ('O', 'A'))
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
		-- MINVALUE and MAXVALUE give NULL: no bound. 0, as some minor releases would open a partition here that is gone by now
		regexp_match(pg_get_expr(c.relpartbound, 0), $re$^FOR VALUES FROM \((?:'([^']+)'|MINVALUE)\) TO \((?:'([^']+)'|MAXVALUE)\)$re$) m
	-- has_table_privilege is NULL of what is gone by now
	WHERE i.inhparent = parent AND m IS NOT NULL AND has_table_privilege(c.oid, 'SELECT') IS NOT NULL
$$;
COMMENT ON FUNCTION telemetry_partition(regclass) IS 'the partitions of telemetry, of telemetry_hour, or of any table partitioned by one timestamptz, with the time that each is for, and whether it has the triggers of watch_telemetry_partition(); a default partition is left out. NULL for NULL';

CREATE FUNCTION telemetry_span(parent regclass, watched boolean DEFAULT false) RETURNS tstzmultirange
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT coalesce(range_agg(p.period), '{}') FROM telemetry_partition(parent) p WHERE p.watched OR NOT telemetry_span.watched
$$;
COMMENT ON FUNCTION telemetry_span(regclass, boolean) IS 'all the time that there are partitions for, or, with watched, those that mark the hours that change; see telemetry_partition(). NULL for NULL';

CREATE FUNCTION count_marks(starts timestamptz, ends timestamptz, hours timestamptz[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	WITH mark AS (
		DELETE FROM telemetry_dirty d
		WHERE d.since >= starts AND d.since < ends AND (hours IS NULL OR hour_of(d.since) = ANY (hours))
		RETURNING d.since, d.came, d.gone)
	INSERT INTO telemetry_arrival AS a (since, came, gone)
	SELECT m.since, sum(m.came), sum(m.gone) FROM mark m GROUP BY m.since
	ON CONFLICT (since) DO UPDATE SET came = a.came + excluded.came, gone = a.gone + excluded.gone;
END $$;
COMMENT ON FUNCTION count_marks(timestamptz, timestamptz, timestamptz[]) IS
'turns marks from one time to before another, of these hours (NULL: all), into counts of rows that came and went. Nothing where a time is NULL';

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
'trigger: whoever writes telemetry marks the hours in telemetry_dirty; runs with the owner''s rights, so that writing telemetry is all the right one needs. rows of a foreign partition never come here, see refuse_foreign_rows()';

-- Partitions inherit the one for rows, also those that are attached later.
CREATE FUNCTION refuse_foreign_rows() RETURNS trigger
AS 'MODULE_PATHNAME', 'sr_refuse_foreign_rows' LANGUAGE C;
COMMENT ON FUNCTION refuse_foreign_rows() IS
'trigger: rows of telemetry that are in a foreign partition can only be changed on their own server, because nothing would mark their hours here';

CREATE FUNCTION hint_telemetry() RETURNS trigger
AS 'MODULE_PATHNAME', 'sr_hint_telemetry' LANGUAGE C;
COMMENT ON FUNCTION hint_telemetry() IS
'trigger: what the server refuses of a statement that writes telemetry, a time without a partition, an unknown node or service, a row that is there already, it refuses with a hint';

-- Statement triggers belong to the table that a statement names: the parent's
-- see the rows of all partitions, but not what is written to one directly.
CREATE FUNCTION watch_telemetry_partition(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	IF NOT EXISTS (SELECT FROM pg_partitioned_table t WHERE t.partrelid = partition) THEN	-- where the rows are
		EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	ELSIF NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = partition) THEN	-- what is below has them from here
		EXECUTE format('CREATE OR REPLACE TRIGGER refuse_foreign_rows BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION refuse_foreign_rows()', partition);
		EXECUTE format('CREATE OR REPLACE TRIGGER refuse_foreign_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_foreign_rows()', partition);
		-- Rows that break a rule are refused in words, as in other tables. What the server finds before a row's triggers, a day
		-- without a partition, and after them, keys, it says in its own, with the value: to look each node up here, too, would be
		-- the work of the foreign key once more. To those words comes a hint.
		EXECUTE format('CREATE OR REPLACE TRIGGER check_row BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION check_row()', partition);
		EXECUTE format('CREATE OR REPLACE TRIGGER hint_telemetry BEFORE INSERT OR UPDATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION hint_telemetry()', partition);
	END IF;
END $$;
COMMENT ON FUNCTION watch_telemetry_partition(regclass) IS
'puts the triggers on a partition of telemetry that mark hours when it is written to directly, not by way of telemetry; make_telemetry_partitions does it, a partition made or attached by hand should have it too: without, its hours are read from raw rows alone. On telemetry itself it puts also those for single rows, which partitions inherit. Safe to repeat';
SELECT watch_telemetry_partition('telemetry');

CREATE FUNCTION last_bound(parent regclass) RETURNS timestamptz
AS 'MODULE_PATHNAME', 'sr_last_bound' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION last_bound(regclass) IS
'end of the last partition of telemetry, or of any table partitioned by one timestamptz: infinity where it has none; NULL for NULL, and where there is no partition but perhaps a default one';

CREATE FUNCTION mark_telemetry_hours(period tstzrange) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
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

-- Neither number ever falls, and rolling up changes neither: what two calls differ by is what was
-- written between them.
CREATE FUNCTION telemetry_changes(period tstzrange, OUT came numeric, OUT gone numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT coalesce(sum(c.came), 0), coalesce(sum(c.gone), 0)
	FROM (SELECT a.came, a.gone FROM telemetry_arrival a WHERE a.since >= lower(period) AND a.since < upper(period)
		UNION ALL SELECT d.came, d.gone FROM telemetry_dirty d WHERE d.since >= lower(period) AND d.since < upper(period)) c;
END;
COMMENT ON FUNCTION telemetry_changes(tstzrange) IS
'how many rows of telemetry ever came and went in the period of an epoch, whether rolled up or not. NULL for NULL';

SELECT pg_catalog.pg_extension_config_dump('telemetry_dirty', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_dirty_mark_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_arrival', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_rolled', '');
SELECT pg_catalog.pg_extension_config_dump('telemetry_reporter', '');
REVOKE ALL ON FUNCTION count_marks(timestamptz, timestamptz, timestamptz[]), mark_telemetry_hours(tstzrange), forget_telemetry_partition(regclass, tstzrange), watch_telemetry_partition(regclass) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
