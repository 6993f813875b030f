-- What an epoch measures of its nodes: telemetry, round trips to beacons and
-- resources within the period and the node's membership.
--
-- These are the queries over the largest tables, and parallel workers share them:
-- each takes a slice of the nodes and does everything about them to the end, so
-- that one row of each node is all that has to be handed over. To that end they are
-- written as text in which {slice t.node_id} stands for the condition of the slice.

CREATE FUNCTION node_slice(node_id text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	workers int := current_setting('max_parallel_workers_per_gather');
	bits int := 0;
BEGIN
	WHILE 2 << bits <= least(workers, 16) LOOP
		bits := bits + 1;
	END LOOP;
	IF bits = 0 THEN
		RETURN NEXT 'true';
		RETURN;
	END IF;
	-- conditions of this form are those of which the planner believes that they hold for many
	RETURN QUERY
	SELECT string_agg(format('%s & %s %s', node_id, 1 << b, CASE WHEN i & (1 << b) = 0 THEN '< 1' ELSE '> 0' END), ' AND ' ORDER BY b)
	FROM generate_series(0, (1 << bits) - 1) i, generate_series(0, bits - 1) b GROUP BY i;
END $$;
COMMENT ON FUNCTION node_slice(text) IS
'conditions on the node_id of this name (such as t.node_id), exactly one of which holds for each node: as many as max_parallel_workers_per_gather has workers, rounded down to a power of two. NULL for NULL: no row';

CREATE FUNCTION sliced_query(query text, slices boolean DEFAULT true) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT string_agg(regexp_replace(query, '\{slice (\w+\.node_id)\}', '(' || replace(s, 'node_id', '\1') || ')', 'g'), ' UNION ALL ')
	FROM (SELECT node_slice('node_id') WHERE slices UNION ALL SELECT 'true' WHERE NOT slices) x (s)
$$;
COMMENT ON FUNCTION sliced_query(text, boolean) IS
'a query with {slice t.node_id} in it, once for each slice of the nodes, as a UNION ALL whose parts parallel workers can take; without slices once for all nodes. NULL for NULL';

-- ---- telemetry ----

CREATE TYPE telemetry_part AS (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric);
COMMENT ON TYPE telemetry_part IS 'part of the telemetry of a node and service (NULL: heartbeats)';

CREATE FUNCTION telemetry_hour_query(hours tstzmultirange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
	-- the bounds are written into the query, so that partitions without any of the time are not even planned for
	SELECT format($q$
		SELECT o.node_id, o.service_type, rollup(o.summary) AS summary, sum(o.work) AS work, sum(o.energy_mwh) AS energy_mwh
		FROM telemetry_hour o LEFT JOIN (
			SELECT m.node_id, m.joined_at, m.left_at FROM node m WHERE m.joined_at > %1$L OR m.left_at < %2$L) n ON n.node_id = o.node_id
		WHERE o.hour >= %1$L AND o.hour < %2$L %3$s AND {slice o.node_id}
			AND (n.node_id IS NULL OR (o.hour >= n.joined_at AND (n.left_at IS NULL OR o.hour + interval '1 hour' <= n.left_at)))
		GROUP BY o.node_id, o.service_type $q$,
		lower(hours), upper(hours), CASE WHEN hours = tstzmultirange(range_merge(hours)) THEN '' ELSE format('AND o.hour <@ %L::tstzmultirange', hours) END)
$$;
COMMENT ON FUNCTION telemetry_hour_query(tstzmultirange) IS
'query, for sliced_query: of each node and service the summaries of these hours that lie wholly within the node''s membership, merged. NULL for NULL';

CREATE FUNCTION telemetry_hour_window(hours tstzmultirange) RETURNS SETOF telemetry_part
LANGUAGE plpgsql STABLE STRICT ROWS 100000 SET search_path FROM CURRENT
-- Sorted, a group is merged while it is in the processor's cache; in a hash table of all groups none would be.
SET enable_hashagg = off SET parallel_tuple_cost = 0.3 SET jit = off AS $$
BEGIN
	IF NOT isempty(hours) THEN
		RETURN QUERY EXECUTE sliced_query(telemetry_hour_query(hours));
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_hour_window(tstzmultirange) IS
'what telemetry_window takes from telemetry_hour: of each node and service the summaries of these hours that lie wholly within the node''s membership, merged. NULL for NULL, no row for no hour';

CREATE FUNCTION telemetry_plan(period tstzrange, slot interval, OUT clean tstzmultirange, OUT rest tstzmultirange, OUT cut telemetry_part[])
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT SET enable_nestloop = on SET jit = off SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	starts timestamptz := coalesce(lower(period), '-infinity');
	ends timestamptz := coalesce(upper(period), 'infinity');
	raw_span tstzmultirange;	-- what there are partitions for
	watched_span tstzmultirange;
	hour_span tstzmultirange;
	pieces record;			-- of clean hours, as nodes joined or left within them
	lost record;
BEGIN
	-- this locks the two tables, so that no partition goes while they are read
	PERFORM FROM ONLY telemetry, ONLY telemetry_hour LIMIT 0;
	raw_span := telemetry_span('telemetry');
	watched_span := telemetry_span('telemetry', watched => true);
	hour_span := telemetry_span('telemetry_hour');
	SELECT coalesce(range_agg(tstzrange(o.hour, o.hour + interval '1 hour')), '{}') INTO clean
	FROM telemetry_rolled o
	WHERE o.hour >= starts AND o.hour + interval '1 hour' <= ends
		AND o.slot = $2 AND extract(year FROM $2) = 0 AND extract(month FROM $2) = 0
		AND o.hour <@ hour_span
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span
			OR (tstzrange(o.hour, o.hour + interval '1 hour') <@ watched_span
				AND NOT EXISTS (SELECT FROM telemetry_dirty d WHERE d.since >= o.hour AND d.since < o.hour + interval '1 hour')));
	rest := tstzmultirange(tstzrange(starts, ends)) - clean;

	SELECT array_agg(c.node_id) AS nodes, array_agg(c.starts) AS starts, array_agg(c.ends) AS ends,
		array_agg(DISTINCT c.hour) AS hours INTO pieces
	FROM (SELECT n.node_id, h.hour, greatest(n.joined_at, h.hour) AS starts, least(n.left_at, h.hour + interval '1 hour') AS ends
		FROM (SELECT m.node_id, hour_of(m.joined_at) AS hour FROM node m
				WHERE m.joined_at >= lower(clean) AND m.joined_at < upper(clean) AND m.joined_at > hour_of(m.joined_at)
			UNION SELECT m.node_id, hour_of(m.left_at) FROM node m
				WHERE m.left_at >= lower(clean) AND m.left_at < upper(clean) AND m.left_at > hour_of(m.left_at)) h
			JOIN node n ON n.node_id = h.node_id
		WHERE h.hour <@ clean AND EXISTS (SELECT FROM telemetry_hour o WHERE o.hour = h.hour AND o.node_id = h.node_id)) c;

	SELECT o.hour, o.slot INTO lost
	FROM telemetry_rolled o
	WHERE o.samples > 0 AND (tstzrange(o.hour, o.hour + interval '1 hour') && rest OR o.hour = ANY (pieces.hours))
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span)
	ORDER BY o.hour LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the raw telemetry of the hour %, which is needed, was dropped', lost.hour
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = CASE WHEN lost.slot = $2 THEN 'The period, or the membership of a node, begins or ends within the hour.'
					ELSE format('Its summaries have a slot of %s, not %s.', coalesce(lost.slot::text, '?'), $2) END,
				HINT = 'Attach the partition that held it again, or use whole hours and the slot of the summaries.';
	END IF;

	IF pieces.nodes IS NOT NULL THEN
		EXECUTE format($q$
			SELECT array_agg(x::telemetry_part)
			FROM (SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, $4),
					coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
				FROM unnest($1, $2, $3) c (node_id, starts, ends)
					JOIN telemetry t ON t.node_id = c.node_id AND t.sampled_at >= c.starts AND t.sampled_at < c.ends
				WHERE t.sampled_at >= %L AND t.sampled_at < %L
				GROUP BY t.node_id, t.service_type) x $q$, lower(clean), upper(clean))
		INTO cut USING pieces.nodes, pieces.starts, pieces.ends, slot;
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_plan(tstzrange, interval) IS
'where telemetry_window finds the telemetry of a period: the hours that it takes from telemetry_hour (clean), the time for which it reads telemetry (rest), and what nodes that joined or left within a clean hour have of it (cut; NULL: nothing). NULL for NULL. Errors: raw rows are needed that were dropped';

-- As these are STABLE, all of their queries see the snapshot of the one that calls
-- them: which hours are clean, their summaries, and the raw rows of the others fit.
CREATE FUNCTION telemetry_window(period tstzrange, slot interval)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric)
LANGUAGE plpgsql STABLE STRICT ROWS 100000 SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO'
-- the server's defaults: raw rows are many, and of no use sorted, whatever suits the query that they are for
SET enable_nestloop = on SET enable_hashagg = on SET parallel_leader_participation = on
SET min_parallel_table_scan_size = '8MB' SET min_parallel_index_scan_size = '512kB' AS $$
#variable_conflict use_column
DECLARE
	plan record;
	parts text[] := '{}';
	r tstzrange;
BEGIN
	IF isempty(period) THEN
		RETURN;
	END IF;
	SELECT * INTO plan FROM telemetry_plan(period, slot);
	IF isempty(plan.rest) AND plan.cut IS NULL THEN
		RETURN QUERY SELECT * FROM telemetry_hour_window(plan.clean);
		RETURN;
	END IF;
	-- $1 clean, $2 cut, $3 rest, $4 slot
	IF NOT isempty(plan.clean) THEN
		parts := parts || 'SELECT * FROM telemetry_hour_window($1)'::text;
	END IF;
	IF plan.cut IS NOT NULL THEN
		parts := parts || 'SELECT * FROM unnest($2)'::text;
	END IF;
	FOR r IN
		-- days that hold some of the time, joined to runs: each is read once
		SELECT unnest(range_agg(tstzrange(CASE WHEN isfinite(lower(u)) THEN date_bin('1 day', lower(u), timestamptz '2000-01-01 00:00+00') ELSE lower(u) END,
			CASE WHEN isfinite(upper(u)) THEN date_bin('1 day', upper(u) - interval '1 microsecond', timestamptz '2000-01-01 00:00+00') + interval '24 hours' ELSE upper(u) END)))
			* tstzrange(coalesce(lower(period), '-infinity'), coalesce(upper(period), 'infinity'))
		FROM unnest(plan.rest) u
	LOOP
		-- as there, the bounds are written into the query
		parts := parts || format($q$
			SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, $4),
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
			FROM telemetry t JOIN node n ON n.node_id = t.node_id
			WHERE t.sampled_at >= %L AND t.sampled_at < %L %s
				AND t.sampled_at >= n.joined_at AND (n.left_at IS NULL OR t.sampled_at < n.left_at)
			GROUP BY t.node_id, t.service_type $q$,
			lower(r), upper(r), CASE WHEN r <@ plan.rest THEN '' ELSE 'AND t.sampled_at <@ $3' END);
	END LOOP;
	IF parts <> '{}' THEN
		RETURN QUERY EXECUTE 'SELECT p.node_id, p.service_type, rollup(p.summary), sum(p.work), sum(p.energy_mwh) FROM ('
			|| array_to_string(parts, ' UNION ALL ')
			|| ') p (node_id, service_type, summary, work, energy_mwh) GROUP BY p.node_id, p.service_type'
			USING plan.clean, plan.cut, plan.rest, slot;
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_window(tstzrange, interval) IS
'telemetry of each node and service (NULL: heartbeats) within a period and the node''s membership: summary, work of ok rows, energy of all rows in milliwatt hours: from telemetry_hour the hours that lie wholly in period and membership, are rolled up with this slot and not dirty, from telemetry everything else; the result is the same, to the bit, as from raw rows alone. NULL for NULL, no row for an empty period. Errors: raw rows are needed that were dropped';

-- ---- all that is measured of a node ----

CREATE TYPE measured_service AS (service_type code, work numeric, energy_mwh numeric, samples bigint,
	p50_latency_ms double precision, p95_latency_ms double precision, p99_latency_ms double precision, error_rate_upper double precision);
COMMENT ON TYPE measured_service IS 'what was measured of a node in a service, as epoch_node_service has it';
CREATE TYPE measured_resource AS (resource_type code, units numeric);
COMMENT ON TYPE measured_resource IS 'units of a kind of resource of a node, averaged by time over a period, to thirty decimals';
CREATE TYPE measured_beacon AS (beacon_id bigint, rtt_ms double precision, excess_m double precision);
COMMENT ON TYPE measured_beacon IS 'what a beacon saw of a node: the fastest round-trip time and its location_excess';

CREATE FUNCTION measured_telemetry_query(period tstzrange, p policy, OUT query text, OUT cut telemetry_part[], OUT slices boolean)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	plan record;
	quantile text := format('%L::numeric::double precision', p.response_quantile);
	confidence text := format('%L::numeric::double precision', p.error_confidence);
BEGIN
	SELECT * INTO plan FROM telemetry_plan(period, p.telemetry_slot);
	cut := plan.cut;
	slices := isempty(plan.rest) AND NOT isempty(plan.clean);
	query := CASE
		WHEN NOT slices THEN format('SELECT w.* FROM telemetry_window(%L, %L) w', period, p.telemetry_slot)
		WHEN cut IS NULL THEN telemetry_hour_query(plan.clean)
		ELSE format('SELECT w.node_id, w.service_type, rollup(w.summary) AS summary, sum(w.work) AS work, sum(w.energy_mwh) AS energy_mwh'
			|| ' FROM ((%s) UNION ALL SELECT c.* FROM unnest($1) c WHERE {slice c.node_id}) w GROUP BY w.node_id, w.service_type',
			telemetry_hour_query(plan.clean)) END;
	query := format($q$
		SELECT v.node_id, v.summary, coalesce(v.heartbeat_ms, response_time(v.summary, %2$s)) AS response_ms,
			error_rate_upper(v.summary, %3$s) AS error_rate_upper, samples(v.summary) AS samples, errors(v.summary) AS errors, v.services
		FROM (SELECT s.node_id, rollup(s.summary) AS summary,
				max(response_time(s.summary, %2$s)) FILTER (WHERE s.service_type IS NULL) AS heartbeat_ms,
				array_agg((s.service_type, s.work, s.energy_mwh, samples(s.summary), response_time(s.summary, 0.5), response_time(s.summary, 0.95),
					response_time(s.summary, 0.99), error_rate_upper(s.summary, %3$s))::measured_service) FILTER (WHERE s.service_type IS NOT NULL) AS services
			FROM (%1$s) s GROUP BY s.node_id) v $q$, query, quantile, confidence);
END $$;
COMMENT ON FUNCTION measured_telemetry_query(tstzrange, policy) IS
'query, for sliced_query with or without slices, of measured_telemetry; $1 in it is cut, see telemetry_plan. The one place where an epoch reads telemetry';

CREATE FUNCTION measured_telemetry(period tstzrange, p policy)
RETURNS TABLE (node_id bigint, summary telemetry_summary, response_ms double precision, error_rate_upper double precision,
	samples bigint, errors bigint, services measured_service[])
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path FROM CURRENT
-- Sorted as in telemetry_hour_window. Workers share the slices, not the tables: what workers
-- do together cannot be part of what one of them does, so that it must not look cheaper.
SET enable_hashagg = off SET jit = off SET parallel_tuple_cost = 0.1 SET parallel_leader_participation = off
SET min_parallel_table_scan_size = '4TB' SET min_parallel_index_scan_size = '4TB' AS $$
DECLARE
	q record;
BEGIN
	SELECT * INTO q FROM measured_telemetry_query(period, p);
	RETURN QUERY EXECUTE sliced_query(q.query, q.slices) USING q.cut;
END $$;
COMMENT ON FUNCTION measured_telemetry(tstzrange, policy) IS
'what telemetry says of each node within a period and the node''s membership, measured in the way of a policy: all its telemetry merged, the response time of its heartbeats (of everything where none was timed), and each service. Errors: raw rows are needed that were dropped';

CREATE FUNCTION measured_node(period tstzrange, p policy, boundaries geography[])
RETURNS TABLE (node_id bigint, provider_id bigint, hardware_id code, location geography(Point,4326), service_radius_m double precision, region int,
	active tstzrange, several boolean, summary telemetry_summary, uptime double precision, response_ms double precision, error_rate_upper double precision,
	samples bigint, errors bigint, services measured_service[], value numeric, resources measured_resource[],
	beacons int, violations int, fastest_rtt_ms double precision, sights measured_beacon[])
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO'
-- as in measured_telemetry
SET enable_hashagg = off SET enable_nestloop = off SET jit = off SET parallel_tuple_cost = 0.1 SET parallel_leader_participation = off
SET min_parallel_table_scan_size = '4TB' SET min_parallel_index_scan_size = '4TB' AS $$
DECLARE
	q record;
	again bigint[];		-- nodes whose hardware their provider had as several nodes
BEGIN
	SELECT array_agg(m.id) INTO again
	FROM (SELECT unnest(array_agg(n.node_id)) AS id
		FROM node n
		WHERE n.status IN ('active', 'left') AND tstzrange(n.joined_at, n.left_at) && period AND n.hardware_id IS NOT NULL
		GROUP BY n.provider_id, n.hardware_id HAVING count(*) > 1) m;
	SELECT * INTO q FROM measured_telemetry_query(period, p);
	RETURN QUERY EXECUTE sliced_query(format($q$
		SELECT n.*, CASE WHEN n.several THEN t.summary END,
			CASE WHEN t.summary IS NULL OR slot_count(n.active, %2$L) = 0 THEN 0 ELSE uptime(t.summary, n.active) END,
			t.response_ms, t.error_rate_upper, coalesce(t.samples, 0), coalesce(t.errors, 0), t.services,
			coalesce(r.value, 0), r.resources, coalesce(b.beacons, 0), coalesce(b.violations, 0), b.fastest_rtt_ms, b.sights
		FROM (SELECT m.node_id, m.provider_id, m.hardware_id, m.location, m.service_radius_m, covering_region($3, m.location),
					tstzrange(m.joined_at, m.left_at) * $2 AS active, m.node_id = ANY ($4) AS several
				FROM node m
				WHERE m.status IN ('active', 'left') AND tstzrange(m.joined_at, m.left_at) && $2 AND {slice m.node_id}) n
			LEFT JOIN (%1$s) t ON t.node_id = n.node_id
			LEFT JOIN (
				SELECT h.node_id, sum(h.unit_value * h.units) AS value, array_agg((h.resource_type, h.units)::measured_resource) AS resources
				FROM (SELECT r.node_id, r.resource_type, max(y.unit_value) AS unit_value,
						round(round(sum(r.units * overlap_seconds(r.valid, tstzrange(m.joined_at, m.left_at) * $2)), 30) / %3$s, 30) AS units
					FROM node_resource r JOIN node m ON m.node_id = r.node_id JOIN resource_type y ON y.code = r.resource_type
					WHERE {slice r.node_id} AND r.valid && (tstzrange(m.joined_at, m.left_at) * $2)
					GROUP BY r.node_id, r.resource_type) h
				GROUP BY h.node_id) r ON r.node_id = n.node_id
			LEFT JOIN (
				SELECT s.node_id, count(*)::int AS beacons, count(*) FILTER (WHERE s.excess_m > %4$s)::int AS violations, min(s.rtt_ms) AS fastest_rtt_ms,
					array_agg((s.beacon_id, s.rtt_ms, s.excess_m)::measured_beacon ORDER BY s.excess_m DESC, s.beacon_id) AS sights
				FROM (%5$s) s GROUP BY s.node_id) b ON b.node_id = n.node_id $q$,
		q.query, p.telemetry_slot, overlap_seconds(period, period), format('%L::numeric::double precision', p.location_slack_m),
		replace(beacon_sight_query(), '$1', '$2')), q.slices)
	USING q.cut, period, boundaries, coalesce(again, '{}');
END $$;
COMMENT ON FUNCTION measured_node(tstzrange, policy, geography[]) IS
'everything that is measured of each node that is a member in a period, in the way of a policy: region is the place of the first of the boundaries that covers it; uptime is that over active; several: the provider had the hardware as several nodes (their uptime is that of all of them, for which summary has the telemetry); value and resources; sights by excess, the largest first. Reads the live tables. Errors: raw rows of telemetry are needed that were dropped';
