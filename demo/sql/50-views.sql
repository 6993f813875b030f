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
SELECT e.note AS epoch, p.component, p.budget, p.carried_in, p.released, p.paid, p.carried_out, p.treasury, r.rewards, r.amount AS sum_of_rewards
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
	sum(r.amount) FILTER (WHERE component = 'coverage_gaps') AS coverage_gaps,
	sum(r.amount) FILTER (WHERE component = 'resource_types') AS resource_types,
	sum(r.amount) FILTER (WHERE component = 'network_capacity') AS network_capacity,
	sum(r.amount) FILTER (WHERE component = 'service_types') AS service_types,
	sum(r.amount) FILTER (WHERE component = 'specialization') AS specialization
FROM reward r JOIN provider p USING (provider_id)
GROUP BY p.provider_id;

CREATE VIEW demo.region AS
SELECT e.note AS epoch, r.code AS region, r.name, er.demand, er.covered / nullif(er.demand, 0) AS covered_at_opening,
	er.closing_covered / nullif(er.demand, 0) AS covered_at_close, er.multiplier, coalesce(n.nodes, 0) AS nodes
FROM epoch_region er JOIN epoch e USING (epoch_id) JOIN region r ON r.code = er.region
	LEFT JOIN (SELECT epoch_id, region, count(*) AS nodes FROM epoch_node WHERE contribution > 0 GROUP BY 1, 2) n USING (epoch_id, region);

-- The last epoch's gaps, one after the other: the city around which most people within reach of a
-- new node are not served, then the same without the people in that disc.
CREATE FUNCTION demo.find_gaps(n int)
RETURNS TABLE (gap int, node_in text, region text, not_served float8, largest_city text, people float8)
LANGUAGE plpgsql AS $$
DECLARE
	deficit coverage;
	radius float8 := service_radius(10);
	place geography;
BEGIN
	SELECT e.demand * coverage_greatest(1 - e.closing_supply / p.supply_target::float8, 0) INTO deficit
	FROM epoch e JOIN policy p USING (policy_id) ORDER BY period DESC LIMIT 1;
	FOR i IN 1..n LOOP
		gap := i;
		SELECT d.name, d.location, round(coverage_sum(deficit, d.location, radius)) INTO node_in, place, not_served
		FROM demand d WHERE coverage_value(deficit, d.location) > 0
		ORDER BY coverage_sum(deficit, d.location, radius) DESC, d.demand_id LIMIT 1;
		EXIT WHEN NOT FOUND;
		SELECT r.name INTO region FROM region r WHERE ST_Covers(r.boundary, place) ORDER BY ST_Area(r.boundary), r.code LIMIT 1;
		SELECT d.name, d.weight INTO largest_city, people
		FROM demand d WHERE ST_DWithin(d.location, place, radius) AND coverage_value(deficit, d.location) > 0
		ORDER BY weight DESC, d.demand_id LIMIT 1;
		RETURN NEXT;
		deficit := deficit - deficit * coverage_agg(place, radius, 1, coverage_order(deficit));
	END LOOP;
END $$;
CREATE TABLE demo.gap AS SELECT * FROM demo.find_gaps(5);

CREATE VIEW demo.node AS
SELECT e.note AS epoch, en.node_id, n.name AS node, p.name AS provider, en.region, en.uptime, en.quality, trim_scale(round(en.contribution, 9)) AS contribution,
	coalesce(sum(r.amount) FILTER (WHERE component = 'new_regions'), 0) AS new_regions,
	coalesce(sum(r.amount) FILTER (WHERE component = 'coverage_gaps'), 0) AS coverage_gaps,
	coalesce(sum(r.amount) FILTER (WHERE component = 'resource_types'), 0) AS resource_types,
	coalesce(sum(r.amount) FILTER (WHERE component = 'network_capacity'), 0) AS network_capacity,
	coalesce(sum(r.amount) FILTER (WHERE component = 'service_types'), 0) AS service_types,
	coalesce(sum(r.amount) FILTER (WHERE component = 'specialization'), 0) AS specialization,
	coalesce(sum(r.amount), 0) AS total
FROM epoch_node en JOIN epoch e USING (epoch_id) JOIN node n USING (node_id) JOIN provider p ON p.provider_id = en.provider_id
	LEFT JOIN reward r ON r.epoch_id = en.epoch_id AND r.node_id = en.node_id
GROUP BY e.epoch_id, en.epoch_id, en.node_id, n.node_id, p.provider_id;

-- The node whose rewards are shown over time: of those with rewards in all components, the best paid.
CREATE TABLE demo.one_node AS
SELECT node_id FROM reward GROUP BY node_id
ORDER BY count(DISTINCT component) FILTER (WHERE amount > 0) DESC, sum(amount) DESC, node_id LIMIT 1;
