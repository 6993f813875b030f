-- Views of what an epoch brought, all of figures that were frozen with it.

CREATE VIEW growth_metric AS
SELECT m.epoch_id, e.period, concat_ws(' ', m.kind, nullif(m.subject, '')) AS metric, m.family, m.unit,
	trim_scale(m.value) AS value, trim_scale(coalesce(o.value, 0)) AS previous, trim_scale(m.value - coalesce(o.value, 0)) AS change,
	m.kind, nullif(m.subject, '') AS subject, m.detail
FROM epoch_metric m JOIN epoch e ON e.epoch_id = m.epoch_id
	LEFT JOIN epoch_metric o ON o.epoch_id = e.previous_epoch_id AND o.kind = m.kind AND o.subject = m.subject;
COMMENT ON VIEW growth_metric IS 'what an epoch brought against the one before: nodes, demand served, latency reach, data residency, capacity, prices, services, concentration; one row per epoch and metric';
COMMENT ON COLUMN growth_metric.epoch_id IS 'the epoch';
COMMENT ON COLUMN growth_metric.period IS 'its period';
COMMENT ON COLUMN growth_metric.metric IS 'what is measured: kind and, where there is one, subject';
COMMENT ON COLUMN growth_metric.family IS 'network, service, or the family of the kind of resource: cpu, gpu, memory, storage, bandwidth, niche';
COMMENT ON COLUMN growth_metric.unit IS 'unit of value; share: of 1; HHI: 1 for a single provider; contribution: see epoch_node';
COMMENT ON COLUMN growth_metric.value IS 'in this epoch';
COMMENT ON COLUMN growth_metric.previous IS 'in the epoch before, 0 where it did not have the metric';
COMMENT ON COLUMN growth_metric.change IS 'value - previous';
COMMENT ON COLUMN growth_metric.kind IS
'a node counts when its contribution is above 0. Network: nodes; new nodes (that did not count in the epoch before); new nodes in target regions (multiplier above 1); providers; contribution; regions with nodes; regions opened (with nodes, and without in the epoch before); demand; demand served (cells count to the degree min(1, supply / target)); demand newly served (to which degree more than at the opening); share of demand served; latency reach and data residency by round-trip time (share of all demand, and of the demand under a known jurisdiction, see latency_reach); provider concentration of the network and of each region (Herfindahl-Hirschman index, the sum of squares of the providers'' shares of contribution). '
'Resources: capacity (quality * units) of each kind; added (capacity above the all-time mark of each hardware or provider); price; capacity of family and added in family (unit_value * units, so that kinds can be added up); niche resource types offered, and appeared (none in the epoch before). '
'Services: work; services offered (with work of some quality), and appeared';
COMMENT ON COLUMN growth_metric.subject IS 'the kind of resource, family, service, region or round-trip time; NULL: the network';
COMMENT ON COLUMN growth_metric.detail IS 'codes of what was counted: regions opened, niche types and services offered and appeared; NULL: none';

CREATE VIEW latency_reach AS
SELECT r.epoch_id, e.period, r.place AS region, g.name, x.jurisdiction, r.budget_ms, r.radius_m, r.demand,
	r.reached, s.reached_fraction, r.resident, s.resident_fraction,
	CASE WHEN j.demand > 0 THEN j.resident / j.demand END AS jurisdiction_fraction,
	s.reached_fraction - o.reached_fraction AS reached_change, s.resident_fraction - o.resident_fraction AS resident_change
FROM epoch_reach r
	CROSS JOIN LATERAL (SELECT CASE WHEN r.demand > 0 THEN r.reached / r.demand END AS reached_fraction,
		CASE WHEN r.demand > 0 THEN r.resident / r.demand END AS resident_fraction) s
	JOIN epoch e ON e.epoch_id = r.epoch_id
	JOIN epoch_region x ON x.epoch_id = r.epoch_id AND x.region = r.place
	JOIN region g ON g.code = r.place
	LEFT JOIN epoch_reach j ON j.epoch_id = r.epoch_id AND j.scope = 'jurisdiction' AND j.place = x.jurisdiction AND j.budget_ms = r.budget_ms
	LEFT JOIN (SELECT p.epoch_id, p.place, p.budget_ms, CASE WHEN p.demand > 0 THEN p.reached / p.demand END AS reached_fraction,
			CASE WHEN p.demand > 0 THEN p.resident / p.demand END AS resident_fraction
		FROM epoch_reach p WHERE p.scope = 'region') o ON o.epoch_id = e.previous_epoch_id AND o.place = r.place AND o.budget_ms = r.budget_ms
WHERE r.scope = 'region';
COMMENT ON VIEW latency_reach IS 'how much of each region''s demand could be served within a round-trip time of 5, 10, 20, 50 and 100 ms, by anybody''s nodes and by those of the same jurisdiction; one row per epoch, region and round-trip time. A node counts when its contribution is above 0, and serves the disc of service_radius(budget_ms) around it';
COMMENT ON COLUMN latency_reach.epoch_id IS 'the epoch';
COMMENT ON COLUMN latency_reach.period IS 'its period';
COMMENT ON COLUMN latency_reach.region IS 'code of the region';
COMMENT ON COLUMN latency_reach.name IS 'its name today';
COMMENT ON COLUMN latency_reach.jurisdiction IS 'its jurisdiction then; NULL: not known';
COMMENT ON COLUMN latency_reach.budget_ms IS 'round-trip time, ms';
COMMENT ON COLUMN latency_reach.radius_m IS 'service_radius of it, metres, on paths twice as long as the geodesic';
COMMENT ON COLUMN latency_reach.demand IS 'demand in the region';
COMMENT ON COLUMN latency_reach.reached IS 'demand within the radius of some node, wherever it is';
COMMENT ON COLUMN latency_reach.reached_fraction IS 'reached / demand; NULL without demand';
COMMENT ON COLUMN latency_reach.resident IS 'demand within the radius of some node whose own region has the same jurisdiction; NULL where the jurisdiction is not known';
COMMENT ON COLUMN latency_reach.resident_fraction IS 'resident / demand: data residency of the region; NULL without demand or jurisdiction';
COMMENT ON COLUMN latency_reach.jurisdiction_fraction IS 'the same for the whole jurisdiction, see data_residency';
COMMENT ON COLUMN latency_reach.reached_change IS 'reached_fraction less that of the epoch before; NULL where either is not known';
COMMENT ON COLUMN latency_reach.resident_change IS 'resident_fraction less that of the epoch before; NULL where either is not known';

CREATE VIEW data_residency AS
SELECT r.epoch_id, e.period, r.place AS jurisdiction, r.budget_ms, r.radius_m, r.demand, r.resident,
	CASE WHEN r.demand > 0 THEN r.resident / r.demand END AS resident_fraction,
	CASE WHEN r.demand > 0 AND o.demand > 0 THEN r.resident / r.demand - o.resident / o.demand END AS resident_change
FROM epoch_reach r JOIN epoch e ON e.epoch_id = r.epoch_id
	LEFT JOIN epoch_reach o ON o.epoch_id = e.previous_epoch_id AND o.scope = r.scope AND o.place = r.place AND o.budget_ms = r.budget_ms
WHERE r.scope = 'jurisdiction';
COMMENT ON VIEW data_residency IS 'how much of each jurisdiction''s demand its own nodes could serve within a round-trip time; one row per epoch, jurisdiction and round-trip time';
COMMENT ON COLUMN data_residency.epoch_id IS 'the epoch';
COMMENT ON COLUMN data_residency.period IS 'its period';
COMMENT ON COLUMN data_residency.jurisdiction IS 'the jurisdiction';
COMMENT ON COLUMN data_residency.budget_ms IS 'round-trip time, ms';
COMMENT ON COLUMN data_residency.radius_m IS 'service_radius of it, metres';
COMMENT ON COLUMN data_residency.demand IS 'demand in any of its regions, once where they overlap';
COMMENT ON COLUMN data_residency.resident IS 'of it within the radius of some node in a region of the jurisdiction';
COMMENT ON COLUMN data_residency.resident_fraction IS 'resident / demand; NULL without demand';
COMMENT ON COLUMN data_residency.resident_change IS 'resident_fraction less that of the epoch before; NULL where either is not known';
