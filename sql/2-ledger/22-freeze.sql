-- Freeze: every node of an epoch with all that was measured of it, in one query and hence from
-- one snapshot.

-- ---- places ----

CREATE FUNCTION swarm_reward_internal.region_area(boundary geography) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coverage_area(region_coverage(boundary));
END;
COMMENT ON FUNCTION swarm_reward_internal.region_area(geography) IS 'area by which the smallest region is found, m2. NULL for NULL';

-- Codes and boundaries are two arrays, not one row with both: a row would be copied to take it apart.
CREATE FUNCTION swarm_reward_internal.region_codes(at timestamptz) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(g.code::text ORDER BY swarm_reward_internal.region_area(g.boundary), g.code), '{}') FROM region g WHERE g.valid @> region_codes.at;
END;
COMMENT ON FUNCTION swarm_reward_internal.region_codes(timestamptz) IS 'codes of the regions in force at a time, the smallest first, ties by code. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.region_boundaries(at timestamptz) RETURNS geography[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(array_agg(g.boundary ORDER BY swarm_reward_internal.region_area(g.boundary), g.code), '{}') FROM region g WHERE g.valid @> region_boundaries.at;
END;
COMMENT ON FUNCTION swarm_reward_internal.region_boundaries(timestamptz) IS 'their boundaries in the same order. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.nearest_region(location geography, at timestamptz, within_m double precision) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT g.code::text FROM region g
	WHERE g.valid @> nearest_region.at AND ST_DWithin(g.boundary, nearest_region.location, nearest_region.within_m)
	ORDER BY floor(ST_Distance(g.boundary, nearest_region.location) * 1000), g.code LIMIT 1;
END;
COMMENT ON FUNCTION swarm_reward_internal.nearest_region(geography, timestamptz, double precision) IS
'the region in force whose boundary is nearest to a place, within so many metres; to the millimetre, ties by code. NULL where there is none, and for NULL';

CREATE FUNCTION swarm_reward_internal.region_among(codes text[], boundaries geography[], location geography, at timestamptz, within_m double precision) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(codes[covering_region(boundaries, location)], swarm_reward_internal.nearest_region(location, at, within_m));
END;
COMMENT ON FUNCTION swarm_reward_internal.region_among(text[], geography[], geography, timestamptz, double precision) IS
'the region that a place belongs to: the first that covers it, or else the nearest within so many metres; codes and boundaries are those of region_codes and region_boundaries at the time. NULL where there is none, and for NULL';

CREATE FUNCTION region_of(location geography, at timestamptz DEFAULT now()) RETURNS code
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT swarm_reward_internal.region_among(swarm_reward_internal.region_codes(at), swarm_reward_internal.region_boundaries(at), location, at,
		coalesce((SELECT p.region_snap_m FROM policy p WHERE p.policy_id = policy_in_effect(at)), 25000));
END;
COMMENT ON FUNCTION region_of(geography, timestamptz) IS
'the region that a place belongs to at a time: the smallest in force that covers it, ties by code, or else the nearest within policy.region_snap_m. NULL where there is none, and for NULL';

-- Light in vacuum covers 149 896.229 m there and back in a millisecond.
CREATE FUNCTION swarm_reward_internal.vacuum_bound(rtt_ms double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT rtt_ms * 149896.229;
END;
COMMENT ON FUNCTION swarm_reward_internal.vacuum_bound(double precision) IS 'c * rtt / 2: metres that nothing can go and come back over in a round-trip time in ms. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.distance_m(a geography, b geography) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- rounded down to a millimetre, far above what versions of the geodesic's library differ by
	SELECT floor(ST_Distance(a, b, true) * 1000) / 1000;
END;
COMMENT ON FUNCTION swarm_reward_internal.distance_m(geography, geography) IS 'WGS84 geodesic in metres, rounded down to a millimetre. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.place_cell(location geography, grid_order int) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coverage_cell(location, grid_order);
END;
COMMENT ON FUNCTION swarm_reward_internal.place_cell(geography, int) IS 'the cell by which a place is the same place';

CREATE FUNCTION swarm_reward_internal.boundary_digest(boundary region) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT sha256(geography_send((boundary).boundary));
END;
COMMENT ON FUNCTION swarm_reward_internal.boundary_digest(region) IS 'SHA-256 of a region''s boundary in binary form. NULL for NULL';

-- ---- what is measured ----
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TYPE frozen_service AS (service_type code, samples bigint, work numeric, metered_work numeric, fee numeric, energy_mwh numeric,
	p50_latency_ms double precision, p95_latency_ms double precision, p99_latency_ms double precision, error_rate_upper double precision);
COMMENT ON TYPE frozen_service IS 'what was measured of a node in a service';
CREATE TYPE frozen_resource AS (resource_type code, declared numeric, units numeric);
COMMENT ON TYPE frozen_resource IS 'units of a kind of resource of a node, averaged by time over an epoch';
CREATE TYPE frozen_sight AS (beacon_id bigint, rtt_ms double precision, distance_m double precision);
COMMENT ON TYPE frozen_sight IS 'what a beacon saw of a node: the fastest round-trip time, and how far it is';

CREATE FUNCTION member_query(period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT n.node_id, n.provider_id, n.hardware_id, n.location, n.service_radius_m, n.joined_at,
			tstzmultirange(tstzrange(n.joined_at, n.left_at) * %1$L::tstzrange) - coalesce(s.times, '{}') AS active
		FROM node n LEFT JOIN (SELECT u.node_id, range_agg(u.valid) AS times FROM node_suspension u WHERE u.valid && %1$L::tstzrange GROUP BY u.node_id) s ON s.node_id = n.node_id
		WHERE n.joined_at < %3$L AND (n.left_at IS NULL OR n.left_at > %2$L)
			AND NOT isempty(tstzmultirange(tstzrange(n.joined_at, n.left_at) * %1$L::tstzrange) - coalesce(s.times, '{}')) $q$,
		period, lower(period), upper(period))
$f$;
COMMENT ON FUNCTION member_query(tstzrange) IS
'query for the nodes that are members within a bounded period: what node says of them, and active, the times of the period in which they are members and not suspended. NULL for NULL';

CREATE FUNCTION measured_query(period tstzrange, p policy, only_nodes text DEFAULT 'true') RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $f$
	SELECT format($q$
		SELECT v.node_id, rollup(v.summary) AS summary, rollup(v.summary) FILTER (WHERE v.service_type IS NULL) AS heartbeat,
			array_agg((v.service_type, samples(v.summary), v.work, v.metered_work, v.fee, v.energy_mwh,
				nullif(response_time(v.work_summary, 0.5, 'Infinity'), 'Infinity'), nullif(response_time(v.work_summary, 0.95, 'Infinity'), 'Infinity'),
				nullif(response_time(v.work_summary, 0.99, 'Infinity'), 'Infinity'), error_rate_upper(v.summary, %2$L::double precision))::frozen_service
				ORDER BY v.service_type) FILTER (WHERE v.service_type IS NOT NULL) AS services
		FROM (SELECT t.node_id, t.service_type, rollup(t.summary) AS summary, rollup(t.work_summary) AS work_summary, sum(t.work) AS work,
				sum(t.metered_work) AS metered_work, sum(t.fee) AS fee, sum(t.energy_mwh) AS energy_mwh
			FROM (%1$s) t GROUP BY t.node_id, t.service_type) v
		GROUP BY v.node_id $q$, telemetry_query(period, p.telemetry_slot, only_nodes), p.error_confidence)
$f$;
COMMENT ON FUNCTION measured_query(tstzrange, policy, text) IS
'query for the telemetry of each node in a bounded period: all of it merged (summary), its heartbeats (heartbeat; NULL: none), and each service';

CREATE FUNCTION unit_query(period tstzrange, p policy) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	checks text := '';
	counted text := format('%L::numeric * d.units * d.secs', p.unchecked_units);
BEGIN
	IF EXISTS (SELECT FROM resource_check c WHERE c.checked_at < upper(period) AND c.checked_at > lower(period) - p.check_validity) THEN
		-- while a check holds, what it found; else a part of what is declared
		checks := format($q$
			LEFT JOIN (SELECT c.node_id, c.resource_type, array_agg(c.units) AS found, array_agg(c.holds) AS holds
				FROM (SELECT x.node_id, x.resource_type, x.units, tstzrange(x.checked_at,
						least(lead(x.checked_at) OVER (PARTITION BY x.node_id, x.resource_type ORDER BY x.checked_at), x.checked_at + %L::interval)) AS holds
					FROM resource_check x WHERE x.checked_at < %L AND x.checked_at > %L) c
				GROUP BY c.node_id, c.resource_type) c ON c.node_id = d.node_id AND c.resource_type = d.resource_type $q$,
			p.check_validity, upper(period), lower(period) - p.check_validity);
		counted := format($q$ %1$s + coalesce((SELECT sum((least(d.units, f.found) - %2$L::numeric * d.units) * seconds(d.times * tstzmultirange(f.holds)))
			FROM unnest(c.found, c.holds) f (found, holds)), 0) $q$, counted, p.unchecked_units);
	END IF;
	RETURN format($q$
		SELECT w.node_id, sum(coalesce(y.unit_value, 0) * w.units) AS value, array_agg((w.resource_type, w.declared, w.units)::frozen_resource) AS resources
		FROM (SELECT d.node_id, d.resource_type, round(sum(d.units * d.secs) / %1$L::numeric, 20) AS declared,
				round(sum(%2$s) / %1$L::numeric, 20) AS units
			FROM (SELECT r.node_id, r.resource_type, r.units, m.active * tstzmultirange(r.valid) AS times, seconds(m.active * tstzmultirange(r.valid)) AS secs
				FROM node_resource r JOIN (%3$s) m ON m.node_id = r.node_id
				WHERE r.valid && %4$L::tstzrange) d %5$s
			GROUP BY d.node_id, d.resource_type) w
			LEFT JOIN policy_resource y ON y.policy_id = %6$s AND y.resource_type = w.resource_type
		GROUP BY w.node_id $q$,
		extract(epoch FROM upper(period) - lower(period)), counted, member_query(period), period, checks, p.policy_id);
END $$;
COMMENT ON FUNCTION unit_query(tstzrange, policy) IS
'query for the resources of each member of a bounded period: units declared and units that count, averaged by time over the whole period, and their value. Reads node_resource and resource_check';

CREATE FUNCTION sight_query(period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT f.node_id, array_agg((f.beacon_id, f.rtt_ms, distance_m(n.location, b.location))::frozen_sight ORDER BY f.beacon_id) AS sights
		FROM (SELECT r.node_id, r.beacon_id, min(r.rtt_ms) AS rtt_ms
				FROM beacon_rtt r JOIN (%1$s) m ON m.node_id = r.node_id JOIN beacon v ON v.beacon_id = r.beacon_id
				WHERE r.measured_at >= %2$L AND r.measured_at < %3$L AND m.active @> r.measured_at AND v.valid @> r.measured_at
				GROUP BY r.node_id, r.beacon_id) f
			JOIN node n ON n.node_id = f.node_id JOIN beacon b ON b.beacon_id = f.beacon_id
		GROUP BY f.node_id $q$, member_query(period), lower(period), upper(period))
$f$;
COMMENT ON FUNCTION sight_query(tstzrange) IS
'query for what beacons saw of each member of a bounded period. The one place where an epoch reads beacon_rtt. NULL for NULL';

CREATE FUNCTION past_query(period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	-- only owners with more than one stay have another past than their node's own
	SELECT format($q$
		SELECT i.node_id, i.present_since, min(i.joined_at) OVER (PARTITION BY i.owner, i.region) AS region_since
		FROM (SELECT s.node_id, s.owner, s.region, s.joined_at, min(s.joined_at) OVER (PARTITION BY s.owner, s.cell, s.presence) AS present_since
			FROM (SELECT q.*, count(*) FILTER (WHERE q.joined_at > q.left_before) OVER (PARTITION BY q.owner, q.cell ORDER BY q.joined_at, q.node_id) AS presence
				FROM (SELECT o.*, max(o.left_at) OVER (PARTITION BY o.owner, o.cell ORDER BY o.joined_at, o.node_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS left_before
					FROM (SELECT n.node_id, owner_key(n.hardware_id, n.provider_id) AS owner, n.joined_at, coalesce(n.left_at, 'infinity') AS left_at,
							place_cell(n.location, %2$s) AS cell,
							region_among((SELECT region_codes(%3$L)), (SELECT region_boundaries(%3$L)), n.location, %3$L, %4$L) AS region
						FROM node n JOIN (SELECT owner_key(h.hardware_id, h.provider_id) AS owner FROM node h WHERE h.joined_at < %1$L GROUP BY 1 HAVING count(*) > 1) g
							ON g.owner = owner_key(n.hardware_id, n.provider_id)
						WHERE n.joined_at < %1$L) o) q) s) i $q$,
		upper(period), p.grid_order, lower(period), p.region_snap_m)
$f$;
COMMENT ON FUNCTION past_query(tstzrange, policy) IS
'query for the past of owners with several stays that began before the end of a period: since when the owner of each stay has been in its cell without a break (present_since), and when it first joined in its region (region_since)';

CREATE FUNCTION owner_key(hardware_id text, provider_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce('hardware ' || hardware_id, 'unattested ' || provider_id);
END;
COMMENT ON FUNCTION owner_key(text, bigint) IS 'whom the past of a stay belongs to: its hardware, or where that is not attested its provider for all that it has without';

-- ---- all of a node ----

CREATE FUNCTION freeze_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	seconds_of_period numeric := extract(epoch FROM upper(period) - lower(period));
	shared text := '';			-- the same hardware in several stays
	shared_summary text := 't.summary';
	shared_heartbeat text := 't.heartbeat';
	shared_span text := 'range_merge(m.active)';
	lead_from timestamptz := date_bin('1 hour', lower(period) - p.heartbeat_timeout, timestamptz '2000-01-01 00:00+00');
	outages text := '';
	up_times text := 'tstzmultirange(m.span)';
BEGIN
	IF EXISTS (SELECT FROM node n WHERE n.joined_at < upper(period) AND (n.left_at IS NULL OR n.left_at > lower(period)) AND n.hardware_id IS NOT NULL
			GROUP BY n.hardware_id HAVING count(*) > 1) THEN
		shared := format($q$
			LEFT JOIN (SELECT s.hardware_id, range_merge(range_agg(s.active)) AS span, rollup(t.summary) AS summary, rollup(t.heartbeat) AS heartbeat
				FROM (SELECT x.hardware_id, x.node_id, x.active, count(*) OVER (PARTITION BY x.hardware_id) AS stays FROM (%1$s) x WHERE x.hardware_id IS NOT NULL) s
					LEFT JOIN (%2$s) t ON t.node_id = s.node_id
				WHERE s.stays > 1
				GROUP BY s.hardware_id) h ON h.hardware_id = n.hardware_id $q$,
			member_query(period),
			measured_query(period, p, format('t.node_id IN (SELECT u.node_id FROM (SELECT y.node_id, count(*) OVER (PARTITION BY y.hardware_id) AS stays FROM (%s) y WHERE y.hardware_id IS NOT NULL) u WHERE u.stays > 1)',
				member_query(period))));
		shared_summary := 'CASE WHEN h.hardware_id IS NULL THEN t.summary ELSE h.summary END';
		shared_heartbeat := 'CASE WHEN h.hardware_id IS NULL THEN t.heartbeat ELSE h.heartbeat END';
		shared_span := 'coalesce(h.span, range_merge(n.active))';
	ELSE
		shared_span := 'range_merge(n.active)';
	END IF;
	IF EXISTS (SELECT FROM outage o WHERE o.valid && period) THEN
		outages := format($q$
			LEFT JOIN (SELECT c.code AS region, range_agg(o.valid) AS times
				FROM (SELECT r.code::text AS code FROM region r UNION ALL SELECT '') c JOIN outage o ON (o.region IS NULL OR o.region = c.code)
				WHERE o.valid && %L::tstzrange GROUP BY c.code) o ON o.region = coalesce(m.region, '') $q$, period);
		up_times := 'tstzmultirange(m.span) - coalesce(o.times, ''{}'')';
	END IF;
	RETURN format($q$
		SELECT m.node_id, m.provider_id, m.hardware_id, m.location, m.reach_m, m.region::code AS region,
			(seconds(m.active) / 86400)::double precision AS active_days, m.counts, m.samples, m.errors, m.uptime, m.response_ms, m.error_rate_upper,
			m.availability, m.performance, m.beacons, m.suspicions, m.violations, m.uncertainty_m, m.place_trust,
			m.quality, m.value, m.quality * m.value AS contribution, m.demand_in_reach,
			CASE WHEN m.demand_in_reach > 0 THEN m.quality * m.value * m.place_trust / m.demand_in_reach ELSE 0 END AS supply,
			mean_ramp(m.present_days, m.span_days, %1$L::double precision) AS tenure,
			1 - mean_ramp(m.region_days, m.span_days, %2$L::double precision) AS freshness,
			m.services, m.resources, m.sights
		FROM (SELECT m.*, CASE WHEN m.counts AND m.violations < %3$s THEN m.availability * m.performance ELSE 0 END AS quality,
				coverage_sum((SELECT e.demand FROM epoch e WHERE e.epoch_id = %4$s), m.location, m.reach_m) AS demand_in_reach
			FROM (SELECT m.*, ramp(m.uptime, %5$L::double precision, %6$L::double precision) AS availability,
					performance(m.response_ms, m.error_rate_upper, p) AS performance,
					CASE WHEN %7$s = 0 THEN 1 WHEN m.uncertainty_m IS NULL THEN 0
						ELSE ramp(m.uncertainty_m, %8$L::double precision, %9$L::double precision) END AS place_trust
				FROM (SELECT m.node_id, m.provider_id, m.hardware_id, m.location, least(m.service_radius_m, %10$L::double precision) AS reach_m, m.region, m.active,
						m.hardware_id IS NOT NULL OR m.active = tstzmultirange(%11$L::tstzrange) AS counts,
						coalesce(samples(m.summary), 0) AS samples, coalesce(errors(m.summary), 0) AS errors,
						uptime_within(m.summary, l.summary, %12$s, %13$L, %14$L) AS uptime,
						response_time(coalesce(m.heartbeat, m.summary), %15$L::double precision, %16$L::double precision) AS response_ms,
						error_rate_upper(m.summary, %17$L::double precision) AS error_rate_upper,
						coalesce(b.beacons, 0) AS beacons, coalesce(b.suspicions, 0) AS suspicions, coalesce(b.violations, 0) AS violations, b.uncertainty_m,
						days(range_merge(m.active)) AS span_days, m.value, m.resources, m.services, m.sights,
						days(m.present_since, lower(m.active)) AS present_days, days(m.region_since, lower(m.active)) AS region_days
					FROM (SELECT n.*, region_among((SELECT region_codes(%18$L)), (SELECT region_boundaries(%18$L)), n.location, %18$L, %19$L) AS region,
							%20$s AS summary, %21$s AS heartbeat, %22$s AS span, t.services,
							coalesce(u.value, 0)::double precision AS value, u.resources, s.sights,
							coalesce(q.present_since, n.joined_at) AS present_since, coalesce(q.region_since, n.joined_at) AS region_since
						FROM (%23$s) n
							LEFT JOIN (%24$s) t ON t.node_id = n.node_id %25$s
							LEFT JOIN (%26$s) u ON u.node_id = n.node_id
							LEFT JOIN (%27$s) s ON s.node_id = n.node_id
							LEFT JOIN (%28$s) q ON q.node_id = n.node_id) m
						LEFT JOIN (SELECT t.node_id, rollup(t.summary) AS summary FROM (%29$s) t GROUP BY t.node_id) l ON l.node_id = m.node_id AND lower(m.span) = %18$L
						%30$s
						LEFT JOIN LATERAL (SELECT count(*)::int AS beacons,
								count(*) FILTER (WHERE x.distance_m > rtt_distance(x.rtt_ms) + %31$L::double precision)::int AS suspicions,
								count(*) FILTER (WHERE x.distance_m > vacuum_bound(x.rtt_ms) + %31$L::double precision)::int AS violations,
								(array_agg(x.distance_m + vacuum_bound(x.rtt_ms) ORDER BY x.distance_m + vacuum_bound(x.rtt_ms)))[%7$s] AS uncertainty_m
							FROM unnest(m.sights) x) b ON m.sights IS NOT NULL) m,
					(SELECT y FROM policy y WHERE y.policy_id = %32$s) r (p)) m) m $q$,
		days(p.maturity), days(p.freshness), p.min_violations, epoch_id, p.uptime_floor, p.uptime_target,	-- 6
		p.min_beacons, p.location_limit_m, p.location_target_m, p.max_radius_m, period, up_times, p.telemetry_slot, p.heartbeat_timeout,	-- 14
		p.response_quantile, p.response_limit_ms, p.error_confidence, lower(period), p.region_snap_m,	-- 19
		shared_summary, shared_heartbeat, shared_span, member_query(period), measured_query(period, p), shared, unit_query(period, p),	-- 26
		sight_query(period), past_query(period, p), telemetry_query(tstzrange(lead_from, lower(period)), p.telemetry_slot), outages,	-- 30
		p.location_slack_m, p.policy_id);
END $$;
COMMENT ON FUNCTION freeze_query(bigint, tstzrange, policy) IS
'query for everything that an epoch freezes of its nodes: the columns of epoch_node, and services, resources and sights. Reads the facts as they are now, and the epoch''s demand field';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
