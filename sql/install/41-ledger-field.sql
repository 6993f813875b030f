-- Fields of an epoch.

CREATE FUNCTION zero_coverage(grid_order int) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT density_agg(ST_SetSRID(ST_MakePoint(0, 0), 4326)::geography, 0::double precision, grid_order);
END;
COMMENT ON FUNCTION zero_coverage(int) IS 'the field that is zero everywhere, on the grid of this order; NULL for NULL';

CREATE FUNCTION demand_field(period tstzrange, grid_order int) RETURNS coverage
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(density_agg(d.location,
			(round(d.weight * overlap_seconds(d.valid, period), 24) / overlap_seconds(period, period))::double precision, grid_order),
		zero_coverage(grid_order))
	FROM demand d WHERE d.valid && period;
END;
COMMENT ON FUNCTION demand_field(tstzrange, int) IS
'D: the demand field, weights averaged by time over the period; reads the table demand as it is now. NULL for NULL';

-- The contributions are scaled by one power of two before they are rounded to
-- the 2^-16 of coverage_agg, so that the rounding is below 2^-50 of the total
-- whatever the unit of contribution, and nodes at one place with one radius
-- are added up exactly before: a node and its halves give the same bits.
CREATE FUNCTION supply_field(epoch_id bigint, grid_order int) RETURNS coverage
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	total numeric;
	scale numeric := 1;
	field coverage;
BEGIN
	SELECT sum(n.contribution) INTO total FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id;
	IF coalesce(total, 0) = 0 THEN
		RETURN zero_coverage(grid_order);
	END IF;
	-- the largest power of two with total * scale at most 2^36
	WHILE total * scale * 2 <= 68719476736 LOOP
		scale := scale * 2;
	END LOOP;
	WHILE total * scale > 68719476736 LOOP
		scale := scale / 2.0000000000000000000000000000000000000000000000000000000000000000;
	END LOOP;
	-- places are compared as bytes: as geography they have to be sorted, which takes longer than the field
	SELECT coverage_agg(ST_GeogFromWKB(s.spot), s.service_radius_m, (s.contribution * scale)::double precision, grid_order) / scale::double precision INTO field
	FROM (SELECT ST_AsBinary(n.location) AS spot, n.service_radius_m, sum(n.contribution) AS contribution
		FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id AND n.contribution > 0
		GROUP BY ST_AsBinary(n.location), n.service_radius_m) s;
	RETURN field;
END $$;
COMMENT ON FUNCTION supply_field(bigint, int) IS
'S1: sum over the nodes of an epoch of contribution times disc, from epoch_node; zero without nodes. NULL for NULL';

-- The parts of a query over many nodes that parallel workers take, each to its
-- end: a part groups and sorts its own nodes, and nothing of them has to be put
-- together again. Which part a node is in depends on its number alone. Conditions
-- of this form are those of which the planner believes that they hold for many.
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
	RETURN QUERY
	SELECT string_agg(format('%s & %s %s', node_id, 1 << b, CASE WHEN i & (1 << b) = 0 THEN '< 1' ELSE '> 0' END), ' AND ' ORDER BY b)
	FROM generate_series(0, (1 << bits) - 1) i, generate_series(0, bits - 1) b GROUP BY i;
END $$;
COMMENT ON FUNCTION node_slice(text) IS
'conditions on the node_id of this name (such as t.node_id), exactly one of which holds for each node: as many as max_parallel_workers_per_gather has workers, rounded down to a power of two. NULL for NULL: no row';

CREATE FUNCTION telemetry_hour_window(hours tstzmultirange)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric)
LANGUAGE plpgsql STABLE STRICT ROWS 100000 SET search_path FROM CURRENT SET datestyle = 'ISO'
-- Sorted, a group is merged while it is in the processor's cache; in a hash table of all groups none would be.
SET enable_hashagg = off SET parallel_tuple_cost = 0.3 SET jit = off AS $$
DECLARE
	parts text;
BEGIN
	IF isempty(hours) THEN
		RETURN;
	END IF;
	-- the bounds are written into the query, so that partitions without any of the time are not even planned for
	SELECT string_agg(format($q$
		SELECT o.node_id, o.service_type, rollup(o.summary), sum(o.work), sum(o.energy_mwh)
		FROM telemetry_hour o LEFT JOIN (
			SELECT m.node_id, m.joined_at, m.left_at FROM node m WHERE m.joined_at > %1$L OR m.left_at < %2$L) n ON n.node_id = o.node_id
		WHERE o.hour >= %1$L AND o.hour < %2$L %3$s AND %4$s
			AND (n.node_id IS NULL OR (o.hour >= n.joined_at AND (n.left_at IS NULL OR o.hour + interval '1 hour' <= n.left_at)))
		GROUP BY o.node_id, o.service_type $q$,
		lower(hours), upper(hours), CASE WHEN hours = tstzmultirange(range_merge(hours)) THEN '' ELSE 'AND o.hour <@ $1' END, s), ' UNION ALL ')
	INTO parts FROM node_slice('o.node_id') s;
	RETURN QUERY EXECUTE parts USING hours;
END $$;
COMMENT ON FUNCTION telemetry_hour_window(tstzmultirange) IS
'what telemetry_window takes from telemetry_hour: of each node and service the summaries of these hours that lie wholly within the node''s membership, merged. NULL for NULL, no row for no hour';

-- As it is STABLE, all of its queries see the snapshot of the one that calls it:
-- which hours are clean, their summaries, and the raw rows of the others fit.
CREATE FUNCTION telemetry_window(period tstzrange, slot interval)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric)
LANGUAGE plpgsql STABLE STRICT ROWS 100000 SET search_path FROM CURRENT SET enable_nestloop = on SET datestyle = 'ISO' AS $$
#variable_conflict use_column
DECLARE
	starts timestamptz := coalesce(lower(period), '-infinity');
	ends timestamptz := coalesce(upper(period), 'infinity');
	raw_span tstzmultirange;	-- what there are partitions for
	watched_span tstzmultirange;
	hour_span tstzmultirange;
	clean tstzmultirange;	-- hours that are read from summaries
	rest tstzmultirange;	-- time that is read from raw rows
	cut record;				-- and clean hours of nodes that joined or left within them
	lost record;
	parts text[] := '{}';
	r tstzrange;
BEGIN
	IF isempty(period) THEN
		RETURN;
	END IF;
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
		array_agg(DISTINCT c.hour) AS hours INTO cut
	FROM (SELECT n.node_id, h.hour, greatest(n.joined_at, h.hour) AS starts, least(n.left_at, h.hour + interval '1 hour') AS ends
		FROM (SELECT m.node_id, hour_of(m.joined_at) AS hour FROM node m
				WHERE m.joined_at >= lower(clean) AND m.joined_at < upper(clean) AND m.joined_at > hour_of(m.joined_at)
			UNION SELECT m.node_id, hour_of(m.left_at) FROM node m
				WHERE m.left_at >= lower(clean) AND m.left_at < upper(clean) AND m.left_at > hour_of(m.left_at)) h
			JOIN node n ON n.node_id = h.node_id
		WHERE h.hour <@ clean AND EXISTS (SELECT FROM telemetry_hour o WHERE o.hour = h.hour AND o.node_id = h.node_id)) c;

	SELECT o.hour, o.slot INTO lost
	FROM telemetry_rolled o
	WHERE o.samples > 0 AND (tstzrange(o.hour, o.hour + interval '1 hour') && rest OR o.hour = ANY (cut.hours))
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span)
	ORDER BY o.hour LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the raw telemetry of the hour %, which is needed, was dropped', lost.hour
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = CASE WHEN lost.slot = $2 THEN 'The period, or the membership of a node, begins or ends within the hour.'
					ELSE format('Its summaries have a slot of %s, not %s.', coalesce(lost.slot::text, '?'), $2) END,
				HINT = 'Attach the partition that held it again, or use whole hours and the slot of the summaries.';
	END IF;

	IF rest = '{}' AND cut.nodes IS NULL THEN
		RETURN QUERY SELECT * FROM telemetry_hour_window(clean);
		RETURN;
	END IF;
	-- As there, the bounds are written into the query. $1 slot, $2 clean, $3 rest, $4 to $6 cuts.
	IF NOT isempty(clean) THEN
		parts := parts || 'SELECT * FROM telemetry_hour_window($2)'::text;
	END IF;
	FOR r IN
		-- days that hold some of the time, joined to runs: each is read once
		SELECT unnest(range_agg(tstzrange(CASE WHEN isfinite(lower(u)) THEN date_bin('1 day', lower(u), timestamptz '2000-01-01 00:00+00') ELSE lower(u) END,
			CASE WHEN isfinite(upper(u)) THEN date_bin('1 day', upper(u) - interval '1 microsecond', timestamptz '2000-01-01 00:00+00') + interval '24 hours' ELSE upper(u) END)))
		FROM unnest(rest) u
	LOOP
		parts := parts || format($q$
			SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, $1),
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
			FROM telemetry t JOIN node n ON n.node_id = t.node_id
			WHERE t.sampled_at >= %L AND t.sampled_at < %L %s
				AND t.sampled_at >= n.joined_at AND (n.left_at IS NULL OR t.sampled_at < n.left_at)
			GROUP BY t.node_id, t.service_type $q$,
			greatest(lower(r), starts), least(upper(r), ends),
			CASE WHEN tstzrange(greatest(lower(r), starts), least(upper(r), ends)) <@ rest THEN '' ELSE 'AND t.sampled_at <@ $3' END);
	END LOOP;
	IF cut.nodes IS NOT NULL THEN
		parts := parts || format($q$
			SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, $1),
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
			FROM unnest($4, $5, $6) c (node_id, starts, ends)
				JOIN telemetry t ON t.node_id = c.node_id AND t.sampled_at >= c.starts AND t.sampled_at < c.ends
			WHERE t.sampled_at >= %L AND t.sampled_at < %L
			GROUP BY t.node_id, t.service_type $q$, lower(clean), upper(clean));
	END IF;
	IF parts <> '{}' THEN
		RETURN QUERY EXECUTE 'SELECT p.node_id, p.service_type, rollup(p.summary), sum(p.work), sum(p.energy_mwh) FROM ('
			|| array_to_string(parts, ' UNION ALL ')
			|| ') p (node_id, service_type, summary, work, energy_mwh) GROUP BY p.node_id, p.service_type'
			USING $2, clean, rest, cut.nodes, cut.starts, cut.ends;
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_window(tstzrange, interval) IS
'telemetry of each node and service (NULL: heartbeats) within a period and the node''s membership: summary, work of ok rows, energy of all rows in milliwatt hours. The one place where an epoch reads telemetry: from telemetry_hour the hours that lie wholly in period and membership, are rolled up with this slot and not dirty, from telemetry everything else; the result is the same, to the bit, as from raw rows alone. NULL for NULL, no row for an empty period. Errors: raw rows are needed that were dropped';

-- PostGIS 3.3 finds areas below zero for some outlines that reach a pole, and
-- gives up: one such region must not keep an epoch from being computed.
CREATE FUNCTION region_area(boundary geography) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	RETURN ST_Area(boundary);
EXCEPTION WHEN internal_error THEN
	RETURN coverage_area(region_coverage(boundary));
END $$;
COMMENT ON FUNCTION region_area(geography) IS
'area by which the smallest region is found, m2: ST_Area, or where that fails the area of region_coverage. NULL for NULL';
