-- The tables of the report: printed by 60-report.sql, written as CSV by 70-csv.sql.

-- Numbers for people, set flush right in a column of the given width.
CREATE FUNCTION demo.whole(base_units numeric, width int DEFAULT 11) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT lpad(to_char(base_units / 1e6, 'FM999,999,990'), width) $$;
CREATE FUNCTION demo.exactly(base_units numeric) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT to_char(base_units / 1e6, '99,999,990.000000') $$;
CREATE FUNCTION demo.people(n numeric, width int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT lpad(to_char(n, 'FM9,999,999,990'), width) $$;
CREATE FUNCTION demo.percent(fraction numeric, width int DEFAULT 7) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT lpad(to_char(100 * fraction, 'FM990.0') || ' %', width) $$;

CREATE VIEW demo.pool AS
SELECT e.note AS epoch, p.component, p.budget, p.carried_in, p.score, p.price_max, p.payable, p.paid, p.carried_out, p.treasury, p.reason,
	r.rewards, r.amount AS sum_of_rewards
FROM epoch_pool p JOIN epoch e USING (epoch_id),
	LATERAL (SELECT count(*) FILTER (WHERE amount > 0) AS rewards, coalesce(sum(amount), 0) AS amount FROM reward WHERE epoch_id = p.epoch_id AND component = p.component) r;

-- Every way in which an epoch could fail to add up, from the single rewards; each must be 0.
CREATE VIEW demo.balance AS
SELECT e.note AS epoch, e.budget, sum(p.paid) AS paid, sum(p.carried_in) AS carried_in, sum(p.carried_out) AS carried_out, sum(p.treasury) AS treasury,
	e.budget - sum(p.budget) AS not_in_a_pool,
	sum(p.paid) - (SELECT coalesce(sum(amount), 0) FROM reward WHERE epoch_id = e.epoch_id) AS not_in_a_reward,
	e.budget + sum(p.carried_in) - sum(p.paid) - sum(p.carried_out) - sum(p.treasury) AS not_accounted,
	coalesce(lag(sum(p.carried_out)) OVER (ORDER BY e.period), 0) - sum(p.carried_in) AS lost_between_epochs
FROM epoch e JOIN epoch_pool p USING (epoch_id)
GROUP BY e.epoch_id;

CREATE VIEW demo.provider AS
SELECT p.name AS provider, sum(r.amount) AS amount, count(DISTINCT r.node_id) AS nodes,
	(SELECT count(DISTINCT region) FROM epoch_node n WHERE n.provider_id = p.provider_id AND contribution > 0) AS regions,
	(SELECT g.name || ' ' || round(100 * sum(m.amount) / sum(r.amount)) || ' %'
		FROM reward m JOIN epoch_node n USING (epoch_id, node_id) JOIN region g ON g.code = n.region
		WHERE m.provider_id = p.provider_id GROUP BY g.code ORDER BY sum(m.amount) DESC, g.code LIMIT 1) AS most_in,
	sum(r.amount) FILTER (WHERE component = 'new_regions') AS new_regions,
	sum(r.amount) FILTER (WHERE component = 'geographic_gaps') AS geographic_gaps,
	sum(r.amount) FILTER (WHERE component = 'resource_gaps') AS resource_gaps,
	sum(r.amount) FILTER (WHERE component = 'resource_types') AS resource_types,
	sum(r.amount) FILTER (WHERE component = 'network_capacity') AS network_capacity,
	sum(r.amount) FILTER (WHERE component = 'service_types') AS service_types,
	sum(r.amount) FILTER (WHERE component = 'specialization') AS specialization
FROM reward r JOIN provider p USING (provider_id)
GROUP BY p.provider_id HAVING sum(r.amount) > 0;

CREATE VIEW demo.region AS
SELECT e.note AS epoch, r.region, r.name, r.demand, r.given, r.served, r.multiplier, r.need, r.nodes
FROM region_status r JOIN epoch e USING (epoch_id);

-- The last epoch's gaps: where new nodes would do most good, one after the other, each without the
-- people of those before it; the nearest city, and the largest within reach that is badly served.
CREATE TABLE demo.gap AS
WITH last AS (
	SELECT e.demand * coverage_greatest(1 - e.supply / p.supply_target::float8, 0) AS deficit, e.period
	FROM epoch e JOIN policy p USING (policy_id) ORDER BY e.period DESC LIMIT 1
)
SELECT s.rank AS gap, near.name AS node_in, r.name AS region, round(s.gain) AS not_served, large.name AS largest_city, large.weight AS people
FROM last, coverage_sites(last.deficit, service_radius(10), 5) s,
	LATERAL (SELECT d.name FROM demand d ORDER BY d.location <-> s.location, d.demand_id LIMIT 1) near,
	LATERAL (SELECT d.name, d.location, d.weight FROM demand d WHERE ST_DWithin(d.location, s.location, service_radius(10))
		ORDER BY d.weight * (coverage_value(last.deficit, d.location) > 0)::int DESC, d.demand_id LIMIT 1) large
	LEFT JOIN region r ON ST_Covers(r.boundary, large.location)
ORDER BY s.rank;

CREATE VIEW demo.node AS
SELECT e.note AS epoch, en.node_id, n.name AS node, p.name AS provider, en.region, en.uptime, en.quality, en.place_trust, en.tenure, en.contribution,
	coalesce(r.new_regions, 0) AS new_regions, coalesce(r.geographic_gaps, 0) AS geographic_gaps, coalesce(r.resource_gaps, 0) AS resource_gaps,
	coalesce(r.resource_types, 0) AS resource_types, coalesce(r.network_capacity, 0) AS network_capacity,
	coalesce(r.service_types, 0) AS service_types, coalesce(r.specialization, 0) AS specialization, coalesce(r.total, 0) AS total
FROM epoch_node en JOIN epoch e USING (epoch_id) JOIN node n USING (node_id) JOIN provider p ON p.provider_id = en.provider_id
	LEFT JOIN node_reward r ON r.epoch_id = en.epoch_id AND r.node_id = en.node_id;

-- The node whose rewards are shown over time: of those that are still there the best paid of those with
-- rewards in most components.
CREATE TABLE demo.one_node AS
SELECT node_id FROM reward
WHERE node_id IN (SELECT node_id FROM epoch_node WHERE epoch_id = (SELECT max(epoch_id) FROM epoch))
GROUP BY node_id
ORDER BY count(DISTINCT component) FILTER (WHERE amount > 0) DESC, sum(amount) DESC, node_id LIMIT 1;
