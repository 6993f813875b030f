-- Why a node earned what it earned: from telemetry to amount, out of the frozen
-- rows of one epoch and nothing else, so that an explanation stays true for
-- ever. Values are exact; the numbers within notes are rounded for reading.

CREATE TYPE explanation AS (component text, part text, term text, value numeric, note text);
COMMENT ON TYPE explanation IS
'one line of an explanation: component, part of coverage_gaps (geographic, resource; NULL elsewhere), term, its exact value, and what it means';

-- Whose rows of reward are hidden would else get shares of too small a total.
CREATE FUNCTION check_sees_rewards() RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT sees_all_rewards() THEN
		RAISE EXCEPTION 'permission denied to see the rewards of all providers'
			USING ERRCODE = 'insufficient_privilege', HINT = format('They count for every share. SELECT swarm_reward.grant_role(''analyst'', %L) lets this role see them.', current_user);
	END IF;
END $$;
COMMENT ON FUNCTION check_sees_rewards() IS 'error unless the current user may see the rewards of all providers';

CREATE FUNCTION computed_epoch(epoch_id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch := known_epoch($1);
BEGIN
	IF e.status NOT IN ('computed', 'final') THEN
		RAISE EXCEPTION 'epoch % is % and has no rewards yet', $1, e.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION computed_epoch(bigint) IS 'an epoch that has been computed. Errors: there is none with this key, or it has not';

-- ---- numbers and sentences for people ----

CREATE FUNCTION explain_figure(x numeric, other numeric DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	short numeric := trim_scale(round(x, CASE WHEN x = 0 THEN 0 ELSE greatest(0, 5 - floor(log(abs(x)))::int) END));
BEGIN
	IF x <> other AND short = round(other, CASE WHEN other = 0 THEN 0 ELSE greatest(0, 5 - floor(log(abs(other)))::int) END) THEN
		RETURN trim_scale(x);
	END IF;
	RETURN short;
END $$;
COMMENT ON FUNCTION explain_figure(numeric, numeric) IS
'a number for reading: six digits, whole numbers in full, and all digits where it would else look like the other number that it is compared with. NULL for NULL';

CREATE FUNCTION explain_measure(x numeric, unit text, other numeric DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	IF unit = '%' THEN
		RETURN explain_figure(100 * x, 100 * other) || ' %';
	END IF;
	RETURN explain_figure(x, other) || coalesce(' ' || unit, '');
END $$;
COMMENT ON FUNCTION explain_measure(numeric, text, numeric) IS
'a number with its unit (NULL: none) for reading; with the unit % a fraction as a percentage. NULL for NULL';

CREATE FUNCTION explain_ramp(what text, unit text, x numeric, a numeric, b numeric, factor numeric, factor_name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	low numeric := least(a, b);
BEGIN
	IF x IS NULL THEN
		RETURN format('%s is not known', what);
	ELSIF factor = 1 THEN
		RETURN format('%s %s reaches the target %s: %s 1', what, explain_measure(x, unit, b), explain_measure(b, unit), factor_name);
	ELSIF factor = 0 THEN
		RETURN format('%s %s is not %s %s, where %s begins; it would be 1 at the target %s', what, explain_measure(x, unit, a),
			CASE a WHEN low THEN 'above' ELSE 'below' END, explain_measure(a, unit), factor_name, explain_measure(b, unit));
	END IF;
	RETURN format('%s %s is %s the target %s: %s %s = (%s - %s) / (%s - %s)', what, explain_measure(x, unit, b),
		CASE a WHEN low THEN 'below' ELSE 'above' END, explain_measure(b, unit), factor_name, explain_figure(factor),
		explain_figure(greatest(x, a), low), explain_figure(least(x, a)), explain_figure(greatest(a, b)), explain_figure(low));
END $$;
COMMENT ON FUNCTION explain_ramp(text, text, numeric, numeric, numeric, numeric, text) IS
'a sentence about factor = ramp(x; a, b) of a quantity with a name and a unit (NULL: none)';

CREATE FUNCTION explain_quotient(a numeric, b numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT div(a * 1000000000000, b) * 0.000000000001;
END;
COMMENT ON FUNCTION explain_quotient(numeric, numeric) IS
'a / b cut, not rounded, to twelve decimals: its whole part is exact, where that of a rounded quotient might be one too many';

-- ---- what every component builds on ----

CREATE FUNCTION explain_quality(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'quality', NULL, v.term, v.value, v.note
	FROM (SELECT exact_numeric(n.uptime) AS uptime, exact_numeric(n.response_ms) AS response, exact_numeric(n.error_rate_upper) AS error,
			exact_numeric(n.availability) AS availability, exact_numeric(n.performance) AS performance, exact_numeric(n.trust) AS trust,
			exact_numeric(n.location_excess_m) AS excess,
			exact_numeric(ramp(n.response_ms, p.response_limit_ms::double precision, p.response_target_ms::double precision)) AS response_factor,
			exact_numeric(ramp(n.error_rate_upper, p.error_limit::double precision, p.error_target::double precision)) AS error_factor) x,
		LATERAL (VALUES
			(1, 'samples', n.samples::numeric, format('rows of telemetry within its membership, %s', n.active)),
			(2, 'errors', n.errors, 'of them not ok'),
			(3, 'uptime', x.uptime, CASE WHEN n.samples = 0 THEN 'without telemetry it counts as down'
				ELSE format('share of the slots of %s within %s that have a good sample', p.telemetry_slot, n.measured) END),
			(4, 'uptime_floor', p.uptime_floor, 'availability is 0 at or below it'),
			(5, 'uptime_target', p.uptime_target, 'availability is 1 at or above it'),
			(6, 'availability', x.availability, explain_ramp('uptime', '%', x.uptime, p.uptime_floor, p.uptime_target, x.availability, 'availability')),
			(7, 'response_ms', x.response, CASE WHEN n.response_ms IS NULL THEN 'no good sample has a response time'
				ELSE format('quantile %s of response times, ms', explain_figure(p.response_quantile)) END),
			(8, 'response_limit_ms', p.response_limit_ms, 'response_factor is 0 at or above it'),
			(9, 'response_target_ms', p.response_target_ms, 'response_factor is 1 at or below it'),
			(10, 'response_factor', coalesce(x.response_factor, 0), explain_ramp('response time', 'ms', x.response,
				p.response_limit_ms, p.response_target_ms, x.response_factor, 'response_factor')),
			(11, 'error_rate_upper', x.error, CASE WHEN n.error_rate_upper IS NULL THEN 'no samples'
				ELSE format('upper bound, at confidence %s, of an error rate of %s in %s; more samples bring it closer to the rate',
					explain_figure(p.error_confidence), n.errors, n.samples) END),
			(12, 'error_limit', p.error_limit, 'error_factor is 0 at or above it'),
			(13, 'error_target', p.error_target, 'error_factor is 1 at or below it'),
			(14, 'error_factor', coalesce(x.error_factor, 0), explain_ramp('error rate (upper bound)', '%', x.error,
				p.error_limit, p.error_target, x.error_factor, 'error_factor')),
			(15, 'performance', x.performance, format('square root of response_factor * error_factor = %s * %s',
				explain_figure(coalesce(x.response_factor, 0)), explain_figure(coalesce(x.error_factor, 0)))),
			(16, 'beacons', n.beacons, 'beacons that measured a round-trip time'),
			(17, 'min_beacons', p.min_beacons, format('with fewer, trust is %s', explain_figure(p.unattested_trust))),
			(18, 'location_excess_m', x.excess, CASE WHEN n.beacons = 0 THEN 'no beacon measured it'
				ELSE format('metres by which its place is farther from beacon %s, of all of them, than light in fibre goes in half the round-trip time of %s ms; negative: nearer',
					n.worst_beacon_id, explain_figure(exact_numeric(n.worst_rtt_ms))) END),
			(19, 'location_slack_m', p.location_slack_m, 'with more than that, trust is 0'),
			(20, 'trust', x.trust, CASE
				WHEN x.excess > p.location_slack_m THEN format('the claimed place is impossible by %s of its beacons: %s m more than the %s m allowed for', n.violations, explain_figure(x.excess - p.location_slack_m), explain_figure(p.location_slack_m))
				WHEN n.beacons < p.min_beacons THEN format('%s beacons measured it, fewer than %s: trust %s, where it would be 1', n.beacons, p.min_beacons, explain_figure(x.trust))
				ELSE 'no beacon found its place impossible' END),
			(21, 'quality', n.quality, format('availability * performance * trust = %s * %s * %s, to twelve decimals',
				explain_figure(x.availability), explain_figure(x.performance), explain_figure(x.trust)))
		) v (line, term, value, note)
	ORDER BY v.line;
END;
COMMENT ON FUNCTION explain_quality(epoch_node, policy) IS
'explain_reward step: from telemetry and round-trip times to quality, for a frozen node under the policy of its epoch';

CREATE FUNCTION explain_contribution(n epoch_node) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH held AS (
		SELECT r.resource_type AS code, r.units, t.unit_value
		FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id
	)
	SELECT 'contribution', NULL, x.term, x.value, x.note
	FROM (SELECT h.code, v.*
			FROM held h, LATERAL (VALUES
				(1, 'units of ' || h.code, h.units, 'averaged by time over the whole epoch'),
				(2, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1')) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 3, 'value', n.value, CASE WHEN n.value = 0 THEN 'it offers no resource that has a value'
			ELSE (SELECT 'sum of unit_value * units: ' || string_agg(format('%s * %s', explain_figure(h.unit_value), explain_figure(h.units)), ' + ' ORDER BY h.code) FROM held h) END
		UNION ALL
		SELECT NULL, 4, 'contribution', n.contribution, format('quality * value = %s * %s%s', explain_figure(n.quality), explain_figure(n.value),
			CASE WHEN n.quality < 1 AND n.value > 0 THEN format('; with quality 1 it would be %s', explain_figure(n.value)) END)
		) x
	ORDER BY x.code NULLS LAST, x.line;
END;
COMMENT ON FUNCTION explain_contribution(epoch_node) IS
'explain_reward step: from units and quality to the contribution of a frozen node';

-- ---- the scores, component by component ----

CREATE FUNCTION explain_new_regions(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH x AS (
		SELECT r.region, exact_numeric(r.demand) AS demand, exact_numeric(r.covered) AS covered, r.target_fraction, r.multiplier,
			freshness(n.age, p.freshness_epochs) AS freshness,
			coalesce((SELECT w.score FROM reward w WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'new_regions'), 0) AS score
		FROM (VALUES (1)) one LEFT JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
	)
	SELECT 'new_regions', NULL, v.term, v.value, v.note
	FROM x, LATERAL (VALUES
		(1, 'contribution', n.contribution, 'quality * value'),
		(2, 'age', n.age::numeric, format('epochs since its provider, or its hardware under any provider, first contributed in region %s', x.region)),
		(3, 'freshness_epochs', p.freshness_epochs, 'epochs until a contribution in a region is no longer new'),
		(4, 'freshness', x.freshness, format('max(0, 1 - age / freshness_epochs) = max(0, 1 - %s / %s)', n.age, p.freshness_epochs)),
		(5, 'region_demand', x.demand, format('demand in region %s', x.region)),
		(6, 'region_covered', x.covered, CASE WHEN x.demand > 0 THEN format('of it covered when the epoch opened: %s', explain_measure(x.covered / x.demand, '%'))
			ELSE 'of it covered when the epoch opened' END),
		(7, 'target_fraction', x.target_fraction, 'share of the demand that should be covered'),
		(8, 'region_multiplier_max', p.region_multiplier_max, 'multiplier of a region without any coverage'),
		(9, 'multiplier', x.multiplier, CASE WHEN x.demand > 0 THEN format('1 + (region_multiplier_max - 1) * max(0, 1 - (region_covered / region_demand) / target_fraction) = 1 + (%s - 1) * max(0, 1 - %s / %s)',
				explain_figure(p.region_multiplier_max), explain_figure(x.covered / x.demand), explain_figure(x.target_fraction))
			ELSE 'a region without demand has 1' END)
		) v (line, term, value, note)
	WHERE x.region IS NOT NULL OR v.line <= 1
	UNION ALL
	SELECT 'new_regions', NULL, 'score', x.score, CASE
		WHEN x.region IS NULL THEN 'no region covers its place, and this component goes by region'
		WHEN n.contribution = 0 THEN 'its contribution is 0'
		WHEN x.freshness = 0 THEN format('not new in region %s any more: %s epochs, and it fades out in %s', x.region, n.age, p.freshness_epochs)
		WHEN x.multiplier = 1 THEN format('region %s was covered to its target when the epoch opened', x.region)
		ELSE format('contribution * freshness * (multiplier - 1) = %s * %s * (%s - 1)', explain_figure(n.contribution), explain_figure(x.freshness), explain_figure(x.multiplier)) END
	FROM x;
END;
COMMENT ON FUNCTION explain_new_regions(epoch_node, policy) IS 'explain_reward step: the score in new_regions';

CREATE FUNCTION explain_gap_geographic(n epoch_node, e epoch, p policy) RETURNS SETOF explanation
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	gap coverage := gap_field(e.demand, e.supply, p.supply_target::double precision);
	wanted numeric := exact_numeric(coverage_sum(e.demand, n.location, n.service_radius_m));
	missing numeric := exact_numeric(coverage_sum(gap, n.location, n.service_radius_m));
	share numeric := exact_numeric(greatest(0, coverage_sum(gap_share_field(gap, e.closing_supply, p.supply_target::double precision),
		n.location, n.service_radius_m)));
	score numeric := coalesce((SELECT w.score FROM reward_part w
		WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'coverage_gaps' AND w.part = 'geographic'), 0);
BEGIN
	RETURN QUERY
	SELECT 'coverage_gaps', 'geographic', v.*
	FROM (VALUES
		('contribution', n.contribution, 'quality * value'),
		('service_radius_m', exact_numeric(n.service_radius_m), 'radius of the disc that it serves, metres'),
		('demand_in_reach', wanted, 'demand D in the disc'),
		('gap_in_reach', missing, format('of it missing when the epoch opened: sum over the cells of the disc of G = D * max(0, 1 - S0 / %s), S0 being the supply then', explain_figure(p.supply_target))),
		('share', share, format('what each unit of contribution gets of the gap: sum over the cells of the disc of G * min(1, S1 / %s) / S1, S1 being the supply of all nodes that reach the cell', explain_figure(p.supply_target))),
		('score', score, CASE
			WHEN n.contribution = 0 THEN 'its contribution is 0'
			WHEN wanted = 0 THEN 'there is no demand in its reach'
			WHEN missing = 0 THEN 'all demand in its reach was served when the epoch opened'
			ELSE format('contribution * share = %s * %s', explain_figure(n.contribution), explain_figure(share)) END)
		) v;
END $$;
COMMENT ON FUNCTION explain_gap_geographic(epoch_node, epoch, policy) IS 'explain_reward step: the score in the geographic half of coverage_gaps';

CREATE FUNCTION explain_gap_resource(n epoch_node) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH held AS (
		SELECT r.resource_type AS code, r.units, t.unit_value, coalesce(g.demand, 0) AS demand, coalesce(g.opening_supply, 0) AS opening_supply,
			coalesce(g.supply, 0) AS supply, coalesce(g.rate, 0) AS rate
		FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
			LEFT JOIN epoch_region_resource g ON g.epoch_id = r.epoch_id AND g.region = n.region AND g.resource_type = r.resource_type
		WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND n.region IS NOT NULL AND r.units > 0
	)
	SELECT 'coverage_gaps', 'resource', x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, 'quality' AS term, n.quality AS value, 'of the node' AS note
		UNION ALL
		SELECT h.code, v.*
		FROM held h, LATERAL (VALUES
			(1, 'units of ' || h.code, h.units, 'its own'),
			(2, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1'),
			(3, 'demand of ' || h.code, h.demand, format('units wanted in region %s', n.region)),
			(4, 'opening_supply of ' || h.code, h.opening_supply, 'quality * units there when the epoch opened'),
			(5, 'supply of ' || h.code, h.supply, 'quality * units there in this epoch, of all nodes'),
			(6, 'rate of ' || h.code, h.rate, CASE
				WHEN h.demand = 0 THEN 'nobody wants it there'
				WHEN h.demand <= h.opening_supply THEN 'what is wanted there was supplied when the epoch opened'
				WHEN h.supply = 0 THEN 'nobody supplies it'
				ELSE format('unit_value * (demand - opening_supply) / max(supply, demand) = %s * (%s - %s) / %s, for each unit of quality * units', explain_figure(h.unit_value),
					explain_figure(h.demand, h.opening_supply), explain_figure(h.opening_supply), explain_figure(greatest(h.supply, h.demand))) END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward_part w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'coverage_gaps' AND w.part = 'resource'), 0),
			CASE WHEN n.region IS NULL THEN 'no region covers its place, and this half goes by region'
				WHEN NOT EXISTS (SELECT FROM held h) THEN 'it offers no resource'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.rate > 0) THEN format('region %s lacks nothing that it offers', n.region)
				ELSE (SELECT format('quality * sum of units * rate = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s', explain_figure(h.units), explain_figure(h.rate)), ' + ' ORDER BY h.code)) FROM held h WHERE h.rate > 0) END
		) x
	ORDER BY x.line = 9, x.line > 0, x.code, x.line;
END;
COMMENT ON FUNCTION explain_gap_resource(epoch_node) IS 'explain_reward step: the score in the resource half of coverage_gaps';

CREATE FUNCTION explain_resource_types(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH held AS (
		SELECT r.resource_type AS code, r.units, t.unit_value, t.demand, t.supply, t.previous_price, t.price
		FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND r.units > 0
	)
	SELECT 'resource_types', NULL, x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, v.*
		FROM (VALUES ('quality', n.quality, 'of the node'),
			('price_elasticity', p.price_elasticity, 'exponent of demand over supply'),
			('price_step', p.price_step, 'largest relative move of a price in one epoch'),
			('price_min', p.price_min, 'lowest price factor'), ('price_max', p.price_max, 'highest price factor')) v (term, value, note)
		UNION ALL
		SELECT h.code, v.*
		FROM held h, LATERAL (VALUES
			(1, 'units of ' || h.code, h.units, 'its own'),
			(2, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1'),
			(3, 'demand of ' || h.code, h.demand, 'units wanted in all regions'),
			(4, 'supply of ' || h.code, h.supply, 'quality * units of all nodes'),
			(5, 'previous_price of ' || h.code, h.previous_price, 'price of the previous epoch'),
			(6, 'price of ' || h.code, h.price, format('previous_price * (demand / supply) ^ price_elasticity = %s * (%s / %s) ^ %s, moved by at most %s and kept within %s to %s%s',
				explain_figure(h.previous_price), explain_figure(h.demand), explain_figure(h.supply), explain_figure(p.price_elasticity),
				explain_measure(p.price_step, '%'), explain_figure(p.price_min), explain_figure(p.price_max),
				CASE WHEN h.price <= 1 THEN '; not above 1: not scarce' END))
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'resource_types'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM held h) THEN 'it offers no resource'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.price > 1 AND h.unit_value > 0) THEN 'nothing that it offers is scarce'
				ELSE (SELECT format('quality * sum of unit_value * units * (price - 1) = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s * (%s - 1)', explain_figure(h.unit_value), explain_figure(h.units), explain_figure(h.price, 1)), ' + ' ORDER BY h.code))
					FROM held h WHERE h.price > 1) END
		) x
	ORDER BY x.line = 9, x.line > 0, x.code, x.line;
END;
COMMENT ON FUNCTION explain_resource_types(epoch_node, policy) IS 'explain_reward step: the score in resource_types';

CREATE FUNCTION explain_network_capacity(n epoch_node) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH mine AS (	-- all that the owner of this node's marks offers
		SELECT r.resource_type AS code, sum(m.quality * r.units) AS units
		FROM epoch_node m JOIN epoch_node_resource r ON r.epoch_id = m.epoch_id AND r.node_id = m.node_id
		WHERE m.epoch_id = n.epoch_id AND (m.hardware_id = n.hardware_id
			OR (n.hardware_id IS NULL AND m.hardware_id IS NULL AND m.provider_id = n.provider_id))
		GROUP BY r.resource_type
	), held AS (
		SELECT x.*, CASE WHEN x.owner_units > x.mark AND x.pot > 0
			THEN round(round(x.pot * (x.owner_units - x.mark), 60) / (x.owner_units * x.growth), 60) ELSE 0 END AS rate
		FROM (SELECT r.resource_type AS code, r.units, r.opening_mark AS mark, m.units AS owner_units, t.unit_value,
				t.supply AS network_units, t.opening_mark AS network_mark, t.need, t.pot, t.growth
			FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
				JOIN mine m ON m.code = r.resource_type
			WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND r.units > 0) x
	), owner AS (
		SELECT coalesce('hardware ' || n.hardware_id, 'provider ' || n.provider_id) AS name
	)
	SELECT 'network_capacity', NULL, x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, 'quality' AS term, n.quality AS value, 'of the node' AS note
		UNION ALL
		SELECT h.code, v.*
		FROM held h, owner o, LATERAL (VALUES
			(1, 'units of ' || h.code, h.units, 'its own'),
			(2, 'owner_units of ' || h.code, h.owner_units, format('quality * units of %s%s', o.name,
				CASE WHEN n.hardware_id IS NULL THEN ', of all its nodes without a hardware id' END)),
			(3, 'owner_mark of ' || h.code, h.mark, format('the most that %s ever offered before', o.name)),
			(4, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1'),
			(5, 'network_units of ' || h.code, h.network_units, 'quality * units of all nodes'),
			(6, 'network_mark of ' || h.code, h.network_mark, 'the most that the whole network ever offered before'),
			(7, 'need of ' || h.code, h.need, 'units of growth that are wanted'),
			(8, 'pot of ' || h.code, h.pot, CASE
				WHEN h.need = 0 THEN 'no more of it is wanted'
				WHEN h.network_units <= h.network_mark THEN 'the network has no more of it than it once had'
				ELSE format('unit_value * min(network_units - network_mark, need) = %s * min(%s - %s, %s)', explain_figure(h.unit_value),
					explain_figure(h.network_units, h.network_mark), explain_figure(h.network_mark), explain_figure(h.need)) END),
			(9, 'all_growth of ' || h.code, h.growth, 'sum of what every owner has above its own mark: what the pot is divided by'),
			(10, 'rate of ' || h.code, h.rate, CASE
				WHEN h.rate = 0 AND h.owner_units <= h.mark THEN format('%s offers no more of it than it once did', o.name)
				WHEN h.rate = 0 THEN 'the pot is empty'
				ELSE format('pot * (owner_units - owner_mark) / (owner_units * all_growth) = %s * (%s - %s) / (%s * %s), for each unit of quality * units', explain_figure(h.pot),
					explain_figure(h.owner_units, h.mark), explain_figure(h.mark), explain_figure(h.owner_units), explain_figure(h.growth)) END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 11, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'network_capacity'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM held h) THEN 'it offers no resource'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.owner_units > h.mark) THEN format('%s offers no more than it once did', (SELECT o.name FROM owner o))
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.rate > 0) THEN 'the network has not grown in what it offers beyond its past, or does not need to'
				ELSE (SELECT format('quality * sum of units * rate = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s', explain_figure(h.units), explain_figure(h.rate)), ' + ' ORDER BY h.code)) FROM held h WHERE h.rate > 0) END
		) x
	ORDER BY x.line = 11, x.line > 0, x.code, x.line;
END;
COMMENT ON FUNCTION explain_network_capacity(epoch_node) IS 'explain_reward step: the score in network_capacity';

CREATE FUNCTION explain_service_types(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH done AS (
		SELECT s.service_type AS code, s.work, t.premium, t.work AS network_work, t.pot, t.quality_work,
			CASE WHEN t.pot > 0 AND t.quality_work > 0 THEN round(round(t.pot, 60) / t.quality_work, 60) ELSE 0 END AS rate
		FROM epoch_node_service s JOIN epoch_service t ON t.epoch_id = s.epoch_id AND t.service_type = s.service_type
		WHERE s.epoch_id = n.epoch_id AND s.node_id = n.node_id AND s.work > 0
	)
	SELECT 'service_types', NULL, x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, v.*
		FROM (VALUES ('quality', n.quality, 'of the node'),
			('service_alpha', p.service_alpha, 'exponent of the network''s work: below 1, a rarer service pays more per unit')) v (term, value, note)
		UNION ALL
		SELECT d.code, v.*
		FROM done d, LATERAL (VALUES
			(1, 'work of ' || d.code, d.work, 'its own verified work'),
			(2, 'premium of ' || d.code, d.premium, 'weight of the service'),
			(3, 'network_work of ' || d.code, d.network_work, 'verified work of all nodes whose place is possible'),
			(4, 'pot of ' || d.code, d.pot, format('premium * network_work ^ service_alpha = %s * %s ^ %s', explain_figure(d.premium),
				explain_figure(d.network_work), explain_figure(p.service_alpha))),
			(5, 'quality_work of ' || d.code, d.quality_work, 'sum of quality * work of all nodes: what the pot is divided by'),
			(6, 'rate of ' || d.code, d.rate, CASE WHEN d.rate = 0 THEN 'nothing to share'
				ELSE format('pot / quality_work = %s / %s, for each unit of quality * work', explain_figure(d.pot), explain_figure(d.quality_work)) END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'service_types'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM done d) THEN 'it did no verified work'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM done d WHERE d.rate > 0) THEN 'the services that it runs have no premium'
				ELSE (SELECT format('quality * sum of work * rate = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s', explain_figure(d.work), explain_figure(d.rate)), ' + ' ORDER BY d.code)) FROM done d WHERE d.rate > 0) END
		) x
	ORDER BY x.line = 9, x.line > 0, x.code, x.line;
END;
COMMENT ON FUNCTION explain_service_types(epoch_node, policy) IS 'explain_reward step: the score in service_types';

CREATE FUNCTION explain_specialization(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH tried AS (
		SELECT format('%s for %s', k.code, s.service_type) AS code, k.weight, s.work, s.samples, k.min_samples, k.metric AS metric_name,
			k.bound, k.target, exact_numeric(m.metric) AS metric, m.unit,
			coalesce(round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12), 0) AS factor,
			n.trust > 0 AND s.work > 0 AND s.samples >= k.min_samples AND m.metric IS NOT NULL AS applies
		FROM epoch_node_service s
			JOIN specialization k ON k.policy_id = p.policy_id AND (k.service_type = s.service_type OR k.service_type IS NULL),
			LATERAL (SELECT CASE k.metric WHEN 'p50_latency_ms' THEN s.p50_latency_ms WHEN 'p95_latency_ms' THEN s.p95_latency_ms
					WHEN 'p99_latency_ms' THEN s.p99_latency_ms WHEN 'error_rate_upper' THEN s.error_rate_upper
					WHEN 'energy_per_work' THEN (round(s.energy_mwh, 20) / nullif(s.work, 0))::double precision END AS metric,
				CASE WHEN k.metric LIKE '%_ms' THEN 'ms' WHEN k.metric = 'error_rate_upper' THEN '%' ELSE 'mWh' END AS unit) m
		WHERE s.epoch_id = n.epoch_id AND s.node_id = n.node_id
	)
	SELECT 'specialization', NULL, x.term, x.value, x.note
	FROM (SELECT t.code, v.*
		FROM tried t, LATERAL (VALUES
			(1, 'weight of ' || t.code, t.weight, 'score of one unit of work at the target'),
			(2, 'work of ' || t.code, t.work, 'its own verified work'),
			(3, 'samples of ' || t.code, t.samples, 'telemetry rows of the service'),
			(4, 'min_samples of ' || t.code, t.min_samples, 'fewest for the rule to apply'),
			(5, 'metric of ' || t.code, t.metric, t.metric_name),
			(6, 'bound of ' || t.code, t.bound, 'value of the metric that earns nothing'),
			(7, 'target of ' || t.code, t.target, 'value of the metric that earns everything'),
			(8, 'factor of ' || t.code, CASE WHEN t.applies THEN t.factor ELSE 0 END, CASE
				WHEN n.trust = 0 THEN 'its place is impossible, so its work is not verified'
				WHEN t.work = 0 THEN 'it did no verified work'
				WHEN t.samples < t.min_samples THEN format('%s samples are fewer than %s', t.samples, t.min_samples)
				ELSE explain_ramp(t.metric_name, t.unit, t.metric, t.bound, t.target, t.factor, 'factor') END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'specialization'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM tried t) THEN 'it did no work that a rule of the policy is about'
				WHEN NOT EXISTS (SELECT FROM tried t WHERE t.applies AND t.weight * t.factor > 0) THEN 'no rule of the policy applies to it with more than 0'
				ELSE (SELECT 'sum of weight * work * factor = ' || string_agg(format('%s * %s * %s', explain_figure(t.weight), explain_figure(t.work), explain_figure(t.factor)), ' + ' ORDER BY t.code)
					FROM tried t WHERE t.applies AND t.weight * t.factor > 0) END
		) x
	ORDER BY x.code NULLS LAST, x.line;
END;
COMMENT ON FUNCTION explain_specialization(epoch_node, policy) IS 'explain_reward step: the score in specialization';

-- ---- from scores to amounts ----

-- What is apportioned on its own: five pools and the two halves of the sixth.
CREATE FUNCTION explain_lot(epoch_id bigint, node_id bigint)
RETURNS TABLE (component text, part text, released numeric, total_score numeric, provider_id bigint, score numeric, amount numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT q.component, NULL, q.released, q.score, r.provider_id, r.score, r.amount
	FROM epoch_pool q LEFT JOIN reward r ON r.epoch_id = q.epoch_id AND r.component = q.component AND r.node_id = explain_lot.node_id
	WHERE q.epoch_id = explain_lot.epoch_id AND q.component <> 'coverage_gaps'
	UNION ALL
	SELECT q.component, q.part, q.released, q.score, r.provider_id, r.score, r.amount
	FROM epoch_pool_part q LEFT JOIN reward_part r ON r.epoch_id = q.epoch_id AND r.component = q.component AND r.part = q.part AND r.node_id = explain_lot.node_id
	WHERE q.epoch_id = explain_lot.epoch_id;
END;
COMMENT ON FUNCTION explain_lot(bigint, bigint) IS
'what an epoch apportioned, pool by pool and half by half, with one node''s score and amount in it; NULL where it did not score';

CREATE FUNCTION explain_rival(epoch_id bigint)
RETURNS TABLE (component text, part text, node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.component, NULL, r.node_id, r.provider_id, r.score, r.amount
	FROM reward r WHERE r.epoch_id = explain_rival.epoch_id AND r.component <> 'coverage_gaps'
	UNION ALL
	SELECT r.component, r.part, r.node_id, r.provider_id, r.score, r.amount
	FROM reward_part r WHERE r.epoch_id = explain_rival.epoch_id;
END;
COMMENT ON FUNCTION explain_rival(bigint) IS 'all scores and amounts of an epoch, pool by pool and half by half';

-- Hamilton's remainders are compared as the exact integers and decimals
-- mod(amount * score, total): no quotient is rounded here. The units left over
-- by rounding down are the sum of these remainders divided by the total.
CREATE FUNCTION explain_remainder(epoch_id bigint, node_id bigint)
RETURNS TABLE (component text, part text, scored bigint, leftover_units numeric, rank bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.component, l.part, count(*), sum(x.remainder) / l.total_score,
		1 + count(*) FILTER (WHERE x.remainder > l.remainder OR (x.remainder = l.remainder AND x.node_id < explain_remainder.node_id))
	FROM (SELECT w.*, mod(w.released * w.score, w.total_score) AS remainder
			FROM explain_lot(explain_remainder.epoch_id, explain_remainder.node_id) w WHERE w.score > 0) l
		JOIN explain_rival(explain_remainder.epoch_id) r ON r.component = l.component AND coalesce(r.part, '') = coalesce(l.part, '')
		CROSS JOIN LATERAL (SELECT r.node_id, mod(l.released * r.score, l.total_score) AS remainder) x
	GROUP BY l.component, l.part, l.total_score;
END;
COMMENT ON FUNCTION explain_remainder(bigint, bigint) IS
'for each pool or half of an epoch without a cap in which a node scored: nodes that scored, base units left over after rounding down, and the rank of the node''s remainder among them';

CREATE FUNCTION explain_capped_remainder(epoch_id bigint, node_id bigint, cap_bps int)
RETURNS TABLE (component text, part text, scored bigint, cap numeric, provider_score numeric, capped_providers bigint, capped_score numeric,
	is_capped boolean, provider_leftover_units numeric, provider_rank bigint, provider_amount numeric, leftover_units numeric, rank bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH lot AS MATERIALIZED (
		SELECT w.*, div(w.released * cap_bps, 10000) AS cap
		FROM explain_lot(explain_capped_remainder.epoch_id, explain_capped_remainder.node_id) w WHERE w.score > 0
	), rival AS MATERIALIZED (
		SELECT l.component, l.part, l.released, l.total_score, l.cap, l.provider_id AS mine, r.provider_id, sum(r.score) AS score, sum(r.amount) AS amount, count(*) AS nodes
		FROM lot l JOIN explain_rival(explain_capped_remainder.epoch_id) r ON r.component = l.component AND coalesce(r.part, '') = coalesce(l.part, '')
		GROUP BY l.component, l.part, l.released, l.total_score, l.cap, l.provider_id, r.provider_id
	), water AS (
		-- The cap is the same for all, so that it is reached from the largest
		-- score down, as long as the quota of what the larger ones leave exceeds it.
		SELECT r.*, (r.released - (row_number() OVER w - 1) * r.cap) * r.score > r.cap * (r.total_score - (sum(r.score) OVER w - r.score)) AS is_capped
		FROM rival r
		WINDOW w AS (PARTITION BY r.component, r.part ORDER BY r.score DESC, r.provider_id ROWS UNBOUNDED PRECEDING)
	), rest AS (
		SELECT t.component, t.part, sum(t.nodes)::bigint AS scored, count(*) FILTER (WHERE t.is_capped) AS capped_providers,
			coalesce(sum(t.score) FILTER (WHERE t.is_capped), 0) AS capped_score,
			t.released - t.cap * count(*) FILTER (WHERE t.is_capped) AS released, t.total_score - coalesce(sum(t.score) FILTER (WHERE t.is_capped), 0) AS total_score
		FROM water t GROUP BY t.component, t.part, t.released, t.cap, t.total_score
	), remainder AS (
		SELECT t.component, t.part, t.provider_id, t.mine, mod(s.released * t.score, s.total_score) AS remainder, s.total_score
		FROM water t JOIN rest s ON s.component = t.component AND coalesce(s.part, '') = coalesce(t.part, '')
		WHERE NOT t.is_capped
	), place AS (
		SELECT a.component, a.part, sum(b.remainder) / a.total_score AS leftover_units,
			1 + count(*) FILTER (WHERE b.remainder > a.remainder OR (b.remainder = a.remainder AND b.provider_id < a.provider_id)) AS rank
		FROM remainder a JOIN remainder b ON b.component = a.component AND coalesce(b.part, '') = coalesce(a.part, '')
		WHERE a.provider_id = a.mine
		GROUP BY a.component, a.part, a.total_score
	), own AS (
		SELECT m.component, m.part, sum(x.remainder) / m.score AS leftover_units,
			1 + count(*) FILTER (WHERE x.remainder > m.remainder OR (x.remainder = m.remainder AND x.node_id < explain_capped_remainder.node_id)) AS rank
		FROM (SELECT l.component, l.part, v.provider_id, v.score, v.amount, mod(v.amount * l.score, v.score) AS remainder
				FROM lot l JOIN rival v ON v.component = l.component AND coalesce(v.part, '') = coalesce(l.part, '') AND v.provider_id = l.provider_id) m
			JOIN explain_rival(explain_capped_remainder.epoch_id) r ON r.component = m.component AND coalesce(r.part, '') = coalesce(m.part, '') AND r.provider_id = m.provider_id
			CROSS JOIN LATERAL (SELECT r.node_id, mod(m.amount * r.score, m.score) AS remainder) x
		GROUP BY m.component, m.part, m.score
	)
	SELECT t.component, t.part, s.scored, t.cap, t.score, s.capped_providers, s.capped_score, t.is_capped,
		c.leftover_units, c.rank, t.amount, o.leftover_units, o.rank
	FROM water t JOIN rest s ON s.component = t.component AND coalesce(s.part, '') = coalesce(t.part, '')
		LEFT JOIN place c ON c.component = t.component AND coalesce(c.part, '') = coalesce(t.part, '')
		JOIN own o ON o.component = t.component AND coalesce(o.part, '') = coalesce(t.part, '')
	WHERE t.provider_id = t.mine;
END;
COMMENT ON FUNCTION explain_capped_remainder(bigint, bigint, int) IS
'the same as explain_remainder under a cap in basis points: first among providers, of which those with the largest scores get the cap, then among the nodes of the one provider';

CREATE FUNCTION explain_pool(e epoch, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT q.component, NULL, v.term, v.value, v.note
	FROM epoch_pool q JOIN epoch_weight(e.epoch_id) w ON w.code = q.component,
		LATERAL (SELECT coalesce(sum(r.pot), 0) AS growth FROM epoch_resource r WHERE r.epoch_id = e.epoch_id) g,
		LATERAL (VALUES
			(1, 'budget', q.budget, format('%s of the epoch''s budget of %s base units', explain_measure(w.bps / 10000.0, '%'), e.budget)),
			(2, 'carried_in', q.carried_in, CASE WHEN e.previous_epoch_id IS NULL THEN 'there is no epoch before' ELSE format('what the same pool carried out of epoch %s', e.previous_epoch_id) END),
			(3, 'growth', g.growth, 'sum of the pots of all kinds of resource'),
			(4, 'growth_target', p.growth_target, 'growth for which the whole pool is released'),
			(5, 'released', q.released, CASE
				WHEN q.component = 'network_capacity' AND g.growth < p.growth_target THEN format('(budget + carried_in) * growth / growth_target, rounded down: %s', explain_measure(g.growth / p.growth_target, '%', 1))
				ELSE 'budget + carried_in' END)
		) v (line, term, value, note)
	WHERE q.epoch_id = e.epoch_id AND (v.line NOT IN (3, 4) OR q.component = 'network_capacity')
	UNION ALL
	SELECT h.component, h.part, 'released', h.released, format('%s of %s',
		explain_measure(CASE h.part WHEN 'geographic' THEN p.gaps_geographic_bps ELSE 10000 - p.gaps_geographic_bps END / 10000.0, '%'), q.released)
	FROM epoch_pool_part h JOIN epoch_pool q ON q.epoch_id = h.epoch_id AND q.component = h.component
	WHERE h.epoch_id = e.epoch_id;
END;
COMMENT ON FUNCTION explain_pool(epoch, policy) IS 'explain_reward step: what each pool and half of an epoch had to share out';

CREATE FUNCTION explain_share(epoch_id bigint, node_id bigint, cap_bps int) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH lot AS (
		SELECT * FROM explain_lot(explain_share.epoch_id, explain_share.node_id)
	), free AS (
		SELECT * FROM explain_remainder(explain_share.epoch_id, explain_share.node_id) WHERE cap_bps IS NULL
	), capped AS (
		SELECT * FROM explain_capped_remainder(explain_share.epoch_id, explain_share.node_id, cap_bps) WHERE cap_bps IS NOT NULL
	)
	SELECT x.component, x.part, x.term, x.value, x.note
	FROM (
		SELECT l.component, l.part, 1 AS line, 'total_score' AS term, l.total_score AS value,
			CASE WHEN l.total_score = 0 THEN 'no node scored'
				WHEN s.scored IS NULL THEN 'sum of the scores of all nodes' ELSE format('sum of the scores of all nodes; %s scored', s.scored) END AS note
		FROM lot l LEFT JOIN (SELECT f.component, f.part, f.scored FROM free f UNION ALL SELECT c.component, c.part, c.scored FROM capped c) s
			ON s.component = l.component AND coalesce(s.part, '') = coalesce(l.part, '')
		UNION ALL
		SELECT l.component, l.part, v.*
		FROM lot l JOIN free s ON s.component = l.component AND coalesce(s.part, '') = coalesce(l.part, ''),
			LATERAL (VALUES
				(2, 'quota', explain_quotient(l.released * l.score, l.total_score), format('released * score / total_score, cut to twelve decimals; each unit of score is worth %s base units',
					explain_figure(l.released / l.total_score))),
				(3, 'leftover_units', s.leftover_units, 'base units that remain when all quotas are rounded down; the largest remainders get one each'),
				(4, 'rank', s.rank, format('of its remainder among %s, the largest first', s.scored)),
				(5, 'amount', l.amount, CASE WHEN l.released = 0 THEN 'the pool had nothing to share out'
					WHEN s.rank <= s.leftover_units THEN 'quota rounded down, and one of the leftover units' ELSE 'quota rounded down' END)
			) v (line, term, value, note)
		UNION ALL
		SELECT l.component, l.part, v.*
		FROM lot l JOIN capped s ON s.component = l.component AND coalesce(s.part, '') = coalesce(l.part, ''),
			LATERAL (SELECT l.released - s.cap * s.capped_providers AS released, l.total_score - s.capped_score AS total) r,
			LATERAL (VALUES
				(2, 'provider_score', s.provider_score, format('sum of the scores of provider %s''s nodes', l.provider_id)),
				(3, 'cap', s.cap, format('%s of released, rounded down: the most that a provider may take', explain_measure(cap_bps / 10000.0, '%'))),
				(4, 'capped_providers', s.capped_providers, 'providers whose quota exceeds the cap; what they may not take goes to the others'),
				(5, 'capped_score', s.capped_score, 'sum of their scores'),
				(6, 'provider_quota', CASE WHEN NOT s.is_capped THEN explain_quotient(r.released * s.provider_score, r.total) END,
					CASE WHEN s.is_capped THEN 'exceeds the cap' ELSE '(released - capped_providers * cap) * provider_score / (total_score - capped_score), cut to twelve decimals' END),
				(7, 'provider_leftover_units', s.provider_leftover_units, 'base units that remain when the quotas of these providers are rounded down'),
				(8, 'provider_rank', s.provider_rank, 'of the provider''s remainder, the largest first'),
				(9, 'provider_amount', s.provider_amount, CASE WHEN s.is_capped THEN 'the cap'
					WHEN s.provider_rank <= s.provider_leftover_units THEN 'provider_quota rounded down, and one of the leftover units' ELSE 'provider_quota rounded down' END),
				(10, 'quota', explain_quotient(s.provider_amount * l.score, s.provider_score),
					'provider_amount * score / provider_score, cut to twelve decimals'),
				(11, 'leftover_units', s.leftover_units, 'base units that remain when the quotas of the provider''s nodes are rounded down; the largest remainders get one each'),
				(12, 'rank', s.rank, 'of the node''s remainder, the largest first'),
				(13, 'amount', l.amount, CASE WHEN l.released = 0 THEN 'the pool had nothing to share out'
					WHEN s.rank <= s.leftover_units THEN 'quota rounded down, and one of the leftover units' ELSE 'quota rounded down' END)
			) v (line, term, value, note)
		WHERE NOT (s.is_capped AND v.line IN (7, 8))
		UNION ALL
		SELECT l.component, l.part, 14, 'amount', 0, 'its score is 0'
		FROM lot l WHERE l.score IS NULL
	) x
	ORDER BY x.line;
END;
COMMENT ON FUNCTION explain_share(bigint, bigint, int) IS
'explain_reward step: from a node''s score to its amount in each pool and half, by largest remainders, with a cap in basis points (NULL: none) first among providers';

CREATE FUNCTION explain_reward(epoch_id bigint, node_id bigint)
RETURNS TABLE (component text, term text, value numeric, note text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	n epoch_node;
	p policy;
BEGIN
	e := computed_epoch($1);
	SELECT * INTO n FROM epoch_node WHERE epoch_node.epoch_id = $1 AND epoch_node.node_id = $2;
	IF NOT FOUND THEN
		IF EXISTS (SELECT FROM node WHERE node.node_id = $2) THEN
			RAISE EXCEPTION 'node % took no part in epoch %', $2, $1
				USING ERRCODE = 'no_data_found', DETAIL = format('The epoch is %s.', e.period),
					HINT = 'Pending and suspended nodes take no part, nor do others before joined_at and from left_at on.';
		END IF;
		PERFORM unknown_id('node', $2);
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;

	RETURN QUERY
	SELECT x.component, concat_ws(' ', x.part, x.term), trim_scale(x.value), x.note
	FROM (
		SELECT 1 AS section, l.* FROM explain_quality(n, p) WITH ORDINALITY l (component, part, term, value, note, line)
		UNION ALL SELECT 2, l.* FROM explain_contribution(n) WITH ORDINALITY l
		UNION ALL SELECT 3, l.* FROM explain_pool(e, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_new_regions(n, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_gap_geographic(n, e, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_gap_resource(n) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_resource_types(n, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_network_capacity(n) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_service_types(n, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_specialization(n, p) WITH ORDINALITY l
		UNION ALL SELECT 5, l.* FROM explain_share($1, $2, p.provider_cap_bps) WITH ORDINALITY l
		UNION ALL SELECT 6, 'coverage_gaps', NULL, 'amount', coalesce((SELECT sum(r.amount) FROM reward r
			WHERE r.epoch_id = $1 AND r.node_id = $2 AND r.component = 'coverage_gaps'), 0), 'geographic amount + resource amount', 1
		UNION ALL SELECT 7, 'total', NULL, 'amount', coalesce((SELECT sum(r.amount) FROM reward r
			WHERE r.epoch_id = $1 AND r.node_id = $2), 0), format('sum of the six amounts, base units, earned by provider %s', n.provider_id), 1
	) x LEFT JOIN component c ON c.code = x.component
	ORDER BY coalesce(c.position, x.section / 7 * 100), x.section = 6, x.part NULLS FIRST, x.section, x.line;
END $$;
COMMENT ON FUNCTION explain_reward(bigint, bigint) IS
'why a node earned what it did in a computed or final epoch, from telemetry to amount, out of the rows frozen then. One row per term, in order: first quality (telemetry and round-trip times to quality) and contribution (units to contribution), then each component from the budget of its pool over every factor of the score and the total that it was divided by to the amount in base units, then the total. value is exact, note says what it is, the formula with (rounded) numbers in it, and what would have raised it. In coverage_gaps the terms of the halves begin with geographic or resource; terms about a kind of resource, a service or a rule end with its code. The values of an explanation alone give every amount again. Errors: no such epoch, epoch not computed, no such node, node took no part. Cost: linear in the rewards of the epoch, whose remainders are ranked';
