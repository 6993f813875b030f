-- Views: what people and services read. Periods come as starts_at and ends_at, places with type and
-- SRID, money also as text where JSON would round it.

CREATE VIEW node_reward AS
SELECT r.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, e.status, r.node_id, r.provider_id, n.region,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'new_regions'), 0) AS new_regions,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'geographic_gaps'), 0) AS geographic_gaps,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'resource_gaps'), 0) AS resource_gaps,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'resource_types'), 0) AS resource_types,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'network_capacity'), 0) AS network_capacity,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'service_types'), 0) AS service_types,
	coalesce(sum(r.amount) FILTER (WHERE r.component = 'specialization'), 0) AS specialization,
	sum(r.amount) AS total, sum(r.amount)::text AS total_text
FROM reward r JOIN epoch e ON e.epoch_id = r.epoch_id JOIN epoch_node n ON n.epoch_id = r.epoch_id AND n.node_id = r.node_id
GROUP BY r.epoch_id, e.period, e.status, r.node_id, r.provider_id, n.region;
COMMENT ON VIEW node_reward IS 'what each node earned in each epoch, by component and in total, base units. Nodes that scored nowhere have no row';
COMMENT ON COLUMN node_reward.epoch_id IS 'the epoch';
COMMENT ON COLUMN node_reward.starts_at IS 'its start';
COMMENT ON COLUMN node_reward.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN node_reward.status IS 'computed (may still change) or final';
COMMENT ON COLUMN node_reward.node_id IS 'the node';
COMMENT ON COLUMN node_reward.provider_id IS 'its provider';
COMMENT ON COLUMN node_reward.region IS 'its region; NULL: none';
COMMENT ON COLUMN node_reward.new_regions IS 'for new_regions';
COMMENT ON COLUMN node_reward.geographic_gaps IS 'for geographic_gaps';
COMMENT ON COLUMN node_reward.resource_gaps IS 'for resource_gaps';
COMMENT ON COLUMN node_reward.resource_types IS 'for resource_types';
COMMENT ON COLUMN node_reward.network_capacity IS 'for network_capacity';
COMMENT ON COLUMN node_reward.service_types IS 'for service_types';
COMMENT ON COLUMN node_reward.specialization IS 'for specialization';
COMMENT ON COLUMN node_reward.total IS 'together';
COMMENT ON COLUMN node_reward.total_text IS 'the same as text, for clients that would round it';

CREATE VIEW region_status AS
SELECT s.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, s.region, g.name, s.jurisdiction, s.demand, s.served,
	s.served / nullif(s.demand, 0) AS served_fraction, s.target_fraction, s.given, s.multiplier, s.need,
	coalesce(n.nodes, 0) AS nodes, coalesce(n.contribution, 0) AS contribution, g.boundary
FROM epoch_region s JOIN epoch e ON e.epoch_id = s.epoch_id JOIN region g ON g.code = s.region
	LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE x.contribution > 0) AS nodes, sum(x.contribution::numeric)::double precision AS contribution
		FROM epoch_node x WHERE x.epoch_id = s.epoch_id AND x.region = s.region) n ON true;
COMMENT ON VIEW region_status IS 'each region in each computed epoch: what is wanted there, what is served, and what it pays to be new';
COMMENT ON COLUMN region_status.epoch_id IS 'the epoch';
COMMENT ON COLUMN region_status.starts_at IS 'its start';
COMMENT ON COLUMN region_status.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN region_status.region IS 'code of the region';
COMMENT ON COLUMN region_status.name IS 'its name';
COMMENT ON COLUMN region_status.jurisdiction IS 'whose law applies there; NULL: not known';
COMMENT ON COLUMN region_status.demand IS 'demand that belongs to it';
COMMENT ON COLUMN region_status.served IS 'what of it is served';
COMMENT ON COLUMN region_status.served_fraction IS 'served / demand; NULL without demand';
COMMENT ON COLUMN region_status.target_fraction IS 'share that should be served';
COMMENT ON COLUMN region_status.given IS 'what of its demand is taken for served, so that more is not new';
COMMENT ON COLUMN region_status.multiplier IS 'what contribution that is new there counts, 1 where enough is given';
COMMENT ON COLUMN region_status.need IS 'contribution that is wanted';
COMMENT ON COLUMN region_status.nodes IS 'nodes that contribute';
COMMENT ON COLUMN region_status.contribution IS 'of these nodes';
COMMENT ON COLUMN region_status.boundary IS 'its boundary, WGS84';

-- regions are fetched once, not for each gap as region_of would
CREATE VIEW coverage_gap AS
SELECT e.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, g.gap_id, swarm_reward_internal.region_among(e.codes, e.boundaries, g.center, e.region_snap_m) AS region, g.area_m2, g.deficit,
	g.center::geography(Point,4326) AS center, g.boundary::geography(MultiPolygon,4326) AS boundary
FROM (SELECT x.epoch_id, x.period, x.demand, x.supply, p.supply_target, p.region_snap_m,
			swarm_reward_internal.region_codes(lower(x.period)) AS codes, swarm_reward_internal.region_boundaries(lower(x.period)) AS boundaries
		FROM epoch x JOIN policy p ON p.policy_id = x.policy_id WHERE x.status IN ('computed', 'final') ORDER BY x.period DESC LIMIT 1) e,
	LATERAL coverage_gaps(e.demand * coverage_greatest(1::double precision - e.supply / e.supply_target::double precision, 0::double precision)) g;
COMMENT ON VIEW coverage_gap IS 'demand that the last computed epoch leaves unserved, as connected areas, the largest deficit first';
COMMENT ON COLUMN coverage_gap.epoch_id IS 'the epoch';
COMMENT ON COLUMN coverage_gap.starts_at IS 'its start';
COMMENT ON COLUMN coverage_gap.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN coverage_gap.gap_id IS 'number of the gap, from 1';
COMMENT ON COLUMN coverage_gap.region IS 'the region of its centre; NULL: none';
COMMENT ON COLUMN coverage_gap.area_m2 IS 'its area, m2';
COMMENT ON COLUMN coverage_gap.deficit IS 'demand in it that is not served';
COMMENT ON COLUMN coverage_gap.center IS 'a place as deep inside as any, WGS84';
COMMENT ON COLUMN coverage_gap.boundary IS 'its outline, WGS84';

CREATE VIEW location_trust AS
SELECT n.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, n.node_id, n.provider_id, n.location, n.beacons, n.suspicions, n.violations, n.uncertainty_m, n.place_trust,
	CASE WHEN n.violations >= p.min_violations THEN 'impossible' WHEN n.place_trust = 0 THEN 'unknown' WHEN n.suspicions > 0 THEN 'suspect'
		WHEN n.place_trust < 1 THEN 'uncertain' ELSE 'trusted' END AS verdict
FROM epoch_node n JOIN epoch e ON e.epoch_id = n.epoch_id JOIN policy p ON p.policy_id = e.policy_id;
COMMENT ON VIEW location_trust IS 'what round-trip times to beacons say of where each node of an epoch is';
COMMENT ON COLUMN location_trust.epoch_id IS 'the epoch';
COMMENT ON COLUMN location_trust.starts_at IS 'its start';
COMMENT ON COLUMN location_trust.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN location_trust.node_id IS 'the node';
COMMENT ON COLUMN location_trust.provider_id IS 'its provider';
COMMENT ON COLUMN location_trust.location IS 'its claimed place, WGS84';
COMMENT ON COLUMN location_trust.beacons IS 'beacons that measured it';
COMMENT ON COLUMN location_trust.suspicions IS 'of them those further away than light in fibre could have gone and come back';
COMMENT ON COLUMN location_trust.violations IS 'of them those further away than light in vacuum could have gone and come back';
COMMENT ON COLUMN location_trust.uncertainty_m IS 'how far from its claimed place it can be at most, metres; NULL: too few beacons to say';
COMMENT ON COLUMN location_trust.place_trust IS 'what of its contribution counts where place matters';
COMMENT ON COLUMN location_trust.verdict IS 'impossible (nothing is paid), unknown (nothing that depends on place is paid), suspect (shown, costs nothing), uncertain (counts in part), trusted';

CREATE VIEW growth_metric AS
SELECT e.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at,
	CASE WHEN NOT gone.here THEN n.nodes END AS nodes, CASE WHEN NOT gone.here THEN n.contributing END AS contributing, CASE WHEN NOT gone.here THEN n.providers END AS providers,
	CASE WHEN NOT gone.here AND NOT gone.before THEN n.new_nodes END AS new_nodes, CASE WHEN NOT gone.here THEN n.kept / nullif(n.before, 0)::double precision END AS retention, n.contribution,
	f.demand, f.served, f.newly_served, w.paid, w.paid::text AS paid_text, w.for_growth / nullif(f.newly_served, 0)::numeric AS paid_per_newly_served,
	v.utilisation, n.concentration
FROM epoch e JOIN policy p ON p.policy_id = e.policy_id,
	LATERAL (SELECT coverage_sum(e.demand) AS demand, coverage_sum(e.demand * coverage_least(e.supply / p.supply_target::double precision, 1::double precision)) AS served,
		coverage_sum(e.demand * coverage_greatest(coverage_least(e.supply / p.supply_target::double precision, 1::double precision) - e.reference, 0::double precision)) AS newly_served) f,
	-- what was archived is not known, which is not 0
	LATERAL (SELECT count(*) FILTER (WHERE s.epoch_id = e.epoch_id) > 0 AS here, count(*) FILTER (WHERE s.epoch_id = e.previous_epoch_id) > 0 AS before
		FROM swarm_reward_internal.epoch_seal s WHERE s.epoch_id IN (e.epoch_id, e.previous_epoch_id) AND s.relation = 'epoch_node' AND s.row_count > 0
			AND NOT EXISTS (SELECT FROM epoch_node x WHERE x.epoch_id = s.epoch_id)) gone,
	LATERAL (SELECT count(*) AS nodes, count(*) FILTER (WHERE x.contribution > 0) AS contributing, count(DISTINCT x.provider_id) AS providers,
			count(*) FILTER (WHERE o.node_id IS NULL) AS new_nodes, count(*) FILTER (WHERE o.contribution > 0 AND x.contribution > 0) AS kept,
			(SELECT count(*) FROM epoch_node b WHERE b.epoch_id = e.previous_epoch_id AND b.contribution > 0) AS before,
			sum(x.contribution::numeric)::double precision AS contribution,
			(SELECT (sum(s.part * s.part) / nullif(sum(s.part) * sum(s.part), 0))::double precision
				FROM (SELECT sum(c.contribution::numeric) AS part FROM epoch_node c WHERE c.epoch_id = e.epoch_id GROUP BY c.provider_id) s) AS concentration
		FROM epoch_node x LEFT JOIN epoch_node o ON o.epoch_id = e.previous_epoch_id AND o.node_id = x.node_id WHERE x.epoch_id = e.epoch_id) n,
	LATERAL (SELECT sum(q.paid) AS paid, sum(q.paid) FILTER (WHERE q.component IN ('new_regions', 'geographic_gaps')) AS for_growth FROM epoch_pool q WHERE q.epoch_id = e.epoch_id) w,
	LATERAL (SELECT (sum(s.work::numeric) / nullif(sum(r.units::numeric * y.max_work_per_hour * (extract(epoch FROM upper(e.period) - lower(e.period)) / 3600)), 0))::double precision AS utilisation
		FROM policy_service y JOIN epoch_node_resource r ON r.epoch_id = e.epoch_id AND r.resource_type = y.resource_type
			LEFT JOIN epoch_node_service s ON s.epoch_id = e.epoch_id AND s.node_id = r.node_id AND s.service_type = y.service_type
		WHERE y.policy_id = e.policy_id) v
WHERE e.status IN ('computed', 'final');
COMMENT ON VIEW growth_metric IS 'what each computed epoch brought, and what that cost; ask for one epoch at a time where there are many nodes';
COMMENT ON COLUMN growth_metric.epoch_id IS 'the epoch';
COMMENT ON COLUMN growth_metric.starts_at IS 'its start';
COMMENT ON COLUMN growth_metric.ends_at IS 'its end, exclusive';
COMMENT ON COLUMN growth_metric.nodes IS 'members; NULL: archived';
COMMENT ON COLUMN growth_metric.contributing IS 'of them those that contribute; NULL: archived';
COMMENT ON COLUMN growth_metric.providers IS 'providers of members; NULL: archived';
COMMENT ON COLUMN growth_metric.new_nodes IS 'members that the epoch before did not have; NULL: one of the two is archived';
COMMENT ON COLUMN growth_metric.retention IS 'share of the nodes that contributed in the epoch before and still do; NULL without such, or archived';
COMMENT ON COLUMN growth_metric.contribution IS 'of all nodes; NULL without any, or archived';
COMMENT ON COLUMN growth_metric.demand IS 'all demand';
COMMENT ON COLUMN growth_metric.served IS 'demand that is served';
COMMENT ON COLUMN growth_metric.newly_served IS 'demand that is served above what is taken for given';
COMMENT ON COLUMN growth_metric.paid IS 'base units paid';
COMMENT ON COLUMN growth_metric.paid_text IS 'the same as text, for clients that would round it';
COMMENT ON COLUMN growth_metric.paid_per_newly_served IS 'base units that new_regions and geographic_gaps paid per unit of newly served demand; NULL without such';
COMMENT ON COLUMN growth_metric.utilisation IS 'work done over what resources could have done, of services with policy_service.max_work_per_hour; NULL without such, or archived';
COMMENT ON COLUMN growth_metric.concentration IS 'Herfindahl-Hirschman index of the providers'' contributions: 1 is one provider; NULL without any, or archived';
