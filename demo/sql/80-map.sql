-- A map of the last epoch: nodes as dots; blue, how much of the supply wanted is there; red, where
-- cities have less than half of it, by how many people live in them within 75 km.
\set file :output '/coverage.svg'
WITH last AS (
	SELECT coverage_least(e.supply / p.supply_target::float8, 1) AS served, e.period
	FROM epoch e JOIN policy p USING (policy_id) ORDER BY e.period DESC LIMIT 1
), gap AS (
	SELECT coverage_agg(d.location, 75000, d.weight / 1e6, :grid_order) AS people
	FROM last, demand d WHERE coverage_value(served, d.location) < 0.5
)
SELECT coverage_svg(
	served * (1 - coverage_mask(people, 1e-9)) - people,
	(SELECT array_agg(boundary ORDER BY code) FROM region)
		|| (SELECT array_agg(location ORDER BY node_id) FROM node WHERE joined_at < upper(period) AND (left_at IS NULL OR left_at >= upper(period))),
	'M-Lab at the end of 2024: its nodes, what they serve within 10 ms, and the gaps',
	'served, as a share of the supply wanted',
	'gaps: million people in cities, within 75 km')
FROM last, gap \g (format=unaligned tuples_only=on) :file

-- And what one more node would have earned in it, in tokens, wherever it had been.
\set file :output '/reward_map.svg'
SELECT coverage_svg(reward_map(NULL, service_radius(10), '{"server_r640": 2, "bandwidth_gbps": 10}') / 1e6,
	(SELECT array_agg(boundary ORDER BY code) FROM region),
	'What one more node would have earned in the last quarter of 2024, by its place', 'tokens')
\g (format=unaligned tuples_only=on) :file
