-- Partitions of telemetry: made ahead, dropped when their epochs are final and their time is over.
--
-- Why BRIN on sampled_at, and on the hour of summaries: of a day of 14.4 million rows that ingest wrote hour by
-- hour (867 MB), one hour of all nodes takes 0.8 s without an index, 0.3 s with
-- a B-tree of 100 MB, which makes each insert dearer by a twentieth, and 0.08 s
-- with a BRIN of 128 kB, which costs inserts nothing that could be measured. One
-- hour of one node is for the primary key: 2 ms.

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TABLE telemetry_dropped (
	relation code NOT NULL CHECK (relation IN ('telemetry', 'telemetry_hour')),
	period tstzrange NOT NULL CHECK (NOT isempty(period)),
	bytes bigint NOT NULL CHECK (bytes >= 0),
	dropped_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (relation, period, dropped_at)
);
COMMENT ON TABLE telemetry_dropped IS 'what retention has dropped: ingest_telemetry rejects rows of these times as out of retention, unless a partition was made for them again';
COMMENT ON COLUMN telemetry_dropped.relation IS 'telemetry or telemetry_hour';
COMMENT ON COLUMN telemetry_dropped.period IS 'the time that the partition held';
COMMENT ON COLUMN telemetry_dropped.bytes IS 'its size with its indexes';
COMMENT ON COLUMN telemetry_dropped.dropped_at IS 'when it was dropped';

CREATE FUNCTION drop_telemetry_partitions(retention interval, hour_retention interval DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
-- a drop waits for every reader, and keeps new ones waiting: not for long
SET lock_timeout = '2s' SET timezone = 'UTC' SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
	settled timestamptz;
	past record;
	gone int := 0;
BEGIN
	IF retention IS NULL OR retention NOT BETWEEN interval '0' AND interval '10000 years' OR hour_retention NOT BETWEEN interval '0' AND interval '10000 years' THEN
		RAISE EXCEPTION 'cannot keep telemetry for %', CASE WHEN retention BETWEEN interval '0' AND interval '10000 years' THEN hour_retention ELSE retention END
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a time from 0 to 10000 years, for example ''90 days''; NULL keeps all.';
	END IF;
	-- No epoch can come to need what is before this: epochs become final in order, and one looks back from its
	-- beginning no further than its policy's heartbeat_timeout. A restatement may: it says so then.
	SELECT date_bin('1 hour', max(upper(e.period)) - (SELECT coalesce(max(p.heartbeat_timeout), '0') FROM policy p), timestamptz '2000-01-01 00:00+00') INTO settled FROM epoch e
	WHERE e.status = 'final'
		AND NOT EXISTS (SELECT FROM epoch o WHERE o.status <> 'final' AND lower(o.period) < upper(e.period));
	FOR past IN
		SELECT p.partition, p.period, k.relname, upper(p.period) <= settled AS is_settled
		FROM (VALUES ('telemetry', retention), ('telemetry_hour', hour_retention)) k (relname, span),
			telemetry_partition(k.relname::regclass) p
		WHERE upper(p.period) <= now() - k.span
		ORDER BY p.period, k.relname
	LOOP
		IF past.is_settled IS NOT TRUE THEN
			RAISE NOTICE '% is kept: an epoch that is not final may need it', past.partition;
			CONTINUE;
		END IF;
		BEGIN
			INSERT INTO telemetry_dropped (relation, period, bytes)
			VALUES (past.relname, past.period, pg_total_relation_size(past.partition));
			EXECUTE format('DROP TABLE %s', past.partition);
			gone := gone + 1;
		EXCEPTION WHEN lock_not_available THEN
			RAISE WARNING '% was not dropped: it is in use', past.partition
				USING HINT = 'The next call will try again.';
			EXIT;
		END;
	END LOOP;
	RETURN gone;
END $$;
COMMENT ON FUNCTION drop_telemetry_partitions(interval, interval) IS
'drops the partitions of telemetry that ended longer than retention ago, and those of telemetry_hour that ended longer than hour_retention ago (NULL: none), which no epoch that is not final can need: each looks back by its policy''s heartbeat_timeout; returns how many, and writes each to telemetry_dropped. Partitions that one may need are kept, with a notice; one that is in use is left to the next call, with a warning. Errors: a retention that is NULL, negative or beyond 10 000 years';

CREATE FUNCTION swarm_reward.keep_telemetry_partitions(ahead interval DEFAULT '7 days', retention interval DEFAULT NULL, hour_retention interval DEFAULT NULL,
	OUT made int, OUT dropped int) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
	start timestamptz := now() - interval '1 day';
	newest timestamptz;
BEGIN
	-- compared with days, interval '1 year' has 360 of them
	IF ahead IS NULL OR ahead < interval '0' OR ahead > interval '366 days' THEN
		RAISE EXCEPTION 'cannot make telemetry partitions % ahead', coalesce(ahead::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a time from 0 to a year, for example ''7 days''.';
	END IF;
	-- the days since it was last called, should that be a while ago
	SELECT max(upper(p.period)) INTO newest FROM telemetry_partition('telemetry') p;
	IF newest < start AND newest > now() - interval '31 days' THEN
		start := newest;
	END IF;
	made := make_telemetry_partitions(start, now() + ahead);
	dropped := 0;
	IF retention IS NOT NULL THEN
		dropped := drop_telemetry_partitions(retention, hour_retention);
	END IF;
END $$;
COMMENT ON FUNCTION swarm_reward.keep_telemetry_partitions(interval, interval, interval) IS
'to be called once a day or more often: makes the missing partitions from yesterday, or from the end of the newest one if that was within 31 days, until ahead from now, and with retention drops old ones by drop_telemetry_partitions; returns how many of each. Errors: a time that is negative, NULL or more than a year ahead, a retention beyond 10 000 years';

SELECT pg_catalog.pg_extension_config_dump('telemetry_dropped', '');
REVOKE ALL ON FUNCTION drop_telemetry_partitions(interval, interval), swarm_reward.keep_telemetry_partitions(interval, interval, interval) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
