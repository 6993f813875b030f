-- Views: what people and services read.

CREATE VIEW node_reward AS
SELECT r.epoch_id, e.period, e.status, r.node_id, r.provider_id, n.region,
	sum(r.amount) FILTER (WHERE r.component = 'new_regions') AS new_regions,
	sum(r.amount) FILTER (WHERE r.component = 'coverage_gaps') AS coverage_gaps,
	sum(r.amount) FILTER (WHERE r.component = 'resource_types') AS resource_types,
	sum(r.amount) FILTER (WHERE r.component = 'network_capacity') AS network_capacity,
	sum(r.amount) FILTER (WHERE r.component = 'service_types') AS service_types,
	sum(r.amount) FILTER (WHERE r.component = 'specialization') AS specialization,
	sum(r.amount) AS total
FROM reward r JOIN epoch e ON e.epoch_id = r.epoch_id JOIN epoch_node n ON n.epoch_id = r.epoch_id AND n.node_id = r.node_id
GROUP BY r.epoch_id, e.period, e.status, r.node_id, r.provider_id, n.region;
COMMENT ON VIEW node_reward IS 'what each node earned in each epoch, by component and in total, base units; NULL where it did not score. Nodes that scored nowhere have no row';
COMMENT ON COLUMN node_reward.epoch_id IS 'the epoch';
COMMENT ON COLUMN node_reward.period IS 'its period';
COMMENT ON COLUMN node_reward.status IS 'computed (may still change) or final';
COMMENT ON COLUMN node_reward.node_id IS 'the node';
COMMENT ON COLUMN node_reward.provider_id IS 'its provider in that epoch';
COMMENT ON COLUMN node_reward.region IS 'its region in that epoch; NULL: none';
COMMENT ON COLUMN node_reward.new_regions IS 'for new_regions';
COMMENT ON COLUMN node_reward.coverage_gaps IS 'for coverage_gaps';
COMMENT ON COLUMN node_reward.resource_types IS 'for resource_types';
COMMENT ON COLUMN node_reward.network_capacity IS 'for network_capacity';
COMMENT ON COLUMN node_reward.service_types IS 'for service_types';
COMMENT ON COLUMN node_reward.specialization IS 'for specialization';
COMMENT ON COLUMN node_reward.total IS 'together';

-- A barrier, so that no function in a provider's query sees a row before the
-- condition does. What names an epoch_id or a provider_id is looked up by it.
CREATE VIEW provider_statement WITH (security_barrier) AS
SELECT s.epoch_id, e.period, e.status, s.provider_id, p.name AS provider,
	s.nodes, s.new_regions, s.coverage_gaps, s.resource_types, s.network_capacity, s.service_types, s.specialization,
	s.earned, s.restated, s.earned + s.restated AS total
FROM (SELECT u.epoch_id, u.provider_id, count(DISTINCT u.node_id) AS nodes,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'new_regions'), 0) AS new_regions,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'coverage_gaps'), 0) AS coverage_gaps,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'resource_types'), 0) AS resource_types,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'network_capacity'), 0) AS network_capacity,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'service_types'), 0) AS service_types,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'specialization'), 0) AS specialization,
		sum(u.amount) AS earned, sum(u.restated) AS restated
	FROM (SELECT r.epoch_id, r.provider_id, r.node_id, r.component, r.amount, 0::numeric AS restated FROM reward r
		UNION ALL
		SELECT x.posted_epoch_id, x.provider_id, NULL, NULL, 0, x.amount FROM restatement x) u
	WHERE (SELECT sees_all_rewards()) OR u.provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[])
	GROUP BY u.epoch_id, u.provider_id) s
	JOIN epoch e ON e.epoch_id = s.epoch_id JOIN provider p ON p.provider_id = s.provider_id;
COMMENT ON VIEW provider_statement IS 'what each provider earned in each epoch, by component, with corrections of earlier epochs, base units. A role that may not read node_reward sees the providers whose role_name it is, and no other';
COMMENT ON COLUMN provider_statement.epoch_id IS 'the epoch';
COMMENT ON COLUMN provider_statement.period IS 'its period';
COMMENT ON COLUMN provider_statement.status IS 'computed (may still change) or final';
COMMENT ON COLUMN provider_statement.provider_id IS 'the provider';
COMMENT ON COLUMN provider_statement.provider IS 'its name';
COMMENT ON COLUMN provider_statement.nodes IS 'nodes that scored';
COMMENT ON COLUMN provider_statement.new_regions IS 'for new_regions';
COMMENT ON COLUMN provider_statement.coverage_gaps IS 'for coverage_gaps';
COMMENT ON COLUMN provider_statement.resource_types IS 'for resource_types';
COMMENT ON COLUMN provider_statement.network_capacity IS 'for network_capacity';
COMMENT ON COLUMN provider_statement.service_types IS 'for service_types';
COMMENT ON COLUMN provider_statement.specialization IS 'for specialization';
COMMENT ON COLUMN provider_statement.earned IS 'together';
COMMENT ON COLUMN provider_statement.restated IS 'corrections of earlier epochs posted in this one, signed';
COMMENT ON COLUMN provider_statement.total IS 'earned + restated, may be negative';

CREATE VIEW region_status AS
SELECT r.epoch_id, e.period, r.region, g.name, g.jurisdiction, r.demand, r.target_fraction,
	CASE WHEN r.demand > 0 THEN r.covered / r.demand END AS opening_fraction,
	CASE WHEN r.demand > 0 THEN r.closing_covered / r.demand END AS covered_fraction,
	r.demand - r.closing_covered AS gap,
	r.multiplier,
	region_multiplier(r.closing_covered, r.demand, r.target_fraction, p.region_multiplier_max) AS next_multiplier,
	coalesce(n.nodes, 0) AS nodes, coalesce(n.providers, 0) AS providers, trim_scale(coalesce(n.capacity, 0)) AS capacity,
	coalesce(x.resource_gaps, '{}') AS resource_gaps
FROM epoch_region r
	JOIN epoch e ON e.epoch_id = r.epoch_id
	JOIN policy p ON p.policy_id = e.policy_id
	JOIN region g ON g.code = r.region
	LEFT JOIN (SELECT m.epoch_id, m.region, count(*) FILTER (WHERE m.contribution > 0) AS nodes,
			count(DISTINCT m.provider_id) FILTER (WHERE m.contribution > 0) AS providers, sum(m.contribution) AS capacity
		FROM epoch_node m GROUP BY m.epoch_id, m.region) n ON n.epoch_id = r.epoch_id AND n.region = r.region
	LEFT JOIN (SELECT q.epoch_id, q.region, jsonb_object_agg(q.resource_type, trim_scale(round(q.demand - q.supply, 9))) AS resource_gaps
		FROM epoch_region_resource q WHERE q.demand > q.supply GROUP BY q.epoch_id, q.region) x ON x.epoch_id = r.epoch_id AND x.region = r.region;
COMMENT ON VIEW region_status IS 'each region in each computed epoch: how much of its demand is covered, what that made of its multiplier, who is there, what is missing. A cell counts as covered to the degree min(1, supply / target)';
COMMENT ON COLUMN region_status.epoch_id IS 'the epoch';
COMMENT ON COLUMN region_status.period IS 'its period';
COMMENT ON COLUMN region_status.region IS 'code of the region';
COMMENT ON COLUMN region_status.name IS 'its name today';
COMMENT ON COLUMN region_status.jurisdiction IS 'its jurisdiction today';
COMMENT ON COLUMN region_status.demand IS 'demand in it, in the unit of demand.weight';
COMMENT ON COLUMN region_status.target_fraction IS 'share that should be covered';
COMMENT ON COLUMN region_status.opening_fraction IS 'share covered at the opening; NULL without demand';
COMMENT ON COLUMN region_status.covered_fraction IS 'share covered at the close; NULL without demand';
COMMENT ON COLUMN region_status.gap IS 'demand not covered at the close';
COMMENT ON COLUMN region_status.multiplier IS 'm of this epoch, from the opening share';
COMMENT ON COLUMN region_status.next_multiplier IS 'm that the closing share will give the next epoch under the same policy and demand';
COMMENT ON COLUMN region_status.nodes IS 'nodes of the region that contribute';
COMMENT ON COLUMN region_status.providers IS 'their providers';
COMMENT ON COLUMN region_status.capacity IS 'sum of their contributions';
COMMENT ON COLUMN region_status.resource_gaps IS 'units wanted and not supplied at the close, by kind of resource, as a JSON object; empty: none';
