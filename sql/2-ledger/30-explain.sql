-- Every number explains itself: for a node and an epoch, from frozen rows alone, each term with its
-- inputs, the formula with the numbers in it, and what would have changed it.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

-- A float8 as people read it: to twelve digits, which is more than anybody looks at; inputs have all.
CREATE FUNCTION brief(x double precision) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN x = 0 THEN '0' ELSE trim_scale(round(exact(x), greatest(0, 11 - floor(log(abs(exact(x))))::int)))::text END;
END;
COMMENT ON FUNCTION brief(double precision) IS 'a number to twelve digits; NULL for NULL';

CREATE FUNCTION check_may_see(node_id bigint, epoch_id bigint) RETURNS epoch_node
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	n epoch_node;
BEGIN
	SELECT * INTO n FROM epoch_node x WHERE x.epoch_id = $2 AND x.node_id = $1;
	IF n.node_id IS NULL AND is_archived($2) THEN
		RAISE EXCEPTION 'epoch % is archived: what it paid node % cannot be explained any more', $2, $1
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Its rows are where archive_epoch() put them, in swarm_reward_internal.archived_epoch_node_%s and beside, or in a backup.', $2);
	END IF;
	IF NOT has_table_privilege(session_user, 'swarm_reward.node_reward', 'SELECT') AND NOT EXISTS (
			SELECT FROM provider p WHERE p.provider_id = n.provider_id AND p.role_name IS NOT NULL AND pg_has_role(session_user, p.role_name, 'MEMBER')) THEN
		RAISE EXCEPTION 'node % is not yours to ask about', $1
			USING ERRCODE = 'insufficient_privilege', HINT = 'A provider''s own login sees the nodes of that provider.';
	END IF;
	IF n.node_id IS NULL THEN
		IF NOT EXISTS (SELECT FROM node x WHERE x.node_id = $1) THEN
			PERFORM unknown_id('node', $1);
		END IF;
		RAISE EXCEPTION 'node % was no member in epoch %', $1, $2
			USING ERRCODE = 'no_data_found', HINT = format('Its stay: SELECT joined_at, left_at FROM swarm_reward.node WHERE node_id = %s.', $1);
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION check_may_see(bigint, bigint) IS 'the row of a node in an epoch, for who may see it. Errors: no such node, no member then, archived, somebody else''s';

CREATE FUNCTION swarm_reward.explain_reward(node_id bigint, epoch_id bigint)
RETURNS TABLE (component text, term text, value text, formula text, inputs jsonb, hint text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch := computed_epoch($2);
	n epoch_node := check_may_see($1, $2);
	p policy;
	g epoch_region;
	days double precision := days(e.period);
	kept double precision;
	w record;
	r record;
	gap double precision;
BEGIN
	SELECT * INTO p FROM policy x WHERE x.policy_id = e.policy_id;
	SELECT * INTO g FROM epoch_region x WHERE x.epoch_id = e.epoch_id AND x.region = n.region;
	kept := kappa(days, p.vesting_half_life);

	-- ---- the node ----
	RETURN QUERY VALUES
		('node', 'member', brief(n.active_days) || ' days', format('of the %s days of the epoch, less suspensions', brief(days)),
			jsonb_build_object('active_days', n.active_days, 'epoch_days', days, 'counts', n.counts, 'hardware_id', n.hardware_id),
			CASE WHEN NOT n.counts THEN 'It has no hardware_id and was no member from beginning to end, so that it does not count: attest its hardware.' END),
		('node', 'uptime', brief(n.uptime), 'slots with a good sample, or less than the timeout after one, of all slots from its machine''s first to last member moment outside outages',
			jsonb_build_object('uptime', n.uptime, 'samples', n.samples, 'heartbeat_timeout', p.heartbeat_timeout),
			CASE WHEN n.samples = 0 THEN 'Nothing was heard of it.' WHEN n.uptime < p.uptime_target THEN format('%s would be the best.', p.uptime_target) END),
		('node', 'availability', brief(n.availability), format('ramp(%s; %s, %s)', brief(n.uptime), p.uptime_floor, p.uptime_target),
			jsonb_build_object('uptime', n.uptime, 'uptime_floor', p.uptime_floor, 'uptime_target', p.uptime_target, 'availability', n.availability), NULL),
		('node', 'response time', coalesce(brief(n.response_ms) || ' ms', 'none'), format('%s quantile of good samples', p.response_quantile),
			jsonb_build_object('response_ms', n.response_ms, 'response_limit_ms', p.response_limit_ms, 'response_target_ms', p.response_target_ms),
			CASE WHEN n.response_ms > p.response_target_ms THEN format('%s ms or less would be the best.', p.response_target_ms) END),
		('node', 'errors', coalesce(brief(n.error_rate_upper), 'none'), format('upper bound of %s errors in %s samples at confidence %s', n.errors, n.samples, p.error_confidence),
			jsonb_build_object('errors', n.errors, 'samples', n.samples, 'error_rate_upper', n.error_rate_upper, 'error_limit', p.error_limit, 'error_target', p.error_target),
			CASE WHEN n.error_rate_upper > p.error_target THEN format('%s or less would be the best; more samples bring it down, too.', p.error_target) END),
		('node', 'performance', brief(n.performance), format('sqrt(ramp(%s; %s, %s) * ramp(%s; %s, %s))', coalesce(brief(n.response_ms), 'none'), p.response_limit_ms, p.response_target_ms,
				coalesce(brief(n.error_rate_upper), 'none'), p.error_limit, p.error_target),
			jsonb_build_object('response_ms', n.response_ms, 'response_limit_ms', p.response_limit_ms, 'response_target_ms', p.response_target_ms,
				'error_rate_upper', n.error_rate_upper, 'error_limit', p.error_limit, 'error_target', p.error_target, 'performance', n.performance), NULL),
		('node', 'place', CASE WHEN n.violations >= p.min_violations THEN 'impossible' ELSE coalesce('within ' || brief(n.uncertainty_m) || ' m', 'not measured by enough beacons') END,
			format('%s beacons, %s of them find it impossible, %s suspect', n.beacons, n.violations, n.suspicions),
			jsonb_build_object('beacons', n.beacons, 'violations', n.violations, 'suspicions', n.suspicions, 'uncertainty_m', n.uncertainty_m, 'min_beacons', p.min_beacons, 'min_violations', p.min_violations),
			CASE WHEN n.violations >= p.min_violations THEN 'Nothing is paid: the claimed place is wrong, or the beacons are.' END),
		('node', 'place trust', brief(n.place_trust), CASE WHEN p.min_beacons = 0 THEN '1, as the policy asks for no beacons'
				ELSE format('ramp(%s; %s, %s)', coalesce(brief(n.uncertainty_m), 'not known'), p.location_limit_m, p.location_target_m) END,
			jsonb_build_object('uncertainty_m', n.uncertainty_m, 'location_limit_m', p.location_limit_m, 'location_target_m', p.location_target_m, 'place_trust', n.place_trust),
			CASE WHEN n.place_trust < 1 THEN format('More beacons near it, and faster answers to them, would raise it; %s must confirm it within %s m.', p.min_beacons, p.location_target_m) END),
		('node', 'quality', brief(n.quality), format('%s * %s', brief(n.availability), brief(n.performance)),
			jsonb_build_object('availability', n.availability, 'performance', n.performance, 'counts', n.counts, 'impossible', n.violations >= p.min_violations, 'quality', n.quality), NULL);
	RETURN QUERY
	SELECT 'node', 'units of ' || u.resource_type, brief(u.units), format('of %s declared, as far as checks found them or %s of the unchecked', brief(u.declared), p.unchecked_units),
		jsonb_build_object('resource_type', u.resource_type, 'declared', u.declared, 'units', u.units, 'unit_value', t.unit_value, 'growth', u.growth),
		CASE WHEN t.unit_value = 0 THEN 'The policy gives this kind no value.' WHEN u.units < u.declared THEN 'A check that finds all of them would raise it.' END
	FROM epoch_node_resource u JOIN epoch_resource t ON t.epoch_id = u.epoch_id AND t.resource_type = u.resource_type
	WHERE u.epoch_id = e.epoch_id AND u.node_id = n.node_id ORDER BY u.resource_type;
	RETURN QUERY VALUES
		('node', 'value', brief(n.value), 'sum of units * unit value', jsonb_build_object('value', n.value), NULL),
		('node', 'contribution', brief(n.contribution), format('%s * %s', brief(n.quality), brief(n.value)), jsonb_build_object('quality', n.quality, 'value', n.value, 'contribution', n.contribution), NULL),
		('node', 'supply', brief(n.supply), format('%s * %s / %s: its contribution shared by the demand in its disc of %s m', brief(n.contribution), brief(n.place_trust), brief(n.demand_in_reach), brief(n.reach_m)),
			jsonb_build_object('contribution', n.contribution, 'place_trust', n.place_trust, 'demand_in_reach', n.demand_in_reach, 'reach_m', n.reach_m, 'supply', n.supply),
			CASE WHEN n.demand_in_reach = 0 THEN 'Nobody is in its reach.' END),
		('node', 'tenure', brief(n.tenure), format('mean of min(1, time of its owner at this place / %s days)', brief(days(p.maturity))), jsonb_build_object('tenure', n.tenure, 'maturity_days', days(p.maturity)),
			CASE WHEN n.tenure < 1 THEN 'It grows by staying.' END),
		('node', 'freshness', brief(n.freshness), format('mean of max(0, 1 - time since its owner''s first stay in the region / %s days)', brief(days(p.freshness))),
			jsonb_build_object('freshness', n.freshness, 'freshness_days', days(p.freshness)), NULL);

	-- ---- what each pool makes of it ----
	IF g.region IS NULL THEN
		RETURN QUERY VALUES ('new_regions', 'region', 'none', 'no region covers it or is near enough', jsonb_build_object('region_snap_m', p.region_snap_m), 'Nodes in no region earn nothing here.');
	ELSE
		RETURN QUERY VALUES
			('new_regions', 'multiplier of ' || g.region, brief(g.multiplier), format('1 + (%s - 1) * max(0, 1 - %s / %s / %s)', p.region_multiplier_max, brief(g.given), brief(g.demand), brief(g.target_fraction)),
				jsonb_build_object('given', g.given, 'demand', g.demand, 'target_fraction', g.target_fraction, 'region_multiplier_max', p.region_multiplier_max, 'multiplier', g.multiplier), CASE WHEN g.multiplier = 1 THEN 'Enough is given there.' END),
			('new_regions', 'pot of ' || g.region, brief(g.pot), format('(%s - 1) * min(%s, %s) * %s days', brief(g.multiplier), brief(g.fresh), brief(g.need), brief(days)),
				jsonb_build_object('multiplier', g.multiplier, 'fresh', g.fresh, 'need', g.need, 'supply_target', p.supply_target, 'target_fraction', g.target_fraction, 'demand', g.demand, 'given', g.given, 'days', days, 'pot', g.pot),
				CASE WHEN g.need = 0 THEN 'No more is wanted there than is taken for given.' END),
			('new_regions', 'score', brief(CASE WHEN g.fresh > 0 THEN g.pot * (n.contribution * n.place_trust * n.tenure * n.freshness / g.fresh) ELSE 0 END),
				format('%s * (%s * %s * %s * %s) / %s', brief(g.pot), brief(n.contribution), brief(n.place_trust), brief(n.tenure), brief(n.freshness), brief(g.fresh)),
				jsonb_build_object('pot', g.pot, 'z', n.contribution * n.place_trust * n.tenure * n.freshness, 'fresh', g.fresh),
				CASE WHEN n.freshness = 0 THEN 'Its owner is not new in this region any more.' END);
	END IF;
	gap := coverage_sum(gap_value_field(e.demand, e.supply, e.reference, p.supply_target::double precision, kept), n.location, n.reach_m);
	RETURN QUERY VALUES
		('geographic_gaps', 'newly served per unit of supply', brief(gap), format('sum over its disc of demand * %s * max(0, min(1, S / %s) - G) / S', brief(kept), p.supply_target),
			jsonb_build_object('kappa', kept, 'supply_target', p.supply_target, 'per_supply', gap), CASE WHEN gap = 0 THEN 'In its reach nobody is served further than is taken for served.' END),
		('geographic_gaps', 'score', brief(days * n.tenure * n.supply * gap), format('%s days * %s * %s * %s', brief(days), brief(n.tenure), brief(n.supply), brief(gap)),
			jsonb_build_object('days', days, 'tenure', n.tenure, 'supply', n.supply, 'per_supply', gap), NULL);
	RETURN QUERY
	SELECT 'resource_gaps', 'score for ' || u.resource_type, brief(CASE WHEN x.pot > 0 THEN n.tenure * x.pot * (n.quality * n.place_trust * u.units / x.units) ELSE 0 END),
		format('%s * %s * (%s * %s * %s) / %s', brief(n.tenure), brief(x.pot), brief(n.quality), brief(n.place_trust), brief(u.units), brief(x.units)),
		jsonb_build_object('tenure', n.tenure, 'pot', x.pot, 'good_units', n.quality * n.place_trust * u.units, 'units_of_region', x.units, 'demand', x.demand, 'reference', x.reference,
			'days', days, 'unit_value', t.unit_value, 'kappa', kept),
		CASE WHEN x.demand = 0 THEN 'It is not wanted there.' WHEN x.pot = 0 THEN 'There is not more of it there than is taken for given, or than is wanted.' END
	FROM epoch_node_resource u JOIN epoch_region_resource x ON x.epoch_id = u.epoch_id AND x.region = n.region AND x.resource_type = u.resource_type
		JOIN epoch_resource t ON t.epoch_id = u.epoch_id AND t.resource_type = u.resource_type
	WHERE u.epoch_id = e.epoch_id AND u.node_id = n.node_id ORDER BY u.resource_type;
	RETURN QUERY
	SELECT 'resource_types', 'score for ' || u.resource_type, brief(days * n.quality * u.units * t.unit_value * t.markup),
		format('%s days * %s * %s * %s * %s', brief(days), brief(n.quality), brief(u.units), brief(t.unit_value), brief(t.markup)),
		jsonb_build_object('days', days, 'quality', n.quality, 'units', u.units, 'unit_value', t.unit_value, 'markup', t.markup, 'price', t.price, 'price_before', t.price_before, 'demand', t.demand, 'supply', t.units,
			'price_elasticity', p.price_elasticity, 'price_step', p.price_step, 'price_min', coalesce(y.price_min, 1), 'price_max', coalesce(y.price_max, 1)),
		CASE WHEN t.markup = 0 THEN 'It is not scarce.' END
	FROM epoch_node_resource u JOIN epoch_resource t ON t.epoch_id = u.epoch_id AND t.resource_type = u.resource_type
		LEFT JOIN policy_resource y ON y.policy_id = p.policy_id AND y.resource_type = u.resource_type
	WHERE u.epoch_id = e.epoch_id AND u.node_id = n.node_id ORDER BY u.resource_type;
	RETURN QUERY
	SELECT 'network_capacity', 'score for ' || u.resource_type, brief(CASE WHEN t.pot > 0 AND t.growth > 0 THEN n.tenure * t.pot * (u.growth / t.growth) ELSE 0 END),
		format('%s * %s * %s / %s', brief(n.tenure), brief(t.pot), brief(u.growth), brief(t.growth)),
		jsonb_build_object('tenure', n.tenure, 'pot', t.pot, 'growth', u.growth, 'growth_of_all', t.growth, 'owner_units', CASE WHEN u.reference IS NULL THEN o.units ELSE n.quality * u.units END, 'owner_reference', coalesce(u.reference, o.reference),
			'unattested_units', a.units, 'unattested_reference', a.reference, 'provider_units', v.units, 'provider_reference', v.reference,
			'network_units', t.units, 'network_reference', t.reference, 'need', t.need, 'days', days, 'unit_value', t.unit_value, 'kappa', kept),
		CASE WHEN u.growth = 0 THEN 'Its owner, or its provider, has not more than is taken for given.' WHEN t.pot = 0 THEN 'The network has not more of it than is taken for given, or than is needed.' END
	FROM epoch_node_resource u JOIN epoch_resource t ON t.epoch_id = u.epoch_id AND t.resource_type = u.resource_type
		LEFT JOIN epoch_owner_rest o ON u.reference IS NULL AND o.epoch_id = u.epoch_id AND o.resource_type = u.resource_type AND o.kind = CASE WHEN n.hardware_id IS NULL THEN 'unattested' ELSE 'hardware' END
			AND o.owner = coalesce(n.hardware_id, n.provider_id::text)
		LEFT JOIN epoch_owner_rest a ON n.hardware_id IS NULL AND a.epoch_id = u.epoch_id AND a.resource_type = u.resource_type AND a.kind = 'unattested' AND a.owner = 'all'
		LEFT JOIN epoch_owner_rest v ON v.epoch_id = u.epoch_id AND v.resource_type = u.resource_type AND v.kind = 'provider' AND v.owner = n.provider_id::text
	WHERE u.epoch_id = e.epoch_id AND u.node_id = n.node_id ORDER BY u.resource_type;
	RETURN QUERY
	SELECT 'service_types', 'score for ' || s.service_type, brief(CASE WHEN t.score > 0 AND t.good_work > 0 THEN t.score * (n.quality * s.work / t.good_work) ELSE 0 END),
		format('%s * (%s * %s) / %s', brief(t.score), brief(n.quality), brief(s.work), brief(t.good_work)),
		jsonb_build_object('score_of_service', t.score, 'share', t.share, 'quality', n.quality, 'work', s.work, 'work_done', s.work_done, 'good_work', t.good_work, 'fee', s.fee, 'amount_of_service', t.amount),
		CASE WHEN t.premium * t.unit_value = 0 THEN 'The policy gives this service no value.' WHEN s.work < s.work_done THEN 'It reported more work than its resources can do.' END
	FROM epoch_node_service s JOIN epoch_service t ON t.epoch_id = s.epoch_id AND t.service_type = s.service_type
	WHERE s.epoch_id = e.epoch_id AND s.node_id = n.node_id ORDER BY s.service_type;
	RETURN QUERY
	SELECT 'specialization', format('rule %s for %s', k.code, s.service_type),
		brief(CASE WHEN s.samples >= k.min_samples THEN k.weight::double precision * s.work * t.unit_value * n.quality * coalesce(ramp(m.metric, k.bound::double precision, k.target::double precision), 0) ELSE 0 END),
		format('%s * %s * %s * %s * ramp(%s; %s, %s)', k.weight, brief(s.work), brief(t.unit_value), brief(n.quality), coalesce(brief(m.metric), 'none'), k.bound, k.target),
		jsonb_build_object('weight', k.weight, 'work', s.work, 'unit_value', t.unit_value, 'quality', n.quality, 'metric', k.metric, 'metric_value', m.metric, 'bound', k.bound, 'target', k.target, 'samples', s.samples, 'min_samples', k.min_samples),
		CASE WHEN s.samples < k.min_samples THEN format('It takes %s samples.', k.min_samples) WHEN m.metric IS NULL THEN format('There is no %s for all of its work.', k.metric) END
	FROM epoch_node_service s JOIN epoch_service t ON t.epoch_id = s.epoch_id AND t.service_type = s.service_type
		JOIN specialization k ON k.policy_id = p.policy_id AND (k.service_type IS NULL OR k.service_type = s.service_type),
		LATERAL (SELECT CASE k.metric WHEN 'p50_latency_ms' THEN s.p50_latency_ms WHEN 'p95_latency_ms' THEN s.p95_latency_ms
			WHEN 'p99_latency_ms' THEN s.p99_latency_ms WHEN 'error_rate_upper' THEN s.error_rate_upper ELSE s.energy_per_work END) m (metric)
	WHERE s.epoch_id = e.epoch_id AND s.node_id = n.node_id ORDER BY k.code, s.service_type;

	-- ---- what it is paid ----
	RETURN QUERY
	SELECT c.code::text, 'amount', coalesce(y.amount, 0)::text,
		CASE WHEN y.score IS NULL THEN '0, without a score' ELSE format('%s * %s / %s, to a whole base unit by largest remainders', q.payable, brief(y.score), brief(q.score)) END,
		jsonb_build_object('provider_id', n.provider_id, 'score', y.score, 'score_of_all', q.score, 'budget', q.budget::text, 'carried_in', q.carried_in::text, 'price_max', q.price_max::text, 'payable', q.payable::text,
			'provider_cap_bps', p.provider_cap_bps, 'provider_score', z.score, 'provider_amount', z.amount::text, 'amount', coalesce(y.amount, 0)::text),
		CASE WHEN q.paid < q.budget + q.carried_in THEN 'The pool paid less than it had: ' || q.reason END
	FROM component c JOIN epoch_pool q ON q.epoch_id = e.epoch_id AND q.component = c.code
		LEFT JOIN reward y ON y.epoch_id = e.epoch_id AND y.node_id = n.node_id AND y.component = c.code
		LEFT JOIN LATERAL (SELECT sum(exact(u.score))::double precision AS score, sum(u.amount) AS amount FROM reward u
			WHERE u.epoch_id = e.epoch_id AND u.component = c.code AND u.provider_id = n.provider_id AND p.provider_cap_bps IS NOT NULL) z ON true
	ORDER BY c."position";
END $$;
COMMENT ON FUNCTION swarm_reward.explain_reward(bigint, bigint) IS
'how what a node got in an epoch came about: a row for each term, of the node and of each component down to the amount, with its value, the formula with the numbers in it, its inputs to the last bit, and what would have changed it. From frozen rows alone. A provider''s own login can ask about its own nodes. Errors: no such epoch, no results yet, archived, no such node, no member then, somebody else''s node';
REVOKE ALL ON FUNCTION swarm_reward.explain_reward(bigint, bigint) FROM PUBLIC;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
