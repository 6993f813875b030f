-- Where an epoch finds its telemetry: the hours that lie wholly in it and are rolled up come from
-- telemetry_hour, everything else from raw rows. The result is the same to the bit.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION telemetry_measures(slot interval) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $f$
	SELECT format($q$ telemetry_agg(t.sampled_at, t.latency_ms, t.ok, %1$L::interval) AS summary,
		rollup(work_summary(t.latency_ms, t.work, %1$L::interval)) FILTER (WHERE t.ok AND t.work > 0) AS work_summary,
		coalesce(sum(t.work) FILTER (WHERE t.ok), 0) AS work,
		coalesce(sum(t.work) FILTER (WHERE t.ok AND t.energy_mwh IS NOT NULL), 0) AS metered_work,
		coalesce(sum(t.fee) FILTER (WHERE t.ok), 0) AS fee,
		sum(t.energy_mwh) AS energy_mwh $q$, slot)
$f$;
COMMENT ON FUNCTION telemetry_measures(interval) IS
'the columns that raw rows t of telemetry are summed up to, with a slot, as SQL: the one place that says how, for the roll-up, its check and the epochs. NULL for NULL';

CREATE FUNCTION telemetry_plan(period tstzrange, slot interval, OUT clean tstzmultirange, OUT rest tstzmultirange)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	raw_span tstzmultirange;	-- what there are partitions for
	watched_span tstzmultirange;
	hour_span tstzmultirange;
	lost record;
BEGIN
	-- this locks the two tables, so that no partition goes while they are read
	PERFORM FROM ONLY telemetry LIMIT 0;
	PERFORM FROM ONLY telemetry_hour LIMIT 0;
	raw_span := telemetry_span('telemetry');
	watched_span := telemetry_span('telemetry', watched => true);
	hour_span := telemetry_span('telemetry_hour');
	SELECT coalesce(range_agg(tstzrange(o.hour, o.hour + interval '1 hour')), '{}') INTO clean
	FROM telemetry_rolled o
	WHERE o.hour >= lower(period) AND o.hour + interval '1 hour' <= upper(period)
		AND o.slot = telemetry_plan.slot AND o.hour <@ hour_span
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span
			OR (tstzrange(o.hour, o.hour + interval '1 hour') <@ watched_span
				AND NOT EXISTS (SELECT FROM telemetry_dirty d WHERE d.since >= o.hour AND d.since < o.hour + interval '1 hour')));
	rest := tstzmultirange(period) - clean;
	SELECT o.hour, o.slot INTO lost
	FROM telemetry_rolled o
	WHERE o.samples > 0 AND tstzrange(o.hour, o.hour + interval '1 hour') && rest
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span)
	ORDER BY o.hour LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the raw telemetry of the hour %, which is needed, was dropped', lost.hour
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = CASE WHEN lost.slot = telemetry_plan.slot THEN 'The period begins or ends within the hour.'
					ELSE format('Its summaries have a slot of %s, not %s.', coalesce(lost.slot::text, '?'), telemetry_plan.slot) END,
				HINT = 'Attach the partition that held it again, or use whole hours and the slot of the summaries.';
	END IF;
	-- nor is a day that was never rolled up taken for one without telemetry
	SELECT hour_of(c.since) AS hour INTO lost
	FROM (SELECT a.since, a.came, a.gone FROM telemetry_arrival a WHERE a.since >= lower(period) AND a.since < upper(period)
		UNION ALL SELECT d.since, d.came, d.gone FROM telemetry_dirty d WHERE d.since >= lower(period) AND d.since < upper(period)) c
	WHERE c.since <@ rest AND NOT c.since <@ raw_span
		-- a default partition may hold it
		AND NOT EXISTS (SELECT FROM pg_partitioned_table t WHERE t.partrelid = 'telemetry'::regclass AND t.partdefid <> 0)
	GROUP BY 1 HAVING sum(c.came) > sum(c.gone) ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the raw telemetry of the hour %, which is needed, is gone with its partition', lost.hour
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'It was never rolled up.', HINT = 'Attach the partition that held it again.';
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_plan(tstzrange, interval) IS
'which hours of a bounded period are read from telemetry_hour (clean), and for which time telemetry is read (rest). NULL for NULL. Errors: raw rows are needed that were dropped';

-- Functions, as in a subquery the planner would look at nodes in parallel, and could then not share the rest.
CREATE FUNCTION partial_hours(clean tstzmultirange) RETURNS TABLE (node_id bigint, hour timestamptz, starts_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 1000 SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT n.node_id, h.hour, greatest(n.joined_at, h.hour), least(n.left_at, h.hour + interval '1 hour')
	FROM (SELECT m.node_id, hour_of(m.joined_at) AS hour FROM node m
			WHERE m.joined_at >= lower(clean) AND m.joined_at < upper(clean) AND m.joined_at > hour_of(m.joined_at)
		UNION SELECT m.node_id, hour_of(m.left_at) FROM node m
			WHERE m.left_at >= lower(clean) AND m.left_at < upper(clean) AND m.left_at > hour_of(m.left_at)) h
		JOIN node n ON n.node_id = h.node_id
	WHERE h.hour <@ clean;
END $$;
COMMENT ON FUNCTION partial_hours(tstzmultirange) IS 'stays that begin or end within an hour of those given, with what of the hour is theirs. NULL for NULL';

CREATE FUNCTION partial_hours(clean tstzmultirange, of_nodes text) RETURNS TABLE (node_id bigint, hour timestamptz, starts_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 1000 SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT n.node_id, h.hour, lower(r), upper(r)
		FROM %s n, LATERAL (SELECT DISTINCT hour_of(b.at) AS hour FROM unnest(n.times) x, LATERAL (VALUES (lower(x)), (upper(x))) b (at) WHERE b.at > hour_of(b.at)) h,
			unnest(n.times * tstzmultirange(tstzrange(h.hour, h.hour + interval '1 hour'))) r
		WHERE h.hour <@ $1 $q$, of_nodes) USING clean;
END $$;
COMMENT ON FUNCTION partial_hours(tstzmultirange, text) IS 'the same for the nodes and bounded times of a table (node_id, times). NULL for NULL';

CREATE FUNCTION telemetry_query(period tstzrange, slot interval, of_nodes text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	-- Sum is rollup by the name that Citus sums up on workers first. Heartbeats have no work.
	measures CONSTANT text[] := '{summary, work_summary, work, metered_work, fee, energy_mwh}';
	sums CONSTANT text := (SELECT string_agg(format('sum(t.%1$I) %2$s AS %1$I', u.m, CASE WHEN u.m NOT LIKE '%summary' THEN 'FILTER (WHERE t.service_type IS NOT NULL)' END), ', ') FROM unnest(measures) u (m));
	is_own CONSTANT text := CASE WHEN of_nodes IS NULL THEN '(n.node_id IS NULL OR (t.hour >= n.joined_at AND (n.left_at IS NULL OR t.hour + interval ''1 hour'' <= n.left_at)))'
		ELSE 'n.times @> tstzrange(t.hour, t.hour + interval ''1 hour'')' END;
	is_own_row CONSTANT text := CASE WHEN of_nodes IS NULL THEN '(n.node_id IS NULL OR (t.sampled_at >= n.joined_at AND (n.left_at IS NULL OR t.sampled_at < n.left_at)))'
		ELSE 'n.times @> t.sampled_at' END;
	-- of most nodes all of the time is their own; in subqueries, and partial hours in functions, which Citus reads first: it crashed on a join with the table itself
	own CONSTANT text := coalesce('JOIN (SELECT m.node_id, m.times FROM ' || of_nodes || ' m) n ON t.service_type IS NOT NULL AND',
		'LEFT JOIN (SELECT m.node_id, m.joined_at, m.left_at FROM node m WHERE m.joined_at > %1$L OR m.left_at < %2$L) n ON') || ' n.node_id = t.node_id';
	partial text;
	pieces text;
	has_pieces boolean;	-- NULL: none
	plan record;
	parts text[] := '{}';
	bare record;
	lost record;
	r tstzrange;
BEGIN
	SELECT * INTO plan FROM telemetry_plan(period, slot);
	-- Bounds are written into the query, so that partitions without any of the time are not planned for.
	IF NOT isempty(plan.clean) THEN
		partial := CASE WHEN of_nodes IS NULL THEN format('partial_hours(%L)', plan.clean) ELSE format('partial_hours(%L, %L)', plan.clean, of_nodes) END;
		-- first from tables of this server, then from one that may be on others
		EXECUTE format($q$
			SELECT coalesce(array_agg(c.node_id), '{}') AS nodes, array_agg(CASE WHEN c.starts_at > c.hour THEN c.starts_at ELSE c.ends_at END) AS times
			FROM %s c JOIN telemetry_rolled o ON o.hour = c.hour
			WHERE o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ telemetry_span('telemetry') $q$, partial) INTO bare;
		IF bare.nodes <> '{}' THEN
			SELECT u.node_id, u.at INTO lost
			FROM unnest(bare.nodes, bare.times) u (node_id, at) JOIN telemetry_hour t ON t.node_id = u.node_id AND t.hour = hour_of(u.at)
			WHERE t.hour >= lower(plan.clean) AND t.hour < upper(plan.clean) AND (of_nodes IS NULL OR t.service_type IS NOT NULL)
			ORDER BY u.at, u.node_id LIMIT 1;
			IF FOUND THEN
				RAISE EXCEPTION 'the raw telemetry of the hour %, which is needed, was dropped', hour_of(lost.at)
					USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Node %s joined, left or was suspended within the hour, at %s.', lost.node_id, lost.at),
						HINT = 'Attach the partition that held it again.';
			END IF;
		END IF;
		-- an hour in which the node joined, left or was suspended is not wholly its own: what of it is takes its place
		pieces := format('%s c JOIN telemetry t ON t.node_id = c.node_id AND t.sampled_at >= c.starts_at AND t.sampled_at < c.ends_at WHERE t.sampled_at >= %L AND t.sampled_at < %L',
			partial, lower(plan.clean), upper(plan.clean));
		EXECUTE format('SELECT true FROM %s LIMIT 1', pieces) INTO has_pieces;
		parts := parts || format($q$
			SELECT t.node_id, t.service_type, %1$s
			FROM (SELECT t.node_id, t.service_type, %2$s
				FROM telemetry_hour t %8$s %5$s
				WHERE t.hour >= %3$L AND t.hour < %4$L AND {share t.node_id} %6$s AND (%7$s)) t
			GROUP BY t.node_id, t.service_type $q$,
			sums, (SELECT string_agg(format(CASE WHEN has_pieces THEN 'CASE WHEN %2$s THEN t.%1$I ELSE p.%1$I END AS %1$I' ELSE 't.%1$I' END, u.m, is_own), ', ') FROM unnest(measures) u (m)),
			lower(plan.clean), upper(plan.clean),
			CASE WHEN has_pieces THEN format('LEFT JOIN (SELECT t.node_id, c.hour, t.service_key, %s FROM %s GROUP BY t.node_id, c.hour, t.service_key) p ON p.node_id = t.node_id AND p.hour = t.hour AND p.service_key = t.service_key',
				telemetry_measures(slot), pieces) END,
			CASE WHEN plan.clean <> tstzmultirange(range_merge(plan.clean)) THEN format('AND t.hour <@ %L::tstzmultirange', plan.clean) END,
			is_own || CASE WHEN has_pieces THEN ' OR p.node_id IS NOT NULL' ELSE '' END, format(own, lower(plan.clean), upper(plan.clean)));
	END IF;
	FOR r IN
		-- days that hold some of the time, joined to runs: each is read once
		SELECT unnest(range_agg(tstzrange(date_bin('1 day', lower(u), timestamptz '2000-01-01 00:00+00'),
			date_bin('1 day', upper(u) - interval '1 microsecond', timestamptz '2000-01-01 00:00+00') + interval '24 hours'))) * period
		FROM unnest(plan.rest) u
	LOOP
		parts := parts || format($q$
			SELECT t.node_id, t.service_type, %1$s
			FROM telemetry t %5$s
			WHERE t.sampled_at >= %2$L AND t.sampled_at < %3$L AND {share t.node_id} %4$s AND %6$s
			GROUP BY t.node_id, t.service_type $q$,
			telemetry_measures(slot), lower(r), upper(r), CASE WHEN r <@ plan.rest THEN '' ELSE format('AND t.sampled_at <@ %L::tstzmultirange', plan.rest) END,
			format(own, lower(r), upper(r)), is_own_row);
	END LOOP;
	IF parts = '{}' THEN
		RETURN format('SELECT t.node_id, t.service_type, %s FROM telemetry_hour t WHERE false GROUP BY t.node_id, t.service_type', sums);
	ELSIF cardinality(parts) = 1 THEN
		RETURN parts[1];
	END IF;
	RETURN format('SELECT t.node_id, t.service_type, %s FROM (%s) t GROUP BY t.node_id, t.service_type', sums, array_to_string(parts, ' UNION ALL '));
END $$;
COMMENT ON FUNCTION telemetry_query(tstzrange, interval, text) IS
'query, in shares, for the telemetry of a bounded period within the nodes'' stays: a row for each node and service (NULL: heartbeats) with summary, and of services work_summary, work, metered_work, fee and energy_mwh; or for that of services alone, of the nodes of the table of_nodes (node_id, times) within these times, which lie in the period. The one place where an epoch reads telemetry. No rows for a period that is NULL. Errors: raw rows are needed that were dropped';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
