-- Hourly summaries: only the hours whose rows have changed, as marks say, are rolled up (again).
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION telemetry_hour_slot(hour timestamptz) RETURNS interval
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT coalesce((SELECT p.telemetry_slot
	FROM policy p
	WHERE p.policy_id = coalesce(
		(SELECT e.policy_id FROM epoch e WHERE e.period @> hour),
		(SELECT l.policy_id FROM policy l
			WHERE l.effective_from <= coalesce((SELECT lower(e.period) FROM epoch e WHERE e.period @> hour), hour)
			ORDER BY l.effective_from DESC LIMIT 1))), interval '1 minute');
END;
COMMENT ON FUNCTION telemetry_hour_slot(timestamptz) IS
'slot that the summaries of an hour are made with: that of the policy of the epoch in which the hour starts, or of the policy in effect then; 1 minute where there is none. NULL for NULL';

CREATE FUNCTION pending_telemetry_hours(until timestamptz DEFAULT NULL)
RETURNS TABLE (hour timestamptz, slot interval, reason text, came bigint, gone bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET enable_nestloop = off SET jit = off SET plan_cache_mode = force_custom_plan AS $$
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
			PERFORM count_marks(chunk.starts, chunk.ends, chunk.hours);
			RETURN QUERY SELECT u.hour, chunk.slot, 'counted', 0::bigint, 0::bigint, 0::bigint FROM unnest(chunk.hours) u (hour);
			CONTINUE;
		END IF;
		IF telemetry_is_distributed() THEN
			RETURN QUERY SELECT * FROM roll_distributed_hours(chunk.slot, chunk.hours, chunk.reasons);
			CONTINUE;
		END IF;
		RETURN QUERY EXECUTE format($q$
		WITH fresh AS MATERIALIZED (
			SELECT t.node_id, t.service_type, t.service_key, hour_of(t.sampled_at) AS hour,
				%s, max(t.sampled_at) AS last_at
			FROM telemetry t
			WHERE t.sampled_at >= $1 AND t.sampled_at < $2 AND ($3 OR hour_of(t.sampled_at) = ANY ($4))
			GROUP BY t.node_id, t.service_type, t.service_key, hour_of(t.sampled_at)
		),
		mark AS (
			DELETE FROM telemetry_dirty d WHERE hour_of(d.since) = ANY ($4) AND d.since >= $1 AND d.since < $2
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
			UPDATE telemetry_hour o SET summary = f.summary, work_summary = f.work_summary, work = f.work, metered_work = f.metered_work, fee = f.fee, energy_mwh = f.energy_mwh
			FROM fresh f
			WHERE o.hour >= $1 AND o.hour < $2 AND (o.hour, o.node_id, o.service_key) = (f.hour, f.node_id, f.service_key)
				AND (o.summary, o.work_summary, o.work, o.metered_work, o.fee, o.energy_mwh) IS DISTINCT FROM (f.summary, f.work_summary, f.work, f.metered_work, f.fee, f.energy_mwh)
			RETURNING o.hour
		),
		removed AS (
			DELETE FROM telemetry_hour o
			WHERE o.hour >= $1 AND o.hour < $2 AND o.hour = ANY ($4)
				AND NOT EXISTS (SELECT FROM fresh f WHERE (f.hour, f.node_id, f.service_key) = (o.hour, o.node_id, o.service_key))
			RETURNING o.hour
		),
		added AS (
			INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work_summary, work, metered_work, fee, energy_mwh)
			SELECT f.node_id, f.service_type, f.hour, f.summary, f.work_summary, f.work, f.metered_work, f.fee, f.energy_mwh
			FROM fresh f
			WHERE NOT EXISTS (SELECT FROM telemetry_hour o
				WHERE o.hour >= $1 AND o.hour < $2 AND (o.hour, o.node_id, o.service_key) = (f.hour, f.node_id, f.service_key))
			RETURNING hour
		),
		seen AS (
			INSERT INTO telemetry_reporter AS r (node_id, last_at)
			SELECT f.node_id, max(f.last_at) FROM fresh f GROUP BY f.node_id
			ON CONFLICT (node_id) DO UPDATE SET last_at = excluded.last_at WHERE excluded.last_at > r.last_at
		),
		result AS (
			SELECT u.hour, u.reason, count(f.node_id) AS summaries, coalesce(sum(samples(f.summary)), 0)::bigint AS samples
			FROM unnest($4, $5) u (hour, reason) LEFT JOIN fresh f ON f.hour = u.hour
			GROUP BY u.hour, u.reason
		),
		noted AS (
			INSERT INTO telemetry_rolled AS o (hour, slot, samples, rolled_at)
			SELECT s.hour, $6, s.samples, clock_timestamp() FROM result s
			ON CONFLICT (hour) DO UPDATE SET slot = excluded.slot, samples = excluded.samples, rolls = o.rolls + 1, rolled_at = excluded.rolled_at
		)
		SELECT s.hour, $6, s.reason, s.summaries, s.samples, count(c.hour)
		FROM result s LEFT JOIN (SELECT * FROM corrected UNION ALL SELECT * FROM removed UNION ALL SELECT * FROM added) c ON c.hour = s.hour
		GROUP BY s.hour, s.reason, s.summaries, s.samples
		ORDER BY s.hour $q$, telemetry_measures(chunk.slot))
		USING chunk.starts, chunk.ends, chunk.gapless, chunk.hours, chunk.reasons, chunk.slot;
	END LOOP;
END $$;
COMMENT ON FUNCTION roll_telemetry_hours(timestamptz, int) IS
'rolls telemetry up into telemetry_hour: the hours that ended by until (NULL: now) and are not rolled up yet or have changed since, oldest first, at most max_hours (NULL: all), and no other hour. Returns each with its slot, the reason (see pending_telemetry_hours), its number of summaries, the raw rows in them and how many summaries it wrote or removed. One transaction: done or not done; safe to repeat, safe beside loaders; a second session at the same time returns at once, saying so. No epoch depends on whether or when it ran. Errors: max_hours below 1';

-- It commits, hence may not have a SET clause: every name is qualified.
CREATE PROCEDURE swarm_reward.roll_telemetry(until timestamptz DEFAULT NULL, batch int DEFAULT 24)
LANGUAGE plpgsql AS $$
DECLARE
	stop timestamptz := coalesce(until, pg_catalog.now());
	todo bigint;
	done bigint;
	more bigint;
BEGIN
	IF NOT swarm_reward_internal.can_commit() THEN
		RAISE EXCEPTION 'roll_telemetry() cannot run inside a transaction block'
			USING ERRCODE = 'active_sql_transaction',
				DETAIL = 'Each batch of hours commits on its own, so that what is done stays done.',
				HINT = 'CALL it on its own: not between BEGIN and COMMIT, not from a function or a block with EXCEPTION, and with autocommit on.';
	END IF;
	-- what changed on workers is known here first
	PERFORM swarm_reward_internal.collect_telemetry_marks();
	COMMIT;
	SELECT pg_catalog.count(*) INTO todo FROM swarm_reward_internal.pending_telemetry_hours(stop);
	done := 0;
	-- no longer than what there was to do at the start, so that it ends beside any load
	WHILE done OPERATOR(pg_catalog.<) todo LOOP
		SELECT pg_catalog.count(*) INTO more FROM swarm_reward_internal.roll_telemetry_hours(stop, batch);
		COMMIT;
		EXIT WHEN more OPERATOR(pg_catalog.=) 0;
		done := done OPERATOR(pg_catalog.+) more;
		RAISE NOTICE '% of % hours rolled up', done, todo;
	END LOOP;
END $$;
COMMENT ON PROCEDURE swarm_reward.roll_telemetry(timestamptz, int) IS
'roll_telemetry_hours until nothing is left to do, with a commit after each batch of hours, so that what is done stays done if it is stopped; for schedulers and for large backlogs. Errors: within a transaction block; batch below 1';

CREATE FUNCTION verify_telemetry_hours(period tstzrange)
RETURNS TABLE (hour timestamptz, node_id bigint, service_type code)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	s interval;
BEGIN
	FOR s IN SELECT DISTINCT r.slot FROM telemetry_rolled r WHERE r.hour < upper(period) AND r.hour > lower(period) - interval '1 hour' AND r.slot IS NOT NULL LOOP
		RETURN QUERY EXECUTE format($q$
			WITH hours AS MATERIALIZED (
				SELECT r.hour FROM telemetry_rolled r
				WHERE r.hour < upper($1) AND r.hour > lower($1) - interval '1 hour' AND r.slot = $2 AND NOT r.raw_dropped
					AND tstzrange(r.hour, r.hour + interval '1 hour') <@ (SELECT telemetry_span('telemetry', watched => true))
					AND NOT EXISTS (SELECT FROM telemetry_dirty d WHERE d.since >= r.hour AND d.since < r.hour + interval '1 hour')
			)
			SELECT coalesce(a.hour, b.hour), coalesce(a.node_id, b.node_id), coalesce(a.service_type, b.service_type)
			FROM (SELECT o.hour, o.node_id, o.service_type, o.service_key, o.summary, o.work_summary, o.work, o.metered_work, o.fee, o.energy_mwh
					FROM telemetry_hour o JOIN hours h ON h.hour = o.hour
					WHERE o.hour < upper($1) AND o.hour > lower($1) - interval '1 hour') a
				FULL JOIN (SELECT h.hour, t.node_id, t.service_type, t.service_key, %s
					FROM telemetry t JOIN hours h ON h.hour = hour_of(t.sampled_at)
					WHERE t.sampled_at < upper($1) + interval '1 hour' AND t.sampled_at > lower($1) - interval '1 hour'
					GROUP BY h.hour, t.node_id, t.service_type, t.service_key) b
				ON b.hour = a.hour AND b.node_id = a.node_id AND b.service_key = a.service_key
			-- as text: a worker, where this may run, does not find the operators of our types
			WHERE (a.summary::text, a.work_summary::text, a.work, a.metered_work, a.fee, a.energy_mwh) IS DISTINCT FROM (b.summary::text, b.work_summary::text, b.work, b.metered_work, b.fee, b.energy_mwh) $q$,
			telemetry_measures(s)) USING period, s;
	END LOOP;
END $$;
COMMENT ON FUNCTION verify_telemetry_hours(tstzrange) IS
'compares telemetry_hour with the raw rows, over the hours of a period that are rolled up, not dirty, and whose raw rows are there; returns what differs, which is nothing unless somebody wrote behind the triggers. NULL for NULL';

REVOKE ALL ON FUNCTION roll_telemetry_hours(timestamptz, int), pending_telemetry_hours(timestamptz) FROM PUBLIC;
REVOKE ALL ON PROCEDURE swarm_reward.roll_telemetry(timestamptz, int) FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
