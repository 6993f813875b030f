-- Freeze: every node of an epoch with all that was measured of it, in one query and hence from
-- one snapshot.

-- ---- places ----

-- Codes and boundaries are two arrays, not one row with both: a row would be copied to take it apart.
-- With the owner's rights, as a view asks both for whoever may read it.
CREATE FUNCTION swarm_reward_internal.region_codes(at timestamptz) RETURNS code[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SECURITY DEFINER
BEGIN ATOMIC
	SELECT coalesce(array_agg(g.code ORDER BY g.area_m2, g.code), '{}') FROM region g WHERE g.valid @> region_codes.at;
END;
COMMENT ON FUNCTION swarm_reward_internal.region_codes(timestamptz) IS 'codes of the regions in force at a time, the smallest first, ties by code. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.region_boundaries(at timestamptz) RETURNS geography[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE SECURITY DEFINER
BEGIN ATOMIC
	SELECT coalesce(array_agg(g.boundary ORDER BY g.area_m2, g.code), '{}') FROM region g WHERE g.valid @> region_boundaries.at;
END;
COMMENT ON FUNCTION swarm_reward_internal.region_boundaries(timestamptz) IS 'their boundaries in the same order. NULL for NULL';

CREATE TYPE swarm_reward_internal.region_list AS (codes code[], boundaries geography[]);
COMMENT ON TYPE swarm_reward_internal.region_list IS 'region_codes and region_boundaries of a time, for a query that takes both as one parameter';
COMMENT ON COLUMN swarm_reward_internal.region_list.codes IS 'codes';
COMMENT ON COLUMN swarm_reward_internal.region_list.boundaries IS 'boundaries';

CREATE FUNCTION swarm_reward_internal.regions_at(at timestamptz) RETURNS swarm_reward_internal.region_list
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT ROW(swarm_reward_internal.region_codes(at), swarm_reward_internal.region_boundaries(at))::swarm_reward_internal.region_list;
END;
COMMENT ON FUNCTION swarm_reward_internal.regions_at(timestamptz) IS 'codes and boundaries of the regions in force at a time. NULL for NULL';

-- For many places codes and boundaries are best constants of the query: others are compared for each
-- place, which takes longer than to find its region.
CREATE FUNCTION swarm_reward_internal.region_among(codes code[], boundaries geography[], location geography, within_m double precision) RETURNS code
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT codes[covering_region(boundaries, location, within_m)];
END;
COMMENT ON FUNCTION swarm_reward_internal.region_among(code[], geography[], geography, double precision) IS
'the region that a place belongs to: the first that covers it, or else the nearest within so many metres, see covering_region; codes and boundaries are those of region_codes and region_boundaries. The one rule for nodes, demand and gaps. NULL where there is none, and for NULL';

CREATE FUNCTION swarm_reward_internal.region_snap(at timestamptz) RETURNS double precision
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce((SELECT p.region_snap_m FROM policy p WHERE p.policy_id = swarm_reward_internal.policy_in_effect(at)), 25000);
END;
COMMENT ON FUNCTION swarm_reward_internal.region_snap(timestamptz) IS
'policy.region_snap_m of the policy in effect at a time, metres; its default where there is none. NULL for NULL';

-- With the owner's rights: where a place belongs is no secret, and whoever may ask need not read policies.
CREATE FUNCTION region_of(location geography, at timestamptz DEFAULT now()) RETURNS code
AS 'MODULE_PATHNAME', 'sr_region_of' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION region_of(geography, timestamptz) IS
'the region that a place belongs to at a time: the smallest in force that covers it, ties by code, or else the nearest within policy.region_snap_m, of equally near ones the smallest. Regions are read once for a run of calls with the same time. NULL where there is none, and for NULL. Errors: a location that is no point or is empty';
REVOKE ALL ON FUNCTION region_of(geography, timestamptz) FROM PUBLIC;

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

-- ---- what is measured: one table after the other, each by one query; the last one has all of a node ----
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION member_query(period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT m.node_id, m.provider_id, m.hardware_id, m.location, least(m.service_radius_m, %4$L::double precision) AS reach_m, m.joined_at, m.left_at, m.active,
			CASE WHEN m.is_always THEN %1$L ELSE range_merge(m.active) END AS span, CASE WHEN m.is_always THEN %6$L ELSE seconds(m.active) END AS active_seconds,
			m.is_always OR m.hardware_id IS NOT NULL OR m.active = tstzmultirange(%1$L::tstzrange) AS counts,
			region_among(($1).codes, ($1).boundaries, m.location, %5$L) AS region
		-- most are members from beginning to end, which is seen before times are cut
		FROM (SELECT n.*, CASE WHEN n.is_always THEN tstzmultirange(%1$L::tstzrange) ELSE tstzmultirange(tstzrange(n.joined_at, n.left_at) * %1$L::tstzrange) - coalesce(n.times, '{}') END AS active
			FROM (SELECT x.*, s.times, s.times IS NULL AND x.joined_at <= %2$L AND (x.left_at IS NULL OR x.left_at >= %3$L) AS is_always
				FROM node x LEFT JOIN (SELECT u.node_id, range_agg(u.valid) AS times FROM node_suspension u WHERE u.valid && %1$L::tstzrange GROUP BY u.node_id) s ON s.node_id = x.node_id
				WHERE x.joined_at < %3$L AND (x.left_at IS NULL OR x.left_at > %2$L)) n) m
		WHERE NOT isempty(m.active) $q$,
		period, lower(period), upper(period), p.max_radius_m, p.region_snap_m, seconds(tstzmultirange(period)))
$f$;
COMMENT ON FUNCTION member_query(tstzrange, policy) IS
'query, with the regions of its start as $1, for the nodes that are members within a bounded period: what node says of them; active, the times of the period in which they are members and not suspended, and span, from the first to the last of them; region; whether they count. NULL for NULL';

CREATE FUNCTION twin_query(period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT n.hardware_id FROM node n WHERE n.hardware_id IS NOT NULL AND n.joined_at < %L AND {share hashtext(n.hardware_id)} GROUP BY n.hardware_id HAVING count(*) > 1 $q$, upper(period))
$f$;
COMMENT ON FUNCTION twin_query(tstzrange) IS 'query, in shares, for the hardware that has had more than one stay by the end of a period. NULL for NULL';

CREATE FUNCTION machine_query(epoch_id bigint, period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	-- who is away when the epoch begins, and left less than its length before, is measured from then on:
	-- what was cut out of that epoch is made up for in this one
	SELECT format($q$
		SELECT m.node_id, m.machine, m.stays, tstzrange(CASE WHEN m.since > %3$L THEN least(m.left_at, m.since) ELSE %3$L END, m.until) AS span
		FROM (SELECT m.node_id, min(m.node_id) OVER w AS machine, count(*) OVER w AS stays, min(lower(m.span)) OVER w AS since, max(upper(m.span)) OVER w AS until, b.left_at
			FROM %1$s m JOIN %2$s t ON t.hardware_id = m.hardware_id LEFT JOIN (SELECT n.hardware_id, max(n.left_at) AS left_at FROM node n
					WHERE n.hardware_id IS NOT NULL AND n.left_at <= %3$L AND n.left_at > %4$L GROUP BY n.hardware_id) b ON b.hardware_id = m.hardware_id
			WINDOW w AS (PARTITION BY m.hardware_id)) m
		WHERE m.stays > 1 OR m.left_at IS NOT NULL $q$,
		epoch_table('member', epoch_id), epoch_table('twin', epoch_id), lower(period), lower(period) - (upper(period) - lower(period)))
$f$;
COMMENT ON FUNCTION machine_query(bigint, tstzrange) IS
'query for the members of an epoch whose hardware has several stays in it, under whichever providers, or left less than the length of the epoch before it: it is measured as one machine, named by the least node_id, from its first to its last member moment, or from where it left; stays is how many it has in the epoch. All others are machines of their own. NULL for NULL';

-- What a machine says in a window is summed up by node first: nodes are what telemetry is distributed by.
CREATE FUNCTION evidence_query(epoch_id bigint) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $f$
	SELECT format($q$
		SELECT coalesce(k.machine, t.node_id) AS machine, sum(t.summary) FILTER (WHERE t.service_type IS NULL AND NOT t.ahead) AS heartbeat, sum(t.summary) FILTER (WHERE t.service_type IS NOT NULL AND NOT t.ahead) AS work,
			sum(t.summary) FILTER (WHERE t.service_type IS NULL AND t.ahead) AS lead_heartbeat, sum(t.summary) FILTER (WHERE t.service_type IS NOT NULL AND t.ahead) AS lead_work
		FROM %s t LEFT JOIN %s k ON k.node_id = t.node_id WHERE {share coalesce(k.machine, t.node_id)} GROUP BY 1 $q$, epoch_table('report', epoch_id), epoch_table('machine', epoch_id))
$f$;
COMMENT ON FUNCTION evidence_query(bigint) IS 'query, in shares, for what heartbeats and work say of each machine of an epoch, in it and shortly before (lead). NULL for NULL';

CREATE FUNCTION unit_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	length_seconds numeric := extract(epoch FROM upper(period) - lower(period));
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
	-- times of one kind of resource do not overlap: a row for all of the period is the only one; most need no mean
	RETURN format($q$
		SELECT d.node_id, d.resource_type, CASE WHEN d.secs = %1$L::numeric THEN d.units ELSE round(d.units * d.secs / %1$L::numeric, 20) END AS declared,
			CASE WHEN %6$L AND d.secs = %1$L::numeric THEN d.units ELSE round((%2$s) / %1$L::numeric, 20) END AS units
		FROM (SELECT r.node_id, r.resource_type, r.units, m.active AS times, m.active_seconds AS secs
			FROM node_resource r JOIN %3$s m ON m.node_id = r.node_id
			WHERE r.valid @> %4$L::tstzrange) d %5$s
		UNION ALL
		SELECT d.node_id, d.resource_type, round(sum(d.units * d.secs) / %1$L::numeric, 20), round(sum(%2$s) / %1$L::numeric, 20)
		FROM (SELECT r.node_id, r.resource_type, r.units, m.active * tstzmultirange(r.valid) AS times, seconds(m.active * tstzmultirange(r.valid)) AS secs
			FROM node_resource r JOIN %3$s m ON m.node_id = r.node_id
			WHERE r.valid && %4$L::tstzrange AND NOT r.valid @> %4$L::tstzrange) d %5$s
		GROUP BY d.node_id, d.resource_type $q$,
		length_seconds, counted, epoch_table('member', epoch_id), period, checks, checks = '' AND p.unchecked_units = 1);
END $$;
COMMENT ON FUNCTION unit_query(bigint, tstzrange, policy) IS
'query for the resources of each member of an epoch: units declared and units that count, averaged by time over the whole period. Reads node_resource and resource_check. NULL for NULL';

CREATE FUNCTION worth_query(epoch_id bigint, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $f$
	SELECT format($q$
		SELECT u.node_id, sum(coalesce(y.unit_value, 0) * u.units)::double precision AS value
		FROM %1$s u LEFT JOIN policy_resource y ON y.policy_id = %2$s AND y.resource_type = u.resource_type WHERE {share u.node_id} GROUP BY u.node_id $q$, epoch_table('unit', epoch_id), p.policy_id)
$f$;
COMMENT ON FUNCTION worth_query(bigint, policy) IS 'query, in shares, for the value of the units that count of each member of an epoch. NULL for NULL';

CREATE FUNCTION trust_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	-- What is in no range of times leaves the minimum and not the join: of that a planner takes it for nearly all. An offset that
	-- is a constant keeps the subquery one, with its distances, and in parallel.
	SELECT format($q$
		SELECT s.node_id, s.beacon_id, count(*)::int AS sights, count(*) FILTER (WHERE s.distance_m > rtt_distance(s.rtt_ms) + %5$L::double precision)::int AS suspicions,
			count(*) FILTER (WHERE s.distance_m > vacuum_bound(s.rtt_ms) + %5$L::double precision)::int AS violations,
			smallest(s.distance_m + vacuum_bound(s.rtt_ms), %6$s) AS uncertainty_m
		FROM (SELECT r.node_id, r.beacon_id, r.rtt_ms, distance_m(m.location, b.location) AS distance_m
			FROM (SELECT r.node_id, r.beacon_id, min(r.rtt_ms) FILTER (WHERE coalesce(m.active @> r.measured_at, true) AND b.valid @> r.measured_at) AS rtt_ms
				-- most are members all the time
				FROM beacon_rtt r LEFT JOIN (SELECT a.node_id, a.active FROM %1$s a WHERE a.active <> tstzmultirange(%2$L::tstzrange)) m ON m.node_id = r.node_id JOIN beacon b ON b.beacon_id = r.beacon_id
				WHERE r.measured_at >= %3$L AND r.measured_at < %4$L AND {share r.node_id} GROUP BY r.node_id, r.beacon_id) r
				JOIN %1$s m ON m.node_id = r.node_id JOIN beacon b ON b.beacon_id = r.beacon_id
			WHERE r.rtt_ms IS NOT NULL AND {share m.node_id} OFFSET '0') s
		GROUP BY GROUPING SETS ((s.node_id), (s.beacon_id)) $q$,
		epoch_table('member', epoch_id), period, lower(period), upper(period), p.location_slack_m, p.min_beacons)
$f$;
COMMENT ON FUNCTION trust_query(bigint, tstzrange, policy) IS
'query, in shares, for what beacons together say of the place of each member of an epoch, and, in rows with a beacon and no node, what each beacon says of the nodes of a share: by the fastest round-trip time between the two. The one place where an epoch reads beacon_rtt. NULL for NULL';

CREATE FUNCTION past_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	-- Only owners with more than one stay have another past than their node's own, and whoever came to a
	-- place that was left. A place is a cell and a region: a step over a border within a cell is a new start, but
	-- nothing new.
	SELECT format($q$
		SELECT u.node_id, min(u.presence) AS presence, min(u.present_since) AS present_since, min(u.region_since) AS region_since
		FROM (SELECT s.node_id, min(s.node_id) OVER here AS presence, min(s.joined_at) OVER here AS present_since,
				least(min(s.joined_at) OVER (PARTITION BY s.provider_id, s.hardware_id, s.region), min(s.joined_at) OVER (PARTITION BY s.provider_id, s.hardware_id, s.cell)) AS region_since
			FROM (SELECT q.*, count(*) FILTER (WHERE q.joined_at > q.left_before) OVER (PARTITION BY q.provider_id, q.hardware_id, q.cell, q.region ORDER BY q.joined_at, q.node_id) AS part
				FROM (SELECT o.*, max(o.left_at) OVER (PARTITION BY o.provider_id, o.hardware_id, o.cell, o.region ORDER BY o.joined_at, o.node_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS left_before
					FROM (SELECT n.node_id, CASE WHEN n.hardware_id IS NULL THEN n.provider_id END AS provider_id, n.hardware_id, n.joined_at, coalesce(n.left_at, 'infinity') AS left_at,
							place_cell(n.location, %2$s) AS cell,
							CASE WHEN m.node_id IS NULL THEN region_among(($1).codes, ($1).boundaries, n.location, %3$L) ELSE m.region END AS region
						FROM node n LEFT JOIN %4$s m ON m.node_id = n.node_id LEFT JOIN %7$s w ON w.hardware_id = n.hardware_id
						WHERE n.joined_at < %1$L AND (n.hardware_id IS NULL OR w.hardware_id IS NOT NULL)) o) q) s
			WINDOW here AS (PARTITION BY s.provider_id, s.hardware_id, s.cell, s.region, s.part)
			UNION ALL
			SELECT m.node_id, NULL, NULL, min(d.joined_at)
			FROM %4$s m JOIN node d ON place_cell(d.location, %2$s) = place_cell(m.location, %2$s) AND d.node_id <> m.node_id
				AND (d.provider_id = m.provider_id OR (d.hardware_id IS NULL AND m.hardware_id IS NULL))
			WHERE m.joined_at > timestamptz %5$L - interval %6$L AND d.left_at > timestamptz %5$L - 2 * interval %6$L
				AND d.left_at <= %1$L AND d.left_at > m.joined_at - interval %6$L
			GROUP BY m.node_id) u
		GROUP BY u.node_id $q$,
		upper(period), p.grid_order, p.region_snap_m, epoch_table('member', epoch_id), lower(period), p.freshness, epoch_table('twin', epoch_id))
$f$;
COMMENT ON FUNCTION past_query(bigint, tstzrange, policy) IS
'query, with the regions of the start of the period as $1, for the past of nodes that have another one than their own: since when the owner of a stay has been at its place, its cell and region, without a break (present_since; presence names the stays that are one so), and when it first joined in its region, or in its cell (region_since). Who takes a place within policy.freshness of its being left, by the same provider or both without a hardware_id, is there as long as who left it. NULL for NULL';

-- Units that were added are as old as they are, not as old as the node: units of a presence are a
-- pile, of which the last that came go first. And they are as new in a region as their provider, who may
-- have moved them there from another machine.
CREATE FUNCTION stay_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		WITH raised AS MATERIALIZED (
			-- units that came within a stay, and stays that came to a presence
			SELECT coalesce(q.presence, n.node_id) AS presence FROM node_resource r JOIN node n ON n.node_id = r.node_id LEFT JOIN %2$s q ON q.node_id = n.node_id
			WHERE lower(r.valid) < %3$L AND lower(r.valid) > timestamptz %4$L - interval %5$L AND lower(r.valid) > n.joined_at AND r.valid && tstzrange(n.joined_at, n.left_at)
			UNION
			SELECT q.presence FROM %2$s q JOIN node n ON n.node_id = q.node_id
			WHERE n.joined_at > q.present_since AND n.joined_at < %3$L AND n.joined_at > timestamptz %4$L - interval %5$L
				AND EXISTS (SELECT FROM node_resource r WHERE r.node_id = n.node_id AND r.valid && tstzrange(n.joined_at, n.left_at) AND (lower(r.valid) > n.joined_at) IS NOT TRUE)
		)
		SELECT n.node_id, m.span, n.provider_id, m.region, n.joined_at, n.left_at, s.presence, coalesce(q.present_since, n.joined_at) AS present_since, least(q.region_since, n.joined_at) AS region_since
		FROM (SELECT w.presence, q.node_id FROM raised w JOIN %2$s q ON q.presence = w.presence UNION SELECT w.presence, w.presence FROM raised w) s
			JOIN node n ON n.node_id = s.node_id LEFT JOIN %2$s q ON q.node_id = n.node_id LEFT JOIN %1$s m ON m.node_id = n.node_id
		WHERE coalesce(q.presence, n.node_id) = s.presence AND (m.node_id IS NOT NULL OR q.node_id IS NOT NULL) $q$,
		epoch_table('member', epoch_id), epoch_table('past', epoch_id), upper(period), lower(period), greatest(p.maturity, p.freshness))
$f$;
COMMENT ON FUNCTION stay_query(bigint, tstzrange, policy) IS
'query for the stays of presences whose units have changed within policy.maturity or policy.freshness, whichever is longer, before a period ends. NULL for NULL';

CREATE FUNCTION tenure_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		WITH there AS (
			SELECT s.presence, r.resource_type, r.units, r.valid * tstzrange(s.joined_at, s.left_at) AS times
			FROM %1$s s JOIN node_resource r ON r.node_id = s.node_id
			WHERE r.valid && tstzrange(s.joined_at, s.left_at)
		), level AS (
			SELECT s.presence, s.resource_type, s.times, (SELECT coalesce(sum(t.units), 0) FROM there t
				WHERE t.presence = s.presence AND t.resource_type = s.resource_type AND t.times @> lower(s.times)) AS units
			FROM (SELECT b.presence, b.resource_type, tstzrange(b.at, lead(b.at) OVER (PARTITION BY b.presence, b.resource_type ORDER BY b.at)) AS times
				FROM (SELECT t.presence, t.resource_type, lower(t.times) AS at FROM there t UNION SELECT t.presence, t.resource_type, upper(t.times) FROM there t WHERE NOT upper_inf(t.times)) b) s
		), tier AS (
			SELECT d.presence, d.resource_type, d.units AS top, d.units - lag(d.units, 1, 0) OVER (PARTITION BY d.presence, d.resource_type ORDER BY d.units) AS units
			FROM (SELECT DISTINCT l.presence, l.resource_type, l.units FROM level l WHERE l.units > 0) d
		), part AS (
			SELECT t.presence, t.resource_type, t.units, unnest(range_agg(l.times)) AS times
			FROM tier t JOIN level l ON l.presence = t.presence AND l.resource_type = t.resource_type AND l.units >= t.top
			GROUP BY t.presence, t.resource_type, t.top, t.units
		), kin AS (
			SELECT k.provider_id, k.region, min(k.joined_at) AS since
			FROM (SELECT x.provider_id, x.joined_at, CASE WHEN m.node_id IS NULL THEN region_among(($1).codes, ($1).boundaries, x.location, %7$L) ELSE m.region END AS region
				FROM node x LEFT JOIN %2$s m ON m.node_id = x.node_id
				WHERE x.joined_at < %3$L AND x.provider_id IN (SELECT s.provider_id FROM %1$s s)) k
			GROUP BY k.provider_id, k.region
		)
		SELECT v.node_id, (sum(v.value * exact(v.length * mean_ramp(v.age, v.length, %4$L::double precision))) / sum(v.value * exact(v.length)))::double precision AS tenure,
			(sum(v.value * exact(v.length * (1 - mean_ramp(v.region_age, v.length, %6$L::double precision)))) / sum(v.value * exact(v.length)))::double precision AS freshness
		FROM (SELECT s.node_id, y.unit_value * t.units AS value, days(lower(t.times), lower(t.times * s.span)) AS age, days(t.times * s.span) AS length,
				days(CASE WHEN lower(t.times) > s.present_since THEN least(k.since, s.region_since) ELSE s.region_since END, lower(t.times * s.span)) AS region_age
			FROM part t JOIN %1$s s ON s.presence = t.presence AND s.span && t.times
				LEFT JOIN kin k ON k.provider_id = s.provider_id AND k.region = s.region
				JOIN policy_resource y ON y.policy_id = %5$s AND y.resource_type = t.resource_type AND y.unit_value > 0) v
		GROUP BY v.node_id $q$,
		epoch_table('stay', epoch_id), epoch_table('member', epoch_id), upper(period), days(p.maturity), p.policy_id, days(p.freshness), p.region_snap_m)
$f$;
COMMENT ON FUNCTION tenure_query(bigint, tstzrange, policy) IS
'query, with the regions of the start of the period as $1, for the tenure of members whose units have changed within policy.maturity or policy.freshness, whichever is longer: the mean, over their units by value and over their time in the period, of min(1, time since the presence has had as many units without a break / maturity). Of all others the units are as old as their presence. freshness is the mean of max(0, 1 - age / policy.freshness) alike, the age of what came later than the presence counting from the first stay of its provider in the region. NULL for NULL';

CREATE FUNCTION outage_query(epoch_id bigint, period tstzrange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT c.region, range_agg(o.valid) AS times
		FROM (SELECT DISTINCT coalesce(m.region, '') FROM %s m) c (region) JOIN outage o ON o.region IS NULL OR o.region = c.region
		WHERE o.valid && %L::tstzrange GROUP BY c.region $q$, epoch_table('member', epoch_id), tstzrange(lower(period) - (upper(period) - lower(period)), upper(period)))
$f$;
COMMENT ON FUNCTION outage_query(bigint, tstzrange) IS 'query for the times of a period, and of as long before it, in which the nodes of a region (empty: of none) could not be measured. NULL for NULL';

CREATE FUNCTION frozen_query(epoch_id bigint, period tstzrange, p policy) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	-- OFFSET 0 keeps a subquery one: else what it computes is computed again wherever it is named
	SELECT format($q$
		SELECT %17$s::bigint AS epoch_id, m.node_id, m.provider_id, m.quality, m.place_trust,
			coalesce(m.unit_tenure, mean_ramp(m.present_days, m.span_days, %1$L::double precision)) AS tenure,
			coalesce(m.unit_freshness, 1 - mean_ramp(m.region_days, m.span_days, %2$L::double precision)) AS freshness,
			CASE WHEN m.demand_in_reach > 0 THEN m.quality * m.value * m.place_trust / m.demand_in_reach ELSE 0 END AS supply,
			m.quality * m.value AS contribution, m.value, m.demand_in_reach, m.reach_m, m.availability, m.performance, m.uptime, m.active_days, m.samples, m.errors,
			m.beacons, m.suspicions, m.violations, m.counts, m.location, m.region, m.hardware_id, m.response_ms, m.error_rate_upper, m.uncertainty_m
		FROM (SELECT m.*, CASE WHEN m.counts AND m.violations < %3$s THEN m.availability * m.performance ELSE 0 END AS quality
			FROM (SELECT m.*, ramp(m.uptime, %4$L::double precision, %5$L::double precision) AS availability,
					performance(m.response_ms, m.error_rate_upper, %7$L::double precision, %6$L::double precision, %8$L::double precision, %9$L::double precision) AS performance,
					CASE WHEN %10$s = 0 THEN 1 WHEN m.uncertainty_m IS NULL THEN 0
						ELSE ramp(m.uncertainty_m, %11$L::double precision, %12$L::double precision) END AS place_trust
				FROM (SELECT m.node_id, m.provider_id, m.hardware_id, m.location, m.reach_m, m.region, m.counts, (m.active_seconds / 86400)::double precision AS active_days,
						m.samples, m.errors, error_rate_upper(m.samples, m.errors, %16$L::double precision) AS error_rate_upper,
						uptime_within(ARRAY[m.heartbeat, m.work, m.lead_heartbeat, m.lead_work], tstzmultirange(m.machine_span) - coalesce(o.times, '{}'), %14$L) AS uptime,
						response_time(coalesce(m.heartbeat, m.work), %15$L::double precision, %7$L::double precision) AS response_ms,
						coverage_sum(e.demand, m.location, m.reach_m) AS demand_in_reach,
						days(m.span) AS span_days, days(coalesce(q.present_since, m.joined_at), lower(m.span)) AS present_days,
						days(least(q.region_since, m.joined_at), lower(m.span)) AS region_days, a.tenure AS unit_tenure, a.freshness AS unit_freshness,
						coalesce(u.value, 0) AS value, coalesce(b.sights, 0) AS beacons, coalesce(b.suspicions, 0) AS suspicions, coalesce(b.violations, 0) AS violations, b.uncertainty_m
					FROM (SELECT n.*, coalesce(h.span, n.span) AS machine_span, t.heartbeat, t.work, t.lead_heartbeat, t.lead_work,
							coalesce(samples(t.heartbeat), 0) + coalesce(samples(t.work), 0) AS samples, coalesce(errors(t.heartbeat), 0) + coalesce(errors(t.work), 0) AS errors
						FROM %18$s n LEFT JOIN %20$s h ON h.node_id = n.node_id
							LEFT JOIN %19$s t ON t.machine = coalesce(h.machine, n.node_id)) m
						LEFT JOIN %21$s u ON u.node_id = m.node_id
						LEFT JOIN %22$s b ON b.node_id = m.node_id
						LEFT JOIN %23$s q ON q.node_id = m.node_id
						LEFT JOIN %25$s a ON a.node_id = m.node_id
						LEFT JOIN %24$s o ON o.region = coalesce(m.region, '')
						JOIN epoch e ON e.epoch_id = %17$s
					OFFSET 0) m OFFSET 0) m) m $q$,
		days(p.maturity), days(p.freshness), p.min_violations, p.uptime_floor, p.uptime_target,	-- 5
		p.response_target_ms, p.response_limit_ms, p.error_limit, p.error_target, p.min_beacons, p.location_limit_m, p.location_target_m,	-- 12
		p.telemetry_slot, p.heartbeat_timeout, p.response_quantile, p.error_confidence, epoch_id,	-- 17
		epoch_table('member', epoch_id), epoch_table('evidence', epoch_id), epoch_table('machine', epoch_id),	-- 20
		epoch_table('worth', epoch_id), epoch_table('trust', epoch_id), epoch_table('past', epoch_id), epoch_table('outage', epoch_id), epoch_table('tenure', epoch_id))
$f$;
COMMENT ON FUNCTION frozen_query(bigint, tstzrange, policy) IS 'query for the rows of epoch_node of an epoch. NULL for NULL';

-- Who is suspended is measured on, so that no bad hour is cut out, but is no member: what is done then is no work of the network.
CREATE FUNCTION cut_suspended_work(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	report text := epoch_table('report', e.epoch_id);
	suspended text := epoch_table('suspended', e.epoch_id);
BEGIN
	IF NOT EXISTS (SELECT FROM node_suspension u WHERE u.valid && e.period) THEN
		RETURN;
	END IF;
	PERFORM make_epoch_table('suspended', e.epoch_id, format($q$
		SELECT m.node_id, m.active AS times FROM %s m WHERE m.node_id IN (SELECT u.node_id FROM node_suspension u WHERE u.valid && %L::tstzrange) $q$, epoch_table('member', e.epoch_id), e.period));
	EXECUTE format('DELETE FROM %s t USING %s s WHERE s.node_id = t.node_id AND t.service_type IS NOT NULL AND NOT t.ahead', report, suspended);
	EXECUTE format('INSERT INTO %s SELECT t.*, false FROM (%s) t', report, in_shares(telemetry_query(e.period, p.telemetry_slot, of_nodes => suspended), 1));
	PERFORM drop_epoch_table('suspended', e.epoch_id);
END $$;
COMMENT ON FUNCTION cut_suspended_work(epoch, policy) IS 'run_epoch step: takes what was done while its node was suspended out of the table report';

-- As a server has it by default, what one process hands to another is dear: else workers would hand all rows to one to be summed up.
CREATE FUNCTION freeze_report(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET parallel_tuple_cost = 0.1 AS $$
DECLARE
	query text := format('SELECT t.*, false AS ahead FROM (%s) t', telemetry_query(e.period, p.telemetry_slot));
	-- good samples from shortly before still count within policy.heartbeat_timeout
	ahead text := format('SELECT t.*, true FROM (%s) t',
		telemetry_query(tstzrange(date_bin('1 hour', lower(e.period) - p.heartbeat_timeout, timestamptz '2000-01-01 00:00+00'), lower(e.period)), p.telemetry_slot));
BEGIN
	IF telemetry_is_distributed() THEN	-- workers of other servers sum it up
		PERFORM make_epoch_table('report', e.epoch_id, in_shares(query, 1));
		EXECUTE format('INSERT INTO %s %s', epoch_table('report', e.epoch_id), in_shares(ahead, 1));
	ELSE
		PERFORM make_epoch_table_in_shares('report', e.epoch_id, query || ' UNION ALL ' || ahead);
	END IF;
END $$;
COMMENT ON FUNCTION freeze_report(epoch, policy) IS 'run_epoch step: what telemetry says of each node and service in an epoch, and shortly before (ahead). Leaves the table report to the steps that follow';

CREATE FUNCTION freeze_node(e epoch, p policy) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	nodes bigint;
	t text;
	regions region_list := regions_at(lower(e.period));
BEGIN
	PERFORM make_epoch_table('member', e.epoch_id, member_query(e.period, p), regions);
	PERFORM make_epoch_table_in_shares('twin', e.epoch_id, twin_query(e.period));
	PERFORM make_epoch_table('machine', e.epoch_id, machine_query(e.epoch_id, e.period));
	PERFORM freeze_report(e, p);
	PERFORM make_epoch_table_in_shares('evidence', e.epoch_id, evidence_query(e.epoch_id));
	PERFORM cut_suspended_work(e, p);
	PERFORM make_epoch_table('unit', e.epoch_id, unit_query(e.epoch_id, e.period, p));
	PERFORM make_epoch_table_in_shares('worth', e.epoch_id, worth_query(e.epoch_id, p));
	PERFORM make_epoch_table_in_shares('trust', e.epoch_id, trust_query(e.epoch_id, e.period, p));
	PERFORM make_epoch_table('past', e.epoch_id, past_query(e.epoch_id, e.period, p), regions);
	PERFORM make_epoch_table('stay', e.epoch_id, stay_query(e.epoch_id, e.period, p));
	PERFORM make_epoch_table('tenure', e.epoch_id, tenure_query(e.epoch_id, e.period, p), regions);
	PERFORM make_epoch_table('outage', e.epoch_id, outage_query(e.epoch_id, e.period));
	nodes := make_epoch_table('epoch_node', e.epoch_id, frozen_query(e.epoch_id, e.period, p));
	FOREACH t IN ARRAY ARRAY['member', 'twin', 'evidence', 'worth', 'past', 'stay', 'tenure', 'outage'] LOOP
		PERFORM drop_epoch_table(t, e.epoch_id);
	END LOOP;
	RETURN nodes;
END $$;
COMMENT ON FUNCTION freeze_node(epoch, policy) IS 'run_epoch step: every node of the epoch with all that was measured of it; returns how many. Leaves the tables machine, report, unit and trust to the steps that follow';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
